"""Columns that number rows or steps: no measurements, and read as features only if the caller names them."""

from __future__ import annotations

import re
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from elman.errors import Mention, MentionError
from elman.reading.parsing import Codes, shown

# Names that pandas and R's readr give to a column without one, and pandas to an index in a Parquet file.
_NAMELESS = re.compile(r"Unnamed: [0-9.]+(_level_[0-9]+)?|\.\.\.[0-9]+|__index_level_[0-9]+__")
# A measurement may happen to be 0, 1, 2, ... in a small file. These are so many that it does not.
_ROWS = 20  # of the file
_STEPS = 5  # of the longest sequence, whose steps are counted


def is_nameless(name: str) -> bool:
    """Whether a column had no name when it was saved, as a column of row numbers has none.

    >>> is_nameless("Unnamed: 0"), is_nameless("unnamed")
    (True, False)
    """
    return _NAMELESS.fullmatch(name) is not None


def check_index(where: str, names: Sequence[str], index: Sequence[str], wide: bool) -> None:
    """Raise ValueError for a column of values that has no name, or one of those of pandas' index."""
    for name in names:
        if name in index or is_nameless(name):
            problem = "is pandas' index" if name in index else "has the name of a column without a name"
            raise _error(f"{where}, column {shown(name)} {problem}, so it is no measurement", wide)


def check_rows(where: str, names: Sequence[str], values: NDArray[np.float64], wide: bool) -> None:
    """Raise ValueError if a column of values (rows, V) grows by 1 from each row of the file to the next."""
    if len(values) < _ROWS:
        return
    with np.errstate(all="ignore"):  # values may be infinite
        candidates = np.flatnonzero(values[-1] - values[0] == len(values) - 1)
    for k in candidates.tolist():
        column = values[:, k]
        if np.isfinite(column).all() and (np.diff(column) == 1.0).all():
            raise _error(f"{where}, column {names[k]} counts the rows, so it is no measurement", wide)


def check_steps(where: str, names: Sequence[str], values: NDArray[np.float64], bounds: Codes) -> None:
    """Raise ValueError if a column counts the steps of each sequence, ``values[bounds[i]:bounds[i + 1]]``.

    It grows by 1 with each step, or by another amount from the same value on in all sequences, as times do.
    """
    lengths = np.diff(bounds)
    longest = int(np.argmax(lengths))
    if len(values) < _ROWS or lengths[longest] < _STEPS:
        return
    start = int(bounds[longest])
    with np.errstate(all="ignore"):  # values may be infinite
        head = np.diff(values[start : start + _STEPS], axis=0)
        candidates = np.flatnonzero((head > 0).all(axis=0) & (np.ptp(head, axis=0) <= 0.01 * head[0]))
    follows = np.ones(len(values) - 1, bool)  # whether a row and the one before it are of one sequence
    follows[bounds[1:-1] - 1] = False
    for k in candidates.tolist():
        column = values[:, k]
        if np.isfinite(column).all() and _is_even(column, column[start + 1] - column[start], follows, bounds):
            raise MentionError(
                f"{where}, column {names[k]} counts the steps of each sequence: it is the time (",
                Mention("time"),
                ") or no measurement, unless the columns of values are named (",
                Mention("features"),
                ")",
            )


def _is_even(column: NDArray[np.float64], step: float, follows: NDArray[np.bool_], bounds: Codes) -> bool:
    """Whether a column grows by ``step`` within the sequences: by 1, or from the same value on."""
    rounding = 4 * np.finfo(float).eps * np.abs(column).max()
    with np.errstate(over="ignore"):
        even = np.abs(np.diff(column)[follows] - step) <= 1e-6 * step + rounding
    begins = column[bounds[:-1]]
    return bool(even.all() and (step == 1.0 or (begins == begins[0]).all()))


def _error(sentence: str, wide: bool) -> MentionError:
    if wide:
        return MentionError(f"{sentence}: write the file without it, or call it the id (", Mention("id"), ")")
    return MentionError(
        f"{sentence}: write the file without it, or name the columns of values (", Mention("features"), ")"
    )
