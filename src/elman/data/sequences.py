"""Sequences in every form that elman accepts, and results in the form of the input.

Inside there is one form: values (N, F), the steps of all sequences one after the other, and int64 offsets (n
+ 1,). There is no padding.
"""

from __future__ import annotations

import operator
from collections.abc import Iterator
from functools import lru_cache, partial
from typing import Any, NamedTuple, NoReturn

import numpy as np
from numpy.typing import NDArray

from elman._validation import describe, refuse_mask
from elman.data.axes import array_hint, list_hint
from elman.data.feature_names import UNKNOWN, Features, HasFeatures, NamedArray, named, plain, read_features
from elman.errors import ArgumentTypeError, ArgumentValueError

Array = NDArray[Any]
Offsets = NDArray[np.int64]
_SINGLE, _DOUBLE = np.dtype(np.float32), np.dtype(np.float64)  # native ones are compared by identity: faster

_READABLE = frozenset(
    np.dtype(name) for name in ("f2", "f4", "f8", "i1", "i2", "i4", "i8", "u1", "u2", "u4", "u8", "?")
)


class Sequences(HasFeatures):
    """n sequences of any lengths in one buffer: sequence i is values[offsets[i]:offsets[i + 1]].

    Shapes: values (N, F), N = sum T_i, of any real dtype (a `numpy.memmap` is not copied; (N,) is for answers
    of one number per step); offsets (n + 1,), integers from 0 to N in ascending order. If they are known,
    ``feature_names`` and ``feature_units`` are F strings ("" is an unknown unit) and ``rate`` is in Hz; the
    sequences carry them as a `NamedArray`, and models keep them.

    Raises
    ------
    TypeError, ValueError
        If values is no array of numbers or the offsets do not divide it; if there is not one name, or not one
        unit, for each feature.

    >>> pair = Sequences(np.zeros((5, 2)), [0, 2, 5], feature_names=["hr", "bp"])
    >>> len(pair), pair[1].shape, pair[1].feature_names
    (2, (3, 2), ('hr', 'bp'))
    """

    __slots__ = ("_offsets", "_values", "features")

    features: Features

    def __init__(
        self,
        values: Any,
        offsets: Any,
        *,
        feature_names: Any = None,
        feature_units: Any = None,
        rate: float | None = None,
    ) -> None:
        self.features = UNKNOWN
        if isinstance(values, NamedArray):
            self.features, values = values.features, plain(values)
        self._values: Array = values if isinstance(values, np.ndarray) else _asarray("values", values)
        _check_dtype("values", self._values)
        if self._values.ndim not in (1, 2):
            raise ArgumentValueError(
                "values", f"has shape {self._values.shape}", "(steps of all sequences, features)"
            )
        given = _asarray("offsets", offsets)
        if given.dtype.kind not in "iu" or given.ndim != 1 or len(given) < 1:
            raise ArgumentTypeError(
                "offsets",
                f"has dtype {given.dtype} and shape {given.shape}",
                "integers of shape (sequences + 1,)",
            )
        # Checked once, so it must stay as it is: memory of bytes can never be made writeable.
        made: Offsets = np.frombuffer(given.astype(np.int64).tobytes(), np.int64)
        steps = len(self._values)
        if made[0] != 0 or made[-1] != steps:
            raise ArgumentValueError(
                "offsets", f"run from {given[0]} to {given[-1]}", f"from 0 to {steps} (len(values))"
            )
        falls = made[1:] < made[:-1]
        if falls.any():
            i = int(np.argmax(falls))
            raise ArgumentValueError(
                f"offsets[{i + 1}]", f"is {given[i + 1]}", f"at least offsets[{i}], {given[i]}"
            )
        self._offsets = made
        if not (feature_names is feature_units is rate is None):
            width = self._values.shape[1] if self._values.ndim == 2 else 1
            self.features = read_features(feature_names, feature_units, rate, width)

    @property
    def values(self) -> Array:
        """The steps of all sequences, (N, F) or (N,); the same array as was given."""
        return self._values

    @property
    def offsets(self) -> Offsets:
        """Where each sequence begins and the last one ends, (n + 1,) int64, never writeable."""
        return self._offsets

    def __len__(self) -> int:
        return len(self.offsets) - 1

    def __getitem__(self, i: int) -> Array:
        n = len(self)
        i = operator.index(i)
        if not -n <= i < n:
            raise IndexError(f"sequence {i} of {n}")
        i %= n
        view: Array = self.values[self.offsets[i] : self.offsets[i + 1]]
        return view if self.features is UNKNOWN or view.ndim == 1 else named(view, self.features)

    def __iter__(self) -> Iterator[Array]:
        return (self[i] for i in range(len(self)))

    def __repr__(self) -> str:
        return f"Sequences({len(self)} sequences, values {self.values.shape} {self.values.dtype})"

    def __reduce__(self) -> tuple[Any, tuple[Array, Offsets]]:
        make = partial(Sequences, **self.features.arguments()) if self.features.known else Sequences
        return make, (np.asarray(self.values), self.offsets)


