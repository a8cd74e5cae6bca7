"""Replay: a recording is sent sample by sample, each at its time, as a device would send it."""

from __future__ import annotations

import math
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Protocol

import numpy as np

from elman.data.sequences import Array

TICK = 0.02  # s between two packets


class Line(Protocol):
    """Where the samples are sent."""

    def push(self, samples: Array, stamps: Array) -> None: ...


@dataclass
class Player:
    """Plays samples (T, F), again and again, at ``rate`` Hz of the clock until ``total`` are `sent`.

    The stamp of a sample is the time at which it was due, even if its packet is late.

    >>> class Printed:
    ...     def push(self, samples, stamps):
    ...         print(samples[:, 0], stamps)
    >>> player = Player(np.arange(3.0)[:, None], rate=10.0, start=5.0, total=math.inf)
    >>> player.play(Printed(), now=5.05), player.play(Printed(), now=5.35)
    [0.] [5.]
    [1. 2. 0.] [5.1 5.2 5.3]
    (True, True)
    """

    samples: Array
    rate: float
    start: float
    total: float
    sent: int = field(default=0, init=False)

    def play(self, line: Line, now: float) -> bool:
        """Send the samples that are due, and return whether more will follow."""
        due = math.floor((now - self.start) * self.rate) + 1
        stop = int(min(due, self.total))
        if stop > self.sent:
            places = np.arange(self.sent, stop)
            line.push(self.samples[places % len(self.samples)], self.start + places / self.rate)
            self.sent = stop
        return stop < self.total

    def run(self, line: Line, clock: Callable[[], float], tell: Callable[[], None]) -> None:
        """Play to the end; ``tell`` is called after each packet."""
        while self.play(line, clock()):
            tell()
            time.sleep(TICK)
