"""Holding out: which sequences are kept from training, to stop it in time and to measure it."""

from __future__ import annotations

from collections.abc import Hashable, Sequence

import numpy as np
from numpy.typing import NDArray

Rows = NDArray[np.int64]


def of_classes(classes: NDArray[np.int64], count: int, seed: int) -> Rows:
    """Return ``count`` rows at most, of every class its share; the last row of a class is never taken.

    Shapes: classes (n,), indices from 0.

    >>> held = of_classes(np.repeat([0, 1, 2], [10, 20, 1]), 3, seed=0)
    >>> [int(place) for place in np.bincount(np.repeat([0, 1, 2], [10, 20, 1])[held])]
    [1, 2]
    """
    order = np.random.default_rng(seed).permutation(len(classes))
    shuffled = classes[order]
    counts = np.bincount(shuffled)
    by_class = np.argsort(shuffled, kind="stable")
    rank = np.empty(len(classes), np.int64)  # of each row among those of its class
    rank[by_class] = np.arange(len(classes)) - np.repeat(np.cumsum(counts) - counts, counts)
    size = counts[shuffled]
    share = np.where(rank < size - 1, (rank + 0.5) / size, np.inf)
    first = np.argsort(share, kind="stable")[:count]
    return np.sort(order[first[np.isfinite(share[first])]])


def of_sets(sets: Sequence[set[Hashable]], count: int, seed: int) -> Rows:
    """Return ``count`` rows at most, such that everything that occurs in any of the sets remains in others.

    Rows whose set is empty are never taken: they could tell nothing.

    >>> of_sets([{"a"}, {"a", "b"}, set()], 2, seed=0).tolist()
    [0]
    """
    left: dict[Hashable, int] = {}
    for each in sets:
        for item in each:
            left[item] = left.get(item, 0) + 1
    held: list[int] = []
    for row in np.random.default_rng(seed).permutation(len(sets)).tolist():
        if len(held) == count:
            break
        if sets[row] and all(left[item] > 1 for item in sets[row]):
            held.append(row)
            for item in sets[row]:
                left[item] -= 1
    return np.array(sorted(held), np.int64)
