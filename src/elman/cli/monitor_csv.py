"""The CSV of a monitor: one row per answer and per event, on disk at most half a second later."""

from __future__ import annotations

import csv
import os
import time
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from elman.errors import ArgumentValueError
from elman.monitoring.monitor import Answer, Event

_EVERY = 0.5  # s between two writes: a kill loses no more


class Record:
    """A file that rows are added to; rows of an older file with the same columns are kept.

    Columns: time (UTC), stamp (seconds of the LSL clock), sample (from 1), the answer, alarm (0 or 1),
    reliable (0 or 1), latency (s), event. Numbers have enough digits to read back the same float. OSError for
    a file that cannot be written, ValueError for one with other columns.
    """

    def __init__(self, path: str, answer: Sequence[str]) -> None:
        self.path = path
        self._width = len(answer)
        header = ["time", "stamp", "sample", *answer, "alarm", "reliable", "latency", "event"]
        old = Path(path).is_file() and Path(path).stat().st_size > 0
        if old:
            _check(path, header)
        self._file = Path(path).open("a", encoding="utf-8", newline="")  # noqa: SIM115 (until `close`)
        self._writer = csv.writer(self._file, lineterminator="\n")
        if not old:
            self._writer.writerow(header)
        elif not _ends_a_line(path):  # it was killed while it wrote
            self._file.write("\n")
        self.flush()

    def answer(self, answer: Answer, cells: Sequence[Any], utc: float, latency: float | None) -> None:
        """Add an answer, whose values are ``cells``, given at ``utc`` seconds since 1970."""
        alarm = "" if answer.alarm is None else int(answer.alarm)
        late = "" if latency is None else round(latency, 6)
        good = int(answer.reliable)
        self._row([moment(utc), repr(answer.time), answer.sample, *cells, alarm, good, late, ""])

    def event(self, event: Event, utc: float) -> None:
        """Add an event at ``utc`` seconds since 1970."""
        nothing = [""] * self._width
        text = f"{event.kind}: {event.text}"
        self._row([moment(utc), repr(event.time), event.sample, *nothing, "", "", "", text])

    def _row(self, cells: list[Any]) -> None:
        self._writer.writerow(cells)

    def tick(self) -> None:
        """Flush the file if the last flush is half a second ago."""
        if time.monotonic() - self._flushed > _EVERY:
            self.flush()

    def flush(self) -> None:
        """Write everything to the operating system."""
        self._file.flush()
        self._flushed = time.monotonic()

    def close(self) -> None:
        """Flush and close the file."""
        self._file.close()


def moment(utc: float) -> str:
    """Return seconds since 1970 as a date and time of day.

    >>> moment(0.25)
    '1970-01-01T00:00:00.250+00:00'
    """
    return datetime.fromtimestamp(utc, UTC).isoformat(timespec="milliseconds")


def _check(path: str, header: list[str]) -> None:
    try:
        with Path(path).open(encoding="utf-8", newline="") as file:
            found = next(csv.reader(file), [])
    except (UnicodeDecodeError, csv.Error):
        found = []
    if found != header:
        raise ArgumentValueError(
            "--csv", f"is {path!r}, a file with other columns than {','.join(header)}: expected a new file"
        )


def _ends_a_line(path: str) -> bool:
    with Path(path).open("rb") as file:
        file.seek(-1, os.SEEK_END)
        return file.read(1) == b"\n"
