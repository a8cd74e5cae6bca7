"""Parquet files as a `Table`, read by pyarrow, an optional extra, a block of rows at a time."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import IO, Any

import numpy as np

from elman.data.sequences import Array
from elman.reading.columns import Columns, Options, check_names, choose
from elman.reading.parsing import (
    Codes,
    Labels,
    SequenceFile,
    labels_from_floats,
    reason,
    suspicious,
)
from elman.reading.tables import Ids, Table, sequences

_NUMBERS = ("integer", "floating", "boolean", "decimal", "null")
_STRINGS = ("string", "large_string", "string_view")
_TIMES = ("integer", "floating", "timestamp", "date")
_BLOCK = 2**13  # rows
_SMALL_BLOCK = 2**8  # rows whose strings are written out


def read(path: str, source: str, options: Options) -> SequenceFile:
    """Return the sequences of a Parquet file; a ValueError names the row, from 1, and the column."""
    try:
        from pyarrow.parquet import ParquetFile
    except ImportError:
        raise ImportError('reading Parquet needs pyarrow: pip install "elman[parquet]"') from None
    with Path(path).open("rb") as file:
        try:
            opened = ParquetFile(file, pre_buffer=False)
            schema, facts = opened.schema_arrow, opened.metadata
            unpacked = sum(facts.row_group(i).total_byte_size for i in range(facts.num_row_groups))
        except Exception as error:
            raise ValueError(f"{source} cannot be read: {reason(error)}") from None
        check_names(source, schema.names)
        columns = choose(source, schema.names, len(schema.names), options, _index(schema))
        store = _Store(columns, schema, facts.num_rows)
        size = file.seek(0, 2)
        if suspicious(max(unpacked, 8 * facts.num_rows * len(store.wanted)), size):
            raise ValueError(
                f"{source} claims {facts.num_rows} rows in {size} bytes, more likely a trap than data"
            )
        try:
            store.take_all(file)
        except Exception as error:
            raise ValueError(f"{source} cannot be read: {reason(error)}") from None
    return sequences(store.table(), options.per_step)


def _index(schema: Any) -> list[str]:
    """Return the names of the columns that are pandas' index by the facts that pandas wrote into the file."""
    try:
        facts = json.loads((schema.metadata or {}).get(b"pandas", b"{}"))
    except (ValueError, RecursionError):
        return []
    found = facts.get("index_columns") if isinstance(facts, dict) else None
    return [name for name in found if isinstance(name, str)] if isinstance(found, list) else []


def _is(kind: Any, names: Sequence[str]) -> bool:
    """Whether an Arrow type is of one of these kinds, the names of pyarrow's type predicates."""
    from pyarrow import types

    # older versions of pyarrow have no string_view
    questions = (getattr(types, f"is_{name}", None) for name in names)
    return any(question is not None and question(kind) for question in questions)


