"""Reading of `.ts`, `.npz`, CSV and Parquet files as lists of sequences; every file is checked."""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from dataclasses import fields
from pathlib import Path
from typing import Any

from elman._validation import as_text
from elman.data.sequences import Array
from elman.errors import ArgumentValueError
from elman.reading import csv_files, npz_files, parquet_files, ts_files
from elman.reading.columns import Layout, Options
from elman.reading.named import with_names
from elman.reading.parsing import SequenceFile, shown
from elman.reading.paths import check_file

__all__ = ["read_sequences"]

Reader = Callable[[str, str, Options], SequenceFile]

_TABLE = ("label", "id", "time", "features", "layout", "per_step")
# The reader for each file extension, and the options that it takes.
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
    layout: Layout = "auto",
    per_step: bool | None = None,
    header: bool | None = None,
) -> tuple[list[Array], Array | list[Array] | None]:
    r"""Return the sequences and the labels of a .ts, .npz, CSV or Parquet file: X, y.

    Shapes: X is a list of n float64 arrays (T_i, F), with NaN where the file has no value. y is None, an
    array (n,) of int64, float64 or str, or a list of n arrays (T_i,), where -1, NaN or "" is a missing label.
    Where the file names its features, the arrays carry the names (`elman.NamedArray`), and
    models keep them.

    ``label``, ``id``, ``time`` and ``features`` are columns of a table, by name or by number from 1. In an
    .npz file ``label`` and ``id`` are keys. By default columns and keys are found by their usual names.
    ``layout`` is "wide" (one row per sequence), "long" (one row per step) or "auto". ``per_step`` requires
    one label per step (True) or one per sequence (False). ``header`` tells whether the first line of a CSV
    file has the names of the columns. The formats are described in docs/files.md.

    Raises
    ------
    ValueError
        If the file is not of the format of its extension; the message names the line and the column.
    TypeError
        If an argument has a wrong type.
    OSError
        If the file cannot be opened.
    ImportError
        If a Parquet file is read and pyarrow is not installed.

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
    """Return everything that a file has, with the options of `read_sequences`.

    Shapes: X and y as there; ids n strings, features F strings, times n arrays (T_i,), each of them or None.
    """
    chosen = Options(**options)
    text = as_text(path)
    source = repr(text)
    reader = _reader(text, source, chosen)
    check_file(text, source)
    try:
        return with_names(reader(text, source, chosen))
    except MemoryError:
        raise ValueError(f"{source} needs more memory than there is") from None


def existing(path: str | os.PathLike[str], endings: Sequence[str]) -> tuple[str, str]:
    """Return a path as text and as in messages; raise if there is no file with one of the extensions."""
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
