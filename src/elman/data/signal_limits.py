"""What a signal was like in training: limits by which a dead, clipped or foreign channel is found later."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property, lru_cache
from typing import Any

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view
from numpy.typing import NDArray

from elman.data.sequences import Array, Batch

Float64 = NDArray[np.float64]
Codes = NDArray[np.int8]

# What is wrong with a channel in a window; 0: nothing.
FLAT, CLIPPED, REPEATED, LARGE, SMALL, MAINS = range(1, 7)
KINDS = ("good", "flat", "clipped", "repeated", "too large", "too small", "mains")

_SECONDS = 0.5  # of a window
_STEPS = 64  # of a window where the rate is unknown
_SHORTEST = 16  # steps in a window
_FEWEST = 8  # windows: fewer teach nothing
_ROW = 256  # steps
_MOST = 1 << 17  # numbers in the windows that are looked at while learning
_BEYOND = 0.5  # of the range of the training data: so far may a value lie outside of it
_ROUNDING = 1e-6  # of the largest value: the same number in float32 and in float64
_LEVELS = 4  # steps of the resolution: a signal that varies by no more is coarse, not clipped
_QUIET = 4.0  # times less than the least variation in training: too small
_RARE = 0.01  # of the windows in training: constant ones that are rarer are faults too
_HELD = 0.9  # of the values repeat the one before: such a window is nearly constant
_REPEATS, _RAILS = 0.1, 0.05  # shares that any signal may have, besides 1.5 times those of training
_LONG = 0.1  # of a window: a channel that repeats values for longer is flat there
_HUM = 0.5  # of the power may be mains, besides twice as much as in training
_MAINS = (50.0, 60.0)  # Hz


@dataclass(frozen=True, eq=False)
class SignalLimits:
    """What the channels were like in training, window by window; `learn` finds it.

    Shapes: all arrays (F,), ``mains`` (F, 2).

    Attributes
    ----------
    window : int
        Steps of a window: half a second, or 64 steps where the rate is unknown.
    rate : float
        Samples per second, in Hz; NaN if unknown.
    low, high : array
        The smallest and the largest value.
    least : array
        The least difference between the largest and the smallest value of a window; 0 where windows are
        often constant, or nearly so.
    repeats, rails : array
        The largest share of a window's values that repeat the one before, and that equal its smallest or
        largest value besides one of each.
    mains : array
        The largest share of a window's power at 50 Hz and at 60 Hz; infinite where it cannot be measured.
    """

    window: int
    rate: float
    low: Float64
    high: Float64
    least: Float64
    repeats: Float64
    rails: Float64
    mains: Float64

    def check(self, windows: Array) -> Checked:
        """Return what is wrong in windows (m, window, F)."""
        by_channel = np.ascontiguousarray(np.swapaxes(windows, 1, 2), np.float64)
        return Checked(self, by_channel, _measure(by_channel, self.rate))

    @cached_property
    def bounds(self) -> Float64:
        """What each measure of `_measure` may be at most, (7, 1, F)."""
        beyond = _BEYOND * (self.high - self.low)
        beyond += _ROUNDING * np.maximum(np.abs(self.low), np.abs(self.high))
        hum = np.maximum(2.0 * self.mains, _HUM).T
        held, rails = 1.5 * self.repeats + _REPEATS, 1.5 * self.rails + _RAILS
        rows = [beyond - self.low, self.high + beyond, -self.least / _QUIET, held, rails, *hum]
        return np.array(rows)[:, None]


class Checked:
    """What is wrong with each channel in each of m windows: ``codes`` (m, F), 0 where nothing is."""

    def __init__(self, limits: SignalLimits, windows: Float64, found: Float64) -> None:
        self._limits, self._found = limits, found
        over = found > limits.bounds
        self.any = bool(over.any())
        self.codes: Codes = np.zeros(found.shape[1:], np.int8)
        if not self.any:
            return
        constant = found[2] == 0.0
        # The last that holds counts: what is flat is flat, whatever else it is.
        self.codes[over[5] | over[6]] = MAINS
        self.codes[over[2] & ~constant] = SMALL
        self.codes[over[0] | over[1]] = LARGE
        self.codes[over[3]] = REPEATED
        self.codes[over[3] & (found[3] > _LONG * _runs(windows))] = FLAT
        clipped = over[4] & (found[4] > 0.8 * found[3]) & ~constant
        if clipped.any():
            self.codes[clipped & ~_coarse(windows)] = CLIPPED
        self.codes[over[2] & constant] = FLAT

    def text(self, window: int, channel: int) -> str:
        """Return what is wrong with a channel in a window, as the end of a sentence."""
        limits, found = self._limits, self._found[:, window, channel]
        low, high = -float(found[0]), float(found[1])
        code = int(self.codes[window, channel])
        if code == FLAT:
            return "is flat"
        if code == CLIPPED:
            return f"is clipped at {low:.4g} or {high:.4g}"
        if code == REPEATED:
            return f"repeats {float(found[3]):.0%} of its values"
        if code == LARGE:
            value = high if abs(high) > abs(low) else low
            known = f"{limits.low[channel]:.3g} to {limits.high[channel]:.3g}"
            return f"reaches {value:.3g}, and the training data {known}"
        if code == SMALL:
            return f"varies by {high - low:.3g}, and the training data by {limits.least[channel]:.3g} or more"
        if code == MAINS:
            hum = int(np.nanargmax(found[5:]))
            return f"is {float(found[5 + hum]):.0%} mains ({_MAINS[hum]:g} Hz)"
        return "is good"


def _measure(windows: Float64, rate: float) -> Float64:
    """Measure windows (m, F, window): (7, m, F).

    In order: minus the smallest value, the largest, minus their difference, the share of values that repeat
    the one before, of those at an extreme besides one at each, and of power at 50 Hz and at 60 Hz (NaN where
    it is unknown).
    """
    steps = windows.shape[-1]
    found = np.empty((7, *windows.shape[:2]))
    low, high = windows.min(axis=-1), windows.max(axis=-1)
    np.negative(low, out=found[0])
    found[1] = high
    np.subtract(low, high, out=found[2])
    found[3] = np.count_nonzero(windows[..., 1:] == windows[..., :-1], axis=-1)
    found[3] /= steps - 1
    if found[3].any():
        ends = (windows == low[..., None]) | (windows == high[..., None])
        found[4] = np.count_nonzero(ends, axis=-1)
        found[4] -= 2.0
        found[4] /= steps
    else:  # no value follows itself: nothing is clipped
        found[4] = 0.0
    known, taper, waves = _waves(steps, rate)
    found[5:] = np.nan
    if known:
        x = windows - np.add.reduce(windows, axis=-1, keepdims=True) / steps
        x *= taper
        parts = np.matmul(x, waves)
        parts *= parts
        with np.errstate(invalid="ignore", divide="ignore", over="ignore"):
            total = np.einsum("mft,mft->mf", x, x)
            for i, k in enumerate(known):
                found[5 + k] = (parts[..., 2 * i] + parts[..., 2 * i + 1]) / total
    return found


def _runs(windows: Float64) -> NDArray[np.int64]:
    """Return the number of runs of repeated values in windows (m, F, window), (m, F)."""
    same = windows[..., 1:] == windows[..., :-1]
    runs: NDArray[np.int64] = np.count_nonzero(same[..., 1:] > same[..., :-1], axis=-1) + same[..., 0]
    return runs


def _coarse(windows: Float64) -> NDArray[np.bool_]:
    """Return which windows (m, F, window) vary by a few steps of their resolution, (m, F)."""
    apart = np.diff(np.sort(windows, axis=-1), axis=-1)
    step = np.where(apart > 0.0, apart, np.inf).min(axis=-1)
    coarse: NDArray[np.bool_] = np.ptp(windows, axis=-1) < (_LEVELS + 0.5) * step
    return coarse


@lru_cache(maxsize=8)
def _waves(steps: int, rate: float) -> tuple[list[int], Float64, Float64]:
    """Return which of `_MAINS` can be measured, a taper (steps,), and tapered waves (steps, 2 of each).

    The squares of the products with a tapered sine of that frequency sum to the sum of its squares.
    """
    known = [i for i, hz in enumerate(_MAINS) if rate * 0.45 > hz and steps >= 0.9 * _SECONDS * rate]
    taper = np.hanning(steps + 2)[1:-1]
    waves = np.exp(2j * np.pi / rate * np.outer(np.arange(steps), [_MAINS[i] for i in known]))
    waves *= taper[:, None] * np.sqrt(2.0 / np.sum(taper**2))
    return known, taper, np.stack([waves.real, waves.imag], axis=-1).reshape(steps, -1)


def learn(form: Any, batch: Batch) -> SignalLimits | None:
    """Return the limits of the channels of sequences; None where too little can be learned.

    ``form`` is the estimator, the transformer or the `Model` that is fitted, whose ``fs`` is the rate, if it
    has one. From tables, symbols and short sequences nothing is learned.
    """
    if getattr(form, "tabular_", False) or getattr(form, "symbols", 0):
        return None
    given = getattr(form, "fs", None)
    rate = float(given) if isinstance(given, (int, float, np.number)) and 0 < given < np.inf else np.nan
    window = _STEPS if np.isnan(rate) else max(round(_SECONDS * rate), _SHORTEST)
    values = batch.values
    counts = batch.lengths() // window
    total = int(counts.sum())
    if total < _FEWEST:
        return None
    size = window * values.shape[1]
    most = max(_MOST // size, 8 * _FEWEST)
    chosen = np.arange(total) if total <= most else np.linspace(0, total - 1, most).astype(np.int64)
    sequence = np.searchsorted(np.cumsum(counts), chosen, side="right")
    before = np.cumsum(counts)[sequence] - counts[sequence]
    starts = batch.offsets[sequence] + window * (chosen - before)
    view = sliding_window_view(values, window, axis=0)  # (N - window + 1, F, window)
    with np.errstate(invalid="ignore", over="ignore"):
        found = _measure(np.ascontiguousarray(view[starts], np.float64), rate)
        low, high = (_over_steps(ufunc, values) for ufunc in (np.fmin, np.fmax))
        varies, mains = -found[2], found[5:]
        often = np.mean(found[3] >= _HELD, axis=0) > _RARE  # one that is quite constant comes some day
        varying = np.where(varies > 0.0, varies, np.inf)
        least = np.where(often, 0.0, varying.min(axis=0))
        least[~np.isfinite(least)] = 0.0
        shares = [np.where(varies == 0.0, 0.0, share).max(axis=0) for share in found[3:5]]
        hum = np.where(np.isnan(mains), 0.0, mains).max(axis=1).T
        hum[:, np.isnan(mains).all(axis=(1, 2))] = np.inf
    shares[0][often] = np.inf
    return SignalLimits(window, rate, low, high, least, shares[0], shares[1], hum)


def _over_steps(ufunc: np.ufunc, values: Array) -> Float64:
    """Return what a ufunc makes of all steps of values (N, F), (F,): in rows of many steps, for speed."""
    whole = len(values) // _ROW * _ROW
    rows = values[:whole].reshape(-1, _ROW * values.shape[1])
    parts = ufunc.reduce(rows, axis=0).reshape(_ROW, -1) if whole else values[:0]
    made = ufunc.reduce(np.concatenate([parts, values[whole:]]), axis=0)
    numbers: Float64 = np.nan_to_num(made.astype(np.float64))
    return numbers


def any_signal(features: int, rate: float) -> SignalLimits:
    """Return limits that know no training data: only what is flat, clipped, or mostly mains is a fault."""
    window = _STEPS if np.isnan(rate) else max(round(_SECONDS * rate), _SHORTEST)
    zeros, huge = np.zeros(features), np.full(features, np.finfo(np.float64).max / 4)
    least = np.full(features, np.finfo(np.float64).tiny)
    return SignalLimits(window, rate, -huge, huge, least, zeros, zeros, np.zeros((features, 2)))


def keep(form: Any, batch: Batch, fresh: bool = True) -> None:
    """Set ``signal_limits_`` of what is fitted, or widen those of an earlier fit."""
    found = learn(form, batch)
    before = None if fresh else vars(form).get("signal_limits_")
    if before is not None:
        found = before if found is None else _union(before, found)
    if found is None:
        vars(form).pop("signal_limits_", None)
    else:
        form.signal_limits_ = found


def _union(one: SignalLimits, two: SignalLimits) -> SignalLimits:
    """Return the limits of the data of both."""
    return SignalLimits(
        two.window,
        two.rate,
        np.minimum(one.low, two.low),
        np.maximum(one.high, two.high),
        np.minimum(one.least, two.least),
        np.maximum(one.repeats, two.repeats),
        np.maximum(one.rails, two.rails),
        np.maximum(one.mains, two.mains),
    )


def of(model: Any) -> SignalLimits | None:
    """Return the limits that a model has: an estimator, a network, features, or a pipeline (its first step).

    >>> of(object()) is None
    True
    """
    return getattr(first_of(model), "signal_limits_", None)


def first_of(model: Any) -> Any:
    """Return the part of a model that reads samples: an estimator, features, or the `Model` of a network."""
    parts = [part for _, part in getattr(model, "steps", [("", model)]) if part not in (None, "passthrough")]
    first = parts[0] if parts else None
    if hasattr(first, "steps"):  # a pipeline in a pipeline
        return first_of(first)
    return getattr(first, "model", first)


def pack(fitted: Any) -> dict[str, Array]:
    """Return the limits of what is fitted as arrays for a file: two, or none."""
    limits: SignalLimits | None = getattr(fitted, "signal_limits_", None)
    if limits is None:
        return {}
    columns = (limits.low, limits.high, limits.least, limits.repeats, limits.rails)
    table = np.column_stack([*columns, limits.mains])
    return {"signal_limits": table, "signal_limits_window": np.array([limits.window, limits.rate])}


def restore(fitted: Any, arrays: dict[str, Array], features: int) -> None:
    """Set the limits that `pack` gave, if a file has any; ValueError where they do not fit."""
    if "signal_limits" not in arrays:
        return
    table, (window, rate) = arrays["signal_limits"], arrays["signal_limits_window"].tolist()
    if table.dtype != np.float64 or table.shape != (features, 7) or np.isnan(table).any():
        raise ValueError(f"signal_limits is not 7 numbers for each of {features} channels")
    if not 2 <= window <= 2**24 or window != round(window) or rate <= 0:
        raise ValueError(f"signal_limits_window is {window} steps at {rate} Hz")
    low, high, least, repeats, rails = table[:, :5].T.copy()
    mains = table[:, 5:].copy()
    fitted.signal_limits_ = SignalLimits(int(window), rate, low, high, least, repeats, rails, mains)
