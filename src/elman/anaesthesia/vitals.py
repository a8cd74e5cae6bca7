"""Records of anaesthesia: infusion rates, BIS, pressure and heart rate, one row every ten seconds."""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from elman import reading
from elman.data.alignment import aligned
from elman.data.counting import is_nameless
from elman.data.feature_names import Features, known_of, named
from elman.data.sequences import Array, Sequences
from elman.datasets.dataset import Dataset, Description
from elman.reading import csv_files, npz_files
from elman.reading.parsing import listed, shown

SECONDS = 10.0  # between two rows
BIS = "BIS/BIS"
VITALDB = "Lee et al. 2022, VitalDB, Scientific Data 9:279"

_CASES = ("caseid", "case", "case_id", "id")
_MOST_ROWS = 60_480  # of a case: a week


def load_vitals(path: str | os.PathLike[str]) -> Dataset[list[Array]]:
    r"""Return the operations of an .npz or CSV file: X the tracks, y the BIS readings, and a description.

    Shapes: X `Sequences` of n operations (T_i, F), float32, NaN where there is no value; y a list of n arrays
    (T_i,), float32: the column BIS of X. A BIS of 0, which monitors write where they have no reading, is NaN
    in both. ``description.channels`` are the names of the F tracks in the file, ``description.ids`` the
    operations, and ``description.fs`` is 0.1 Hz. Its text gives the counts and the tracks without any value.

    - .npz: ``tracks``, F names, and for each operation an array (T_i, F) whose key begins with ``case_``.
    - .csv, .tsv, .txt: a header line; a column with the operation (caseid, case, case_id or id), a column
      ``time`` in seconds, and one for each track; one row for each step of ten seconds, in any order. An
      empty cell or a missing row means no value.

    Tracks have the names of VitalDB. BIS/BIS is required. Orchestra/PPF20_RATE and Orchestra/RFTN20_RATE are
    infusion rates in ml/h, Solar8000/ART_MBP is the mean arterial pressure in mmHg, Solar8000/PLETH_HR the
    heart rate in 1/min. The name of the device may be omitted.

    Raises
    ------
    ValueError
        If the file is damaged or of another kind; the message names the file and the line, key or row.
    TypeError
        If path is not a path.
    OSError
        If the file cannot be opened.

    >>> from tempfile import TemporaryDirectory
    >>> with TemporaryDirectory() as folder:
    ...     path = Path(folder, "cases.csv")
    ...     _ = path.write_text("caseid,time,PPF20_RATE,BIS\n7,0,60,95.5\n7,10,60,0\n7,30,60,80\n")
    ...     X, y, description = load_vitals(path)
    >>> y[0].tolist(), description.channels
    ([95.5, nan, nan, 80.0], ('PPF20_RATE', 'BIS'))
    """
    text, source = reading.existing(path, (".npz", ".csv", ".tsv", ".txt"))
    try:
        ids, cases, tracks = (_from_npz if text.lower().endswith(".npz") else _from_csv)(text, source)
    except MemoryError:
        raise ValueError(f"{source} needs more memory than there is") from None
    column = find_track(tracks, BIS)
    if column is None:
        raise ValueError(f"{source} has the tracks {listed(tracks)}, expected one called {BIS} or BIS")
    for name, case in zip(ids, cases, strict=True):
        _check(case, column, tracks, f"{source}, {shown(name)}")
        case[case[:, column] == 0, column] = np.nan
    values = np.concatenate(cases)
    offsets = np.cumsum([0, *(len(case) for case in cases)])
    X = Sequences(values, offsets, feature_names=tracks, rate=1.0 / SECONDS)
    return Dataset(X, [case[:, column] for case in X], _describe(X, ids, tracks))


def find_track(tracks: list[str] | tuple[str, ...], name: str) -> int | None:
    """Return the index of a track by its name, with or without the device; None if it is absent.

    >>> find_track(["Orchestra/PPF20_RATE", "BIS"], "BIS/BIS"), find_track(["BIS"], "Solar8000/ART_MBP")
    (1, None)
    """
    plain = name.rsplit("/", 1)[-1]
    return next((i for i, track in enumerate(tracks) if track in (name, plain)), None)


def in_order(X: Any, tracks: Sequence[str], name: str = "X") -> Any:
    """Return X with its columns in the order of the tracks, by their names, with or without the device.

    What has no names stays as it is. Errors: as for `elman.data.alignment.aligned`.
    """
    spelled = {track.rsplit("/", 1)[-1]: track for track in tracks}

    def respelled(item: Any) -> Any:
        found = known_of(item)
        if found.names is None:
            return item
        names = (
            each if each in tracks else spelled.get(each.rsplit("/", 1)[-1], each) for each in found.names
        )
        found = replace(found, names=tuple(names))
        if isinstance(item, Sequences):
            return Sequences(item.values, item.offsets, **found.arguments())
        return named(np.asarray(item), found)

    X = [respelled(each) for each in X] if isinstance(X, (list, tuple)) else respelled(X)
    return aligned(X, Features(tuple(tracks), None, 1.0 / SECONDS), name, None, "tracks")[0]


