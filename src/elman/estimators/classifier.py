"""RNNClassifier: one class a sequence."""

from __future__ import annotations

from typing import Any

import numpy as np
from sklearn.base import ClassifierMixin

from elman.data.sequences import Array, Batch
from elman.data.targets import as_weights
from elman.estimators import files
from elman.estimators.base import Labeled, SequenceEstimator
from elman.estimators.labels import (
    accuracy,
    class_labels,
    class_weights,
    encode,
    learn_classes,
    probabilities,
)
from elman.model.model import Float64


class RNNClassifier(ClassifierMixin, SequenceEstimator):  # type: ignore[misc]
    """A recurrent network that gives each sequence one of several classes.

    The network is `SimpleRNN`, `GRU` or `LSTM` layers, a pool where ``pooling`` is not "last", and a softmax
    `Dense`; its loss is the cross-entropy. Parameters follow `sklearn.neural_network.MLPClassifier`.

    Shapes: X is a list of arrays (T_i, F) or (T_i,) of any lengths, an array (n, T, F), `elman.Sequences`, or
    2-D, where each row is a univariate sequence; y (n,).

    Parameters
    ----------
    hidden_layer_sizes : int or tuple of int
        Units of each recurrent layer, from the input upwards.
    cell : {"rnn", "gru", "lstm"}
        The kind of recurrent layer.
    activation : {"tanh", "relu", "sigmoid", "identity"}
        Of the recurrent layers of cell "rnn"; the gated ones have their own.
    bidirectional : bool
        Reads every sequence from both ends; not with ``truncation``, and not for ``stream``.
    pooling : {"last", "mean", "max"}
        What the answer follows from: the last hidden state, or the mean or maximum over all steps.
    solver : {"adam", "sgd", "lbfgs", "lm"}
        The optimizer; "sgd" has Nesterov's momentum 0.9. "lbfgs" and "lm" take one step over all the data in
        each of max_iter iterations, without rates, batches and clipping; "lm" is for networks of up to some
        3,000 parameters.
    alpha : float, at least 0
        Adds alpha/2 times the sum of squares of kernels and recurrent kernels to each update's loss.
    batch_size : int, at least 1
        Sequences an update.
    learning_rate_init : float, above 0
        The learning rate, the highest one where it changes.
    learning_rate : {"constant", "cosine", "onecycle"}
        Falls along half a cosine, or climbs first, over ``max_iter`` epochs; ``tol`` does not end these.
    max_iter : int, at least 1
        Epochs at most.
    shuffle : bool
        A new order of the sequences each epoch.
    random_state : int, RandomState, Generator or None
        Initial weights, shuffling, held-out sequences and noise follow from it.
    tol : float, at least 0
        What counts as an improvement of the training loss, or of the score with ``early_stopping``.
    verbose : bool or int
        A progress bar.
    warm_start : bool
        A second ``fit`` goes on with the network of the first.
    clip_norm : float or None
        Scales gradients whose norm is larger.
    early_stopping : bool
        Holds ``validation_fraction`` of the sequences out, class by class, stops when nothing improves on
        them, and puts the best weights back.
    validation_fraction : float between 0 and 1
        Share of the sequences that early stopping holds out.
    n_iter_no_change : int, at least 1
        So many epochs without improvement end the training.
    class_weight : dict, "balanced" or None
        What a sequence of each class counts; "balanced" gives every class the same sum.
    truncation : int or None
        Truncated backpropagation through time in chunks of so many steps.
    dropout : float in [0, 1)
        Share of the hidden units dropped in training, one mask a sequence, in the recurrence of every layer
        and between layers; the input itself is never dropped.
    input_noise : float, at least 0
        Standard deviation of Gaussian noise added to the (standardized) training input, fresh each epoch.
    dtype : {"float32", "float64"} or None
        None: float32 for float32 input, float64 otherwise.
    standardize : bool
        Brings every feature to mean 0 and standard deviation 1 over all steps of the training data (2-D
        input: one mean and one scale in all); kept in the model, applied by ``predict`` and ``stream``.
    n_jobs : int or None
        Threads; None takes the CPUs of this process, bounded by OMP_NUM_THREADS. Results do not depend on it.

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
        in it as in training.
    network_ : Network
        The network; its input is the standardized sequences.

    Raises
    ------
    TypeError, ValueError
        Naming the argument, what was expected and what came; nothing has changed then.
    DivergenceError
        The loss became NaN or infinite; the weights are those of the last good epoch.

    >>> from elman import RNNClassifier
    >>> X = [np.full((steps, 1), value) for steps in (3, 5, 8) for value in (0.0, 1.0)]
    >>> model = RNNClassifier(8, learning_rate_init=0.01, random_state=0).fit(X, ["low", "high"] * 3)
    >>> model.predict([np.zeros((4, 1)), np.ones((6, 1))]).tolist()
    ['low', 'high']
    """

    classes_: Array

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
        class_weight: Any = None,
        truncation: int | None = None,
        dropout: float = 0.0,
        input_noise: float = 0.0,
        dtype: Any = None,
        standardize: bool = True,
        n_jobs: int | None = None,
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
        self.class_weight = class_weight
        self.truncation = truncation
        self.dropout = dropout
        self.input_noise = input_noise
        self.dtype = dtype
        self.standardize = standardize
        self.n_jobs = n_jobs

    _per_step = False

    def fit(
        self,
        X: Any,
        y: Any,
        sample_weight: Any = None,
        *,
        validation_data: Any = None,
        checkpoint: Any = None,
        resume: bool = False,
    ) -> RNNClassifier:
        """Train on sequences X and their classes y (n,), and return the estimator.

        ``sample_weight`` (n,) acts as so many repeated sequences would. ``validation_data``, (X, y) or (X, y,
        sample_weight), is what early stopping watches instead of held-out sequences. ``checkpoint`` names a
        file that is written after each epoch; with ``resume=True`` a run that was cut off goes on from there
        and ends with the bits of an uninterrupted one.
        """
        self._train(X, y, sample_weight, validation_data=validation_data, path=checkpoint, resume=resume)
        return self

    def partial_fit(self, X: Any, y: Any, classes: Any = None, sample_weight: Any = None) -> RNNClassifier:
        """Train one epoch more; the first call needs all ``classes`` to come."""
        self._train(X, y, sample_weight, partial=True, classes=classes)
        return self

    def predict(self, X: Any) -> Array:
        """Return the most probable class of each sequence, (n,)."""
        probabilities = self._outputs(X)[1]
        labels: Array = self.classes_[probabilities.argmax(axis=1)]
        return labels

    def predict_proba(self, X: Any) -> Array:
        """Return the probability of each of ``classes_``, (n, C) float64; rows sum to 1."""
        return self._outputs(X)[1]

    def predict_log_proba(self, X: Any) -> Array:
        """Return the logarithm of the probabilities, (n, C)."""
        with np.errstate(divide="ignore"):
            return np.log(self.predict_proba(X))

    def _read_answers(self, y: Any, batch: Batch) -> Array:
        return class_labels(y, batch.n)

    def _learn_answers(
        self, y: Array, batch: Batch, weights: Float64 | None, fresh: bool, classes: Any
    ) -> Labeled:
        self.classes_ = learn_classes(y, None if fresh else self.classes_, classes)
        indices = encode(y, self.classes_, "y")
        scales = class_weights(self.class_weight, self.classes_, y, indices, weights)
        if scales is not None:
            weights = as_weights(scales[indices] * (1.0 if weights is None else weights), batch.n)
        return Labeled(batch, indices, weights, None, len(self.classes_), indices)

    def _score_of(self, held_out: Labeled) -> Any:
        return accuracy

    def _finish(self, outputs: Array) -> Array:
        return probabilities(outputs)

    def _pack_answers(self, own: dict[str, Any], arrays: dict[str, Array]) -> None:
        own["classes"] = files.pack_classes(self.classes_)

    def _unpack_answers(self, own: dict[str, Any], arrays: dict[str, Array]) -> None:
        self.classes_ = files.unpack_classes(own["classes"], self.network_.output_size)
