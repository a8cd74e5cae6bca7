"""The files of a data set: lists and folders of recordings, their ids, subjects and annotation files."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path, PurePath
from typing import Any

from elman._validation import as_text, describe
from elman.datasets.edf_header import annotations_alone
from elman.datasets.row_files import read_rows
from elman.errors import ArgumentTypeError, ArgumentValueError
from elman.reading.parsing import shown

ENDINGS = (".edf", ".bdf", ".rec")
_FILES = ("file", "filename", "recording", "path", "id")
_SUBJECTS = ("subject", "subject_id", "participant", "participant_id", "patient", "patient_id")


def recordings(path: Any) -> tuple[list[str], list[str]]:
    """Return the files of a path, a folder or a list of both, and those in folders that have no signals."""
    given = path if isinstance(path, (list, tuple)) else [path]
    if not given:
        raise ArgumentValueError("path", "is an empty list", "at least one file")
    found: list[str] = []
    silent: list[str] = []
    for i, one in enumerate(given):
        text = as_text(one, "path" if given is not path else f"path[{i}]")
        if Path(text).is_dir():
            for file in _within(text):
                (silent if annotations_alone(file) else found).append(file)
        else:
            found.append(text)
    if not found:
        raise ValueError(f"{silent[0]!r} has annotations, but no signals, as all files of its folder")
    places: set[str] = set()
    for text in found:
        place = text if "\0" in text else os.path.realpath(text)
        if place in places:
            raise ArgumentValueError("path", f"has {text!r} twice", "each file once")
        places.add(place)
    return found, silent


def _within(folder: str) -> list[str]:
    """Return the recordings in a folder and its subfolders, in the order of their names."""
    files = [
        str(file)
        for file in sorted(Path(folder).rglob("*"))
        if file.suffix.lower() in ENDINGS and not file.name.startswith(".") and file.is_file()
    ]
    if not files:
        raise ValueError(f"{folder!r} has no recordings, expected files in {', '.join(ENDINGS)}")
    return files


def ids(paths: Sequence[str]) -> list[str]:
    """Return the names of recordings: of their files, with folders if two files have one name.

    >>> ids(["a/night1.edf", "a/night2.edf"]), ids(["s1/night.edf", "s2/night.edf"])
    (['night1', 'night2'], ['s1/night', 's2/night'])
    """
    names = [Path(path).stem for path in paths]
    if len(set(names)) == len(names):
        return names
    absolute = [Path(path).absolute() for path in paths]
    above = os.path.commonpath([path.parent for path in absolute])
    whole = [path.relative_to(above) for path in absolute]
    names = [path.with_suffix("").as_posix() for path in whole]
    return names if len(set(names)) == len(names) else [path.as_posix() for path in whole]


def subjects(given: Any, paths: Sequence[str]) -> list[str] | None:
    """Return the subject of each recording; ``given``: a function of the path, a mapping, or a table."""
    if given is None:
        return None
    expected = "a function of the path, a mapping from files to subjects, or a CSV or TSV file"
    found = chosen(
        "subjects", given if not isinstance(given, (str, os.PathLike)) else _table(given), paths, expected
    )
    for subject, path in zip(found, paths, strict=True):
        if isinstance(subject, bool) or not isinstance(subject, (str, int)) or subject == "":
            raise ArgumentTypeError(
                "subjects", f"gives {describe(subject)} for {path!r}", "a name or a number"
            )
    return [str(subject) for subject in found]


def annotation_files(given: Any, paths: Sequence[str]) -> list[str | None]:
    """Return the file that has the annotations of each recording, None: the recording itself."""
    if given is None:
        return [None] * len(paths)
    if isinstance(given, (str, os.PathLike)):
        return [as_text(given)] * len(paths)
    expected = "a file, a mapping from recordings to files, or a function of the path"
    found = chosen("annotations", given, paths, expected)
    return [None if file is None else as_text(file, "annotations") for file in found]


def _table(path: Any) -> dict[str, str]:
    table = read_rows(as_text(path, "subjects"))
    file, subject = table.needed(_FILES), table.needed(_SUBJECTS)
    found: dict[str, str] = {}
    for row in table.rows:
        name, of = row.cells[file], row.cells[subject]
        if not of or of == "n/a":
            raise ValueError(f"{row.where}: {shown(name)} has no subject")
        if found.setdefault(name, of) != of:
            raise ValueError(f"{row.where}: {shown(name)} has a second subject, expected one")
    return found


def chosen(
    name: str, given: Callable[[str], Any] | Mapping[Any, Any], paths: Sequence[str], expected: str
) -> list[Any]:
    """Return what a function or a mapping gives for each path.

    The keys of a mapping are paths as they were given, or the last parts of them, with or without extension.
    """
    if callable(given):
        return [given(path) for path in paths]
    if not isinstance(given, Mapping):
        raise ArgumentTypeError(name, f"is {describe(given)}", expected)
    keys = {os.fspath(key): value for key, value in given.items() if isinstance(key, (str, os.PathLike))}
    users: dict[str, str] = {}
    found = []
    for path in paths:
        fitting = [path] if path in keys else [key for key in keys if _ends(path, key)]
        if len(fitting) != 1:
            what = f"has {len(fitting)} entries" if fitting else "has no entry"
            raise ArgumentValueError(name, f"{what} for {path!r}", f"one, such as {Path(path).name!r}")
        other = users.setdefault(fitting[0], path)
        if other != path:
            problem = f"has one entry {fitting[0]!r} for {other!r} and {path!r}"
            raise ArgumentValueError(name, problem, "one for each, with its folder")
        found.append(keys[fitting[0]])
    return found


def _ends(path: str, key: str) -> bool:
    """Whether the last parts of a path are those of a key."""
    own, parts = PurePath(path), PurePath(key).parts
    return parts in (own.parts[-len(parts) :], own.with_suffix("").parts[-len(parts) :])