class Batch(NamedTuple):
    """Sequences as the engine reads them, and the form in which they were given.

    values (N, F) contiguous; offsets (n + 1,); ``steps`` is T for an array (n, T, F), otherwise 0; ``listed``
    is True for a list and False for `Sequences`.
    """

    values: Array
    offsets: Offsets
    steps: int
    listed: bool

    @property
    def n(self) -> int:
        return len(self.offsets) - 1

    @property
    def rows(self) -> int:
        """N, the number of steps of all sequences."""
        return len(self.values)

    def lengths(self) -> Offsets:
        return np.diff(self.offsets)

    def restore_form(self, per_step: Array) -> Array | list[Array] | Sequences:
        """Return per-step results (N, C) in the form of the input."""
        if self.steps:
            return per_step.reshape(self.n, self.steps, per_step.shape[-1])
        if self.listed:
            o = self.offsets.tolist()
            return [per_step[o[i] : o[i + 1]] for i in range(self.n)]
        return Sequences(per_step, self.offsets)


def as_batch(
    X: Any, features: int, dtype: np.dtype[Any], name: str = "X", source: str = "the network's input_size"
) -> Batch:
    """Return X in the inner form; a list is concatenated in ``dtype``, an array is not copied.

    ``features`` is the expected F, ``source`` its name in the messages. Values are not checked here.

    >>> as_batch(np.zeros((2, 3, 1)), 1, np.dtype("float32")).offsets
    array([0, 3, 6])
    >>> as_batch([np.zeros((4, 5))], 6, np.dtype("float32"))
    Traceback (most recent call last):
    ...
    elman.errors.ArgumentValueError: X[0] has 5 features, expected 6 (the network's input_size)
    """
    if isinstance(X, np.ndarray):
        return _from_array(X, features, name, source)
    if isinstance(X, Sequences):
        return _from_sequences(X, features, name, source)
    if isinstance(X, (list, tuple)):
        return _from_list(X, features, dtype, name, source)
    if hasattr(X, "__array__"):
        return _from_array(np.asarray(X), features, name, source)
    raise ArgumentTypeError(
        name, f"is {describe(X)}", "an array (n, T, F), a list of arrays (T, F) or elman.Sequences"
    )


def _from_array(X: Array, features: int, name: str, source: str) -> Batch:
    if type(X) is not np.ndarray or X.dtype not in _READABLE:
        _check_dtype(name, X)
    if X.ndim != 3:
        raise ArgumentValueError(
            name,
            f"has shape {X.shape}",
            f"three dimensions (sequences, steps, features); one sequence is {name}[None], "
            f"univariate ones {name}[..., None]",
        )
    n, steps, width = X.shape
    if n == 0:
        raise ArgumentValueError(name, "has no sequences", "at least one")
    if steps == 0:
        raise ArgumentValueError(name, "has sequences of 0 steps", "at least one step")
    if width != features:
        hint = array_hint(steps, features, name)
        raise ArgumentValueError(name, f"has {width} features", f"{features} ({source}){hint}")
    values = _readable(X).reshape(n * steps, width)
    return Batch(values, even_offsets(n, steps), steps, False)


