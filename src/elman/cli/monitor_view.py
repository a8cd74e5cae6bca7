"""The views of a monitor: a screen that is redrawn, or lines of text where nothing can be redrawn."""

from __future__ import annotations

import math
import time
from collections import deque
from collections.abc import Callable
from datetime import datetime

import numpy as np
from rich.console import Console, Group
from rich.live import Live
from rich.text import Text

from elman.cli.console import shown
from elman.cli.monitor_drawing import bar, sparkline, trace
from elman.cli.monitor_state import HISTORY, Seen
from elman.data.sequences import Array
from elman.monitoring.alarm import Alarm
from elman.monitoring.monitor import Monitor

_REDRAWN = 0.2  # s
_MOST_CHANNELS = 8
_NOTES = 6


def status(seen: Seen, monitor: Monitor) -> str:
    """Return the counts, the last answer, the alarm and the latency as one line."""
    parts = [f"samples {monitor.samples}", f"answers {monitor.answers}"]
    if state := _state(monitor):
        parts.append(state)
    elif seen.values is not None:
        best = int(np.argmax(seen.values)) if seen.followed is None else seen.followed
        parts.append(f"{shown(seen.outputs[best])} {float(seen.values[best]):.4g}")
    if not monitor.reliable:
        parts.append("UNRELIABLE")
    if monitor.active:
        parts.append("ALARM")
    parts.append(f"latency {milliseconds(seen.latencies.live()['median'])}")
    return "  ".join(parts)


def _state(monitor: Monitor) -> str:
    """Return why there are no answers now; nothing where there are."""
    if not monitor.sound:
        return "no answers: not the rate that is expected"
    if not monitor.waiting:
        return ""
    if monitor.rate is None:
        return f"waiting for {monitor.waiting} samples"
    return f"waiting for {monitor.waiting / monitor.rate:.1f} s of signal"


def milliseconds(seconds: float) -> str:
    """Return a latency as text.

    >>> milliseconds(0.0123), milliseconds(float("nan"))
    ('12 ms', 'unknown')
    """
    if math.isnan(seconds):
        return "unknown"
    return f"{seconds * 1000:.0f} ms" if seconds >= 0.00995 else f"{max(seconds, 0.0) * 1000:.1f} ms"


class Lines:
    """A view of lines: notes as they come, and the status each second."""

    def __init__(self, seen: Seen, write: Callable[[str], None]) -> None:
        self._seen, self._write = seen, write
        self._next = time.monotonic() + 1.0
        self._samples = 0

    def __enter__(self) -> Lines:
        return self

    def __exit__(self, *_: object) -> None:
        pass

    def note(self, text: str) -> None:
        """Write a note."""
        self._write(f"{datetime.now():%H:%M:%S}  {text}")

    def tick(self) -> None:
        """Write the status if a second has passed and samples have come."""
        monitor = self._seen.monitor
        if monitor is not None and time.monotonic() >= self._next and monitor.samples != self._samples:
            self._samples = monitor.samples
            self._next = time.monotonic() + 1.0
            self._write(f"{datetime.now():%H:%M:%S}  {status(self._seen, monitor)}")


class Screen:
    """A view of the signal, the probabilities, the alarm, the counts and the last notes, drawn at 5 Hz."""

    def __init__(self, seen: Seen, console: Console) -> None:
        self._seen, self._console = seen, console
        self._live = Live(console=console, auto_refresh=False)
        self._notes: deque[str] = deque(maxlen=_NOTES)
        self._began = time.monotonic()
        self._next = 0.0

    def __enter__(self) -> Screen:
        self._live.__enter__()
        self.tick()
        return self

    def __exit__(self, *_: object) -> None:
        self._live.update(self.drawn(), refresh=True)
        self._live.__exit__(None, None, None)

    def note(self, text: str) -> None:
        """Show a note."""
        self._notes.append(f"{datetime.now():%H:%M:%S}  {shown(text)}")

    def tick(self) -> None:
        """Redraw the screen if it is time."""
        if time.monotonic() >= self._next:
            self._live.update(self.drawn(), refresh=True)
            self._next = time.monotonic() + _REDRAWN

    def drawn(self) -> Group:
        """Return the whole screen."""
        seen, width, monitor = self._seen, min(self._console.width, 120), self._seen.monitor
        lines = [_title(seen), Text()]
        if monitor is not None:
            lines += [*_signals(seen, monitor, width, self._console.height), Text()]
            lines += [*_answers(seen, monitor, width), Text()]
            lines += [*_counts(seen, monitor, time.monotonic() - self._began), Text()]
        lines += [Text(note, "dim") for note in self._notes]
        for line in lines:  # a name that is too long must not change the height of the screen
            line.no_wrap, line.overflow = True, "ellipsis"
        return Group(*lines)


