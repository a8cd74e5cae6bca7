"""Columns that number rows or steps, which are no measurements, and what is said of them in data frames."""

from __future__ import annotations

import re
from typing import Any

import numpy as np
from numpy.typing import NDArray

from elman.data.user_warnings import warn

# Names that pandas and R's readr give to a column without one, and pandas to an index in a Parquet file.
_NAMELESS = re.compile(r"Unnamed: [0-9.]+(_level_[0-9]+)?|\.\.\.[0-9]+|__index_level_[0-9]+__")
# A measurement may happen to be 0, 1, 2, ... in a few rows. These are so many that it does not.
_ROWS = 20  # of all sequences
_STEPS = 5  # of the longest sequence, whose steps are counted


def is_nameless(name: str) -> bool:
    """Whether a column had no name when it was saved, as a column of row numbers has none.

    >>> is_nameless("Unnamed: 0"), is_nameless("unnamed")
    (True, False)
    """
    return _NAMELESS.fullmatch(name) is not None


def counting_columns(values: NDArray[np.float64], bounds: NDArray[np.int64]) -> list[int]:
    """Return the columns that count the steps of each sequence, ``values[bounds[i]:bounds[i + 1]]``.

    They grow by 1 with each step, or by another amount from the same value on in all sequences, as times do.

    >>> counting_columns(np.stack([np.arange(20.0), np.ones(20)], axis=1), np.array([0, 20]))
    [0]
    """
    lengths = np.diff(bounds)
    longest = int(np.argmax(lengths))
    if len(values) < _ROWS or lengths[longest] < _STEPS:
        return []
    start = int(bounds[longest])
    with np.errstate(all="ignore"):  # values may be infinite
        head = np.diff(values[start : start + _STEPS], axis=0)
        candidates = np.flatnonzero((head > 0).all(axis=0) & (np.ptp(head, axis=0) <= 0.01 * head[0]))
    follows = np.ones(len(values) - 1, bool)  # whether a row and the one before it are of one sequence
    follows[bounds[1:-1] - 1] = False
    found = []
    for k in candidates.tolist():
        column = values[:, k]
        if np.isfinite(column).all() and _is_even(column, column[start + 1] - column[start], follows, bounds):
            found.append(k)
    return found


def _is_even(
    column: NDArray[np.float64], step: float, follows: NDArray[np.bool_], bounds: NDArray[np.int64]
) -> bool:
    """Whether a column grows by ``step`` within the sequences: by 1, or from the same value on."""
    rounding = 4 * np.finfo(float).eps * np.abs(column).max()
    with np.errstate(over="ignore"):
        even = np.abs(np.diff(column)[follows] - step) <= 1e-6 * step + rounding
    begins = column[bounds[:-1]]
    return bool(even.all() and (step == 1.0 or (begins == begins[0]).all()))


def warn_of_counting(X: Any, batch: Any, names: Any, name: str = "X") -> None:
    """Warn of columns of data frames that a model is fitted to, but that are no measurements.

    ``batch``: the sequences in X (a `Batch`), or None for one frame, whose columns are steps. ``names``
    may be None. Files say so when they are read, unless their columns were chosen.

    >>> warn_of_counting([np.zeros((2, 1))], None, ["Unnamed: 0"])  # of an array, the names were chosen
    """
    if names is None or not _has_frames(X):
        return
    for each in filter(is_nameless, names):
        warn(f"{name} has the column {each!r}, as saved row numbers are called: drop it")
        return
    if batch is None:
        return
    for k in counting_columns(batch.values, batch.offsets):
        problem = f"has the column {names[k]!r}, which counts the steps of each sequence"
        warn(f"{name} {problem}: drop it, if it is the time or a row number")
        return


def _has_frames(X: Any) -> bool:
    first = X[0] if isinstance(X, (list, tuple, np.ndarray)) and len(X) else X
    return not isinstance(first, (np.ndarray, list, tuple)) and hasattr(first, "columns")
