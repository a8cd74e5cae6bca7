"""Names of recordings that know their subject, so that a split can say when it divides one."""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from elman.data.sequences import Array

Rows = NDArray[np.int64]

# The part of a name that names a subject in the usual ways, if more follows.
_NAMED = tuple(
    re.compile(pattern, re.IGNORECASE)
    for pattern in (
        r"(.*?\bsub-[a-z0-9]+)[_/].*",  # BIDS: sub-01_ses-1, sub-01/ses-1/...
        r"(.*?(?:^|[^a-z])(?:subj?|subject|participant|pat|patient|person|chb)[-_ ]?[0-9]+)[^0-9].*",
        r"((?:.*/)?S[0-9]{3})R[0-9]{2}",  # PhysioNet's motor imagery
        r"((?:.*/)?S[CT][0-9]{3})[0-9][A-Z][0-9].*",  # Sleep-EDF: a subject of two digits, then the night
    )
)


class RecordingId(str):
    """The name of a recording, a string; ``subject`` is the name of its subject.

    >>> name = RecordingId("night1", "Ada")
    >>> name, name.subject
    ('night1', 'Ada')
    """

    subject: str

    def __new__(cls, name: str, subject: str = "") -> RecordingId:
        made = super().__new__(cls, name)
        made.subject = subject
        return made


def subject_of(name: object) -> object:
    """Return the subject of a recording: the one it carries, otherwise by its name, otherwise the name.

    >>> subject_of("sub-01_ses-1"), subject_of("subject3_night2"), subject_of("patient 03")
    ('sub-01', 'subject3', 'patient 03')
    """
    if isinstance(name, RecordingId):
        return name.subject
    if not isinstance(name, str):
        return name
    return next((found[1] for pattern in _NAMED if (found := pattern.fullmatch(name))), name)


def carried(values: Any, column: Array) -> Array:
    """Return a column of names; those that carry another subject than themselves stay what they are."""
    if not isinstance(values, (list, tuple)) and np.asarray(values).dtype.kind != "O":
        return column
    if not any(isinstance(value, RecordingId) and value.subject != value for value in values):
        return column
    kept = np.empty(len(column), object)
    kept[:] = list(values)
    return kept


class Divided(NamedTuple):
    """A subject on two sides of a split, a recording of it on each side, and the number of such subjects."""

    subject: object
    first: object
    second: object
    subjects: int

    def __str__(self) -> str:
        subject, first, second = (repr(str(name)) for name in self[:3])
        others = self.subjects - 1
        more = f" (and so do those of {others} other{'s' * (others > 1)})" if others else ""
        return (
            f"the recordings {first} and {second} of subject {subject} fall on both sides of a split{more}: "
            "group by subject, not by recording (description.subjects, which load_edf(subjects=...) fills)"
        )


def divided(names: Array, splits: Iterable[tuple[Rows, Rows]]) -> Divided | None:
    """Return a subject with recordings on both sides of one of the splits; None if there is none."""
    distinct, of = np.unique(names, return_inverse=True)
    known = distinct.tolist()
    subjects = [subject_of(name) for name in known]
    if len(set(subjects)) == len(subjects):
        return None
    for sides in splits:
        left, right = (
            {subjects[i]: known[i] for i in np.flatnonzero(np.bincount(of[rows])).tolist()[::-1]}
            for rows in sides
        )
        both = [subject for subject in left if subject in right and left[subject] != right[subject]]
        if both:
            return Divided(both[-1], left[both[-1]], right[both[-1]], len(both))
    return None
