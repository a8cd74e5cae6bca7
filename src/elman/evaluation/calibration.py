"""Calibration: whether 80 % of the answers given with probability 0.8 are right."""

from __future__ import annotations

import warnings
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray
from sklearn.base import BaseEstimator
from sklearn.utils.validation import check_is_fitted

from elman._validation import flag, integer, refuse_mask
from elman.data.sequences import Array
from elman.errors import ArgumentValueError

_LOWEST, _HIGHEST = 0.05, 20.0  # temperatures


@dataclass(frozen=True, eq=False)
class Reliability:
    """A reliability curve: its K non-empty bins, in order.

    Attributes
    ----------
    confidence, accuracy : (K,) arrays
        Mean probability of the answers in each bin, and the share of them that are right.
    counts : (K,) array
        Answers in each bin.
    error : float
        The expected calibration error: the mean of |accuracy - confidence| over the bins, weighted by counts.

    >>> reliability([1, 0, 1, 1], [0.75, 0.75, 0.75, 0.75]).counts
    array([4])
    """

    confidence: NDArray[np.float64]
    accuracy: NDArray[np.float64]
    counts: NDArray[np.int64]
    error: float


def reliability(
    y: ArrayLike, probabilities: ArrayLike, *, bins: int = 10, classes: ArrayLike | None = None
) -> Reliability:
    """Return how often answers are right, as a function of the probability they were given.

    ECE = sum_k counts_k / n |accuracy_k - confidence_k|, over ``bins`` bins of equal width from 0 to 1.

    Parameters
    ----------
    y : (n,) labels
    probabilities : (n, C) or (n,)
        (n, C), as from ``predict_proba``: the answer is the most probable class of each row. (n,): the
        probabilities of class 1, where y has 0 and 1; the answer is class 1, at any probability.
    bins : int
        At least 1.
    classes : (C,) or None
        The labels of the columns, as in ``classes_``. None: y has integers from 0 to C - 1.

    Raises
    ------
    TypeError, ValueError
        For other arguments than these.

    Source: Guo et al.: On calibration of modern neural networks, ICML 2017, equations 2 and 3.

    >>> curve = reliability([0, 1, 1, 1], [[0.9, 0.1], [0.4, 0.6], [0.6, 0.4], [0.1, 0.9]], bins=2)
    >>> curve.confidence, curve.accuracy, round(curve.error, 2)
    (array([0.75]), array([0.75]), 0.0)
    """
    from sklearn.calibration import calibration_curve

    bins = integer("bins", bins, 1)
    refuse_mask("probabilities", probabilities)
    shares = np.asarray(probabilities, dtype=np.float64)
    if shares.ndim == 1:
        shares = np.stack([1 - shares, shares], axis=1)
        _check_shares(shares)
        right, sure = _places(y, shares, classes) == 1, shares[:, 1]
    else:
        _check_shares(shares)
        right, sure = _places(y, shares, classes) == shares.argmax(axis=1), shares.max(axis=1)
    sure = np.clip(sure, 0.0, 1.0)  # rounding may have made it 1 + 1e-7
    accuracy, confidence = calibration_curve(right, sure, n_bins=bins, pos_label=True)
    inner = np.linspace(0.0, 1.0, bins + 1)[1:-1]  # the bounds of calibration_curve
    counts = np.bincount(np.searchsorted(inner, sure), minlength=bins)
    counts = counts[counts > 0]
    error = float((counts * np.abs(accuracy - confidence)).sum() / len(sure))
    return Reliability(confidence, accuracy, counts, error)


class TemperatureScaling(BaseEstimator):  # type: ignore[misc]
    """One temperature T that calibrates probabilities: softmax(logits / T).

    T minimizes the cross-entropy of held-out answers. T > 1 makes the probabilities less confident, T < 1
    more. The order of the classes, and so the accuracy, does not change. T is between 0.05 and 20. A warning
    is given if it reaches either bound, for example because all held-out answers are right.

    Parameters
    ----------
    logits : bool
        Whether X has logits. Otherwise it has probabilities, whose logarithms serve as logits. A probability
        of 0 is replaced by the smallest positive number of its dtype.
    classes : (C,) or None
        The labels of the columns, as in the estimator's ``classes_``. None: y has integers from 0 to C - 1.

    Attributes
    ----------
    temperature_ : float

    It scales probabilities of any origin. `elman.calibrate` gives a calibrated model, which can be saved,
    streamed and monitored.

    Source: Guo et al.: On calibration of modern neural networks, ICML 2017, section 4.2.

    >>> P = np.array([[0.99, 0.01]] * 4 + [[0.01, 0.99]] * 4)
    >>> scaling = TemperatureScaling().fit(P, [0, 0, 0, 1, 1, 1, 1, 0])  # sure, but right in six of eight
    >>> scaling.predict_proba(P)[0].round(3)
    array([0.75, 0.25])
    """

    def __init__(self, logits: bool = False, classes: ArrayLike | None = None) -> None:
        self.logits = logits
        self.classes = classes

    def fit(self, X: ArrayLike, y: ArrayLike) -> TemperatureScaling:
        """Find the temperature for X (n, C), which was held out from training, and its labels y (n,)."""
        z = self._logits(X)
        self.temperature_ = _best_temperature(z, _places(y, z, self.classes), stacklevel=3)
        self.n_features_in_ = z.shape[1]
        return self

    def predict_proba(self, X: ArrayLike) -> NDArray[np.float64]:
        """Return probabilities (n, C) at the temperature."""
        from scipy.special import softmax

        check_is_fitted(self)
        z = self._logits(X)
        if z.shape[1] != self.n_features_in_:
            raise ArgumentValueError("X", f"has {z.shape[1]} columns", f"{self.n_features_in_} as in fit")
        shares: NDArray[np.float64] = softmax(z / self.temperature_, axis=1)
        return shares

    def _logits(self, X: ArrayLike) -> NDArray[np.float64]:
        refuse_mask("X", X)
        given: Array = np.asarray(X)
        if flag("logits", self.logits):
            values: NDArray[np.float64] = given.astype(np.float64)
            _check_table(values)
            return values
        return _log_shares(given)


