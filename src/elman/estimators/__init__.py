"""The estimators: recurrent networks with scikit-learn's interface, for sequences of any lengths."""

from __future__ import annotations

from typing import Any

from elman.data.sequences import Array
from elman.estimators import files
from elman.estimators.base import SequenceEstimator
from elman.estimators.classifier import RNNClassifier as RNNClassifier
from elman.estimators.regressor import RNNRegressor as RNNRegressor
from elman.estimators.tagger import RNNTagger as RNNTagger
from elman.network import network
from elman.training.checkpoint import network_spec

__all__ = ["RNNClassifier", "RNNRegressor", "RNNTagger"]

files.KINDS.update({kind.__name__: kind for kind in (RNNClassifier, RNNRegressor, RNNTagger)})
KINDS: dict[str, type[SequenceEstimator]] = files.KINDS


def unpack(spec: dict[str, Any], arrays: dict[str, Array], name: str) -> SequenceEstimator:
    """Return the estimator that a file holds; ValueError where spec and arrays do not belong together."""
    net = network.unpack(network_spec(spec, name), arrays, name)
    estimator: SequenceEstimator = files.unpack(KINDS[spec["kind"]], net, spec, arrays, name)
    return estimator
