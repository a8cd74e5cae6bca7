"""RNNRegressor: one or several numbers a sequence, or a step."""

from __future__ import annotations

from typing import Any

import numpy as np
from sklearn.base import RegressorMixin
from sklearn.metrics import r2_score
from sklearn.utils import check_array, column_or_1d
from sklearn.utils.validation import check_is_fitted

from elman._validation import flag
from elman.data import estimator_input
from elman.data.sequences import Array, Batch
from elman.data.targets import as_weights, per_step_rows
from elman.errors import ArgumentValueError
from elman.estimators import files, scaling
from elman.estimators.base import Labeled, SequenceEstimator
from elman.estimators.scaling import Scaler
from elman.model.model import Float64


class RNNRegressor(RegressorMixin, SequenceEstimator):  # type: ignore[misc]
    """A recurrent network that gives each sequence, or each step, one or several numbers.

    The network ends with a linear `Dense`; its loss is half the squared error. With ``standardize`` the
    targets too are brought to mean 0 and standard deviation 1 while training (the loss is in these units),
    and every answer is brought back.

    Shapes: X as for `RNNClassifier`; y (n,) or (n, C); with ``return_sequences`` one answer a step: a list of
    (T_i,) or (T_i, C), an array (n, T) or (n, T, C), or `Sequences`, where NaN is no answer.

    Parameters
    ----------
    return_sequences : bool
        One answer a step instead of one a sequence.
    hidden_layer_sizes, ..., n_jobs
        As for `RNNClassifier`; ``pooling`` is "last" with ``return_sequences``, and ``early_stopping``
        watches R2 on held-out sequences.

    Attributes
    ----------
    n_features_in_, n_iter_, loss_, loss_curve_, network_
        As for `RNNClassifier`; the network's outputs are in standardized units.

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

    def __init__(
        self,
        hidden_layer_sizes: Any = (64,),
        *,
        cell: str = "rnn",
        activation: str = "tanh",
        bidirectional: bool = False,
        pooling: str = "last",
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
        truncation: int | None = None,
        dropout: float = 0.0,
        input_noise: float = 0.0,
        dtype: Any = None,
        standardize: bool = True,
        n_jobs: int | None = None,
        return_sequences: bool = False,
    ) -> None:
        self.hidden_layer_sizes = hidden_layer_sizes
        self.cell = cell
        self.activation = activation
        self.bidirectional = bidirectional
        self.pooling = pooling
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
        self.truncation = truncation
        self.dropout = dropout
        self.input_noise = input_noise
        self.dtype = dtype
        self.standardize = standardize
        self.n_jobs = n_jobs
        self.return_sequences = return_sequences

    _targets: Scaler
    _vector: bool

    @property
    def _per_step(self) -> bool:  # type: ignore[override]
        return flag("return_sequences", self.return_sequences)

    def fit(
        self,
        X: Any,
        y: Any,
        sample_weight: Any = None,
        *,
        validation_data: Any = None,
        checkpoint: Any = None,
        resume: bool = False,
    ) -> RNNRegressor:
        """Train on sequences X and their numbers y, and return the estimator; see `RNNClassifier.fit`."""
        self._train(X, y, sample_weight, validation_data=validation_data, path=checkpoint, resume=resume)
        return self

    def partial_fit(self, X: Any, y: Any, sample_weight: Any = None) -> RNNRegressor:
        """Train one epoch more; the scales of input and targets are those of the first call."""
        self._train(X, y, sample_weight, partial=True)
        return self

    def predict(self, X: Any) -> Any:
        """Return (n,) or (n, C) as y was; with ``return_sequences`` one answer a step in the form of X."""
        batch, values = self._outputs(X)
        if self._vector:
            values = values[:, 0]
        return estimator_input.restore_form(values, batch, X) if self.network_.per_step else values

    def score(self, X: Any, y: Any, sample_weight: Any = None) -> float:
        """Return R2, with ``return_sequences`` over the answered steps; the mean over several outputs."""
        check_is_fitted(self, "network_")
        if not self.network_.per_step:
            return float(super().score(X, y, sample_weight))
        batch, values = self._outputs(X)
        expected = _step_numbers(y, batch).reshape(batch.rows, -1)
        if expected.shape != values.shape:
            raise ArgumentValueError("y", f"has {expected.shape[1]} values a step", f"{values.shape[1]}")
        weights = as_weights(sample_weight, batch.n)
        if weights is not None:
            weights = np.repeat(weights, batch.lengths())
        scores = []
        for column in range(expected.shape[1]):
            given = ~np.isnan(expected[:, column])
            if not given.any():
                raise ArgumentValueError("y", f"has no answer in output {column}", "some that are not NaN")
            w = None if weights is None else weights[given]
            scores.append(r2_score(expected[given, column], values[given, column], sample_weight=w))
        return float(np.mean(scores))

    def _read_answers(self, y: Any, batch: Batch) -> Array:
        if self._per_step:
            return _step_numbers(y, batch)
        y = estimator_input.check_one_per_sequence(y, batch.n)
        try:
            y = check_array(y, ensure_2d=False, dtype=np.float64, input_name="y")
        except ValueError as error:
            if "could not convert" in str(error):
                raise ValueError(f"y has answers that are no numbers: {error}") from None
            raise
        return np.asarray(y if y.ndim == 2 else column_or_1d(y, warn=True))

    def _learn_answers(
        self, y: Array, batch: Batch, weights: Float64 | None, fresh: bool, classes: Any
    ) -> Labeled:
        values = y.reshape(len(y), -1)
        if fresh:
            self._vector = y.ndim == 1
            each = weights
            if weights is not None and self._per_step:
                each = np.repeat(weights, batch.lengths())
            empty = np.isnan(values).all(axis=0)
            if empty.any():
                raise ArgumentValueError(
                    "y", f"has no answer in output {int(np.argmax(empty))}", "some that are not NaN"
                )
            self._targets = (
                scaling.learn(values, each, "y")
                if flag("standardize", self.standardize)
                else scaling.identity(values.shape[1])
            )
        elif values.shape[1] != len(self._targets.mean):
            count = len(self._targets.mean)
            raise ArgumentValueError("y", f"has {values.shape[1]} outputs", f"{count} (as before)")
        scaled = self._targets.apply(values, np.dtype(np.float64))
        return Labeled(batch, scaled, weights, None, values.shape[1], None)

    def _score_of(self, held_out: Labeled) -> Any:
        w = np.ones(held_out.batch.n) if held_out.weights is None else held_out.weights
        if self._per_step:
            w = np.repeat(w, held_out.batch.lengths())
        given = ~np.isnan(held_out.answers)
        if not given.any(axis=0).all():
            raise ValueError("early_stopping held out sequences without any answer, expected some answers")
        counts = given * w[:, None]
        values = np.where(given, held_out.answers, 0.0)
        mean = (counts * values).sum(axis=0) / counts.sum(axis=0)
        variance = float((counts * (values - mean) ** 2).sum() / counts.sum())

        def r2(logs: dict[str, float]) -> float:
            error = logs["val_mean_squared_error"]
            if variance > 0.0:
                return 1.0 - error / variance
            return 1.0 if error == 0.0 else 0.0

        return r2

    def _finish(self, outputs: Array) -> Array:
        return self._targets.undo(outputs)

    def _pack_answers(self, own: dict[str, Any], arrays: dict[str, Array]) -> None:
        own["vector"] = self._vector
        files.pack_scaler(arrays, "targets", self._targets)

    def _unpack_answers(self, own: dict[str, Any], arrays: dict[str, Array]) -> None:
        outputs = self.network_.output_size
        if type(own["vector"]) is not bool or (own["vector"] and outputs != 1):
            raise ValueError(f"vector is {own['vector']!r} for {outputs} outputs")
        self._vector = own["vector"]
        self._targets = files.unpack_scaler(arrays, "targets", outputs)

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()
        tags.target_tags.multi_output = True
        return tags


def _step_numbers(y: Any, batch: Batch) -> Array:
    """Return one answer a step, (N,) or (N, C); NaN is no answer."""
    values: Array = per_step_rows(y, batch, "y").astype(np.float64)
    if np.isinf(values).any():
        raise ArgumentValueError("y", "has infinite answers", "finite numbers, or NaN for no answer")
    return values
