"""CSV files as a `Table`, in one pass over the lines; numbers go directly into one buffer."""

from __future__ import annotations

import csv
from array import array
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from itertools import chain, islice, repeat
from operator import itemgetter
from typing import Any

import numpy as np

from elman.errors import Mention, MentionError
from elman.reading.columns import Columns, Options, check_names, choose
from elman.reading.parsing import (
    Codes,
    SequenceFile,
    append_numbers,
    append_quickly,
    not_a_number,
    number,
    text_blocks,
)
from elman.reading.tables import Ids, Table, sequences
from elman.reading.times import times_from_text

_SEPARATORS = ",;\t"
_BLOCK = 2**10  # cells: few enough to stay in the fastest memory


def read(path: str, source: str, options: Options) -> SequenceFile:
    """Return the sequences of a CSV file; a ValueError names the line and the column at fault.

    The separator (comma, semicolon or tab) is the most frequent one in the first line. That line is a header
    unless all of its cells are numbers.
    """
    return sequences(table(path, source, options), options.per_step)


def table(
    path: str, source: str, options: Options, check: Callable[[str, list[str]], None] = check_names
) -> Table:
    """Return the rows of a CSV file; ``check(where, names)`` may raise, or correct the column names."""
    lines = chain.from_iterable(block for _, block in text_blocks(path, source))
    before, first = _first_line(lines, source)
    reader = csv.reader(chain([first], lines), delimiter=_separator(first), strict=True)
    rows = _rows(reader, source, before)
    at, cells = next(rows)
    stripped = [cell.strip() for cell in cells]
    named = _is_header(stripped, options.header, f"{source} line {at}")
    if named:
        check(f"{source} line {at}", stripped)
    columns = choose(source, stripped if named else None, len(cells), options)
    store = _Store(columns, len(cells))
    if not named:
        store.add([at], [cells])
    size = max(1, _BLOCK // len(cells))
    while block := list(islice(rows, size)):
        store.add([line for line, _ in block], [cells for _, cells in block])
    return store.table()


def header(path: str, source: str) -> list[str]:
    """Return the cells of the first line that is not blank: the names of the columns, if it has names."""
    lines = chain.from_iterable(block for _, block in text_blocks(path, source))
    before, first = _first_line(lines, source)
    reader = csv.reader(chain([first], lines), delimiter=_separator(first), strict=True)
    return [cell.strip() for cell in next(_rows(reader, source, before))[1]]


def _first_line(lines: Iterator[str], source: str) -> tuple[int, str]:
    """Return the first line that is not blank, and the number of lines before it."""
    for before, line in enumerate(lines):
        if line.strip():
            return before, line
    raise ValueError(f"{source} has no rows")


def _separator(line: str) -> str:
    outside = "".join(line.split('"')[::2])  # a separator in quotes does not count
    return max(_SEPARATORS, key=outside.count)


def _rows(reader: Any, source: str, before: int) -> Iterator[tuple[int, list[str]]]:
    """Yield the rows that are not blank, each with the number of its first line."""
    line = before + 1
    try:
        for cells in reader:
            if len(cells) > 1 or "".join(cells).strip():
                yield line, cells
            line = before + 1 + reader.line_num
    except csv.Error as error:
        hint = "" if str(error).startswith("','") else " (a quote that is not closed?)"
        raise ValueError(f"{source} line {line} cannot be split into cells: {error}{hint}") from None


def _is_header(cells: list[str], header: bool | None, where: str) -> bool:
    if header is not None:
        return header
    end = len(cells)
    while end and not cells[end - 1]:
        end -= 1
    if not end or not all(map(_is_number, cells[:end])):
        return True
    counts = [str(i) for i in range(len(cells) + 1)]
    if cells in (counts[:-1], counts[1:]):
        raise MentionError(
            f"{where} counts from {cells[0]} to {cells[-1]}: are these names of columns (",
            Mention("header", True),
            ") or values (",
            Mention("header", False),
            ")?",
        )
    return False


def _is_number(text: str) -> bool:
    try:
        number(text)
    except ValueError:
        return False
    return True


class _Words:
    """A column of words: the code of each row, and the code of each word in order of appearance."""

    def __init__(self) -> None:
        self.codes = array("q")
        self.places: dict[str, int] = {}

    def add(self, words: list[str]) -> None:
        for word in dict.fromkeys(words):
            self.places.setdefault(word, len(self.places))
        self.codes.extend(map(self.places.__getitem__, words))


def _int64(numbers: array[int]) -> Codes:
    return np.frombuffer(numbers, np.int64)


def _picker(columns: list[int]) -> Callable[[list[str]], Sequence[str]]:
    """Return a fast function that picks the cells of some columns from a row."""
    first, end = columns[0], columns[-1] + 1
    if columns == list(range(first, end)):
        return itemgetter(slice(first, end))
    return itemgetter(*columns)


class _Store:
    """Collects rows, many at a time, into a table."""

    def __init__(self, columns: Columns, width: int) -> None:
        self.columns, self.width = columns, width
        self.values, self.lengths, self.lines = array("d"), array("q"), array("q")
        self.labels, self.ids = _Words(), _Words()
        self.times: list[str] = []
        self.pick = _picker(columns.values)

    def add(self, lines: list[int], rows: list[list[str]]) -> None:
        """Add rows of cells with their line numbers."""
        columns = self.columns
        if set(map(len, rows)) != {self.width}:
            i = next(i for i, row in enumerate(rows) if len(row) != self.width)
            raise ValueError(
                f"{columns.source} line {lines[i]} has {len(rows[i])} cells, "
                f"expected {self.width} as in the first"
            )
        self.lines.extend(lines)
        if append_quickly(self.values, list(chain.from_iterable(map(self.pick, rows)))):
            self.lengths.extend(repeat(len(columns.values), len(rows)))
        else:
            for line, row in zip(lines, rows, strict=True):
                self.add_values(line, self.pick(row))
        if columns.label is not None:
            self.labels.add([row[columns.label].strip() for row in rows])
        if columns.time is not None:
            self.times += [row[columns.time].strip() for row in rows]
        if columns.id is not None:
            self.ids.add([row[columns.id].strip() for row in rows])

    def add_values(self, line: int, cells: Sequence[str]) -> None:
        """Add a row that has an empty cell or a cell that is not a number."""
        end = append_numbers(self.values, cells, "")
        if end < len(cells):
            column = self.columns.name(self.columns.values[end])
            problem = not_a_number(cells[end].strip())
            raise ValueError(f"{self.columns.source} line {line}, column {column}: {problem}")
        while end and not cells[end - 1].strip():
            end -= 1
        self.lengths.append(end)

    def table(self) -> Table:
        columns = self.columns
        if not self.lines:
            raise ValueError(f"{columns.source} has no rows under its header line")
        rows = Table(
            columns=columns,
            unit="line",
            places=_int64(self.lines),
            values=np.frombuffer(self.values).reshape(len(self.lines), -1),
            lengths=_int64(self.lengths),
            ids=None if columns.id is None else Ids(list(self.ids.places), _int64(self.ids.codes)),
        )
        if columns.label is not None:
            rows = rows.with_labels(Ids(list(self.labels.places), _int64(self.labels.codes)), columns.label)
        if "" in self.ids.places:
            rows.fail(self.ids.codes.index(self.ids.places[""]), columns.id, "the id is missing")
        if columns.time is None:
            return rows
        times = times_from_text(self.times, lambda row, problem: rows.fail(row, columns.time, problem))
        return replace(rows, times=times)
