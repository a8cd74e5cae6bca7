"""Convergence: whether a fit has come to its end, and scikit-learn's warning where it has not."""

from __future__ import annotations

import math
import warnings
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager

import numpy as np
from sklearn.exceptions import ConvergenceWarning

from elman.estimators.early_stopping import Patience
from elman.model.history import History
from elman.model.model import Model
from elman.nn.optimizers import SecondOrder
from elman.training.plan import Plan
from elman.training.second_order import Objective


def fall(losses: Sequence[float]) -> float:
    """Return by how much the best loss of the last tenth of the epochs is below the best one before.

    A last epoch that happens to be bad does not hide it. Infinite where there is no epoch before.

    >>> round(fall([3.0, 2.0, 1.0, 1.0, 1.0, 1.0, 1.0, 1.0, 0.9, 1.1, 0.8, 1.1]), 12)
    0.1
    >>> fall([3.0]), fall([3.0, 3.5])
    (inf, -0.5)
    """
    last = -(-len(losses) // 10)
    return min(losses[:-last], default=math.inf) - min(losses[-last:], default=math.inf)


def unfinished(model: Model, plan: Plan, history: History, patience: Patience, tol: float) -> str:
    """Return a sentence about a run that has ended before it converged, "" about any other.

    A run that ``max_iter`` ends is unfinished where the loss that it watches still fell by more than ``tol``
    over its last tenth. A second-order run in which no step lowers the loss any more is unfinished where the
    gradient has an entry above ``tol``.
    """
    watched = "loss" if patience.score is None else "val_loss"
    losses = history.history[watched]
    if patience.ended or not losses:
        return ""
    if len(losses) >= plan.epochs:
        last = -(-len(losses) // 10)
        if not fall(losses) > tol:
            return ""
        what = "loss" if patience.score is None else "loss on held-out sequences"
        epochs = "epoch" if last == 1 else f"{last} epochs"
        return (
            f"max_iter={plan.epochs} ended the training while the {what} was still falling (by more than "
            f"tol={tol:g} in the last {epochs}); with more it may become better"
        )
    if not isinstance(plan.optimizer, SecondOrder):
        return ""
    gradient = np.abs(Objective(model, plan).gradient()[1]).max(initial=0.0)
    if not gradient > tol:
        return ""
    return (
        f"the solver ended the training after {len(losses)} iterations: no step lowers the loss any more, "
        f"though its gradient has an entry of {gradient:.2g}, above tol={tol:g}. Input of another scale, "
        f"dtype='float64' or another solver may help"
    )


def warn(sentence: str, stacklevel: int) -> None:
    """Warn as scikit-learn does, if there is a sentence; ``stacklevel`` counts from the caller."""
    if sentence:
        warnings.warn(sentence, ConvergenceWarning, stacklevel=stacklevel + 1)


@contextmanager
def ignored() -> Iterator[None]:
    """Let fits end unconverged without a warning, where a recipe wants so many epochs and no more."""
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", r"(max_iter|epochs)=\d+ ended the training", ConvergenceWarning)
        yield


@contextmanager
def told(say: Callable[[str], object]) -> Iterator[None]:
    """Give the sentence of a fit that ended unconverged to ``say``, instead of a warning.

    The fit must be the last statement inside: its warning, which comes when all else is done, ends it.

    >>> with told(print):
    ...     warn("max_iter=1 ended the training", 1)
    max_iter=1 ended the training
    """
    with warnings.catch_warnings():
        warnings.simplefilter("error", ConvergenceWarning)
        try:
            yield
        except ConvergenceWarning as warning:
            say(str(warning))
