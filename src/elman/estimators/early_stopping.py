"""Stopping: ends training when nothing improves any more, and keeps the best weights."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from elman.data.sequences import Array


class Patience:
    """A callback of fit that stops after ``wait`` epochs in a row without an improvement of ``tol``.

    Without validation it watches the training loss. With validation an epoch is better when its score is
    higher, or as high with a lower loss; improving either by ``tol`` counts, and ``best`` are the weights of
    the best epoch. ``score`` turns a report of fit into the score.

    >>> patience = Patience(tol=0.1, wait=2)
    >>> [patience(None, epoch, {"loss": loss}) for epoch, loss in enumerate([3.0, 2.0, 1.95, 1.92])]
    [False, False, False, True]
    """

    def __init__(self, tol: float, wait: float, score: Any = None) -> None:
        self.tol, self.wait, self.score = tol, wait, score
        self.best: Array | None = None
        self.scores: list[float] = []
        self._best_score, self._best_loss = -math.inf, math.inf  # of the best epoch
        self._high, self._low = -math.inf, math.inf  # what the next improvement is measured against
        self._idle = 0

    @property
    def ended(self) -> bool:
        """Whether the rule has ended the run: nothing improves any more."""
        return self._idle >= self.wait

    @property
    def watches(self) -> bool:
        """Whether it can do anything: without a callback many epochs are one native call."""
        return self.score is not None or self.wait < math.inf

    def __call__(self, net: Any, epoch: int, logs: dict[str, float]) -> bool:
        loss = logs["loss" if self.score is None else "val_loss"]
        score = 0.0 if self.score is None else self.score(logs)
        if self.score is not None:
            self.scores.append(score)
            if (score, -loss) > (self._best_score, -self._best_loss):
                self._best_score, self._best_loss = score, loss
                self.best = net.parameters.copy()
        improved = score > self._high + self.tol or loss < self._low - self.tol
        self._high, self._low = max(self._high, score), min(self._low, loss)
        self._idle = 0 if improved else self._idle + 1
        return self.ended

    def state(self) -> tuple[dict[str, Any], dict[str, Array]]:
        """Return everything that the rule remembers, for a checkpoint: plain values and arrays."""
        numbers = [self._best_score, self._best_loss, self._high, self._low]
        arrays = {"numbers": np.array(numbers), "scores": np.array(self.scores, np.float64)}
        if self.best is not None:
            arrays["best"] = self.best
        return {"idle": self._idle}, arrays

    def restore(self, values: dict[str, Any], arrays: dict[str, Array]) -> None:
        """Take up what `state` gave."""
        self._idle = int(values["idle"])
        numbers = arrays["numbers"].tolist()
        self._best_score, self._best_loss, self._high, self._low = (float(v) for v in numbers)
        self.scores = [float(v) for v in arrays["scores"]]
        self.best = arrays["best"].copy() if "best" in arrays else None
