"""Article 003: a network learns to add two binary numbers bit by bit, with the carry.

The article's program, its weights and its numbers (legacy generator, seed 0) in elman: the bits enter least
significant first, sixteen sigmoid units read them, one sigmoid output says the bit of the sum. float64, no
biases, rate 0.1, one update a sum.
"""

from __future__ import annotations

import copy
from dataclasses import dataclass
from pathlib import Path
from time import perf_counter

import numpy as np
from numpy.typing import NDArray

import elman
from elman import plotting
from elman.demos._demo import Demo, table
from elman.plotting import style

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]

BITS = 8
HIDDEN = 16
RATE = 0.1
ITERATIONS = 10_000
REPORT_EVERY = 1_000
SHOWN_SUM = (93, 58)


@dataclass(frozen=True)
class Block:
    """The lines that the article prints every thousand iterations; ``error`` is the text in brackets."""

    error: str
    predicted: int
    a: int
    b: int

    def __str__(self) -> str:
        return (
            f"Error:[{self.error}]\nPred:[{_spaced(self.predicted)}]\nTrue:[{_spaced(self.a + self.b)}]\n"
            f"{self.a} + {self.b} = {self.predicted}\n------------"
        )


# The transcript printed in the article; str() of each block gives its five lines.
ARTICLE = (
    Block(" 3.45638663", 1, 9, 60),
    Block(" 3.63389116", 255, 28, 35),
    Block(" 3.91366595", 72, 116, 44),
    Block(" 3.72191702", 223, 4, 73),
    Block(" 3.5852713", 8, 71, 11),
    Block(" 2.53352328", 162, 81, 113),
    Block(" 0.57691441", 81, 81, 0),
    Block(" 1.42589952", 129, 4, 125),
    Block(" 0.47477457", 56, 39, 17),
    Block(" 0.21595037", 14, 11, 3),
)


@dataclass(frozen=True)
class Start:
    """All random numbers of the article, in its order."""

    kernel: Floats  # (2, 16), the article's synapse_0
    readout: Floats  # (16, 1), synapse_1
    recurrent: Floats  # (16, 16), synapse_h
    a: Ints  # (10000,)
    b: Ints


@dataclass(frozen=True)
class AdderResult:
    """The result of training, and that of the article's own loop."""

    blocks: tuple[Block, ...]
    plain_blocks: tuple[Block, ...]
    seconds: float  # the ten fit runs and the ten predictions between them
    plain_seconds: float
    shares: tuple[float, ...]  # share of all sums right before iteration 0, 1000, ..., and after the last
    right: int
    total: int
    shown_states: Floats  # (8, 16): hidden states while SHOWN_SUM is added

    @property
    def as_in_article(self) -> bool:
        """Whether three transcripts are the same: elman's, the article's, and that of its loop run now."""
        return self.blocks == ARTICLE == self.plain_blocks


def draw_start(iterations: int = ITERATIONS) -> Start:
    """Draw in the article's order: three weight matrices, then a and b in turn for every iteration."""
    generator = np.random.RandomState(0)
    kernel = 2 * generator.random_sample((2, HIDDEN)) - 1
    readout = 2 * generator.random_sample((HIDDEN, 1)) - 1
    recurrent = 2 * generator.random_sample((HIDDEN, HIDDEN)) - 1
    pairs = np.array(
        [[generator.randint(128), generator.randint(128)] for _ in range(iterations)], dtype=np.int64
    )
    return Start(kernel, readout, recurrent, pairs[:, 0], pairs[:, 1])


def bits(numbers: Ints) -> Floats:
    """Return the bits of each number, (n, 8), the least significant first: the order of the carry."""
    return ((numbers[:, None] >> np.arange(BITS)) & 1).astype(np.float64)


def build(start: Start) -> elman.Network:
    """Build the article's network with the article's weights."""
    net = elman.Network(
        [
            elman.SimpleRNN(HIDDEN, activation="sigmoid", use_bias=False, return_sequences=True),
            elman.Dense(1, activation="sigmoid", use_bias=False),
        ],
        input_size=2,
        dtype="float64",
        seed=0,
    )
    net.weights["0.kernel"][...] = start.kernel
    net.weights["0.recurrent_kernel"][...] = start.recurrent
    net.weights["1.kernel"][...] = start.readout
    return net


