"""Seeds: what follows from a network's one seed, in independent streams of random numbers."""

from __future__ import annotations

import numpy as np
from numpy.random import Generator, SeedSequence

# The first entry of the spawn key of each stream.
_WEIGHTS, _SHUFFLING, _DROPOUT = 0, 1, 2


def fresh_seed() -> int:
    """Return a seed from the operating system's entropy, below 2^64."""
    return int(SeedSequence().generate_state(1, np.uint64)[0])


def weights_generator(seed: int, layer: int) -> Generator:
    """Return the generator of one layer's initial weights: it depends on the seed and the layer's index.

    >>> bool(weights_generator(1, 0).integers(1000) == weights_generator(1, 0).integers(1000))
    True
    """
    return np.random.default_rng(SeedSequence(seed, spawn_key=(_WEIGHTS, layer)))


def shuffle_key(seed: int) -> int:
    """Return the key from which the order of the sequences in each epoch follows, below 2^64."""
    return _key(seed, _SHUFFLING)


def dropout_key(seed: int) -> int:
    """Return the key from which the dropout masks follow, below 2^64."""
    return _key(seed, _DROPOUT)


def _key(seed: int, stream: int) -> int:
    return int(SeedSequence(seed, spawn_key=(stream,)).generate_state(1, np.uint64)[0])
