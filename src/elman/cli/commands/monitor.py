"""`elman monitor`: a model answers a stream until it is stopped; answers, alarms and gaps are recorded."""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass, replace
from typing import Any, Protocol

import numpy as np

from elman._validation import integer, number
from elman.cli.commands import Say, loaded_model, output_paths, predict
from elman.cli.commands.data import plural
from elman.cli.commands.loaded_model import LoadedModel
from elman.cli.monitor_csv import Record, moment
from elman.cli.monitor_state import Seen
from elman.errors import ArgumentValueError
from elman.monitoring import Alarm, Answer, ChunkedStream, Monitor, SlidingStream
from elman.monitoring.channels import ChannelOrder, order_of
from elman.monitoring.description import Description, listed

_WAIT = 0.05  # s to wait for samples before the view and the record are updated
_SILENT = 2.0  # s without a sample before a note
_RATES_DIFFER = 0.01
_COUNTS = ("samples", "answers", "gaps", "lost", "missing", "left_out", "resets", "losses", "unreliable")


class View(Protocol):
    """A view of a run: `elman.cli.monitor_view` has two."""

    def note(self, text: str) -> None: ...
    def tick(self) -> None: ...


@dataclass(frozen=True)
class Watching:
    """The options of a run; docs/monitor.md explains them. None: not given."""

    name: str
    source: str | None = None
    channels: tuple[str, ...] | None = None
    rate: float | None = None
    alarm: str | None = None
    on: float | None = None
    off: float | None = None
    on_steps: int | None = None
    off_steps: int | None = None
    window: float | None = None
    reset_after: float = 1.0
    seconds: float | None = None
    wait: float | None = None
    csv: str | None = None
    quality: bool = True


@dataclass(frozen=True)
class Monitored:
    """The summary of a run: dates in UTC, ``latency`` in seconds from a sample to its answer.

    ``channels`` are those that were read, ``outputs`` the names of the values of an answer. ``losses`` counts
    the times that samples were lost between stamps, ``drift`` is that of the stamps, relative, NaN where it
    is not known, ``unreliable`` counts answers to signals with a fault.
    """

    model: str
    estimator: str
    stream: str
    source: str
    host: str
    rate: float | None
    speed: float
    channels: list[str]
    outputs: list[str]
    alarm: str | None
    samples: int
    answers: int
    gaps: int
    lost: int
    losses: int
    drift: float
    missing: int
    unreliable: int
    left_out: int
    resets: int
    connections: int
    alarms: list[dict[str, Any]]
    latency: dict[str, float]
    csv: str | None
    ended: str


def monitor(path: str, how: Watching, view: Callable[[Seen], AbstractContextManager[View]]) -> Monitored:
    """Answer a stream with a saved model until it ends, or until Ctrl-C.

    Errors: ValueError for a model and a stream that do not fit, and where no stream is found in ``how.wait``
    seconds; OSError for a CSV that cannot be written; ImportError without pylsl.
    """
    from elman.monitoring import lsl

    output_paths.keep_apart({"--model": path}, {"--csv": how.csv})
    run = _Run(loaded_model.load(path), how)
    source = lsl.Source(how.name, how.source, run.check, run.say)
    if how.csv is not None:
        run.record = Record(how.csv, predict.columns(run.model))
    try:
        with view(run.seen) as shown:
            run.note = shown.note
            shown.note(f"looking for the stream {how.name!r}")
            ended = _watch(run, source, shown, lsl.clock)
    finally:
        source.close()
        if run.record is not None:
            run.record.close()
    return run.summary(source, ended, time.time() - lsl.clock())


def _watch(run: _Run, source: Any, view: View, clock: Callable[[], float]) -> str:
    """Read until the end, and return the reason of the end."""
    how = run.how
    began = quiet = time.monotonic()
    try:
        while True:
            now = time.monotonic()
            if how.seconds is not None and now - began >= how.seconds:
                return f"after {how.seconds:g} s"
            if source.connected:
                quiet = now
            elif how.wait is not None and now - quiet >= how.wait:
                if source.description is None:
                    raise ValueError(
                        f"no stream {how.name!r} was found in {how.wait:g} s: is it running, in this network?"
                    )
                return f"the stream was away for {how.wait:g} s"
            chunk = source.pull(_WAIT)
            run.follow(source)
            if chunk is not None and run.monitor is not None:
                run.take(run.monitor, chunk, clock)
            elif source.connected:
                run.wonder()
            if run.record is not None:
                run.record.tick()
            view.tick()
    except KeyboardInterrupt as stop:
        return str(stop) or "by Ctrl-C"


