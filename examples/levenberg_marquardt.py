"""Levenberg-Marquardt against Adam: the next step of a chaotic series, to six digits.

The series of Mackey and Glass (1977) is standardized, and an Elman network of 8 units predicts each value
from the ones before: 500 steps, 89 parameters, float64. For each seed, Levenberg-Marquardt trains until the
mean squared error is below 1e-6. Adam gets ten times that wall-clock time at each of three rates, and the
best error that it ever had counts.

    python examples/levenberg_marquardt.py                       # a table
    python examples/levenberg_marquardt.py --picture error.png   # and error against time
"""

from __future__ import annotations

import argparse
import time
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from elman import Adam, Dense, LevenbergMarquardt, Network, SimpleRNN

GOAL = 1e-6
RATES = (1e-2, 3e-3, 1e-3)


def mackey_glass(n: int = 501, delay: int = 170, discard: int = 500) -> np.ndarray:
    """Return n values of x' = 0.2 x(t - 17) / (1 + x(t - 17)^10) - 0.1 x, Euler steps, standardized."""
    x = np.full((n + discard) * 10 + delay, 1.2)
    for t in range(delay, len(x)):
        now, past = x[t - 1], x[t - delay]
        x[t] = now + 0.1 * (0.2 * past / (1.0 + past**10) - 0.1 * now)
    series = x[delay::10][discard : discard + n]
    return (series - series.mean()) / series.std()


@dataclass
class Run:
    """Seconds, and the mean squared error then: before each update."""

    times: list[float] = field(default_factory=list)
    errors: list[float] = field(default_factory=list)


def network(seed: int) -> tuple[Network, np.ndarray, np.ndarray]:
    """Return an untrained network, its input (1, T, 1) and what it is to say (1, T)."""
    series = mackey_glass()
    layers = [SimpleRNN(8, return_sequences=True), Dense(1)]
    net = Network(layers, input_size=1, dtype="float64", seed=seed)
    return net, series[None, :-1, None], series[None, 1:]


def levenberg_marquardt(seed: int, iterations: int) -> Run:
    """Train until the goal is reached."""
    net, X, y = network(seed)
    run, start = Run(), time.perf_counter()

    def look(*args: Any) -> bool:
        run.times.append(time.perf_counter() - start)
        run.errors.append(args[2]["mean_squared_error"])
        return run.errors[-1] < GOAL

    net.fit(X, y, optimizer=LevenbergMarquardt(), epochs=iterations, callbacks=[look], verbose=False)
    return run


def adam(seed: int, rate: float, seconds: float) -> Run:
    """Train for so long, many epochs in one call."""
    net, X, y = network(seed)
    run, start, now = Run(), time.perf_counter(), 0.0
    while now < seconds:
        errors = net.fit(X, y, optimizer=Adam(rate), epochs=25, verbose=False).history["mean_squared_error"]
        before, now = now, time.perf_counter() - start
        run.times += np.linspace(before, now, 26)[1:].tolist()
        run.errors += errors
    return run


def main() -> None:
    """Train, print the table, draw."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--seeds", type=int, default=10)
    parser.add_argument("--iterations", type=int, default=150, help="the most of Levenberg-Marquardt")
    parser.add_argument("--times", type=float, default=10.0, help="how much longer Adam may take")
    parser.add_argument("--picture", help="where to draw error against time")
    args = parser.parse_args()

    levenberg_marquardt(0, 2)  # SciPy and the threads are there from now on
    print("seed  iterations      ms     error   Adam's best in ten times the time, at each rate")
    rows = []
    for seed in range(args.seeds):
        ours = levenberg_marquardt(seed, args.iterations)
        theirs = [adam(seed, rate, args.times * ours.times[-1]) for rate in RATES]
        rows.append((ours, theirs))
        best = "  ".join(f"{min(run.errors):.1e} ({rate:g})" for rate, run in zip(RATES, theirs, strict=True))
        spent = 1e3 * ours.times[-1]
        print(f"{seed:4}  {len(ours.times) - 1:10}  {spent:6.1f}   {ours.errors[-1]:.1e}   {best}")
    reached = sum(ours.errors[-1] < GOAL for ours, _ in rows)
    median = 1e3 * np.median([ours.times[-1] for ours, _ in rows])
    ahead = sum(ours.errors[-1] < min(min(run.errors) for run in theirs) for ours, theirs in rows)
    print(f"{reached} of {len(rows)} seeds below {GOAL:g}, median {median:.1f} ms; ahead of Adam on {ahead}")
    if args.picture:
        draw(rows, args.picture)


def draw(rows: list[tuple[Run, list[Run]]], path: str) -> None:
    """Draw the best error so far against time, a line a seed."""
    from elman.plotting import style

    figure = style.new_figure()
    ax = style.plain(figure.subplots(), title="Mackey-Glass, one step ahead", x="seconds", y="squared error")
    for ours, theirs in rows:
        for run in theirs:
            ax.plot(run.times, np.minimum.accumulate(run.errors), color=style.COLORS[1], lw=0.6, alpha=0.5)
        ax.plot(ours.times, np.minimum.accumulate(ours.errors), color=style.COLORS[0], lw=1.2)
    ax.plot([], [], color=style.COLORS[0], label="Levenberg-Marquardt")
    ax.plot([], [], color=style.COLORS[1], label="Adam, three rates")
    ax.axhline(GOAL, color=style.GRAY, lw=0.8, ls=":")
    ax.set(xscale="log", yscale="log")
    ax.legend(frameon=False)
    style.save(figure, path)


if __name__ == "__main__":
    main()
