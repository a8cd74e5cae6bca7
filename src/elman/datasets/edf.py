"""EDF and BDF, the common formats of EEG and sleep recordings."""

from __future__ import annotations

import os
import warnings
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from fractions import Fraction
from pathlib import Path
from typing import Any, Literal, NamedTuple, overload

import numpy as np

from elman._validation import choice, number
from elman.data.recording_ids import RecordingId
from elman.data.sequences import Array, Sequences
from elman.datasets import edf_files
from elman.datasets.annotation_files import Beside, read_beside
from elman.datasets.dataset import Annotation, Dataset, Description, described
from elman.datasets.edf_annotations import Records, read_annotations
from elman.datasets.edf_channels import check_units, chosen_channels, common_rate, like_first
from elman.datasets.edf_header import read_header
from elman.datasets.edf_info import jump
from elman.datasets.edf_labels import Labels
from elman.datasets.edf_samples import read_samples
from elman.datasets.edf_times import Clock, parts
from elman.errors import Mention, MentionError
from elman.reading.paths import check_file

File = str | os.PathLike[str]
Files = File | Sequence[File]
Subjects = Callable[[str], str | int] | Mapping[Any, str | int] | File
AnnotationFiles = File | Mapping[Any, File | None] | Callable[[str], File | None]


@overload
def load_edf(
    path: Files,
    *,
    channels: Sequence[str | int] | None = None,
    fs: float | None = None,
    labels: None = None,
    other: Any = 0,
    subjects: Subjects | None = None,
    annotations: AnnotationFiles | None = None,
    overlap: Literal["later", "earlier", "refuse"] = "later",
    damaged: Literal["refuse", "read"] = "refuse",
) -> Dataset[None]: ...
@overload
def load_edf(
    path: Files,
    *,
    channels: Sequence[str | int] | None = None,
    fs: float | None = None,
    labels: Mapping[Any, Any],
    other: Any = 0,
    subjects: Subjects | None = None,
    annotations: AnnotationFiles | None = None,
    overlap: Literal["later", "earlier", "refuse"] = "later",
    damaged: Literal["refuse", "read"] = "refuse",
) -> Dataset[list[Array]]: ...
def load_edf(
    path: Files,
    *,
    channels: Sequence[str | int] | None = None,
    fs: float | None = None,
    labels: Mapping[Any, Any] | None = None,
    other: Any = 0,
    subjects: Subjects | None = None,
    annotations: AnnotationFiles | None = None,
    overlap: Literal["later", "earlier", "refuse"] = "later",
    damaged: Literal["refuse", "read"] = "refuse",
) -> Dataset[list[Array]] | Dataset[None]:
    """Return the signals of EDF, EDF+, BDF or BDF+ files, and labels from their annotations.

    Shapes: X float32 (T, F) in physical units, one sequence for each file. A recording with interruptions
    (EDF+D, or times that jump) gives several, all with the file's name in ``description.ids``. y is None
    without ``labels``, otherwise a list of (T,) for each sequence, one label per step. ``description`` has
    the names and units of the channels, the subjects, and for one file all its annotations.

    Parameters
    ----------
    path : str or os.PathLike, or a list
        Files, or folders, whose .edf, .bdf and .rec files are read, those of subfolders too, in the order of
        their names. The format is decided by the content of a file. All files must have the same channels, by
        name, and the same rate. `edf_info` says what is in a file.
    channels : list or None
        Names as in the file, such as "EEG Fp1", or numbers from 1; None takes all signals.
    fs : float or None
        All channels are resampled to this rate in Hz (`scipy.signal.resample_poly`: low-pass, no delay). None
        keeps the common rate of the channels, which must be the same for all.
    labels : mapping or None
        Maps the text of an annotation to the label of the steps it covers, such as ``{"seizure": 1}``, or two
        texts to the label of the steps between them, ``{("onset", "end"): 1}``; if the second is missing, to
        the end of the recording. Texts must match the file exactly; other annotations are ignored. An
        annotation without a duration labels the one step that it lies in.
    other : label
        The label of all other steps.
    subjects : function, mapping, path or None
        Who was recorded, for ``description.subjects``: a function of the path, a mapping from paths or names
        of files, or a CSV or TSV file with columns ``file`` and ``subject``. None: each file is its own.
    annotations : path, function, mapping or None
        A file that has the annotations instead of the recording: EDF+ (such as a hypnogram), CSV or TSV with
        columns ``onset``, ``duration`` in s and ``trial_type`` or ``text`` (such as BIDS events), or a
        summary of CHB-MIT, whose seizures become annotations "seizure". For several files a mapping, or a
        function of the path; where it gives None, the annotations are those of the recording.
    overlap : {"later", "earlier", "refuse"}
        Which annotation labels a step if two with different labels cover it, with a warning; or an error.
    damaged : {"refuse", "read"}
        "read" reads a truncated or damaged file up to the damage, with a warning.

    Raises
    ------
    ValueError
        If the file is truncated, damaged or of another format; if channels are unknown, have no physical
        range or different rates (without ``fs``); if files differ in their channels, units or rates; if two
        annotations with different labels begin together; if a text of ``labels`` is written otherwise in the
        file.
    TypeError, OSError
        For a path of a wrong type, and for files that cannot be opened.
    ImportError
        If edfio is not installed (extra ``eeg``).

    Warns
    -----
    UserWarning
        If something was read otherwise than it stands in the file, if texts of ``labels`` occur nowhere, and
        if annotations with a label overlap or lie outside the recorded time.

    Source: Kemp et al., Electroencephalogr. Clin. Neurophysiol. 82, 391 (1992); EDF+: Kemp and Olivan, Clin.
    Neurophysiol. 114, 1755 (2003).
    """
    files, silent = edf_files.recordings(path)
    policy = choice("overlap", overlap, ("later", "earlier", "refuse"))
    wanted = _Wanted(
        channels,
        None if fs is None else Fraction(repr(number("fs", fs, positive=True))),
        None if labels is None else Labels(labels, other, policy),
        choice("damaged", damaged, ("refuse", "read")) == "read",
    )
    who = edf_files.subjects(subjects, files)
    notes = []
    if silent and annotations is None:
        notes.append(f"{silent[0]!r} has annotations, but no signals: it is left out (annotations= reads it)")
    found = _read_all(files, edf_files.annotation_files(annotations, files), wanted)
    try:
        dataset = _joined(found, edf_files.ids(files), who, wanted.labels)
    except MemoryError:
        raise ValueError(f"{len(files)} files need more memory than there is") from None
    notes += [note for one in found for note in one.notes]
    if wanted.labels is not None:
        many = f"any of {len(files)} files, the first is " if len(files) > 1 else ""
        source = f"{many}{files[0]!r}"
        notes += wanted.labels.check_texts((text for one in found for text in one.texts), source)
    for note in notes:
        warnings.warn(note, UserWarning, stacklevel=2)
    return dataset


