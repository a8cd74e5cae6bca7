"""The recipe of 2005: Lyapunov exponents, an Elman network, Levenberg-Marquardt; and what stands beside it.

Güler, Übeyli and Güler (2005, Expert Systems with Applications 29(3), 506-514) told healthy, interictal and
ictal EEG apart by it. What their paper leaves open is filled in as docs/lyapunov.md says. Ten folds, shuffled
with seed 0, each segment whole in one of them, for

- the recipe: an Elman network of 10 units reads the exponents of 16 windows of a segment, one by one;
- a feedforward network of 10 units (scikit-learn's) on the means of the same exponents over the windows;
- an Elman network of 32 units on log spectra below 45 Hz.

    python examples/eeg_2005.py                  # simulated EEG
    python examples/eeg_2005.py --data bonn      # the Bonn recordings, sets A, D and E, from their own files

With --data, the last network is also trained on simulated EEG alone and tried on the recordings, each
recording brought to mean 0 and standard deviation 1: the simulator's amplitudes are not the recordings'.
"""

from __future__ import annotations

import argparse
import time
import warnings
from typing import Any

import numpy as np
from sklearn.exceptions import ConvergenceWarning
from sklearn.model_selection import StratifiedKFold
from sklearn.neural_network import MLPClassifier
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from elman import RNNClassifier
from elman.datasets import load_bonn, simulate_eeg
from elman.features import LogSpectrum, LyapunovExponents

KINDS = {"A": "healthy", "D": "interictal", "E": "ictal"}


def elman_2005() -> Any:
    """Return the recipe's network: 10 units, second order; its input is (16, 5) a segment."""
    # alpha holds 200 weights together that see 270 segments.
    return RNNClassifier(
        10, pooling="mean", solver="lm", alpha=1e-2, max_iter=30, random_state=0, dtype="float64", n_jobs=1
    )


def feedforward() -> Any:
    """Return a network without a past: its input is (5,) a segment."""
    net = MLPClassifier((10,), solver="lbfgs", alpha=1e-2, max_iter=500, random_state=0)
    return make_pipeline(StandardScaler(), net)


def elman_on_spectra(epochs: int) -> Any:
    """Return an Elman network on log spectra, trained with Adam."""
    return RNNClassifier(
        32,
        pooling="mean",
        learning_rate_init=5e-3,
        learning_rate="onecycle",
        max_iter=epochs,
        dropout=0.2,
        random_state=0,
        n_jobs=1,
    )


def cross_validate(name: str, make: Any, X: np.ndarray, y: np.ndarray, folds: int) -> float:
    """Train and test on each fold; print the accuracy and who was taken for whom."""
    started, scores, table = time.process_time(), [], np.zeros((3, 3), int)
    kinds = list(KINDS.values())
    for train, test in StratifiedKFold(folds, shuffle=True, random_state=0).split(X, y):
        said = make().fit(X[train], y[train]).predict(X[test])
        scores.append(np.mean(said == y[test]))
        np.add.at(table, ([kinds.index(k) for k in y[test]], [kinds.index(k) for k in said]), 1)
    report(name, float(np.mean(scores)), f"sd {np.std(scores):.3f}", table, started)
    return float(np.mean(scores))


def report(name: str, accuracy: float, more: str, table: np.ndarray, started: float) -> None:
    """Print one line, and the table of true kinds (rows) and answers."""
    rows = ", ".join("/".join(map(str, row)) for row in table.tolist())
    print(f"{name:34} {accuracy:.3f} {more:9} {rows}   {time.process_time() - started:.1f} s")


def spectra(X: np.ndarray, fs: float) -> Any:
    """Return log spectra (n, T', K) of segments (n, T, 1)."""
    return LogSpectrum(fs, window=128, hop=32, max_hz=45.0).fit_transform(X)


def standardized(X: np.ndarray) -> np.ndarray:
    """Return each recording at mean 0 and standard deviation 1."""
    return (X - X.mean(axis=1, keepdims=True)) / X.std(axis=1, keepdims=True)


def transfer(X: np.ndarray, y: np.ndarray, fs: float, segments: int, epochs: int) -> float:
    """Train on simulated EEG alone, try on recordings."""
    started = time.process_time()
    seconds = X.shape[1] / fs
    simulated = simulate_eeg(segments, seconds=seconds, fs=fs, seed=1)
    learned = np.stack(list(simulated.X))
    net = elman_on_spectra(epochs).fit(spectra(standardized(learned), fs), simulated.y)
    said = net.predict(spectra(standardized(X), fs))
    kinds = list(KINDS.values())
    table = np.array([[np.sum((y == a) & (said == b)) for b in kinds] for a in kinds])
    accuracy = float(np.mean(said == y))
    report("trained on simulation alone", accuracy, "", table, started)
    return accuracy


def main() -> None:
    """Read or simulate, compute features, cross-validate."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--data", help="a folder with the Bonn files of sets A, D and E")
    parser.add_argument("--segments", type=int, default=100, help="simulated segments of each kind")
    parser.add_argument("--folds", type=int, default=10)
    parser.add_argument("--epochs", type=int, default=40, help="of the network on spectra")
    args = parser.parse_args()
    warnings.simplefilter("ignore", ConvergenceWarning)

    if args.data:
        data = load_bonn(args.data, sets="ADE")
        y = np.array([KINDS[letter] for letter in data.y])
    else:
        data = simulate_eeg(args.segments)
        y = data.y
    X, fs = np.stack(list(data.X)), data.description.fs
    print(data.description)

    started = time.process_time()
    exponents = LyapunovExponents(fs, window=256, hop=256).fit_transform(X)
    spent = time.process_time() - started
    print(f"Lyapunov exponents of {exponents.shape[0] * exponents.shape[1]} windows: {spent:.1f} s")
    print(f"{'':34} accuracy        {' / '.join(KINDS.values())}: a row of answers for each   CPU time")
    cross_validate("Lyapunov, Elman, LM (2005)", elman_2005, exponents, y, args.folds)
    cross_validate("Lyapunov, feedforward", feedforward, exponents.mean(axis=1), y, args.folds)
    cross_validate("log spectra, Elman", lambda: elman_on_spectra(args.epochs), spectra(X, fs), y, args.folds)
    if args.data:
        transfer(X, y, fs, args.segments, args.epochs)


if __name__ == "__main__":
    main()
