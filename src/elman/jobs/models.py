"""Saved models as the commands use them: whatever was saved, it has a task, features and answers."""

from __future__ import annotations

import warnings
from dataclasses import dataclass
from typing import Any

import numpy as np

from elman import loading
from elman.jobs.data import Data, plural
from elman.layers import Dense
from elman.network import Network
from elman.sequences import Array

_TASKS = {"RNNClassifier": "classify", "RNNTagger": "tag", "RNNRegressor": "regress"}


@dataclass(frozen=True)
class Opened:
    """A saved model: ``it`` is the estimator or the network.

    ``task`` is "classify", "tag", "regress", or "network" for a bare network; ``classes`` are the labels of
    the first two, otherwise None.
    """

    path: str
    it: Any
    task: str
    per_step: bool
    features: int
    classes: list[Any] | None

    @property
    def kind(self) -> str:
        """The name of its class."""
        return type(self.it).__name__

    @property
    def network(self) -> Network:
        """The network itself."""
        net: Network = self.it if self.task == "network" else self.it.network_
        return net

    @property
    def table(self) -> bool:
        """Whether it was fitted on 2-D input, where each row is a univariate sequence of one length."""
        return bool(getattr(self.it, "_table", False))

    @property
    def integers(self) -> bool:
        """Whether it is a network that begins with an Embedding."""
        return self.task == "network" and self.network.model.symbols > 0

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
        return [self.it._scaler.apply(x, np.dtype(np.float64)) for x in X]

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
            steps = self.it.n_features_in_
            for name, x in zip(data.names, data.X, strict=True):
                if len(x) != steps:
                    raise ValueError(
                        f"{data.path!r}, sequence {name}: {len(x)} steps, expected {steps} in each, as "
                        f"{self.path!r} was trained on a table of {steps} columns"
                    )


def load(path: str) -> Opened:
    """Return the model in a file; ValueError for one that is damaged or not elman's."""
    it = loading.load(path)
    kind = type(it).__name__
    net = it if isinstance(it, Network) else it.network_
    task = _TASKS.get(kind, "network")
    classes = it.classes_.tolist() if task in ("classify", "tag") else None
    return Opened(path, it, task, net.per_step, net.input_size, classes)


def with_classes(model: Opened) -> list[Any] | None:
    """Return the labels of a model's outputs; for a network that ends with softmax they are 0, 1, ..."""
    if model.task != "network":
        return model.classes
    last = model.network.layers[-1]
    softmax = isinstance(last, Dense) and last.activation == "softmax"
    return list(range(model.network.output_size)) if softmax else None
