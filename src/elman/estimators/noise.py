"""Noise on the training input."""

from __future__ import annotations

import numpy as np

from elman.data.sequences import Array


class InputNoise:
    """Fresh Gaussian noise on the training input before each epoch; it follows from seed and epoch alone.

    ``values`` are changed in place: they are what the engine reads.
    """

    def __init__(self, values: Array, deviation: float, seed: int) -> None:
        self.values, self.clean, self.deviation, self.seed = values, values.copy(), deviation, seed

    def __call__(self, epoch: int) -> None:
        rng = np.random.default_rng(np.random.SeedSequence(self.seed, spawn_key=(2, epoch)))
        rng.standard_normal(out=self.values, dtype=self.values.dtype)
        self.values *= self.deviation
        self.values += self.clean
