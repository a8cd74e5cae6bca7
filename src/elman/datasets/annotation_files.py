"""Annotations from a file beside the recording: EDF+, interval lists as CSV or TSV, summaries of CHB-MIT."""

from __future__ import annotations

import re
from collections.abc import Iterator
from datetime import datetime
from itertools import chain
from math import isfinite
from pathlib import Path, PurePath
from typing import NamedTuple

from elman.datasets.dataset import Annotation
from elman.datasets.edf_annotations import read_annotations
from elman.datasets.edf_header import is_edf, read_header
from elman.datasets.row_files import Row, Rows, read_rows
from elman.errors import Mention, MentionError
from elman.reading.parsing import listed, number, shown, text_blocks
from elman.reading.paths import check_file

_ONSETS = ("onset", "start", "begin", "start_time")
_ENDS = ("end", "stop", "offset", "end_time")
_TEXTS = (
    *(
        "trial_type",
        "eventtype",
        "event_type",
        "text",
        "label",
        "annotation",
        "description",
        "event",
        "stage",
    ),
    "value",
)
_FILES = ("file", "filename", "recording")
_UNKNOWN = ("", "n/a")
_SUMMARY = re.compile(r"File Name:\s*(\S.*)", re.IGNORECASE)
_COUNT = re.compile(r"Number of Seizures in File:\s*(\d+)", re.IGNORECASE)
_SEIZURE = re.compile(r"Seizure\s*\d* (Start|End) Time:\s*(\S+)(?:\s*sec\w*)?", re.IGNORECASE)


class Beside(NamedTuple):
    """Annotations of one recording, from another file; ``texts`` are those of all recordings in it."""

    annotations: tuple[Annotation, ...]
    texts: tuple[str, ...]
    notes: tuple[str, ...] = ()


def read_beside(path: str, recording: str, begun: datetime | None, several: bool, damaged: bool) -> Beside:
    """Return the annotations of a recording, in s from its start, from a file beside it.

    ``begun`` is the date of the recording's first sample, None if it is not known. ``several``: the file has
    those of other recordings too, and must tell them apart. ``damaged``: an EDF file is read up to its
    damage.
    """
    source = repr(path)
    check_file(path, source)
    with Path(path).open("rb") as file:
        begin = file.read(4096)
    if is_edf(begin):
        if several:
            raise MentionError(f"{source} has the annotations of one recording", *_AS_MANY)
        return _edf(path, source, begun, damaged)
    summary = [one for one in _lines(path, source) if _SUMMARY.fullmatch(one[1])]
    if summary:
        return _summary(path, source, recording)
    return _table(read_rows(path), recording, several)


_AS_MANY = (", expected one file for each: give ", Mention("annotations"), " a mapping or a function")


def _edf(path: str, source: str, begun: datetime | None, damaged: bool) -> Beside:
    """Return the annotations of an EDF file; its onsets count from its own start."""
    content = Path(path).read_bytes()
    header = read_header(content, len(content), source, damaged)
    records = read_annotations(lambda at, length: content[at : at + length], header, source, damaged)
    annotations, notes = records.annotations, records.header.notes
    own = records.begun()
    if begun is not None and own is not None:
        later = (own - begun).total_seconds()
        if later:
            when = f"{abs(later):g} s {'after' if later > 0 else 'before'}"
            notes = (*notes, f"{source} begins {when} the recording: its annotations are moved by that")
            annotations = tuple(one._replace(onset=one.onset + later) for one in annotations)
    return Beside(annotations, tuple(one.text for one in annotations), notes)


def _table(table: Rows, recording: str, several: bool) -> Beside:
    """Return the intervals of a table: BIDS events, exports of viewers, lists made by hand."""
    of = table.column(_FILES)
    rows = table.rows
    if of is not None:
        rows = [row for row in rows if _same(row.cells[of], recording)]
    elif several:
        raise MentionError(f"{table.source} does not say which recording a row belongs to", *_AS_MANY)
    onset, text = table.needed(_ONSETS), table.needed(_TEXTS)
    duration, end = table.column(("duration",)), table.column(_ENDS)
    found = []
    for row in rows:
        begin = _seconds(row, onset)
        lasts: float | None = None
        if duration is not None and row.cells[duration] not in _UNKNOWN:
            lasts = _seconds(row, duration)
        elif end is not None and row.cells[end] not in _UNKNOWN:
            lasts = _seconds(row, end) - begin
        if lasts is not None and lasts < 0:
            raise ValueError(f"{row.where}: the interval ends before it begins")
        if row.cells[text] not in _UNKNOWN:
            found.append(Annotation(begin, lasts, row.cells[text]))
    texts = dict.fromkeys(row.cells[text] for row in table.rows if row.cells[text] not in _UNKNOWN)
    return Beside(tuple(sorted(found, key=lambda one: one.onset)), tuple(texts))


def _seconds(row: Row, column: str) -> float:
    try:
        value = number(row.cells[column])
    except ValueError as error:
        raise ValueError(f"{row.where}, column {shown(column)}: {error}") from None
    if not isfinite(value):
        raise ValueError(f"{row.where}, column {shown(column)}: {value} is no time in s")
    return value


def _summary(path: str, source: str, recording: str) -> Beside:
    """Return the seizures of a recording by a summary of CHB-MIT, as annotations "seizure"."""
    names: list[str] = []
    times: list[tuple[str, float, str]] = []
    wanted = announced = None
    for where, line in _lines(path, source):
        if name := _SUMMARY.fullmatch(line):
            names.append(name[1])
            wanted = _same(name[1], recording)
        elif wanted and (count := _COUNT.fullmatch(line)):
            announced = int(count[1])
        elif wanted and (seizure := _SEIZURE.fullmatch(line)):
            row = Row(where, {"time": seizure[2]})
            times.append((seizure[1].lower(), _seconds(row, "time"), where))
    if not any(_same(name, recording) for name in names):
        raise ValueError(f"{source} says nothing of {PurePath(recording).name!r}, only of {listed(names)}")
    found = []
    for (kind, begin, where), (last, end, _) in zip(times[::2], times[1::2], strict=False):
        if (kind, last) != ("start", "end") or end < begin:
            raise ValueError(f"{where}: expected a start of a seizure, and then its end")
        found.append(Annotation(begin, end - begin, "seizure"))
    if len(times) % 2 or announced not in (None, len(found)):
        own = PurePath(recording).name
        raise ValueError(
            f"{source}, {own!r}: {len(times)} times of {announced} seizures, expected two of each"
        )
    return Beside(tuple(sorted(found, key=lambda one: one.onset)), ("seizure",))


def _lines(path: str, source: str) -> Iterator[tuple[str, str]]:
    """Yield each line with its place."""
    lines = chain.from_iterable(block for _, block in text_blocks(path, source))
    for at, line in enumerate(lines, 1):
        yield f"{source} line {at}", line.strip()


def _same(name: str, recording: str) -> bool:
    """Whether a file is named, with or without its folder and its extension."""
    own = PurePath(recording)
    return PurePath(name).name in (own.name, own.stem)
