"""The options of training, as parameters of the estimators."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from elman.cli.commands import data as files
from elman.data.sequences import Array
from elman.errors import ArgumentValueError


@dataclass(frozen=True)
class Recipe:
    """How to train. The defaults are those of the estimators, except for ``dtype`` and ``seed``."""

    cell: str = "rnn"
    hidden: tuple[int, ...] = (64,)
    activation: str = "tanh"
    bidirectional: bool = False
    pooling: str = "last"
    epochs: int = 200
    batch_size: int = 32
    rate: float = 1e-3
    schedule: str = "constant"
    noise: float = 0.0
    dropout: float = 0.0
    alpha: float = 0.0
    clip_norm: float = 1.0
    truncation: int | None = None
    patience: int = 10
    balanced: bool = False
    seed: int = 0
    threads: int | None = None
    dtype: str = "float32"

    def parameters(self, task: str) -> dict[str, Any]:
        """Return the parameters of the estimator for a task."""
        given: dict[str, Any] = {
            "hidden_layer_sizes": self.hidden,
            "cell": self.cell,
            "activation": self.activation,
            "bidirectional": self.bidirectional,
            "max_iter": self.epochs,
            "batch_size": self.batch_size,
            "learning_rate_init": self.rate,
            "learning_rate": self.schedule,
            "input_noise": self.noise,
            "dropout": self.dropout,
            "alpha": self.alpha,
            "clip_norm": self.clip_norm or None,
            "truncation": self.truncation,
            "n_iter_no_change": self.patience,
            "random_state": self.seed,
            "n_jobs": self.threads,
            "dtype": self.dtype,
        }
        if task != "tag":
            given["pooling"] = self.pooling
        elif self.pooling != "last":
            raise ArgumentValueError(
                "--pooling", f"is {self.pooling!r}", "'last' where every step has a label"
            )
        if self.balanced:
            if task == "regress":
                raise ArgumentValueError("--balanced", "is given, but numbers have no classes to be balanced")
            given["class_weight"] = "balanced"
        return given


def estimator(recipe: Recipe, task: str, y: Array | list[Array], gaps: bool, share: float, bar: bool) -> Any:
    """Return the estimator for a task and labels, not fitted yet; ``gaps``: some steps have no label.

    ``share`` of the sequences will be held out for early stopping, 0: none; ``bar`` shows the progress.
    """
    from elman import estimators

    parameters = {**recipe.parameters(task), "verbose": bar}
    if share:
        parameters |= {"early_stopping": True, "validation_fraction": share}
    if task == "classify":
        return estimators.RNNClassifier(**parameters)
    if task == "tag":
        filler = files.FILLERS[y[0].dtype.kind]
        return estimators.RNNTagger(**parameters, missing_label=filler if gaps else "auto")
    return estimators.RNNRegressor(**parameters, return_sequences=isinstance(y, list))
