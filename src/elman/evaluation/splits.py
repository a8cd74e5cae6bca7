"""Splits that keep groups together: the chunks of a segment, the segments of a patient."""

from __future__ import annotations

import warnings
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray

from elman._validation import integer, refuse_mask
from elman.data import recording_ids
from elman.data.input_types import SequenceInput, TargetInput
from elman.data.sequences import Array, Sequences
from elman.errors import ArgumentTypeError, ArgumentValueError

Indices = NDArray[np.int64]


class Chunks(NamedTuple):
    """X, y, groups: chunks of equal length, their labels, and the group that each belongs to: see `chunk`.

    >>> X, y, groups = chunk([[1.0, 2.0, 3.0, 4.0]], ["rest"], 2)
    >>> len(X), y.tolist(), groups.tolist()
    (2, ['rest', 'rest'], [0, 0])
    """

    X: Sequences
    y: Array | None
    groups: Array


def folds(
    y: ArrayLike, groups: ArrayLike | None = None, *, n_splits: int = 10, seed: int = 0
) -> list[tuple[Indices, Indices]]:
    """Return the rows of (train, test) for each fold of a cross-validation that is stratified and shuffled.

    With ``groups``, all rows of a group are in the same fold. If the rows of each group share one label, the
    groups are split like single rows. With the same seed, chunks then fall into the same folds as their
    segments. Otherwise `sklearn.model_selection.StratifiedGroupKFold` splits. scikit-learn takes the list as
    ``cv``.

    Parameters
    ----------
    y : (n,) labels
    groups : (n,) or None
        Strings or integers, such as ``description.ids``; None: each row is a group.
    n_splits : int
        At least 2, at most the number of groups (rows) that have each label.
    seed : int

    Raises
    ------
    TypeError, ValueError
        For other arguments than these.

    Warns
    -----
    UserWarning
        If groups are recordings that share a subject, and a subject has recordings on both sides. The subject
        is the one of `elman.datasets.load_edf` (``subjects=``), or stands in the name ("sub-01_ses-2").

    >>> y, segments = ["rest", "rest", "seizure", "seizure"] * 2, ["a", "a", "b", "b", "c", "c", "d", "d"]
    >>> [sorted({segments[i] for i in test}) for _, test in folds(y, segments, n_splits=2)]
    [['b', 'c'], ['a', 'd']]
    """
    from sklearn.model_selection import StratifiedGroupKFold, StratifiedKFold

    labels = _column("y", y)
    n_splits = integer("n_splits", n_splits, 2)
    seed = integer("seed", seed, maximum=2**32 - 1)
    names = np.arange(len(labels)) if groups is None else _column("groups", groups, len(labels))
    _, first, of = np.unique(names, return_index=True, return_inverse=True)
    # groups in order of appearance, so that segments and their chunks are shuffled in the same way
    order = np.argsort(np.argsort(first))
    of, own = order[of], labels[np.sort(first)]
    pure = bool((own[of] == labels).all())
    _check_enough(labels, of, n_splits, "rows" if groups is None else "groups")
    options = {"n_splits": n_splits, "shuffle": True, "random_state": seed}
    if pure:
        split = StratifiedKFold(**options).split(own, own)
        found = [np.isin(of, test) for _, test in split]
    else:
        split = StratifiedGroupKFold(**options).split(labels, labels, of)
        found = [np.isin(np.arange(len(labels)), test) for _, test in split]
    made = [(np.flatnonzero(~test), np.flatnonzero(test)) for test in found]
    for train, test in made:
        if not len(test):
            raise ArgumentValueError(
                "n_splits", f"is {n_splits}, too many for groups of these labels: a fold is empty"
            )
        check_no_leak(train, test, of)
    if groups is not None:
        _warn_if_divided(recording_ids.carried(groups, names), made)
    return made


def check_no_leak(train: ArrayLike, test: ArrayLike, groups: ArrayLike) -> None:
    """Raise ValueError if a group has rows on both sides of a split, and warn if a subject of groups has.

    Shapes: train and test rows as integers or (n,) truth values; groups (n,), as in `folds`.

    >>> check_no_leak([0, 1], [2, 3], ["Z001", "Z002", "Z002", "Z003"])
    Traceback (most recent call last):
    ...
    elman.errors.ArgumentValueError: group 'Z002' is on both sides of the split: row 1 in train, row 2 in test
    """
    names = _column("groups", groups)
    sides = [_rows(name, rows, len(names)) for name, rows in (("train", train), ("test", test))]
    both = np.intersect1d(names[sides[0]], names[sides[1]])
    if len(both):
        at = [int(rows[names[rows] == both[0]][0]) for rows in sides]
        more = "" if len(both) == 1 else f" ({len(both)} groups are)"
        raise ArgumentValueError(
            f"group {both[0].item()!r}",
            f"is on both sides of the split{more}: row {at[0]} in train, row {at[1]} in test",
        )
    _warn_if_divided(recording_ids.carried(groups, names), [(sides[0], sides[1])])


