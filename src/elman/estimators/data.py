"""The data of an estimator: sequences as they were read, those of them that count, and their answers."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Any, NoReturn

import numpy as np

from elman import _engine
from elman.data import estimator_input
from elman.data.estimator_input import Rows
from elman.data.sequences import Array, Batch, Offsets, Sequences
from elman.data.targets import sample_weights
from elman.errors import ArgumentValueError
from elman.estimators import scaling
from elman.estimators.scaling import Scaler
from elman.model.model import Float64, Model
from elman.training.fingerprint import Checksums, of_parts
from elman.training.plan import NAMES, TrainingData, training_data

# Between these, float32 holds every feature that was standardized by its own mean and standard deviation.
_LARGEST_MEAN = 1e30
_LARGEST_RATIO = 1e12  # of the sum of weights to the smallest one


@dataclass(frozen=True)
class EstimatorData:
    """Sequences with answers: class indices, or values and the scaler that standardizes them.

    Shapes: ``batch`` holds all sequences of X, ``rows`` (n,) are those that count, None for all; answers (n,
    ...), or (N, ...) per step, and weights (n,) are theirs; or ``answer_weights`` (N,), one a step, which do
    not weigh the steps of X. ``class_weight`` (C,) is for answers per step; ``outputs`` is C; ``strata`` (n,)
    are classes whose shares a split keeps.
    """

    batch: Batch
    rows: Rows | None
    answers: Array
    weights: Float64 | None
    class_weight: Float64 | None = None
    outputs: int = 0
    strata: Array | None = None
    targets: Scaler | None = None
    answer_weights: Float64 | None = None

    @property
    def n(self) -> int:
        """The number of sequences that count."""
        return self.batch.n if self.rows is None else len(self.rows)

    def lengths(self) -> Offsets:
        """Return the number of steps of each sequence that counts, (n,)."""
        lengths = self.batch.lengths()
        return lengths if self.rows is None else lengths[self.rows]

    def offsets(self) -> Offsets:
        """Return the offsets (n + 1,) of the sequences that count, one after the other."""
        if self.rows is None:
            return self.batch.offsets
        return np.concatenate([[0], np.cumsum(self.lengths())]).astype(np.int64)

    def step_weights(self) -> Float64 | None:
        """Return the weight of each step's answer, (N,)."""
        if self.answer_weights is not None:
            return self.answer_weights
        return None if self.weights is None else np.repeat(self.weights, self.lengths())

    def network_answers(self, dtype: np.dtype[Any]) -> Array:
        """Return the answers as the network takes them: class indices, or standardized values of a dtype."""
        return self.answers if self.targets is None else self.targets.apply(self.answers, dtype)

    def blocks(self, weighted: bool = True) -> Iterator[tuple[Array, Float64 | None]]:
        """Yield the steps that count, and their weights, block by block."""
        size = scaling.block_rows(self.batch.values.shape[1])
        return estimator_input.step_blocks(self.batch, self.rows, self.weights if weighted else None, size)

    def checksums(self) -> Checksums:
        """Return the checksums of sequences, answers and weights as they were given, for a checkpoint."""
        values = (values for values, _ in self.blocks(weighted=False))
        return of_parts(
            values, self.offsets(), [self.answers], [self.weights, self.class_weight, self.answer_weights]
        )

    def part(self, rows: Rows, per_step: bool) -> EstimatorData:
        """Return some of the sequences that count."""
        answers, each = self.answers, self.answer_weights
        if per_step:
            o = self.offsets()
            answers = np.concatenate([answers[o[i] : o[i + 1]] for i in rows])
            each = None if each is None else np.concatenate([each[o[i] : o[i + 1]] for i in rows])
        else:
            answers = answers[rows]
        weights = None if self.weights is None else self.weights[rows]
        strata = None if self.strata is None else self.strata[rows]
        chosen = rows if self.rows is None else self.rows[rows]
        return replace(
            self, rows=chosen, answers=answers, weights=weights, strata=strata, answer_weights=each
        )

    def without_zero_weights(self) -> EstimatorData:
        """Return the data with weight 1 for the steps of weight 0, whose answers are taken for missing.

        So what a split leaves to one side may have no other steps than these.
        """
        w = self.answer_weights
        return self if w is None else replace(self, answer_weights=np.where(w == 0.0, 1.0, w))


