"""The EEG of the University of Bonn, read from the published files."""

from __future__ import annotations

import os
import re
import zipfile
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from elman._validation import as_text, describe
from elman.data.sequences import Array, Sequences
from elman.datasets.dataset import Dataset, Description, described
from elman.errors import ArgumentTypeError, ArgumentValueError
from elman.reading import read
from elman.reading.parsing import listed, reason, shown
from elman.reading.paths import check_file

FS = 173.61  # Hz
SOURCE = (
    "Andrzejak, Lehnertz, Rieke, Mormann, David, Elger: Indications of nonlinear deterministic and finite-"
    "dimensional structures in time series of brain electrical activity. Phys. Rev. E 64, 061907 (2001)"
)
STEPS = 4097

_FILES = {"A": "Z", "B": "O", "C": "N", "D": "F", "E": "S"}  # the letter of a set's files
_SETS = {letter: name for name, letter in _FILES.items()}
_NAME = re.compile(r"([ZONFS])([0-9]{3})\.txt", re.IGNORECASE)
_LINE = re.compile(rb"\s*[+-]?[0-9]{1,9}\s*")
_LARGEST = 2**20  # bytes: a segment has less than a twentieth
_DEPTH = 3  # folders below the one that was given

Path_ = str | os.PathLike[str]


def load_bonn(path: Path_ | Sequence[Path_], *, sets: str | None = None) -> Dataset[Array]:
    """Return the segments of EEG published by the University of Bonn in 2001.

    Five sets of 100 segments of one channel, 4097 samples (23.6 s) each: A healthy, eyes open; B healthy,
    eyes closed (both from the scalp); C, D between seizures, from the other hemisphere and from the focus; E
    during seizures (all from inside the skull). Shapes: X float32 (4097, 1) each, y (n,) of "A" to "E", by
    set and number; ``description.ids`` are the names of the files, such as "Z001".

    Parameters
    ----------
    path : path or list of paths
        A folder with the text files or the zips of the sets, in folders of any names, three levels deep; a
        zip; an .npz with X (n, 4097), set (n,) and id (n,); or several of these. The first letter of a file's
        name gives the set of the segment: Z, O, N, F, S for A, B, C, D, E, in upper or lower case.
    sets : str or None
        The sets to return, such as "ADE", all of which must be present; None takes all sets that are present.

    Raises
    ------
    ValueError
        If a file is damaged (the message names the file and the line), a set is missing, or a segment is
        present twice with different values.
    TypeError, OSError
        For a path of a wrong type, and for files that cannot be opened.

    Source: Andrzejak et al., Phys. Rev. E 64, 061907 (2001). The files belong to their authors and are for
    research.
    """
    paths = list(path) if isinstance(path, (list, tuple)) else [path]
    if not paths:
        raise ArgumentValueError("path", "is an empty list", "at least one folder, .zip or .npz")
    wanted = _wanted(sets)
    found: dict[str, tuple[str, Array]] = {}
    for one in paths:
        text = as_text(one)
        count = 0
        for name, values, where in _segments(text, wanted):
            count += 1
            first, known = found.setdefault(name, (where, values))
            if not np.array_equal(known, values):
                raise ValueError(f"{where} has other values than {first}, expected one segment {name}")
        if not count:
            of = "" if sets is None else f" of the sets {sets}"
            raise ArgumentValueError(
                f"{text!r}", f"has no segments{of}", "files named as the owners do: Z001.txt"
            )
    order = sorted(found, key=lambda name: (_SETS[name[0]], name))
    y = np.array([_SETS[name[0]] for name in order])
    for letter in wanted if sets is not None else "":
        if _SETS[letter] not in y:
            raise ValueError(f"no segment of set {_SETS[letter]} ({letter}001.txt ...) was found")
    values = np.concatenate([found[name][1] for name in order]).astype(np.float32)[:, None]
    counts = ", ".join(f"{int((y == name).sum())} of {name}" for name in sorted(set(y)))
    description = Description(
        f"EEG of the University of Bonn: {counts}", FS, ("EEG",), tuple(order), SOURCE, ("µV",)
    )
    return Dataset(
        described(Sequences(values, np.arange(len(order) + 1) * STEPS), description), y, description
    )


def _wanted(sets: Any) -> str:
    """Return the file letters of the requested sets."""
    if sets is None:
        return "ZONFS"
    if not isinstance(sets, str):
        raise ArgumentTypeError("sets", f"is {describe(sets)}", "letters from A to E such as 'ADE'")
    letters = sets.upper()
    if not letters or set(letters) - set(_FILES) or len(set(letters)) < len(letters):
        raise ArgumentValueError(
            "sets", f"is {describe(sets)}", "letters from A to E, each once, such as 'ADE'"
        )
    return "".join(_FILES[letter] for letter in letters)


