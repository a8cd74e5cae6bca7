"""The floor under logarithms of power: given, or learned from the signal, whose unit does not matter then."""

from __future__ import annotations

import copy
from typing import Any

import numpy as np

from elman._validation import number
from elman.data.sequences import Array, Batch
from elman.data.user_warnings import warn
from elman.errors import ArgumentValueError
from elman.features.base import Float64
from elman.features.windows import Windowed

# Of a channel's variance: far below the noise of a signal, far above the rounding of its spectrum.
_OF_VARIANCE = 1e-15
_OF_SQUARES = 1e-22  # of its mean square: far above the rounding of a constant, 1e-31
_OF_NOTHING = 1e-20  # where all channels are 0
_SMALLEST = 1e-290  # variance whose floor is still a number with all its digits
_BLOCK = 1 << 16  # numbers at a time


class Floored(Windowed):
    """The base of `LogSpectrum` and `BandPower`, which add ``floor`` to a power before its logarithm.

    ``floor=None`` learns ``floor_`` (F,) in fit: 1e-15 of the variance of each channel around the means of
    its sequences, plus 1e-22 of its mean square, in the unit of the power.
    """

    floor: Any
    floor_: Float64

    def _takes_floor(self) -> bool:
        """Whether a floor is learned."""
        return self.floor is None

    def _per_variance(self) -> float:
        """Return the mean of the power that white noise of variance 1 has."""
        raise NotImplementedError

    def check_floor(self) -> None:
        """Raise TypeError or ValueError for a floor that is no number above 0."""
        if self.floor is not None:
            number("floor", self.floor, positive=True)

    def _addend(self, width: int) -> Any:
        """Return what is added to powers (m, F, width): a number, or an array (F, width)."""
        if self.floor is not None:
            return float(self.floor)
        if not hasattr(self, "floor_"):
            return 1.0  # in fit, which checks the parameters before it learns
        if len(self.floor_) == 1:
            return float(self.floor_[0])
        return np.repeat(self.floor_[:, None], width, axis=1)

    def _learn(self, batch: Batch) -> dict[str, Any]:
        checked = copy.copy(self)  # an earlier fit may have had other channels
        checked.__dict__.pop("floor_", None)
        super(Floored, checked)._learn(batch)
        if self.floor is not None:
            _warn_of_a_high_floor(float(self.floor), batch, self._per_variance())
            return {}
        floors = _floors(batch, self._per_variance())
        return {"floor_": floors} if self._takes_floor() else {}

    def learned_arrays(self) -> dict[str, Array]:
        return {"floor_": self.floor_} if self._takes_floor() else {}

    def restore_arrays(self, kept: dict[str, Array]) -> None:
        if not self._takes_floor():
            return
        found = kept["floor_"]
        if found.dtype != np.float64 or found.shape != (self.n_channels,):
            raise ValueError(f"floor_ is not {self.n_channels} numbers")
        if not (np.isfinite(found) & (found > 0.0)).all():
            raise ValueError("floor_ is not above 0")
        self.floor_ = found.copy()


def _warn_of_a_high_floor(floor: float, batch: Batch, per_variance: float) -> None:
    """Warn of a given floor that hides the signal: all channels that are not constant have less power."""
    with np.errstate(over="ignore", invalid="ignore", under="ignore"):
        variance = _moments(batch)[0]
        power = variance.max(initial=0.0) * per_variance
    if (variance > 0.0).any() and power < floor:
        warn(
            f"floor is {floor:g}, more than the mean power of each channel, at most {power:.3g}: features "
            "hardly depend on X; floor=None learns a floor from X"
        )


def _floors(batch: Batch, per_variance: float) -> Float64:
    """Return the floor of each channel, (F,)."""
    with np.errstate(over="ignore", invalid="ignore", under="ignore"):
        variance, squares, largest = _moments(batch)
    small = (variance < _SMALLEST) & (largest > 0.0) & (squares < _SMALLEST)
    if small.any():
        channel = int(np.argmax(small))
        raise ArgumentValueError(
            "X",
            f"has numbers too small for their power in feature {channel}, at most {largest[channel]:.3g}",
            "another unit",
        )
    # What overflows is refused by transform, which names the sequence.
    floors = np.nan_to_num(_OF_VARIANCE * variance + _OF_SQUARES * squares, nan=np.inf) * per_variance
    floors = np.minimum(floors, np.finfo(np.float64).max)
    silent = floors == 0.0
    if silent.any():
        floors[silent] = floors[~silent].mean() if not silent.all() else _OF_NOTHING
    return floors


def _moments(batch: Batch) -> tuple[Float64, Float64, Float64]:
    """Return variance around the sequences' means, mean square and largest magnitude of channels, (F,)."""
    channels = batch.values.shape[1]
    deviations, squares, largest = np.zeros((3, channels))
    offsets, lengths = batch.offsets, batch.lengths()
    most = max(1, _BLOCK // channels)
    first = 0
    while first < batch.n:
        last = max(first + 1, int(np.searchsorted(offsets, offsets[first] + most, side="right")) - 1)
        x = batch.values[offsets[first] : offsets[last]].astype(np.float64)
        squares += (x * x).sum(axis=0)
        largest = np.maximum(largest, np.abs(x).max(axis=0))
        starts, part = offsets[first:last] - offsets[first], lengths[first:last]
        x -= np.repeat(np.add.reduceat(x, starts, axis=0) / part[:, None], part, axis=0)
        deviations += (x * x).sum(axis=0)
        first = last
    return deviations / batch.rows, squares / batch.rows, largest