def _title(seen: Seen) -> Text:
    text = Text(f"{shown(seen.title)}  ", "bold")
    if seen.description is None:
        return text.append("no stream yet", "yellow")
    if not seen.connected:
        return text.append(f"{shown(seen.description.name)} is gone", "yellow")
    return text.append(shown(str(seen.description)), "not bold")


def _signals(seen: Seen, monitor: Monitor, width: int, height: int) -> list[Text]:
    names = [shown(name) for name in monitor.channels]
    visible = names[:_MOST_CHANNELS]
    rows = 3 if len(visible) == 1 else 2 if 2 * len(visible) + 16 < height else 1
    label = max(min(max(map(len, visible)), 12), 9)
    lines = []
    for i, name in enumerate(visible):
        signal = seen.signal(i)
        left = [(name[:label], "bold")]
        if rows == 3:  # there is room for the range of the signal
            low, high = _range(signal)
            left = [(f"{high:.4g}", "dim"), left[0], (f"{low:.4g}", "dim")]
        elif rows == 2:
            left.append(("", ""))
        drawing = trace(signal, max(width - label - 2, 10), rows)
        for (words, style), dots in zip(left, drawing, strict=True):
            lines.append(Text.assemble((words.ljust(label + 2), style), (dots, "cyan")))
    if len(names) > len(visible):
        lines.append(Text(f"and {len(names) - len(visible)} more channels", "dim"))
    return lines


def _range(values: Array) -> tuple[float, float]:
    there = values[np.isfinite(values)]
    return (float(there.min()), float(there.max())) if len(there) else (math.nan, math.nan)


def _answers(seen: Seen, monitor: Monitor, width: int) -> list[Text]:
    """Return a bar for each probability, and the last minute of the one with the alarm."""
    if state := _state(monitor):
        return [Text(state, "yellow")]
    if seen.values is None:
        return [Text("no answer yet", "dim")]
    names = [shown(name) for name in seen.outputs]
    label = max(min(max(map(len, names)), 20), 9)
    room = max(min(width - label - 16, HISTORY), 5)
    lines = []
    for i, (name, value) in enumerate(zip(names, seen.values.tolist(), strict=True)):
        raised = monitor.active and i == seen.followed
        line = Text(name[:label].ljust(label + 2))
        if seen.shares:
            line.append(bar(value, room), "red" if raised else "green")
            line.append(f" {value:.3f}")
        else:
            line.append(f"{value:.4g}")
        lines.append(line.append("  ALARM", "bold red") if raised else line)
    if not monitor.reliable:
        faults = shown(", ".join(monitor.faults) or "a fault just before")
        lines.append(Text(f"unreliable: {faults}", "bold red"))
    if monitor.alarm is not None:
        lines += _history(seen, monitor, monitor.alarm, label, room)
    return lines


def _history(seen: Seen, monitor: Monitor, alarm: Alarm, label: int, room: int) -> list[Text]:
    values = np.array(seen.history)[-room:]
    low, high = (0.0, 1.0) if seen.shares else (float(np.nanmin(values)), float(np.nanmax(values)))
    name, count = shown(alarm.name), len(monitor.alarms)
    limits = f"on at {alarm.on:g}, off {'above' if alarm.low else 'below'} {alarm.off:g}; {count} so far"
    return [
        Text.assemble(("a minute".ljust(label + 2), "dim"), (sparkline(values, low, high), "magenta")),
        Text(f"{'alarm'.ljust(label + 2)}{name}: {limits}", "dim"),
    ]


def _counts(seen: Seen, monitor: Monitor, seconds: float) -> list[Text]:
    live = seen.latencies.live()
    minutes, rest = divmod(int(seconds), 60)
    return [
        Text(
            f"time {minutes // 60}:{minutes % 60:02d}:{rest:02d}  samples {monitor.samples:,}  answers "
            f"{monitor.answers:,}  gaps {monitor.gaps}  lost {monitor.lost:,}  missing {monitor.missing:,}"
        ),
        Text(
            f"latency {milliseconds(live['median'])}, 95 % within {milliseconds(live['p95'])}, largest "
            f"{milliseconds(live['max'])}; largest of all {milliseconds(seen.latencies.largest)}"
        ),
    ]
