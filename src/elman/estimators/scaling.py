"""Scaling: one mean and one scale a feature, learned over all steps and kept in the model."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from elman.data.sequences import Array
from elman.model.model import Float64

_BLOCK = 1 << 16  # values a block, so that the float64 between stays in the cache


@dataclass(frozen=True, slots=True)
class Scaler:
    """x -> (x - mean) / scale, computed in float64 element by element: a step alone gives the same bits.

    Shapes: mean, scale (F,); values (..., F).

    >>> Scaler(np.array([1.0]), np.array([2.0])).apply(np.array([[3.0]]), np.dtype("float32"))
    array([[1.]], dtype=float32)
    """

    mean: Float64
    scale: Float64

    def apply(self, values: Array, dtype: np.dtype[Any]) -> Array:
        """Return scaled values in a dtype, fresh and contiguous; what overflows becomes infinite."""
        rows = max(1, _BLOCK // values.shape[-1])
        with np.errstate(over="ignore"):
            if len(values) <= rows:  # a streamed step, or few
                return self.apply_few(values, dtype)
            out = np.empty(values.shape, dtype)
            for begin in range(0, len(values), rows):
                part = slice(begin, begin + rows)
                out[part] = (values[part] - self.mean) / self.scale
        return out

    def apply_few(self, values: Array, dtype: np.dtype[Any]) -> Array:
        """Return the same of a few steps, with NumPy's warnings as they are set."""
        scaled = values - self.mean
        scaled /= self.scale
        return scaled.astype(dtype, order="C", copy=False)

    def undo(self, values: Array) -> Array:
        """Return values as they were before scaling, in float64: float32 has no digits for a large mean."""
        back: Array = values * self.scale + self.mean
        return back


def identity(features: int) -> Scaler:
    """Return the scaler that changes nothing."""
    return Scaler(np.zeros(features), np.ones(features))


def learn(values: Array, weights: Float64 | None, name: str = "X") -> Scaler:
    """Return mean and standard deviation of each column; a weight counts as so many repeated rows.

    Shapes: values (N, F), finite; weights (N,) or None. A constant column gets the scale 1. Rows with NaN
    are left out column by column.
    """
    from sklearn.preprocessing import StandardScaler

    with np.errstate(over="ignore", invalid="ignore"):
        scaler = StandardScaler(copy=True).fit(values.astype(np.float64), sample_weight=weights)
    if not np.isfinite(scaler.scale_).all():
        feature = int(np.argmin(np.isfinite(scaler.scale_)))
        raise ValueError(
            f"{name} has numbers too large to be standardized in column {feature}; scale them first"
        )
    return Scaler(np.asarray(scaler.mean_, np.float64), np.asarray(scaler.scale_, np.float64))
