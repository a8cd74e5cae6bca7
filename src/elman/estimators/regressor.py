"""RNNRegressor: one or several numbers per sequence, or per step."""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Any, overload

import numpy as np
from numpy.typing import ArrayLike
from sklearn.base import RegressorMixin
from sklearn.metrics import r2_score
from sklearn.utils import check_array, column_or_1d
from sklearn.utils.validation import check_is_fitted

from elman._validation import flag, refuse_mask
from elman.data import estimator_input
from elman.data.input_types import (
    HasArray,
    SequenceInput,
    SequenceOutput,
    TargetInput,
    ValidationData,
    WeightInput,
)
from elman.data.sequences import Array, Batch, Sequences
from elman.data.targets import per_step_rows, sample_weights
from elman.errors import ArgumentValueError
from elman.estimators import files, scaling
from elman.estimators.base import SequenceEstimator
from elman.estimators.data import EstimatorData
from elman.estimators.options import first_order_only
from elman.estimators.parameters import PooledParameters, documented
from elman.estimators.scaling import Scaler


@dataclass(frozen=True)
class Targets:
    """What a fit learns of the targets: their scale, and whether each was a number instead of a row."""

    scaler: Scaler
    vector: bool


@documented
@dataclass(eq=False, repr=False, kw_only=True)
class RNNRegressor(RegressorMixin, PooledParameters, SequenceEstimator):  # type: ignore[misc]
    """A recurrent network that gives each sequence, or each step, one or several numbers.

    The network ends with a linear `Dense`; its loss is half the squared error. With ``standardize`` the
    targets too are brought to mean 0 and standard deviation 1 while training (the loss is in these units),
    and every answer is brought back.

    Shapes: X as for `RNNClassifier`; y (n,) or (n, C); with ``return_sequences`` one answer a step: a list of
    (T_i,) or (T_i, C), an array (n, T) or (n, T, C), or `Sequences`, where NaN is no answer. Then
    ``sample_weight`` is (n,) or one weight a step, as for `RNNTagger`.

    Parameters
    ----------
    {shared}
    return_sequences : bool
        One answer per step instead of one per sequence; not with ``pooling``.

    Attributes
    ----------
    n_features_in_, n_iter_, loss_, loss_curve_, network_, scaler_, tabular_, validation_rows_
        As for `RNNClassifier`; the network's outputs are in standardized units.
    validation_scores_, best_validation_score_ : list of float, float
        R2 on the held-out answers after every epoch, with ``early_stopping``, None without it. A single
        answer, or several equal ones, have no R2 of their own: then 1 - error / variance of the targets that
        are trained on, the error being the mean squared one.
    targets_ : Targets
        ``scaler`` with ``mean`` and ``scale`` (C,), by which the targets are standardized; ``vector``,
        whether y was (n,).

    Raises
    ------
    TypeError, ValueError, DivergenceError
        As for `RNNClassifier`.

    >>> from elman import RNNRegressor
    >>> X = [np.full((steps, 1), value) for steps in (3, 5) for value in (0.0, 1.0, 2.0)]
    >>> model = RNNRegressor(8, learning_rate_init=0.02, random_state=0).fit(X, [0.0, 10.0, 20.0] * 2)
    >>> model.predict([np.full((4, 1), 1.0)]).round().tolist()
    [10.0]
    """

    _readout = "identity"
    _multi_output = True

    return_sequences: bool = False

    @property
    def per_step(self) -> bool:
        """Whether there is one answer per step: ``return_sequences``, checked."""
        return flag("return_sequences", self.return_sequences)

    def _pooling(self) -> Any:
        return self.pooling

    def fit(
        self,
        X: SequenceInput,
        y: TargetInput,
        sample_weight: WeightInput | None = None,
        *,
        validation_data: ValidationData | None = None,
        checkpoint: str | os.PathLike[str] | None = None,
        resume: bool = False,
        on_start: Callable[[], None] | None = None,
    ) -> RNNRegressor:
        """Train on sequences X and their numbers y, and return the estimator; see `RNNClassifier.fit`."""
        self._train(
            X,
            y,
            sample_weight,
            validation_data=validation_data,
            path=checkpoint,
            resume=resume,
            on_start=on_start,
        )
        return self

    @first_order_only
    def partial_fit(
        self, X: SequenceInput, y: TargetInput, sample_weight: WeightInput | None = None
    ) -> RNNRegressor:
        """Train one epoch more; the scales of input and targets are those of the first call.

        Absent with the solvers "lbfgs" and "lm".
        """
        self._train(X, y, sample_weight, partial=True)
        return self

    @overload
    def predict(self, X: HasArray) -> Array: ...
    @overload
    def predict(self, X: Sequences) -> Array | Sequences: ...
    @overload
    def predict(self, X: Sequence[ArrayLike]) -> Array | list[Array]: ...
    def predict(self, X: SequenceInput) -> SequenceOutput:
        """Return (n,) or (n, C) as y was; with ``return_sequences`` one answer a step in the form of X."""
        batch, values = self._outputs(X)
        if self.targets_.vector:
            values = values[:, 0]
        return estimator_input.restore_form(values, batch, X) if self.network_.per_step else values

    def score(self, X: SequenceInput, y: TargetInput, sample_weight: WeightInput | None = None) -> float:
        """Return R2, with ``return_sequences`` over the answered steps; the mean over several outputs.

        ``sample_weight`` (n,) weighs the sequences; with ``return_sequences`` it may weigh the steps.
        """
        check_is_fitted(self, "network_")
        if not self.network_.per_step:
            refuse_mask("y", y)
            refuse_mask("sample_weight", sample_weight)
            return float(super().score(X, y, sample_weight))
        batch, values = self._outputs(X)
        expected = _step_numbers(y, batch).reshape(batch.rows, -1)
        if expected.shape != values.shape:
            raise ArgumentValueError("y", f"has {expected.shape[1]} values a step", f"{values.shape[1]}")
        of_sequences, weights = sample_weights(sample_weight, batch, True)
        if weights is not None:
            expected = np.where(weights[:, None] > 0.0, expected, np.nan)
        elif of_sequences is not None:
            weights = np.repeat(of_sequences, batch.lengths())
        scores = []
        for column in range(expected.shape[1]):
            given = ~np.isnan(expected[:, column])
            if not given.any():
                raise ArgumentValueError("y", f"has no answer in output {column}", "some that are not NaN")
            w = None if weights is None else weights[given]
            scores.append(r2_score(expected[given, column], values[given, column], sample_weight=w))
        return float(np.mean(scores))

    def _read_answers(self, y: Any, batch: Batch) -> Array:
        if self.per_step:
            return _step_numbers(y, batch)
        y = estimator_input.check_one_per_sequence(y, batch.n)
        try:
            with np.errstate(over="ignore", invalid="ignore"):  # its sum may be inf - inf
                y = check_array(y, ensure_2d=False, dtype=np.float64, input_name="y")
        except ValueError as error:
            if "could not convert" in str(error):
                raise ArgumentValueError("y", f"has answers that are no numbers: {error}") from None
            raise
        return np.asarray(y if y.ndim == 2 else column_or_1d(y, warn=True))

    def _encode_answers(
        self, data: EstimatorData, known: Any, classes: Any, warm: bool
    ) -> tuple[EstimatorData, Targets]:
        values = data.answers.reshape(len(data.answers), -1)
        if data.answer_weights is not None:
            values = np.where(data.answer_weights[:, None] > 0.0, values, np.nan)
        width = values.shape[1]
        learned: Targets = known or Targets(scaling.identity(width), data.answers.ndim == 1)
        if known is None:
            _check_answered("y", "has no answer", values)
        elif width != len(learned.scaler.mean):
            raise ArgumentValueError("y", f"has {width} outputs", f"{len(learned.scaler.mean)} (as before)")
        return replace(data, answers=values, outputs=width), learned

    def _learn_scales(
        self, train: EstimatorData, held_out: EstimatorData | None, learned: Targets, fresh: bool, scale: bool
    ) -> tuple[EstimatorData, EstimatorData | None, Targets]:
        if held_out is not None:
            _check_answered("early_stopping", "leaves no answer to train on", train.answers)
        if fresh and scale:
            weights = train.step_weights() if self.per_step else train.weights
            scaler = scaling.learn(scaling.row_blocks(train.answers, weights), "y")
            learned = replace(learned, scaler=scaler)
        part = None if held_out is None else replace(held_out, targets=learned.scaler)
        return replace(train, targets=learned.scaler), part, learned

    def _known_answers(self) -> Targets:
        return self.targets_

    def _keep_answers(self, learned: Targets) -> None:
        self.targets_: Targets = learned

    def _score_of(self, held_out: EstimatorData, train: EstimatorData) -> Callable[[dict[str, float]], float]:
        if np.isnan(held_out.answers).all(axis=0).any():
            raise ArgumentValueError(
                "early_stopping", "held out sequences without any answer", "some answers"
            )
        # Answers that are all the same, or a single one, have no R2 of their own.
        variance = self._variance(held_out) or self._variance(train)

        def r2(logs: dict[str, float]) -> float:
            error = logs["val_mean_squared_error"]
            if variance > 0.0:
                return 1.0 - error / variance
            return 1.0 if error == 0.0 else 0.0

        return r2

    def _variance(self, data: EstimatorData) -> float:
        """Return the variance of answers around the mean of each output, in the network's units."""
        w = data.step_weights() if self.per_step else data.weights
        answers = data.network_answers(np.dtype(np.float64))
        if w is None:
            w = np.ones(len(answers))
        given = ~np.isnan(answers)
        if (
            np.where(given, answers, -np.inf).max(axis=0) <= np.where(given, answers, np.inf).min(axis=0)
        ).all():
            return 0.0  # to the bit, where the mean of equal numbers is rounded
        counts = given * w[:, None]
        values = np.where(given, answers, 0.0)
        total = counts.sum(axis=0)
        mean = (counts * values).sum(axis=0) / np.where(total > 0.0, total, 1.0)
        return float((counts * (values - mean) ** 2).sum() / counts.sum())

    def to_answers(self, outputs: Array) -> Array:
        """Return network outputs (rows, C) as values (rows, C) in float64, in the units of y."""
        return self.targets_.scaler.undo(outputs)

    def _pack_learned(self, learned: Targets, own: dict[str, Any], arrays: dict[str, Array]) -> None:
        own["vector"] = learned.vector
        files.pack_scaler(arrays, "targets", learned.scaler)

    def restore_answers(self, own: dict[str, Any], arrays: dict[str, Array], outputs: int) -> None:
        """Set the targets' scale that a file holds; ValueError where it is not one of C ``outputs``."""
        if type(own["vector"]) is not bool or (own["vector"] and outputs != 1):
            raise ValueError(f"vector is {own['vector']!r} for {outputs} outputs")
        self.targets_ = Targets(files.unpack_scaler(arrays, "targets", outputs), own["vector"])

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()
        tags.target_tags.multi_output = True
        return tags


def _check_answered(where: str, problem: str, values: Array) -> None:
    empty = np.isnan(values).all(axis=0)
    if empty.any():
        output = int(np.argmax(empty))
        raise ArgumentValueError(where, f"{problem} in output {output}", "some that are not NaN")


def _step_numbers(y: Any, batch: Batch) -> Array:
    """Return one answer a step, (N,) or (N, C); NaN is no answer."""
    values: Array = per_step_rows(y, batch, "y").astype(np.float64, copy=False)
    if np.isinf(values).any():
        raise ArgumentValueError("y", "has infinite answers", "finite numbers, or NaN for no answer")
    return values
