"""Streams: one step at a time through a fitted estimator."""

from __future__ import annotations

from typing import Any, Protocol

import numpy as np

from elman.data.sequences import Array
from elman.errors import ArgumentTypeError, ArgumentValueError
from elman.estimators.scaling import Scaler


class Answering(Protocol):
    """A fitted estimator, as a stream needs it."""

    scaler_: Scaler
    network_: Any

    def to_answers(self, outputs: Array) -> Array: ...


class EstimatorStream:
    """One step at a time through a fitted estimator; `RNNClassifier.stream` and the others return it.

    ``fitted`` is a copy of the estimator: another fit gives the estimator itself new scales.
    """

    def __init__(self, fitted: Answering, rows: int | None) -> None:
        self._fitted = fitted
        network = fitted.network_
        self._dtype = network.dtype
        self._native = network.stream(rows)
        self._shape = (network.input_size,) if rows is None else (rows, network.input_size)

    def step(self, x: Any) -> Array:
        """Return the answers after one more step; ValueError for NaN or a wrong size, the state unchanged."""
        given = np.asarray(x)
        if given.dtype.kind not in "fiub":
            raise ArgumentTypeError("x", f"has dtype {given.dtype}", "real numbers")
        if given.shape == self._shape[:-1] and self._shape[-1] == 1:
            given = given[..., None]
        if given.shape != self._shape:
            raise ArgumentValueError("x", f"has shape {given.shape}", f"{self._shape}")
        scaled = self._fitted.scaler_.apply(given.reshape(-1, self._shape[-1]), self._dtype)
        out = self._native.step(scaled.reshape(self._shape))
        answers = self._fitted.to_answers(out.reshape(len(scaled), -1))
        return answers.reshape(*self._shape[:-1], answers.shape[-1])

    def reset(self) -> None:
        """Start anew."""
        self._native.reset()

    @property
    def state(self) -> list[Any]:
        """The states, one entry per recurrent layer or pool, as a copy; set by the same."""
        return self._native.state  # type: ignore[no-any-return]

    @state.setter
    def state(self, value: list[Any]) -> None:
        self._native.state = value
