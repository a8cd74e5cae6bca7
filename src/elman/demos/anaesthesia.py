"""Depth of anaesthesia: BIS a minute ahead and the depth that it means, at every step of an operation.

By default the operations are simulated, by a published model of propofol and remifentanil; ``--data`` takes
recorded ones. Operations are split whole: what is measured is on patients that the network has never seen.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from time import perf_counter
from typing import Any

import numpy as np

import elman
from elman.data.sequences import Array, Sequences
from elman.datasets import Dataset
from elman.demos._demo import Demo, table
from elman.plotting import style

SEED = 0
AHEAD = 6  # steps of 10 s
SIMULATED = (24, 8)  # operations to learn from, operations to be measured on
QUICK = (12, 4)
WHAT = ("deep (below 40)", "adequate (40 to 60)", "light (above 60)")


@dataclass(frozen=True)
class AnaesthesiaResult:
    """The trained forecaster, its scores, and one operation to draw."""

    source: str
    counts: tuple[int, int]
    steps: int
    seconds: float
    network: elman.anaesthesia.Scores
    repeating: elman.anaesthesia.Scores
    name: str  # of the operation that is shown
    tracks: tuple[str, ...]
    operation: Array  # (T, F)
    expected: Array  # (T,): BIS a minute later, NaN where there is no reading
    predicted: Array  # (T,)
    depths: Array  # (T,)
    streamed: bool  # whether the stream gave the same forecasts for it


def load(data: Path | None, quick: bool) -> tuple[Dataset[list[Array]], Dataset[list[Array]]]:
    """Return operations for training and for the test, which is every fifth operation of a file."""
    if data is None:
        learn, test = QUICK if quick else SIMULATED
        minutes = (40.0, 90.0) if quick else (60.0, 180.0)
        return _split(elman.anaesthesia.simulate_anaesthesia(learn + test, SEED, minutes=minutes), test)
    if not data.is_dir():
        whole = elman.anaesthesia.load_vitals(data)
        if len(whole.X) < 2:
            raise ValueError(f"{str(data)!r} has one operation, expected two at least: one is for the test")
        return _split(whole, max(1, len(whole.X) // 5))
    found = []
    for part in ("train", "valid"):
        files = [data / f"{part}{ending}" for ending in (".npz", ".csv")]
        there = [file for file in files if file.is_file()]
        if not there:
            raise ValueError(f"{str(data)!r} has no {part}.npz or {part}.csv, expected train and valid")
        found.append(elman.anaesthesia.load_vitals(there[0]))
    train, valid = found
    if train.description.channels != valid.description.channels:
        raise ValueError(f"{str(data)!r}: train and valid have different tracks, expected the same")
    twice = set(train.description.ids) & set(valid.description.ids)
    if twice:
        raise ValueError(f"{str(data)!r}: train and valid both have the operation {min(twice)!r}")
    return train, valid


def _split(data: Dataset[list[Array]], test: int) -> tuple[Dataset[list[Array]], Dataset[list[Array]]]:
    order = np.random.default_rng(SEED).permutation(len(data.X))
    return _part(data, np.sort(order[test:])), _part(data, np.sort(order[:test]))


def _part(data: Dataset[list[Array]], rows: Array) -> Dataset[list[Array]]:
    cases = [data.X[i] for i in rows]
    X = Sequences(np.concatenate(cases), np.cumsum([0, *map(len, cases)]))
    ids = tuple(data.description.ids[i] for i in rows)
    return Dataset(X, [data.y[i] for i in rows], replace(data.description, ids=ids))


def run(data: Path | None = None, quick: bool = False) -> AnaesthesiaResult:
    """Train an Elman network and score it on the operations for the test."""
    from elman.estimators import convergence

    train, test = load(data, quick)
    tracks = train.description.channels
    model = elman.anaesthesia.DepthForecaster(
        tracks,
        cells=("rnn",),
        hidden=32 if quick else 64,
        epochs=8 if quick else 12,
        ahead=AHEAD,
        random_state=SEED,
    )
    clock = perf_counter()
    with convergence.ignored():
        model.fit(train.X)
    seconds = perf_counter() - clock
    answers = elman.anaesthesia.future(test.X, tracks, AHEAD)
    predicted, depths = list(model.predict(test.X)), list(model.predict_depth(test.X))
    network = elman.anaesthesia.score(answers, predicted, depths)
    shown = _typical(network.by_case)
    stream = model.stream()
    steps = np.array([stream.step(row).bis for row in test.X[shown][:200]])
    return AnaesthesiaResult(
        source="simulated" if data is None else str(data),
        counts=(len(train.X), len(test.X)),
        steps=network.steps,
        seconds=seconds,
        network=network,
        repeating=elman.anaesthesia.score(answers, elman.anaesthesia.repeated(test.X, tracks)),
        name=test.description.ids[shown],
        tracks=tracks,
        operation=test.X[shown],
        expected=answers[shown],
        predicted=predicted[shown],
        depths=depths[shown],
        streamed=bool(np.abs(steps - predicted[shown][:200]).max() < 1e-6),
    )


def _typical(errors: Array) -> int:
    """Return the operation with the median error."""
    order = np.argsort(np.where(np.isnan(errors), np.inf, errors))
    return int(order[(np.isfinite(errors).sum() - 1) // 2])


def describe(result: AnaesthesiaResult) -> str:
    """Return the result as text and small tables."""
    rows = [
        (name, f"{s.error:.2f}", f"{s.balanced_accuracy:.3f}", *(f"{x:.1f}" for x in _spread(s)))
        for name, s in (("Elman network", result.network), ("repeating the last value", result.repeating))
    ]
    headers = ("60 s ahead", "BIS error", "balanced accuracy", "best case", "median case", "worst case")
    confusion = result.network.confusion
    shares = confusion / np.maximum(confusion.sum(axis=1, keepdims=True), 1)
    kinds = [
        (WHAT[i], f"{confusion[i].sum()}", *(f"{100 * share:.0f} %" for share in shares[i])) for i in range(3)
    ]
    same = "are the same" if result.streamed else "are NOT the same"
    return (
        f"Operations ({result.source}): {result.counts[0]} to learn from, {result.counts[1]} to be measured "
        f"on, with {result.steps} forecasts; trained in {result.seconds:.1f} s.\n\n"
        + table(headers, rows, right=range(1, 6))
        + "\n\nThe depth a minute later, and what the network said it would be:\n\n"
        + table(("depth", "steps", *elman.anaesthesia.DEPTHS), kinds, right=range(1, 5))
        + f"\n\nOne step at a time, the forecasts of operation {result.name} {same}.\n"
    )


def _spread(scores: elman.anaesthesia.Scores) -> tuple[float, float, float]:
    errors = scores.by_case[~np.isnan(scores.by_case)]
    return float(errors.min()), float(np.median(errors)), float(errors.max())


def headline(result: AnaesthesiaResult) -> str:
    """Return the result in one line, for the closing table."""
    return f"BIS error {result.network.error:.2f}, repeating {result.repeating.error:.2f}"


def draw(result: AnaesthesiaResult, folder: Path) -> list[Path]:
    """Save the pictures and return their paths."""
    operation, errors = folder / "anaesthesia_operation.png", folder / "anaesthesia_errors.png"
    _draw_operation(result, operation)
    _draw_errors(result, errors)
    return [operation, errors]


def _draw_operation(result: AnaesthesiaResult, path: Path) -> None:
    figure = style.new_figure(9.0, 6.0)
    rates, index, kinds = figure.subplots(3, 1, sharex=True, height_ratios=(1.0, 2.2, 0.7))
    minutes = np.arange(len(result.operation)) / 6.0
    names = ("Orchestra/PPF20_RATE", "Orchestra/RFTN20_RATE", "BIS/BIS")
    propofol, remifentanil, bis = (elman.anaesthesia.find_track(result.tracks, name) for name in names)
    for place, label, color in ((propofol, "propofol", 0), (remifentanil, "remifentanil", 1)):
        if place is not None:
            rates.plot(
                minutes,
                result.operation[:, place],
                color=style.COLORS[color],
                lw=1.0,
                label=label,
                drawstyle="steps-post",
            )
    there = [place for place in (propofol, remifentanil) if place is not None]
    given = result.operation[:, there]
    highest = np.nanpercentile(given, 98) if (~np.isnan(given)).any() else 1.0
    rates.set_ylim(0, 1.6 * max(float(highest), 1.0))  # boluses go beyond
    _legend_above(rates)
    style.plain(rates, title=f"operation {result.name}: BIS one minute ahead", y="rate, ml/h")
    index.axhspan(40, 60, color="#DDEEDD", lw=0, label="adequate, 40 to 60")
    index.plot(minutes, result.operation[:, bis], color=style.GRAY, lw=1.0, label="BIS")
    # The forecast made a minute before stands where it can be compared.
    index.plot(
        minutes[AHEAD:],
        result.predicted[:-AHEAD],
        color=style.COLORS[1],
        lw=1.0,
        label="what was forecast a minute before",
    )
    index.set_ylim(0, 100)
    _legend_above(index)
    style.plain(index, y="BIS")
    depths = elman.anaesthesia.depth(np.nan_to_num(result.expected))
    later = np.where(np.isnan(result.expected), np.nan, depths)
    at = minutes + AHEAD / 6.0
    kinds.plot(at, later, ".", color=style.GRAY, ms=5, label="measured")
    kinds.plot(at, result.depths + 0.25, ".", color=style.COLORS[1], ms=2.5, label="forecast")
    kinds.set_yticks(range(3), elman.anaesthesia.DEPTHS)
    kinds.set_ylim(-0.5, 2.75)
    _legend_above(kinds)
    style.plain(kinds, x="time, min", y="depth")
    figure.align_ylabels()
    style.save(figure, path)


def _legend_above(ax: Any) -> None:
    """Put the legend above the axes on the right, where it hides no curve; the title is on the left."""
    ax.legend(
        frameon=False,
        fontsize=8,
        ncols=3,
        loc="lower right",
        bbox_to_anchor=(1.0, 1.0),
        borderaxespad=0.1,
        markerscale=2.0,
    )


def _draw_errors(result: AnaesthesiaResult, path: Path) -> None:
    figure = style.new_figure(4.8, 4.8)
    ax = figure.subplots()
    errors = np.array([result.repeating.by_case, result.network.by_case])
    ax.plot(*errors, "o", color=style.COLORS[0], ms=4, alpha=0.7)
    ends = (0.95 * float(np.nanmin(errors)), 1.05 * float(np.nanmax(errors)))
    ax.plot(ends, ends, color=style.GRAY, lw=0.8)
    ax.set(xlim=ends, ylim=ends, aspect="equal")
    ax.text(
        0.03,
        0.97,
        "below the line\nthe network is better",
        transform=ax.transAxes,
        va="top",
        color=style.GRAY,
        fontsize=8,
    )
    style.plain(
        ax,
        title="mean absolute error of BIS, one dot an operation",
        x="repeating the last value",
        y="Elman network",
    )
    style.save(figure, path)


def demo(data: Path | None = None, quick: bool = False) -> Demo[AnaesthesiaResult]:
    """Return the demo, on simulated operations or on a file or folder of recorded ones."""
    return Demo(
        name="anaesthesia",
        system="depth of anaesthesia, a minute ahead",
        article="000, 001",
        intro=(
            "Infusions of propofol and remifentanil, BIS, pressure and pulse of operations, a row every "
            "10 s. An Elman network reads them with the concentrations that pharmacology expects, and says "
            "at every step what BIS will be a minute later, and whether that is deep, adequate or light. It "
            "is measured on operations of which it has seen nothing."
        ),
        run=partial(run, data, quick),
        describe=describe,
        draw=draw,
        headline=headline,
    )


DEMO = demo()
