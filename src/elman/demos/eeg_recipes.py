"""Recipes that classify segments of EEG in µV, (T, 1), for the demo and the benchmark.

They were chosen on the Bonn segments with folds of other seeds than the benchmark's (benchmarks/README.md).
"""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from sklearn.base import ClassifierMixin, clone
from sklearn.kernel_ridge import KernelRidge
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import FeatureUnion, make_pipeline
from sklearn.preprocessing import FunctionTransformer, StandardScaler

from elman import _engine
from elman.estimators import RNNClassifier
from elman.features import BandPower, LogSpectrum, Reservoirs

Floats = NDArray[np.float64]
Indices = NDArray[np.int64]
Folds = list[tuple[Indices, Indices]]

# Hz; ten, as narrow as the rhythms of the clinic are where these lie.
BANDS = ((0.5, 2), (2, 4), (4, 6), (6, 8), (8, 10), (10, 13), (13, 20), (20, 30), (30, 45), (45, 80))
FLOOR = 1e-2  # µV²/Hz, far below the noise of an amplifier


@dataclass(frozen=True)
class Recipe:
    """A recipe: ``features`` learn nothing from data and are computed once; ``model`` is fitted per fold."""

    name: str
    features: Any
    model: Any

    def whole(self) -> Any:
        """Return one pipeline, for new segments and for `elman.stream`."""
        return make_pipeline(clone(self.features), clone(self.model))


class KernelRidgeClassifier(ClassifierMixin, KernelRidge):  # type: ignore[misc]
    """Kernel ridge regression on 1 for the class and -1 for the others; the largest output wins."""

    def fit(self, X: Any, y: Any) -> KernelRidgeClassifier:
        """Fit one regression per class, all with the same kernel."""
        self.classes_ = np.unique(y)
        super().fit(X, np.where(np.asarray(y)[:, None] == self.classes_, 1.0, -1.0))
        return self

    def decision_function(self, X: Any) -> Floats:
        """Return the outputs of the regressions, (n, C)."""
        answers: Floats = super().predict(X)
        return answers

    def predict(self, X: Any) -> Any:
        """Return the class with the largest output."""
        return self.classes_[self.decision_function(X).argmax(axis=1)]


def band_powers(fs: float) -> Recipe:
    """Logistic regression on ten log band powers: the baseline."""
    model = make_pipeline(StandardScaler(), LogisticRegression(max_iter=1000))
    return Recipe("logistic regression, ten band powers", BandPower(fs, BANDS, window=None), model)


def elman_net(
    fs: float, window: int = 512, hop: int = 64, *, units: int = 32, noise: float = 0.3, seed: int = 0
) -> Recipe:
    """An Elman network on log spectra below 45 Hz, its mean over time; one cycle of Adam, noise on the input.

    Long windows tell whole segments apart more surely, short ones answer sooner.
    """
    net = RNNClassifier(
        units,
        cell="rnn",
        pooling="mean",
        max_iter=40,
        batch_size=16,
        learning_rate_init=5e-3,
        learning_rate="onecycle",
        input_noise=noise,
        dtype="float32",
        random_state=seed,
        n_jobs=1,
    )
    features = LogSpectrum(fs, window, hop, 45.0, floor=FLOOR)
    return Recipe(f"Elman({units}), spectra of {window} samples", features, net)


def reservoirs(fs: float, networks: int = 16) -> Recipe:
    """Four banks of untrained Elman networks and the long spectrum, read out by kernel ridge regression."""
    return Recipe(
        f"{4 * networks} untrained Elman(8) and spectrum, kernel ridge",
        FeatureUnion([*_banks(networks), ("spectrum", _long_spectrum(fs))]),
        _readout(4 * 4 * 8 * networks + len(LogSpectrum(fs, 2048, 512, 45.0).frequencies())),
    )


def reservoirs_alone(fs: float, networks: int = 16) -> Recipe:  # noqa: ARG001
    """The four banks of untrained Elman networks without the spectrum, for comparison."""
    columns = 4 * 4 * 8 * networks
    return Recipe(
        f"{4 * networks} untrained Elman(8) alone", FeatureUnion(_banks(networks)), _readout(columns)
    )


def spectrum_alone(fs: float) -> Recipe:
    """The long spectrum without a recurrent network, for comparison."""
    columns = len(LogSpectrum(fs, 2048, 512, 45.0).frequencies())
    return Recipe("long spectrum alone, kernel ridge", _long_spectrum(fs), _readout(columns))


def _banks(networks: int) -> list[tuple[str, Reservoirs]]:
    """Size and slope in µV, and in each segment's own standard deviation."""
    return [
        ("signal", Reservoirs(networks, 8, input_scaling=1 / 100, random_state=0)),
        ("shape", Reservoirs(networks, 8, standardize=True, random_state=1)),
        ("slope", Reservoirs(networks, 8, input_scaling=1 / 30, difference=True, random_state=2)),
        ("slope_shape", Reservoirs(networks, 8, difference=True, standardize=True, random_state=3)),
    ]


def _long_spectrum(fs: float) -> Any:
    return make_pipeline(LogSpectrum(fs, 2048, 512, 45.0, floor=FLOOR), FunctionTransformer(mean_over_time))


def _readout(columns: int) -> Any:
    return make_pipeline(StandardScaler(), KernelRidgeClassifier(1e-3, kernel="rbf", gamma=0.15 / columns))


def mean_over_time(X: Any) -> Floats:
    """Return the mean over the steps of each sequence, (n, F)."""
    return np.stack([np.asarray(x).mean(axis=0) for x in X])


@dataclass(frozen=True)
class Result:
    """Out-of-fold predictions: ``predicted`` (n,), ``scores`` (n, C), and the ``accuracy`` of each fold."""

    predicted: Any
    scores: Floats
    accuracy: Floats


def cross_validate(recipe: Recipe, X: Any, y: Any, folds: Folds, n_jobs: int | None = None) -> Result:
    """Fit the model of a recipe in each fold, one fold per thread at a time."""
    features = clone(recipe.features).fit_transform(X)
    y = np.asarray(y)

    def one(fold: tuple[Indices, Indices]) -> tuple[Any, Floats]:
        train, test = fold
        model = clone(recipe.model).fit(_rows(features, train), y[train])
        given = _rows(features, test)
        score = model.predict_proba if hasattr(model, "predict_proba") else model.decision_function
        return model.predict(given), score(given)

    with ThreadPoolExecutor(min(_engine.threads(n_jobs), len(folds))) as pool:
        answers = list(pool.map(one, folds))
    predicted = np.empty(len(y), y.dtype)
    scores = np.empty((len(y), len(np.unique(y))))
    for (_, test), (labels, values) in zip(folds, answers, strict=True):
        predicted[test], scores[test] = labels, values
    accuracy = np.array([(predicted[test] == y[test]).mean() for _, test in folds])
    return Result(predicted, scores, accuracy)


def _rows(features: Any, rows: Indices) -> Any:
    return features[rows] if isinstance(features, np.ndarray) else [features[i] for i in rows]
