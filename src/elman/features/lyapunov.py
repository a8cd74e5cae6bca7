"""Lyapunov exponents of windows: how fast neighboring states diverge."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view

from elman._validation import describe, integer, number
from elman.data.sequences import Offsets
from elman.errors import ArgumentValueError
from elman.features.base import Float64
from elman.features.windows import Function, Windowed

COLUMNS = ("largest", "mean", "std", "min", "max")
_BLOCK = 1 << 22  # distances held at once


class LyapunovExponents(Windowed):
    r"""The largest Lyapunov exponent of windows, and mean, spread and range of the local exponents, in 1/s.

    A window x of a channel becomes states $s_i = (x_i, x_{i+d}, ..., x_{i+(m-1)d})$, where m is the dimension
    and d the delay. The neighbor j of i is the nearest state with $|i - j|$ above the separation, and
    $\delta_i(k) = \|s_{i+k} - s_{j+k}\|$ is their distance k samples later. With h the horizon,

    - largest is the slope of the straight line through the mean over i of $\ln \delta_i(k)$ against $k / fs$,
      k from 0 to h (Rosenstein, Collins and De Luca 1993);
    - mean, std, min and max are those of the local exponents $fs \ln(\delta_i(h) / \delta_i(0)) / h$.

    Pairs of equal states have no logarithm and are left out. A window without other pairs, such as a constant
    one, gives five zeros. Güler, Übeyli and Güler (2005) classified EEG by the exponents of windows of 256
    samples; docs/lyapunov.md describes what is known of their method.

    Shapes: (T, F) -> (T', 5 F), T' = 1 + (T - window) // hop windows, the five of channel 0 first. With
    ``window=None`` each sequence is one window and gives one row, so the result is 2-D, (n, 5 F).

    Parameters
    ----------
    fs : float, above 0
        The sampling rate, Hz; 1 gives exponents per sample.
    window : int, at least 2, or None
        Samples per window; None takes the whole sequence.
    hop : int, at least 1, or None
        Samples from the start of a window to the start of the next; None takes half a window.
    dimension, delay : int, at least 1
        Numbers in a state, and samples from one to the next.
    horizon : int, at least 1
        Samples for which neighbors are followed.
    separation : int, at least 0, or None
        Neighbors are more samples apart than this. None takes the mean period of each window, one over the
        mean frequency of its power spectrum, as Rosenstein et al. recommend, but at most a quarter of the
        window's states.

    Raises
    ------
    ValueError, TypeError
        Naming the argument, or the sequence that is shorter than a window. ValueError also if a window is too
        short to follow its states.

    Source: M. T. Rosenstein, J. J. Collins and C. J. De Luca (1993), Physica D 65, 117-134, with the states
    of Takens. A. Wolf et al. (1985), Physica D 16, 285-317, follow one neighbor and replace it.

    >>> import numpy as np
    >>> x = np.empty(1000)
    >>> x[0] = 0.3
    >>> for t in range(999):
    ...     x[t + 1] = 4.0 * x[t] * (1.0 - x[t])
    >>> exponents = LyapunovExponents(fs=1.0, window=None, dimension=2, delay=1, horizon=5, separation=1)
    >>> bool(abs(exponents.fit_transform([x])[0, 0] - np.log(2)) < 0.05)
    True
    """

    def __init__(
        self,
        fs: Any,
        window: Any = 256,
        hop: Any = None,
        *,
        dimension: Any = 7,
        delay: Any = 2,
        horizon: Any = 20,
        separation: Any = None,
    ) -> None:
        self.fs = fs
        self.window = window
        self.hop = hop
        self.dimension = dimension
        self.delay = delay
        self.horizon = horizon
        self.separation = separation

    def _cut(self) -> tuple[int | None, int]:
        if self.window is None:
            if self.hop is not None:
                raise ArgumentValueError("hop", f"is {describe(self.hop)}", "None with window None")
            return None, 1
        window = integer("window", self.window, 2)
        return window, window // 2 if self.hop is None else integer("hop", self.hop, 1)

    def check_parameters(self) -> None:
        number("fs", self.fs, positive=True)
        integer("dimension", self.dimension, 1)
        integer("delay", self.delay, 1)
        integer("horizon", self.horizon, 1)
        if self.separation is not None:
            integer("separation", self.separation)
        super().check_parameters()

    def _function(self, window: int) -> Function:
        fs, h = float(self.fs), int(self.horizon)
        reach = np.arange(int(self.dimension)) * int(self.delay)  # of a state
        n = window - int(reach[-1]) - h  # states that can be followed
        least = 4 if self.separation is None else 2 * int(self.separation) + 2
        if n < least:
            raise ArgumentValueError(
                f"a window of {window} samples",
                f"has {max(n, 0)} states that can be followed (window - (dimension - 1) delay - horizon)",
                f"at least {least}: take a longer window",
            )
        slope = np.arange(h + 1) - h / 2.0  # least squares against k, for equally spaced k
        slope /= np.sum(slope**2)

        def exponents(windows: Float64) -> Float64:
            windows = np.ascontiguousarray(windows)
            out = np.zeros((*windows.shape[:2], len(COLUMNS)))
            for row, channels in zip(out, windows, strict=True):
                for five, x in zip(row, channels, strict=True):
                    separation = self.separation
                    if separation is None:
                        separation = min(_mean_period(x), n // 4)
                    apart = _followed(x, neighbors(x, n, reach, separation), n, reach, h)
                    known = np.isfinite(apart)
                    counts = known.sum(axis=0)
                    if counts.all():
                        mean = np.sum(apart, axis=0, where=known) / counts
                        five[0] = fs * (slope @ mean)
                    both = known[:, 0] & known[:, h]
                    if both.any():
                        local = (fs / h) * (apart[both, h] - apart[both, 0])
                        five[1:] = local.mean(), local.std(), local.min(), local.max()
            return out.reshape(len(windows), -1)

        return exponents

    def _names(self, channels: list[str]) -> list[str]:
        return [f"{channel}_lyapunov_{column}" for channel in channels for column in COLUMNS]


def neighbors(x: Float64, n: int, reach: Offsets, separation: int) -> Offsets:
    """Return the nearest state more than ``separation`` samples away, for each of the first n states of x."""
    from scipy.spatial.distance import cdist

    states = np.ascontiguousarray(sliding_window_view(x, int(reach[-1]) + 1)[:n, reach])
    near = np.abs(np.arange(1 - n, n)) <= separation
    too_near = sliding_window_view(near, n)[::-1]  # (n, n), of i and j
    nearest = np.empty(n, np.int64)
    size = max(1, _BLOCK // n)
    for first in range(0, n, size):
        rows = slice(first, first + size)
        distances = cdist(states[rows], states, "sqeuclidean")
        np.copyto(distances, np.inf, where=too_near[rows])
        nearest[rows] = distances.argmin(axis=1)
    return nearest


def _followed(x: Float64, nearest: Offsets, n: int, reach: Offsets, horizon: int) -> Float64:
    """Return ln of the distance between each state and its neighbor k samples later, (n, horizon + 1)."""
    view = sliding_window_view(x, int(reach[-1]) + horizon + 1)
    squares = view[:n] - view[nearest]
    squares *= squares
    total = np.zeros((n, horizon + 1))
    for lag in reach.tolist():
        total += squares[:, lag : lag + horizon + 1]
    with np.errstate(divide="ignore"):
        return 0.5 * np.log(total)


def _mean_period(x: Float64) -> int:
    """Return one over the mean frequency of the power spectrum, in whole samples; 0 for a constant."""
    from scipy.fft import rfft

    power = np.abs(rfft(x - x.mean())) ** 2
    weight = float(np.arange(len(power)) @ power)
    return math.ceil(len(x) * power.sum() / weight) if weight > 0.0 else 0
