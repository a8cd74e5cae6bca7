"""DepthForecaster: the distribution of BIS a minute ahead, at every step of an operation."""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import asdict
from typing import Any, NamedTuple, overload

import numpy as np
from numpy.typing import ArrayLike
from sklearn.base import BaseEstimator
from sklearn.utils.validation import check_is_fitted

from elman._validation import integer
from elman.anaesthesia.depths import DEPTHS, EDGES, depth, depth_shares, median
from elman.anaesthesia.features import AWAKE, DepthFeatures
from elman.anaesthesia.filters import Carry
from elman.anaesthesia.pharmacology import Floats
from elman.anaesthesia.simulator import TRACKS
from elman.anaesthesia.vitals import BIS, find_track, in_order
from elman.data import estimator_input
from elman.data.alignment import aligned_rows
from elman.data.feature_names import Features
from elman.data.input_types import HasArray, SequenceInput, SequenceOutput
from elman.data.sequences import Array, Batch, Sequences
from elman.errors import ArgumentValueError
from elman.estimators import convergence, files
from elman.estimators.parameters import Cell
from elman.estimators.tagger import RNNTagger
from elman.model import file
from elman.streaming import stream


class DepthForecaster(BaseEstimator):  # type: ignore[misc]
    """A forecaster of BIS and depth of anaesthesia some steps ahead, from the tracks of an operation.

    Recurrent networks read `DepthFeatures`. At each step they give a probability to each of 46 bins of the
    change of BIS from the last reading. The mean of the networks is the forecast's distribution, and its
    median the forecast, which has the smallest expected absolute error. The depth is deep (BIS below 40),
    adequate or light (above 60): the class whose probability is largest relative to its share of the training
    steps, which maximizes balanced accuracy. Training minimizes cross-entropy on windows of operations.

    Shapes: X is a list or `Sequences` of (T_i, F) tracks with NaN where there is no value, as from
    `load_vitals` and `simulate_anaesthesia`; answers have the same form.

    Parameters
    ----------
    tracks : sequence of str
        The names of the F tracks: ``description.channels``.
    cells : sequence of "rnn", "gru" or "lstm"
        One network for each; "rnn" is an Elman network.
    hidden : int
        Units of each network's one recurrent layer.
    epochs, batch_size, rate : int, int, float
        Settings of the training by Adam with a one-cycle learning rate, whose largest value is ``rate``.
    window : int
        The longest piece of an operation in training, in steps.
    ahead : int
        The distance of the forecast in steps of 10 s.
    patient : Patient or None
        As for `DepthFeatures`.
    random_state : int
        Network i has the seed ``random_state + i``.
    n_jobs : int or None
        Threads; the result does not depend on it.

    Attributes
    ----------
    features_, networks_ : DepthFeatures, list of RNNTagger
        The fitted features and networks.
    shares_ : array (3,)
        The share of each depth among the training steps.

    Raises
    ------
    ValueError, TypeError
        Naming the argument.

    >>> from elman.anaesthesia import simulate_anaesthesia
    >>> X, y, description = simulate_anaesthesia(4, minutes=(15, 20))
    >>> model = DepthForecaster(description.channels, cells=("rnn",), hidden=8, epochs=2).fit(X)
    >>> bis, depth = model.predict(X), model.predict_depth(X)
    >>> bis[0].shape == depth[0].shape == y[0].shape
    True
    """

    features_: DepthFeatures
    networks_: list[RNNTagger]
    shares_: Floats

    def __init__(
        self,
        tracks: Sequence[str] = TRACKS,
        *,
        cells: Sequence[Cell] = ("gru",),
        hidden: int = 64,
        epochs: int = 12,
        batch_size: int = 8,
        rate: float = 5e-3,
        window: int = 256,
        ahead: int = 6,
        patient: Any = None,
        random_state: int = 0,
        n_jobs: int | None = None,
    ) -> None:
        self.tracks = tracks
        self.cells = cells
        self.hidden = hidden
        self.epochs = epochs
        self.batch_size = batch_size
        self.rate = rate
        self.window = window
        self.ahead = ahead
        self.patient = patient
        self.random_state = random_state
        self.n_jobs = n_jobs

    def fit(self, X: SequenceInput, y: object = None) -> DepthForecaster:  # noqa: ARG002
        """Train on the operations X and return the forecaster; y is ignored, BIS is one of the tracks."""
        integer("window", self.window, 1)
        seed = integer("random_state", self.random_state, 0)
        if isinstance(self.cells, str) or not len(self.cells):
            raise ArgumentValueError(
                "cells", f"is {self.cells!r}", "one cell or more, such as ('gru', 'rnn')"
            )
        features = DepthFeatures(self.tracks, ahead=self.ahead, patient=self.patient)
        batch = estimator_input.sequence_batch(in_order(X, self.tracks), None)
        known = Sequences(batch.values, batch.offsets)
        read: Any = features.fit_transform(known)
        answers = future(known, self.tracks, self.ahead)
        last = Sequences(read.values[:, 0], known.offsets)
        pieces, labels = self._windows(read, last, answers)
        given = np.concatenate([a[~np.isnan(a)] for a in answers])
        if not len(given):
            raise ArgumentValueError("X", f"has no BIS reading {self.ahead} steps ahead of any step", "some")
        networks = [self._network(cell, seed + i) for i, cell in enumerate(self.cells)]
        unfinished: list[str] = []
        for network in networks:
            with convergence.told(unfinished.append):
                network.fit(pieces, labels)
        self.features_, self.networks_ = features, networks
        # a depth without training steps is never chosen
        self.shares_ = np.bincount(depth(given), minlength=len(DEPTHS)) / len(given)
        if unfinished:
            some = f"{len(unfinished)} of {len(networks)} networks"
            convergence.warn(
                f"epochs={self.epochs} ended the training of {some} while the loss was still falling; with "
                f"more it may become better",
                stacklevel=2,
            )
        return self

    def _network(self, cell: Cell, seed: int) -> RNNTagger:
        return RNNTagger(
            (self.hidden,),
            cell=cell,
            max_iter=self.epochs,
            batch_size=self.batch_size,
            learning_rate_init=self.rate,
            learning_rate="onecycle",
            dtype="float32",
            random_state=seed,
            n_jobs=self.n_jobs,
            missing_label=-1,  # a step without a reading
        )

    def _windows(
        self, read: Sequences, last: Sequences, answers: list[Floats]
    ) -> tuple[list[Array], list[Array]]:
        pieces: list[Array] = []
        labels: list[Array] = []
        for x, before, after in zip(read, last, answers, strict=True):
            change = after - before
            bins = np.where(np.isnan(change), -1, np.digitize(np.nan_to_num(change), EDGES[1:-1]))
            count = max(1, round(len(x) / self.window))
            cuts = np.linspace(0, len(x), count + 1).astype(int)[1:-1]
            pieces += np.split(x, cuts)
            labels += np.split(bins, cuts)
        return pieces, labels

    @overload
    def predict(self, X: HasArray) -> Array: ...
    @overload
    def predict(self, X: Sequences) -> Sequences: ...
    @overload
    def predict(self, X: Sequence[ArrayLike]) -> list[Array]: ...
    def predict(self, X: SequenceInput) -> SequenceOutput:
        """Return the median of BIS ``ahead`` steps after each step, (T_i,), in the form of X."""
        batch, last, shares = self._shares(X)
        return estimator_input.restore_form(median(shares, last), batch, X)

    @overload
    def predict_depth(self, X: HasArray) -> Array: ...
    @overload
    def predict_depth(self, X: Sequences) -> Sequences: ...
    @overload
    def predict_depth(self, X: Sequence[ArrayLike]) -> list[Array]: ...
    def predict_depth(self, X: SequenceInput) -> SequenceOutput:
        """Return the depth ``ahead`` steps after each step, (T_i,): 0 deep, 1 adequate, 2 light."""
        batch, last, shares = self._shares(X)
        return estimator_input.restore_form(choose_depth(depth_shares(shares, last), self.shares_), batch, X)

    @overload
    def predict_depth_proba(self, X: HasArray) -> Array: ...
    @overload
    def predict_depth_proba(self, X: Sequences) -> Sequences: ...
    @overload
    def predict_depth_proba(self, X: Sequence[ArrayLike]) -> list[Array]: ...
    def predict_depth_proba(self, X: SequenceInput) -> SequenceOutput:
        """Return the probability of deep, adequate and light, (T_i, 3)."""
        batch, last, shares = self._shares(X)
        return estimator_input.restore_form(depth_shares(shares, last), batch, X)

    @overload
    def predict_change_proba(self, X: HasArray) -> Array: ...
    @overload
    def predict_change_proba(self, X: Sequences) -> Sequences: ...
    @overload
    def predict_change_proba(self, X: Sequence[ArrayLike]) -> list[Array]: ...
    def predict_change_proba(self, X: SequenceInput) -> SequenceOutput:
        """Return the probability of each bin of the change of BIS, (T_i, 46); `EDGES` are the bins' edges."""
        batch, _, shares = self._shares(X)
        return estimator_input.restore_form(shares, batch, X)

    def stream(self) -> ForecastStream:
        """Return a stream: ``step(row)``, (F,) with NaN where there is no value, gives a `Forecast`."""
        check_is_fitted(self, "networks_")
        return ForecastStream(self)

    def save(self, path: str | os.PathLike[str]) -> None:
        """Write the fitted forecaster into one safetensors file that `elman.load` reads; no pickle.

        TypeError for parameters that cannot be written as JSON; OSError if the file cannot be written.
        """
        file.write(path, *pack(self))

    def _shares(self, X: Any) -> tuple[Batch, Floats, Floats]:
        check_is_fitted(self, "networks_")
        batch = estimator_input.sequence_batch(in_order(X, self.tracks), len(self.tracks))
        read: Any = self.features_.transform(Sequences(batch.values, batch.offsets))
        found = [network.predict_proba(read).values for network in self.networks_]
        shares = mean_shares(self.networks_, found)
        return batch, read.values[:, 0].astype(np.float64), shares


