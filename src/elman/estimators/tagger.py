"""RNNTagger: one class per step."""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Any, overload

import numpy as np
from numpy.typing import ArrayLike

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
from elman.estimators.base import SequenceEstimator
from elman.estimators.class_answers import ClassParameters
from elman.estimators.data import EstimatorData
from elman.estimators.labels import (
    class_weights,
    encode,
    first_without_value,
    learn_classes,
    own_type,
    step_labels,
)
from elman.estimators.missing_labels import missing_steps, read_missing_label, refuse_unasked
from elman.estimators.options import first_order_only
from elman.estimators.parameters import documented


@documented
@dataclass(eq=False, repr=False, kw_only=True)
class RNNTagger(ClassParameters, SequenceEstimator):
    """A recurrent network that gives every step of a sequence one of several classes.

    As `RNNClassifier`, with one label a step and without pooling. Steps whose label is ``missing_label`` have
    no answer: they add nothing to loss, score or class balance, but the network reads them.

    Shapes: X as for `RNNClassifier`; y in the same form: a list of (T_i,), an array (n, T) or `Sequences`.
    ``sample_weight`` (n,) weighs sequences as for `RNNClassifier`. In the form of y it weighs labels: a step
    of weight 2 has its label twice, one of weight 0 has none. Then it does not weigh the steps of X.

    Parameters
    ----------
    {shared}
    class_weight : dict, "balanced" or None
        What a labeled step of each class counts; "balanced" gives every class the same sum.
    missing_label : int, float, str or None
        The label in y of a step that has none; may be NaN. "auto": every step has a label. What often stands
        for none is a ValueError then: NaN, None, an empty text, and -1 among whole numbers. (So no label
        "auto" can stand for none.) None: only None does; -1 and an empty text are classes.

    Attributes
    ----------
    classes_, n_features_in_, n_iter_, loss_, loss_curve_, network_, scaler_, tabular_, validation_rows_
        As for `RNNClassifier`.

    Raises
    ------
    TypeError, ValueError, DivergenceError
        As for `RNNClassifier`.

    >>> from elman import RNNTagger
    >>> X = [np.array([0.0, 1.0, 1.0, 0.0]), np.array([1.0, 0.0])]
    >>> y = [np.array(["off", "on", "on", "off"]), np.array(["on", "off"])]
    >>> tagger = RNNTagger(8, learning_rate_init=0.05, random_state=0).fit(X, y)
    >>> [labels.tolist() for labels in tagger.predict([np.array([1.0, 0.0, 1.0])])]
    [['on', 'off', 'on']]
    """

    missing_label: int | float | str | None = "auto"
    per_step = True

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
    ) -> RNNTagger:
        """Train on sequences X and labels per step y, and return the estimator; see `RNNClassifier.fit`."""
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
        self,
        X: SequenceInput,
        y: TargetInput,
        classes: ArrayLike | None = None,
        sample_weight: WeightInput | None = None,
    ) -> RNNTagger:
        """Train one epoch more; the first call needs all ``classes`` to come, unless y has them.

        Absent with the solvers "lbfgs" and "lm".
        """
        self._train(X, y, sample_weight, partial=True, classes=classes)
        return self

    @overload
    def predict(self, X: HasArray) -> Array: ...
    @overload
    def predict(self, X: Sequences) -> list[Array] | Sequences: ...
    @overload
    def predict(self, X: Sequence[ArrayLike]) -> Array | list[Array]: ...
    def predict(self, X: SequenceInput) -> SequenceOutput:
        """Return the most probable label of each step, in the form of X."""
        batch, probabilities = self._outputs(X)
        return estimator_input.restore_form(self.classes_[probabilities.argmax(axis=1)], batch, X)

    @overload
    def predict_proba(self, X: HasArray) -> Array: ...
    @overload
    def predict_proba(self, X: Sequences) -> Sequences: ...
    @overload
    def predict_proba(self, X: Sequence[ArrayLike]) -> Array | list[Array]: ...
    def predict_proba(self, X: SequenceInput) -> SequenceOutput:
        """Return the probability of each class at each step, (T_i, C) float64, in the form of X."""
        batch, probabilities = self._outputs(X)
        return estimator_input.restore_form(probabilities, batch, X)

    def score(self, X: SequenceInput, y: TargetInput, sample_weight: WeightInput | None = None) -> float:
        """Return the accuracy over all labeled steps; ``sample_weight`` weighs sequences (n,), or steps."""
        batch, probabilities = self._outputs(X)
        labels = self._read_answers(y, batch)
        given = ~missing_steps(labels, self.missing_label)
        weights, each = sample_weights(sample_weight, batch, True)
        if each is not None:
            given &= each > 0.0
        if not given.any():
            raise ArgumentValueError("y", "has no label", f"some that are not {self.missing_label!r}")
        if weights is not None:
            each = np.repeat(weights, batch.lengths())
        found = self.classes_[probabilities[given].argmax(axis=1)]
        expected = labels[given].tolist()
        right = np.array([a == b for a, b in zip(found.tolist(), expected, strict=True)])
        return float(np.average(right, weights=None if each is None else each[given]))

    def _read_answers(self, y: Any, batch: Batch) -> Array:
        read_missing_label(self.missing_label)
        labels = per_step_rows(y, batch, "y", step_labels)
        if labels.ndim != 1:
            raise ArgumentValueError("y", f"has {labels.shape[1]} values a step", "one label")
        refuse_unasked(labels, batch, self.missing_label)
        return labels

    def _encode_answers(
        self, data: EstimatorData, known: Any, classes: Any, warm: bool
    ) -> tuple[EstimatorData, Array]:
        y = data.answers
        given = ~missing_steps(y, self.missing_label)
        if data.answer_weights is not None:
            given &= data.answer_weights > 0.0
        if not given.any():
            raise ArgumentValueError("y", "has no label", f"some that are not {self.missing_label!r}")
        labels = own_type(y if given.all() else y[given])
        none = first_without_value(labels)
        if none:
            raise ArgumentValueError(
                "y", f"has the label {none[0]}", f"labels, or {self.missing_label!r} (missing_label) for none"
            )
        learned = learn_classes(labels, known, classes, warm)
        indices = encode(labels, learned, "y")
        if not given.all():
            encoded, indices = indices, np.full(len(y), -1, np.int64)
            indices[given] = encoded
        return replace(data, answers=indices, outputs=len(learned)), learned

    def _learn_scales(
        self, train: EstimatorData, held_out: EstimatorData | None, learned: Array, fresh: bool, scale: bool
    ) -> tuple[EstimatorData, EstimatorData | None, Array]:
        given = train.answers >= 0
        if not given.any():
            raise ArgumentValueError("early_stopping", "leaves no label to train on", "some labeled steps")
        if self.class_weight is None:
            return train, held_out, learned
        weights = train.step_weights()
        if weights is not None:
            weights = weights[given]
        scales = class_weights(self.class_weight, learned, train.answers[given], weights)
        part = None if held_out is None else replace(held_out, class_weight=scales)
        return replace(train, class_weight=scales), part, learned

    def _score_of(self, held_out: EstimatorData, train: EstimatorData) -> Callable[[dict[str, float]], float]:
        if (held_out.answers < 0).all():
            raise ArgumentValueError(
                "early_stopping", "held out sequences without any label", "some labeled steps"
            )
        return super()._score_of(held_out, train)

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()
        tags.target_tags.two_d_labels = True  # of 2-D input; it is no classifier, which has one label a row
        return tags
