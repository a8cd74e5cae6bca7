"""Latencies: their median, 95 % quantile and maximum, in constant memory."""

from __future__ import annotations

import math
from collections import deque

import numpy as np

from elman.data.sequences import Array

_FINEST = 1e-5  # s: smaller ones share a bin
_RATIO = 1.02  # of one bin to the one before
_BINS = 1 + math.ceil(math.log(1e6 / _FINEST) / math.log(_RATIO))


class Latencies:
    """Seconds from a sample to its answer, counted in bins that are 2 % wide; the last ``recent`` are kept.

    >>> seen = Latencies()
    >>> seen.add(np.array([0.010, 0.011, 0.012]))
    >>> [round(seconds, 3) for seconds in (seen.quantile(0.5), seen.largest)]
    [0.011, 0.012]
    """

    def __init__(self, recent: int = 1000) -> None:
        self._counts = np.zeros(_BINS, np.int64)
        self._recent: deque[float] = deque(maxlen=recent)
        self.largest = math.nan

    def add(self, seconds: Array) -> None:
        """Count latencies (k,); negative ones (two clocks never agree exactly) count as 0."""
        if not len(seconds):
            return
        bins = np.log(np.maximum(seconds, _FINEST) / _FINEST) / math.log(_RATIO)
        np.add.at(self._counts, np.minimum(bins.astype(np.int64), _BINS - 1), 1)
        self._recent.extend(seconds[-(self._recent.maxlen or 0) :].tolist())
        self.largest = float(np.fmax(self.largest, seconds.max()))

    def quantile(self, share: float) -> float:
        """Return the quantile of ``share``, from 0 to 1, to 1 %; NaN before the first latency."""
        total = self._counts.sum()
        if not total:
            return math.nan
        place = int(np.searchsorted(np.cumsum(self._counts), share * total))
        return min(float(_FINEST * _RATIO ** (place + 0.5)), self.largest)

    def summary(self) -> dict[str, float]:
        """Return the median, the 95 % quantile and the maximum of all, in seconds."""
        return {"median": self.quantile(0.5), "p95": self.quantile(0.95), "max": self.largest}

    def live(self) -> dict[str, float]:
        """Return the same for the last ``recent`` latencies."""
        if not self._recent:
            return dict.fromkeys(("median", "p95", "max"), math.nan)
        median, high, largest = np.quantile(np.array(self._recent), [0.5, 0.95, 1.0])
        return {"median": float(median), "p95": float(high), "max": float(largest)}
