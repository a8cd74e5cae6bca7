"""The estimators: recurrent networks with scikit-learn's interface, for sequences of any lengths."""

from __future__ import annotations

from typing import Any

from elman.estimators import files
from elman.estimators.base import SequenceEstimator
from elman.estimators.classifier import RNNClassifier as RNNClassifier
from elman.estimators.regressor import RNNRegressor as RNNRegressor
from elman.estimators.tagger import RNNTagger as RNNTagger
from elman.sequences import Array

KINDS: dict[str, type[SequenceEstimator]] = {
    kind.__name__: kind for kind in (RNNClassifier, RNNRegressor, RNNTagger)
}


def unpack(spec: dict[str, Any], arrays: dict[str, Array], name: str) -> SequenceEstimator:
    """Return the estimator that a file holds; ValueError where spec and arrays do not belong together."""
    return files.unpack(KINDS[spec["kind"]], spec, arrays, name)