def even_offsets(n: int, steps: int) -> Offsets:
    """Return the offsets of n sequences of equal length, read-only."""
    return _few_offsets(n, steps) if n <= 4096 else _offsets(n, steps)


def _offsets(n: int, steps: int) -> Offsets:
    made = np.arange(0, n * steps + 1, steps, dtype=np.int64)
    made.flags.writeable = False
    return made


_few_offsets = lru_cache(maxsize=16)(_offsets)  # they take a noticeable part of a call with little data


def _from_sequences(X: Sequences, features: int, name: str, source: str) -> Batch:
    if X.values.ndim != 2:
        raise ArgumentValueError(
            f"{name}.values", f"has shape {X.values.shape}", "(steps of all sequences, features)"
        )
    if X.values.shape[1] != features:
        raise ArgumentValueError(name, f"has {X.values.shape[1]} features", f"{features} ({source})")
    if len(X) == 0:
        raise ArgumentValueError(name, "has no sequences", "at least one")
    _refuse_empty(X.offsets, name)
    return Batch(_readable(X.values), X.offsets, 0, False)


def _from_list(X: Any, features: int, dtype: np.dtype[Any], name: str, source: str) -> Batch:
    if not len(X):
        raise ArgumentValueError(name, "has no sequences", "at least one")
    items: list[Array] = []
    lengths = np.zeros(len(X) + 1, dtype=np.int64)
    for i, item in enumerate(X):
        array = item if type(item) is np.ndarray else _asarray(f"{name}[{i}]", item)
        if array.dtype is not _DOUBLE and array.dtype is not _SINGLE and array.dtype not in _READABLE:
            _check_dtype(f"{name}[{i}]", array, hint="")
        if array.ndim != 2:
            hint = f"; a univariate one is {name}[{i}][:, None]" if array.ndim == features == 1 else ""
            raise ArgumentValueError(
                f"{name}[{i}]", f"has shape {array.shape}", f"two dimensions (steps, features){hint}"
            )
        if array.shape[1] != features:
            hint = list_hint(array, features, items)
            raise ArgumentValueError(
                f"{name}[{i}]", f"has {array.shape[1]} features", f"{features} ({source}){hint}"
            )
        lengths[i + 1] = len(array)
        items.append(array)
    offsets = np.cumsum(lengths)
    if not lengths[1:].all():
        _refuse_empty(offsets, name)
    if len(items) == 1 and items[0].dtype == dtype:  # one long recording: read where it lies
        return Batch(_readable(items[0]), offsets, 0, True)
    with np.errstate(
        over="ignore", invalid="ignore"
    ):  # what overflows becomes infinite and is refused by its row
        values = np.empty((int(offsets[-1]), features), dtype)  # C order, also for items in Fortran order
        np.concatenate(items, out=values, casting="unsafe")
    return Batch(values, offsets, 0, True)


def as_symbols(X: Any, n: int, name: str = "X") -> Batch:
    """Return sequences of integers in the inner form, values (N, 1), which are not checked here.

    X is (n, T) or (n, T, 1), a list of (T_i,) or (T_i, 1), or `Sequences` over (N,) or (N, 1).

    >>> as_symbols([[3, 1], [2]], 5).offsets
    array([0, 2, 3])
    """
    if isinstance(X, Sequences):
        _check_integers(f"{name}.values", X.values)
        if X.values.ndim == 2 and X.values.shape[1] != 1:
            raise ArgumentValueError(f"{name}.values", f"has shape {X.values.shape}", "one integer a step")
        if len(X) == 0:
            raise ArgumentValueError(name, "has no sequences", "at least one")
        _refuse_empty(X.offsets, name)
        return Batch(_readable(X.values).reshape(-1, 1), X.offsets, 0, False)
    if isinstance(X, (list, tuple)):
        return _symbols_from_list(X, n, name)
    if not hasattr(X, "__array__"):
        raise ArgumentTypeError(
            name, f"is {describe(X)}", "an array (n, T) of integers, a list of arrays (T,) or elman.Sequences"
        )
    array = np.asarray(X)
    refuse_mask(name, X)
    _check_integers(name, array, " (sequences of different lengths go into a list)")
    if array.ndim not in (2, 3) or (array.ndim == 3 and array.shape[2] != 1):
        hint = f"; one sequence is {name}[None]" if array.ndim == 1 else ""
        raise ArgumentValueError(
            name, f"has shape {array.shape}", f"(sequences, steps), one integer a step{hint}"
        )
    rows, steps = array.shape[:2]
    if rows == 0:
        raise ArgumentValueError(name, "has no sequences", "at least one")
    if steps == 0:
        raise ArgumentValueError(name, "has sequences of 0 steps", "at least one step")
    return Batch(_readable(array).reshape(rows * steps, 1), even_offsets(rows, steps), steps, False)


