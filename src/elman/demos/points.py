"""Articles 000 and 001: an Elman network in NumPy learns to classify eight points of the plane.

Two runs from the same weights. The first follows the article's arithmetic exactly, with what is wrong in it:
the recurrent weights and both biases never train, no gradient flows through time, and one hidden state runs
on through training and test. The second trains everything, with the exact gradient through all eight points,
and starts each pass and each test at a zero state.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

import elman
from elman.demos._demo import Demo, table
from elman.plotting import style

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]

HIDDEN = 4
RATE = 0.02
EPOCHS = 1000

# One sequence of eight steps, and one of four: (1, T, 2) and (1, T).
TRAIN_X: Floats = np.array(
    [[[1, 2], [1, 1], [1.5, 1.5], [2, 1], [-1, -1], [-0.5, -0.5], [-1, -2], [-2, -1.5]]], dtype=np.float64
)
TRAIN_Y: Ints = np.array([[0, 0, 0, 0, 1, 1, 1, 1]], dtype=np.int64)
TEST_X: Floats = np.array([[[2, 2], [0.2, 0.8], [-0.5, -0.8], [-1.2, -0.5]]], dtype=np.float64)
TEST_Y: Ints = np.array([[0, 0, 1, 1]], dtype=np.int64)


@dataclass(frozen=True)
class PointsResult:
    """The test losses of both runs, and the predictions of the second network."""

    article_losses: Floats  # (1000,) the sum over the four test points, as the article counts it
    full_losses: Floats
    article_right: int
    full_right: int
    field: Floats  # (n, n): probability of the first class over the plane, second run, points alone
    field_axis: Floats  # (n,)


def build() -> elman.Network:
    """Build the article's network: weights uniform in [0, 1) from RandomState(0), in the article's order.

    The article did not seed its generator, so its own numbers are lost; the seed is ours. Each of its biases
    is one number added to every unit.
    """
    generator = np.random.RandomState(0)
    net = elman.Network(
        [
            elman.SimpleRNN(HIDDEN, activation="sigmoid", return_sequences=True),
            elman.Dense(2, activation="softmax"),
        ],
        input_size=2,
        dtype="float64",
        seed=0,
    )
    net.weights["0.kernel"][...] = generator.random_sample((2, HIDDEN))
    net.weights["1.kernel"][...] = generator.random_sample((HIDDEN, 2))
    net.weights["0.recurrent_kernel"][...] = generator.random_sample((HIDDEN, HIDDEN))
    net.weights["0.bias"][...] = generator.random_sample(1)
    net.weights["1.bias"][...] = generator.random_sample(1)
    return net


def train_as_article(net: elman.Network, epochs: int = EPOCHS) -> Floats:
    """Train by the article's rule: an update after every point, with one state that is never reset."""
    net.freeze("0.recurrent_kernel")
    net.freeze("*.bias")
    losses = np.empty(epochs)
    for epoch in range(epochs):
        net.fit(
            TRAIN_X,
            TRAIN_Y,
            loss="cross_entropy",
            optimizer=elman.SGD(RATE),
            epochs=1,
            batch_size=1,
            shuffle=False,
            truncation=1,
            stateful=True,
            verbose=False,
        )
        losses[epoch] = (
            TEST_Y.size * net.evaluate(TEST_X, TEST_Y, loss="cross_entropy", stateful=True)["loss"]
        )
    return losses


def train_everything(net: elman.Network, epochs: int = EPOCHS) -> Floats:
    """Train all parameters with the exact gradient through all eight points, at the same rate."""
    history = net.fit(
        TRAIN_X,
        TRAIN_Y,
        loss="cross_entropy",
        optimizer=elman.SGD(RATE),
        epochs=epochs,
        batch_size=1,
        shuffle=False,
        # The sum over eight points, one update a pass: as long a step as the article's eight together.
        reduction="sum",
        validation_data=(TEST_X, TEST_Y),
        verbose=False,
    )
    return TEST_Y.size * np.asarray(history.history["val_loss"])


def run() -> PointsResult:
    """Train with elman and compute everything that is shown and drawn."""
    article, full = build(), build()
    article_losses, full_losses = train_as_article(article), train_everything(full)
    axis = np.linspace(-2.6, 2.6, 61)
    plane = np.stack(np.meshgrid(axis, axis), axis=2).reshape(-1, 1, 2)
    return PointsResult(
        article_losses,
        full_losses,
        _right(article),
        _right(full),
        np.asarray(full.predict(plane)[:, 0, 0]).reshape(axis.size, axis.size),
        axis,
    )


