"""Annotations of EDF+ and BDF+: start times of data records, and notes."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import replace
from datetime import datetime, timedelta
from fractions import Fraction
from typing import NamedTuple

import numpy as np

from elman.datasets.dataset import Annotation
from elman.datasets.edf_header import Header, decoded, way_out
from elman.datasets.edf_times import Seconds, backward
from elman.errors import MentionError
from elman.reading.parsing import shown

# An onset, perhaps a duration after byte 21, texts between bytes 20, and byte 0 at the end.
_LIST = re.compile(
    rb"([+-][0-9]{1,12}(?:[.,][0-9]{0,30})?)(?:\x15([0-9]{1,12}(?:[.,][0-9]{0,30})?))?\x14([^\0]*\x14)?\0"
)


class _Note(NamedTuple):
    onset: Fraction
    duration: float | None
    texts: list[str]


class _DamageError(Exception):
    """A data record that cannot be read."""


class Records(NamedTuple):
    """The data records that can be read: their header, when each starts, and all annotations.

    Starts and onsets are in s from the start of the first record, which is ``first`` s after the start in the
    header. ``header.notes`` say what was read otherwise than it stands in the file.
    """

    header: Header
    starts: Seconds
    annotations: tuple[Annotation, ...]
    first: Fraction

    def begun(self) -> datetime | None:
        """Return the date and the time of the first sample."""
        start = self.header.start
        return None if start is None else start + timedelta(seconds=float(self.first))


def read_annotations(
    block: Callable[[int, int], bytes], header: Header, source: str, damaged: bool = False
) -> Records:
    """Return the data records and their annotations; ``block(at, length)`` gives bytes of the file.

    With ``damaged``, only the records before the first one whose annotations cannot be read.
    """
    width = 3 if header.bdf else 2
    places = [(s.place, s.samples * width) for s in header.signals if s.annotations]
    if not places:
        if header.interrupted:
            kind = header.kind
            raise ValueError(f"{source} was interrupted ({kind}), but has no times of its data records")
        return Records(header, _steady(header), (), Fraction(0))
    onsets: list[Fraction] = []
    found: list[_Note] = []
    commas = False
    for record in range(header.records):
        blocks = [block(header.size + record * header.record + at, length) for at, length in places]
        try:
            notes, points = _record(blocks, f"{source}, data record {record + 1}")
        except _DamageError as damage:
            header = _until(record, str(damage), header, damaged)
            break
        onsets.append(notes[0].onset)
        found += [note for note in notes if note.texts]
        commas = commas or not points
    if commas:
        sentence = f"{source} has decimal commas in its annotations: read as points"
        header = replace(header, notes=(*header.notes, sentence))
    first = onsets[0]
    starts = np.array([float(onset - first) for onset in onsets])
    header, starts = _in_order(header, starts, source, damaged)
    found.sort(key=lambda note: note.onset)
    annotations = tuple(
        Annotation(float(note.onset - first), note.duration, text) for note in found for text in note.texts
    )
    return Records(header, starts, annotations, first)


def _record(blocks: list[bytes], where: str) -> tuple[list[_Note], bool]:
    """Return the annotations of a data record, that of its start first, and whether they have points."""
    found: list[_Note] = []
    points = True
    for i, block in enumerate(blocks):
        at = 0
        while rest := block[at:].lstrip(b"\0"):
            match = _LIST.match(rest)
            if match is None:
                begin = shown(rest[:30].decode("latin-1"))
                raise _DamageError(f"{where}: {begin} is no list of annotations")
            onset, duration = match[1].decode(), (match[2] or b"").decode()
            if "," in onset or "," in duration:
                points = False
                onset, duration = onset.replace(",", "."), duration.replace(",", ".")
            texts = [text for text in decoded(match[3] or b"").split("\x14") if text]
            found.append(_Note(Fraction(onset), float(duration) if duration else None, texts))
            at = len(block) - len(rest) + match.end()
        if i == 0 and not found:
            raise _DamageError(f"{where}: its annotations do not say when it begins")
    return found, points


def _until(record: int, damage: str, header: Header, damaged: bool) -> Header:
    """Return the header of the data records before the damaged one, if they are wanted."""
    if not damaged or not record:
        raise MentionError(damage, *way_out(record)) from None
    sentence = f"{damage}; the first {record} data records are read"
    return replace(header, records=record, notes=(*header.notes, sentence))


def _in_order(header: Header, starts: Seconds, source: str, damaged: bool) -> tuple[Header, Seconds]:
    """Return the starts of data records that follow each other."""
    wrong = backward(starts, header)
    if wrong is None:
        return header, starts
    what = f"{source}: data record {wrong + 1} begins before record {wrong} has ended"
    if header.interrupted:
        header = _until(wrong, what, header, damaged)
        return header, starts[:wrong]
    # Where nothing was interrupted the times say nothing new, and some writers give every record the same.
    sentence = f"{what}, although it is marked as continuous: the times of its records are ignored"
    header = replace(header, notes=(*header.notes, sentence))
    return header, _steady(header)


def _steady(header: Header) -> Seconds:
    """Return the starts of data records without a gap."""
    return np.array([float(i * header.duration) for i in range(header.records)])