def given_data(batch: Batch, answers: Array, sample_weight: Any, per_step: bool) -> EstimatorData:
    """Return sequences and answers without those of weight 0, which count as not given.

    Steps of weight 0 stay: their input counts, and what becomes of their answers each estimator decides.
    """
    weights, each = sample_weights(sample_weight, batch, per_step)
    data = EstimatorData(batch, None, answers, weights, answer_weights=each)
    if weights is None or weights.all():
        return data
    return data.part(np.flatnonzero(weights), per_step)


def learn_scaler(data: EstimatorData, standardize: bool) -> Scaler:
    """Return mean and scale of each feature over all steps that count."""
    if not standardize:
        return scaling.identity(data.batch.values.shape[1])
    return scaling.learn(data.blocks())


def stays_finite(data: EstimatorData, scaler: Scaler) -> bool:
    """Whether data standardized by the mean and the scale learned from them are finite without a look.

    A value of weight w is within sqrt(W / w) standard deviations of the mean, W the sum of the weights.
    """
    if not np.abs(scaler.mean).max() < _LARGEST_MEAN:
        return False
    return data.weights is None or bool(data.weights.sum() < _LARGEST_RATIO * data.weights.min())


def for_training(
    model: Model, data: EstimatorData, scaler: Scaler, finite: bool, names: tuple[str, str, str] = NAMES
) -> TrainingData:
    """Return scaled sequences with answers, checked, as the engine reads them.

    ``finite``: the scaled sequences are known to be finite. ``names`` are used in the messages of errors.
    """
    batch = _scaled(data, scaler, model.dtype)
    if finite:
        native = _engine.unchecked_data(batch)
    else:
        try:
            native = _engine.data(batch, model.dtype, names[0])
        except ArgumentValueError:
            if data.rows is not None:  # the engine counts those that count
                _refuse_scaled(data, data.rows, batch, names[0])
            raise
    y: Any = data.network_answers(model.dtype)
    weights: Any = data.weights
    if model.per_step:
        y = Sequences(y, batch.offsets)
        if data.answer_weights is not None:
            weights = Sequences(data.answer_weights, batch.offsets)
    return training_data(model, batch, native, y, weights, names=names, class_weight=data.class_weight)


def _refuse_scaled(data: EstimatorData, rows: Rows, scaled: Batch, name: str) -> NoReturn:
    """Raise the ValueError for the first scaled number that is not finite, by its row in X as given."""
    bad = int(np.argmin(np.isfinite(scaled.values).all(axis=1)))
    feature = int(np.argmin(np.isfinite(scaled.values[bad])))
    i = int(np.searchsorted(scaled.offsets, bad, side="right")) - 1
    step = bad - int(scaled.offsets[i])
    row = int(rows[i])
    given = data.batch.values[int(data.batch.offsets[row]) + step, feature]
    raise ArgumentValueError(
        f"{name}[{row}]",
        f"has {given} at step {step}, feature {feature}, which is {scaled.values[bad, feature]} standardized",
        f"numbers that are finite in {scaled.values.dtype}",
    )


def _scaled(data: EstimatorData, scaler: Scaler, dtype: np.dtype[Any]) -> Batch:
    """Return the scaled sequences that count; these are the only copy of X."""
    given = data.batch
    # A list of several was copied into one array when it was read; no other array shares it.
    own = given.listed and given.n > 1 and data.rows is None and given.values.dtype == dtype
    offsets = data.offsets()
    out = given.values if own else np.empty((int(offsets[-1]), given.values.shape[1]), dtype)
    blocks = (values for values, _ in data.blocks(weighted=False))
    return given._replace(values=scaler.apply_blocks(blocks, out), offsets=offsets)


def check_finite(batch: Batch) -> None:
    """Raise ValueError that names the first number of X that is NaN or infinite."""
    _engine.data(batch, batch.values.dtype)
