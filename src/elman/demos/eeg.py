"""Healthy, between seizures, in a seizure: the first article's aim, simulated or on real EEG.

Whole segments are cross-validated; a segment of a seizure is then read as it would come from an amplifier.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from time import perf_counter
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

import elman
from elman import plotting
from elman.demos._demo import Demo, table
from elman.plotting import style

if TYPE_CHECKING:
    from elman.datasets.simulated_eeg import Kind

Floats = NDArray[np.float64]
KINDS: tuple[Kind, ...] = ("healthy", "interictal", "ictal")
BONN = {"A": "healthy", "D": "interictal", "E": "ictal"}  # the sets of Güler et al. 2005
CHUNK = 17  # samples: a tenth of a second


@dataclass(frozen=True)
class Scores:
    """The scores of one recipe; sensitivity and specificity are of ictal against the other kinds."""

    recipe: str
    accuracy: float
    spread: float
    sensitivity: float
    specificity: float


@dataclass(frozen=True)
class EegResult:
    """The scores of all folds, and one streamed seizure."""

    source: str
    segments: int
    folds: int
    scores: tuple[Scores, ...]  # the trained Elman network first
    expected: Any  # (n,)
    predicted: Any  # (n,): the Elman network's out-of-fold answers
    shares: Floats  # (n, C): its out-of-fold probabilities
    fs: float  # Hz
    signal: Floats  # (T,): a segment of a seizure that the network did not see, µV
    ends: NDArray[np.int64]  # which samples complete an answer
    running: Floats  # (m, C): the answers as they came
    difference: float  # the largest between those and the batch's
    times_real: float  # how many times faster than real time the stream was


def load(data: Path | None, quick: bool) -> tuple[list[Floats], Any, float, str]:
    """Return segments (T, 1) in µV, their kinds, the sampling rate in Hz and their source."""
    from elman.datasets import load_bonn, simulate_eeg

    if data is not None:
        X, y, description = load_bonn(data, sets="".join(BONN))
        kinds = np.array([BONN[str(letter)] for letter in y])
        return list(X), kinds, description.fs, "the Bonn recordings, sets A, D and E"
    X, y, description = simulate_eeg(10 if quick else 50, kinds=KINDS, seconds=8.0 if quick else 23.6)
    return list(X), np.asarray(y), description.fs, "simulated EEG"


def run(data: Path | None = None, quick: bool = False) -> EegResult:
    """Cross-validate the recipes, then stream one seizure; ``quick``: few short segments, five folds."""
    from elman.demos import eeg_recipes
    from elman.estimators import convergence
    from elman.evaluation import folds

    X, y, fs, source = load(data, quick)
    split = folds(y, n_splits=5 if quick else 10, seed=0)
    recipes = [eeg_recipes.elman_net(fs), eeg_recipes.band_powers(fs)]
    if not quick:
        recipes.append(eeg_recipes.reservoirs(fs))
    with convergence.ignored():
        results = [eeg_recipes.cross_validate(recipe, X, y, split) for recipe in recipes]

    train, test = split[0]
    # A typical seizure of the first fold: the one whose probability is in the middle.
    seizures = [int(i) for i in test if y[i] == "ictal"]
    sure = results[0].scores[:, sorted(KINDS).index("ictal")]
    shown = sorted(seizures, key=lambda i: float(sure[i]))[len(seizures) // 2]
    with convergence.ignored():
        model = recipes[0].whole().fit([X[i] for i in train], y[train])
    running, difference, times = read(model, X[shown], fs)
    return EegResult(
        source=source,
        segments=len(y),
        folds=len(split),
        scores=tuple(score(recipe.name, result, y) for recipe, result in zip(recipes, results, strict=True)),
        expected=y,
        predicted=results[0].predicted,
        shares=results[0].scores,
        fs=fs,
        signal=np.asarray(X[shown], float)[:, 0],
        ends=model[0].ends(len(X[shown])),
        running=running,
        difference=difference,
        times_real=times,
    )


def score(name: str, result: Any, y: Any) -> Scores:
    """Return the row of a recipe in the table."""
    said = result.predicted == "ictal"
    ictal = y == "ictal"
    return Scores(
        recipe=name,
        accuracy=float(result.accuracy.mean()),
        spread=float(result.accuracy.std()),
        sensitivity=float(said[ictal].mean()),
        specificity=float((~said[~ictal]).mean()),
    )


def read(model: Any, signal: Floats, fs: float) -> tuple[Floats, float, float]:
    """Stream a segment in pieces of 0.1 s, and predict each beginning of it in a batch.

    Returns the stream's answers (m, C), their largest difference from the batch's, and how many times faster
    than real time they came.
    """
    stream = elman.stream(model)
    start = perf_counter()
    parts = [stream.steps(signal[i : i + CHUNK]) for i in range(0, len(signal), CHUNK)]
    seconds = perf_counter() - start
    running = np.concatenate(parts)
    beginnings = [signal[: end + 1] for end in model[0].ends(len(signal))]
    batch = model.predict_proba(beginnings)
    return running, float(np.abs(running - batch).max()), len(signal) / fs / seconds


def describe(result: EegResult) -> str:
    """Return the result as text and a table."""
    rows = [
        (s.recipe, f"{s.accuracy:.3f} ± {s.spread:.3f}", f"{s.sensitivity:.3f}", f"{s.specificity:.3f}")
        for s in result.scores
    ]
    counts = [
        (kind, *(int(((result.expected == kind) & (result.predicted == other)).sum()) for other in KINDS))
        for kind in KINDS
    ]
    ictal = sorted(KINDS).index("ictal")
    final = result.running[-1, ictal]
    return (
        f"{result.segments} segments of {result.source}, {result.folds} folds by segment, stratified, "
        "seed 0:\n\n"
        + table(("recipe", "accuracy", "ictal: sensitivity", "specificity"), rows, right=(1, 2, 3))
        + "\n\nThe Elman network's answers (rows: what it was):\n\n"
        + table(("", *KINDS), counts, right=(1, 2, 3))
        + f"\n\nOne seizure that the network did not see, streamed in chunks of {CHUNK} samples: "
        f"{len(result.running)} answers, the last says ictal with {final:.3f}.\n"
        f"Stream and batch differ by at most {result.difference:.1e}; the stream ran "
        f"{result.times_real:,.0f} times faster than real time.\n"
    )


def headline(result: EegResult) -> str:
    """Return the result in one line, for the closing table."""
    own, plain = result.scores[:2]
    return f"accuracy {own.accuracy:.3f}, band powers {plain.accuracy:.3f}"


def draw(result: EegResult, folder: Path) -> list[Path]:
    """Save the pictures and return their paths."""
    judged, seizure = folder / "eeg_confusion_roc.png", folder / "eeg_seizure.png"
    figure = style.new_figure(9.6, 4.0)
    left, right = figure.subplots(1, 2)
    places = {kind: i for i, kind in enumerate(KINDS)}
    expected = np.array([places[kind] for kind in result.expected])
    predicted = np.array([places[kind] for kind in result.predicted])
    plotting.confusion_matrix(expected, predicted, labels=KINDS, ax=left)
    columns = [sorted(KINDS).index(kind) for kind in KINDS]
    plotting.roc(
        result.expected, result.shares[:, columns], labels=KINDS, ax=right, title="each kind against the rest"
    )
    style.save(figure, judged)
    # Between two answers the last one stands; before the first there is none.
    held = np.searchsorted(result.ends, np.arange(len(result.signal)), side="right") - 1
    shares = np.where(held[:, None] >= 0, result.running[held][:, columns], np.nan)
    ax = plotting.probabilities(
        shares,
        labels=KINDS,
        signal=result.signal[:, None],
        highlight=KINDS.index("ictal"),
        title="a seizure, and what the network says as it comes",
        fs=result.fs,
    )
    both: Any = ax.figure
    both.axes[0].set_ylabel("EEG, µV", fontsize=9)
    style.save(both, seizure)
    return [judged, seizure]


DEMO = Demo(
    name="eeg",
    system="EEG: healthy, interictal, ictal",
    article="000",
    intro=(
        "Segments of one channel, told apart by Elman(32) on log spectra below 45 Hz, its mean over time. "
        "Beside it in the same folds a plain logistic regression on the power in ten bands. Without --data "
        "the EEG is simulated (Wendling et al. 2002); --data FOLDER takes the University of Bonn's files."
    ),
    run=run,
    describe=describe,
    draw=draw,
    headline=headline,
)


def demo(data: Path | None = None, quick: bool = False) -> Demo[EegResult]:
    """Return the demo for other data, or in its quick size."""
    return replace(DEMO, run=partial(run, data, quick))
