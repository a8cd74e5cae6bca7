"""Answers: y in every form, checked against the loss, as the engine reads it.

Inside there is one row per answer: n rows (one per sequence) or N rows (one per step). They are either class
indices (rows,), with -1 for a missing answer, or values (rows, C), with NaN for a missing answer.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from elman._validation import describe
from elman.data.sequences import Array, Batch, Sequences, _asarray
from elman.errors import ArgumentTypeError, ArgumentValueError

Reader = Callable[[str, Any], Array]

_SMALLEST_WEIGHT = np.finfo(np.float64).tiny  # the engine takes denormal numbers for 0
_LARGEST_SUM = 1e300  # of weights: room for the losses that they multiply
_SUM_TOLERANCE = 1e-4  # how far probabilities may be from a sum of 1


@dataclass(frozen=True, slots=True)
class Answers:
    """Class indices int64 (rows,), or values (rows, C) of the network's dtype; the other one is None.

    ``class_weight`` (C,), only with indices: the weight of an answer of each class in loss and metrics. An
    answer of weight 2 counts as two answers. ``row_weight`` (rows,): the weight of each answer, by which that
    of its class is multiplied; an answer of weight 0 is none.
    """

    indices: NDArray[np.int64] | None
    values: Array | None
    class_weight: NDArray[np.float64] | None = None
    row_weight: NDArray[np.float64] | None = None


def as_answers(
    y: Any, batch: Batch, outputs: int, per_step: bool, loss: str, dtype: np.dtype[Any], name: str = "y"
) -> Answers:
    """Return y as the engine reads it; TypeError or ValueError where it does not fit.

    Shapes: y (n,) or (n, C); per step (n, T), (n, T, C), a list of (T_i,) or (T_i, C), or `Sequences`.

    >>> batch = Batch(np.zeros((2, 1)), np.array([0, 1, 2]), 1, False)
    >>> as_answers([0, 7], batch, 5, False, "cross_entropy", np.dtype("float64"))
    Traceback (most recent call last):
    ...
    elman.errors.ArgumentValueError: y[1] is 7, expected a class index from 0 to 4 (the network has 5 outputs)
    """
    flat = per_step_rows(y, batch, name) if per_step else _per_sequence_rows(y, batch, name)
    where = _Where(name, batch if per_step else None)
    if loss == "cross_entropy" and flat.ndim == 1:
        return Answers(_indices(flat, outputs, where), None)
    if flat.ndim == 1:
        if outputs != 1:
            axes = "(sequences, steps, outputs)" if per_step else "(sequences, outputs)"
            raise ArgumentValueError(
                name, "has one number an answer", f"{outputs} (the network's outputs): {axes}"
            )
        flat = flat[:, None]
    if flat.shape[1] != outputs:
        raise ArgumentValueError(
            name, f"has {flat.shape[1]} values an answer", f"{outputs} (the network's outputs)"
        )
    with np.errstate(over="ignore"):
        values = np.ascontiguousarray(flat, dtype=dtype)
    _CHECKS[loss](values, where)
    return Answers(None, values)


@dataclass(frozen=True, slots=True)
class _Where:
    """Names a row of answers in a message: y[3], or y[3] at step 7."""

    name: str
    batch: Batch | None

    def __call__(self, row: int) -> str:
        if self.batch is None:
            return f"{self.name}[{row}]"
        i, step = place(self.batch, row)
        return f"{self.name}[{i}] at step {step}"

    @property
    def may_miss(self) -> bool:
        return self.batch is not None


def place(batch: Batch, row: int) -> tuple[int, int]:
    """Return the sequence and the step of one of the steps of all sequences."""
    i = int(np.searchsorted(batch.offsets, row, side="right")) - 1
    return i, row - int(batch.offsets[i])


def _per_sequence_rows(y: Any, batch: Batch, name: str) -> Array:
    if isinstance(y, Sequences):
        raise ArgumentTypeError(name, "is elman.Sequences", "one answer a sequence: an array (n,) or (n, C)")
    array = _numbers(name, y)
    if array.ndim not in (1, 2):
        raise ArgumentValueError(name, f"has shape {array.shape}", "(n,) or (n, C): one answer a sequence")
    if len(array) != batch.n:
        raise ArgumentValueError(name, f"has {len(array)} answers", f"{batch.n} (one for each sequence of X)")
    return array


def per_step_rows(y: Any, batch: Batch, name: str, read: Reader | None = None) -> Array:
    """Return one answer per step, (N,) or (N, C), from any form; lengths are checked against the batch.

    ``read(name, item)`` makes an array of an item; without it the items must be numbers.
    """
    read = read or _numbers
    lengths = batch.lengths()
    if isinstance(y, (list, tuple)):
        return _listed_rows(y, lengths, name, read)
    if isinstance(y, Sequences):
        if len(y) != batch.n:
            raise ArgumentValueError(name, f"has {len(y)} sequences", f"{batch.n} (as X)")
        _same_lengths(np.diff(y.offsets), lengths, name)
        return read(name, y.values)
    if not hasattr(y, "__array__"):
        raise ArgumentTypeError(name, f"is {describe(y)}", "an array or a list of arrays, one answer a step")
    if isinstance(y, np.ndarray) and y.dtype.kind == "O" and y.ndim == 1:
        return _listed_rows(list(y), lengths, name, read)
    array = read(name, y)
    if array.ndim not in (2, 3):
        raise ArgumentValueError(name, f"has shape {array.shape}", "(n, T) or (n, T, C): one answer a step")
    if len(array) != batch.n:
        raise ArgumentValueError(name, f"has {len(array)} sequences", f"{batch.n} (as X)")
    _same_lengths(np.full(batch.n, array.shape[1]), lengths, name)
    return array.reshape(batch.rows, *array.shape[2:])


def _listed_rows(y: Any, lengths: NDArray[np.int64], name: str, read: Reader) -> Array:
    if len(y) != len(lengths):
        raise ArgumentValueError(name, f"has {len(y)} sequences", f"{len(lengths)} (as X)")
    items = [read(f"{name}[{i}]", item) for i, item in enumerate(y)]
    shape = items[0].shape[1:]
    for i, item in enumerate(items):
        if item.ndim not in (1, 2):
            raise ArgumentValueError(
                f"{name}[{i}]", f"has shape {item.shape}", "(T,) or (T, C): one answer a step"
            )
        if len(item) != lengths[i]:
            raise ArgumentValueError(f"{name}[{i}]", f"has {len(item)} steps", f"{lengths[i]} (as X[{i}])")
        if item.shape[1:] != shape:
            raise ArgumentValueError(
                f"{name}[{i}]", f"has shape {item.shape}", f"(T, ...) as {name}[0], {items[0].shape}"
            )
    return np.concatenate(items)


def _same_lengths(came: NDArray[np.int64], expected: NDArray[np.int64], name: str) -> None:
    wrong = np.flatnonzero(came != expected)
    if len(wrong):
        i = int(wrong[0])
        raise ArgumentValueError(f"{name}[{i}]", f"has {came[i]} steps", f"{expected[i]} (as X[{i}])")


def _numbers(name: str, y: Any) -> Array:
    array = _asarray(name, y)
    if array.dtype.kind == "O" and array.ndim == 0:
        raise ArgumentTypeError(name, f"is {describe(y)}", "an array or a list of numbers")
    if array.dtype.kind in "USO":
        raise ArgumentTypeError(
            name, f"has dtype {array.dtype}", "numbers (other labels belong to the estimators)"
        )
    if array.dtype.kind not in "fiub":
        raise ArgumentTypeError(name, f"has dtype {array.dtype}", "real numbers")
    return array


def _indices(flat: Array, outputs: int, where: _Where) -> NDArray[np.int64]:
    if flat.dtype.kind not in "iu":
        raise ArgumentTypeError(
            where.name,
            f"has dtype {flat.dtype}",
            f"class indices as integers, or probabilities with {outputs} values an answer",
        )
    low = -1 if where.may_miss else 0
    bad: NDArray[np.bool_] = np.asarray(flat >= outputs)
    if flat.dtype.kind == "i":
        bad |= flat < low
    if bad.any():
        row = int(np.argmax(bad))
        missing = ", or -1 for no answer" if where.may_miss else ""
        raise ArgumentValueError(
            where(row),
            f"is {flat[row]!s}",
            f"a class index from 0 to {outputs - 1}{missing} (the network has {outputs} outputs)",
        )
    return np.ascontiguousarray(flat, dtype=np.int64)


def _refuse(bad: NDArray[np.bool_], values: Array, where: _Where, expected: str) -> None:
    if bad.any():
        row, column = (int(k) for k in np.argwhere(bad)[0])
        raise ArgumentValueError(where(row), f"is {values[row, column]} (output {column})", expected)


def _check_squared_error(values: Array, where: _Where) -> None:
    if where.may_miss:
        _refuse(np.isinf(values), values, where, "a finite number, or NaN for no answer")
    else:
        _refuse(~np.isfinite(values), values, where, "a finite number")


def _check_binary(values: Array, where: _Where) -> None:
    outside = ~((values >= 0.0) & (values <= 1.0))
    if where.may_miss:
        _refuse(outside & ~np.isnan(values), values, where, "a number from 0 to 1, or NaN for no answer")
    else:
        _refuse(outside, values, where, "a number from 0 to 1")


def _check_probabilities(values: Array, where: _Where) -> None:
    nan = np.isnan(values)
    missing: NDArray[np.bool_] = np.asarray(nan.all(axis=1)) & where.may_miss
    hint = "a probability (a missing answer is a row of NaN alone)" if where.may_miss else "a probability"
    _refuse(nan & ~missing[:, None], values, where, hint)
    _refuse(values < 0.0, values, where, "a probability of at least 0")
    sums = values.sum(axis=1, dtype=np.float64)
    wrong = ~(np.abs(sums - 1.0) <= _SUM_TOLERANCE) & ~missing
    if wrong.any():
        row = int(np.argmax(wrong))
        raise ArgumentValueError(where(row), f"has probabilities that sum to {sums[row]:.6g}", "1")


_CHECKS = {
    "squared_error": _check_squared_error,
    "binary_cross_entropy": _check_binary,
    "cross_entropy": _check_probabilities,
}


def as_weights(sample_weight: Any, n: int, name: str = "sample_weight") -> NDArray[np.float64] | None:
    """Return the sequences' weights as float64 (n,), or None.

    >>> as_weights([1.0, -1.0], 2)
    Traceback (most recent call last):
    ...
    elman.errors.ArgumentValueError: sample_weight[1] is -1.0, expected a finite number of at least 0
    """
    if sample_weight is None:
        return None
    given = _numbers(name, sample_weight)
    if given.shape != (n,):
        raise ArgumentValueError(name, f"has shape {given.shape}", f"({n},) (one for each sequence of X)")
    return _checked_weights(given, name, _Where(name, None))


def sample_weights(
    given: Any, batch: Batch, per_step: bool, name: str = "sample_weight"
) -> tuple[NDArray[np.float64] | None, NDArray[np.float64] | None]:
    """Return the weights of sequences (n,), or those of steps (N,), as float64; what is not given is None.

    Weights of steps, which need one answer per step, are a list of (T_i,), an array (n, T) or `Sequences`.

    >>> batch = Batch(np.zeros((3, 1)), np.array([0, 2, 3]), 0, True)
    >>> sample_weights([[1, 0], [2]], batch, True)
    (None, array([1., 0., 2.]))
    >>> sample_weights([[1, 0], [2, 2]], batch, True)
    Traceback (most recent call last):
    ...
    elman.errors.ArgumentValueError: sample_weight[1] has 2 steps, expected 1 (as X[1])
    """
    if not _has_steps(given):
        return as_weights(given, batch.n, name), None
    if not per_step:
        expected = f"({batch.n},): one for each sequence of X, as there is one answer a sequence"
        shape = getattr(given, "shape", None)
        raise ArgumentValueError(name, f"has shape {shape}" if shape else "has weights of steps", expected)
    rows = per_step_rows(given, batch, name)
    if rows.ndim != 1:
        raise ArgumentValueError(name, f"has {rows.shape[1]} values a step", "one weight")
    weights = _checked_weights(rows, name, _Where(name, batch))
    weights[weights < _SMALLEST_WEIGHT] = 0.0
    return None, weights


def _has_steps(given: Any) -> bool:
    if isinstance(given, (list, tuple)):
        several: Any = tuple(kind for kind in set(map(type, given)) if hasattr(kind, "__len__"))
        return any(np.ndim(item) > 0 for item in given if isinstance(item, several))
    if isinstance(given, np.ndarray) and given.dtype.kind == "O" and given.ndim == 1:
        return _has_steps(list(given))
    return isinstance(given, Sequences) or len(getattr(given, "shape", ())) > 1


def _checked_weights(given: Array, name: str, where: _Where) -> NDArray[np.float64]:
    with np.errstate(over="ignore"):
        weights = np.array(given, dtype=np.float64)
    bad = ~((weights >= 0.0) & (weights < np.inf))
    if bad.any():
        i = int(np.argmax(bad))
        raise ArgumentValueError(where(i), f"is {weights[i]}", "a finite number of at least 0")
    if not (weights >= _SMALLEST_WEIGHT).any():
        raise ArgumentValueError(name, "is zero everywhere", "at least one weight above 0")
    with np.errstate(over="ignore"):
        total = weights.sum()
    if total > _LARGEST_SUM:
        raise ArgumentValueError(name, f"has a sum of {total:.3g}", f"at most {_LARGEST_SUM:.0e}")
    return weights
