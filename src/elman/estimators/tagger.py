"""RNNTagger: one class a step."""

from __future__ import annotations

from typing import Any

import numpy as np

from elman.data import estimator_input
from elman.data.sequences import Array, Batch
from elman.data.targets import as_weights, per_step_rows
from elman.errors import ArgumentValueError
from elman.estimators import files
from elman.estimators.base import Labeled, SequenceEstimator
from elman.estimators.labels import (
    accuracy,
    class_weights,
    encode,
    is_missing,
    learn_classes,
    own_type,
    probabilities,
    step_labels,
)
from elman.model.model import Float64


class RNNTagger(SequenceEstimator):
    """A recurrent network that gives every step of a sequence one of several classes.

    As `RNNClassifier`, with one label a step and without pooling. Steps whose label is ``missing_label`` have
    no answer: they add nothing to loss, score or class balance, but the network reads them.

    Shapes: X as for `RNNClassifier`; y in the same form: a list of (T_i,), an array (n, T) or `Sequences`.

    Parameters
    ----------
    missing_label : int, float, str or None
        Stands in y for a step without a label; may be NaN.
    hidden_layer_sizes, ..., n_jobs
        As for `RNNClassifier`; ``class_weight`` weighs steps, ``early_stopping`` holds out whole sequences.

    Attributes
    ----------
    classes_, n_features_in_, n_iter_, loss_, loss_curve_, network_
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

    classes_: Array

    def __init__(
        self,
        hidden_layer_sizes: Any = (64,),
        *,
        cell: str = "rnn",
        activation: str = "tanh",
        bidirectional: bool = False,
        solver: str = "adam",
        alpha: float = 0.0,
        batch_size: int = 32,
        learning_rate_init: float = 1e-3,
        learning_rate: str = "constant",
        max_iter: int = 200,
        shuffle: bool = True,
        random_state: Any = None,
        tol: float = 1e-4,
        verbose: bool = False,
        warm_start: bool = False,
        clip_norm: float | None = 1.0,
        early_stopping: bool = False,
        validation_fraction: float = 0.1,
        n_iter_no_change: int = 10,
        class_weight: Any = None,
        truncation: int | None = None,
        dropout: float = 0.0,
        input_noise: float = 0.0,
        dtype: Any = None,
        standardize: bool = True,
        n_jobs: int | None = None,
        missing_label: Any = -1,
    ) -> None:
        self.hidden_layer_sizes = hidden_layer_sizes
        self.cell = cell
        self.activation = activation
        self.bidirectional = bidirectional
        self.solver = solver
        self.alpha = alpha
        self.batch_size = batch_size
        self.learning_rate_init = learning_rate_init
        self.learning_rate = learning_rate
        self.max_iter = max_iter
        self.shuffle = shuffle
        self.random_state = random_state
        self.tol = tol
        self.verbose = verbose
        self.warm_start = warm_start
        self.clip_norm = clip_norm
        self.early_stopping = early_stopping
        self.validation_fraction = validation_fraction
        self.n_iter_no_change = n_iter_no_change
        self.class_weight = class_weight
        self.truncation = truncation
        self.dropout = dropout
        self.input_noise = input_noise
        self.dtype = dtype
        self.standardize = standardize
        self.n_jobs = n_jobs
        self.missing_label = missing_label

    _per_step = True

    def fit(
        self,
        X: Any,
        y: Any,
        sample_weight: Any = None,
        *,
        validation_data: Any = None,
        checkpoint: Any = None,
        resume: bool = False,
    ) -> RNNTagger:
        """Train on sequences X and one label a step y, and return the estimator; see `RNNClassifier.fit`."""
        self._train(X, y, sample_weight, validation_data=validation_data, path=checkpoint, resume=resume)
        return self

    def partial_fit(self, X: Any, y: Any, classes: Any = None, sample_weight: Any = None) -> RNNTagger:
        """Train one epoch more; the first call needs all ``classes`` to come, unless y has them."""
        self._train(X, y, sample_weight, partial=True, classes=classes)
        return self

    def predict(self, X: Any) -> Any:
        """Return the most probable label of each step, in the form of X."""
        batch, probabilities = self._outputs(X)
        return estimator_input.restore_form(self.classes_[probabilities.argmax(axis=1)], batch, X)

    def predict_proba(self, X: Any) -> Any:
        """Return the probability of each class at each step, (T_i, C) float64, in the form of X."""
        batch, probabilities = self._outputs(X)
        return estimator_input.restore_form(probabilities, batch, X)

    def score(self, X: Any, y: Any, sample_weight: Any = None) -> float:
        """Return the accuracy over all labeled steps; ``sample_weight`` (n,) weighs sequences."""
        batch, probabilities = self._outputs(X)
        labels = self._read_answers(y, batch)
        given = ~is_missing(labels, self.missing_label)
        if not given.any():
            raise ArgumentValueError("y", "has no label", f"some that are not {self.missing_label!r}")
        weights = as_weights(sample_weight, batch.n)
        if weights is not None:
            weights = np.repeat(weights, batch.lengths())[given]
        found = self.classes_[probabilities[given].argmax(axis=1)]
        expected = labels[given].tolist()
        right = np.array([a == b for a, b in zip(found.tolist(), expected, strict=True)])
        return float(np.average(right, weights=weights))

    def _read_answers(self, y: Any, batch: Batch) -> Array:
        labels = per_step_rows(y, batch, "y", step_labels)
        if labels.ndim != 1:
            raise ArgumentValueError("y", f"has {labels.shape[1]} values a step", "one label")
        return labels

    def _learn_answers(
        self, y: Array, batch: Batch, weights: Float64 | None, fresh: bool, classes: Any
    ) -> Labeled:
        given = ~is_missing(y, self.missing_label)
        if not given.any():
            raise ArgumentValueError("y", "has no label", f"some that are not {self.missing_label!r}")
        labels = own_type(y[given])
        none = [label for label in labels.tolist() if label is None or label != label]  # noqa: PLR0124
        if none:
            raise ArgumentValueError(
                "y", f"has the label {none[0]}", f"labels, or {self.missing_label!r} (missing_label) for none"
            )
        self.classes_ = learn_classes(labels, None if fresh else self.classes_, classes)
        indices = np.full(len(y), -1, np.int64)
        indices[given] = encode(labels, self.classes_, "y")
        per_step = None if weights is None else np.repeat(weights, batch.lengths())[given]
        scales = class_weights(self.class_weight, self.classes_, labels, indices[given], per_step)
        return Labeled(batch, indices, weights, scales, len(self.classes_), None)

    def _score_of(self, held_out: Labeled) -> Any:
        if (held_out.answers < 0).all():
            raise ValueError(
                "early_stopping held out sequences without any label, expected some labeled steps"
            )
        return accuracy

    def _finish(self, outputs: Array) -> Array:
        return probabilities(outputs)

    def _pack_answers(self, own: dict[str, Any], arrays: dict[str, Array]) -> None:
        own["classes"] = files.pack_classes(self.classes_)

    def _unpack_answers(self, own: dict[str, Any], arrays: dict[str, Array]) -> None:
        self.classes_ = files.unpack_classes(own["classes"], self.network_.output_size)