def chunk(
    X: SequenceInput,
    y: TargetInput | None,
    length: int,
    hop: int | None = None,
    *,
    groups: ArrayLike | None = None,
) -> Chunks:
    """Cut sequences into chunks of ``length`` steps, one every ``hop`` steps, with their labels and groups.

    Chunk j of a sequence of T steps has the steps [j hop, j hop + length), j = 0 ... (T - length) // hop;
    steps after the last whole chunk are dropped.

    Parameters
    ----------
    X : array (n, T, F), list of (T_i, F) or (T_i,), or `elman.Sequences`
    y : (n,) labels of the sequences, or a list of n arrays (T_i,) with one label per step, or None
    length, hop : int
        At least 1; hop None is ``length``: no overlap.
    groups : (n,) or None
        The group of each sequence, such as ``description.ids``; None: each sequence is a group.

    Returns
    -------
    Chunks
        X `elman.Sequences` of m chunks, y (m,), (m, length) or None, groups (m,): for `folds`.

    Raises
    ------
    TypeError, ValueError
        For other arguments than these, and for a sequence that is shorter than one chunk.

    >>> chunks = chunk([np.arange(5.0), np.arange(4.0)], ["rest", "seizure"], 2)
    >>> [x.ravel().tolist() for x in chunks.X], chunks.y.tolist(), chunks.groups.tolist()
    ([[0.0, 1.0], [2.0, 3.0], [0.0, 1.0], [2.0, 3.0]], ['rest', 'rest', 'seizure', 'seizure'], [0, 0, 1, 1])
    """
    from elman.data.alignment import aligned
    from elman.data.estimator_input import sequence_batch

    X, known = aligned(X)
    batch = sequence_batch(X, None)
    length = integer("length", length, 1)
    hop = length if hop is None else integer("hop", hop, 1)
    lengths = batch.lengths()
    short = np.flatnonzero(lengths < length)
    if len(short):
        raise ArgumentValueError(
            f"X[{short[0]}]", f"has {lengths[short[0]]} steps", f"at least length, {length}"
        )
    names = np.arange(batch.n) if groups is None else _column("groups", groups, batch.n)
    counts = (lengths - length) // hop + 1
    of = np.repeat(np.arange(batch.n), counts)
    number = np.arange(len(of)) - np.repeat(np.cumsum(counts) - counts, counts)
    rows = (batch.offsets[:-1][of] + number * hop)[:, None] + np.arange(length)
    cut = Sequences(batch.values[rows.ravel()], np.arange(len(of) + 1) * length, **known.arguments())
    if groups is not None:
        names = recording_ids.carried(groups, names)
    return Chunks(cut, _labels(y, lengths, of, rows), names[of])


def _warn_if_divided(names: Array, splits: list[tuple[Indices, Indices]]) -> None:
    if names.dtype.kind not in "UO":  # numbers say nothing of subjects
        return
    found = recording_ids.divided(names, splits)
    if found is not None:
        warnings.warn(str(found), UserWarning, stacklevel=3)


def _labels(y: Any, lengths: Indices, of: Indices, rows: Indices) -> Array | None:
    if y is None:
        return None
    if not isinstance(y, (list, tuple)) or not len(y) or np.ndim(y[0]) == 0:
        return _column("y", y, len(lengths))[of]
    if len(y) != len(lengths):
        raise ArgumentValueError("y", f"has {len(y)} rows", f"{len(lengths)} (as X)")
    steps = [_column(f"y[{i}]", row, int(T)) for i, (row, T) in enumerate(zip(y, lengths, strict=True))]
    labels: Array = np.concatenate(steps)[rows]
    return labels


def _column(name: str, values: Any, n: int | None = None) -> Array:
    """Return one label per row as an array of numbers, truth values or strings."""
    refuse_mask(name, values)
    try:
        array = np.asarray(values)
    except ValueError as error:
        raise ArgumentValueError(name, f"is no list of labels: {error}") from None
    if array.dtype.kind == "O" and array.ndim == 1 and all(isinstance(value, str) for value in array):
        array = array.astype(str)
    if array.dtype.kind not in "iubfU":
        raise ArgumentTypeError(name, f"has dtype {array.dtype}", "numbers or strings")
    if array.ndim != 1 or not len(array):
        raise ArgumentValueError(name, f"has shape {array.shape}", "(n,), n at least 1")
    if n is not None and len(array) != n:
        raise ArgumentValueError(name, f"has {len(array)} rows", f"{n}")
    if array.dtype.kind == "f" and np.isnan(array).any():
        raise ArgumentValueError(f"{name}[{int(np.isnan(array).argmax())}]", "is NaN", "a label")
    return array


def _rows(name: str, rows: Any, n: int) -> Indices:
    array = np.asarray(rows)
    if array.ndim == 1 and array.dtype.kind == "b":
        if len(array) != n:
            raise ArgumentValueError(name, f"has {len(array)} truth values", f"{n} (as groups)")
        array = np.flatnonzero(array)
    if array.ndim != 1 or not len(array) or array.dtype.kind not in "iu":
        raise ArgumentValueError(
            name, f"has shape {array.shape} and dtype {array.dtype}", "the rows of one side, at least one"
        )
    outside = np.flatnonzero((array < 0) | (array >= n))
    if len(outside):
        raise ArgumentValueError(
            f"{name}[{outside[0]}]", f"is {array[outside[0]]}", f"a row from 0 to {n - 1}"
        )
    return array.astype(np.int64)


def _check_enough(labels: Array, of: Indices, n_splits: int, what: str) -> None:
    for label in np.unique(labels):
        count = len(np.unique(of[labels == label]))
        if count < n_splits:
            raise ArgumentValueError(
                "n_splits",
                f"is {n_splits}",
                f"at most {count}, the number of {what} with label {label.item()!r}",
            )