class _Store:
    """Collects blocks of rows into a table."""

    def __init__(self, columns: Columns, schema: Any, rows: int) -> None:
        self.columns, self.rows = columns, rows
        self.names: list[str] = schema.names
        self.kinds = [kind.value_type if _is(kind, ["dictionary"]) else kind for kind in schema.types]
        self._check_types()
        parts = [*columns.values, columns.id, columns.time, columns.label]
        self.wanted = [self.names[part] for part in parts if part is not None]
        self.texts = [
            self.names[part]
            for part in (columns.id, columns.label)
            if part is not None and _is(self.kinds[part], _STRINGS)
        ]
        if rows < 1:
            raise ValueError(f"{columns.source} has no rows")

    def take_all(self, file: IO[bytes]) -> None:
        """Add all rows of an open file.

        Strings stay in the file's dictionaries, since the expanded strings of a small file could fill the
        memory. pyarrow cannot keep the dictionaries of some encodings. Asking for a column's encoding could
        end the process (on a damaged file it is a C++ exception that pyarrow does not catch), so the
        dictionaries are tried first.
        """
        from pyarrow.parquet import ParquetFile

        try:
            self.take(ParquetFile(file, pre_buffer=False, read_dictionary=self.texts), _BLOCK)
        except OSError:
            if not self.texts:
                raise
            self.take(ParquetFile(file, pre_buffer=False), _SMALL_BLOCK)

    def take(self, opened: Any, block: int) -> None:
        """Add all rows of a pyarrow.parquet.ParquetFile, from the first."""
        self.at = 0
        self.values = np.empty((self.rows, len(self.columns.values)))
        self.lengths = np.zeros(self.rows, np.int64)
        self.ids, self.words = _Words(), _Words()
        self.times: list[Array] = []
        self.timed: list[Array] = []  # whether each row has a time
        self.answers: list[Array] = []
        self.answered: list[Array] = []
        for batch in opened.iter_batches(block, columns=self.wanted, use_threads=False):
            batch.validate(full=True)
            self.add(batch)
        if self.at != self.rows:
            raise ValueError("it has fewer rows than it says")

    def _check_types(self) -> None:
        columns = self.columns
        for part in columns.values:
            self._check_type(part, _NUMBERS, "numbers")
        self._check_type(columns.label, [*_NUMBERS, *_STRINGS], "numbers or strings")
        self._check_type(columns.id, ["integer", *_STRINGS], "integers or strings")
        self._check_type(columns.time, _TIMES, "numbers, dates or timestamps")

    def _check_type(self, part: int | None, kinds: Sequence[str], expected: str) -> None:
        if part is not None and not _is(self.kinds[part], kinds):
            where = f"{self.columns.source}, column {self.columns.name(part)}"
            raise ValueError(f"{where} holds {reason(self.kinds[part])}, expected {expected}")

    def add(self, batch: Any) -> None:
        """Add a block of rows, a pyarrow.RecordBatch."""
        columns, end = self.columns, self.at + len(batch)
        if end > self.rows:
            raise ValueError("it has more rows than it says")
        for i, part in enumerate(columns.values):
            numbers, there = _numbers(batch.column(self.names[part]), exact=False)
            self.values[self.at : end, i] = numbers
            self.lengths[self.at : end][there] = i + 1
        if columns.id is not None:
            self.ids.add(batch.column(self.names[columns.id]))
        if columns.time is not None:
            numbers, there = _numbers(batch.column(self.names[columns.time]), exact=True)
            self.times.append(numbers)
            self.timed.append(there & np.isfinite(numbers))
        if columns.label is not None:
            column = batch.column(self.names[columns.label])
            if _is(self.kinds[columns.label], _STRINGS):
                self.words.add(column)
            else:
                numbers, there = _numbers(column, exact=True)
                self.answers.append(numbers)
                self.answered.append(there)
        self.at = end

    def table(self) -> Table:
        columns = self.columns
        table = Table(
            columns=columns,
            unit="row",
            places=np.arange(1, self.rows + 1),
            values=self.values,
            lengths=self.lengths,
            ids=None if columns.id is None else Ids(*self.ids.in_order()),
            times=None if columns.time is None else np.concatenate(self.times),
            labels=self._numbers() if self.answers else None,
        )
        if columns.label is not None and not self.answers:
            table = table.with_labels(Ids(*self.words.in_order()), columns.label, typed=True)
        if table.ids is not None and (table.ids.codes < 0).any():
            table.fail(int(np.argmin(table.ids.codes)), columns.id, "the id is missing")
        if columns.time is not None and not (timed := np.concatenate(self.timed)).all():
            table.fail(int(np.argmin(timed)), columns.time, "the time is missing or not finite")
        return table

    def _numbers(self) -> Labels:
        """Return the labels of a column of numbers."""
        answers, answered = np.concatenate(self.answers), np.concatenate(self.answered)
        if answers.dtype.kind == "f":
            return labels_from_floats(answers, np.where(answered, np.arange(self.rows), -1))
        distinct, codes = np.unique(answers, return_inverse=True)
        return Labels(distinct, np.where(answered, codes, -1))


def _numbers(column: Any, exact: bool) -> tuple[Array, Array]:
    """Return an Arrow column as float64 (``exact``: whole numbers as int64), and which rows have a number."""
    import pyarrow as arrow

    if _is(column.type, ["dictionary"]):
        column = column.dictionary_decode()
    there = np.asarray(column.is_valid().to_numpy(zero_copy_only=False))
    if _is(column.type, ["date"]):
        column = column.cast(arrow.timestamp("ms"))
    if exact and _is(column.type, ["integer", "boolean", "timestamp"]):
        column = column.cast(arrow.int64()).fill_null(0)
    else:
        column = column.cast(arrow.float64(), safe=False)  # null becomes NaN
    return np.asarray(column.to_numpy(zero_copy_only=False)), there


class _Words:
    """A column of strings or whole numbers: the code of each row (-1: none), and the word of each code."""

    def __init__(self) -> None:
        self.codes: list[Codes] = []
        self.places: dict[str, int] = {}

    def add(self, column: Any) -> None:
        import pyarrow as arrow

        if not _is(column.type, ["dictionary"]):
            column = column.cast(arrow.string()).dictionary_encode()
        local = [
            -1 if word is None else self.places.setdefault(str(word), len(self.places))
            for word in column.dictionary.to_pylist()
        ]
        indices = column.indices.cast(arrow.int64()).fill_null(-1)  # -1 picks the last entry, which is -1 too
        self.codes.append(np.array([*local, -1])[indices.to_numpy(zero_copy_only=False)])

    def in_order(self) -> tuple[list[str], Codes]:
        """Return the words in order of first appearance, and the codes of the rows."""
        codes = np.concatenate(self.codes)
        present, first = np.unique(codes, return_index=True)
        order = present[np.argsort(first)]
        order = order[order >= 0]
        ranks = np.full(len(self.places) + 1, -1)
        ranks[order] = np.arange(len(order))
        words = list(self.places)
        return [words[code] for code in order.tolist()], ranks[codes]
