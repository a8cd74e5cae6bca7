"""Saved models as the commands use them: any of them has a task, a number of features and answers."""

from __future__ import annotations

import warnings
from dataclasses import dataclass
from typing import Any

import numpy as np

from elman import persistence, streaming
from elman.cli.commands import Say
from elman.cli.commands.data import Data, plural
from elman.cli.commands.feature_order import in_order
from elman.data.feature_names import Features
from elman.data.sequences import Array
from elman.errors import NonFiniteError
from elman.network.network import Network
from elman.nn.layers import Dense
from elman.streaming import Stream

_LONGEST = 24  # a power of two: samples in a window of features, at most
_TASKS = {"RNNClassifier": "classify", "RNNTagger": "tag", "RNNRegressor": "regress"}


@dataclass(frozen=True)
class LoadedModel:
    """A saved model: ``model`` is an estimator, a network, or a pipeline of transformers and an estimator.

    ``task`` is "classify", "tag", "regress", or "network" for a bare network; ``classes`` are the labels of
    the first two, otherwise None; ``features`` is F, the number of features of the sequences that it reads.
    """

    path: str
    model: Any
    task: str
    per_step: bool
    features: int
    classes: list[Any] | None

    @property
    def kind(self) -> str:
        """The name of the class of its estimator or network."""
        return type(self.predictor).__name__

    @property
    def transformers(self) -> list[Any]:
        """The transformers of a pipeline, before its estimator."""
        return _parts(self.model)[:-1]

    @property
    def predictor(self) -> Any:
        """The estimator or the network."""
        return _parts(self.model)[-1]

    @property
    def rate(self) -> float | None:
        """The sampling rate in Hz that its transformers expect, or of its training; None where unknown."""
        rates = (float(part.fs) for part in self.transformers if hasattr(part, "fs"))
        return next(rates, self.known.rate)

    @property
    def known(self) -> Features:
        """What is known of its features."""
        return streaming.known_features(self.model)

    def in_order(self, data: Data, say: Say) -> Data:
        """Return the sequences of a file in the order and the units of its features."""
        untrained = self.network.model.epoch == 0  # then there is no order yet
        if self.integers or (untrained and not self.known.known):
            return data
        return in_order(data, self.known, f"as {self.path!r} was trained", say)

    @property
    def network(self) -> Network:
        """The network itself."""
        net: Network = self.predictor if self.task == "network" else self.predictor.network_
        return net

    @property
    def tabular(self) -> bool:
        """Whether it was fitted on 2-D input, where each row is a univariate sequence of one length."""
        first = _parts(self.model)[0]
        return False if isinstance(first, Network) else bool(first.tabular_)

    @property
    def takes_missing(self) -> bool:
        """Whether its first transformer fills in missing numbers (NaN)."""
        return any(part.takes_missing for part in self.transformers[:1])

    def stream(self) -> Stream:
        """Return a new stream, which gives no, one or several answers to each step."""
        return streaming.stream(self.model)

    def ends(self, steps: int) -> Array:
        """Return which steps of a sequence of ``steps`` steps have an answer, counted from 0."""
        ends = np.arange(steps)
        for part in self.transformers:
            ends = ends[part.ends(len(ends))]
        return ends

    @property
    def integers(self) -> bool:
        """Whether it is a network that begins with an Embedding."""
        return self.task == "network" and self.network.model.symbols > 0

    def cadence(self) -> tuple[int, int]:
        """Return the number of samples before the stream's first answer, and between two answers."""
        for power in range(1, _LONGEST):
            try:
                ends = self.ends(2**power)
            except ValueError:  # shorter than one window
                continue
            if len(ends) > 1:
                return int(ends[0]) + 1, int(ends[1] - ends[0])
        most = f"more than {2**_LONGEST} samples"
        raise ValueError(f"the features of {self.path!r} need {most} for two answers, expected less")

    def answers(self, data: Data) -> Array | list[Array]:
        """Return probabilities, values or outputs: (n, C), or a list of (T_i, C) with one row a step."""
        self.check(data)
        X: Any = np.stack([x[:, 0] for x in data.X]) if self.tabular else self._read(data.X)
        with warnings.catch_warnings():
            # Fitted on a data frame, it would warn that a file's values have no column names.
            warnings.filterwarnings("ignore", message="X does not have valid feature names")
            try:
                out = self.model.predict_proba(X) if self.classes is not None else self.model.predict(X)
            except NonFiniteError as error:
                raise _not_finite(error, data) from None
        if self.per_step:
            return [np.asarray(rows).reshape(len(rows), -1) for rows in out]
        return np.asarray(out).reshape(len(data.X), -1)

    def missing(self, labels: Array) -> Array:
        """Return which labels of steps (N,) stand for none: a tagger's ``missing_label``, a network's -1."""
        from elman.estimators.missing_labels import missing_steps

        label = self.predictor.missing_label if self.task == "tag" else -1
        return missing_steps(labels.astype(object) if labels.dtype.kind == "U" else labels, label)

    def scaled(self, X: list[Array]) -> list[Array]:
        """Return sequences as its network reads them, in float64."""
        if self.task == "network":
            return self._read(X)
        rows: Any = np.stack([x[:, 0] for x in X]) if self.tabular else X
        for part in self.transformers:
            rows = part.transform(rows)
        X = list(rows) if self.transformers else X
        return [self.predictor.scaler_.apply(x, np.dtype(np.float64)) for x in X]

    def _read(self, X: list[Array]) -> list[Array]:
        """Return sequences, as integers for an Embedding: files hold plain numbers."""
        if not self.integers:
            return X
        for i, x in enumerate(X):
            if x.dtype.kind == "f" and not (x == np.floor(x)).all():  # NaN too
                raise ValueError(f"sequence {i} holds numbers that are not whole, expected integers")
        return [x.astype(np.int64) for x in X]

    def check(self, data: Data) -> None:
        """Raise ValueError unless the sequences have the model's number of features (and steps)."""
        if data.features != self.features:
            raise ValueError(
                f"{data.path!r} has {plural(data.features, 'feature')} a step, "
                f"expected {self.features}, as {self.path!r} was trained with"
            )
        if self.tabular:
            steps = _parts(self.model)[0].n_features_in_
            for name, x in zip(data.names, data.X, strict=True):
                if len(x) != steps:
                    raise ValueError(
                        f"{data.path!r}, sequence {name}: {len(x)} steps, expected {steps} in each, as "
                        f"{self.path!r} was trained on a table of {steps} columns"
                    )


