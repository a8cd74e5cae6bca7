"""Streams through features and a network: samples go in, answers come out as soon as they are complete."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import ArrayLike

from elman._validation import describe
from elman.data import signal_limits
from elman.data.alignment import aligned_rows
from elman.data.estimator_input import features_of
from elman.data.feature_names import UNKNOWN, Features
from elman.data.sequences import Array
from elman.data.stream_input import read_sample, read_samples, read_symbol, read_symbols
from elman.errors import ArgumentTypeError, ArgumentValueError, NonFiniteError
from elman.network.network import Network


def stream(model: Any) -> Stream:
    """Return a stream through an estimator, a network, features, or a pipeline of features and one of those.

    Shapes: ``step(sample)`` takes one raw sample (F,) and gives its answer (C,), or None where the features
    need more samples. ``steps(samples)`` takes several (k, F) in time order and gives (m, C), the answers
    that they complete; m may be 0. However the samples are cut, the answers are those of the batch: class
    probabilities, values or outputs. A model with one answer per sequence gives, with each row of the
    features, its prediction for the samples so far.

    Errors: TypeError that names a step of a pipeline which cannot stream; ValueError for a network that reads
    from both ends.

    >>> import numpy as np, elman
    >>> net = elman.Network([elman.SimpleRNN(4)], input_size=2, seed=0)
    >>> stream = elman.stream(net)
    >>> stream.step(np.zeros(2)).shape, stream.steps(np.zeros((3, 2))).shape
    ((4,), (3, 4))
    """
    return Stream(_stages(model, "model"), known_features(model), signal_limits.of(model))


def known_features(model: Any) -> Features:
    """Return what a fitted model, or the first step of a pipeline, knows of the features of its samples."""
    if isinstance(model, Network):
        return model.model.features
    if hasattr(model, "steps"):
        parts = [part for _, part in model.steps if part is not None and part != "passthrough"]
        return known_features(parts[0])
    if getattr(model, "tabular_", False):  # the names of a table are those of its steps
        return UNKNOWN
    return features_of(model)


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
            raise ArgumentTypeError(name, f"cannot stream: {error}") from None
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
    """A stream through features and a network, or one of them: `elman.stream` makes it.

    ``signal_limits`` is what the model learned of the channels, None where it learned nothing.
    """

    # features' streams, then perhaps a network
    def __init__(
        self,
        stages: list[Any],
        known: Features = UNKNOWN,
        limits: signal_limits.SignalLimits | None = None,
    ) -> None:
        self.signal_limits = limits
        # Features that a network reads are checked there.
        read = [*(isinstance(stage, _Answers) for stage in stages[1:]), isinstance(stages[-1], _Answers)]
        self._stages = [(stage, not by_network) for stage, by_network in zip(stages, read, strict=True)]
        first = stages[0]
        self._features, self._missing = first.features, first.missing
        self._symbols = first.symbols if isinstance(first, _Answers) else 0
        self._nothing = stages[-1].nothing
        self._known = known

    @property
    def feature_names(self) -> tuple[str, ...] | None:
        """The names of the features of a sample, in their order; None where the model does not know them."""
        return self._known.names

    @property
    def feature_units(self) -> tuple[str, ...] | None:
        """The units of the features, "" where one is unknown; None where all are."""
        return self._known.units

    @property
    def rate(self) -> float | None:
        """The sampling rate in Hz of what the model was trained on; None where it is unknown."""
        return self._known.rate

    def step(self, sample: ArrayLike) -> Array | None:
        """Return the answer (C,) to one sample (F,), or None where the features need more samples.

        One sample completes one answer at most. A network that begins with an Embedding takes an integer.
        Errors: ValueError for NaN (where nothing fills it), a wrong shape or an integer out of range,
        TypeError for anything but numbers; the state is unchanged then. ValueError too for an answer that is
        not finite: the next ones would not be either, until ``reset()``. A sample with names, such as a row
        of a `NamedArray` or of a data frame, is put in the model's order.
        """
        if self._known is not UNKNOWN and type(sample) is not np.ndarray:
            sample = aligned_rows(sample, self._known, "sample", one=True)
        if self._symbols:
            rows = self._advance(read_symbol(sample, self._symbols))
        else:
            rows = self._advance(read_sample(sample, self._features, self._missing))
        return rows[0] if len(rows) else None

    def steps(self, samples: ArrayLike) -> Array:
        """Return the answers (m, C) that samples (k, F) in time order complete; m may be 0.

        A network that begins with an Embedding takes integers (k,). Errors and names as in ``step``.
        """
        if self._known is not UNKNOWN and type(samples) is not np.ndarray:
            samples = aligned_rows(samples, self._known, "samples")
        if self._symbols:
            return self._advance(read_symbols(samples, self._symbols))
        return self._advance(read_samples(samples, self._features, self._missing))

    def _advance(self, rows: Array) -> Array:
        done = 0
        try:
            with np.errstate(over="ignore", invalid="ignore"):
                for stage, check in self._stages:
                    rows = stage.advance(rows)
                    done += 1
                    if check:
                        stage.refuse(rows)
                    if not len(rows):  # then later stages have nothing to do
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
    """The last stage: the stream of a network or an estimator."""

    missing = False

    def __init__(self, model: Any) -> None:
        opened = model.stream()
        self._stream = getattr(opened, "plain", opened)  # names have been read
        network = model if isinstance(model, Network) else model.network_
        self._scales = model is not network  # the stream of an estimator scales what the network reads
        self._dtype = network.dtype
        self.symbols, self.features = network.model.symbols, network.input_size
        self._none = self._stream.steps(np.empty((0, self.features), np.int64))

    def nothing(self, dtype: Any) -> Array:  # noqa: ARG002
        """Return no answers, (0, C)."""
        nothing: Array = self._none.copy()
        return nothing

    def advance(self, rows: Array) -> Array:
        """Take steps (m, F), which are finite or too large; where it raises, the state is unchanged."""
        answers: Array
        try:
            if self._scales:
                answers = self._stream.advance(rows)
            elif len(rows) == 1:
                answers = self._stream.step(rows[0])[None]
            else:
                answers = self._stream.steps(rows)
        except NonFiniteError as error:
            raise NonFiniteError("samples", error.problem, error.expected) from None
        except ValueError:
            problem = f"are too large for the network's input to be finite in {self._dtype}"
            raise ArgumentValueError("samples", problem) from None
        return answers

    def reset(self) -> None:
        """Start anew."""
        self._stream.reset()
