"""X and y of estimators and features, read from every form, and results brought back to the form of X.

A *table* is the 2-D input of scikit-learn: each row is a univariate sequence. Everything else is sequences:
arrays (n, T, F), lists or object arrays of (T_i, F) or (T_i,), and `Sequences`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from elman._validation import describe
from elman.data.alignment import aligned
from elman.data.axes import warn_of_turned_axes
from elman.data.counting import warn_of_counting
from elman.data.feature_names import UNKNOWN, Features, Texts
from elman.data.sequences import Array, Batch, Sequences, _asarray, as_batch, even_offsets
from elman.errors import ArgumentTypeError, ArgumentValueError

Rows = NDArray[np.int64]
_ROWS = (list, tuple, np.ndarray)


class Form(Protocol):
    """What an estimator or a transformer knows of the form of X, once fitted; also ``feature_names_in_``."""

    tabular_: bool
    n_features_in_: int


_FORM = ("tabular_", "n_features_in_", "feature_names_in_", "feature_units_", "rate_", "signal_limits_")


def read(
    form: Any, X: Any, fresh: bool, check_table: Callable[[Any], Array], check: Callable[[Batch], object]
) -> Batch:
    """Return X in the inner form.

    ``form`` is an estimator or a transformer. Where ``fresh``, the form of X is written into it, otherwise X
    must have the form that it was fitted on. ``check_table`` is scikit-learn's check of 2-D input, which
    writes the rest of the form; ``check`` raises for sequences that are not finite. The
    features of sequences are put in the order that ``form`` knows, which may be none where ``fresh``.
    """
    tabular = is_table(X)
    if not fresh and tabular != form.tabular_:
        if not tabular:
            raise ArgumentValueError("X", "is a collection of sequences", "2-D input as in fit")
        if not isinstance(X, (list, tuple)):
            raise ArgumentValueError(
                "X",
                "is 2-D",
                "sequences as in fit: an array (n, T, F) or a list of (T, F); one sequence is [X]",
            )
        tabular, X = False, [np.asarray(row) for row in X]  # lists of numbers, fitted as sequences
    if tabular:
        batch = table_batch(check_table(X))
    else:
        if fresh or type(X) is not np.ndarray or vars(form).get("feature_names_in_") is not None:
            known = features_of(form)
            given = X
            X, found = aligned(X, known, "X", None if fresh else type(form).__name__)
        batch = sequence_batch(X, None if fresh else form.n_features_in_)
        check(batch)
        if fresh:
            form.n_features_in_ = batch.values.shape[1]
            keep_features(form, found)
            warn_of_turned_axes(batch, found.names is not None)
            warn_of_counting(given, batch, found.names)
    if fresh:
        form.tabular_ = tabular
        if tabular:  # scikit-learn deletes the names of an earlier fit, or writes new ones
            found = Features(_texts(vars(form).get("feature_names_in_")))
            keep_features(form, found)
            warn_of_counting(X, None, found.names)
    return batch


def features_of(form: Any) -> Features:
    """Return what a fitted estimator or transformer knows of its features."""
    own = vars(form)
    names, units, rate = own.get("feature_names_in_"), own.get("feature_units_"), own.get("rate_")
    return UNKNOWN if names is units is rate is None else Features(_texts(names), units, rate)


def keep_features(form: Any, known: Features) -> None:
    """Let an estimator or a transformer keep what is known of its features."""
    form.feature_names_in_ = None if known.names is None else np.array(known.names, object)
    form.feature_units_, form.rate_ = known.units, known.rate


def _texts(names: Any) -> Texts | None:
    return None if names is None else tuple(names.tolist())


def copy_form(source: Form, target: Form) -> None:
    """Let ``target`` have the form of X that `read` has written into ``source``."""
    known = {name: value for name, value in vars(source).items() if name in _FORM}
    for name in _FORM:
        if name in known:
            setattr(target, name, known[name])
        else:
            vars(target).pop(name, None)


def is_table(X: Any) -> bool:
    """Whether X is 2-D in scikit-learn's sense (or so wrong that scikit-learn should say what it is).

    >>> is_table(np.zeros((4, 3))), is_table([[1, 2], [3, 4]]), is_table([np.zeros(3), np.zeros(5)])
    (True, True, False)
    """
    if isinstance(X, np.ndarray):
        return X.ndim != 3 and not (X.ndim == 1 and X.dtype.kind == "O")
    if isinstance(X, (list, tuple)):
        return len(X) > 0 and all(_is_flat_row(row) for row in X) and len({len(row) for row in X}) == 1
    if not hasattr(X, "__array__") and not hasattr(X, "shape"):
        return False
    return len(getattr(X, "shape", (0, 0))) != 3  # a frame, a sparse matrix, another library's array


def _is_flat_row(row: Any) -> bool:
    return isinstance(row, (list, tuple)) and all(np.ndim(v) == 0 for v in row)


def table_batch(X: Array) -> Batch:
    """Return a checked table (n, T) as n univariate sequences."""
    n, steps = X.shape
    values = np.ascontiguousarray(X).reshape(n * steps, 1)
    return Batch(values, even_offsets(n, steps), steps, False)


def sequence_batch(X: Any, features: int | None) -> Batch:
    """Return sequences in the inner form, in float32 if all of them are, otherwise as they are or float64.

    ``features`` is F as fitted; None takes that of the first sequence.

    >>> sequence_batch([np.zeros(3), np.zeros(5)], None).values.shape
    (8, 1)
    """
    if isinstance(X, np.ndarray) and X.dtype.kind == "O" and X.ndim == 1:
        X = list(X)
    source = "as in fit"
    if isinstance(X, (list, tuple)):
        X = [_item(i, item, features in (None, 1)) for i, item in enumerate(X)]
    if features is None:
        features, source = _features(X), "as X[0]"
    single = isinstance(X, list) and all(item.dtype == np.float32 for item in X)
    return as_batch(X, features, np.dtype(np.float32 if single else np.float64), "X", source)


def _item(i: int, item: Any, univariate: bool) -> Array:
    array = item if type(item) is np.ndarray else _asarray(f"X[{i}]", item)
    return array[:, None] if univariate and array.ndim == 1 else array


def _features(X: Any) -> int:
    """Return F of the first sequence; 1 where it has none, so that `as_batch` says what is wrong."""
    shape: tuple[int, ...]
    if isinstance(X, (list, tuple)):
        shape = X[0].shape[1:] if len(X) else ()
    else:
        shape = X.values.shape[1:] if isinstance(X, Sequences) else np.shape(X)[2:]
    if shape == (0,):
        raise ArgumentValueError("X", "has 0 features", "at least one")
    return int(shape[-1]) if len(shape) == 1 else 1


def step_blocks(
    batch: Batch, rows: Rows | None, weights: NDArray[np.float64] | None, size: int
) -> Iterator[tuple[Array, NDArray[np.float64] | None]]:
    """Yield the steps of some of the sequences, at most ``size`` at a time, with the weight of each step.

    Shapes: ``rows`` are indices of sequences, None for all; ``weights`` one for each of these; values
    (k, F) and weights (k,), k <= size. Nothing but a block is copied, and where blocks begin follows from the
    chosen sequences alone.

    >>> batch = Batch(np.arange(6.0)[:, None], np.array([0, 2, 3, 6]), 0, True)
    >>> [(x[:, 0].tolist(), w.tolist()) for x, w in step_blocks(batch, np.array([2, 0]), np.array([1, 7]), 4)]
    [([3.0, 4.0, 5.0, 0.0], [1, 1, 1, 7]), ([1.0], [7])]
    """
    lengths = batch.lengths() if rows is None else batch.lengths()[rows]
    ends = np.cumsum(lengths)
    for begin in range(0, int(ends[-1]), size):
        end = min(begin + size, int(ends[-1]))
        first, last = np.searchsorted(ends, [begin, end - 1], side="right")
        some = slice(first, last + 1)  # the sequences that have steps in this block
        starts = ends[some] - lengths[some]
        counts = np.minimum(ends[some], end) - np.maximum(starts, begin)
        values = batch.values[begin:end]
        if rows is not None:
            shifts = batch.offsets[rows[some]] - starts
            values = batch.values[np.arange(begin, end) + np.repeat(shifts, counts)]
        yield values, None if weights is None else np.repeat(weights[some], counts)


def take_answers(y: Array, batch: Batch, rows: Rows, per_step: bool) -> Array:
    """Return the answers of some of the sequences: rows of (n, ...), or steps of (N, ...)."""
    if not per_step:
        return y[rows]
    o = batch.offsets
    return np.concatenate([y[o[i] : o[i + 1]] for i in rows])


def restore_form(flat: Array, batch: Batch, X: Any) -> Array | list[Array] | Sequences:
    """Return answers per step, (N,) or (N, C), in the form of X.

    Labels that are no numbers are returned as a list where X was `Sequences`, which holds numbers alone.
    """
    if batch.steps:
        return flat.reshape(batch.n, batch.steps, *flat.shape[1:])
    if not batch.listed and flat.dtype.kind in "fiub":
        return Sequences(flat, batch.offsets)
    o = batch.offsets.tolist()
    rows = [flat[o[i] : o[i + 1]] for i in range(batch.n)]
    if not isinstance(X, np.ndarray):
        return rows
    objects = np.empty(batch.n, object)  # so that scikit-learn's cross_val_predict can join them
    objects[:] = rows
    return objects


def check_one_per_sequence(y: Any, n: int) -> Any:
    """Return y unless it plainly has another number of answers than X has sequences."""
    if y is None:
        raise ArgumentValueError(
            "y", "is None", "one answer a sequence: this estimator requires y to be passed"
        )
    count = len(y) if isinstance(y, Sequence) or hasattr(y, "__len__") else None
    if count is None or isinstance(y, (str, Sequences)):
        raise ArgumentTypeError("y", f"is {describe(y)}", "one answer a sequence")
    if count != n:
        raise ArgumentValueError("y", f"has {count} answers", f"{n} (one for each sequence of X)")
    if isinstance(y, (list, tuple)) and len({np.shape(v)[:1] for v in y if isinstance(v, _ROWS)}) > 1:
        raise ArgumentValueError(
            "y",
            "has answers of several lengths",
            "one answer a sequence; one a step is for RNNTagger, or RNNRegressor with return_sequences=True",
        )
    return y
