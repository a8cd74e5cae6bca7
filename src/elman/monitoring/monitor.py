"""The monitor: it takes chunks of samples with time stamps and gives answers, alarms and events."""

from __future__ import annotations

import math
from collections.abc import Sequence
from itertools import pairwise
from typing import NamedTuple

import numpy as np

from elman._validation import flag, integer, number
from elman.data.sequences import Array
from elman.data.signal_limits import KINDS
from elman.data.user_warnings import warn
from elman.errors import ArgumentValueError
from elman.monitoring.alarm import Alarm, Raised
from elman.monitoring.channels import known_of_stream, order_of
from elman.monitoring.losses import Losses, Turn
from elman.monitoring.quality import Quality
from elman.monitoring.windowed_stream import ChunkedStream

_RATES_DIFFER = 0.01  # relative
_JITTER = 0.1  # s: devices stamp whole packets; smaller differences are no gap


class Answer(NamedTuple):
    """One answer: the stamp and the number (from 1) of its last sample, values (C,), the alarm or None.

    ``reliable`` is False where a channel of the signal was flat, clipped, or unlike the training data.
    """

    time: float
    sample: int
    values: Array
    alarm: bool | None
    reliable: bool = True


class Event(NamedTuple):
    """Something that happened at a sample.

    Its ``kind`` is "gap", "clock", "loss", "rate", "drift", "missing", "silent", "quality", "refused",
    "alarm" or "all clear".
    """

    time: float
    sample: int
    kind: str
    text: str


