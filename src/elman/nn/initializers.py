"""Initial weights, drawn in Python in float64 so that both dtypes of one seed agree up to rounding."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.random import Generator
from numpy.typing import NDArray

from elman._validation import choice
from elman.errors import ArgumentValueError

Matrix = NDArray[np.float64]


def _fans(shape: tuple[int, ...]) -> tuple[int, int]:
    return (shape[0], shape[1]) if len(shape) == 2 else (shape[0], shape[0])


def _within(limit: float, shape: tuple[int, ...], rng: Generator) -> Matrix:
    return rng.uniform(-limit, limit, shape)


def _glorot_uniform(shape: tuple[int, ...], rng: Generator) -> Matrix:
    return _within(math.sqrt(6.0 / sum(_fans(shape))), shape, rng)


def _glorot_normal(shape: tuple[int, ...], rng: Generator) -> Matrix:
    return rng.normal(0.0, math.sqrt(2.0 / sum(_fans(shape))), shape)


def _he_uniform(shape: tuple[int, ...], rng: Generator) -> Matrix:
    return _within(math.sqrt(6.0 / _fans(shape)[0]), shape, rng)


def _he_normal(shape: tuple[int, ...], rng: Generator) -> Matrix:
    return rng.normal(0.0, math.sqrt(2.0 / _fans(shape)[0]), shape)


def _orthogonal(shape: tuple[int, ...], rng: Generator) -> Matrix:
    rows, columns = (shape[0], shape[1]) if len(shape) == 2 else (shape[0], 1)
    q, r = np.linalg.qr(rng.normal(size=(max(rows, columns), min(rows, columns))))
    # The signs of r's diagonal make q uniform over rotations.
    q = q * np.where(np.diagonal(r) < 0.0, -1.0, 1.0)
    return np.ascontiguousarray(q if rows >= columns else q.T).reshape(shape)


def _identity(shape: tuple[int, ...], _: Generator) -> Matrix:
    return np.eye(shape[0], shape[1]) if len(shape) == 2 else np.ones(shape)


_DRAW: dict[str, Callable[[tuple[int, ...], Generator], Any]] = {
    "glorot_uniform": _glorot_uniform,
    "glorot_normal": _glorot_normal,
    "he_uniform": _he_uniform,
    "he_normal": _he_normal,
    "orthogonal": _orthogonal,
    "identity": _identity,
    "zeros": lambda shape, _: np.zeros(shape),
    "ones": lambda shape, _: np.ones(shape),
    "uniform": lambda shape, rng: _within(0.05, shape, rng),
    "normal": lambda shape, rng: rng.normal(0.0, 0.05, shape),
    "constant": lambda shape, _: np.ones(shape),
}

# Initializers that take a number after a colon: what it means, and its value where none is given.
_SIZED: dict[str, tuple[str, float]] = {
    "orthogonal": ("the spectral radius", 1.0),
    "identity": ("the diagonal", 1.0),
    "uniform": ("the limit", 0.05),
    "normal": ("the standard deviation", 0.05),
    "constant": ("the value", 1.0),
}

NAMES: tuple[str, ...] = tuple(name for name in _DRAW if name != "constant")  # which needs a number


def _parts(name: str) -> tuple[str, float | None]:
    kind, colon, size = name.partition(":")
    return kind, float(size) if colon else None


def check(name: str, value: Any) -> str:
    """Return ``value`` if it is an initializer: one of `NAMES`, or one with a number, "orthogonal:0.9".

    >>> check("recurrent_initializer", "orthogonal:0.9")
    'orthogonal:0.9'
    >>> check("recurrent_initializer", "zeros:2")
    Traceback (most recent call last):
    ...
    elman.errors.ArgumentValueError: recurrent_initializer is 'zeros:2', expected a number after a
    colon only for 'orthogonal', 'identity', 'uniform', 'normal', 'constant'
    """
    if not isinstance(value, str) or ":" not in value:
        if value == "constant":
            raise ArgumentValueError(name, "is 'constant'", "its value too, as in 'constant:0.5'")
        return choice(name, value, NAMES)
    kind, _, size = value.partition(":")
    if kind not in _SIZED:
        sized = ", ".join(map(repr, _SIZED))
        raise ArgumentValueError(name, f"is {value!r}", f"a number after a colon only for {sized}")
    try:
        number = float(size)
    except ValueError:
        number = math.nan
    if not math.isfinite(number) or (number < 0.0 and kind in ("uniform", "normal", "orthogonal")):
        raise ArgumentValueError(name, f"is {value!r}", f"{_SIZED[kind][0]} after the colon, a finite number")
    return value


def draw(name: str, shape: tuple[int, ...], rng: Generator) -> Matrix:
    """Return initial values of one parameter.

    ``glorot`` has variance 2/(fan in + fan out), ``he`` 2/(fan in). ``uniform`` lies in [-0.05, 0.05],
    ``normal`` has standard deviation 0.05. ``orthogonal`` is a random rotation, or a part of one where the
    parameter is not square. A number after a colon is the limit of ``uniform:0.1``, the standard deviation
    of ``normal:0.01``, the spectral radius of ``orthogonal:0.9``, the diagonal of ``identity:0.5`` (IRNN:
    ``identity``, with relu), the value of ``constant:0.5``.

    >>> draw("identity:0.5", (2, 2), np.random.default_rng(0))
    array([[0.5, 0. ],
           [0. , 0.5]])
    """
    kind, size = _parts(name)
    drawn = np.asarray(_DRAW[kind](shape, rng), dtype=np.float64)
    return drawn if size is None else drawn * (size / _SIZED[kind][1])
