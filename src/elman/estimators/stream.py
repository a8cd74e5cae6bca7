"""Streams: one step at a time through a fitted estimator."""

from __future__ import annotations

from typing import Protocol

import numpy as np
from numpy.typing import ArrayLike

from elman.data.alignment import aligned_rows
from elman.data.estimator_input import features_of
from elman.data.feature_names import UNKNOWN
from elman.data.input_types import State
from elman.data.sequences import Array
from elman.errors import ArgumentTypeError, ArgumentValueError
from elman.estimators.scaling import Scaler
from elman.network.network import Network


class FittedEstimator(Protocol):
    """A fitted estimator, as a stream needs it."""

    scaler_: Scaler
    network_: Network
    tabular_: bool

    def to_answers(self, outputs: Array) -> Array: ...


class EstimatorStream:
    """One step at a time through a fitted estimator; `RNNClassifier.stream` and the others return it.

    ``fitted`` is a copy of the estimator: another fit gives the estimator itself new scales.
    """

    def __init__(self, fitted: FittedEstimator, rows: int | None) -> None:
        self._fitted = fitted
        network = fitted.network_
        self._dtype = network.dtype
        self._known = UNKNOWN if fitted.tabular_ else features_of(fitted)
        self._native = network.stream(rows)
        self._shape = (network.input_size,) if rows is None else (rows, network.input_size)

    def step(self, x: ArrayLike) -> Array:
        """Return the answers after one more step, (F,) -> (C,), with ``rows`` (rows, F) -> (rows, C).

        ValueError for NaN or a wrong shape, TypeError for anything but numbers; the state is unchanged then.
        """
        if self._known is not UNKNOWN and type(x) is not np.ndarray:
            x = aligned_rows(x, self._known, "x", one=len(self._shape) == 1)
        given = np.asarray(x)
        if given.dtype.kind not in "fiub":
            raise ArgumentTypeError("x", f"has dtype {given.dtype}", "real numbers")
        if given.shape == self._shape[:-1] and self._shape[-1] == 1:
            given = given[..., None]
        if given.shape != self._shape:
            several = "; steps takes several steps" if given.ndim == len(self._shape) + 1 else ""
            raise ArgumentValueError("x", f"has shape {given.shape}", f"{self._shape}{several}")
        scaled = self._fitted.scaler_.apply(given.reshape(-1, self._shape[-1]), self._dtype)
        out = self._native.step(scaled.reshape(self._shape))
        answers = self._fitted.to_answers(out.reshape(len(scaled), -1))
        return answers.reshape(*self._shape[:-1], answers.shape[-1])

    def steps(self, x: ArrayLike) -> Array:
        """Return the answers after each of k steps, (k, F) -> (k, C); with ``rows`` also (k, rows, ...).

        The bits are those of ``step``. Errors as there; all steps are checked before the first is taken.
        """
        if self._known is not UNKNOWN and type(x) is not np.ndarray:
            x = aligned_rows(x, self._known, "x")
        given = np.asarray(x)
        if given.dtype.kind not in "fiub":
            raise ArgumentTypeError("x", f"has dtype {given.dtype}", "real numbers")
        if self._shape[-1] == 1 and given.ndim == len(self._shape):
            given = given[..., None]
        if given.ndim != len(self._shape) + 1 or given.shape[1:] != self._shape:
            one = "; step takes one step" if np.ndim(x) == len(self._shape) else ""
            sizes = ", ".join(map(str, self._shape))
            raise ArgumentValueError("x", f"has shape {np.shape(x)}", f"(k, {sizes}){one}")
        scaled = self._fitted.scaler_.apply(given.reshape(-1, self._shape[-1]), self._dtype)
        out = self._native.steps(scaled.reshape(given.shape))
        answers = self._fitted.to_answers(out.reshape(len(scaled), out.shape[-1]))
        return answers.reshape(*out.shape[:-1], answers.shape[-1])

    def advance(self, x: Array) -> Array:
        """Return the answers (k, C) after steps (k, F) that were checked, of a stream without ``rows``.

        Numbers too large for the network are a ValueError; a warning of NumPy is the caller's to silence.
        """
        scaled = self._fitted.scaler_.apply_few(x, self._dtype)
        out = self._native.step(scaled[0])[None] if len(scaled) == 1 else self._native.steps(scaled)
        return self._fitted.to_answers(out)

    def reset(self) -> None:
        """Start anew."""
        self._native.reset()

    @property
    def state(self) -> State:
        """The states, one entry per recurrent layer or pool, as a copy; set by the same."""
        return self._native.state

    @state.setter
    def state(self, value: State) -> None:
        self._native.state = value
