"""Features of windows: cut from whole sequences, or from samples as they come, by the same function."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view
from sklearn.utils.validation import check_is_fitted

from elman.arguments import integer
from elman.features.base import FeatureStream, Float64, SequenceTransformer
from elman.sequences import Array, Batch, Offsets

# Windows (m, F, window) in float64, each channel's contiguous, to new features (m, F'); each window by
# itself, so that the bits of its features do not depend on m. The windows may be a stream's own memory: they
# are only read.
Function = Callable[[Float64], Float64]

_BLOCK = 1 << 16  # numbers in the windows of one call, so that they stay in the cache


class Windowed(SequenceTransformer):
    """The base of features of windows of ``window`` samples that begin every ``hop`` samples.

    A subclass has parameters ``window`` and ``hop`` (or gives them by ``_cut``) and writes
    ``_function(window)``, which checks the other parameters and returns a `Function`, and
    ``_names(channels)``. With ``window=None``, where ``_cut`` lets it pass, each whole sequence is one window
    and the result is 2-D, (n, F').
    """

    def _cut(self) -> tuple[int | None, int]:
        """Return window and hop, checked."""
        window: int = integer("window", self.window, 2)
        return window, window if self.hop is None else integer("hop", self.hop, 1)

    def _function(self, window: int) -> Function:
        """Return the function from windows (m, F, window) to features (m, F')."""
        raise NotImplementedError

    # the same for all

    @property
    def _one_a_sequence(self) -> bool:  # type: ignore[override]
        return self._cut()[0] is None

    def _check(self) -> None:
        self._cut()

    def _least(self) -> int:
        return self._cut()[0] or 1

    def _learn(self, batch: Batch) -> None:
        """Learn nothing, but say what cannot be made of these sequences."""
        window = self._cut()[0]
        if window is None:
            self._whole(batch)
        else:
            self._function(window)

    def _lengths(self, lengths: Offsets) -> Offsets:
        window, hop = self._cut()
        return np.ones_like(lengths) if window is None else (lengths - window) // hop + 1

    def ends(self, steps: int) -> Offsets:
        """Return which sample completes each window of a sequence of so many samples, (T',).

        So ``y_i[features.ends(len(y_i))]`` is one label a window, where ``y_i`` has one label a sample.
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
                raise ValueError(f"X[{rows[0]}] has {steps} steps: {error}") from None
            for row, values in zip(rows.tolist(), made, strict=True):
                out[row] = values
        return np.stack(out)

    def _at(self, batch: Batch, starts: Offsets, window: int) -> Float64:
        """Return the features of the windows that begin at such steps, (len(starts), F')."""
        features = batch.values.shape[1]
        function = self._function(window)
        view = sliding_window_view(batch.values, window, axis=0)  # (N - window + 1, F, window)
        size = max(1, _BLOCK // (features * window))
        parts = [
            function(np.ascontiguousarray(view[starts[i : i + size]], np.float64))
            for i in range(0, len(starts), size)
        ]
        return np.concatenate(parts)

    def stream(self) -> WindowStream:
        """Return a stream: ``step(samples)``, (F,) or (k, F), gives the windows complete by now, (m, F').

        They are those of `transform` however the samples are cut. TypeError where the window is the whole
        sequence, which has no end here.
        """
        check_is_fitted(self, "n_features_in_")
        window, hop = self._cut()
        if window is None:
            raise TypeError(
                f"{type(self).__name__} has window None, expected a number of samples: the features of a "
                f"whole sequence cannot stream"
            )
        return WindowStream(self._channels, self._columns(), window, hop, self._function(window))


class WindowStream(FeatureStream):
    """Windows of samples as they come: `Windowed.stream` makes it."""

    def __init__(self, features: int, columns: int, window: int, hop: int, function: Function) -> None:
        super().__init__(features, columns)
        self._window, self._hop, self._function = window, hop, function
        self._room = 8 * window
        self._most = max(1, _BLOCK // (features * window))  # windows in one call of the function
        self.reset()

    def reset(self) -> None:
        """Start anew."""
        self._held = np.empty((self.features, self._room))
        self._next = self._end = 0  # where the next window begins, and where the samples held end
        self._mark = (0, 0)

    def advance(self, x: Array) -> Array:
        """Take samples (k, F) that were checked; where it raises, the state is unchanged."""
        self._make_room(len(x))
        self._mark = self._next, self._end
        self._held[:, self._end : self._end + len(x)] = x.T
        self._end += len(x)
        count = max(0, (self._end - self._next - self._window) // self._hop + 1)
        if not count:
            return self.nothing(x.dtype)
        return self._windows(count).astype(x.dtype, copy=False)

    def undo(self) -> None:
        """Take the last ``advance`` back."""
        self._next, self._end = self._mark

    def _windows(self, count: int) -> Float64:
        window, hop, held = self._window, self._hop, self._held
        if count == 1:
            begin = self._next
            self._next += hop
            return self._function(held[None, :, begin : begin + window])
        parts = []
        for done in range(0, count, self._most):
            block = np.empty((min(self._most, count - done), self.features, window))
            for each in block:
                each[...] = held[:, self._next : self._next + window]
                self._next += hop
            parts.append(self._function(block))
        return np.concatenate(parts)

    def _make_room(self, samples: int) -> None:
        """Move what is still needed to the front where the samples to come do not fit behind it."""
        if self._end + samples <= self._held.shape[1] and samples <= self._room:
            return
        begin = min(self._next, self._end)
        kept = self._held[:, begin : self._end].copy()
        size = max(self._room, kept.shape[1] + samples)  # a long chunk has a buffer of its own, for once
        if size != self._held.shape[1]:
            self._held = np.empty((self.features, size))
        self._held[:, : kept.shape[1]] = kept
        self._next, self._end = self._next - begin, kept.shape[1]
