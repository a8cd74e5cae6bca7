"""Plots of training, predictions, hidden states and gradients, in colors for color-blind readers.

Every function draws on the given axes, or on a new figure, and returns the axes. The ``path`` argument, or
``ax.figure.savefig(path)``, writes the picture to a file. Figures are made without ``matplotlib.pyplot``: no
back end is chosen, no global state changes, and no figure has to be closed.
"""

from elman.plotting.confusion import confusion_matrix
from elman.plotting.probabilities import probabilities
from elman.plotting.roc_reliability import reliability, roc
from elman.plotting.states_gradients import gradient_by_distance, hidden_states
from elman.plotting.training import curves, spectral_radius

__all__ = [
    "confusion_matrix",
    "curves",
    "gradient_by_distance",
    "hidden_states",
    "probabilities",
    "reliability",
    "roc",
    "spectral_radius",
]
