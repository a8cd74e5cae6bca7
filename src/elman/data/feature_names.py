"""Names, units and rate of features, and arrays that carry them."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from elman.errors import ArgumentTypeError, ArgumentValueError

Texts = tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Features:
    """What is known of F features: their names, their units ("" is unknown), and their rate in Hz, or None.

    >>> Features(("hr", "bp"), rate=1.0).take([1, 0]).names
    ('bp', 'hr')
    """

    names: Texts | None = None
    units: Texts | None = None
    rate: float | None = None

    @property
    def known(self) -> bool:
        """Whether anything is known."""
        return self.names is not None or self.units is not None or self.rate is not None

    def take(self, columns: Sequence[int]) -> Features:
        """Return what is known of some of the features, in that order."""
        names = None if self.names is None else tuple(self.names[i] for i in columns)
        units = None if self.units is None else tuple(self.units[i] for i in columns)
        return Features(names, units, self.rate)

    def arguments(self) -> dict[str, Any]:
        """Return the arguments of `Sequences` and `NamedArray`."""
        return {"feature_names": self.names, "feature_units": self.units, "rate": self.rate}


UNKNOWN = Features()


def read_features(names: Any, units: Any, rate: Any, width: int) -> Features:
    """Return names, units and rate of F = ``width`` features, checked; None is unknown.

    Errors: TypeError and ValueError that name ``feature_names``, ``feature_units`` or ``rate``.
    """
    if names is None and units is None and rate is None:
        return UNKNOWN
    from elman._validation import number  # at call: `Sequences` stands on this module

    found = _texts("feature_units", units, width)
    return Features(
        _texts("feature_names", names, width),
        None if found is None or not any(found) else found,
        None if rate is None else number("rate", rate, positive=True),
    )


def _texts(argument: str, given: Any, width: int) -> Texts | None:
    if given is None:
        return None
    from elman._validation import describe

    if isinstance(given, (str, bytes)) or not hasattr(given, "__iter__"):
        raise ArgumentTypeError(argument, f"is {describe(given)}", f"{width} strings, one for each feature")
    texts = tuple(given)
    if not all(isinstance(text, str) for text in texts):
        wrong = next(i for i, text in enumerate(texts) if not isinstance(text, str))
        raise ArgumentTypeError(f"{argument}[{wrong}]", f"is {describe(texts[wrong])}", "a string")
    if len(texts) != width:
        raise ArgumentValueError(argument, f"has {len(texts)} strings", f"{width}, one for each feature")
    return tuple(map(str, texts))


class HasFeatures:
    """What carries names, units and a rate of its features."""

    __slots__ = ()

    features: Features

    @property
    def feature_names(self) -> Texts | None:
        """The names of the features, or None."""
        return self.features.names

    @property
    def feature_units(self) -> Texts | None:
        """The units of the features, "" where one is unknown, or None."""
        return self.features.units

    @property
    def rate(self) -> float | None:
        """The steps per second, in Hz, or None."""
        return self.features.rate


class NamedArray(HasFeatures, np.ndarray):
    """An array whose last axis is features with names, units and a rate, as elman's loaders return it.

    Rows keep them, and columns that are chosen keep theirs: ``x[:100]``, ``x[:, [1, 0]]``, ``x[None]``,
    ``x.copy()``, ``x.astype(dtype)``. Every other operation gives an array without them, because names or
    units might no longer be true; ``np.asarray(x)`` is the plain array. Every second row has half the rate.

    Shapes: (..., F); in two and more dimensions the axis before the last is time.

    Parameters
    ----------
    values : array (..., F)
        It is not copied.
    feature_names, feature_units : sequence of F strings, or None
    rate : float or None
        Steps per second, in Hz.

    Raises
    ------
    TypeError, ValueError
        If there is not one name, or not one unit, for each feature, or if the rate is not above 0.

    >>> x = NamedArray(np.zeros((4, 2)), feature_names=["Fp1", "Fp2"], rate=100.0)
    >>> x[1:, ::-1].feature_names, x[::2].rate, type(x * 2).__name__
    (('Fp2', 'Fp1'), 50.0, 'ndarray')
    """

    features: Features = UNKNOWN  # a view has none until it is given some

    def __new__(
        cls, values: Any, *, feature_names: Any = None, feature_units: Any = None, rate: Any = None
    ) -> NamedArray:
        array = np.asarray(values)
        if not array.ndim:
            raise ArgumentValueError("values", "is one number", "an array with an axis of features")
        return named(array, read_features(feature_names, feature_units, rate, array.shape[-1]))

    def __getitem__(self, key: Any) -> Any:
        found = super().__getitem__(key)
        if not isinstance(found, NamedArray):
            return found
        if type(key) is int and self.ndim > 1:  # a loop over the steps
            return _set(found, self.features)
        kept = _kept(self.features, key, self.shape) if self.features is not UNKNOWN else None
        return found.view(np.ndarray) if kept is None else _set(found, kept)

    def __iter__(self) -> Iterator[Any]:
        return (self[i] for i in range(len(self)))  # ndarray's own would lose the names

    def __array_ufunc__(self, ufunc: Any, method: str, *inputs: Any, **options: Any) -> Any:
        out = options.get("out", ())
        for written in (*out, *(inputs[:1] if method == "at" else ())):
            if isinstance(written, NamedArray):
                written.features = UNKNOWN  # what is computed in place may be in another unit
        if out:
            options["out"] = tuple(map(plain, out))
        made = getattr(ufunc, method)(*map(plain, inputs), **options)
        if not out:
            return made
        return out[0] if len(out) == 1 else out

    def sort(self, *arguments: Any, **options: Any) -> None:
        """Sort in place, which mixes the columns: the names are gone."""
        self.features = UNKNOWN
        super().sort(*arguments, **options)

    def partition(self, *arguments: Any, **options: Any) -> None:
        """Partition in place, which mixes the columns: the names are gone."""
        self.features = UNKNOWN
        super().partition(*arguments, **options)

    def copy(self, *arguments: Any, **options: Any) -> NamedArray:
        """Return a copy with the same names, units and rate."""
        return _set(super().copy(*arguments, **options), self.features)

    def astype(self, *arguments: Any, **options: Any) -> Any:
        """Return the array in another dtype, with the same names, units and rate."""
        made = super().astype(*arguments, **options)
        return _set(made, self.features) if isinstance(made, NamedArray) else made

    def __copy__(self) -> NamedArray:
        return self.copy()

    def __deepcopy__(self, memo: Any) -> NamedArray:
        return self.copy()

    def __reduce__(self) -> Any:
        reduced: Any = super().__reduce__()
        known = (self.features.names, self.features.units, self.features.rate)
        return *reduced[:2], (*reduced[2], known)

    def __setstate__(self, state: Any) -> None:
        *own, known = state
        super().__setstate__(tuple(own))
        self.features = Features(*known)


def named(array: NDArray[Any], known: Features) -> NamedArray:
    """Return a view of an array (..., F) that carries what is known of its features."""
    return _set(array.view(NamedArray), known)


def _set(array: Any, known: Features) -> NamedArray:
    array.features = known
    made: NamedArray = array
    return made


def plain(value: Any) -> Any:
    """Return a `NamedArray` as a plain array, and anything else as it is."""
    return value.view(np.ndarray) if isinstance(value, NamedArray) else value


def known_of(value: Any) -> Features:
    """Return what an array, `Sequences` or data frame says of its features; `UNKNOWN` where it says nothing.

    The columns of a data frame are names. Tuples and numbers become strings; the numbers 0, 1, ... in this
    order, which pandas gives to columns without names, say nothing.
    """
    found = getattr(value, "features", None)
    if isinstance(found, Features):
        return found
    if isinstance(value, np.ndarray):
        return UNKNOWN
    columns = getattr(value, "column_names", None)  # of pyarrow, whose columns are arrays
    if columns is None or callable(columns):
        columns = getattr(value, "columns", None)  # of pandas and polars
    if columns is None or callable(columns) or not hasattr(columns, "__iter__"):
        return UNKNOWN
    names = tuple(columns)
    if not names or not all(isinstance(name, (str, tuple, int, float, np.number)) for name in names):
        return UNKNOWN
    if not isinstance(names[0], str) and names == tuple(range(len(names))):
        return UNKNOWN
    return Features(tuple(map(str, names)))


def row_of(value: Any) -> Features:
    """Return what one step (F,) says of its features: a row of a `NamedArray`, or a pandas Series."""
    found = getattr(value, "features", None)
    if isinstance(found, Features):
        return found
    index = getattr(value, "index", None)
    if isinstance(value, np.ndarray) or index is None or callable(index):
        return UNKNOWN
    names = tuple(index)
    if not names or not all(isinstance(name, (str, tuple)) for name in names):  # numbers may be anything's
        return UNKNOWN
    return Features(tuple(map(str, names)))


def _kept(known: Features, key: Any, shape: tuple[int, ...]) -> Features | None:
    """Return what is known of the result of ``x[key]`` for x of a shape; None where that is uncertain."""
    parts = _spread(key if isinstance(key, tuple) else (key,), len(shape))
    if parts is None or len(parts) == 0 or parts[-1] is None:
        return None
    last, before = parts[-1], [part for part in parts[:-1] if part is not None]
    arrays = [part for part in parts if not isinstance(part, (slice, int)) and part is not None]
    if len(arrays) > 1 or (arrays and any(part is None or isinstance(part, int) for part in parts)):
        return None
    if arrays and np.ndim(arrays[0]) != 1:
        return None
    if isinstance(last, int):
        return None
    columns = range(shape[-1])[last] if isinstance(last, slice) else np.arange(shape[-1])[last].tolist()
    if not isinstance(last, slice) or len(columns) < shape[-1] or last.step not in (None, 1):
        known = known.take(columns)
    if not before or known.rate is None or isinstance(before[-1], int):
        return known
    if not isinstance(before[-1], slice):  # chosen steps follow each other at no rate
        return replace(known, rate=None)
    step = abs(before[-1].step or 1)
    return known if step == 1 else replace(known, rate=known.rate / step)


def _spread(key: tuple[Any, ...], dimensions: int) -> list[Any] | None:
    """Return one index for each axis, and None for each new axis; None for keys of another kind."""
    parts: list[Any] = []
    places = sum(each is not None and each is not Ellipsis for each in key)
    if places > dimensions:
        return None
    filled = False
    for each in key:
        if each is Ellipsis:
            if filled:
                return None
            parts += [slice(None)] * (dimensions - places)
            filled = True
        elif each is None or isinstance(each, slice):
            parts.append(each)
        elif isinstance(each, (bool, np.bool_)):
            return None
        elif isinstance(each, (int, np.integer)):
            parts.append(int(each))
        elif isinstance(each, (list, tuple, np.ndarray)):
            array = np.asarray(each)
            if array.dtype.kind == "b" and array.ndim != 1:
                return None
            parts.append(int(array) if array.ndim == 0 else array)
        else:
            return None
    if not filled:
        parts += [slice(None)] * (dimensions - places)
    return parts
