"""When the data records of a recording begin: interruptions, clocks that drift, and the step of a time."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from elman.datasets.edf_header import Header

Seconds = NDArray[np.float64]

JITTER = 0.02  # s by which the times in a file may be off, because its writer rounds them
_SLOWEST = 0.02  # the largest drift, as a share of a data record
_GAP = 0.25  # what no drift explains, as a share of a data record
_EXACT = 1e-9  # s, the error of differences of times
_ENOUGH = 10  # steps from record to record that a drift is measured from


def drift(starts: Seconds, header: Header) -> float:
    """Return how much later than its length says each data record begins, 0 where that is no steady drift.

    A recorder whose clock runs 0.4 % slow writes records of 1 s that begin every 1.004 s, without a loss.
    """
    length = float(header.duration)
    if len(starts) <= _ENOUGH or not length:
        return 0.0
    late = np.diff(starts) - length
    median = float(np.median(late))
    off = np.abs(late - median)
    steady = np.mean(off <= 0.001) >= 0.75 and _EXACT < abs(median) <= _SLOWEST * length
    # Where times are rounded, most records begin a little early, and the others make up for it.
    made_up = abs(float(np.mean(late[off <= _GAP * length]))) < abs(median) / 2
    return median if steady and not made_up else 0.0


def backward(starts: Seconds, header: Header) -> int | None:
    """Return the first data record that begins before the one before it has ended, None if there is none."""
    most = max((s.samples for s in header.signals if not s.annotations), default=1)
    allowed = max(JITTER, float(header.duration) / most / 2)
    found = np.flatnonzero(_gaps(starts, header) < -allowed)
    return int(found[0]) + 1 if len(found) else None


def parts(starts: Seconds, header: Header, rate: float) -> list[tuple[int, int]]:
    """Return first and last + 1 data record of each part without a gap.

    In a file that is marked as interrupted, half a sample of ``rate`` is a gap, in one that is marked as
    continuous, more than a rounding. After a gap, the times do not come back to what they were before, as
    they do where they jitter.
    """
    least = 0.5 / rate
    if not header.interrupted:
        least = max(least, JITTER)
    gaps = _gaps(starts, header)
    bounds = (np.flatnonzero(gaps > least + _EXACT) + 1).tolist()
    if bounds:
        late = np.concatenate([[0.0], np.cumsum(gaps)])
        before, after = np.maximum.accumulate(late), np.minimum.accumulate(late[::-1])[::-1]
        bounds = [i for i in bounds if after[i] - before[i - 1] > least + _EXACT]
    return list(zip([0, *bounds], [*bounds, len(starts)], strict=True))


def _gaps(starts: Seconds, header: Header) -> Seconds:
    """Return the time from the end of each data record to the next one, in s, without a drift."""
    return np.diff(starts) - (float(header.duration) + drift(starts, header))


class Clock(NamedTuple):
    """The times of one sequence: ``starts`` of its data records in s, and the steps in each at ``rate``."""

    starts: Seconds
    each: float
    rate: float

    def place(self, time: float) -> float:
        """Return where a time lies, in steps from the first one; the steps of a record follow its own start.

        >>> clock = Clock(np.array([0.0, 1.004, 2.008]), 100.0, 100.0)
        >>> clock.place(0.5), clock.place(1.004), clock.place(3.0)
        (50.0, 100.0, 299.2)
        """
        record = max(int(np.searchsorted(self.starts, time, "right")) - 1, 0)
        within = (time - float(self.starts[record])) * self.rate
        if record < len(self.starts) - 1:  # what lies between two records is where the second begins
            within = min(within, self.each)
        return record * self.each + within
