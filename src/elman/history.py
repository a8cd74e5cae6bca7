"""History: what training reported, one value an epoch."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray


class History:
    """The reports of one fit: ``history.history["loss"]``, ..., one value an epoch.

    >>> h = History(("loss", "accuracy"))
    >>> h.epoch, h.history
    (0, {'loss': [], 'accuracy': []})
    """

    __slots__ = ("history",)

    history: dict[str, list[float]]

    def __init__(self, keys: tuple[str, ...] = ()) -> None:
        self.history = {key: [] for key in keys}

    @property
    def epoch(self) -> int:
        """The number of finished epochs."""
        return len(next(iter(self.history.values()), []))

    def append(self, sums: NDArray[np.float64], validation: NDArray[np.float64] | None = None) -> None:
        """Add epochs from the engine's sums (E, 5): weighted loss, weight, two metrics, their weight."""
        columns = iter(self.history.values())
        for block in (sums,) if validation is None else (sums, validation):
            half = len(self.history) // (1 if validation is None else 2)
            for values in means(block, half):
                next(columns).extend(values)

    def last(self) -> dict[str, float]:
        """Return the newest value of each key."""
        return {key: values[-1] for key, values in self.history.items()}

    def plot(self, path: Any = None) -> Any:
        """Draw the curves, save them to ``path`` if one is given, and return the figure's axes."""
        from elman import plotting  # matplotlib loads at the first plot, and nothing else imports plotting

        return plotting.curves(self, path=path)

    def __repr__(self) -> str:
        return f"History({self.epoch} epochs: {', '.join(self.history)})"


def means(sums: NDArray[np.float64], count: int) -> list[list[float]]:
    """Return the mean loss and the metrics of each epoch, NaN where there was no answer.

    Shapes: sums (E, 5) -> ``count`` lists of E values.

    >>> means(np.array([[3.0, 2.0, 1.0, 0.0, 2.0]]), 2)
    [[1.5], [0.5]]
    """
    with np.errstate(invalid="ignore", divide="ignore"):
        columns = [sums[:, 0] / sums[:, 1], sums[:, 2] / sums[:, 4], sums[:, 3] / sums[:, 4]]
    return [column.tolist() for column in columns[:count]]