def all_sums(net: elman.Network) -> tuple[int, int]:
    """Return the number of sums of two 7-bit numbers that are right in every bit, and of all sums."""
    a, b = (grid.ravel() for grid in np.meshgrid(np.arange(128), np.arange(128), indexing="ij"))
    answer = np.round(net.predict(np.stack([bits(a), bits(b)], axis=2))[:, :, 0])
    return int((answer == bits(a + b)).all(axis=1).sum()), a.size


def run() -> AdderResult:
    """Train with elman and with the article's own loop, side by side."""
    start = draw_start()
    net = build(start)
    x = np.stack([bits(start.a), bits(start.b)], axis=2)  # (10000, 8, 2)
    y = bits(start.a + start.b)[:, :, None]  # (10000, 8, 1)
    blocks, shares, seconds = [], [], 0.0
    for first in range(0, ITERATIONS, REPORT_EVERY):
        shares.append(np.divide(*all_sums(net)))
        rows = slice(first, first + REPORT_EVERY)
        clock = perf_counter()
        # The article prints what the network says before it learns from the sum.
        output = net.predict(x[first : first + 1])[0, :, 0]
        net.fit(
            x[rows],
            y[rows],
            loss="squared_error",
            optimizer=elman.SGD(RATE),
            reduction="sum",
            batch_size=1,
            epochs=1,
            shuffle=False,
            verbose=False,
        )
        seconds += perf_counter() - clock
        blocks.append(block(output, y[first, :, 0], int(start.a[first]), int(start.b[first])))
    right, total = all_sums(net)
    shares.append(right / total)
    clock = perf_counter()
    plain_blocks = plain_loop(start)
    plain_seconds = perf_counter() - clock
    shown = np.stack([bits(np.array([number])) for number in SHOWN_SUM], axis=2)
    return AdderResult(
        blocks=tuple(blocks),
        plain_blocks=tuple(plain_blocks),
        seconds=seconds,
        plain_seconds=plain_seconds,
        shares=tuple(float(share) for share in shares),
        right=right,
        total=total,
        shown_states=net.states(shown)[0][0],
    )


def block(output: Floats, truth: Floats, a: int, b: int) -> Block:
    """Make the five lines of one iteration from its eight outputs, least significant first."""
    error = np.zeros(1)
    for position in range(BITS):  # added one by one, as the article does: the last digit hangs on the order
        error += abs(truth[position] - output[position])
    return Block(as_numpy_1_13(error), int(np.round(output) @ (1 << np.arange(BITS))), a, b)


def as_numpy_1_13(error: Floats) -> str:
    """Return the text in brackets; the NumPy of the article left a blank for a sign."""
    return np.array2string(error, precision=8, legacy="1.13")[1:-1]


def plain_loop(start: Start) -> list[Block]:
    """Run the article's program, line by line in NumPy: the reference for digits and time."""
    synapse_0, synapse_1, synapse_h = start.kernel.copy(), start.readout.copy(), start.recurrent.copy()
    int2binary = np.unpackbits(np.arange(256, dtype=np.uint8)[:, None], axis=1)
    synapse_0_update = np.zeros_like(synapse_0)
    synapse_1_update = np.zeros_like(synapse_1)
    synapse_h_update = np.zeros_like(synapse_h)
    blocks = []
    for j, (a_int, b_int) in enumerate(zip(start.a.tolist(), start.b.tolist(), strict=True)):
        a, b, c = int2binary[a_int], int2binary[b_int], int2binary[a_int + b_int]
        d = np.zeros_like(c)
        error = np.zeros(1)
        deltas = []
        states = [np.zeros((1, HIDDEN))]
        for position in range(BITS):
            x = np.array([[a[BITS - position - 1], b[BITS - position - 1]]])
            y = np.array([[c[BITS - position - 1]]]).T
            layer_1 = _sigmoid(np.dot(x, synapse_0) + np.dot(states[-1], synapse_h))
            layer_2 = _sigmoid(np.dot(layer_1, synapse_1))
            miss = y - layer_2
            deltas.append(miss * layer_2 * (1 - layer_2))
            error += np.abs(miss[0])
            d[BITS - position - 1] = np.round(layer_2[0][0])
            states.append(copy.deepcopy(layer_1))
        future = np.zeros((1, HIDDEN))
        for position in range(BITS):
            x = np.array([[a[position], b[position]]])
            layer_1, previous, delta_2 = states[-position - 1], states[-position - 2], deltas[-position - 1]
            delta_1 = (future.dot(synapse_h.T) + delta_2.dot(synapse_1.T)) * (layer_1 * (1 - layer_1))
            synapse_1_update += layer_1.T.dot(delta_2)
            synapse_h_update += previous.T.dot(delta_1)
            synapse_0_update += x.T.dot(delta_1)
            future = delta_1
        synapse_0 += synapse_0_update * RATE
        synapse_1 += synapse_1_update * RATE
        synapse_h += synapse_h_update * RATE
        synapse_0_update *= 0
        synapse_1_update *= 0
        synapse_h_update *= 0
        if j % REPORT_EVERY == 0:
            blocks.append(Block(as_numpy_1_13(error), int(np.packbits(d)[0]), a_int, b_int))
    return blocks


