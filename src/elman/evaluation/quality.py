"""Signal quality of recordings: channels that are flat, clipped, out of range, or mostly mains."""

from __future__ import annotations

import math
from collections.abc import Iterator
from itertools import pairwise
from typing import Any, NamedTuple

import numpy as np

from elman._validation import describe, number
from elman.data import signal_limits
from elman.data.alignment import aligned
from elman.data.estimator_input import features_of, sequence_batch
from elman.data.feature_names import Features
from elman.data.input_types import SequenceInput
from elman.data.sequences import Array
from elman.data.signal_limits import SignalLimits
from elman.errors import ArgumentValueError

_BLOCK = 1 << 20  # numbers that are checked at once
_OF_WINDOWS = (signal_limits.CLIPPED, signal_limits.REPEATED, signal_limits.SMALL, signal_limits.MAINS)


class SignalFault(NamedTuple):
    """A fault of a channel in a sequence, from step ``start`` to ``stop`` (excluded), in whole windows.

    ``kind`` is "flat", "clipped", "repeated", "too large", "too small" or "mains"; ``text`` says it of its
    first window.
    """

    sequence: int
    channel: int
    start: int
    stop: int
    kind: str
    text: str


def signal_quality(X: SequenceInput, *, limits: Any = None, fs: float | None = None) -> list[SignalFault]:
    """Return what is wrong with the channels of recordings, in their order.

    Windows of half a second (64 steps where the rate is unknown) are compared with ``limits``, as the monitor
    does: values beyond the range of the training data by half of that range, a window that varies less than
    a quarter of the least variation in training, repeated values (flat), values at the window's smallest and
    largest value (clipped), and a power that is mostly 50 or 60 Hz (mains). Of a sequence that is shorter
    than a window only values beyond the range are found, and a constant.

    Parameters
    ----------
    X : sequences (T_i, F)
        An array (n, T, F) or a list; one recording is ``[x]``. In windows with NaN only repeated values are
        found. A model that knows the names of its channels reads X by name, in its own order and units.
    limits : a fitted model or None
        An estimator, a network, features, or a pipeline, which has learned from its training data what the
        channels are like. None knows no range: only what is flat, clipped or mostly mains is found.
    fs : float or None
        Samples per second, Hz; without it mains are not found. A model or an X may know its rate itself.

    Raises
    ------
    ValueError
        If X has another number of channels than the model, or another rate, or the model has learned nothing
        of them: it was fitted on a table, on short sequences, or by an earlier version.

    >>> x = np.random.default_rng(0).normal(size=(1000, 2))
    >>> x[300:600, 1] = 0.0
    >>> [(fault.channel, fault.start, fault.stop, fault.kind) for fault in signal_quality([x], fs=200.0)]
    [(1, 300, 600, 'flat')]
    """
    if limits is None:
        X, features = aligned(X)
        rate = features.rate or math.nan if fs is None else number("fs", fs, positive=True)
        batch = sequence_batch(X, None)
        known = signal_limits.any_signal(batch.values.shape[1], rate)
    else:
        found = limits if isinstance(limits, SignalLimits) else signal_limits.of(limits)
        if found is None:
            problem = f"is {describe(limits)}, which has learned nothing of its channels"
            raise ArgumentValueError("limits", problem, "a model that was fitted on sequences of signals")
        known = found
        if fs is not None and abs(number("fs", fs, positive=True) / known.rate - 1.0) > 0.01:
            raise ArgumentValueError("fs", f"is {fs:g}", f"{known.rate:g}, the rate that the model knows")
        first = signal_limits.first_of(limits)
        own = getattr(first, "features", None)
        X, _ = aligned(
            X,
            own if isinstance(own, Features) else features_of(first),
            who=type(first).__name__,
            source="as the model was trained",
        )
        batch = sequence_batch(X, len(known.low))
    offsets = batch.offsets.tolist()
    faults: list[SignalFault] = []
    for i, (begin, end) in enumerate(pairwise(offsets)):
        faults += sorted(_joined(i, _windows(batch.values[begin:end], known)))
    if limits is None:  # a signal of few bits may repeat many values
        repeated = signal_limits.KINDS[signal_limits.REPEATED]
        faults = [fault for fault in faults if fault.kind != repeated]
    return faults


def _windows(x: Array, known: SignalLimits) -> Iterator[SignalFault]:
    """Yield the faults of each window of one sequence (T, F); the last window may overlap the one before."""
    steps = min(known.window, len(x))
    if steps < 2:
        return
    # Shares of few values say nothing, and a slow signal varies less there.
    passed = _OF_WINDOWS if steps < known.window else ()
    starts = np.append(np.arange(0, len(x) - steps, steps), len(x) - steps)
    size = max(_BLOCK // (steps * x.shape[1]), 1)
    for some in np.split(starts, range(size, len(starts), size)):
        checked = known.check(x[some[:, None] + np.arange(steps)])
        for window, channel in np.argwhere(checked.codes).tolist():
            code = checked.codes[window, channel]
            if code in passed:
                continue
            start, kind = int(some[window]), signal_limits.KINDS[code]
            yield SignalFault(0, channel, start, start + steps, kind, checked.text(window, channel))


def _joined(sequence: int, faults: Iterator[SignalFault]) -> list[SignalFault]:
    """Return the faults of one sequence, those of adjacent windows as one."""
    last: dict[tuple[int, str], SignalFault] = {}
    done: list[SignalFault] = []
    for fault in faults:
        key = fault.channel, fault.kind
        before = last.get(key)
        if before is not None and fault.start <= before.stop:
            last[key] = before._replace(stop=fault.stop)
            continue
        if before is not None:
            done.append(before)
        last[key] = fault._replace(sequence=sequence)
    return done + list(last.values())
