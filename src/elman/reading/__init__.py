"""Files in: `.ts`, `.npz`, CSV and Parquet become lists of sequences. No file is believed."""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from dataclasses import fields
from pathlib import Path
from typing import Any

from elman.data.sequences import Array
from elman.errors import ArgumentValueError
from elman.reading import csv_files, npz_files, parquet_files, ts_files
from elman.reading.columns import Options
from elman.reading.parsing import SequenceFile, shown
from elman.reading.paths import as_text, check_file

Reader = Callable[[str, str, Options], SequenceFile]

_TABLE = ("label", "id", "time", "features", "layout", "per_step")
# What reads a file of each ending, and the options that it takes.
_READERS: dict[str, tuple[Reader, Sequence[str]]] = {
    ".ts": (ts_files.read, ()),
    ".npz": (npz_files.read, ("label", "id", "per_step")),
    ".csv": (csv_files.read, (*_TABLE, "header")),
    ".tsv": (csv_files.read, (*_TABLE, "header")),
    ".txt": (csv_files.read, (*_TABLE, "header")),
    ".parquet": (parquet_files.read, _TABLE),
    ".pq": (parquet_files.read, _TABLE),
}
ENDINGS = tuple(_READERS)


def read_sequences(
    path: str | os.PathLike[str],
    *,
    label: str | int | None = None,
    id: str | int | None = None,  # noqa: A002
    time: str | int | None = None,
    features: Sequence[str | int] | None = None,
    layout: str = "auto",
    per_step: bool | None = None,
    header: bool | None = None,
) -> tuple[list[Array], Array | list[Array] | None]:
    r"""Return the sequences and the labels of a .ts, .npz, CSV or Parquet file: X, y.

    Shapes: X a list of n float64 arrays (T_i, F), NaN where the file has no value; y None, an array (n,) of
    int64, float64 or str, or a list of n arrays (T_i,), where -1, NaN or "" is a missing label.

    ``label``, ``id``, ``time`` and ``features`` name columns of a table (or number them, from 1), ``label``
    and ``id`` keys of an .npz; by default they are found by their usual names. ``layout`` is "wide" (a row a
    sequence), "long" (a row a step) or "auto"; ``per_step`` asks for one label a step or one a sequence;
    ``header`` says whether the first line of a CSV file names the columns. The formats are described in
    docs/files.md.

    Raises
    ------
    ValueError
        Where the file is not what its ending says; the sentence names the line and the column.
    TypeError
        Where an argument is of a wrong type.
    OSError
        Where the file cannot be opened.
    ImportError
        Where a Parquet file is read without pyarrow.

    >>> from pathlib import Path
    >>> from tempfile import TemporaryDirectory
    >>> with TemporaryDirectory() as folder:
    ...     path = Path(folder, "train.csv")
    ...     _ = path.write_text("id,time,x,label\na,0,1.5,rest\na,1,2.5,rest\nb,0,3.5,walk\n")
    ...     X, y = read_sequences(path)
    >>> [x.tolist() for x in X], y.tolist()
    ([[[1.5], [2.5]], [[3.5]]], ['rest', 'walk'])
    """
    file = read(
        path,
        label=label,
        id=id,
        time=time,
        features=features,
        layout=layout,
        per_step=per_step,
        header=header,
    )
    return file.X, file.y


def read(path: str | os.PathLike[str], **options: Any) -> SequenceFile:
    """Return all that `read_sequences` finds in a file, its options being the same.

    Shapes: X and y as there; ids n strings, features F strings, times n arrays (T_i,), or None.
    """
    chosen = Options(**options)
    text = as_text(path)
    source = repr(text)
    reader = _reader(text, source, chosen)
    check_file(text, source)
    try:
        return reader(text, source, chosen)
    except MemoryError:
        raise ValueError(f"{source} needs more memory than there is") from None


def existing(path: str | os.PathLike[str], endings: Sequence[str]) -> tuple[str, str]:
    """Return a path as text and as messages show it; raise unless a file with one of the endings is there."""
    text = as_text(path)
    source = repr(text)
    if Path(text).suffix.lower() not in endings:
        raise ValueError(f"{source} ends in {shown(Path(text).suffix)}, expected one of {', '.join(endings)}")
    check_file(text, source)
    return text, source


def _reader(path: str, source: str, options: Options) -> Reader:
    ending = Path(path).suffix.lower()
    if ending not in _READERS:
        raise ValueError(f"{source} ends in {shown(ending)}, expected one of {', '.join(_READERS)}")
    reader, accepted = _READERS[ending]
    for option in fields(Options):
        if option.name not in accepted and getattr(options, option.name) != option.default:
            raise ArgumentValueError(option.name, f"is given, but is no option for a {ending} file")
    return reader