class _Wanted(NamedTuple):
    channels: Any
    rate: Fraction | None
    labels: Labels | None
    damaged: bool


class _Recording(NamedTuple):
    """What was read from one file: values (N, F), the steps and labels of its sequences, notes."""

    path: str
    channels: tuple[str, ...]
    units: tuple[str, ...]
    rate: Fraction
    seconds: float
    values: Array
    lengths: list[int]
    y: list[Array]
    annotations: tuple[Annotation, ...]
    texts: tuple[str, ...]
    notes: tuple[str, ...]


def _read_all(files: list[str], beside: list[str | None], wanted: _Wanted) -> list[_Recording]:
    """Return all recordings; those after the first one must be like it."""
    found: list[_Recording] = []
    users = Counter(beside)
    for file, one in zip(files, beside, strict=True):
        try:
            found.append(_read(file, one, users[one] > 1, wanted, found[0] if found else None))
        except MemoryError:
            raise ValueError(f"{file!r} needs more memory than there is") from None
    return found


def _read(
    path: str, beside: str | None, of_many: bool, wanted: _Wanted, first: _Recording | None
) -> _Recording:
    """Return one recording, with the channels and the rate of the first one.

    ``beside`` has its annotations, ``of_many``: and those of other recordings.
    """
    source = repr(path)
    check_file(path, source)
    content = Path(path).read_bytes()
    header = read_header(content, len(content), source, wanted.damaged)
    chosen = chosen_channels(header, wanted.channels, source)
    if first is not None:
        chosen = like_first(header, chosen, wanted.channels, first.channels, repr(first.path), source)
    records = read_annotations(lambda at, size: content[at : at + size], header, source, wanted.damaged)
    header, notes = records.header, list(records.header.notes)
    signals = [header.signals[i] for i in chosen]
    rates = [signal.samples / header.duration for signal in signals]
    names, units = tuple(signal.label for signal in signals), tuple(signal.unit for signal in signals)
    rate = common_rate(rates, names, source) if wanted.rate is None else wanted.rate
    if first is not None:
        _check_same(first, rate, units, source)
    bounds = parts(records.starts, header, float(max(rates)))
    notes += jump(records, bounds, source)
    values, lengths = read_samples(content, header, chosen, rate, bounds, source)
    known = Beside(records.annotations, tuple(one.text for one in records.annotations))
    if beside is not None:
        known = read_beside(beside, path, records.begun(), of_many, wanted.damaged)
    y: list[Array] = []
    if wanted.labels is not None:
        of = source if beside is None else repr(beside)
        y, more = _labeled(wanted.labels, known, records, bounds, lengths, rate, of)
        notes += more
    return _Recording(
        path,
        names,
        units,
        rate,
        float(header.records * header.duration),
        values,
        lengths,
        y,
        known.annotations,
        known.texts,
        (*notes, *known.notes),
    )


