"""One vocabulary of argument checks: each names the argument, what was expected and what was given.

A wrong type is a TypeError, a wrong value a ValueError; a bool is not a number here.
"""

from __future__ import annotations

import math
import os
import sys
from collections.abc import Collection
from typing import Any, Literal, TypeVar, cast

import numpy as np

from elman.errors import ArgumentTypeError, ArgumentValueError

Name = TypeVar("Name", bound=str)
# What `real_dtype` reads: "float32", numpy.float32, numpy.dtype("float32"), ...
DType = Literal["float32", "float64"] | type[float] | type[np.float32] | type[np.float64] | np.dtype[Any]


def describe(value: object) -> str:
    """Return a short text for a value, such as ``'3' (a str)``.

    >>> describe("3")
    "'3' (a str)"
    """
    try:
        text = " ".join(repr(value).split())
    except ValueError:  # Python does not write integers of more than 4300 digits
        text = f"an integer of {value.bit_length()} bits" if isinstance(value, int) else "not to be shown"
    if len(text) > 60:
        text = text[:57] + "..."
    return f"{text} (a {type(value).__name__})"


def integer(name: str, value: Any, minimum: int = 0, maximum: float = 2**63 - 1) -> int:
    """Return ``value`` as an int from ``minimum`` to ``maximum`` (by default, what the engine can count).

    >>> integer("units", 0, 1)
    Traceback (most recent call last):
    ...
    elman.errors.ArgumentValueError: units is 0, expected an integer of at least 1
    """
    if type(value) is not int:
        if isinstance(value, bool) or not isinstance(value, (int, np.integer)):
            raise ArgumentTypeError(name, f"is {describe(value)}", f"an integer of at least {minimum}")
        value = int(value)
    if value < minimum:
        came = value if value > -(2**64) else describe(value)
        raise ArgumentValueError(name, f"is {came}", f"an integer of at least {minimum}")
    if value > maximum:
        most = f"{maximum}" if maximum < 1e30 else f"{len(f'{maximum}')} digits"
        raise ArgumentValueError(name, f"is {describe(value)}", f"an integer of at most {most}")
    return int(value)


def number(
    name: str,
    value: Any,
    *,
    minimum: float = 0.0,
    below: float = math.inf,
    positive: bool = False,
) -> float:
    """Return ``value`` as a finite float in [minimum, below), above zero where ``positive``.

    >>> number("l2", -1.0)
    Traceback (most recent call last):
    ...
    elman.errors.ArgumentValueError: l2 is -1.0, expected a finite number of at least 0
    """
    if positive:
        wanted = "a finite number above 0" if below == math.inf else f"a number above 0 and below {below:g}"
    elif below < math.inf:
        wanted = f"a number from {minimum:g} to below {below:g}"
    else:
        wanted = f"a finite number of at least {minimum:g}"
    if type(value) is not float:
        if isinstance(value, bool) or not isinstance(value, (int, float, np.integer, np.floating)):
            raise ArgumentTypeError(name, f"is {describe(value)}", wanted)
        try:
            value = float(value)
        except OverflowError:
            raise ArgumentValueError(name, "is an integer too large for a float", wanted) from None
    if not (minimum <= value < below) or (positive and value <= 0.0):  # NaN fails the first comparison
        raise ArgumentValueError(name, f"is {value}", wanted)
    return float(value)


def flag(name: str, value: Any) -> bool:
    """Return ``value`` as a bool; only True and False will do.

    >>> flag("shuffle", 1)
    Traceback (most recent call last):
    ...
    elman.errors.ArgumentTypeError: shuffle is 1 (a int), expected True or False
    """
    if isinstance(value, (bool, np.bool_)):
        return bool(value)
    raise ArgumentTypeError(name, f"is {describe(value)}", "True or False")


def choice(name: str, value: Any, names: Collection[Name]) -> Name:
    """Return ``value`` if it is one of ``names``.

    >>> choice("reduction", "max", ("mean", "sum"))
    Traceback (most recent call last):
    ...
    elman.errors.ArgumentValueError: reduction is 'max', expected one of 'mean', 'sum'
    """
    wanted = "one of " + ", ".join(repr(n) for n in names) if len(names) > 1 else repr(next(iter(names)))
    if not isinstance(value, str):
        raise ArgumentTypeError(name, f"is {describe(value)}", wanted)
    if value not in names:
        raise ArgumentValueError(name, f"is {value!r}", wanted)
    return cast(Name, str(value))


def refuse_mask(name: str, value: Any, depth: int = 3) -> None:
    """Raise TypeError for a masked array, also inside of lists: NumPy's conversion would lose its mask.

    >>> refuse_mask("y", [np.ma.masked_equal([0, 1], 1)])
    Traceback (most recent call last):
    ...
    elman.errors.ArgumentTypeError: y[0] is a masked array, expected a plain one (the mask would be lost)
    """
    # NumPy imports numpy.ma on first use; a fork in that moment would leave its import lock held for ever.
    masked = sys.modules.get("numpy.ma")
    if masked is None:
        return
    if isinstance(value, masked.MaskedArray):
        raise ArgumentTypeError(name, "is a masked array", "a plain one (the mask would be lost)")
    if not isinstance(value, (list, tuple)) or not depth:
        return
    kinds = (masked.MaskedArray, list, tuple)
    within = tuple(kind for kind in set(map(type, value)) if issubclass(kind, kinds))
    if within:
        for i, item in enumerate(value):
            if isinstance(item, within):
                refuse_mask(f"{name}[{i}]", item, depth - 1)


def real_dtype(value: Any) -> np.dtype[Any]:
    """Return float32 or float64 as a NumPy dtype.

    >>> real_dtype("float16")
    Traceback (most recent call last):
    ...
    elman.errors.ArgumentValueError: dtype is 'float16', expected 'float32' or 'float64'
    """
    if not isinstance(value, (str, type, np.dtype)):
        raise ArgumentTypeError("dtype", f"is {describe(value)}", "'float32' or 'float64'")
    try:
        dtype = np.dtype(value)
    except TypeError:
        dtype = None
    if dtype is None or dtype not in (np.dtype(np.float32), np.dtype(np.float64)):
        raise ArgumentValueError("dtype", f"is {value!r}", "'float32' or 'float64'")
    return dtype


def as_text(path: Any, name: str = "path") -> str:
    """Return a path as a string, or raise TypeError; ValueError for a NUL, which no path can have.

    >>> as_text(3)
    Traceback (most recent call last):
    ...
    elman.errors.ArgumentTypeError: path is 3 (a int), expected a path (str or os.PathLike)
    """
    text = os.fspath(path) if isinstance(path, os.PathLike) else path
    if not isinstance(text, str):
        raise ArgumentTypeError(name, f"is {describe(path)}", "a path (str or os.PathLike)")
    if "\0" in text:
        raise ArgumentValueError(name, f"is {text!r}, which no file can be called")
    return text


def normalize(target: object, **values: object) -> None:
    """Store checked values in a frozen dataclass, as plain Python values.

    So equal descriptions compare equal, and they become JSON as they are.
    """
    for name, value in values.items():
        object.__setattr__(target, name, value)
