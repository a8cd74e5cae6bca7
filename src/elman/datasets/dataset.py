"""The result of every loader and simulator: the sequences, their labels, and a description."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Generic, NamedTuple, TypeVar

import numpy as np  # noqa: F401 - the examples of the docstrings use it

from elman.data.sequences import Array, Sequences

# One label per sequence, one array of labels for each sequence, or none.
Labels = TypeVar("Labels", Array, list[Array], None)


class Annotation(NamedTuple):
    """A note in a recording: onset in s from its start, duration in s or None, text.

    >>> Annotation(12.0, None, "eyes closed").text
    'eyes closed'
    """

    onset: float
    duration: float | None
    text: str


@dataclass(frozen=True)
class Description:
    """The description of a data set.

    ``fs`` is the sampling rate in Hz. ``channels`` are the names of the F features. ``ids`` (n,) are the
    recordings that the sequences come from, and ``subjects`` (n,) who was recorded: the ids where it is not
    known. A split must keep the sequences of a subject together. ``source`` is the reference to cite. If they
    are known, ``units`` (F,) are the units of the features and ``annotations`` the notes of a recording, in
    order of their onsets.

    >>> print(Description("two minutes of EEG", fs=128.0, channels=("Fz", "Cz"), ids=("a",)))
    two minutes of EEG
    """

    text: str
    fs: float
    channels: tuple[str, ...]
    ids: tuple[str, ...]
    source: str = ""
    units: tuple[str, ...] = ()
    annotations: tuple[Annotation, ...] = ()
    subjects: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        if not self.subjects:
            object.__setattr__(self, "subjects", tuple(map(str, self.ids)))

    def __str__(self) -> str:
        return self.text


def described(X: Sequences, description: Description) -> Sequences:
    """Return sequences that carry the channels, the units and the rate of their description.

    >>> described(Sequences(np.zeros((3, 1)), [0, 3]), Description("noise", 128.0, ("Fz",), ("a",)))[0].rate
    128.0
    """
    return Sequences(
        X.values,
        X.offsets,
        feature_names=description.channels,
        feature_units=description.units or None,
        rate=description.fs,
    )


class Dataset(NamedTuple, Generic[Labels]):
    """X, y, description: n sequences of (T_i, F), their labels, and their description.

    X carries the names and units of the channels and the rate, and models keep them.

    >>> from elman.datasets import simulate_eeg
    >>> X, y, description = simulate_eeg(1, kinds=("healthy",), seconds=1.0)
    >>> len(X), description.channels
    (1, ('EEG',))
    """

    X: Sequences
    y: Labels
    description: Description
