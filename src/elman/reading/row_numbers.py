"""Columns that number rows or steps: no measurements, and read as features only if the caller names them."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from elman.data.counting import counting_columns, is_nameless
from elman.errors import Mention, MentionError
from elman.reading.parsing import Codes, shown

_ROWS = 20  # of the file: a measurement may happen to be 0, 1, 2, ... in a smaller one


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
    """Raise ValueError if a column counts the steps of each sequence, ``values[bounds[i]:bounds[i + 1]]``."""
    for k in counting_columns(values, bounds):
        raise MentionError(
            f"{where}, column {names[k]} counts the steps of each sequence: it is the time (",
            Mention("time"),
            ") or no measurement, unless the columns of values are named (",
            Mention("features"),
            ")",
        )


def _error(sentence: str, wide: bool) -> MentionError:
    if wide:
        return MentionError(f"{sentence}: write the file without it, or call it the id (", Mention("id"), ")")
    return MentionError(
        f"{sentence}: write the file without it, or name the columns of values (", Mention("features"), ")"
    )