class Monitor:
    """Feeds a model's stream with samples as they arrive, and counts gaps, missing values and alarms.

    Time stamps are seconds of one clock, in the order of the samples.

    - A **gap** is a step between two stamps that differs from a period by more than 0.1 s (by half a
      period at less than 5 Hz). It is noted. If it is longer than ``reset_after``, the model starts a new
      sequence, and an alarm ends. After a shorter gap the model continues as if nothing were missing, unless
      many of them follow each other closely.
    - A **loss** is that of many samples between stamps less than 0.1 s apart, or a rate that is not the one
      expected. It is found by `Losses`. There are no answers until samples come at the rate again for 3 s;
      then the model starts a new sequence, and an alarm ends. A clock that is up to 2 % wrong is a **drift**,
      not a loss.
    - The **quality** of each channel is compared with the training data, where the model knows them: flat,
      clipped, too large, too small, or mostly mains. An answer that rests on a fault is not reliable: it
      neither raises nor ends an alarm.
    - A **missing value** (NaN or infinite) is replaced by the last value of its channel, for up to
      ``reset_after``. After that, and before the first value of a channel, samples are left out and have no
      answers. When all channels have values again, the model starts a new sequence. With ``takes_missing``
      the model gets NaN unchanged.

    Parameters
    ----------
    stream : ChunkedStream
        The model.
    features : int
        F, the number of channels.
    rate : float or None
        Samples per second of the signal, in Hz; None if it is unknown. A warning is given where the model was
        trained on another rate.
    speed : float
        Seconds of the signal per second of the clock: above 1 for a recording that is played faster.
    alarm : Alarm or None
    reset_after : float
        Seconds of the signal, at least 0.
    takes_missing : bool
    channels : sequence of str
        The names of the channels, in the order of the samples. A model that knows the names of its features
        reads them by name; ValueError if some are missing or unknown.
    quality : bool
        Whether the quality of the channels is checked.

    Attributes
    ----------
    samples, answers : int
        The numbers of samples and answers.
    missing, left_out, lost : int
        The numbers of missing values, of samples that the model did not get, and of samples lost.
    gaps, losses, resets, unreliable : int
        The numbers of gaps, of losses, of new sequences, and of answers that are not reliable.
    drift : float
        How much longer the time between two samples is than expected, relative; NaN in the first 24 s and
        without a rate.
    sound, reliable : bool
        Whether samples come at the rate, and whether the last answer is reliable.
    alarms : list of Raised

    >>> from elman import Dense, Network, SimpleRNN, stream
    >>> net = Network([SimpleRNN(3), Dense(2, "softmax")], input_size=1, seed=0)
    >>> monitor = Monitor(ChunkedStream(lambda: stream(net)), features=1, rate=10.0)
    >>> [type(what).__name__ for what in monitor.feed(np.zeros((3, 1)), np.array([0.0, 0.1, 1.3]))]
    ['Answer', 'Answer', 'Event', 'Answer']
    >>> monitor.lost
    11
    """

    def __init__(
        self,
        stream: ChunkedStream,
        *,
        features: int,
        rate: float | None = None,
        speed: float = 1.0,
        alarm: Alarm | None = None,
        reset_after: float = 1.0,
        takes_missing: bool = False,
        channels: Sequence[str] = (),
        quality: bool = True,
    ) -> None:
        self._stream = stream
        self.features = integer("features", features, 1)
        self.rate = None if rate is None else number("rate", rate, positive=True)
        self.speed = number("speed", speed, positive=True)
        self.reset_after = number("reset_after", reset_after)
        self.alarm = alarm
        self._takes_missing = takes_missing
        self._order = order_of(known_of_stream(stream), channels or None, where="channels")
        self.channels = list(self._order.names or ()) or [f"channel {i + 1}" for i in range(features)]
        self._values = np.full(features, np.nan)  # the last value of each channel
        self._taken = np.full(features, -math.inf)  # and its stamp
        self._last = math.nan  # the last stamp
        self._warned = -math.inf  # the last stamp at which a value was missing
        self._readable = self.sound = True
        self._losses = None if self.rate is None else Losses(self.rate)
        self._drifts = False  # whether it was said
        self._gone = (0.0, -math.inf)  # seconds lost in recent gaps, and the stamp of the last one
        known, limits = stream.feature_names, stream.signal_limits
        width = len(known) if known is not None else features if limits is None else len(limits.low)
        if width != features:
            raise ArgumentValueError("features", f"is {features}", f"{width}, as the model was trained with")
        trained = stream.rate or (math.nan if limits is None else limits.rate)
        if self.rate is not None and abs(self.rate / trained - 1.0) > _RATES_DIFFER:
            warn(f"rate is {self.rate:g} Hz, and the model was trained on a signal of {trained:g} Hz")
        limits = limits if flag("quality", quality) else None
        self._quality = None if limits is None else Quality(limits)
        self.reliable = True
        self.unreliable = 0
        self.samples = self.answers = 0
        self.missing = self.left_out = self.lost = self.gaps = self.resets = 0
        self.alarms: list[Raised] = []

    @property
    def active(self) -> bool:
        """Whether the alarm is on."""
        return self.alarm is not None and self.alarm.hysteresis.active

    @property
    def last(self) -> float:
        """The stamp of the last sample; NaN before the first."""
        return self._last

    @property
    def waiting(self) -> int:
        """The number of samples that must still come before the first answer of this sequence."""
        return self._stream.waiting

    @property
    def losses(self) -> int:
        """How often many samples were lost, or the rate was another one."""
        return 0 if self._losses is None else self._losses.times

    @property
    def drift(self) -> float:
        """The drift of the stamps, relative; NaN where it is not known."""
        return math.nan if self._losses is None else self._losses.drift

    @property
    def faults(self) -> list[str]:
        """The faults of the channels now, as "Cz: flat"."""
        if self._quality is None:
            return []
        found = self._quality.faults
        return [f"{self.channels[i]}: {KINDS[found[i]]}" for i in np.flatnonzero(found)]

    def feed(self, samples: Array, stamps: Array) -> list[Answer | Event]:
        """Return the answers and events of samples (k, F) with stamps (k,), in order.

        ValueError for other shapes, and for stamps that are not finite.
        """
        samples = self._order.read(samples)
        stamps = np.asarray(stamps, np.float64)
        if samples.ndim != 2 or samples.shape[1] != self.features:
            raise ArgumentValueError("samples", f"has shape {samples.shape}", f"(k, {self.features})")
        if stamps.shape != samples.shape[:1]:
            raise ArgumentValueError("stamps", f"has shape {stamps.shape}", f"({len(samples)},)")
        if not np.isfinite(stamps).all():
            place = int(np.argmin(np.isfinite(stamps)))
            raise ArgumentValueError(f"stamps[{place}]", f"is {stamps[place]}", "a finite number of seconds")
        if not len(stamps):
            return []
        steps = np.diff(stamps, prepend=self._last)  # NaN before the first sample of all
        broken = self._broken(steps)
        happened: list[Answer | Event] = []
        values, readable = self._held(samples, stamps, happened)
        turns = self._watched(steps, broken, stamps, happened)
        cuts = np.flatnonzero(broken | (np.diff(readable, prepend=self._readable)))
        places = sorted({0, *cuts.tolist(), *turns})
        for start, stop in pairwise([*places, len(stamps)]):
            if start in turns:
                happened += self._turned(turns[start], float(stamps[start]), start)
            if broken[start]:
                happened += self._gap(float(steps[start]), float(stamps[start]), start)
            if readable[start] != self._readable:
                happened += self._turn(bool(readable[start]), float(stamps[start]), start, samples[start])
            if self._readable and self.sound:
                happened += self._answer(values[start:stop], stamps[start:stop], start)
            else:
                self.left_out += stop - start
        self.samples += len(stamps)
        self._last = float(stamps[-1])
        happened.sort(key=lambda what: what.sample)  # stable: what is noted of a sample precedes its answer
        return happened

    def _broken(self, steps: Array) -> Array:
        """Return which samples come after a gap, or have a stamp before that of the last sample."""
        with np.errstate(invalid="ignore"):
            if self.rate is None:
                return (steps < 0) | (steps * self.speed > self.reset_after)
            period = 1.0 / (self.rate * self.speed)
            return np.abs(steps - period) > max(_JITTER, period / 2)

    def _watched(
        self, steps: Array, broken: Array, stamps: Array, happened: list[Answer | Event]
    ) -> dict[int, Turn]:
        """Compare the stamps with the rate: return at which samples a loss begins or ends; note a drift."""
        losses = self._losses
        if losses is None:
            return {}
        before = losses.lost
        turns = losses.feed(steps, broken, self.speed)
        self.lost += losses.lost - before
        if losses.drifts and not self._drifts:
            self._drifts = True
            last = self.samples + len(stamps)
            happened.append(Event(float(stamps[-1]), last, "drift", losses.drift_text))
        return {turn.place: turn for turn in turns}

    def _turned(self, turn: Turn, time: float, start: int) -> list[Answer | Event]:
        """Stop answering a signal that many samples are missing from, or begin anew."""
        sample = self.samples + start + 1
        self.sound = turn.sound
        reset = self._reset(time, sample) if turn.sound else []
        return [Event(time, sample, turn.kind, turn.text), *reset]

    def _gap(self, step: float, time: float, start: int) -> list[Answer | Event]:
        sample = self.samples + start + 1
        self.gaps += 1
        seconds = step * self.speed
        if step < 0:
            text = f"time stamps went back by {-seconds:.3g} s"
        elif self.rate is None:
            text = f"nothing for {seconds:.3g} s"
        else:
            swallowed = max(round(seconds * self.rate) - 1, 0)
            self.lost += swallowed
            text = f"a gap of {seconds:.3g} s: {swallowed} samples are missing"
        kind = "clock" if step < 0 else "gap"
        gone, last = self._gone
        # Short gaps that follow each other closely add up; a second is forgotten in ten.
        gone = max(gone - 0.1 * (time - last) * self.speed, 0.0) + abs(seconds)
        self._gone = gone, time
        if abs(seconds) <= self.reset_after < gone:
            self._gone = 0.0, time
            text = f"{text}; with those just before it {gone:.3g} s"
        if gone <= self.reset_after:
            return [Event(time, sample, kind, f"{text}; the state is kept")]
        return [Event(time, sample, kind, f"{text}; a new sequence begins"), *self._reset(time, sample)]

    def _reset(self, time: float, sample: int) -> list[Answer | Event]:
        """Start a new sequence, and end an alarm that is on."""
        self.resets += 1
        self.reliable = True
        self._stream.reset()
        if self._quality is not None:
            self._quality.reset()
        if self.alarm is None:
            return []
        was_on = self.active
        self.alarm.hysteresis.reset()  # also what counts towards one that is not on
        if not was_on:
            return []
        self.alarms[-1].end = time
        return [Event(time, sample, "all clear", f"{self.alarm.name}: unknown after what is missing")]

    def _held(self, samples: Array, stamps: Array, happened: list[Answer | Event]) -> tuple[Array, Array]:
        """Return the samples (k, F), missing values replaced by the last ones, and which are known (k,)."""
        there = np.isfinite(samples)
        if there.all():
            self._values, self._taken = samples[-1].copy(), np.full(self.features, stamps[-1])
            return samples, np.ones(len(stamps), bool)
        self.missing += int((~there).sum())
        self._note_missing(there, stamps, happened)
        if self._takes_missing:
            return np.where(there, samples, np.nan), np.ones(len(stamps), bool)
        # Row 0 holds the values before the chunk; each value is that of the last row that has one.
        rows = np.arange(1, len(stamps) + 1)[:, None]
        source = np.maximum.accumulate(np.where(there, rows, 0), axis=0)
        values = np.take_along_axis(np.vstack([self._values, samples]), source, axis=0)
        taken = np.where(source == 0, self._taken, np.concatenate([[0.0], stamps])[source])
        self._values, self._taken = values[-1].copy(), taken[-1].copy()
        late = (stamps[:, None] - taken) * self.speed > self.reset_after
        return values, ~np.any(late, axis=1)

    def _note_missing(self, there: Array, stamps: Array, happened: list[Answer | Event]) -> None:
        """Note that values are missing; again only after none was missing for a while."""
        absent = np.flatnonzero(~there.all(axis=1))
        first = int(absent[0])
        if (stamps[first] - self._warned) * self.speed > max(self.reset_after, 1.0):
            names = self._names(~there[first])
            held = "" if self._takes_missing else "; the last value is held"
            text = f"no number from {names}{held}"
            happened.append(Event(float(stamps[first]), self.samples + first + 1, "missing", text))
        self._warned = float(stamps[absent[-1]])

    def _names(self, which: Array) -> str:
        names = [self.channels[i] for i in np.flatnonzero(which)]
        return ", ".join(names[:4]) + (f" and {len(names) - 4} more" if len(names) > 4 else "")

    def _turn(self, readable: bool, time: float, start: int, x: Array) -> list[Answer | Event]:
        """Switch from complete samples to incomplete ones, or back."""
        self._readable = readable
        sample = self.samples + start + 1
        if readable:
            text = "all channels have numbers again; a new sequence begins"
            return [Event(time, sample, "missing", text), *self._reset(time, sample)]
        text = f"nothing to hold for {self._names(~np.isfinite(x))}: no answers until it is back"
        return [Event(time, sample, "silent", text)]

    def _answer(self, values: Array, stamps: Array, start: int) -> list[Answer | Event]:
        happened: list[Answer | Event] = []
        if self._quality is not None:
            for fault in self._quality.feed(values):
                time, sample = float(stamps[fault.place]), self.samples + start + fault.place + 1
                happened.append(Event(time, sample, "quality", fault.said(self._names(fault.which))))
        try:
            at, answers = self._stream.feed(values)
        except ValueError as error:  # numbers too large for the model, as from a broken amplifier
            self.left_out += len(values)
            when, first = float(stamps[0]), self.samples + start + 1
            text = f"{error}; a new sequence begins"
            return [*happened, Event(when, first, "refused", text), *self._reset(when, first)]
        self.answers += len(at)
        good = [True] * len(at)
        if self._quality is not None and len(at):
            good = self._quality.reliable(at, self._stream.memory)
            self.unreliable += good.count(False)
            self.reliable = good[-1]
        for i, answer, reliable in zip(at.tolist(), answers, good, strict=True):
            time, sample = float(stamps[i]), self.samples + start + i + 1
            alarm = None
            if self.alarm is not None and not reliable:
                alarm = self.active
            elif self.alarm is not None:
                before, value = self.active, self.alarm.value(answer)
                alarm = self.alarm.step(answer)
                if alarm != before:
                    happened.append(self._switched(self.alarm, value, time, sample))
                if alarm:
                    worst = min if self.alarm.low else max
                    self.alarms[-1].peak = worst(self.alarms[-1].peak, value)
            happened.append(Answer(time, sample, answer, alarm, reliable))
        return happened

    def _switched(self, alarm: Alarm, value: float, time: float, sample: int) -> Event:
        """Note that the alarm was raised or has ended."""
        on = alarm.hysteresis.active
        if on:
            self.alarms.append(Raised(time, None, value))
        else:
            self.alarms[-1].end = time
        return Event(time, sample, "alarm" if on else "all clear", f"{alarm.name} {value:.3g}")
