"""An estimator of each kind, and small problems for tests that run over all kinds."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from elman import RNNClassifier, RNNRegressor, RNNTagger

KINDS = ["classifier", "regressor", "step_regressor", "tagger"]


def make(kind: str, **options: Any) -> Any:
    """An estimator that is not fitted."""
    if kind == "step_regressor":
        return RNNRegressor(return_sequences=True, **options)
    return {"classifier": RNNClassifier, "regressor": RNNRegressor, "tagger": RNNTagger}[kind](**options)


@dataclass(frozen=True)
class Problem:
    """Sequences, the answers to them for each kind, and the options of estimators that shall learn them."""

    X: Any
    answers: Mapping[str, Any]
    options: Mapping[str, Any]

    def model(self, kind: str, **options: Any) -> tuple[Any, Any]:
        """An estimator that is not fitted, and its answers."""
        return make(kind, **{**self.options, **options}), self.answers[kind]

    def fitted(self, kind: str = "classifier", **options: Any) -> Any:
        estimator, y = self.model(kind, **options)
        return estimator.fit(self.X, y)