class _Run:
    """A model, its monitor once there is a stream, and the view and the record of the answers."""

    def __init__(self, model: LoadedModel, how: Watching) -> None:
        self.model, self.how = model, how
        self.note: Say = lambda _: None
        self.record: Record | None = None
        self.monitor: Monitor | None = None
        self.outputs = [str(label) for label in model.classes or []] or predict.columns(model)
        self._alarm = _alarm(how, self.outputs, loaded_model.with_classes(model) is not None)
        self._reset_after = number("--reset-after", how.reset_after)
        for option in ("rate", "window", "seconds", "wait"):
            value = getattr(how, option)
            if value is not None:
                number(f"--{option}", value, positive=option in ("rate", "window"))
        model.stream()  # a model that cannot stream is refused before a stream is waited for
        classes = loaded_model.with_classes(model) is not None
        self.seen = Seen(f"elman monitor  {model.path}", self.outputs, classes)
        self._connections = 0
        self._picked: list[int] = []
        self._order = ChannelOrder()
        self._heard, self._told = (
            time.monotonic(),
            False,
        )  # the time of the last samples; a note that none come

    def say(self, text: str) -> None:
        """Show a note in the view, if there is one."""
        self.note(text)

    # the stream

    def check(self, stream: Description) -> None:
        """Raise ValueError for a stream that does not fit the model."""
        picked, order = self._read_as(stream)
        if len(order.places or picked) != self.model.features:
            chosen = "" if self.how.channels is None else ", of which --channels chooses " + str(len(picked))
            raise ValueError(
                f"the stream {stream.name!r} has {plural(len(stream.channels), 'channel')} "
                f"({listed(stream.channels)}){chosen}, expected {self.model.features}, as "
                f"{self.model.path!r} was trained with"
            )
        rate = stream.rate / stream.speed or None
        wanted = (self.how.rate or self.model.rate) if self.monitor is None else self.monitor.rate
        if rate is not None and wanted is not None and abs(rate - wanted) > _RATES_DIFFER * wanted:
            raise ValueError(f"the stream {stream.name!r} has {rate:g} Hz, expected {wanted:g} Hz")
        if rate is None and wanted is None and self.how.window is not None:
            raise ValueError(f"the stream {stream.name!r} names no rate: --window needs --rate")

    def _read_as(self, stream: Description) -> tuple[list[int], ChannelOrder]:
        """Return which channels of a stream are chosen, and how these are put in the order of the model."""
        picked = _picked(stream, self.how.channels)
        by_number = not any(name in stream.channels for name in self.how.channels or stream.channels)
        names = [stream.channels[i] for i in picked] if stream.labeled and not by_number else None
        units = [stream.units[i] for i in picked] if stream.units else None
        where, source = f"the stream {stream.name!r}", f"as {self.model.path!r} was trained"
        numbers, known = self.how.channels if by_number else None, self.model.known.names
        if numbers is not None and known is not None and len(known) == len(picked):
            order = order_of(self.model.known, known, units, where, source)  # which compares the units
            which = f"channel {numbers[0]} is" if len(numbers) == 1 else f"channels {listed(numbers)} are"
            read = f"{where}: {which} read as {listed(known)} ({source})"
            return picked, replace(order, note="; ".join(filter(None, (read, order.note))))
        try:
            return picked, order_of(self.model.known, names, units, where, source)
        except ArgumentValueError as error:
            if not error.problem.startswith("has the features"):
                raise
            raise ValueError(f"{error} (--channels with numbers reads channels of any name)") from None

    def follow(self, source: Any) -> None:
        """Take up a stream that was found, and show one that is gone."""
        self.seen.connected = source.connected
        if source.connections == self._connections:
            return
        again = self._connections > 0
        self._connections = source.connections
        self._heard, self._told = time.monotonic(), False
        stream: Description = source.description
        self.seen.description = stream
        self._picked, self._order = self._read_as(stream)
        if self.monitor is None:
            rate = stream.rate / stream.speed or self.how.rate or self.model.rate
            self.monitor = self.seen.monitor = Monitor(
                self._stream(rate),
                features=self.model.features,
                rate=rate,
                alarm=self._alarm,
                reset_after=self._reset_after,
                takes_missing=self.model.takes_missing,
                channels=self.model.known.names or [stream.channels[i] for i in self._picked],
                quality=self.how.quality,
            )
        self.monitor.speed = stream.speed
        self.note(f"{'found again' if again else 'reading'}: {stream}")
        if self._order.note:
            self.note(self._order.note)

    def _stream(self, rate: float | None) -> ChunkedStream:
        first, every = self.model.cadence()
        if self.how.window is None or rate is None:  # `check` refuses a window without a rate
            return ChunkedStream(self.model.stream, first, every)
        window = round(self.how.window * rate)
        if window * 3 // 4 < first:
            raise ArgumentValueError(
                "--window",
                f"is {self.how.window:g} s",
                f"at least {first / rate * 4 / 3:.3g} s: the features of {self.model.path!r} need {first} "
                "samples for their first step",
            )
        return SlidingStream(self.model.stream, max(window, 4), first, every)

    # the samples

    def wonder(self) -> None:
        """Note once that a stream is there but sends nothing."""
        rate = (self.monitor and self.monitor.rate) or 1.0
        patience = max(_SILENT, 3.0 / rate)
        if not self._told and time.monotonic() - self._heard > patience:
            self._told = True
            self.note(f"nothing has come for {patience:g} s; the stream is still there")

    def take(self, monitor: Monitor, chunk: Any, clock: Callable[[], float]) -> None:
        """Answer the samples of a chunk."""
        self._heard, self._told = time.monotonic(), False
        samples = self._order.read(chunk.samples[:, self._picked])
        happened = monitor.feed(samples, chunk.stamps)
        now = clock()
        epoch = time.time() - now  # a stamp plus this is in seconds since 1970
        self.seen.add(samples, monitor.rate)
        late = []
        for what in happened:
            if isinstance(what, Answer):
                latency = now - what.time if chunk.timed else None
                if latency is not None:
                    late.append(latency)
                self.seen.answer(what.values, what.time)
                if self.record is not None:
                    cells = predict.cells(self.model, what.values.tolist())
                    self.record.answer(what, cells, epoch + what.time, latency)
            else:
                self.note(f"{what.kind}: {what.text}")
                if self.record is not None:
                    self.record.event(what, epoch + what.time)
        self.seen.latencies.add(np.array(late))

    # the end

    def summary(self, source: Any, ended: str, epoch: float) -> Monitored:
        """Return the summary; a stamp plus ``epoch`` is in seconds since 1970."""
        monitor, stream = self.monitor, source.description
        seen = {name: 0 if monitor is None else getattr(monitor, name) for name in _COUNTS}
        alarms = [] if monitor is None else monitor.alarms
        return Monitored(
            model=self.model.path,
            estimator=self.model.kind,
            stream=self.how.name,
            source="" if stream is None else stream.source_id,
            host="" if stream is None else stream.host,
            rate=None if monitor is None else monitor.rate,
            speed=1.0 if monitor is None else monitor.speed,
            channels=[] if monitor is None else list(monitor.channels),
            outputs=self.outputs,
            alarm=self.how.alarm,
            drift=math.nan if monitor is None else monitor.drift,
            connections=source.connections,
            alarms=[
                {
                    "start": moment(epoch + alarm.start),
                    "end": None if alarm.end is None else moment(epoch + alarm.end),
                    "peak": alarm.peak,
                }
                for alarm in alarms
            ],
            latency=self.seen.latencies.summary(),
            csv=self.how.csv,
            ended=ended,
            **seen,
        )


