"""Weights: the parameters by name, as writable views into one flat buffer."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from typing import Any

import numpy as np
from numpy.typing import ArrayLike

from elman._validation import describe
from elman.data.sequences import Array
from elman.errors import ArgumentTypeError, ArgumentValueError


class Weights(Mapping[str, Array]):
    """The parameters by name, as writable views: "0.kernel", "0.recurrent_kernel", "0.bias", ...

    Shapes: kernel (F, G H), recurrent_kernel (H, G H), bias (G H,), for a layer of H units with G gates.

    ``weights[name] = values`` and ``weights.update({name: values, ...})`` write into the buffer, like
    ``weights[name][...] = values``: frozen parameters too, NaN too, and constraints apply at the next update.
    All values are checked before the first is written.

    Raises
    ------
    TypeError, ValueError
        On writing, for values that are no array of real numbers or of another shape than the parameter, and
        for an unknown name.

    >>> weights = Weights({"0.kernel": np.zeros((1, 2)), "0.bias": np.zeros(2)})
    >>> weights["0.bias"] = [1.0, 2.0]
    >>> weights.update({"0.kernel": [[3.0, 4.0]], "0.bias": [5.0]})
    Traceback (most recent call last):
    ...
    elman.errors.ArgumentValueError: weights['0.bias'] has shape (1,), expected (2,)
    >>> weights["0.kernel"], weights["0.bias"]
    (array([[0., 0.]]), array([1., 2.]))
    """

    __slots__ = ("_views",)

    def __init__(self, views: dict[str, Array]) -> None:
        self._views = views

    def __getitem__(self, name: str) -> Array:
        try:
            return self._views[name]
        except KeyError:
            raise KeyError(f"no parameter {name!r}; there are {', '.join(self._views)}") from None

    def __iter__(self) -> Iterator[str]:
        return iter(self._views)

    def __len__(self) -> int:
        return len(self._views)

    def __setitem__(self, name: str, value: ArrayLike) -> None:
        if name in self._views and value is self._views[name]:
            return  # the end of weights[name] *= 2: the view has been written already
        self.update({name: value})

    def update(self, values: Mapping[str, ArrayLike]) -> None:
        """Write several parameters by name: all of them, or none where one does not fit."""
        if not isinstance(values, Mapping):
            raise ArgumentTypeError("weights", f"is {describe(values)}", "a dict of arrays by name")
        checked = {name: self._checked(name, value) for name, value in values.items()}
        for name, array in checked.items():
            self._views[name][...] = array

    def _checked(self, name: str, value: Any) -> Array:
        """Return a copy of what is to be written, in the dtype of the parameters."""
        where = f"weights[{name!r}]"
        view = self._views.get(name)
        if view is None:
            expected = f"one of {', '.join(self._views)}"
            raise ArgumentValueError(where, "is not a parameter of the network", expected)
        try:
            given = np.asarray(value)
        except (TypeError, ValueError):  # lists of different lengths
            raise ArgumentValueError(
                where, f"is {describe(value)}", f"an array of shape {view.shape}"
            ) from None
        if given.dtype.kind not in "fiub":
            raise ArgumentTypeError(where, f"has dtype {given.dtype}", "real numbers")
        if given.shape != view.shape:
            raise ArgumentValueError(where, f"has shape {given.shape}", f"{view.shape}")
        return np.array(given, view.dtype)

    def __repr__(self) -> str:
        return "{" + ", ".join(f"{name!r}: {v.shape}" for name, v in self._views.items()) + "}"


def views(table: list[tuple[str, int, tuple[int, ...]]], flat: Array) -> dict[str, Array]:
    """Return views into a flat buffer (P,) by parameter name; ``table`` holds names, offsets and shapes."""
    named = {}
    for name, offset, shape in table:
        named[name] = flat[offset : offset + math.prod(shape)].reshape(shape)
    return named
