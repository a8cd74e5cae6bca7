"""Streams: samples in, answers out as soon as they are complete, through features and network."""

from __future__ import annotations

import copy
from typing import Any

import numpy as np

from elman._validation import describe
from elman.data.sequences import Array
from elman.data.stream_input import read_samples, read_symbols
from elman.errors import ArgumentTypeError
from elman.network.network import Network


def stream(model: Any) -> Stream:
    """Return a stream through an estimator, a network, features, or a pipeline of features and one of those.

    Shapes: ``step(samples)`` takes (F,) or a chunk (k, F) of raw samples in time order and gives (m, C), the
    answers complete by now; m may be 0. However the samples are cut, the answers are those of the batch:
    class probabilities, values or outputs. A model with one answer a sequence answers, with each step of the
    features, what it would predict for the samples so far.

    Errors: TypeError that names a step of a pipeline which cannot stream; ValueError for a network that reads
    from both ends.

    >>> import numpy as np, elman
    >>> net = elman.Network([elman.SimpleRNN(4)], input_size=2, seed=0)
    >>> elman.stream(net).step(np.zeros((3, 2))).shape
    (3, 4)
    """
    return Stream(_stages(model, "model"))


def _stages(model: Any, name: str) -> list[Any]:
    """Return the stages of a stream, each with ``advance`` and ``reset``, and ``undo`` before the last."""
    if isinstance(model, Network):
        return [_Answers(model)]
    # at call: scikit-learn takes half a second to import
    from sklearn.pipeline import Pipeline
    from sklearn.utils.validation import check_is_fitted

    from elman.estimators.base import SequenceEstimator
    from elman.features.base import SequenceTransformer

    if isinstance(model, SequenceEstimator):
        check_is_fitted(model, "network_")
        return [_Answers(model)]
    if isinstance(model, SequenceTransformer):
        try:
            return [model.stream()]
        except TypeError as error:
            raise TypeError(f"{name} cannot stream: {error}") from None
    if not isinstance(model, Pipeline):
        raise ArgumentTypeError(
            name,
            f"is {describe(model)}",
            "an estimator or a network of elman's, its features, or a scikit-learn Pipeline of them",
        )
    stages = []
    for step, part in model.steps:
        if part is not None and part != "passthrough":
            stages += _stages(part, f"the step {step!r}")
    if not stages:
        raise ArgumentTypeError(name, "has no step", "features or an estimator")
    for stage in stages[:-1]:
        if isinstance(stage, _Answers):
            raise ArgumentTypeError(name, "has a network before its last step", "features there")
    return stages


class Stream:
    """Samples in, answers out: `elman.stream` makes it."""

    def __init__(self, stages: list[Any]) -> None:  # features' streams, then perhaps a network
        # Features that a network reads are checked there.
        read = [*(isinstance(stage, _Answers) for stage in stages[1:]), isinstance(stages[-1], _Answers)]
        self._stages = [(stage, not by_network) for stage, by_network in zip(stages, read, strict=True)]
        first = stages[0]
        self._features, self._missing = first.features, first.missing
        self._symbols = first.symbols if isinstance(first, _Answers) else 0
        self._nothing = stages[-1].nothing

    def step(self, samples: Any) -> Array:
        """Return the answers complete by now, (m, C), of samples (F,) or (k, F) in time order.

        A network that begins with an Embedding takes integers. Errors: ValueError for NaN (where nothing
        fills it), a wrong size or an integer out of range, TypeError for what is no array of numbers; the
        state is unchanged then.
        """
        if self._symbols:
            rows = read_symbols(samples, self._symbols)
        else:
            rows = read_samples(samples, self._features, self._missing)
        done = 0
        try:
            with np.errstate(over="ignore", invalid="ignore"):
                for stage, check in self._stages:
                    rows = stage.advance(rows)
                    done += 1
                    if check:
                        stage.refuse(rows)
                    if not len(rows):  # nor is there anything for the stages behind
                        rows = self._nothing(rows.dtype)
                        break
        except BaseException:
            for stage, _ in self._stages[:done]:
                stage.undo()
            raise
        return rows

    def reset(self) -> None:
        """Start anew."""
        for stage, _ in self._stages:
            stage.reset()


class _Answers:
    """The last stage: a network, with its estimator's scale and answers around it."""

    missing = False

    def __init__(self, model: Any) -> None:
        network = model if isinstance(model, Network) else model.network_
        self._estimator = None if model is network else copy.copy(model)  # a refit gives it other scales
        self._scaler = None if model is network else model.scaler_
        self._native = network.stream()
        self._dtype = network.dtype
        self.symbols = network.model.symbols
        self.features, self.columns = network.input_size, network.output_size
        self._none: Array = self._finish(np.empty((0, self.columns), self._dtype))

    def nothing(self, dtype: Any) -> Array:  # noqa: ARG002
        """Return no answer, (0, C)."""
        return self._none.copy()

    def advance(self, rows: Array) -> Array:
        """Take steps (m, F) that were checked; where it raises, the state is unchanged."""
        scaled = rows if self.symbols else self._scale(rows)
        # One step is checked by the engine; of more, all are before the first is taken.
        if not self.symbols and len(scaled) > 1 and not np.isfinite(scaled).all():
            raise ValueError(f"samples are too large for the network's input to be finite in {self._dtype}")
        out = np.empty((len(scaled), self.columns), self._dtype)
        step = self._native.step
        for i in range(len(scaled)):
            step(scaled[i], out[i])
        return self._finish(out)

    def _scale(self, rows: Array) -> Array:
        if self._scaler is None:
            return rows.astype(self._dtype, order="C", copy=False)
        scaled: Array = self._scaler.apply_few(rows, self._dtype)
        return scaled

    def _finish(self, outputs: Array) -> Array:
        answers: Array = outputs if self._estimator is None else self._estimator.to_answers(outputs)
        return answers

    def reset(self) -> None:
        """Start anew."""
        self._native.reset()
