"""Article 004: after a comes b, after e comes a. Three recurrent units, a softmax, one hundred epochs."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

import elman
from elman import plotting
from elman.demos._demo import Demo, Show, table

LETTERS = "abcde"
EPOCHS = 100
SEED = 123  # the article's

Ask = Callable[[str], str]


@dataclass(frozen=True)
class LettersResult:
    """The trained network, its curves and its answers."""

    net: elman.Network
    history: dict[str, list[float]]
    accuracy: float  # of the trained network, on all five letters
    answers: tuple[tuple[str, str], ...]


def one_hot(letters: str) -> NDArray[np.float32]:
    """Return letters as sequences of one step each, (n, 1, 5)."""
    return np.eye(len(LETTERS), dtype=np.float32)[[LETTERS.index(letter) for letter in letters], None, :]


def run(seed: int = SEED) -> LettersResult:
    """Take the article's six steps (data, network, loss and optimizer, fit, summary, curves), and predict."""
    x = one_hot(LETTERS)
    y = np.roll(np.arange(len(LETTERS)), -1)
    net = elman.Network([elman.SimpleRNN(3), elman.Dense(5, activation="softmax")], input_size=5, seed=seed)
    history = net.fit(x, y, loss="cross_entropy", optimizer=elman.Adam(0.01), epochs=EPOCHS, verbose=False)
    return LettersResult(
        net=net,
        history={name: list(values) for name, values in history.history.items()},
        accuracy=float(net.evaluate(x, y)["accuracy"]),
        answers=tuple((letter, next_letter(net, letter)) for letter in LETTERS),
    )


def next_letter(net: elman.Network, letter: str) -> str:
    """Return the network's answer to one letter of abcde."""
    return LETTERS[int(net.predict(one_hot(letter))[0].argmax())]


def answer(letter: str, following: str) -> str:
    """Return an answer as the article prints it."""
    return f"{letter}——>{following}"


def chat(net: elman.Network, ask: Ask, show: Show) -> int:
    """Run the article's dialogue until the input ends; return the number of answered letters."""
    answered = 0
    try:
        count = _ask_count(ask, show)
        while answered < count:
            letter = ask("input test alphabet:").strip()
            if len(letter) != 1 or letter not in LETTERS:
                show(f"{letter!r} is not one of the letters a, b, c, d, e: please try another.")
                continue
            show(answer(letter, next_letter(net, letter)))
            answered += 1
    except EOFError:
        show("\nNo more input.")
    return answered


def _ask_count(ask: Ask, show: Show) -> int:
    while True:
        text = ask("input the number of test alphabet:").strip()
        if text.isascii() and text.isdigit() and len(text) < 10:
            return int(text)
        show(f"{text!r} is not a whole number of letters from 0: please try another.")


def describe(result: LettersResult) -> str:
    """Return the result as text and small tables."""
    loss, accuracy = result.history["loss"], result.history["accuracy"]
    rows = [(e, f"{loss[e - 1]:.4f}", f"{accuracy[e - 1]:.2f}") for e in (1, 25, 50, 75, EPOCHS)]
    return (
        f"{result.net.summary()}\n\n"
        + table(("epoch", "loss", "accuracy"), rows, right=(0, 1, 2))
        + f"\n\nAccuracy after {EPOCHS} epochs: {result.accuracy}\n\n"
        + "\n".join(answer(*pair) for pair in result.answers)
        + "\n"
    )


def headline(result: LettersResult) -> str:
    """Return the result in one line, for the closing table."""
    return f"accuracy {result.accuracy}, loss {result.history['loss'][-1]:.3f}"


def draw(result: LettersResult, folder: Path) -> list[Path]:
    """Save the pictures and return their paths."""
    path = folder / "letters.png"
    plotting.curves(result.history, path=path)
    return [path]


DEMO = Demo(
    name="letters",
    system="next letter, SimpleRNN(3) + Dense(5)",
    article="004",
    intro=(
        "After a comes b, and after e comes a again. SimpleRNN(3), Dense(5, softmax), Adam(0.01), "
        f"{EPOCHS} epochs."
    ),
    run=run,
    describe=describe,
    draw=draw,
    headline=headline,
)
