"""Characters: an LSTM reads any text file, one character a step, then goes on in its own words.

The text is cut into windows; at each step the network says how likely each character is to come next. An
Embedding without units is a one-hot input that is never made.

    python examples/characters.py book.txt
    python examples/characters.py book.txt --units 256 --epochs 20 --start "The " --temperature 0.7
"""

from __future__ import annotations

import argparse
import math
import pathlib

import numpy as np

from elman import LSTM, Adam, Dense, Embedding, Network, OneCycle, generate


def windows(symbols: np.ndarray, steps: int) -> tuple[np.ndarray, np.ndarray]:
    """Return X and y (n, steps): neighboring windows, and the same one character on."""
    n = (len(symbols) - 1) // steps
    return symbols[: n * steps].reshape(n, steps), symbols[1 : n * steps + 1].reshape(n, steps)


def main() -> None:
    """Train on the first nine tenths of a file, validate on the rest, write something like it."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("file", help="a text in UTF-8")
    parser.add_argument("--units", type=int, default=128)
    parser.add_argument("--epochs", type=int, default=10)
    parser.add_argument("--steps", type=int, default=64, help="characters of a window")
    parser.add_argument("--length", type=int, default=400, help="characters to write")
    parser.add_argument("--start", help="what they go on from (default: the beginning of the text)")
    parser.add_argument("--temperature", type=float, default=0.8, help="below 1: likelier characters")
    parser.add_argument("--seed", type=int, default=0)
    args = parser.parse_args()

    text = pathlib.Path(args.file).read_text(encoding="utf-8")
    alphabet = sorted(set(text))
    number = {character: i for i, character in enumerate(alphabet)}
    symbols = np.array([number[character] for character in text])
    cut = len(symbols) * 9 // 10
    if len(symbols) - cut <= args.steps:
        parser.error(f"{args.file} has {len(text)} characters, expected more than {10 * args.steps}")
    start = args.start or text[:20]
    if unknown := set(start) - set(alphabet):
        parser.error(f"--start has {sorted(unknown)}, which the text has not")
    (X, y), (X_new, y_new) = windows(symbols[:cut], args.steps), windows(symbols[cut:], args.steps)

    n = len(alphabet)
    layers = [Embedding(n), LSTM(args.units, return_sequences=True), Dense(n, "softmax")]
    net = Network(layers, seed=args.seed)
    print(net.summary())
    updates = args.epochs * math.ceil(len(X) / 16)
    net.fit(
        X,
        y,
        optimizer=Adam(OneCycle(0.01, updates)),
        epochs=args.epochs,
        batch_size=16,
        clip_norm=1.0,
        validation_data=(X_new, y_new),
    )
    bits = np.array(net.history.history["val_loss"]) / math.log(2.0)
    shares = np.bincount(symbols) / len(symbols)
    print(f"bits a character in the last tenth of {len(text):,}: {bits[-1]:.3f} (best {bits.min():.3f})")
    print(f"without what came before: {-(shares * np.log2(shares)).sum():.3f}")
    written = generate(net, [number[c] for c in start], args.length, args.temperature, args.seed)
    print(f"\n{start}{''.join(alphabet[i] for i in written)}")


if __name__ == "__main__":
    main()
