"""Annotations of EDF+ and BDF+: start times of data records, notes, and labels made from them."""

from __future__ import annotations

import re
from collections.abc import Hashable, Mapping
from fractions import Fraction
from typing import Any

import numpy as np

from elman._validation import describe
from elman.data.sequences import Array
from elman.datasets.dataset import Annotation
from elman.datasets.edf_header import Header
from elman.reading.parsing import shown

# An onset, perhaps a duration after byte 21, texts between bytes 20, and byte 0 at the end.
_LIST = re.compile(
    rb"([+-][0-9]{1,12}(?:\.[0-9]{0,30})?)(?:\x15([0-9]{1,12}(?:\.[0-9]{0,30})?))?\x14([^\0]*\x14)?\0"
)

Interval = tuple[float, float, Any, str]  # beginning and end in s, label, text


def read_annotations(
    content: bytes, header: Header, source: str
) -> tuple[list[Fraction], tuple[Annotation, ...]]:
    """Return the start of each data record and the annotations, in s from the start of the first record."""
    width = 3 if header.bdf else 2
    places = [(s.place, s.samples * width) for s in header.signals if s.annotations]
    starts: list[Fraction] = []
    found: list[tuple[Fraction, float | None, str]] = []
    for record in range(header.records):
        for i, (place, length) in enumerate(places):
            at = header.size + record * header.record + place
            where = f"{source}, data record {record + 1}"
            lists = _lists(content[at : at + length], where)
            if i == 0:
                if not lists:
                    raise ValueError(f"{where}: its annotations do not say when it begins")
                starts.append(lists[0][0])
            found += [
                (onset, duration, text)
                for onset, duration, texts in lists
                for text in texts.split("\x14")
                if text
            ]
    if not places:
        if header.interrupted:
            raise ValueError(f"{source} was interrupted (EDF+D), but has no times of its data records")
        return [record * header.duration for record in range(header.records)], ()
    found.sort(key=lambda one: one[0])
    first = starts[0]
    return (
        [start - first for start in starts],
        tuple(Annotation(float(onset - first), duration, text) for onset, duration, text in found),
    )


def _lists(block: bytes, where: str) -> list[tuple[Fraction, float | None, str]]:
    """Return onset, duration and texts of each list of annotations in a data record; none is skipped."""
    found = []
    at = 0
    while rest := block[at:].lstrip(b"\0"):
        match = _LIST.match(rest)
        if match is None:
            raise ValueError(f"{where}: {shown(rest[:30].decode('latin-1'))} is no list of annotations")
        duration = float(match[2]) if match[2] else None
        found.append((Fraction(match[1].decode()), duration, _decoded(match[3] or b"").removesuffix("\x14")))
        at = len(block) - len(rest) + match.end()
    return found


def _decoded(text: bytes) -> str:
    try:
        return text.decode()
    except UnicodeDecodeError:  # EDF+ requires UTF-8, but some recorders write another encoding
        return text.decode("latin-1")


class Labels:
    """Labels by the texts of annotations, checked; `steps` gives one label per step."""

    def __init__(self, labels: Any, other: Any) -> None:
        if not isinstance(labels, Mapping) or not labels:
            raise TypeError(
                f"labels is {describe(labels)}, expected a mapping from texts of annotations to labels"
            )
        self.names: dict[str, Hashable] = {}
        self.begins: dict[str, tuple[str, Hashable]] = {}
        for key, label in labels.items():
            if isinstance(key, str):
                self.names[key] = label
            elif isinstance(key, tuple) and len(key) == 2 and all(isinstance(text, str) for text in key):
                self.begins[key[0]] = (key[1], label)
            else:
                raise TypeError(
                    f"labels has the key {describe(key)}, expected a text, or two: of a beginning and an end"
                )
        values = [other, *labels.values()]
        for kind in (str, (int, np.integer), (float, np.floating)):
            if all(isinstance(value, kind) and not isinstance(value, bool) for value in values):
                break
        else:
            raise TypeError(
                f"other and the labels are {describe(values)}, expected all of one kind: str, int or float"
            )
        self.other = other
        self.dtype = np.array(values).dtype

    def intervals(self, annotations: tuple[Annotation, ...], end: float) -> list[Interval]:
        """Return what is to be labeled; an annotation without a duration ends where it begins."""
        found = []
        for i, (onset, duration, text) in enumerate(annotations):
            if text in self.names:
                found.append((onset, onset + (duration or 0.0), self.names[text], text))
            if text in self.begins:
                last, label = self.begins[text]
                ends = (a.onset for a in annotations[i + 1 :] if a.text == last)
                found.append((onset, next(ends, end), label, text))
        return found

    def steps(self, intervals: list[Interval], start: float, fs: float, count: int, source: str) -> Array:
        """Return the labels (count,) of the steps from ``start`` s on; an instant labels the step it lies in.

        ValueError if a step would have two labels.
        """
        y = np.full(count, self.other, self.dtype)
        by = np.full(count, -1)
        for i, (onset, stop, label, text) in enumerate(intervals):
            first, last = (_step((time - start) * fs) for time in (onset, stop))
            if first == last:  # nothing, or less than a step
                first = int(np.floor((onset - start) * fs + 1e-6))
                last = first + 1
            inside = slice(max(first, 0), max(last, 0))
            taken = np.flatnonzero((by[inside] >= 0) & (y[inside] != label))
            if len(taken):
                before = intervals[int(by[inside][taken[0]])]
                raise ValueError(
                    f"{source}: the annotations {shown(before[3])} at {before[0]:g} s and {shown(text)} at "
                    f"{onset:g} s overlap, expected one label a step"
                )
            y[inside], by[inside] = label, i
        return y


def _step(place: float) -> int:
    """Return the first step at or after a place, which may be slightly off because of rounding."""
    return int(np.ceil(place - 1e-6))
