"""Frames: consecutive samples side by side, in one row."""

from __future__ import annotations

from typing import Any

import numpy as np

from elman._validation import integer
from elman.features.base import Float64
from elman.features.windows import Function, Windowed


class Frames(Windowed):
    """Frames of ``width`` consecutive samples, one every ``hop``: fewer and wider steps for a network.

    Row j of the result is x[j hop], ..., x[j hop + width - 1], one sample after the other.

    Shapes: (T, F) -> (T', width F), T' = 1 + (T - width) // hop. Samples at the end that do not fill a frame
    are dropped. A sequence shorter than a frame is a ValueError that names the sequence.

    Parameters
    ----------
    width : int, at least 1
        Samples per frame.
    hop : int, at least 1, or None
        Samples from the start of a frame to the start of the next. None is ``width``: no overlap.

    >>> import numpy as np
    >>> Frames(3, hop=2).fit_transform([np.arange(6.0)])[0].tolist()
    [[0.0, 1.0, 2.0], [2.0, 3.0, 4.0]]
    """

    def __init__(self, width: Any, hop: Any = None) -> None:
        self.width = width
        self.hop = hop

    def _cut(self) -> tuple[int | None, int]:
        width = integer("width", self.width, 1)
        return width, width if self.hop is None else integer("hop", self.hop, 1)

    def _function(self, window: int) -> Function:  # noqa: ARG002
        def frames(windows: Float64) -> Float64:
            return np.array(windows.swapaxes(1, 2), order="C").reshape(len(windows), -1)

        return frames

    @property
    def n_features_out(self) -> int:
        return (self._cut()[0] or 0) * self.n_channels

    def _names(self, channels: list[str]) -> list[str]:
        width = self._cut()[0] or 0
        return [f"{channel}_{i}" for i in range(width) for channel in channels]