def mean_shares(networks: list[RNNTagger], answers: list[Floats]) -> Floats:
    """Return the mean of the networks' probabilities of the bins, (T, 46).

    A bin without training steps has probability 0.
    """
    shares = np.zeros((len(answers[0]), len(EDGES) - 1))
    for network, answer in zip(networks, answers, strict=True):
        shares[:, network.classes_] += answer
    return shares / len(answers)


def choose_depth(shares: Floats, training: Floats) -> Array:
    """Return the depth whose probability is largest relative to its share of the training steps, (T,).

    Shapes: shares (T, 3) of probabilities, training (3,).
    """
    with np.errstate(divide="ignore", invalid="ignore"):
        ratio = np.where(training > 0, shares / training, 0.0)
    chosen: Array = ratio.argmax(axis=1)
    return chosen


class Forecast(NamedTuple):
    """A forecast: BIS, the index of the depth in DEPTHS, and the probability of each depth.

    >>> forecast = Forecast(45.0, 1, np.array([0.1, 0.8, 0.1]))
    >>> DEPTHS[forecast.depth]
    'adequate'
    """

    bis: float
    depth: int
    probabilities: Floats


class ForecastStream:
    """Forecasts in a stream, one for each row of tracks: `DepthForecaster.stream` makes it."""

    def __init__(self, model: DepthForecaster) -> None:
        self._networks, self._training = list(model.networks_), model.shares_
        self._features = model.features_.stream()
        self._known = Features(tuple(model.features_.tracks))
        self._streams = [stream(network) for network in self._networks]

    def step(self, row: ArrayLike) -> Forecast:
        """Return the forecast after one more row (F,); NaN is no value. ValueError for a wrong shape."""
        if np.ndim(row) != 1:
            raise ArgumentValueError("row", f"has shape {np.shape(row)}", "(F,): one step")
        rows: Any = [aligned_rows(row, self._known, "row", one=True)]
        read = self._features.steps(rows)
        shares = mean_shares(self._networks, [each.steps(read) for each in self._streams])
        last = read[:, 0].astype(np.float64)
        depths = depth_shares(shares, last)
        chosen = choose_depth(depths, self._training)
        return Forecast(float(median(shares, last)[0]), int(chosen[0]), depths[0])

    def reset(self) -> None:
        """Go back to the beginning of an operation."""
        self._features.reset()
        for each in self._streams:
            each.reset()


