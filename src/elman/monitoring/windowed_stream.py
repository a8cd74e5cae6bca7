"""Streams of answers to chunks of samples: over the whole signal, or over its last seconds only."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from elman._validation import integer
from elman.data.sequences import Array
from elman.data.signal_limits import SignalLimits


class ChunkedStream:
    """A model's stream that takes chunks of samples and says which sample completed each answer.

    Shapes: a chunk (k, F); its answers (m, C), and the indices in it of the samples that completed them (m,).

    Parameters
    ----------
    opened : callable
        Returns a new stream, as `elman.stream` does: its ``steps(samples)`` takes (k, F) and returns the
        answers that are now complete, (m, C).
    first, every : int
        The first answer is complete after ``first`` samples, the next ones after ``every`` samples each: more
        than 1 for features of windows.

    Raises
    ------
    RuntimeError
        From `feed`, if the stream gives more or fewer answers than ``first`` and ``every`` say.

    >>> from elman import Dense, Network, SimpleRNN, stream
    >>> net = Network([SimpleRNN(3), Dense(2, "softmax")], input_size=1, seed=0)
    >>> at, answers = ChunkedStream(lambda: stream(net)).feed(np.zeros((4, 1)))
    >>> at.tolist(), answers.shape
    ([0, 1, 2, 3], (4, 2))
    """

    def __init__(self, opened: Callable[[], Any], first: int = 1, every: int = 1) -> None:
        self._stream = opened()
        self._first, self._every = integer("first", first, 1), integer("every", every, 1)
        self._seen = 0

    @property
    def feature_names(self) -> tuple[str, ...] | None:
        """The names of the features that the model reads, in order; None where they are unknown."""
        return getattr(self._stream, "feature_names", None)

    @property
    def feature_units(self) -> tuple[str, ...] | None:
        """The units of the features; None where they are unknown."""
        return getattr(self._stream, "feature_units", None)

    @property
    def rate(self) -> float | None:
        """The sampling rate in Hz of what the model was trained on; None where it is unknown."""
        return getattr(self._stream, "rate", None)

    @property
    def signal_limits(self) -> SignalLimits | None:
        """What the model learned of its channels; None where it learned nothing."""
        return getattr(self._stream, "signal_limits", None)

    def feed(self, samples: Array) -> tuple[Array, Array]:
        """Return the index of the sample that completed each answer (m,), and the answers (m, C)."""
        answers = self._stream.steps(samples)
        behind = self._seen - self._first + 1  # samples since the first answer could be complete
        skipped = -behind if behind < 0 else -behind % self._every
        at = np.arange(skipped, len(samples), self._every)
        self._seen += len(samples)
        if len(at) != len(answers):
            raise RuntimeError(f"the model gave {len(answers)} answers, expected {len(at)}")
        return at, answers

    @property
    def memory(self) -> int:
        """The number of samples that an answer is taken to rest on: a fault in these makes it unreliable."""
        return self._first

    @property
    def waiting(self) -> int:
        """The number of samples that must still come before the first answer of this sequence."""
        return max(self._first - self._seen, 0)

    def reset(self) -> None:
        """Begin a new sequence."""
        self._stream.reset()
        self._seen = 0


class SlidingStream(ChunkedStream):
    """A `ChunkedStream` for an endless signal: each answer is based on the last ``window`` samples at most.

    A model of whole sequences answers for all samples since its state was zero. After an hour these are very
    different from the sequences that it was trained on. Here several streams read the same samples, and each
    of them starts anew every ``window`` samples, one after the other. The stream with most samples answers.
    Each answer is based on more than window - window / streams samples and on at most ``window``. There is no
    answer before so many have come since the beginning, or since `reset`.

    Parameters
    ----------
    opened, first, every
        As for `ChunkedStream`.
    window : int
        The largest number of samples, at least ``streams`` and ``first``.
    streams : int
        The number of streams: the work of each sample is that of ``streams`` models.

    >>> from elman import Dense, Network, SimpleRNN, stream
    >>> net = Network([SimpleRNN(3), Dense(2, "softmax")], input_size=1, seed=0)
    >>> sliding = SlidingStream(lambda: stream(net), window=20)
    >>> at, answers = sliding.feed(np.zeros((100, 1)))
    >>> at[0].item(), len(at), answers.shape
    (15, 85, (85, 2))
    """

    def __init__(
        self, opened: Callable[[], Any], window: int, first: int = 1, every: int = 1, *, streams: int = 4
    ) -> None:
        self._streams = [ChunkedStream(opened, first, every) for _ in range(integer("streams", streams, 1))]
        self._stream: Any = self._streams[0]  # for what it knows of the model
        self.window = integer("window", window, max(streams, first))
        self._starts = [i * self.window // streams for i in range(streams)]
        apart = max(np.diff([*self._starts, self.window]).tolist())
        least = max(self.window - apart + 1, first)  # samples that the oldest stream has always read later
        self._first = first + -(-(least - first) // every) * every
        self._seen = 0

    def feed(self, samples: Array) -> tuple[Array, Array]:
        """Return the index of the sample that completed each answer (m,), and the answers (m, C)."""
        at, answers = [], []
        begin = 0
        while begin < len(samples):
            ages = [self._age(start) for start in self._starts]
            for stream, age in zip(self._streams, ages, strict=True):
                if age == 0:
                    stream.reset()
            end = min(len(samples), begin + self._until_one_begins())
            piece = [stream.feed(samples[begin:end]) for stream in self._streams]
            places, values = piece[ages.index(max(ages))]
            if self._seen + 1 < self._first:  # withhold the answers to less than the window
                full = self._seen + places + 1 >= self._first
                places, values = places[full], values[full]
            at.append(places + begin)
            answers.append(values)
            self._seen += end - begin
            begin = end
        return np.concatenate(at), np.concatenate(answers)

    @property
    def memory(self) -> int:
        return self.window

    def _age(self, start: int) -> int:
        """Return the number of samples that a stream has read: all of them, before its first restart."""
        return (self._seen - start) % self.window if self._seen >= start else self._seen

    def _until_one_begins(self) -> int:
        """Return the number of samples until one of the streams starts anew."""
        return min((start - self._seen) % self.window or self.window for start in self._starts)

    def reset(self) -> None:
        """Begin a new sequence."""
        for stream in self._streams:
            stream.reset()
        self._seen = 0
