"""Scores by event: seizures found, false alarms, and delays.

Counted by steps, a detector that finds nine tenths of each seizure is as good as one that misses every tenth
seizure. For a patient the two are very different.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray

from elman._validation import number, refuse_mask
from elman.data.input_types import TargetInput
from elman.data.sequences import Array
from elman.errors import ArgumentTypeError, ArgumentValueError

Truths = NDArray[np.bool_]
Spans = NDArray[np.float64]  # (K, 2): begin and end, in steps

_EPSILON = 1e-6  # steps; smaller differences are rounding


class Event(NamedTuple):
    """An event from ``begin`` to before ``end``, in s from the first step of a recording.

    >>> event = Event(begin=0.5, end=1.5)
    >>> event.end - event.begin
    1.0
    """

    begin: float
    end: float


@dataclass(frozen=True, eq=False)
class EventScores:
    """Scores by event: counts, and rates, which are NaN where there is nothing to count.

    Attributes
    ----------
    n_events, n_detected : int
        The number of seizures, and of seizures that were found.
    n_alarms, n_false : int
        The number of alarms, and of alarms that are near no seizure.
    hours : float
        The length of all recordings together.
    delays : (n,) array
        s from the beginning of each seizure that was found to the end of the first step with an alarm;
        negative if the alarm came first.

    >>> scores = EventScores(n_events=4, n_detected=3, n_alarms=5, n_false=1, hours=2.0, delays=np.ones(3))
    >>> scores.sensitivity, scores.precision, scores.false_alarms_per_hour
    (0.75, 0.75, 0.5)
    """

    n_events: int
    n_detected: int
    n_alarms: int
    n_false: int
    hours: float
    delays: NDArray[np.float64]

    @property
    def sensitivity(self) -> float:
        """The share of the seizures that were found; NaN if there are none."""
        return self.n_detected / self.n_events if self.n_events else float("nan")

    @property
    def precision(self) -> float:
        """Seizures found, divided by seizures found plus false alarms; NaN if there are neither."""
        positive = self.n_detected + self.n_false
        return self.n_detected / positive if positive else float("nan")

    @property
    def f1(self) -> float:
        """Harmonic mean of sensitivity and precision; NaN if there was neither a seizure nor an alarm."""
        total = self.n_detected + self.n_events + self.n_false
        return 2 * self.n_detected / total if total else float("nan")

    @property
    def false_alarms_per_hour(self) -> float:
        """False alarms in an hour of recording."""
        return self.n_false / self.hours

    @property
    def mean_delay(self) -> float:
        """The mean delay in s; NaN if no seizure was found."""
        return float(self.delays.mean()) if len(self.delays) else float("nan")

    @property
    def median_delay(self) -> float:
        """The median delay in s; NaN if no seizure was found."""
        return float(np.median(self.delays)) if len(self.delays) else float("nan")

    def __str__(self) -> str:
        return (
            f"{self.n_detected} of {self.n_events} events found (sensitivity {self.sensitivity:.3f}), "
            f"{self.n_false} false alarms in {self.hours:.2f} h ({self.false_alarms_per_hour:.3f} an hour), "
            f"median delay {self.median_delay:.1f} s"
        )


def events(steps: ArrayLike, seconds_per_step: float) -> list[Event]:
    """Return the runs of steps (T,) that are true (or 1), in s.

    `elman.evaluation.Hysteresis` turns probabilities into alarms, whose runs are events.

    >>> events([0, 1, 1, 0, 1], 0.5)
    [Event(begin=0.5, end=1.5), Event(begin=2.0, end=2.5)]
    """
    second = number("seconds_per_step", seconds_per_step, positive=True)
    return [Event(a * second, b * second) for a, b in _spans(_truths("steps", steps)).tolist()]


def event_scores(
    truth: TargetInput,
    predicted: TargetInput,
    seconds_per_step: float,
    *,
    before: float = 30.0,
    after: float = 60.0,
    merge: float = 90.0,
    longest: float = 300.0,
) -> EventScores:
    """Compare seizures and alarms event by event, by the rules of SzCORE.

    In both, events less than ``merge`` s apart are joined, and events longer than ``longest`` s are cut into
    pieces of that length, each an event. A true event is detected if any alarm overlaps the time from
    ``before`` s before it to ``after`` s after it. An alarm that overlaps no such time is false. Delays are
    those of events before cutting. A delay ends with the step whose answer raised the alarm, or with the
    first step of that time if the alarm was already on.

    Parameters
    ----------
    truth, predicted : (T,) truth values or 0 and 1, or lists of these, one per recording
        ``predicted`` as returned by `Hysteresis.run`.
    seconds_per_step : float
        Above 0.
    before, after, merge : float
        s, at least 0.
    longest : float
        s, above 0.

    Raises
    ------
    TypeError, ValueError
        For other arguments than these, and recordings of different lengths.

    Source: Dan et al.: SzCORE, Epilepsia 66 (S3), 14-24 (2025), "event-based scoring".

    >>> truth, predicted = np.zeros(3600, int), np.zeros(3600, int)
    >>> truth[1000:1060] = predicted[1012:1050] = predicted[2000:2010] = 1
    >>> print(event_scores(truth, predicted, seconds_per_step=1.0))
    1 of 1 events found (sensitivity 1.000), 1 false alarms in 1.00 h (1.000 an hour), median delay 13.0 s
    """
    second = number("seconds_per_step", seconds_per_step, positive=True)
    around = number("before", before) / second, number("after", after) / second
    gap = number("merge", merge) / second
    most = number("longest", longest, positive=True) / second
    counts = np.zeros(4, np.int64)
    total, delays = 0, list[float]()
    for expected, found in _pairs(truth, predicted):
        seizures, alarms = (_merged(_spans(steps), gap) for steps in (expected, found))
        counts += _count(_cut(seizures, most), _cut(alarms, most), around)
        delays += _delays(seizures, alarms, around)
        total += len(expected)
    n_events, n_detected, n_alarms, n_false = counts.tolist()
    hours = total * second / 3600
    return EventScores(n_events, n_detected, n_alarms, n_false, hours, np.array(delays) * second)


def _pairs(truth: Any, predicted: Any) -> list[tuple[Truths, Truths]]:
    several = [
        isinstance(value, (list, tuple)) and bool(len(value)) and np.ndim(value[0]) == 1
        for value in (truth, predicted)
    ]
    if not any(several):
        truth, predicted = [truth], [predicted]
    elif not all(several) or len(truth) != len(predicted):
        raise ArgumentValueError(
            "truth and predicted",
            f"have {len(truth)} and {len(predicted)} rows",
            "one each for every recording",
        )
    pairs = []
    for i, (expected, found) in enumerate(zip(truth, predicted, strict=True)):
        at = f"[{i}]" if any(several) else ""
        pair = _truths(f"truth{at}", expected), _truths(f"predicted{at}", found)
        if len(pair[0]) != len(pair[1]):
            raise ArgumentValueError(
                f"truth{at}", f"has {len(pair[0])} steps and predicted{at} {len(pair[1])}", "as many"
            )
        pairs.append(pair)
    return pairs


def _truths(name: str, steps: Any) -> Truths:
    refuse_mask(name, steps)
    array: Array = np.asarray(steps)
    if array.ndim != 1 or not len(array):
        raise ArgumentValueError(name, f"has shape {array.shape}", "(T,), T at least 1")
    if array.dtype.kind not in "iubf":
        raise ArgumentTypeError(name, f"has dtype {array.dtype}", "truth values or 0 and 1")
    wrong = np.flatnonzero((array != 0) & (array != 1))
    if len(wrong):
        raise ArgumentValueError(
            f"{name}[{wrong[0]}]",
            f"is {array[wrong[0]]}",
            "0 or 1 (Hysteresis.run makes alarms of probabilities)",
        )
    return array.astype(np.bool_)


def _spans(steps: Truths) -> Spans:
    edges = np.flatnonzero(np.diff(np.concatenate([[False], steps, [False]]).astype(np.int8)))
    return edges.reshape(-1, 2).astype(np.float64)


def _merged(spans: Spans, gap: float) -> Spans:
    if not len(spans):
        return spans
    apart = spans[1:, 0] - spans[:-1, 1] >= gap - _EPSILON
    return np.stack([spans[np.append(True, apart), 0], spans[np.append(apart, True), 1]], axis=1)


def _cut(spans: Spans, longest: float) -> Spans:
    pieces = []
    for begin, end in spans.tolist():
        count = max(1, int(np.ceil((end - begin) / longest - _EPSILON)))
        bounds = [begin + i * longest for i in range(count)]
        pieces += list(zip(bounds, [*bounds[1:], end], strict=True))
    return np.array(pieces).reshape(-1, 2)


def _overlap(a: Spans, b: Spans) -> Truths:
    """Return whether each of a (K, 2) overlaps each of b (M, 2), (K, M)."""
    return np.minimum(a[:, None, 1], b[None, :, 1]) - np.maximum(a[:, None, 0], b[None, :, 0]) > _EPSILON


def _wide(spans: Spans, around: tuple[float, float]) -> Spans:
    wide: Spans = spans + np.array([-around[0], around[1]])
    return wide


def _count(seizures: Spans, alarms: Spans, around: tuple[float, float]) -> NDArray[np.int64]:
    meet = _overlap(_wide(seizures, around), alarms)
    detected = meet.any(axis=1)
    false = ~meet.any(axis=0)
    return np.array([len(seizures), detected.sum(), len(alarms), false.sum()])


def _delays(seizures: Spans, alarms: Spans, around: tuple[float, float]) -> list[float]:
    """Return steps from the beginning of each seizure to the end of the first step with an alarm near it."""
    wide = _wide(seizures, around)
    meet = _overlap(wide, alarms)
    found = []
    for i in np.flatnonzero(meet.any(axis=1)):
        alarm = alarms[int(meet[i].argmax()), 0]
        first = max(alarm, np.ceil(wide[i, 0] - _EPSILON))
        found.append(float(first + 1 - seizures[i, 0]))
    return found
