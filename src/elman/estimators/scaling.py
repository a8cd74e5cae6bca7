"""Scaling: one mean and one scale a feature, learned over all steps and kept in the model."""

from __future__ import annotations

import warnings
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np

from elman.data.sequences import Array
from elman.errors import ArgumentValueError
from elman.model.model import Float64

_SMALL_VARIANCE = 1e-290  # squares of numbers below 1e-145 have lost digits, those below 1e-162 are 0
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
    1. Values that are NaN are left out. scikit-learn's StandardScaler measures a single block in float64.
    Several blocks are measured from the mean of the first one, so that no digits are lost to a large mean,
    and joined by the update of Chan, Golub and LeVeque (1979),

        mean += d n_b / (n + n_b),   S += S_b + d^2 n n_b / (n + n_b),   d = mean_b - mean

    with S the sum of squared deviations, n the sum of weights, and b the block.

    A UserWarning says which column varies too little for its squares not to be 0: it counts as constant.
    Errors: ValueError for a column whose squares overflow.

    >>> learn([(np.array([[1.0], [2.0]]), None), (np.array([[6.0]]), None)]).mean
    array([3.])
    """
    blocks = iter(blocks)
    first = next(blocks)
    with np.errstate(over="ignore", invalid="ignore", divide="ignore"):
        found = _measured(*first)
        mean, scale, variance = found.mean_, found.scale_, found.var_
        low, high = _range(first[0], variance)
        origin = np.nan_to_num(mean)
        moments: _Moments | None = None
        for block in blocks:
            if moments is None:
                moments = _moments(*first, origin)
            part = _moments(*block, origin)
            moments = _join(moments, part)
            ends = _range(block[0], part[2])
            low, high = np.fmin(low, ends[0]), np.fmax(high, ends[1])
        if moments is not None:
            count, mean = moments[0], moments[1] + origin
            variance = moments[2] / count
            scale = np.where(_is_constant(variance, mean, count), 1.0, np.sqrt(variance))
    finite = np.isfinite(variance) & ~np.isinf(mean)
    if not finite.all():
        feature = int(np.argmin(finite))
        raise ArgumentValueError(
            name, f"has numbers too large to be standardized in column {feature}; scale them first"
        )
    lost = (high > low) & (variance == 0.0)
    if lost.any():
        column = int(np.argmax(lost))
        warnings.warn(
            f"{name} has numbers too small to be standardized in column {column}, from {low[column]:.3g} to "
            f"{high[column]:.3g}: it counts as constant; scale it first",
            UserWarning,
            stacklevel=5,
        )
    return Scaler(np.asarray(mean, np.float64), np.asarray(scale, np.float64))


_Moments = tuple[Any, Any, Any]  # sum of weights, mean, sum of squared deviations, of each column


def _range(values: Array, variance: Float64) -> tuple[Float64, Float64]:
    """Return the least and the largest number of each column with almost no variance, NaN for the others."""
    low, high = np.full((2, values.shape[1]), np.nan)
    small = variance < _SMALL_VARIANCE
    if small.any():
        low[small] = np.fmin.reduce(values[:, small], axis=0)
        high[small] = np.fmax.reduce(values[:, small], axis=0)
    return low, high


def _measured(values: Array, weights: Float64 | None) -> Any:
    from sklearn.preprocessing import StandardScaler

    return StandardScaler(copy=False).fit(values.astype(np.float64), sample_weight=weights)


def _moments(values: Array, weights: Float64 | None, origin: Float64) -> _Moments:
    """Return the moments of values less an origin, NaN left out; zeros for a column without a value."""
    x = np.subtract(values.T, origin[:, None], order="C")  # (F, k): sums run along the memory
    w = np.broadcast_to(1.0 if weights is None else weights, x.shape)
    missing = np.isnan(x)
    if missing.any():
        x, w = np.where(missing, 0.0, x), np.where(missing, 0.0, w)
    count = w.sum(axis=1)
    mean = (w * x).sum(axis=1) / np.where(count > 0.0, count, 1.0)
    x -= mean[:, None]
    np.square(x, out=x)
    return count, mean, (w * x).sum(axis=1)


def _join(a: _Moments, b: _Moments) -> _Moments:
    """Return the moments of two blocks together."""
    total = a[0] + b[0]
    share = b[0] / np.where(total > 0, total, 1)
    distance = b[1] - a[1]
    return total, a[1] + distance * share, a[2] + b[2] + distance**2 * a[0] * share


def _is_constant(variance: Float64, mean: Float64, count: Any) -> Any:
    """Whether columns are constant as far as float64 can tell: the rule of StandardScaler."""
    eps = np.finfo(np.float64).eps
    return variance <= count * eps * variance + (count * mean * eps) ** 2
