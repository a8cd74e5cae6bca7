"""Learning rates that follow a schedule: callables update -> rate, counted from 0."""

from __future__ import annotations

import math
from dataclasses import dataclass

from elman._validation import integer, normalize, number


@dataclass(frozen=True)
class CosineDecay:
    """A rate that falls along half a cosine: rate (1 + cos(pi u / updates)) / 2, and 0 from there on.

    Shapes: none; call it with an update, counted from 0. ValueError for rates below 0 or updates below 1.

    >>> CosineDecay(0.1, 10)(5)
    0.05
    """

    rate: float
    updates: int

    def __post_init__(self) -> None:
        normalize(self, rate=number("rate", self.rate), updates=integer("updates", self.updates, 1))

    def __call__(self, update: int) -> float:
        return self.rate * (1.0 + math.cos(math.pi * min(update / self.updates, 1.0))) / 2.0


@dataclass(frozen=True)
class OneCycle:
    """A rate that climbs from rate/25 to rate in the first 30 % of the updates, then falls to rate/250,000.

    Both parts are half cosines, as PyTorch's OneCycleLR; after ``updates`` the last rate stays. ValueError
    for rates below 0 or updates below 1.

    Reference: L. N. Smith and N. Topin (2018), Super-convergence, arXiv:1708.07120.

    >>> round(OneCycle(0.1, 101)(0), 6)
    0.004
    """

    rate: float
    updates: int

    def __post_init__(self) -> None:
        normalize(self, rate=number("rate", self.rate), updates=integer("updates", self.updates, 1))

    def __call__(self, update: int) -> float:
        top = max(0.3 * self.updates - 1.0, 0.0)
        end = self.updates - 1.0
        low, last = self.rate / 25.0, self.rate / 250_000.0
        if update < top:
            return _half_cosine(low, self.rate, update / top)
        return _half_cosine(self.rate, last, min((update - top) / (end - top), 1.0) if end > top else 1.0)


def _half_cosine(start: float, end: float, fraction: float) -> float:
    return end + (start - end) * (1.0 + math.cos(math.pi * fraction)) / 2.0