def describe(result: AdderResult) -> str:
    """Return the result as text and small tables."""
    transcript = "\n".join(map(str, result.blocks))
    same = "the same" if result.as_in_article else "NOT the same"
    rows = [
        ("elman", f"{result.seconds:.3f}", f"{1e6 * result.seconds / ITERATIONS:.1f}"),
        (
            "the article's loop in NumPy",
            f"{result.plain_seconds:.3f}",
            f"{1e6 * result.plain_seconds / ITERATIONS:.1f}",
        ),
    ]
    return (
        f"{transcript}\n\nThis transcript, the article's, and that of the article's loop run just now are "
        f"{same} in "
        f"every digit.\nAfter {ITERATIONS:,} iterations {result.right:,} of all {result.total:,} sums of "
        f"two 7-bit "
        f"numbers are right ({result.right / result.total:.2%}).\n\n"
        + table(("10,000 iterations", "seconds", "microseconds each"), rows, right=(1, 2))
        + f"\n\n  elman is {result.plain_seconds / result.seconds:.0f} times faster.\n"
    )


def headline(result: AdderResult) -> str:
    """Return the result in one line, for the closing table."""
    transcript = "transcript exact" if result.as_in_article else "transcript DIFFERS"
    return (
        f"{transcript}, {result.right / result.total:.1%} of all sums, "
        f"{result.plain_seconds / result.seconds:.0f} times NumPy's speed"
    )


def draw(result: AdderResult, folder: Path) -> list[Path]:
    """Save the pictures and return their paths."""
    figure = style.new_figure(9.6, 3.8)
    left, right = figure.subplots(1, 2, width_ratios=(1, 1.15))
    done = np.arange(len(result.shares)) * REPORT_EVERY
    left.plot(
        done, 100 * np.array(result.shares), color=style.COLORS[0], linewidth=2, marker="o", markersize=4
    )
    left.set_ylim(-3, 103)
    style.plain(left, title="sums of two 7-bit numbers that are right", x="iterations", y="% of all 16,384")
    a, b = SHOWN_SUM
    names = [f"{(a >> step) & 1}+{(b >> step) & 1}\n{((a + b) >> step) & 1}" for step in range(BITS)]
    plotting.hidden_states(
        result.shown_states,
        right,
        sort=True,
        steps=names,
        title=f"16 hidden units while they add {a} + {b} = {a + b}",
    )
    right.set_xlabel("bits of the two numbers and of their sum, least significant first", fontsize=9)
    path = folder / "adder.png"
    style.save(figure, path)
    return [path]


def _spaced(number: int) -> str:
    return " ".join(f"{number:08b}")


def _sigmoid(x: Floats) -> Floats:
    return np.asarray(1 / (1 + np.exp(-x)))


DEMO = Demo(
    name="adder",
    system="binary addition, 16 sigmoid units",
    article="003",
    intro=(
        "A network of 16 sigmoid units adds two numbers bit by bit, least significant bit first, and must "
        "find "
        "out by itself that there is such a thing as a carry. Same weights and same 10,000 sums as the "
        "article."
    ),
    run=run,
    describe=describe,
    draw=draw,
    headline=headline,
)