def _segments(path: str, wanted: str) -> Iterator[tuple[str, Array, str]]:
    """Yield name, values (4097,) and place of each requested segment."""
    if Path(path).is_dir():
        yield from _from_folder(Path(path), wanted)
        return
    check_file(path, repr(path))
    ending = Path(path).suffix.lower()
    if ending == ".zip":
        yield from _from_zip(path, wanted)
    elif ending == ".npz":
        yield from _from_npz(path, wanted)
    else:
        raise ValueError(f"{path!r} ends in {shown(ending)}, expected a folder, a .zip or an .npz")


def _from_folder(folder: Path, wanted: str) -> Iterator[tuple[str, Array, str]]:
    levels = ["/".join("*" * depth) for depth in range(1, _DEPTH + 2)]
    for file in sorted(file for level in levels for file in folder.glob(level)):
        name = _name(file.name, wanted)
        if name:
            check_file(str(file), repr(str(file)))
            with file.open("rb") as stream:
                yield name, _values(stream.read(_LARGEST + 1), repr(str(file))), repr(str(file))
        elif file.suffix.lower() == ".zip" and file.is_file():
            yield from _from_zip(str(file), wanted)


def _name(file: str, wanted: str) -> str | None:
    """Return the name of the segment that a file has, by its own name, or None."""
    match = _NAME.fullmatch(file)
    if match is None or match[1].upper() not in wanted:
        return None
    return match[1].upper() + match[2]


def _from_zip(path: str, wanted: str) -> Iterator[tuple[str, Array, str]]:
    with Path(path).open("rb") as file:
        try:
            archive = zipfile.ZipFile(file)
            infos = archive.infolist()
        except Exception as error:
            raise ValueError(f"{path!r} cannot be read as a zip: {reason(error)}") from None
        for info in infos:
            name = _name(info.filename.replace("\\", "/").rpartition("/")[2], wanted)
            if not name:
                continue
            where = f"{path!r}, {shown(info.filename)}"
            try:
                with archive.open(info) as stream:
                    content = stream.read(_LARGEST + 1)
                    stream.read(1)  # at the end, zipfile checks the sum
            except Exception as error:
                raise ValueError(f"{where} cannot be read: {reason(error)}") from None
            yield name, _values(content, where), where


def _values(content: bytes, where: str) -> Array:
    """Return the samples of a text file with one integer per line."""
    if len(content) > _LARGEST:
        raise ValueError(f"{where} is larger than a segment can be, expected {STEPS} lines of one integer")
    lines = content.rstrip().splitlines()
    for at, line in enumerate(lines, 1):
        if not _LINE.fullmatch(line):
            text = line.decode("ascii", "replace").strip()
            problem = f"{shown(text)} is not an integer" if text else "the line is empty, expected an integer"
            raise ValueError(f"{where} line {at}: {problem}")
    if len(lines) != STEPS:
        raise ValueError(f"{where} has {len(lines)} samples, expected {STEPS}")
    values = np.array(list(map(int, lines)))
    return _in_range(values, lambda at: f"{where} line {at + 1}")


def _in_range(values: Array, where: Any) -> Array:
    """Return samples as int16, or raise: the recorder had 12 bits."""
    wrong = np.flatnonzero((values < -(2**15)) | (values >= 2**15) | (values != np.round(values)))
    if len(wrong):
        at = int(wrong[0])
        raise ValueError(f"{where(at)}: {values[at]} is no sample, expected an integer from -32768 to 32767")
    return values.astype(np.int16)


def _from_npz(path: str, wanted: str) -> Iterator[tuple[str, Array, str]]:
    source = repr(path)
    file = read(path, label="set", id="id", per_step=False)
    assert file.y is not None and file.ids is not None  # asked for, so there  # noqa: PT018
    for i, (x, letter, name) in enumerate(zip(file.X, file.y, file.ids, strict=True)):
        where = f"{source}, 'X'[{i}]"
        known = re.fullmatch(r"[ZONFS][0-9]{3}", name)
        if known is None or letter != _SETS[name[0]]:
            raise ValueError(
                f"{where} is segment {shown(name)} of set {shown(str(letter))}, expected names such as Z001, "
                f"O001, N001, F001, S001 for the sets {listed(list(_FILES))}"
            )
        if len(x) != STEPS or x.shape[1] != 1:
            raise ValueError(f"{where} has shape {x.shape}, expected ({STEPS}, 1)")
        if np.isnan(x).any():
            raise ValueError(f"{where}[{int(np.isnan(x).argmax())}] is missing, expected an integer")
        if name[0] in wanted:
            yield name, _in_range(x[:, 0], lambda at, where=where: f"{where}[{at}]"), where
