"""What a monitor shows: the last seconds of the signal, the last answer, a minute of history."""

from __future__ import annotations

import math
from collections import deque
from collections.abc import Sequence

import numpy as np

from elman.data.sequences import Array
from elman.monitoring.description import Description
from elman.monitoring.latency import Latencies
from elman.monitoring.monitor import Monitor

SECONDS = 5.0  # of signal
HISTORY = 60  # s of the largest value of the alarm in each


class Seen:
    """What a monitor shows. ``monitor`` is None until there is a stream.

    ``shares`` says whether the outputs are probabilities.
    """

    def __init__(self, title: str, outputs: Sequence[str], shares: bool) -> None:
        self.title, self.outputs, self.shares = title, list(outputs), shares
        self.monitor: Monitor | None = None
        self.description: Description | None = None
        self.connected = False
        self.latencies = Latencies()
        self.values: Array | None = None
        self.history: deque[float] = deque([math.nan] * HISTORY, maxlen=HISTORY)
        self._second: int | None = None
        self._signal: Array | None = None
        self._kept = 2

    @property
    def followed(self) -> int | None:
        """The index of the output that raises the alarm; None without an alarm."""
        alarm = None if self.monitor is None else self.monitor.alarm
        return None if alarm is None else alarm.index

    def add(self, samples: Array, rate: float | None) -> None:
        """Remember samples (k, F) of a stream with ``rate`` Hz as long as they are shown."""
        self._kept = max(round(SECONDS * (rate or 20.0)), 2)
        before = samples[:0] if self._signal is None else self._signal
        self._signal = np.concatenate([before, samples])[-self._kept :]

    def signal(self, channel: int) -> Array:
        """Return the last seconds of a channel, NaN before its first sample."""
        values = np.empty(0) if self._signal is None else self._signal[:, channel]
        return np.concatenate([np.full(max(self._kept - len(values), 0), np.nan), values])

    def answer(self, values: Array, now: float) -> None:
        """Remember an answer, given at ``now`` seconds of any clock."""
        self.values = values
        if self.followed is None:
            return
        value = float(values[self.followed])
        if self._second is None:
            self._second = int(now) - 1
        passed = int(now) - self._second
        if passed == 0:
            self.history[-1] = float(np.fmax(self.history[-1], value))
        else:
            self.history.extend([math.nan] * min(max(passed - 1, 0), HISTORY) + [value])
            self._second = int(now)
