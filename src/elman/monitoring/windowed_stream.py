"""Answering: samples go into a model's stream as they come; each answer is told which sample completed it."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from elman._validation import integer
from elman.data.sequences import Array


class Answering:
    """A model's stream, fed in chunks (k, F).

    ``opened`` returns a new stream as `elman.stream` does: ``steps(samples)`` with (k, F) gives the answers
    that are complete by now, (m, C). The first is complete after ``first`` samples, each further one after
    ``every`` more: features of windows answer more rarely than samples come. `feed` gives the answers (m, C)
    and at which of the k samples each was complete (m,); RuntimeError where there are more or fewer.

    >>> from elman import Dense, Network, SimpleRNN, stream
    >>> net = Network([SimpleRNN(3), Dense(2, "softmax")], input_size=1, seed=0)
    >>> at, answers = Answering(lambda: stream(net)).feed(np.zeros((4, 1)))
    >>> at.tolist(), answers.shape
    ([0, 1, 2, 3], (4, 2))
    """

    def __init__(self, opened: Callable[[], Any], first: int = 1, every: int = 1) -> None:
        self._stream = opened()
        self._first, self._every = integer("first", first, 1), integer("every", every, 1)
        self._seen = 0

    def feed(self, samples: Array) -> tuple[Array, Array]:
        """Return at which samples answers were complete (m,), and the answers (m, C)."""
        answers = self._stream.steps(samples)
        behind = self._seen - self._first + 1  # samples since the first answer could be complete
        skipped = -behind if behind < 0 else -behind % self._every
        at = np.arange(skipped, len(samples), self._every)
        self._seen += len(samples)
        if len(at) != len(answers):
            raise RuntimeError(f"the model gave {len(answers)} answers, expected {len(at)}")
        return at, answers

    def reset(self) -> None:
        """Begin a new sequence."""
        self._stream.reset()
        self._seen = 0


class LastSeconds(Answering):
    """The same for an endless signal: each answer is to no more than the last ``window`` samples.

    A model of whole sequences answers to all that it has seen since its state was zero; after an hour that is
    not what it was trained on. Here ``streams`` of them read the same samples, each begins anew every
    ``window`` samples, one after the other, and the one that has seen most answers: between window - window /
    streams and window samples, once there were so many.
    """

    def __init__(
        self, opened: Callable[[], Any], window: int, first: int = 1, every: int = 1, *, streams: int = 4
    ) -> None:
        self._streams = [Answering(opened, first, every) for _ in range(integer("streams", streams, 1))]
        self.window = integer("window", window, streams)
        self._starts = [i * self.window // streams for i in range(streams)]
        self._seen = 0

    def feed(self, samples: Array) -> tuple[Array, Array]:
        """Return at which samples answers were complete (m,), and the answers (m, C)."""
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
            at.append(places + begin)
            answers.append(values)
            self._seen += end - begin
            begin = end
        return np.concatenate(at), np.concatenate(answers)

    def _age(self, start: int) -> int:
        """Return how many samples a stream has read: all of them, before its own start."""
        return (self._seen - start) % self.window if self._seen >= start else self._seen

    def _until_one_begins(self) -> int:
        """Return how many samples may come before one of the streams begins anew."""
        return min((start - self._seen) % self.window or self.window for start in self._starts)

    def reset(self) -> None:
        """Begin a new sequence."""
        for stream in self._streams:
            stream.reset()
        self._seen = 0
