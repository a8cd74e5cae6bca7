"""The three depths of anaesthesia, and distributions of the change of BIS."""

from __future__ import annotations

from typing import Any

import numpy as np

from elman._validation import refuse_mask
from elman.anaesthesia.pharmacology import Floats
from elman.data.sequences import Array

DEEP, LIGHT = 40.0, 60.0  # BIS: adequate from 40 to 60, both included
DEPTHS = ("deep", "adequate", "light")
HIGHEST = 98.0  # the range of a monitor

_STEPS = (
    *(0.6, 1.2, 1.8, 2.4, 3.0, 3.7, 4.4, 5.2, 6.0, 7.0, 8.0, 9.0, 10.5, 12.0, 13.5, 15.5, 18.0, 21.0),
    *(25.0, 30.0, 40.0, 60.0, 100.0),
)
# The edges of the 46 bins of the change of BIS, which are narrow where most changes are.
EDGES: Floats = np.array([*(-step for step in reversed(_STEPS)), 0.0, *_STEPS])


def depth(bis: Any) -> Array:
    """Return 0 (deep, below 40), 1 (adequate, 40 to 60) or 2 (light, above 60) for each BIS.

    >>> depth([39.9, 40, 60, 60.1]).tolist()
    [0, 1, 1, 2]
    """
    refuse_mask("bis", bis)
    values = np.asarray(bis, np.float64)
    kinds: Array = np.where(values < DEEP, 0, np.where(values > LIGHT, 2, 1))
    return kinds


def median(shares: Floats, last: Floats) -> Floats:
    """Return the median BIS of distributions (N, 46) of its change from ``last`` (N,), linear within bins."""
    below = np.cumsum(shares, axis=1)
    place = np.minimum((below < 0.5).sum(axis=1), shares.shape[1] - 1)
    rows = np.arange(len(shares))
    inside = shares[rows, place]
    before = below[rows, place] - inside
    part = np.clip((0.5 - before) / np.where(inside > 0, inside, 1.0), 0.0, 1.0)
    change = EDGES[place] + part * (EDGES[place + 1] - EDGES[place])
    result: Floats = np.clip(last + change, 0.0, HIGHEST)
    return result


def depth_shares(shares: Floats, last: Floats) -> Floats:
    """Return the probabilities (N, 3) of deep, adequate and light, linear within bins."""
    deep, not_light = (_below(shares, limit - last) for limit in (DEEP, LIGHT))
    return np.column_stack([deep, not_light - deep, 1.0 - not_light])


def _below(shares: Floats, change: Floats) -> Floats:
    """Return the probability that each change is below its own limit, (N,)."""
    sums = np.concatenate([np.zeros((len(shares), 1)), np.cumsum(shares, axis=1)], axis=1)
    place = np.clip(np.searchsorted(EDGES, change, side="right") - 1, 0, len(EDGES) - 2)
    rows = np.arange(len(shares))
    part = np.clip((change - EDGES[place]) / (EDGES[place + 1] - EDGES[place]), 0.0, 1.0)
    below: Floats = sums[rows, place] + part * (sums[rows, place + 1] - sums[rows, place])
    share: Floats = below / sums[:, -1]
    return share
