"""Labels made from annotations: one for each step of a recording."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Hashable, Iterable, Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np

from elman._validation import describe
from elman.data.sequences import Array
from elman.datasets.dataset import Annotation
from elman.datasets.edf_times import Clock
from elman.errors import Mention, MentionError
from elman.reading.parsing import listed, shown


class Interval(NamedTuple):
    """What an annotation labels, from ``onset`` to ``stop`` in s."""

    onset: float
    stop: float
    label: Any
    text: str


class Overlap(NamedTuple):
    """Two intervals that disagree about a step."""

    before: Interval
    after: Interval

    def __str__(self) -> str:
        pair = " and ".join(f"{shown(one.text)} at {one.onset:g} s" for one in self)
        return f"the annotations {pair} overlap"


class Steps(NamedTuple):
    """Labels of a sequence (T,), the intervals that label one of its steps, and those that disagree."""

    y: Array
    inside: set[int]
    overlaps: list[Overlap]


class Labels:
    """Labels by the texts of annotations, checked; `steps` gives one label per step."""

    def __init__(self, labels: Any, other: Any, overlap: str) -> None:
        if not isinstance(labels, Mapping) or not labels:
            raise TypeError(
                f"labels is {describe(labels)}, expected a mapping from texts of annotations to labels"
            )
        self.names: dict[str, Hashable] = {}
        self.begins: defaultdict[str, dict[str, Hashable]] = defaultdict(dict)
        for key, label in labels.items():
            if isinstance(key, str):
                self.names[key] = label
            elif isinstance(key, tuple) and len(key) == 2 and all(isinstance(text, str) for text in key):
                self.begins[key[0]][key[1]] = label
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
        self.overlap = overlap
        self.dtype = np.array(values).dtype

    def intervals(self, annotations: Sequence[Annotation], end: float, source: str) -> list[Interval]:
        """Return what is to be labeled, in order; an annotation without a duration ends where it begins."""
        found = [
            Interval(onset, onset + (duration or 0.0), self.names[text], text)
            for onset, duration, text in annotations
            if text in self.names
        ]
        found += self._between(annotations, end, source)
        return sorted(found, key=lambda one: one.onset)

    def _between(self, annotations: Sequence[Annotation], end: float, source: str) -> list[Interval]:
        """Return the intervals from a beginning to the next of its ends.

        An end closes all that began before it, whatever stands first in the file where an interval touches
        the next one. If nothing began before, it closes what began at the same time and stands before it.
        """
        found: list[Interval] = []
        opened: list[tuple[float, str]] = []
        for onset, group in _by_onset(annotations):
            used = set()
            for text in dict.fromkeys(group):
                closed = [one for one in opened if text in self.begins[one[1]]]
                found += [Interval(at, onset, self.begins[begun][text], begun) for at, begun in closed]
                opened = [one for one in opened if one not in closed]
                if closed:
                    used.add(text)
            for text in group:
                if text not in used:
                    closed = [one for one in opened if one[0] == onset and text in self.begins[one[1]]]
                    found += [Interval(at, onset, self.begins[begun][text], begun) for at, begun in closed]
                    opened = [one for one in opened if one not in closed]
                if text in self.begins:
                    opened.append((onset, text))
        for at, begun in opened:
            labels = set(self.begins[begun].values())
            if len(labels) > 1:
                raise ValueError(
                    f"{source}: the annotation {shown(begun)} at {at:g} s has no end, expected one of "
                    f"{listed(list(self.begins[begun]))} after it, which says its label"
                )
            found.append(Interval(at, end, labels.pop(), begun))
        return found

    def steps(self, intervals: Sequence[Interval], clock: Clock, count: int, source: str) -> Steps:
        """Return the labels (count,) of a sequence.

        An interval that is shorter than a step labels the step it lies in. ValueError if two begin together,
        or if no step may have two labels.
        """
        y = np.full(count, self.other, self.dtype)
        by = np.full(count, -1)
        within: set[int] = set()
        overlaps: list[Overlap] = []
        for i, one in enumerate(intervals):
            first, last = (_step(clock.place(time)) for time in (one.onset, one.stop))
            if first == last:  # nothing, or less than a step
                first = int(np.floor(clock.place(one.onset) + 1e-6))
                last = first + 1
            inside = slice(max(first, 0), max(last, 0))
            if inside.start < min(inside.stop, count):
                within.add(i)
            taken = (by[inside] >= 0) & (y[inside] != one.label)
            if taken.any():
                before = intervals[int(by[inside][taken.argmax()])]
                overlaps.append(Overlap(before, one))
                sentence = f"{source}: {overlaps[-1]}, expected one label a step"
                if before.onset == one.onset:
                    raise ValueError(f"{sentence}: neither of them is the later one")
                if self.overlap == "refuse":
                    raise MentionError(f"{sentence} (", Mention("overlap", "later"), " takes the later one)")
            free = by[inside] < 0 if self.overlap == "earlier" else slice(None)
            y[inside][free], by[inside][free] = one.label, i
        return Steps(y, within, overlaps)

    def notes(self, intervals: Sequence[Interval], labeled: Sequence[Steps], source: str) -> list[str]:
        """Return notes on intervals that disagree, and on intervals outside of a recording's sequences."""
        found = []
        pairs = list(dict.fromkeys(pair for one in labeled for pair in one.overlaps))
        if pairs:
            by = pairs[0].before.stop - pairs[0].after.onset
            size = f" by {by:.3g} s" if by > 0 else ""
            more = f", and so do {len(pairs) - 1} other pairs" if len(pairs) > 1 else ""
            chosen = "from where the later one begins, the label is its own"
            if self.overlap == "earlier":
                chosen = "the label is that of the earlier one until it ends"
            found.append(f"{source}: {pairs[0]}{size}{more}: {chosen}")
        inside = set().union(*(one.inside for one in labeled))
        lost = [one for i, one in enumerate(intervals) if i not in inside]
        if lost:
            found.append(
                f"{source}: {len(lost)} of {len(intervals)} intervals with a label lie outside the recorded "
                f"time, such as {shown(lost[0].text)} at {lost[0].onset:g} s"
            )
        return found

    def check_texts(self, texts: Iterable[str], source: str) -> list[str]:
        """Return notes of texts of the labels that occur nowhere, or in other letters too.

        ``texts``: those of all annotations of all recordings. ValueError for a text that occurs in other
        letters alone.
        """
        present = dict.fromkeys(texts)
        ends = (text for pair in self.begins.values() for text in pair)
        wanted = dict.fromkeys([*self.names, *self.begins, *ends])
        missing = [text for text in wanted if text not in present]
        if not missing:
            return self._also_spelled(present, wanted, source)
        has = f"its annotations are {listed(list(present))}" if present else "it has no annotations"
        alike = {_folded(text): text for text in present if text not in wanted}
        for text in missing:
            if _folded(text) in alike:
                raise MentionError(
                    f"the text {shown(text)} (",
                    Mention("labels"),
                    f") does not occur in {source}, expected {shown(alike[_folded(text)])}: {has}",
                )
        what = f"the text {listed(missing)} does" if len(missing) == 1 else f"the texts {listed(missing)} do"
        rest = "" if len(missing) < len(wanted) else f"; all steps have the label {self.other!r}"
        return [f"{what} not occur in {source}: {has}{rest}", *self._also_spelled(present, wanted, source)]

    def _also_spelled(self, present: Iterable[str], wanted: Iterable[str], source: str) -> list[str]:
        """Return a note for each text that occurs in other letters than in ``labels``, beside those."""
        alike = {_folded(text): text for text in wanted}
        others = (text for text in present if text not in wanted and _folded(text) in alike)
        return [
            f"the text {shown(text)} occurs in {source}, but labels has {shown(alike[_folded(text)])} alone: "
            f"its steps have the label {self.other!r}"
            for text in others
        ]


def _by_onset(annotations: Sequence[Annotation]) -> Iterable[tuple[float, list[str]]]:
    """Return the texts at each onset, in order."""
    at: defaultdict[float, list[str]] = defaultdict(list)
    for onset, _, text in annotations:
        at[onset].append(text)
    return sorted(at.items())


def _folded(text: str) -> str:
    """Return a text without what people write differently: case and blanks."""
    return "".join(text.casefold().replace("_", " ").split())


def _step(place: float) -> int:
    """Return the first step at or after a place, which may be slightly off because of rounding."""
    return int(np.ceil(place - 1e-6))
