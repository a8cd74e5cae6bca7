"""RNNClassifier: one class per sequence."""

from __future__ import annotations

import os
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import ArrayLike
from sklearn.base import ClassifierMixin

from elman._validation import refuse_mask
from elman.data.input_types import SequenceInput, TargetInput, ValidationData
from elman.data.sequences import Array, Batch
from elman.data.targets import as_weights
from elman.estimators.base import SequenceEstimator
from elman.estimators.class_answers import ClassParameters
from elman.estimators.data import EstimatorData
from elman.estimators.labels import class_labels, class_weights, encode, learn_classes, refuse_missing
from elman.estimators.options import first_order_only
from elman.estimators.parameters import PooledParameters, documented
from elman.model.model import Float64


@documented
@dataclass(eq=False, repr=False, kw_only=True)
class RNNClassifier(ClassifierMixin, PooledParameters, ClassParameters, SequenceEstimator):  # type: ignore[misc]
    """A recurrent network that gives each sequence one of several classes.

    The network is `SimpleRNN`, `GRU` or `LSTM` layers, a pool where ``pooling`` is not "last", and a softmax
    `Dense`; its loss is the cross-entropy. Parameters follow `sklearn.neural_network.MLPClassifier`.

    Shapes: X is a list of arrays (T_i, F) or (T_i,) of any lengths, an array (n, T, F), `elman.Sequences`, or
    2-D, where each row is a univariate sequence; y (n,).

    Parameters
    ----------
    {shared}
    class_weight : dict, "balanced" or None
        What a sequence of each class counts; "balanced" gives every class the same sum.

    Attributes
    ----------
    classes_ : array
        The class labels.
    n_features_in_ : int
        F, or the number of columns of 2-D input.
    n_iter_, loss_, loss_curve_ : int, float, list of float
        Epochs of the last fit; the training loss at its end, and after every epoch.
    validation_scores_, best_validation_score_ : list of float, float
        Accuracy on the held-out sequences after every epoch, with ``early_stopping``; ``class_weight`` counts
        in it as in training. None without early stopping.
    network_ : Network
        The network; its input is the standardized sequences.
    scaler_ : Scaler
        ``mean`` and ``scale`` (F,), by which the sequences are standardized; learned from those that are
        trained on, like ``class_weight="balanced"``.
    tabular_ : bool
        Whether it was fitted on 2-D input.
    validation_rows_ : array of int64
        The rows of X that ``early_stopping`` held out of the last fit; absent otherwise.

    Raises
    ------
    TypeError, ValueError
        Naming the argument, what was expected and what was given; nothing has changed then.
    DivergenceError
        The loss became NaN or infinite; the weights are those of the last good epoch.
    ConvergenceWarning
        A warning: ``max_iter`` ended the training while the loss was still falling.

    >>> from elman import RNNClassifier
    >>> X = [np.full((steps, 1), value) for steps in (3, 5, 8) for value in (0.0, 1.0)]
    >>> model = RNNClassifier(8, learning_rate_init=0.01, random_state=0).fit(X, ["low", "high"] * 3)
    >>> model.predict([np.zeros((4, 1)), np.ones((6, 1))]).tolist()
    ['low', 'high']
    """

    per_step = False

    def _pooling(self) -> Any:
        return self.pooling

    def fit(
        self,
        X: SequenceInput,
        y: TargetInput,
        sample_weight: ArrayLike | None = None,
        *,
        validation_data: ValidationData | None = None,
        checkpoint: str | os.PathLike[str] | None = None,
        resume: bool = False,
        on_start: Callable[[], None] | None = None,
    ) -> RNNClassifier:
        """Train on sequences X and their classes y (n,), and return the estimator.

        ``sample_weight`` (n,): a sequence of weight 2 counts as two copies of it, one of weight 0 is ignored.
        ``validation_data``, (X, y) or (X, y, sample_weight), is what early stopping watches instead of
        held-out sequences. ``checkpoint`` names a file that is written after each epoch; with
        ``resume=True`` a run that was cut off goes on from there and ends with the bits of an uninterrupted
        one. ``on_start`` is called once everything has been checked and before training begins.
        """
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
        sample_weight: ArrayLike | None = None,
    ) -> RNNClassifier:
        """Train one epoch more; the first call needs all ``classes`` to come.

        Absent with the solvers "lbfgs" and "lm".
        """
        self._train(X, y, sample_weight, partial=True, classes=classes)
        return self

    def predict(self, X: SequenceInput) -> Array:
        """Return the most probable class of each sequence, (n,)."""
        probabilities = self._outputs(X)[1]
        labels: Array = self.classes_[probabilities.argmax(axis=1)]
        return labels

    def predict_proba(self, X: SequenceInput) -> Array:
        """Return the probability of each of ``classes_``, (n, C) float64; rows sum to 1."""
        return self._outputs(X)[1]

    def predict_log_proba(self, X: SequenceInput) -> Array:
        """Return the logarithm of the probabilities, (n, C)."""
        with np.errstate(divide="ignore"):
            return np.log(self.predict_proba(X))

    def score(self, X: SequenceInput, y: TargetInput, sample_weight: ArrayLike | None = None) -> float:
        """Return the accuracy; ``sample_weight`` (n,) weighs the sequences."""
        refuse_mask("y", y)
        refuse_missing(y)
        refuse_mask("sample_weight", sample_weight)
        return float(super().score(X, y, sample_weight))

    def _read_answers(self, y: Any, batch: Batch) -> Array:
        return class_labels(y, batch.n)

    def _encode_answers(
        self, data: EstimatorData, known: Any, classes: Any, warm: bool
    ) -> tuple[EstimatorData, Array]:
        learned = learn_classes(data.answers, known, classes, warm)
        indices = encode(data.answers, learned, "y")
        return replace(data, answers=indices, outputs=len(learned), strata=indices), learned

    def _learn_scales(
        self, train: EstimatorData, held_out: EstimatorData | None, learned: Array, fresh: bool, scale: bool
    ) -> tuple[EstimatorData, EstimatorData | None, Array]:
        scales = class_weights(self.class_weight, learned, train.answers, train.weights)
        if scales is None:
            return train, held_out, learned
        return _weighed(train, scales), None if held_out is None else _weighed(held_out, scales), learned


def _weighed(data: EstimatorData, scales: Float64) -> EstimatorData:
    """Return sequences whose weights are multiplied by what each class counts (C,)."""
    given = 1.0 if data.weights is None else data.weights
    return replace(data, weights=as_weights(scales[data.answers] * given, data.n))
