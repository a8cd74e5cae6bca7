"""Pictures of training and of what a network does: restrained, labelled, readable by colour-blind eyes.

Every function draws on the axes it is given, or on a figure of its own, and returns the axes;
``ax.figure.savefig(path)`` or the ``path`` argument keeps the picture. Figures are made directly, never
through ``matplotlib.pyplot``: no back end is chosen, no global state is touched, and nothing has to be
closed.
"""

from elman.plotting.confusion import confusion_matrix
from elman.plotting.inside import gradient_by_distance, hidden_states
from elman.plotting.judgement import reliability, roc
from elman.plotting.probability import probabilities
from elman.plotting.progress import HasHistory, HasRadii, curves, spectral_radius
from elman.plotting.style import (
    COLOURS,
    GREY,
    PathLike,
    available,
    colour_bar,
    new_figure,
    plain,
    save,
)

__all__ = [
    "COLOURS",
    "GREY",
    "HasHistory",
    "HasRadii",
    "PathLike",
    "available",
    "colour_bar",
    "confusion_matrix",
    "curves",
    "gradient_by_distance",
    "hidden_states",
    "new_figure",
    "plain",
    "probabilities",
    "reliability",
    "roc",
    "save",
    "spectral_radius",
]
