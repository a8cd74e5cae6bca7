"""Constraints on weights: which of them stay 0, and which keep their sign."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from elman._validation import describe
from elman.data.sequences import Array
from elman.errors import ArgumentValueError


@dataclass(frozen=True, eq=False)
class Constraint:
    """The constraint of one parameter: ``mask`` is False where it stays 0, ``sign`` is -1, 0 (free) or 1.

    Shapes: mask and sign as the parameter.
    """

    mask: NDArray[np.bool_]
    sign: NDArray[np.int8]

    def bounds(self) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """Return the least and the largest value of each entry.

        >>> low, high = Constraint(np.array([True, True, False]), np.array([0, -1, 1])).bounds()
        >>> low.tolist(), high.tolist()
        ([-inf, -inf, 0.0], [inf, 0.0, 0.0])
        """
        low = np.where(self.mask & (self.sign <= 0), -np.inf, 0.0)
        high = np.where(self.mask & (self.sign >= 0), np.inf, 0.0)
        return low, high


def constraint(name: str, shape: tuple[int, ...], mask: Any, sign: Any) -> Constraint:
    """Return a checked constraint for the parameter ``name``.

    Shapes: mask as the parameter; sign as the parameter, or (rows,), one number per row. The latter is Dale's
    law: row i of a recurrent kernel holds the weights of the connections from unit i.
    """
    allowed = np.ones(shape, bool)
    if mask is not None:
        given = np.asarray(mask)
        if given.dtype.kind not in "biuf" or not np.isin(given, (0, 1)).all():
            raise ArgumentValueError(
                "mask", f"is {describe(mask)}", f"True or False for each entry of {name}"
            )
        if given.shape != shape:
            raise ArgumentValueError("mask", f"has shape {given.shape}", f"{shape} (as {name})")
        allowed = given.astype(bool)
    signs = np.zeros(shape, np.int8)
    if sign is not None:
        given = np.asarray(sign)
        if given.dtype.kind not in "iuf" or not np.isin(given, (-1, 0, 1)).all():
            raise ArgumentValueError(
                "sign", f"is {describe(sign)}", f"-1, 0 (free) or 1 for each row of {name}"
            )
        if given.shape == shape[:1] and len(shape) == 2:
            given = given[:, None]
        elif given.shape != shape:
            expected = f"{shape[:1]} (one a row of {name}) or {shape}"
            raise ArgumentValueError("sign", f"has shape {given.shape}", expected)
        signs = np.broadcast_to(given, shape).astype(np.int8)
    return Constraint(allowed, signs)


def flat_bounds(
    constraints: dict[str, Constraint], table: list[tuple[str, int, tuple[int, ...]]], like: Array
) -> tuple[Array, Array] | None:
    """Return the bounds of all parameters (P,), (P,) for the engine; None without constraints."""
    if not constraints:
        return None
    low, high = np.full_like(like, -np.inf), np.full_like(like, np.inf)
    for name, offset, _ in table:
        if name in constraints:
            own = constraints[name].bounds()
            size = own[0].size
            low[offset : offset + size], high[offset : offset + size] = own[0].ravel(), own[1].ravel()
    return low, high