def find_temperature(shares: Array, y: ArrayLike, classes: ArrayLike, stacklevel: int) -> float:
    """Return the temperature of `TemperatureScaling` for probabilities (n, C) and their labels y (n,).

    ``stacklevel`` is that of its warning, from this function.
    """
    z = _log_shares(shares)
    return _best_temperature(z, _places(y, z, classes), stacklevel + 1)


def _best_temperature(z: NDArray[np.float64], places: NDArray[np.int64], stacklevel: int) -> float:
    """Return the temperature with the least cross-entropy of logits (n, C) and places of the answers (n,)."""
    from scipy.optimize import minimize_scalar
    from scipy.special import logsumexp
    from sklearn.exceptions import ConvergenceWarning

    own = np.take_along_axis(z, places[:, None], axis=1)[:, 0]

    def loss(log_t: float) -> float:
        t = np.exp(log_t)
        return float(np.mean(logsumexp(z / t, axis=1) - own / t))

    # convex in 1 / T, so there is one minimum in log T too
    ends = np.log([_LOWEST, _HIGHEST])
    found = minimize_scalar(loss, bounds=tuple(ends), method="bounded", options={"xatol": 1e-8})
    near = [end for end in ends if loss(end) <= found.fun]
    log_t = near[0] if near else found.x
    if near:
        why = "all answers are right, or nearly all: hold out more data, or do not calibrate"
        warnings.warn(
            f"the best temperature lies at or beyond {np.exp(log_t):g}, the end of the search"
            + (f"; {why}" if log_t < 0 else ""),
            ConvergenceWarning,
            stacklevel=stacklevel,
        )
    return float(np.exp(log_t))


def _log_shares(given: Array) -> NDArray[np.float64]:
    """Return the logarithms of probabilities (n, C), checked; 0 counts as the smallest of its dtype."""
    values = given.astype(np.float64)
    _check_shares(values)
    tiny = np.finfo(given.dtype if given.dtype.kind == "f" else np.float64).tiny
    logits: NDArray[np.float64] = np.log(np.maximum(values, tiny))
    return logits


def _check_table(values: NDArray[np.float64]) -> None:
    if values.ndim != 2 or values.shape[1] < 2 or not len(values):
        raise ArgumentValueError("the probabilities", f"have shape {values.shape}", "(n, C), C at least 2")
    bad = np.argwhere(~np.isfinite(values))
    if len(bad):
        i, j = bad[0].tolist()
        raise ArgumentValueError("the probabilities", f"have {values[i, j]} in row {i}", "finite numbers")


def _check_shares(values: NDArray[np.float64]) -> None:
    _check_table(values)
    sums = values.sum(axis=1)
    wrong = np.flatnonzero((values < -1e-6).any(axis=1) | (np.abs(sums - 1) > 1e-3))
    if len(wrong):
        i = int(wrong[0])
        raise ArgumentValueError(
            f"row {i} of the probabilities", f"is {values[i].tolist()}", "numbers from 0 that sum to 1"
        )


def _places(y: ArrayLike, values: NDArray[np.float64], classes: ArrayLike | None) -> NDArray[np.int64]:
    """Return the column of each label."""
    refuse_mask("y", y)
    refuse_mask("classes", classes)
    labels: Array = np.asarray(y)
    n, C = values.shape
    if labels.shape != (n,):
        raise ArgumentValueError(
            "y", f"has shape {labels.shape}", f"({n},): one label a row of probabilities"
        )
    names: Array = np.arange(C) if classes is None else np.asarray(classes)
    if names.shape != (C,) or len(np.unique(names)) < C:
        raise ArgumentValueError(
            "classes", f"has shape {names.shape}", f"({C},): a label a column, no two alike"
        )
    known = labels[:, None] == names[None, :]
    wrong = np.flatnonzero(~np.broadcast_to(known, (n, C)).any(axis=1))
    if len(wrong):
        what = f"a class index from 0 to {C - 1}" if classes is None else f"one of {names.tolist()}"
        raise ArgumentValueError(f"y[{wrong[0]}]", f"is {labels[wrong[0]].item()!r}", what)
    places: NDArray[np.int64] = known.argmax(axis=1)
    return places
