"""Small CSV and TSV files with a header: rows of texts by the names of their columns."""

from __future__ import annotations

import csv
from collections.abc import Sequence
from itertools import chain
from typing import NamedTuple

from elman.reading.parsing import listed, reason, text_blocks
from elman.reading.paths import check_file


class Row(NamedTuple):
    """A row: its place, such as "'events.tsv' line 3", and its cells by the names of the columns."""

    where: str
    cells: dict[str, str]


class Rows(NamedTuple):
    """The names of the columns, in lower case, and the rows."""

    source: str
    names: list[str]
    rows: list[Row]

    def column(self, names: Sequence[str]) -> str | None:
        """Return the first of some names that a column has, None if no column has one."""
        return next((name for name in names if name in self.names), None)

    def needed(self, names: Sequence[str]) -> str:
        """Return the first of some names that a column has; ValueError if no column has one."""
        found = self.column(names)
        if found is None:
            raise ValueError(
                f"{self.source} has the columns {listed(self.names)}, expected one of {listed(names)}"
            )
        return found


def read_rows(path: str) -> Rows:
    """Return a CSV or TSV file; the separator is the most frequent of tab, comma and semicolon in line 1."""
    source = repr(path)
    check_file(path, source)
    lines = list(chain.from_iterable(block for _, block in text_blocks(path, source)))
    separator = max("\t,;", key=lines[0].count)
    reader = csv.reader(lines, delimiter=separator, strict=True)
    names: list[str] = []
    rows = []
    try:
        for cells in reader:
            stripped = [cell.strip() for cell in cells]
            where = f"{source} line {reader.line_num}"
            if not any(stripped):
                continue
            if not names:
                names = [name.lower() for name in stripped]
                if len(set(names)) < len(names):
                    raise ValueError(f"{where} has two columns of one name, expected different ones")
            elif len(stripped) != len(names):
                raise ValueError(f"{where} has {len(stripped)} cells, expected {len(names)}")
            else:
                rows.append(Row(where, dict(zip(names, stripped, strict=True))))
    except csv.Error as error:
        raise ValueError(f"{source} line {reader.line_num}: {reason(error)}") from None
    return Rows(source, names, rows)