def future(X: Any, tracks: Sequence[str], ahead: int = 6) -> list[Floats]:
    """Return the BIS reading ``ahead`` steps after each step of each operation, NaN if there is none.

    >>> [a.tolist() for a in future([np.array([[50.0], [0.0], [60.0]])], ["BIS"], ahead=1)]
    [[nan, 60.0, nan]]
    """
    place = find_bis(tracks)
    answers = []
    for x in X:
        answer = np.full(len(x), np.nan)
        answer[: max(0, len(x) - ahead)] = x[ahead:, place]
        answer[answer == 0] = np.nan
        answers.append(answer)
    return answers


def repeated(X: Any, tracks: Sequence[str]) -> list[Floats]:
    """Return the last BIS reading at each step, 93 (awake) before the first: a baseline forecast.

    >>> [a.tolist() for a in repeated([np.array([[0.0], [50.0], [np.nan]])], ["BIS"])]
    [[93.0, 50.0, 50.0]]
    """
    place = find_bis(tracks)
    return [Carry(AWAKE)(np.where(x[:, place] == 0, np.nan, x[:, place]).astype(np.float64))[0] for x in X]


def find_bis(tracks: Sequence[str]) -> int:
    """Return the index of BIS among the tracks."""
    place = find_track(list(tracks), BIS)
    if place is None:
        raise ArgumentValueError("tracks", f"is {list(tracks)}", f"{BIS} among them")
    return place


def pack(forecaster: DepthForecaster) -> tuple[dict[str, Any], dict[str, Array]]:
    """Return a forecaster as plain values and arrays: those of each network, its own and its bins beside."""
    check_is_fitted(forecaster, "networks_")
    kind = type(forecaster)
    if kind.__module__.partition(".")[0] != __name__.partition(".")[0]:
        raise TypeError(
            f"{kind.__name__} is a class of its own, which elman.load does not know: pickle keeps it"
        )
    networks: list[dict[str, Any]] = []
    arrays = {"shares": forecaster.shares_, "edges": EDGES}
    for i, network in enumerate(forecaster.networks_):
        spec, own = files.pack_fitted(network)
        networks.append(spec)
        arrays |= {f"network.{i}.{name}": array for name, array in own.items()}
    return {
        "kind": kind.__name__,
        "parameters": _plain(forecaster),
        "features": _plain(forecaster.features_),
        "networks": networks,
    }, arrays


def _plain(part: DepthForecaster | DepthFeatures) -> dict[str, Any]:
    """Return the parameters as JSON holds them; a patient is a table of its own."""
    given = part.get_params(deep=False)
    patient = given.pop("patient")
    parameters = {name: files.parameter_to_json(name, value) for name, value in given.items()}
    about = (
        None
        if patient is None
        else {key: files.parameter_to_json(key, v) for key, v in asdict(patient).items()}
    )
    return parameters | {"patient": about}