def _symbols_from_list(X: Any, n: int, name: str) -> Batch:
    if not len(X):
        raise ArgumentValueError(name, "has no sequences", "at least one")
    items: list[Array] = []
    lengths = np.zeros(len(X) + 1, dtype=np.int64)
    for i, item in enumerate(X):
        array = _asarray(f"{name}[{i}]", item)
        if array.size:  # an empty list is of no dtype in particular; it is refused below
            _check_integers(f"{name}[{i}]", array)
        if array.ndim not in (1, 2) or (array.ndim == 2 and array.shape[1] != 1):
            hint = "; one sequence goes into a list of its own" if array.ndim == 0 else ""
            raise ArgumentValueError(f"{name}[{i}]", f"has shape {array.shape}", f"(steps,), integers{hint}")
        flat = array.ravel()
        if flat.dtype == np.uint64 and len(large := np.flatnonzero(flat >= n)):  # int64 cannot hold them all
            refuse_symbol(name, i, int(large[0]), int(flat[large[0]]), n)
        lengths[i + 1] = len(flat)
        items.append(flat)
    offsets = np.cumsum(lengths)
    _refuse_empty(offsets, name)
    values = np.empty(int(offsets[-1]), np.int64)
    np.concatenate(items, out=values, casting="unsafe")
    return Batch(values.reshape(-1, 1), offsets, 0, True)


def _check_integers(name: str, array: Array, hint: str = "") -> None:
    refuse_mask(name, array)
    if array.dtype.kind not in "iu":
        raise ArgumentTypeError(
            name,
            f"has dtype {array.dtype}",
            f"integers (the network begins with an Embedding){hint if array.dtype.kind == 'O' else ''}",
        )


def refuse_symbol(name: str, row: int, step: int, value: int, n: int) -> NoReturn:
    """Raise the ValueError for an integer of X that is not among the n symbols of the Embedding."""
    raise ArgumentValueError(
        f"{name}[{row}]", f"has index {value} at step {step}", f"0..{n - 1} (the Embedding's n)"
    )


def _refuse_empty(offsets: Offsets, name: str) -> None:
    lengths = np.diff(offsets)
    if not lengths.all():
        i = int(np.argmin(lengths))
        raise ArgumentValueError(f"{name}[{i}]", "is empty (0 steps)", "at least one step")


def _readable(values: Array) -> Array:
    """Return values contiguous and in a dtype that the engine reads, without a copy where possible."""
    known = values.dtype is _SINGLE or values.dtype is _DOUBLE
    if not known and (values.dtype not in _READABLE or not values.dtype.isnative):
        native = np.dtype(np.float64) if values.dtype.itemsize > 8 else values.dtype.newbyteorder("=")
        with np.errstate(over="ignore"):
            values = values.astype(native)
    return values if values.flags.c_contiguous else np.ascontiguousarray(values)


def _asarray(name: str, value: Any) -> Array:
    """Return np.asarray(value); the error names the argument where NumPy cannot make an array."""
    refuse_mask(name, value)
    try:
        return np.asarray(value)
    except (ValueError, TypeError) as error:
        raise ArgumentValueError(name, f"is not one array of numbers: {error}") from None


def _check_dtype(
    name: str, array: Array, hint: str = " (sequences of different lengths go into a list)"
) -> None:
    refuse_mask(name, array)
    if array.dtype.kind not in "fiub":
        raise ArgumentTypeError(
            name, f"has dtype {array.dtype}", f"real numbers{hint if array.dtype.kind == 'O' else ''}"
        )
