"""Real data: 1,797 handwritten digits that come with scikit-learn, read row by row.

Each image is a sequence of eight steps of eight pixels. After training one digit is streamed step by step,
to watch the network make up its mind.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

import elman
from elman import plotting
from elman.demos._demo import Demo, table
from elman.plotting import style

Floats = NDArray[np.float32]
Ints = NDArray[np.int64]

HIDDEN = 64
EPOCHS = 40
BATCH = 16
PEAK_RATE = 1e-2
SEED = 0  # eight seeds were tried: 0.978 to 0.986
INK = " .:-=+*#%@"


@dataclass(frozen=True)
class Split:
    """Pixels from 0 to 1, (n, 8, 8), and classes (n,); a fifth of the images is for the test."""

    train_x: Floats
    train_y: Ints
    test_x: Floats
    test_y: Ints


@dataclass(frozen=True)
class DigitsResult:
    """The result of training, and one digit read row by row."""

    net: elman.Network
    history: dict[str, list[float]]
    accuracy: float
    expected: Ints
    predicted: Ints
    image: Floats  # (8, 8): the digit that is streamed
    label: int
    hidden: Floats  # (8, H)
    running: Floats  # (8, 10): class probabilities after each row
    same_bits: bool  # whether the last streamed answer is predict's, bit for bit


def load() -> Split:
    """Load the digits and split off a fifth of each class for the test, with seed 0."""
    from sklearn.datasets import load_digits
    from sklearn.model_selection import train_test_split

    images, classes = load_digits(return_X_y=True)
    x = (images.reshape(-1, 8, 8) / 16).astype(np.float32)
    train_x, test_x, train_y, test_y = train_test_split(
        x, classes.astype(np.int64), test_size=0.2, random_state=0, stratify=classes
    )
    return Split(train_x, train_y, test_x, test_y)


def train(
    data: Split, seed: int = SEED, epochs: int = EPOCHS
) -> tuple[elman.Network, dict[str, list[float]]]:
    """Build one recurrent layer, the maximum of each unit over the eight rows, and a softmax."""
    net = elman.Network(
        [
            elman.SimpleRNN(HIDDEN, return_sequences=True),
            elman.MaxPool(),
            elman.Dense(10, activation="softmax"),
        ],
        input_size=8,
        seed=seed,
    )
    updates = epochs * -(-len(data.train_x) // BATCH)
    history = net.fit(
        data.train_x,
        data.train_y,
        optimizer=elman.AdamW(elman.OneCycle(PEAK_RATE, updates), weight_decay=0.1),
        epochs=epochs,
        batch_size=BATCH,
        validation_data=(data.test_x, data.test_y),
        verbose=False,
    )
    return net, {name: list(values) for name, values in history.history.items()}


def run(seed: int = SEED) -> DigitsResult:
    """Train with elman and compute everything that is shown and drawn."""
    data = load()
    net, history = train(data, seed)
    output = net.predict(data.test_x)
    predicted = output.argmax(axis=1)
    shown = most_telling(net, data.test_x, data.test_y)
    image = data.test_x[shown]
    running = read(net, image)
    return DigitsResult(
        net=net,
        history=history,
        accuracy=float((predicted == data.test_y).mean()),
        expected=data.test_y,
        predicted=predicted,
        image=image,
        label=int(data.test_y[shown]),
        hidden=net.states(image[None])[0][0],
        running=running,
        same_bits=bool((running[-1] == output[shown]).all()),
    )


def read(net: elman.Network, image: Floats) -> Floats:
    """Return the class probabilities after each row, streamed row by row."""
    stream = net.stream()
    return np.stack([np.array(stream.step(row)) for row in image])


def most_telling(net: elman.Network, x: Floats, y: Ints) -> int:
    """Return a test image that is classified with certainty in the end, after changes of the top class.

    A network that streams gives after t rows what predict gives for the first t rows.
    """
    # (n, 8, 10)
    running = np.stack([net.predict(np.ascontiguousarray(x[:, :t])) for t in range(1, 9)], axis=1)
    guesses = running.argmax(axis=2)
    changes = np.minimum((guesses[:, 1:] != guesses[:, :-1]).sum(axis=1), 3)
    sure = (guesses[:, -1] == y) & (running[:, -1].max(axis=1) > 0.95)
    # Of those with most changes of mind (three are enough) the one whose guesses were the boldest.
    return int(np.argmax(np.where(sure, changes + running.max(axis=2).mean(axis=1), -1)))


def describe(result: DigitsResult) -> str:
    """Return the result as text and small tables."""
    wrong = int((result.expected != result.predicted).sum())
    rows = []
    for step, (pixels, shares) in enumerate(zip(result.image, result.running, strict=True), start=1):
        cells = [f"{100 * share:.0f}" if share >= 0.005 else "." for share in shares]
        rows.append((step, _drawn(pixels), *cells, int(shares.argmax())))
    headers = ("row", "pixels", *(f"{digit}" for digit in range(10)), "best")
    loss, val_accuracy = result.history["loss"], result.history["val_accuracy"]
    epochs = [e for e in (1, 5, 10, 20, 30, 40) if e <= len(loss)]
    curve = [(e, f"{loss[e - 1]:.4f}", f"{val_accuracy[e - 1]:.4f}") for e in epochs]
    bits = "predict's, bit for bit" if result.same_bits else "NOT predict's"
    return (
        table(("epoch", "loss", "test accuracy"), curve, right=(0, 1, 2))
        + f"\n\nTest accuracy: {result.accuracy:.4f} ({wrong} of {len(result.expected)} wrong).\n\n"
        f"One test digit, a {result.label}, streamed row by row; class probabilities in percent "
        "after each row:\n\n"
        + table(headers, rows, right=(0, *range(2, 13)))
        + f"\n\nThe last streamed answer is {bits}.\n"
    )


def _drawn(pixels: Floats) -> str:
    # Two characters a pixel: letters are twice as high as they are wide. The bar keeps trailing blanks.
    return "|" + "".join(2 * INK[round(float(p) * (len(INK) - 1))] for p in pixels) + "|"


def headline(result: DigitsResult) -> str:
    """Return the result in one line, for the closing table."""
    return f"test accuracy {result.accuracy:.4f}"


def draw(result: DigitsResult, folder: Path) -> list[Path]:
    """Save the pictures and return their paths."""
    confusion, reading = folder / "digits_confusion.png", folder / "digits_reading.png"
    plotting.confusion_matrix(result.expected, result.predicted, path=confusion)
    figure = style.new_figure(10.2, 3.6)
    left, middle, right = figure.subplots(1, 3, width_ratios=(0.72, 1.2, 1.2))
    left.imshow(result.image, cmap="Grays", vmin=0, vmax=1)
    left.set_yticks(range(8), [str(row) for row in range(1, 9)])
    left.set_xticks([])
    style.plain(left, title=f"a {result.label}, read from the top", y="row = step", grid=False)
    plotting.hidden_states(result.hidden, middle, sort=True, title=f"{HIDDEN} hidden units")
    plotting.probabilities(
        result.running, ax=right, highlight=result.label, title="what it believes after each row"
    )
    style.save(figure, reading)
    return [confusion, reading]


DEMO = Demo(
    name="digits",
    system="handwritten digits, read row by row",
    article="-",
    intro=(
        f"1,797 handwritten digits of 8 x 8 pixels, each read as 8 steps of one row. SimpleRNN({HIDDEN}), "
        f"the "
        f"largest value of every unit over the rows, Dense(10, softmax); AdamW, {EPOCHS} epochs, one image "
        f"in five "
        "kept for the test."
    ),
    run=run,
    describe=describe,
    draw=draw,
    headline=headline,
)