def _right(net: elman.Network) -> int:
    return int((net.predict(TEST_X).argmax(axis=2) == TEST_Y).sum())


def describe(result: PointsResult) -> str:
    """Return the result as text and small tables."""
    epochs = [e for e in (1, 10, 100, 500, EPOCHS) if e <= len(result.article_losses)]
    rows = [(e, f"{result.article_losses[e - 1]:.6f}", f"{result.full_losses[e - 1]:.6f}") for e in epochs]
    return (
        "Loss on the four test points (their sum, as in the article):\n\n"
        + table(("epoch", "the article's rule", "everything trained"), rows, right=(0, 1, 2))
        + f"\n\nTest points right: {result.article_right} of 4 with the article's rule, "
        f"{result.full_right} of 4 "
        "with everything trained.\n"
        f"Final losses: {result.article_losses[-1]:.6f} and {result.full_losses[-1]:.6f}.\n"
    )


def headline(result: PointsResult) -> str:
    """Return the result in one line, for the closing table."""
    article, full = result.article_losses[-1], result.full_losses[-1]
    return f"test loss {article:.4f} by the article's rule, {full:.4f} with all trained"


def draw(result: PointsResult, folder: Path) -> list[Path]:
    """Save the pictures and return their paths."""
    figure = style.new_figure(9.2, 3.8)
    from matplotlib.colors import LinearSegmentedColormap

    left, right = figure.subplots(1, 2, width_ratios=(1.25, 1))
    for losses, color, label in (
        (result.article_losses, style.COLORS[1], "the article's rule"),
        (result.full_losses, style.COLORS[0], "everything trained"),
    ):
        epochs = np.arange(1, len(losses) + 1)
        left.plot(epochs, losses, color=color, linewidth=1.8, label=f"{label}: {losses[-1]:.4f}")
    left.set_xscale("log")
    left.set_yscale("log")
    left.set_yticks([0.1, 0.3, 1, 3], ["0.1", "0.3", "1", "3"])
    left.minorticks_off()
    style.plain(left, title="loss on the four test points", x="epoch", y="cross-entropy, summed")
    left.legend(frameon=False, fontsize=8, loc="lower left")
    axis = result.field_axis
    # The colors of the points, made light enough for the points to stand out.
    shades = LinearSegmentedColormap.from_list("classes", ["#F0B48A", "#FFFFFF", "#8FC1E3"])
    extent = (axis[0], axis[-1], axis[0], axis[-1])
    image = right.imshow(
        result.field, cmap=shades, vmin=0, vmax=1, extent=extent, origin="lower", interpolation="bilinear"
    )
    right.contour(axis, axis, result.field, levels=[0.5], colors="#333333", linewidths=1)
    for points, answers, size, label in ((TRAIN_X, TRAIN_Y, 44, "training"), (TEST_X, TEST_Y, 90, "test")):
        for klass, marker in ((0, "o"), (1, "s")):
            chosen = points[0][answers[0] == klass]
            right.scatter(
                chosen[:, 0],
                chosen[:, 1],
                s=size,
                marker=marker,
                facecolor="white" if label == "test" else style.COLORS[0 if klass == 0 else 1],
                edgecolor="#222222",
                linewidth=1.2,
                label=f"{label}, class {klass + 1}",
            )
    right.set_aspect("equal")
    style.plain(
        right, title="what it says of a single point", x="first feature", y="second feature", grid=False
    )
    right.legend(frameon=True, framealpha=0.85, edgecolor="none", fontsize=7, loc="upper left")
    style.add_colorbar(figure, image, right, "probability of class 1")
    path = folder / "points.png"
    style.save(figure, path)
    return [path]


DEMO = Demo(
    name="points",
    system="Elman network on points of the plane",
    article="000, 001",
    intro=(
        "Eight training points, four test points, 4 sigmoid units, 1000 epochs at rate 0.02; twice from "
        "the same "
        "weights. First the article's rule: recurrent weights and biases never train, nothing flows back "
        "through "
        "time, and the state runs on from training into the test and back. Then everything trained: the "
        "exact "
        "gradient through all eight points, and each pass and each test starts from a zero state."
    ),
    run=run,
    describe=describe,
    draw=draw,
    headline=headline,
)
