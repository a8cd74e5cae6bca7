"""Axes: what is said where time is, or may be, the last axis of X, as in aeon, sktime and MNE."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from elman.data.user_warnings import warn

# Few steps of very many features are rare, channels before steps are common: 3 channels of 200 steps look
# like 3 steps of 200 features. Up to 64 channels are usual; images read row by row (28 by 28) and filter
# banks (13 to 80 features) have fewer features than four times their steps. Where they have more, as spectra
# or the vectors of words, features differ from each other: their means do so by more than chance, and the
# means of steps do not. Codes of 0 and 1 (one-hot letters) are no measurements.
_MOST_STEPS = 64
_FEWEST_FEATURES = 100
_RATIO = 4
_CHANCE = 2.0  # times the variance of a mean over sequences
_STANDARDIZED = 1e-6  # of it: so equal are the means of features that were standardized one by one
_FEWEST_SEQUENCES = 4
_MOST_SEQUENCES = 256  # that are looked at


def warn_of_turned_axes(batch: Any, named: bool, name: str = "X") -> None:
    """Warn where sequences (a `Batch`) that a model is fitted to are probably (features, steps).

    ``named``: their features have names, so they are features.

    >>> import numpy as np
    >>> from elman.data.sequences import as_batch
    >>> warn_of_turned_axes(as_batch(np.ones((4, 200, 3)), 3, np.dtype(float)), False)
    """
    values, steps = batch.values, int(batch.offsets[1])
    width = int(values.shape[1])
    if width <= _FEWEST_FEATURES or steps > _MOST_STEPS or width < _RATIO * steps or named:
        return
    if (batch.lengths() != steps).any():  # of two recordings the steps differ, not the channels
        return
    count = min(batch.n, _MOST_SEQUENCES)
    x = np.asarray(values[: count * steps], np.float64).reshape(count, steps, width)
    if not _alike(x) or _standardized(x, values):
        return
    turn = "X.transpose(0, 2, 1)" if batch.steps else "x.T of each sequence"
    one = "" if steps == 1 else "s"
    warn(
        f"{name} has {batch.n} sequences of {steps} step{one} and {width} features: time is axis 1 of "
        f"(sequences, steps, features). If these are {steps} channel{one} of {width} steps, {turn} turns them"
    )


def _alike(x: NDArray[np.float64]) -> bool:
    """Whether the columns of x (n, T, F) have the same mean, as far as n independent sequences can tell."""
    if len(x) < _FEWEST_SEQUENCES or ((x[0] == 0) | (x[0] == 1)).all():
        return False
    with np.errstate(all="ignore"):  # numbers that are not finite are another check's
        x = x - x.mean(axis=2, keepdims=True)  # a channel may have any offset
        means = x.mean(axis=(0, 1))
        return bool(means.var() <= _CHANCE * (x - means).var() / len(x))


def _standardized(x: NDArray[np.float64], values: NDArray[np.generic]) -> bool:
    """Whether the columns of all ``values`` (N, F), of which x is a part, have one mean to the digit."""
    with np.errstate(all="ignore"):
        means = values.mean(axis=0, dtype=np.float64)
        return bool(means.var() <= _STANDARDIZED * x.var() / len(values))


def array_hint(steps: int, features: int, name: str) -> str:
    """Return what to say of an array (n, steps, F) of another F than ``features``."""
    return f"; time is axis 1, and {name}.transpose(0, 2, 1) turns it" if steps == features else ""


def list_hint(array: Any, features: int, before: Sequence[Any]) -> str:
    """Return what to say of a sequence of another F than ``features``.

    If it has as many rows as features are expected, or as all sequences before it, rows are channels.
    """
    if len(array) == features or (before and all(len(each) == len(array) for each in before)):
        return "; a sequence is (steps, features), and x.T turns one of (features, steps)"
    return ""
