"""Plots of training and of what a network does: restrained, labeled, readable by color-blind eyes.

Every function draws on the axes it is given, or on a figure of its own, and returns the axes;
``ax.figure.savefig(path)`` or the ``path`` argument keeps the picture. Figures are made directly, never
through ``matplotlib.pyplot``: no back end is chosen, no global state is touched, and nothing has to be
closed.
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