def _check_same(first: _Recording, rate: Fraction, units: tuple[str, ...], source: str) -> None:
    if rate != first.rate:
        raise MentionError(
            f"{source} has {float(rate):g} Hz and {first.path!r} {float(first.rate):g} Hz, expected one "
            "rate: give ",
            Mention("fs", bare=True),
        )
    check_units(units, first.units, first.channels, repr(first.path), source)


def _labeled(
    labels: Labels,
    known: Beside,
    records: Records,
    bounds: list[tuple[int, int]],
    lengths: list[int],
    rate: Fraction,
    source: str,
) -> tuple[list[Array], list[str]]:
    """Return the labels of each sequence of a recording, and notes."""
    starts, duration = records.starts, records.header.duration
    intervals = labels.intervals(known.annotations, float(starts[-1]) + float(duration), source)
    each = float(duration * rate)
    labeled = [
        labels.steps(intervals, Clock(starts[first:last], each, float(rate)), steps, source)
        for (first, last), steps in zip(bounds, lengths, strict=True)
    ]
    return [one.y for one in labeled], labels.notes(intervals, labeled, source)


def _joined(
    found: list[_Recording], ids: list[str], subjects: list[str] | None, labels: Labels | None
) -> Dataset[list[Array]] | Dataset[None]:
    """Return the recordings as one data set."""
    first = found[0]
    names = ids if subjects is None else list(map(RecordingId, ids, subjects))
    of = [i for i, one in enumerate(found) for _ in one.lengths]
    seconds = sum(one.seconds for one in found)
    name = Path(first.path).name if len(found) == 1 else f"{len(found)} recordings"
    whose = "its" if len(found) == 1 else "their"
    description = Description(
        text=f"{name}: {len(first.channels)} of {whose} channels, {seconds:g} s at {float(first.rate):g} Hz",
        fs=float(first.rate),
        channels=first.channels,
        ids=tuple(names[i] for i in of),
        units=first.units,
        annotations=first.annotations if len(found) == 1 else (),
        subjects=tuple((subjects or ids)[i] for i in of),
    )
    values = first.values if len(found) == 1 else np.concatenate([one.values for one in found])
    offsets = np.cumsum([0, *(length for one in found for length in one.lengths)])
    y: Any = None if labels is None else [steps for one in found for steps in one.y]
    return Dataset(described(Sequences(values, offsets), description), y, description)
