"""What the estimators of classes share: class weights, classes, and their place in a file."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from elman._validation import number
from elman.data.sequences import Array
from elman.estimators import files
from elman.estimators.data import EstimatorData
from elman.estimators.labels import ClassWeight, accuracy, probabilities
from elman.estimators.parameters import Parameters


@dataclass(eq=False, repr=False, kw_only=True)
class ClassParameters(Parameters):
    """What `RNNClassifier` and `RNNTagger` share, whose answers are classes; no base by itself."""

    class_weight: ClassWeight | None = None

    def _known_answers(self) -> Array:
        return self.classes_

    def _keep_answers(self, learned: Array) -> None:
        self.classes_: Array = learned

    def _score_of(self, held_out: EstimatorData, train: EstimatorData) -> Callable[[dict[str, float]], float]:
        return accuracy

    def to_answers(self, outputs: Array) -> Array:
        """Return softmax outputs (rows, C) as probabilities (rows, C) in float64."""
        return probabilities(outputs)

    def _pack_learned(self, learned: Array, own: dict[str, Any], arrays: dict[str, Array]) -> None:
        own["classes"] = files.pack_classes(learned)
        if hasattr(self, "temperature_"):
            own["temperature"] = self.temperature_

    def restore_answers(self, own: dict[str, Any], arrays: dict[str, Array], outputs: int) -> None:
        """Set the classes that a file holds; ValueError where they are not C ``outputs`` different ones."""
        self.classes_ = files.unpack_classes(own["classes"], outputs)
        if "temperature" in own:
            self.temperature_ = number("temperature", own["temperature"], positive=True)
