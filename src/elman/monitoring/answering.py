"""Answering: samples go into a model's stream one at a time, so that each answer knows its sample."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from elman.arguments import integer
from elman.sequences import Array


class Answering:
    """A model's stream, fed in chunks (k, F).

    ``opened`` returns a new stream: ``step(x)`` with x (F,) gives one answer (C,), or (m, C), those that are
    complete by now. `feed` gives the answers (m, C) and at which of the k samples each was complete (m,).

    >>> from elman import Dense, Network, SimpleRNN
    >>> net = Network([SimpleRNN(3), Dense(2, "softmax")], input_size=1, seed=0)
    >>> at, answers = Answering(net.stream).feed(np.zeros((4, 1)))
    >>> at.tolist(), answers.shape
    ([0, 1, 2, 3], (4, 2))
    """

    def __init__(self, opened: Callable[[], Any]) -> None:
        self._stream = opened()

    def feed(self, samples: Array) -> tuple[Array, Array]:
        """Return at which samples answers were complete (m,), and the answers (m, C)."""
        return _together([self._step(x) for x in samples])

    def _step(self, x: Array) -> Array:
        return _rows(self._stream.step(x))

    def reset(self) -> None:
        """Begin a new sequence."""
        self._stream.reset()


class LastSeconds(Answering):
    """The same for an endless signal: each answer is to no more than the last ``window`` samples.

    A model of whole sequences answers to all that it has seen since its state was zero; after an hour that is
    not what it was trained on. Here ``streams`` of them read the same samples, each begins anew every
    ``window`` samples, one after the other, and the one that has seen most answers: between window - window /
    streams and window samples, once there were so many.
    """

    def __init__(self, opened: Callable[[], Any], window: int, streams: int = 4) -> None:
        self._streams = [opened() for _ in range(integer("streams", streams, 1))]
        self.window = integer("window", window, len(self._streams))
        self._starts = [i * self.window // streams for i in range(streams)]
        self._seen = 0

    def _step(self, x: Array) -> Array:
        ages = []
        for stream, start in zip(self._streams, self._starts, strict=True):
            # Before its own start a stream has read everything, as the oldest one does.
            age = (self._seen - start) % self.window if self._seen >= start else self._seen
            if age == 0:
                stream.reset()
            ages.append(age)
        outs = [_rows(stream.step(x)) for stream in self._streams]
        self._seen += 1
        return outs[ages.index(max(ages))]

    def reset(self) -> None:
        """Begin a new sequence."""
        for stream in self._streams:
            stream.reset()
        self._seen = 0


def _rows(out: Any) -> Array:
    """Return the answers to one sample (m, C): most streams give one, as (C,)."""
    array = np.asarray(out)
    return array[None] if array.ndim == 1 else array


def _together(outs: list[Array]) -> tuple[Array, Array]:
    counts = [len(out) for out in outs]
    return np.repeat(np.arange(len(outs)), counts), np.concatenate(outs)
