"""Online learning of a drifting signal: a network that never stops learning keeps up, a frozen one does not.

A sine whose frequency and amplitude drift is predicted one step ahead. Three copies of one network, trained
on the first part: one frozen, one that learns on from each step through the last 20 steps, one by exact
real-time recurrent learning.

    python examples/online_drift.py                       # a table
    python examples/online_drift.py --picture drift.png   # and error against time
"""

from __future__ import annotations

import argparse
import copy
import time

import numpy as np

from elman import Adam, Dense, LevenbergMarquardt, Network, SimpleRNN


def drifting(steps: int, seed: int = 0) -> np.ndarray:
    """Return a sine of a frequency and an amplitude that double over the steps, with a little noise."""
    along = np.linspace(0.0, 1.0, steps)
    phase = np.cumsum(0.15 * 2.0**along)
    return 0.6 * 2.0**along * np.sin(phase) + 0.01 * np.random.default_rng(seed).normal(size=steps)


def main() -> None:
    """Train on the beginning, go on in three ways, print what came of it."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--steps", type=int, default=20_000)
    parser.add_argument("--picture", help="where to draw error against time")
    args = parser.parse_args()

    signal = drifting(args.steps)
    first = args.steps // 10
    net = Network([SimpleRNN(12, return_sequences=True), Dense(1)], input_size=1, dtype="float64", seed=0)
    X, y = signal[None, : first - 1, None], signal[None, 1:first]
    net.fit(X, y, optimizer=LevenbergMarquardt(), epochs=30, verbose=False)
    ways = {
        "frozen": None,
        "bptt, 20 steps": {"rule": "bptt", "truncation": 20},
        "rtrl": {"rule": "rtrl"},
    }
    errors = {}
    print(f"{'':16} mean squared error of each fifth                         microseconds a step")
    for name, options in ways.items():
        learner = copy.deepcopy(net).online(Adam(1e-3), clip_norm=1.0, **(options or {}))
        squared = np.empty(args.steps - 1)
        start = time.perf_counter()
        for t in range(args.steps - 1):
            answer = None if options is None else signal[t + 1]
            said = learner.step(signal[t : t + 1], answer)[0]
            squared[t] = (said - signal[t + 1]) ** 2
        spent = 1e6 * (time.perf_counter() - start) / len(squared)
        errors[name] = squared
        fifths = "  ".join(f"{part.mean():.2e}" for part in np.array_split(squared, 5))
        print(f"{name:16} {fifths}   {spent:6.1f}")
    if args.picture:
        draw(errors, args.picture)


def draw(errors: dict[str, np.ndarray], path: str) -> None:
    """Draw the errors, smoothed."""
    from elman.plotting import style

    figure = style.new_figure()
    ax = style.plain(figure.subplots(), title="A signal that drifts", x="step", y="mean squared error")
    for (name, squared), color in zip(errors.items(), style.COLORS, strict=False):
        width = max(1, len(squared) // 100)
        smooth = np.convolve(squared, np.full(width, 1.0 / width), "valid")
        ax.plot(np.arange(len(smooth)) + width, smooth, color=color, lw=1.0, label=name)
    ax.set(yscale="log")
    ax.legend(frameon=False)
    style.save(figure, path)


if __name__ == "__main__":
    main()
