"""History: what training reported, one value per epoch."""

from __future__ import annotations

import base64
import html
import io
import os
from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

if TYPE_CHECKING:
    from matplotlib.axes import Axes

_HIGHER_IS_BETTER = ("accuracy", "score")


class History(Mapping[str, list[float]]):
    """The reports of one fit, one value per epoch: ``history["loss"]``, ``history["val_loss"]``, ...

    A read-only mapping from keys to lists. ``history.history`` is the same as a dict, as in Keras. Errors:
    KeyError for a key that the fit did not report.

    >>> history = History(("loss", "accuracy"))
    >>> history["loss"], list(history), "val_loss" in history, history.epoch
    ([], ['loss', 'accuracy'], False, 0)
    """

    __slots__ = ("history",)

    history: dict[str, list[float]]

    def __init__(self, keys: tuple[str, ...] = ()) -> None:
        self.history = {key: [] for key in keys}

    def __getitem__(self, key: str) -> list[float]:
        try:
            return self.history[key]
        except KeyError:
            keys = ", ".join(self.history) or "none before a fit"
            raise KeyError(f"no {key!r} in the history; there are {keys}") from None

    def __iter__(self) -> Iterator[str]:
        return iter(self.history)

    def __len__(self) -> int:
        return len(self.history)

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

    def plot(self, path: str | os.PathLike[str] | None = None) -> Axes:
        """Draw the curves, save them to ``path`` if one is given, and return the figure's axes."""
        from elman import plotting  # matplotlib loads at the first plot, and nothing else imports plotting

        return plotting.curves(self, path=path)

    def __repr__(self) -> str:
        return f"History({self.epoch} epochs: {', '.join(self.history)})"

    def _repr_html_(self) -> str:
        return history_html(self.history)


def history_html(history: Mapping[str, Sequence[float]]) -> str:
    """Return what a notebook shows: the last and the best value of each key, and the curves as a picture.

    The best value is the highest of an accuracy or a score, otherwise the lowest; NaN is never the best.
    Without matplotlib there is no picture.

    >>> history_html({"loss": []}).count("<tr>")
    2
    """
    rows = "".join(_row(key, series) for key, series in history.items())
    head = "<tr><th></th><th>last</th><th>best</th><th>in epoch</th></tr>"
    return f"<div><table>{head}{rows}</table>{_picture(history)}</div>"


def _row(key: str, series: Sequence[float]) -> str:
    numbers = np.asarray(series, dtype=float)
    last = best = epoch = "-"
    if len(numbers):
        last = f"{numbers[-1]:.4g}"
    if np.isfinite(numbers).any():
        losses = -numbers if any(word in key for word in _HIGHER_IS_BETTER) else numbers
        at = int(np.argmin(np.where(np.isfinite(losses), losses, np.inf)))
        best, epoch = f"{numbers[at]:.4g}", str(at + 1)
    cells = "".join(f"<td>{cell}</td>" for cell in (last, best, epoch))
    return f'<tr><th style="text-align: left">{html.escape(key)}</th>{cells}</tr>'


def _picture(history: Mapping[str, Sequence[float]]) -> str:
    """Return the curves as an image tag, a PNG: its size does not grow with the number of epochs."""
    try:
        from elman import plotting

        buffer = io.BytesIO()
        figure: Any = plotting.curves(history).figure
        figure.savefig(buffer, format="png", dpi=80)
    except Exception:  # what a cell shows must not hide that its training is done; plot() says what is wrong
        return ""
    data = base64.b64encode(buffer.getvalue()).decode("ascii")
    return f'<img alt="loss and metrics by epoch" style="max-width: 100%" src="data:image/png;base64,{data}">'


def means(sums: NDArray[np.float64], count: int) -> list[list[float]]:
    """Return the mean loss and the metrics of each epoch, NaN where there was no answer.

    Shapes: sums (E, 5) -> ``count`` lists of E values.

    >>> means(np.array([[3.0, 2.0, 1.0, 0.0, 2.0]]), 2)
    [[1.5], [0.5]]
    """
    with np.errstate(invalid="ignore", divide="ignore"):
        columns = [sums[:, 0] / sums[:, 1], sums[:, 2] / sums[:, 4], sums[:, 3] / sums[:, 4]]
    return [column.tolist() for column in columns[:count]]
