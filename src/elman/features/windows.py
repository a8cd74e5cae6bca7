"""Features of windows, cut from whole sequences or from a stream, by the same function."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view
from sklearn.utils.validation import check_is_fitted

from elman._validation import integer
from elman.data.sequences import Array, Batch, Offsets
from elman.errors import ArgumentTypeError, ArgumentValueError
from elman.features.base import FeatureStream, Float64, SequenceTransformer

# Windows (m, F, window) in float64 to new features (m, F'). Each window is treated by itself, so that its
# features' bits do not depend on m. In memory the F channels of a sample are adjacent, so the stride along
# time is F. Windows may overlap in the memory of a stream: a function must only read them.
Function = Callable[[Float64], Float64]

_BLOCK = 1 << 16  # numbers in the windows of one call, so that they stay in the cache


class Windowed(SequenceTransformer):
    """The base class of features of windows of ``window`` samples that begin every ``hop`` samples.

    A subclass has parameters ``window`` and ``hop`` (or defines ``_cut``). It defines ``_function(window)``,
    which checks the other parameters and returns a `Function`, and ``_names(channels)``. With
    ``window=None``, if ``_cut`` allows it, each whole sequence is one window and the result is 2-D, (n, F').
    """

    def _cut(self) -> tuple[int | None, int]:
        """Return window and hop, checked."""
        window: int = integer("window", self.window, 2)
        return window, window if self.hop is None else integer("hop", self.hop, 1)

    def _function(self, window: int) -> Function:
        """Return the function from windows (m, F, window) to features (m, F')."""
        raise NotImplementedError

    # common to all subclasses

    @property
    def window_size(self) -> int | None:
        """Samples in a window; None where the whole sequence is one."""
        return self._cut()[0]

    @property
    def per_sequence(self) -> bool:
        return self._cut()[0] is None

    def check_parameters(self) -> None:
        self._cut()

    def _least(self) -> int:
        return self._cut()[0] or 1

    def _learn(self, batch: Batch) -> dict[str, Any]:
        """Learn nothing, but check that the parameters suit these sequences."""
        window = self._cut()[0]
        if window is None:
            self._whole(batch)
        else:
            self._function(window)
        return {}

    def _lengths(self, lengths: Offsets) -> Offsets:
        window, hop = self._cut()
        return np.ones_like(lengths) if window is None else (lengths - window) // hop + 1

    def ends(self, steps: int) -> Offsets:
        """Return which sample completes each window of a sequence of ``steps`` samples, (T',).

        If ``y_i`` has one label per sample, ``y_i[features.ends(len(y_i))]`` has one label per window.
        """
        window, hop = self._cut()
        steps = integer("steps", steps, window or 1)
        return np.array([steps - 1]) if window is None else np.arange(window - 1, steps, hop)

    def _apply(self, batch: Batch) -> Float64:
        window, hop = self._cut()
        if window is None:
            return self._whole(batch)
        counts = self._lengths(batch.lengths())
        first = np.repeat(batch.offsets[:-1] - hop * (np.cumsum(counts) - counts), counts)
        return self._at(batch, first + hop * np.arange(len(first)), window)

    def _whole(self, batch: Batch) -> Float64:
        """Return the features of each sequence as one window, length by length."""
        lengths = batch.lengths()
        out: list[Float64] = [np.empty(0)] * batch.n
        for steps in np.unique(lengths).tolist():
            rows = np.flatnonzero(lengths == steps)
            try:
                made = self._at(batch, batch.offsets[rows], steps)
            except ValueError as error:
                raise ArgumentValueError(f"X[{rows[0]}]", f"has {steps} steps: {error}") from None
            for row, values in zip(rows.tolist(), made, strict=True):
                out[row] = values
        return np.stack(out)

    def _at(self, batch: Batch, starts: Offsets, window: int) -> Float64:
        """Return the features of the windows that begin at the steps ``starts``, (len(starts), F')."""
        features = batch.values.shape[1]
        function = self._function(window)
        view = sliding_window_view(batch.values, window, axis=0).swapaxes(1, 2)  # (N - window + 1, window, F)
        size = max(1, _BLOCK // (features * window))
        parts = [
            function(np.ascontiguousarray(view[starts[i : i + size]], np.float64).swapaxes(1, 2))
            for i in range(0, len(starts), size)
        ]
        return np.concatenate(parts)

    def stream(self) -> WindowStream:
        """Return a stream: ``step`` gives the features (F',) of the window that a sample completes, or None.

        ``steps`` takes several samples (k, F) and gives (m, F'). Both give the bits of `transform`. TypeError
        where the window is the whole sequence, which has no end in a stream.
        """
        check_is_fitted(self, "n_features_in_")
        window, hop = self._cut()
        if window is None:
            raise ArgumentTypeError(
                f"{type(self).__name__}",
                "has window None",
                "a number of samples: the features of a whole sequence cannot stream",
            )
        stream = WindowStream(self.n_channels, self.n_features_out, window, hop, self._function(window))
        return self._by_name(stream)


class WindowStream(FeatureStream):
    """Features of the windows of a stream: `Windowed.stream` makes it."""

    def __init__(self, features: int, columns: int, window: int, hop: int, function: Function) -> None:
        super().__init__(features, columns)
        self._window, self._hop, self._function = window, hop, function
        self._most = max(1, _BLOCK // (features * window))  # windows in one call of the function
        self._memories = self._room_for(8 * window), self._room_for(8 * window)  # used in turns
        self.reset()

    def reset(self) -> None:
        """Go back to the beginning of a sequence."""
        self._memory = self._memories[0]
        self._next = self._end = 0  # where the next window begins, and where the samples held end
        self._mark = (0, 0)

    def _room_for(self, samples: int) -> tuple[Float64, Float64]:
        """Return memory for ``samples`` samples (samples, F), and all windows in it, (., F, window)."""
        held = np.empty((samples, self.features))
        return held, sliding_window_view(held, self._window, axis=0)

    def advance(self, x: Array) -> Array:
        """Take samples (k, F) that were checked; where it raises, the state is unchanged."""
        if self._end + len(x) > len(self._memory[0]):
            self._move(len(x))
        held, windows = self._memory
        begin, end = self._next, self._end + len(x)
        held[self._end : end] = x
        count = (end - begin - self._window) // self._hop + 1
        if count > 0:
            stop = begin + count * self._hop
            rows = self._features(windows[begin : stop : self._hop]).astype(x.dtype, copy=False)
        else:
            stop, rows = begin, self.nothing(x.dtype)
        self._mark = begin, self._end
        self._next, self._end = stop, end
        return rows

    def undo(self) -> None:
        """Undo the last ``advance``."""
        self._next, self._end = self._mark

    def _features(self, windows: Float64) -> Float64:
        if len(windows) <= self._most:
            return self._function(windows)
        blocks = range(0, len(windows), self._most)
        return np.concatenate([self._function(windows[i : i + self._most]) for i in blocks])

    def _move(self, samples: int) -> None:
        """Copy the samples still needed to other memory; an interruption leaves the state unchanged."""
        begin = min(self._next, self._end)
        kept = self._memory[0][begin : self._end]
        room = len(kept) + samples
        other = self._memories[self._memory is self._memories[0]]
        memory = other if room <= len(other[0]) else self._room_for(room)  # for this call only
        memory[0][: len(kept)] = kept
        self._memory = memory
        self._next, self._end = self._next - begin, len(kept)
