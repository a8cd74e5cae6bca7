"""Signal quality: the channels are compared with those of the training data, half a second at a time."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from elman.data.sequences import Array
from elman.data.signal_limits import KINDS, SignalLimits

_GOOD_AGAIN = 4  # windows without a fault, after which a channel is good again
_NEVER = -(2**62)


class Fault(NamedTuple):
    """At the sample ``place`` of a chunk a fault of channels ``which`` (F,) was found; "good": it ended.

    ``text`` says of the first of these channels what is wrong.
    """

    place: int
    kind: str
    which: Array
    text: str

    def said(self, names: str) -> str:
        """Return the fault of channels of these names as a sentence."""
        if self.kind == KINDS[0]:
            return f"{names}: good again"
        several = "" if np.count_nonzero(self.which) == 1 else f", {self.kind}: the first of them"
        return f"{names}{several} {self.text}; answers are unreliable"


class Quality:
    """Checks the samples of a stream by the limits that its model learned.

    Each window of ``limits.window`` samples is checked when it is complete. A fault is told once, until the
    channel has been good for four windows.

    >>> from elman.data.signal_limits import learn
    >>> from elman.data.estimator_input import sequence_batch
    >>> noise = np.random.default_rng(0).normal(size=(2000, 2))
    >>> class Form: tabular_, fs = False, 200.0
    >>> quality = Quality(learn(Form, sequence_batch([noise], None)))
    >>> noise[300:, 1] = 0.0
    >>> [(fault.place, fault.kind, fault.which.tolist()) for fault in quality.feed(noise[:1000])]
    [(399, 'flat', [False, True])]
    >>> quality.reliable(np.array([399, 400, 999]), 100)
    [False, False, False]
    """

    def __init__(self, limits: SignalLimits) -> None:
        self._limits = limits
        features = len(limits.low)
        self._window = np.empty((0, features))  # samples of a window that is not complete
        self._told = np.zeros((len(KINDS), features), bool)  # faults that were told
        self._good = np.zeros(features, np.int64)  # windows since the last fault
        self.faults = np.zeros(features, np.int64)  # of each channel now: its number in `KINDS`, 0 for none
        self._begin = self._seen = 0  # samples before the last chunk, and with it
        self._bad = [_NEVER]  # the last samples of windows with a fault: the latest, and those of a chunk

    def feed(self, samples: Array) -> list[Fault]:
        """Take samples (k, F), and return the faults that begin and end at them."""
        self._bad = self._bad[-1:]
        self._begin, steps = self._seen, self._limits.window
        self._seen += len(samples)
        held = len(self._window)
        if held + len(samples) < steps:
            self._window = np.concatenate([self._window, samples])
            return []
        joined = np.concatenate([self._window, samples])
        count = len(joined) // steps
        self._window = joined[count * steps :].copy()
        checked = self._limits.check(joined[: count * steps].reshape(count, steps, -1))
        found: list[Fault] = []
        if not checked.any and not self.faults.any():
            return found
        for i, codes in enumerate(checked.codes):
            index = (i + 1) * steps - held - 1
            if codes.any():
                self._bad.append(self._begin + index)
            for kind in np.unique(codes[codes > 0]).tolist():
                new = (codes == kind) & ~self._told[kind]
                if new.any():
                    self._told[kind] |= new
                    text = checked.text(i, int(np.argmax(new)))
                    found.append(Fault(index, KINDS[kind], new, text))
            self._good = np.where(codes > 0, 0, self._good + 1)
            self.faults = np.where(codes > 0, codes, self.faults)
            over = (self.faults > 0) & (self._good >= _GOOD_AGAIN)
            if over.any():
                self.faults[over] = 0
                self._told[:, over] = False
                found.append(Fault(index, KINDS[0], over, "is good again"))
        return found

    def reliable(self, at: Array, memory: int) -> list[bool]:
        """Return which answers, completed by samples ``at`` of the last chunk, rest on no fault.

        An answer rests on ``memory`` samples; what has been found counts until the next window is complete.
        """
        most = max(memory, self._limits.window)
        if len(self._bad) == 1 and self._begin - self._bad[0] >= most:
            return [True] * len(at)
        places = self._begin + at
        bad = np.array(self._bad)
        last = bad[np.searchsorted(bad, places, side="right") - 1]
        reliable: list[bool] = (places - last >= most).tolist()
        return reliable

    def reset(self) -> None:
        """Begin a new sequence: earlier faults are no part of it."""
        self._window = self._window[:0]
        self._bad = [_NEVER]
