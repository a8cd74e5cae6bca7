"""The "Epileptic Seizure Recognition" table of the UCI archive: the EEG of Bonn in shuffled chunks."""

from __future__ import annotations

import os
import re
from itertools import pairwise

import numpy as np

from elman._validation import as_text, flag
from elman.data.sequences import Array, Sequences
from elman.datasets.bonn import FS, SOURCE
from elman.datasets.dataset import Dataset, Description, described
from elman.reading import csv_files
from elman.reading.columns import Options
from elman.reading.parsing import Codes, shown
from elman.reading.paths import check_file
from elman.reading.tables import Table

STEPS = 178  # of a chunk
CHUNKS = 23  # of a segment

_ID = re.compile(r"X([0-9]{1,2})\.(V[0-9.]{1,20})")
_COLUMNS = [*(f"X{i}" for i in range(1, STEPS + 1)), "y"]


def load_uci_seizure(path: str | os.PathLike[str], *, whole: bool = True) -> Dataset[Array]:
    """Return the EEG of the UCI archive's "Epileptic Seizure Recognition" table, as segments or as chunks.

    The table is made of the first 4094 samples of the 500 segments of `load_bonn`: 23 chunks of 178 samples
    each, one chunk per row, in random order. Chunks of one segment are not independent: a split must keep
    them together.

    Shapes: X float32, (4094, 1) each with ``whole=True``, otherwise (178, 1) in the order of the file. y (n,)
    as in the table: 1 seizure, 2 focus, 3 other hemisphere, 4 eyes closed, 5 eyes open (E to A of Bonn).
    ``description.ids`` name the segments, for example "4/V1.791". This is y and the part of the first column,
    "X21.V1.791", after the number of the chunk. Different sets use the same names, so y is needed.

    Parameters
    ----------
    path : str or os.PathLike
        A CSV file with the columns id, X1 to X178, y. It may have only some of the rows.
    whole : bool
        Join the chunks of each segment. All 23 must be present.

    Raises
    ------
    ValueError
        If the file is another one, damaged or incomplete; the message names line and column.
    TypeError, OSError
        For a path of a wrong type, and for files that cannot be opened.

    Source: Wu, Fokoue: Epileptic Seizure Recognition, UCI Machine Learning Repository (2017), from Andrzejak
    et al., Phys. Rev. E 64, 061907 (2001).
    """
    text = as_text(path)
    source = repr(text)
    whole = flag("whole", whole)
    check_file(text, source)
    table = csv_files.table(text, source, Options(id=1, layout="wide"), _check_header)
    chunks, segments, y = _rows(table)
    names, first, of = np.unique(segments, return_index=True, return_inverse=True)
    order = np.arange(len(chunks))
    if whole:
        rank = np.argsort(np.argsort(first))[of]  # segments in the order in which they first appear
        order = np.lexsort((chunks, rank))
        _check_whole(table, chunks[order], of[order], order, list(names))
        y = y[np.sort(first)]
        names = names[np.argsort(first)]
    else:
        names = names[of]
    values = table.values[order].astype(np.float32).reshape(-1, 1)
    steps = STEPS * CHUNKS if whole else STEPS
    kind = "segments" if whole else "chunks of one second"
    description = Description(
        f"EEG of the University of Bonn as in the UCI archive: {len(y)} {kind}",
        FS,
        ("EEG",),
        tuple(names.tolist()),
        f"Wu, Fokoue: Epileptic Seizure Recognition. UCI Machine Learning Repository (2017). From: {SOURCE}",
        ("µV",),
    )
    return Dataset(described(Sequences(values, np.arange(len(y) + 1) * steps), description), y, description)


def _check_header(where: str, names: list[str]) -> None:
    names[0] = names[0] or "id"  # R and pandas may leave it unnamed
    if names[1:] != _COLUMNS:
        raise ValueError(f"{where} is no header of the UCI table, expected the columns id, X1 to X178, y")


def _rows(table: Table) -> tuple[Codes, np.ndarray[tuple[int], np.dtype[np.str_]], Codes]:
    """Return number of the chunk, name of the segment and label of each row, all checked."""
    columns, ids, labels = table.columns, table.ids, table.labels
    if ids is None or labels is None:  # as if there were no header line
        raise ValueError(f"{columns.source} has no header line, expected the columns id, X1 to X178, y")
    bad = np.argwhere(~(np.abs(table.values) <= 2**15))
    if len(bad):
        row, column = bad[0].tolist()
        value = table.values[row, column]
        came = "is missing" if np.isnan(value) else f"{value:g} is no sample"
        table.fail(row, columns.values[column], f"the value {came}, expected a number from -32768 to 32768")
    allowed = np.isin(labels.values.astype(str), ["1", "2", "3", "4", "5"])
    wrong = np.flatnonzero((labels.codes < 0) | ~allowed[labels.codes])
    if len(wrong):
        code = int(labels.codes[wrong[0]])
        came = "missing" if code < 0 else shown(str(labels.values[code]))
        table.fail(int(wrong[0]), columns.label, f"the label is {came}, expected 1, 2, 3, 4 or 5")
    y = labels.take(slice(None)).astype(np.int64)
    matches = [_ID.fullmatch(name) for name in ids.names]
    chunk_of = np.array([int(match[1]) if match else 0 for match in matches])[ids.codes]
    wrong = np.flatnonzero((chunk_of < 1) | (chunk_of > CHUNKS))
    if len(wrong):
        name = ids.names[int(ids.codes[wrong[0]])]
        problem = f"{shown(name)} is no id such as 'X21.V1.791', the number of the chunk from 1 to {CHUNKS}"
        table.fail(int(wrong[0]), columns.id, problem)
    rest = np.array([match[2] if match else "" for match in matches])[ids.codes]
    segments = np.char.add(np.char.add(y.astype(str), "/"), rest)
    _check_once(table, ids.codes, y)
    return chunk_of, segments, y


def _check_once(table: Table, codes: Codes, y: Codes) -> None:
    order = np.lexsort((y, codes))
    for a, b in pairwise(order.tolist()):
        if codes[a] == codes[b] and y[a] == y[b]:
            line = table.places[min(a, b)]
            table.fail(max(a, b), table.columns.id, f"the same id and y as in line {line}")


def _check_whole(table: Table, chunks: Codes, segments: Codes, order: Codes, names: list[str]) -> None:
    """Raise ValueError if a segment does not have its 23 chunks; the rows are sorted by segment."""
    starts = np.flatnonzero(np.append(True, segments[1:] != segments[:-1]))
    counts = np.diff(np.append(starts, len(segments)))
    short = np.flatnonzero(counts != CHUNKS)
    if len(short):
        at, count = int(starts[short[0]]), int(counts[short[0]])
        there = set(chunks[at : at + count].tolist())
        missing = next(chunk for chunk in range(1, CHUNKS + 1) if chunk not in there)
        y, _, rest = names[int(segments[at])].partition("/")
        lost = f"{table.columns.source} has no row of id 'X{missing}.{rest}' and y {y}"
        line = table.places[int(order[at])]
        raise ValueError(
            f"{lost}, which the segment of line {line} needs: {count} of its {CHUNKS} chunks are there "
            f"(whole=False reads chunks)"
        )
