"""The work that is measured: sizes, data and starting weights, the same numbers for every peer.

B sequences a minibatch, T steps, F inputs, H hidden units, C outputs. Numbers are drawn in float32; float64
cases have the same ones.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

LEARNING_RATE = 1e-3
GATES = {"rnn": 1, "gru": 3, "lstm": 4}
Real = NDArray[np.floating[Any]]


@dataclass(frozen=True)
class Case:
    """A recurrent and a dense layer, trained with Adam on `batches` minibatches, `epochs` times over."""

    name: str
    batch: int
    steps: int
    features: int
    units: int
    outputs: int
    readout: str  # of each "step", of the "last", of the "mean" over the steps
    kind: str  # of data: "bits" (sigmoid, binary cross-entropy), "letters", "text", "signal" (softmax)
    batches: int
    epochs: int = 1
    cell: str = "rnn"  # of GATES
    dtype: str = "float32"
    shortest: int | None = None  # ragged: lengths are uniform in shortest .. steps

    @property
    def per_step(self) -> bool:
        """Whether there is an answer to each step."""
        return self.readout == "step"

    @property
    def loss(self) -> str:
        """Name the loss as elman does."""
        return "binary_cross_entropy" if self.kind == "bits" else "cross_entropy"

    @property
    def sizes(self) -> dict[str, int]:
        """B T F H C."""
        return dict(
            zip("BTFHC", (self.batch, self.steps, self.features, self.units, self.outputs), strict=True)
        )

    @property
    def updates(self) -> int:
        """Updates in one timed call."""
        return self.batches * self.epochs

    @property
    def flops(self) -> int:
        """Floating-point operations in the matrix products that one update needs, a multiply-add being two.

        Backward there are two products for each one forward, but none for the inputs' own gradient. The
        states before the first step are zeros, and need no products. Of a ragged case: the mean update.
        """
        columns = GATES[self.cell] * self.units
        steps = int(self.lengths().sum()) // self.batches
        answers = steps if self.per_step else self.batch
        return (
            4 * steps * self.features * columns
            + 6 * (steps - self.batch) * self.units * columns
            + 6 * answers * self.units * self.outputs
        )

    def lengths(self, batches: int | None = None) -> NDArray[np.int64]:
        """Steps of each sequence, (n,)."""
        n = self.batch * (self.batches if batches is None else batches)
        if self.shortest is None:
            return np.full(n, self.steps)
        return np.random.default_rng(2).integers(self.shortest, self.steps + 1, size=n)

    def data(self, batches: int | None = None) -> tuple[Real, NDArray[Any]]:
        """X (n, T, F), zeros after a sequence's end, and the answers: classes (n,) or (n, T), or bits."""
        n = self.batch * (self.batches if batches is None else batches)
        x, y = DRAW[self.kind](self, np.random.default_rng(0), n)
        x = x.astype(np.float32).astype(self.dtype)
        if self.shortest is not None:
            x[np.arange(self.steps) >= self.lengths(batches)[:, None]] = 0
        return x, y.astype(self.dtype) if self.kind == "bits" else y

    def ticks(self) -> list[Real]:
        """What a stream is given step by step, (B, F)."""
        return list(np.ascontiguousarray(self.data(1)[0].swapaxes(0, 1)))

    def weights(self) -> dict[str, Real]:
        """Starting weights by elman's names: a kernel (F, GH), a recurrent_kernel (H, GH) and so on."""
        columns = GATES[self.cell] * self.units
        rng = np.random.default_rng(1)
        bound = 1 / np.sqrt(self.units)

        def draw(*shape: int) -> Real:
            return rng.uniform(-bound, bound, shape).astype(np.float32).astype(self.dtype)

        own = {
            "kernel": draw(self.features, columns),
            "recurrent_kernel": draw(self.units, columns),
            "bias": draw(columns),
        }
        if self.cell == "gru":
            own["recurrent_bias"] = draw(columns)
        return {f"0.{name}": w for name, w in own.items()} | {
            "1.kernel": draw(self.units, self.outputs),
            "1.bias": draw(self.outputs),
        }


def _bits(case: Case, rng: np.random.Generator, n: int) -> tuple[NDArray[Any], NDArray[Any]]:
    """Pairs of 7-bit numbers and their 8-bit sums, least significant bit first."""
    pairs = rng.integers(128, size=(n, 2))
    bits = np.arange(8)
    return (pairs[:, None, :] >> bits[:, None]) & 1, ((pairs.sum(axis=1)[:, None] >> bits) & 1)[:, :, None]


def _letters(case: Case, rng: np.random.Generator, n: int) -> tuple[NDArray[Any], NDArray[Any]]:
    """Each of five letters, and the next."""
    return np.eye(5)[np.arange(n) % 5][:, None, :], (np.arange(n) + 1) % 5


def _text(case: Case, rng: np.random.Generator, n: int) -> tuple[NDArray[Any], NDArray[Any]]:
    """One-hot characters, and the next at each step."""
    text = rng.integers(case.features, size=(n, case.steps + 1))
    return np.eye(case.features, dtype=np.float32)[text[:, :-1]], text[:, 1:].copy()


def _signal(case: Case, rng: np.random.Generator, n: int) -> tuple[NDArray[Any], NDArray[Any]]:
    """Random walks, and a class each."""
    signal = np.cumsum(rng.standard_normal((n, case.steps, case.features)), axis=1)
    return signal / signal.std(), rng.integers(case.outputs, size=n)


DRAW = {"bits": _bits, "letters": _letters, "text": _text, "signal": _signal}

# fmt: off
_ALL = [
    #    name         B   T    F    H     C    readout of  kind      batches, epochs
    Case("adder",     1,  8,   2,   16,   1,   "step",     "bits",   10_000),
    Case("letters",   5,  1,   5,   3,    5,   "last",     "letters", 1, 10_000),
    Case("eeg32",     32, 178, 1,   32,   5,   "last",     "signal", 100),
    Case("eeg64",     64, 178, 1,   64,   5,   "last",     "signal", 50),
    Case("eeg128",    64, 178, 1,   128,  5,   "last",     "signal", 25),
    Case("spectral",  32, 125, 34,  32,   5,   "mean",     "signal", 100),
    Case("char256",   32, 128, 64,  256,  64,  "step",     "text",   20),
    Case("char512",   64, 128, 64,  512,  64,  "step",     "text",   12),
    Case("wide",      64, 64,  128, 1024, 128, "step",     "text",   8),
]
# fmt: on
_ALL += [
    replace(case, name=f"{case.name}-{cell}", cell=cell, batches=max(2, case.batches // 4))
    for cell in ("gru", "lstm")
    for case in _ALL
    if case.name != "letters"
]
CASES = {case.name: case for case in _ALL}
CASES["eeg64-ragged"] = replace(CASES["eeg64"], name="eeg64-ragged", steps=500, shortest=10, batches=20)

# One streamed step: F8 H64 and a softmax over C4; and 64 streams at once.
STREAM = Case("stream", 1, 1000, 8, 64, 4, "step", "signal", 1)
STREAMS = replace(STREAM, name="streams", batch=64)
