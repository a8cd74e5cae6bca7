"""The work that is measured: sizes, data and starting weights, the same numbers for every peer.

B sequences a minibatch, T steps, F inputs, H hidden units, C outputs. Everything is float32.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

LEARNING_RATE = 1e-3
GATES = {"rnn": 1, "gru": 3, "lstm": 4}


@dataclass(frozen=True)
class Case:
    """A recurrent and a dense layer, trained with Adam on `batches` minibatches, `epochs` times over."""

    name: str
    batch: int
    steps: int
    features: int
    units: int
    outputs: int
    per_step: bool
    loss: str  # "cross_entropy" (softmax) or "binary_cross_entropy" (sigmoid)
    batches: int
    epochs: int = 1
    cell: str = "rnn"  # of GATES

    @property
    def updates(self) -> int:
        """Updates in one timed call."""
        return self.batches * self.epochs

    @property
    def flops(self) -> int:
        """Multiplications and additions in the matrix products of one update, forward and backward."""
        answers = self.batch * (self.steps if self.per_step else 1)
        return 6 * (
            self.batch * self.steps * (self.features + self.units) * self.units * GATES[self.cell]
            + answers * self.units * self.outputs
        )

    def data(self, batches: int | None = None) -> tuple[NDArray[np.float32], NDArray[np.generic]]:
        """X (n, T, F) and the answers: classes (n,) or (n, T), or bits (n, T, C)."""
        rng = np.random.default_rng(0)
        n = self.batch * (self.batches if batches is None else batches)
        if self.name.startswith("adder"):
            return _additions(rng, n)
        if self.name == "letters":
            return np.eye(5, dtype=np.float32)[np.arange(n) % 5][:, None, :], (np.arange(n) + 1) % 5
        if self.name.startswith("char"):
            text = rng.integers(self.features, size=(n, self.steps + 1))
            return np.eye(self.features, dtype=np.float32)[text[:, :-1]], text[:, 1:].copy()
        signal = np.cumsum(rng.standard_normal((n, self.steps, self.features)), axis=1)
        return (signal / signal.std()).astype(np.float32), rng.integers(self.outputs, size=n)

    def weights(self) -> dict[str, NDArray[np.float32]]:
        """Starting weights by elman's names."""
        return weights(self.features, self.units, self.outputs, self.cell)


def weights(features: int, units: int, outputs: int, cell: str = "rnn") -> dict[str, NDArray[np.float32]]:
    """Kernel (F, GH), recurrent_kernel (H, GH), bias (GH,), a GRU's recurrent_bias; the readout's two."""
    columns = GATES[cell] * units
    rng = np.random.default_rng(1)
    bound = 1 / np.sqrt(units)

    def draw(*shape: int) -> NDArray[np.float32]:
        return rng.uniform(-bound, bound, shape).astype(np.float32)

    own = {"kernel": draw(features, columns), "recurrent_kernel": draw(units, columns), "bias": draw(columns)}
    if cell == "gru":
        own["recurrent_bias"] = draw(columns)
    return {f"0.{name}": w for name, w in own.items()} | {
        "1.kernel": draw(units, outputs),
        "1.bias": draw(outputs),
    }


def _additions(rng: np.random.Generator, n: int) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """Pairs of 7-bit numbers and their 8-bit sums, least significant bit first."""
    pairs = rng.integers(128, size=(n, 2))
    bits = np.arange(8)
    x = (pairs[:, None, :] >> bits[:, None]) & 1
    y = (pairs.sum(axis=1)[:, None] >> bits) & 1
    return x.astype(np.float32), y[:, :, None].astype(np.float32)


# fmt: off
_ALL = [
    #    name       B   T    F   H    C   per step  loss               batches, epochs
    Case("adder", 1, 8, 2, 16, 1, True, "binary_cross_entropy", 10_000),
    Case("letters", 5, 1, 5, 3, 5, False, "cross_entropy", 1, 10_000),
    Case("eeg32", 32, 178, 1, 32, 5, False, "cross_entropy", 100),
    Case("eeg64", 64, 178, 1, 64, 5, False, "cross_entropy", 50),
    Case("eeg128", 64, 178, 1, 128, 5, False, "cross_entropy", 25),
    Case("char256", 32, 128, 64, 256, 64, True, "cross_entropy", 20),
    Case("char512", 64, 128, 64, 512, 64, True, "cross_entropy", 20),
]
# fmt: on
_ALL += [
    replace(case, name=f"{case.name}-{cell}", cell=cell, batches=max(2, case.batches // 4))
    for cell in ("gru", "lstm")
    for case in _ALL
    if case.name != "letters"
]
CASES = {case.name: case for case in _ALL}

# One streamed step: F8 H64 and a softmax over C4.
STREAM = Case("stream", 1, 1000, 8, 64, 4, True, "cross_entropy", 1)
