"""What is in an EDF or BDF file, before its samples are read."""

from __future__ import annotations

import os
from collections import Counter
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from elman._validation import as_text
from elman.datasets.dataset import Annotation
from elman.datasets.edf_annotations import Records, read_annotations
from elman.datasets.edf_header import LARGEST_HEADER, read_header
from elman.datasets.edf_times import drift, parts
from elman.reading.parsing import shown
from elman.reading.paths import check_file


@dataclass(frozen=True)
class EdfInfo:
    """What is in an EDF or BDF file: see `edf_info`.

    Attributes
    ----------
    path : str
    kind : str
        EDF, EDF+C (continuous), EDF+D (interrupted), BDF, BDF+C or BDF+D.
    channels, units : tuple of str
        (F,) names and units of the signals.
    rates : tuple of float
        (F,) samples per second of the signals.
    start : datetime or None
        When the first sample was taken, None if the header has no date.
    seconds : float
        The recorded time in s, without interruptions.
    sequences : int
        The number of sequences that `load_edf` returns: parts without an interruption.
    annotations : tuple of Annotation
        All annotations, in order of their onsets, in s from the first sample.
    notes : tuple of str
        What is wrong with the file, and what `load_edf` reads otherwise than it stands there.
    """

    path: str
    kind: str
    channels: tuple[str, ...]
    rates: tuple[float, ...]
    units: tuple[str, ...]
    start: datetime | None
    seconds: float
    sequences: int
    annotations: tuple[Annotation, ...]
    notes: tuple[str, ...]

    @property
    def texts(self) -> dict[str, int]:
        """The texts of the annotations, and how often each occurs, the most frequent first.

        >>> notes = (Annotation(0.0, 30.0, "W"), Annotation(30.0, 30.0, "N1"), Annotation(60.0, 30.0, "W"))
        >>> EdfInfo("night.edf", "EDF+C", ("Cz",), (100.0,), ("uV",), None, 90.0, 1, notes, ()).texts
        {'W': 2, 'N1': 1}
        """
        return dict(Counter(note.text for note in self.annotations).most_common())


def edf_info(path: str | os.PathLike[str]) -> EdfInfo:
    """Return what is in an EDF or BDF file: channels, rates, units, start, duration, annotations.

    Only the header and the annotations are read, so it is quick and needs no edfio. Of a damaged file, the
    part before the damage is described, and ``notes`` says what is wrong.

    Raises
    ------
    ValueError
        If the file is of another format, or its header cannot be read.
    TypeError, OSError
        For a path of a wrong type, and for files that cannot be opened.

    >>> edf_info("notes.txt")
    Traceback (most recent call last):
    ...
    FileNotFoundError: [Errno 2] No such file or directory: 'notes.txt'
    """
    text = as_text(path)
    source = repr(text)
    check_file(text, source)
    with Path(text).open("rb") as file:
        length = file.seek(0, os.SEEK_END)

        def block(at: int, size: int) -> bytes:
            file.seek(at)
            return file.read(size)

        header = read_header(block(0, LARGEST_HEADER), length, source, damaged=True)
        records = read_annotations(block, header, source, damaged=True)
    header = records.header
    signals = [signal for signal in header.signals if not signal.annotations]
    rates = [signal.samples / header.duration for signal in signals]
    bounds = parts(records.starts, header, float(max(rates))) if rates else []
    wrong = [f"{source}, channel {shown(one.label)}: {one.problem}" for one in signals if one.problem]
    return EdfInfo(
        path=text,
        kind=header.kind,
        channels=tuple(signal.label for signal in signals),
        rates=tuple(map(float, rates)),
        units=tuple(signal.unit for signal in signals),
        start=records.begun(),
        seconds=float(header.records * header.duration) if signals else 0.0,
        sequences=len(bounds),
        annotations=records.annotations,
        notes=(*header.notes, *wrong, *time_notes(records, bounds, source)),
    )


def time_notes(records: Records, bounds: list[tuple[int, int]], source: str) -> list[str]:
    """Return notes on times that contradict the header: a clock that drifts, gaps where there are none."""
    found = []
    header, starts = records.header, records.starts
    late = drift(starts, header)
    if late and bounds:
        every = float(header.duration) + late
        found.append(f"{source}: its data records of {float(header.duration):g} s begin every {every:g} s")
    return found + jump(records, bounds, source)


def jump(records: Records, bounds: list[tuple[int, int]], source: str) -> list[str]:
    """Return a note on times that jump in a file that is marked as continuous."""
    if len(bounds) < 2 or records.header.interrupted:
        return []
    at = bounds[1][0]
    end = float(records.starts[at - 1]) + float(records.header.duration)
    length = float(records.starts[at]) - end
    note = (
        f"{source} is marked as continuous, but its times jump by {length:g} s after {end:g} s: it is read "
        f"as interrupted, in {len(bounds)} sequences"
    )
    return [note]
