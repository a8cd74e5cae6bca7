"""What every loader and simulator returns: the sequences, their labels, and what they are."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, NamedTuple

from elman.data.sequences import Sequences


class Annotation(NamedTuple):
    """What somebody wrote beside a recording: onset in s from its start, duration in s or None, text."""

    onset: float
    duration: float | None
    text: str


@dataclass(frozen=True)
class Description:
    """What a data set is and where it comes from.

    ``fs`` is the sampling rate in Hz, ``channels`` names the F features, ``ids`` (n,) says which recording
    each sequence is or was cut from (what a split must keep together), ``source`` whom to cite. Where they
    are known: ``units`` (F,), and the ``annotations`` of a recording in order of their onsets.
    """

    text: str
    fs: float
    channels: tuple[str, ...]
    ids: tuple[str, ...]
    source: str = ""
    units: tuple[str, ...] = ()
    annotations: tuple[Annotation, ...] = ()

    def __str__(self) -> str:
        return self.text


class Dataset(NamedTuple):
    """X, y, description: n sequences of (T_i, F), their labels, and what they are."""

    X: Sequences
    y: Any
    description: Description