def _not_finite(error: NonFiniteError, data: Data) -> ValueError:
    """Return the error with the name that the sequence has in its file."""
    row = int(error.where.removeprefix("X[").removesuffix("]"))
    return ValueError(
        f"{data.path!r}, sequence {data.names[row]}: the model {error.problem}, expected finite numbers; its "
        f"states may have grown too large over so many steps"
    )


def load(path: str) -> LoadedModel:
    """Return the model in a file; ValueError for one that is damaged or not elman's."""
    model = persistence.load(path)
    parts = _parts(model)
    first, last = parts[0], parts[-1]
    kind = type(last).__name__
    if kind in _TASKS:
        task, net = _TASKS[kind], last.network_
    elif isinstance(last, Network):
        task, net = "network", last
    else:
        raise ValueError(
            f"{path!r} holds a {kind}, which only elman.load in Python reads; "
            f"expected a network, an estimator or a pipeline"
        )
    classes = last.classes_.tolist() if task in ("classify", "tag") else None
    features = net.input_size if first is last else first.n_channels
    return LoadedModel(path, model, task, net.per_step, features, classes)


def _parts(model: Any) -> list[Any]:
    """Return the steps of a pipeline, or the estimator or network alone."""
    return [part for _, part in model.steps if part != "passthrough"] if hasattr(model, "steps") else [model]


def with_classes(model: LoadedModel) -> list[Any] | None:
    """Return the labels of a model's outputs; for a network that ends with softmax they are 0, 1, ..."""
    if model.task != "network":
        return model.classes
    last = model.network.layers[-1]
    softmax = isinstance(last, Dense) and last.activation == "softmax"
    return list(range(model.network.output_size)) if softmax else None