def _from_npz(path: str, source: str) -> tuple[list[str], list[Array], list[str]]:
    with Path(path).open("rb") as file:
        archive = npz_files.Archive(file, source)
        ids = [key for key in archive.entries if key.startswith("case_")]
        if not ids or "tracks" not in archive.entries:
            raise ValueError(
                f"{source} has the keys {listed(list(archive.entries)) or 'of no array'}, "
                f"expected 'tracks' and an array 'case_...' for each operation"
            )
        names = archive.array("tracks")
        if names.ndim != 1 or names.dtype.kind != "U":
            raise ValueError(
                f"{source}, 'tracks' has shape {names.shape} and dtype {names.dtype}, expected (F,) strings"
            )
        tracks = [str(name) for name in names.tolist()]
        cases = []
        for key in ids:
            case = archive.array(key)
            if case.dtype.kind != "f" or case.ndim != 2 or case.shape[1] != len(tracks) or not len(case):
                raise ValueError(
                    f"{source}, {shown(key)} has shape {case.shape} and dtype {case.dtype}, "
                    f"expected (T, {len(tracks)}) floats: a column for each of 'tracks'"
                )
            cases.append(_single(case))
    if len(set(tracks)) < len(tracks):
        raise ValueError(f"{source}, 'tracks' has a name twice: {listed(tracks)}")
    return ids, cases, tracks


def _from_csv(path: str, source: str) -> tuple[list[str], list[Array], list[str]]:
    names = csv_files.header(path, source)
    case = [name for name in names if name.lower() in _CASES]
    time = [name for name in names if name.lower() == "time"]
    tracks = [name for name in names if name not in (*case, *time)]
    if len(case) != 1 or len(time) != 1:
        raise ValueError(
            f"{source} has the columns {listed(names)}, expected one with the operation "
            f"({', '.join(_CASES)}), one called time, and one for each track"
        )
    for name in tracks:
        if is_nameless(name):
            raise ValueError(
                f"{source} has the column {shown(name)}, the name of one without a name: no track"
            )
    if not tracks:
        raise ValueError(f"{source} has no columns of tracks, expected {BIS} and others")
    file = reading.read(path, id=case[0], time=time[0], features=tracks, layout="long", header=True)
    assert file.ids is not None and file.times is not None  # noqa: PT018 - a long table with a time has both
    cases = []
    for name, values, times in zip(file.ids, file.X, file.times, strict=True):
        cases.append(_regular(_single(values), times, f"{source}, {shown(name)}"))
    return file.ids, cases, tracks


def _regular(values: Array, times: Array, where: str) -> Array:
    """Return one row for every ten seconds from the first to the last, NaN where a row is missing."""
    places = (times - times[0]) / SECONDS
    rows = np.rint(places)
    off = np.abs(places - rows) > 1e-3
    if off.any():
        at = int(np.argmax(off))
        raise ValueError(
            f"{where}: time {times[at]} is not a whole number of steps of {SECONDS:g} s after "
            f"{times[0]}, the first"
        )
    count = int(rows[-1]) + 1
    if count > max(_MOST_ROWS, 2 * len(rows)):
        raise ValueError(f"{where}: the times go from {times[0]} to {times[-1]} s, expected an operation")
    out = np.full((count, values.shape[1]), np.nan, np.float32)
    out[rows.astype(np.int64)] = values
    return out


def _single(values: Array) -> Array:
    with np.errstate(over="ignore"):
        return np.array(values, dtype=np.float32, order="C")


def _check(case: Array, column: int, tracks: list[str], where: str) -> None:
    wrong = np.isinf(case)
    wrong[:, column] |= (case[:, column] < 0) | (case[:, column] > 100)
    for name in ("Orchestra/PPF20_RATE", "Orchestra/RFTN20_RATE"):
        rate = find_track(tracks, name)
        if rate is not None:
            wrong[:, rate] |= case[:, rate] < 0
    if wrong.any():
        row, at = (int(i) for i in np.argwhere(wrong)[0])
        wanted = "BIS from 0 to 100" if at == column else "finite numbers, and rates of at least 0"
        raise ValueError(f"{where}, row {row + 1}, {tracks[at]} is {case[row, at]:g}, expected {wanted}")


def _describe(X: Sequences, ids: list[str], tracks: list[str]) -> Description:
    values: Any = X.values
    known = ~np.isnan(values)
    empty = [name for name, some in zip(tracks, known.any(axis=0), strict=True) if not some]
    bis = known[:, find_track(tracks, BIS)].mean()
    text = (
        f"{len(X)} operations, {len(values)} steps of {SECONDS:g} s; a BIS reading at {bis:.0%} of them; "
        f"tracks {', '.join(tracks)}"
    )
    if empty:
        text += f"; without any value: {', '.join(empty)}"
    return Description(text, 1.0 / SECONDS, tuple(tracks), tuple(ids), VITALDB)
