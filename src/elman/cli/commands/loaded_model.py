"""Saved models as the commands use them: whatever was saved, it has a task, features and answers."""

from __future__ import annotations

import warnings
from dataclasses import dataclass
from typing import Any

import numpy as np

from elman import persistence, streaming
from elman.cli.commands.data import Data, plural
from elman.data.sequences import Array
from elman.network.network import Network
from elman.nn.layers import Dense
from elman.streaming import Stream

_LONGEST = 24  # a power of two: samples in a window of features, at most
_TASKS = {"RNNClassifier": "classify", "RNNTagger": "tag", "RNNRegressor": "regress"}


@dataclass(frozen=True)
class Opened:
    """A saved model: ``it`` is the estimator, the network, or a pipeline of features and an estimator.

    ``task`` is "classify", "tag", "regress", or "network" for a bare network; ``classes`` are the labels of
    the first two, otherwise None; ``features`` are those of the sequences that it reads.
    """

    path: str
    it: Any
    task: str
    per_step: bool
    features: int
    classes: list[Any] | None

    @property
    def kind(self) -> str:
        """The name of its class, or of its estimator's."""
        return type(self.last).__name__

    @property
    def before(self) -> list[Any]:
        """The features before its estimator."""
        return _parts(self.it)[:-1]

    @property
    def last(self) -> Any:
        """The estimator or the network."""
        return _parts(self.it)[-1]

    @property
    def rate(self) -> float | None:
        """The sampling rate in Hz that its features are made for; None where they do not say."""
        return next((float(features.fs) for features in self.before if hasattr(features, "fs")), None)

    @property
    def network(self) -> Network:
        """The network itself."""
        net: Network = self.it if self.task == "network" else self.last.network_
        return net

    @property
    def table(self) -> bool:
        """Whether it was fitted on 2-D input, where each row is a univariate sequence of one length."""
        return bool(getattr(_parts(self.it)[0], "tabular_", False))

    @property
    def takes_missing(self) -> bool:
        """Whether its first step fills in what is missing (NaN)."""
        return bool(getattr(_parts(self.it)[0], "takes_missing", False))

    def stream(self) -> Stream:
        """Return a new stream of answers, none or several for each step that comes."""
        return streaming.stream(self.it)

    def ends(self, steps: int) -> Array:
        """Return which steps of a sequence of so many have an answer."""
        ends = np.arange(steps)
        for features in self.before:
            ends = ends[features.ends(len(ends))]
        return ends

    @property
    def integers(self) -> bool:
        """Whether it is a network that begins with an Embedding."""
        return self.task == "network" and self.network.model.symbols > 0

    def cadence(self) -> tuple[int, int]:
        """Return how many samples the stream's first answer takes, and how many more each further one."""
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
        X: Any = np.stack([x[:, 0] for x in data.X]) if self.table else self._read(data.X)
        with warnings.catch_warnings():
            # Fitted on a data frame, it would be told that a file's values come without column names.
            warnings.filterwarnings("ignore", message="X does not have valid feature names")
            out = self.it.predict_proba(X) if self.classes is not None else self.it.predict(X)
        if self.per_step:
            return [np.asarray(rows).reshape(len(rows), -1) for rows in out]
        return np.asarray(out).reshape(len(data.X), -1)

    def scaled(self, X: list[Array]) -> list[Array]:
        """Return sequences as its network reads them, in float64."""
        if self.task == "network":
            return self._read(X)
        rows: Any = np.stack([x[:, 0] for x in X]) if self.table else X
        for features in self.before:
            rows = features.transform(rows)
        X = list(rows) if self.before else X
        return [self.last.scaler_.apply(x, np.dtype(np.float64)) for x in X]

    def _read(self, X: list[Array]) -> list[Array]:
        """Return sequences, as integers for an Embedding: files hold plain numbers."""
        if not self.integers:
            return X
        for i, x in enumerate(X):
            if x.dtype.kind == "f" and not (x == np.floor(x)).all():  # NaN too
                raise ValueError(f"sequence {i} holds numbers that are not whole, expected integers")
        return [x.astype(np.int64) for x in X]

    def check(self, data: Data) -> None:
        """Raise ValueError where the sequences are not of the form that the model takes."""
        if data.features != self.features:
            raise ValueError(
                f"{data.path!r} has {plural(data.features, 'feature')} a step, "
                f"expected {self.features}, as {self.path!r} was trained with"
            )
        if self.table:
            steps = _parts(self.it)[0].n_features_in_
            for name, x in zip(data.names, data.X, strict=True):
                if len(x) != steps:
                    raise ValueError(
                        f"{data.path!r}, sequence {name}: {len(x)} steps, expected {steps} in each, as "
                        f"{self.path!r} was trained on a table of {steps} columns"
                    )


def load(path: str) -> Opened:
    """Return the model in a file; ValueError for one that is damaged or not elman's."""
    it = persistence.load(path)
    first, last = _parts(it)[0], _parts(it)[-1]
    net = last if isinstance(last, Network) else getattr(last, "network_", None)
    if net is None:
        raise ValueError(
            f"{path!r} holds a {type(last).__name__}, which only elman.load in Python reads; "
            f"expected a network, an estimator or a pipeline"
        )
    task = _TASKS.get(type(last).__name__, "network")
    classes = last.classes_.tolist() if task in ("classify", "tag") else None
    features = net.input_size if first is last else first.n_channels
    return Opened(path, it, task, net.per_step, features, classes)


def _parts(it: Any) -> list[Any]:
    """Return the features, where a model has some, and its estimator or network."""
    return [part for _, part in it.steps if part != "passthrough"] if hasattr(it, "steps") else [it]


def with_classes(model: Opened) -> list[Any] | None:
    """Return the labels of a model's outputs; for a network that ends with softmax they are 0, 1, ..."""
    if model.task != "network":
        return model.classes
    last = model.network.layers[-1]
    softmax = isinstance(last, Dense) and last.activation == "softmax"
    return list(range(model.network.output_size)) if softmax else None