def _alarm(how: Watching, outputs: Sequence[str], shares: bool) -> Alarm | None:
    """Return the alarm of the options; ``shares``: the outputs are probabilities."""
    if how.alarm is None:
        names = ("on", "off", "on_steps", "off_steps")
        given = next((name for name in names if getattr(how, name) is not None), None)
        if given is not None:
            option = given.replace("_", "-")
            raise ArgumentValueError(f"--{option}", "is given without --alarm: expected both or none")
        return None
    if how.alarm not in outputs:
        raise ArgumentValueError("--alarm", f"is {how.alarm!r}", f"one of {', '.join(map(repr, outputs))}")
    index = outputs.index(how.alarm)
    on_steps = 1 if how.on_steps is None else integer("--on-steps", how.on_steps, 1)
    off_steps = 1 if how.off_steps is None else integer("--off-steps", how.off_steps, 1)
    if not shares:
        if how.on is None:
            name = how.alarm
            raise ArgumentValueError(
                "--alarm", f"{name} is no probability: expected --on, and perhaps --off, with it"
            )
        off = how.on if how.off is None else how.off
        return Alarm(how.alarm, index, how.on, off, off > how.on, on_steps, off_steps)
    on = 0.8 if how.on is None else how.on
    off = min(0.5, on) if how.off is None else how.off
    if not 0.0 <= off <= on <= 1.0:
        raise ArgumentValueError("--on", f"is {on:g} and --off {off:g}", "probabilities, --off at most --on")
    return Alarm(how.alarm, index, on, off, False, on_steps, off_steps)


def _picked(stream: Description, channels: Sequence[str] | None) -> list[int]:
    """Return which channels of a stream are read: by name, otherwise by number from 1."""
    if channels is None:
        return list(range(len(stream.channels)))
    picked = []
    for name in channels:
        if name in stream.channels:
            picked.append(stream.channels.index(name))
        elif name.isdecimal() and 1 <= int(name) <= len(stream.channels):
            picked.append(int(name) - 1)
        else:
            raise ArgumentValueError(
                "--channels", f"names {name!r}, but the stream {stream.name!r} has {listed(stream.channels)}"
            )
    return picked
