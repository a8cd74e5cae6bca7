"""Scaling: one mean and one scale a feature, learned over all steps and kept in the model."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np

from elman.data.sequences import Array
from elman.model.model import Float64

BLOCK = 1 << 16  # values a block, so that the float64 between stays in the cache
Blocks = Iterable[tuple[Array, Float64 | None]]


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
        if values.size <= BLOCK:  # a streamed step, or few
            with np.errstate(over="ignore"):
                return self.apply_few(values, dtype)
        rows = block_rows(values.shape[-1])
        blocks = (values[begin : begin + rows] for begin in range(0, len(values), rows))
        return self.apply_blocks(blocks, np.empty(values.shape, dtype))

    def apply_blocks(self, blocks: Iterable[Array], out: Array) -> Array:
        """Write scaled values into ``out``, block after block, and return it; it may be the same memory."""
        begin = 0
        with np.errstate(over="ignore"):
            for values in blocks:
                out[begin : begin + len(values)] = (values - self.mean) / self.scale
                begin += len(values)
        return out

    def apply_few(self, values: Array, dtype: np.dtype[Any]) -> Array:
        """Return scaled values of a few steps, with NumPy's warnings as they are set."""
        scaled = values - self.mean
        scaled /= self.scale
        return scaled.astype(dtype, order="C", copy=False)

    def undo(self, values: Array) -> Array:
        """Return values as they were before scaling, in float64: float32 has no digits for a large mean."""
        back: Array = values * self.scale + self.mean
        return back


def block_rows(features: int) -> int:
    """Return the number of steps in a block."""
    return max(1, BLOCK // features)


def row_blocks(values: Array, weights: Float64 | None) -> Iterator[tuple[Array, Float64 | None]]:
    """Yield values (N, C) and their weights (N,) block by block."""
    rows = block_rows(values.shape[1])
    for begin in range(0, len(values), rows):
        part = slice(begin, begin + rows)
        yield values[part], None if weights is None else weights[part]


def identity(features: int) -> Scaler:
    """Return the scaler that changes nothing."""
    return Scaler(np.zeros(features), np.ones(features))


def learn(blocks: Blocks, name: str = "X") -> Scaler:
    """Return mean and standard deviation of each column; a weight counts as so many repeated rows.

    Shapes: blocks of values (k, F), finite or NaN, and weights (k,) or None. A constant column gets the scale
    1. Values that are NaN are left out. scikit-learn's StandardScaler measures each block in float64; the
    blocks are joined by the update of Chan, Golub and LeVeque (1979), which loses no digits to a large mean:

        mean += d n_b / (n + n_b),   S += S_b + d^2 n n_b / (n + n_b),   d = mean_b - mean

    with S the sum of squared deviations, n the sum of weights, and b the block.

    >>> learn([(np.array([[1.0], [2.0]]), None), (np.array([[6.0]]), None)]).mean
    array([3.])
    """
    from sklearn.preprocessing import StandardScaler

    count: Any = 0.0
    mean: Any = 0.0
    squares: Any = 0.0
    scale: Float64 = np.empty(0)
    with np.errstate(over="ignore", invalid="ignore", divide="ignore"):
        for i, (values, weights) in enumerate(blocks):
            block = StandardScaler(copy=False).fit(values.astype(np.float64), sample_weight=weights)
            if i == 0:  # often the only one
                count, mean, scale = block.n_samples_seen_, block.mean_, block.scale_
                squares = block.var_ * count
                continue
            count, mean, squares = _join(
                (count, mean, squares),
                (block.n_samples_seen_, block.mean_, block.var_ * block.n_samples_seen_),
            )
            variance = squares / count
            scale = np.where(_is_constant(variance, mean, count), 1.0, np.sqrt(variance))
    if not np.isfinite(scale).all():
        feature = int(np.argmin(np.isfinite(scale)))
        raise ValueError(
            f"{name} has numbers too large to be standardized in column {feature}; scale them first"
        )
    return Scaler(np.asarray(mean, np.float64), np.asarray(scale, np.float64))


_Moments = tuple[Any, Any, Any]  # sum of weights, mean, sum of squared deviations, of each column


def _join(a: _Moments, b: _Moments) -> _Moments:
    """Return the moments of two blocks together; a block may have no value of a column."""
    total = a[0] + b[0]
    distance = b[1] - a[1]
    share = b[0] / np.where(total > 0, total, 1)
    mean = np.where(a[0] > 0, a[1] + distance * share, b[1])
    squares = a[2] + b[2] + distance**2 * a[0] * share
    empty = np.broadcast_to(b[0] == 0, mean.shape)
    mean = np.where(empty, a[1], mean)
    squares = np.where(empty, a[2], np.where(a[0] > 0, squares, b[2]))
    return total, mean, squares


def _is_constant(variance: Float64, mean: Float64, count: Any) -> Any:
    """Whether columns are constant as far as float64 can tell: the rule of StandardScaler."""
    eps = np.finfo(np.float64).eps
    return variance <= count * eps * variance + (count * mean * eps) ** 2
