"""Calibrated copies of fitted models: one temperature, kept in the weights of the last layer."""

from __future__ import annotations

import copy
from collections.abc import Sequence
from typing import Any, TypeVar

import numpy as np
from sklearn.pipeline import Pipeline
from sklearn.utils.validation import check_is_fitted

from elman._validation import describe
from elman.data.input_types import SequenceInput, TargetInput
from elman.data.sequences import Array, Sequences
from elman.errors import ArgumentTypeError, ArgumentValueError
from elman.estimators.classifier import RNNClassifier
from elman.estimators.labels import class_labels, step_labels
from elman.estimators.missing_labels import missing_steps
from elman.estimators.tagger import RNNTagger
from elman.evaluation.calibration import find_temperature

Model = TypeVar("Model")  # RNNClassifier, RNNTagger, or a pipeline that ends with one


def calibrate(model: Model, X: SequenceInput, y: TargetInput) -> Model:
    """Return a copy of a fitted model whose probabilities are calibrated: softmax(logits / T).

    One temperature T minimizes the cross-entropy of the answers to X, which must be held out from training.
    T > 1 makes the probabilities less confident, T < 1 more. The order of the classes, and so the accuracy,
    does not change. The kernel and the bias of the last layer are divided by T, so ``predict_proba``,
    ``score``, ``stream``, ``elman.save`` and the commands work as before. ``model`` is left as it is.

    Shapes: X as for ``predict_proba``; y (n,), for a tagger one label a step, in the form of X. Steps whose
    label is its ``missing_label`` are left out.

    Parameters
    ----------
    model : RNNClassifier, RNNTagger or Pipeline
        Fitted; a pipeline is one of features and one of these estimators.

    The copy's estimator has an attribute ``temperature_``, T. It is between 0.05 and 20; a ConvergenceWarning
    is given at either bound. A fit of the copy removes it.

    Raises
    ------
    TypeError
        If the model is another one.
    ValueError
        If y has a label that training did not have, or another length than X.

    Source: Guo et al.: On calibration of modern neural networks, ICML 2017, section 4.2.

    >>> import numpy as np, elman
    >>> X = [np.full(5, value) for value in np.random.default_rng(0).normal(size=80)]
    >>> y = np.array([x[0] > 0 for x in X]) ^ (np.arange(80) % 5 == 0)  # one of five is wrong
    >>> model = elman.RNNClassifier(8, max_iter=60, learning_rate_init=0.05, random_state=0)
    >>> calibrated = elman.calibrate(model.fit(X[:40], y[:40]), X[40:], y[40:])
    >>> calibrated.temperature_ > 1.0, calibrated.predict_proba(X).max() < model.predict_proba(X).max()
    (True, np.True_)
    """
    last = _classifier(model)
    shares = model.predict_proba(X)  # type: ignore[attr-defined]  # `_classifier` refused all others
    if isinstance(last, RNNTagger):
        shares, labels = _labeled_steps(shares, y, last.missing_label)
    else:
        labels = class_labels(y, len(shares))
    # In the network's own dtype, whose smallest number stands for a probability of 0.
    found = find_temperature(shares.astype(last.network_.dtype), labels, last.classes_, stacklevel=3)
    calibrated = copy.deepcopy(model)
    last = _classifier(calibrated)
    network = last.network_
    top = f"{len(network.layers) - 1}."
    for name in network.weights:
        if name.startswith(top):
            network.weights[name][...] /= found
    last.temperature_ = found * getattr(last, "temperature_", 1.0)
    return calibrated


def _classifier(model: object) -> RNNClassifier | RNNTagger:
    """Return the estimator of a model; TypeError if it is no fitted classifier or tagger."""
    last = model.steps[-1][1] if isinstance(model, Pipeline) and model.steps else model
    if not isinstance(last, (RNNClassifier, RNNTagger)):
        raise ArgumentTypeError(
            "model",
            f"is {describe(model)}",
            "a fitted RNNClassifier or RNNTagger, or a pipeline that ends with one",
        )
    check_is_fitted(last, "network_")
    return last


def _labeled_steps(shares: Any, y: Any, missing: Any) -> tuple[Array, Array]:
    """Return the probabilities (m, C) and the labels (m,) of all steps that have one."""
    rows = [np.asarray(each) for each in shares]  # shares have the form of X
    if not isinstance(y, (Sequences, Sequence, np.ndarray)):
        raise ArgumentTypeError("y", f"is {describe(y)}", "the labels of each sequence, one a step")
    if len(y) != len(rows):
        raise ArgumentValueError("y", f"has the labels of {len(y)} sequences", f"{len(rows)} as X")
    labels = []
    for i, (each, row) in enumerate(zip(y, rows, strict=True)):
        own = step_labels(f"y[{i}]", each)
        if own.shape not in ((len(row),), (len(row), 1)):
            raise ArgumentValueError(f"y[{i}]", f"has shape {own.shape}", f"({len(row)},): a label a step")
        labels.append(own.ravel())
    flat = np.concatenate(labels)
    there = ~missing_steps(flat, missing)
    if not there.any():
        raise ArgumentValueError("y", "has no label", f"some that are not {missing!r}")
    return np.concatenate(rows)[there], flat[there]
