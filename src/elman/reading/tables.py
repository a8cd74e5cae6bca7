"""Sequences from tables: wide, with one row per sequence, or long, with one row per step."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import NoReturn

import numpy as np
from numpy.typing import NDArray

from elman.data.sequences import Array
from elman.errors import Mention, MentionError
from elman.reading.columns import Columns
from elman.reading.label_cells import labels_from_cells, missing_label
from elman.reading.parsing import Codes, Labels, SequenceFile, shown
from elman.reading.row_numbers import check_rows, check_steps


@dataclass(frozen=True, slots=True, eq=False)
class Ids:
    """The text of each row in a column: the different texts in order of appearance, and a code per row.

    In the column of ids it is the sequence that a row belongs to. Code -1: the row has no text.
    """

    names: list[str]
    codes: Codes


@dataclass(frozen=True, slots=True, eq=False)
class Table:
    """Rows as a reader returns them.

    values (rows, V), NaN for an empty cell; lengths (rows,): V minus the empty cells at the end; times
    (rows,), int64 or float64; places (rows,): the row or line numbers in messages, such as ``unit`` 17;
    cells: the texts that the labels were read from.
    """

    columns: Columns
    unit: str
    places: Codes
    values: NDArray[np.float64]
    lengths: Codes
    ids: Ids | None = None
    times: Array | None = None
    labels: Labels | None = None
    cells: Ids | None = None

    def with_labels(self, cells: Ids, column: int, typed: bool = False) -> Table:
        """Return the table with the labels of a column of texts; ``typed``: they stay strings."""
        where = f"{self.columns.source}, column {self.columns.name(column)}"

        def fail(row: int, problem: str) -> NoReturn:
            self.fail(row, column, problem)

        labels = labels_from_cells(cells.names, cells.codes, where, fail, typed)
        return replace(self, labels=labels, cells=cells)

    def fail(self, row: int, column: int | None, problem: str) -> NoReturn:
        at = "" if column is None else f", column {self.columns.name(column)}"
        raise ValueError(f"{self.columns.source} {self.unit} {self.places[row]}{at}: {problem}")


def sequences(table: Table, per_step: bool | None) -> SequenceFile:
    """Return the table's sequences, by its layout; "auto" is long if an id is repeated."""
    layout = table.columns.layout
    again = table.ids is not None and len(table.ids.names) < len(table.values)
    if table.ids is not None and (layout == "long" or (layout == "auto" and again)):
        return _long(table, table.ids, per_step)
    return _wide(table)


def _wide(table: Table) -> SequenceFile:
    if not table.lengths.all():
        table.fail(int(np.argmin(table.lengths)), None, "the row has no values, expected at least one")
    _check_rows(table, wide=True)
    X: list[Array] = [table.values[i, :steps, None] for i, steps in enumerate(table.lengths.tolist())]
    y = None if table.labels is None else _one_each(table, table.labels, range(len(X)))
    ids = None if table.ids is None else [table.ids.names[code] for code in table.ids.codes.tolist()]
    return SequenceFile(X, y, ids)


def _one_each(table: Table, labels: Labels, rows: Sequence[int] | Codes) -> Array | None:
    """Return one label for each sequence, or None if none has a label; ``rows`` are their rows."""
    gone = labels.codes < 0
    if gone.all():
        return None
    if gone.any():
        row = int(rows[int(np.argmax(gone))])
        code = -1 if table.cells is None else int(table.cells.codes[row])
        cell = "" if table.cells is None or code < 0 else table.cells.names[code]
        table.fail(row, table.columns.label, missing_label(cell))
    return labels.take(slice(None))


def _long(table: Table, ids: Ids, per_step: bool | None) -> SequenceFile:
    order = _order(table, ids)
    bounds = np.searchsorted(ids.codes[order], np.arange(len(ids.names) + 1))
    values = table.values if (order[1:] > order[:-1]).all() else table.values[order]
    _check_rows(table, wide=False)
    if not table.columns.chosen:
        check_steps(table.columns.source, _names(table), values, bounds)
    y = _labels(table, order, bounds, per_step)
    times = None if table.times is None else _split(table.times[order], bounds)
    gaps = isinstance(y, list) and table.labels is not None and bool((table.labels.codes < 0).any())
    return SequenceFile(_split(values, bounds), y, ids.names, table.columns.features(), times, gaps=gaps)


def _check_rows(table: Table, wide: bool) -> None:
    if not table.columns.chosen:
        check_rows(table.columns.source, _names(table), table.values, wide)


def _names(table: Table) -> list[str]:
    return [table.columns.name(column) for column in table.columns.values]


def _split(rows: Array, bounds: Codes) -> list[Array]:
    at = bounds.tolist()
    return [rows[at[i] : at[i + 1]] for i in range(len(at) - 1)]


def _order(table: Table, ids: Ids) -> Codes:
    """Return the rows sorted by id, then by time; ValueError if an id has a time twice."""
    if table.times is None:
        return np.argsort(ids.codes, kind="stable")
    order = np.lexsort((table.times, ids.codes))
    codes, times = ids.codes[order], table.times[order]
    twice = np.flatnonzero((codes[1:] == codes[:-1]) & (times[1:] == times[:-1]))
    if len(twice):
        first, second = sorted((int(order[twice[0]]), int(order[twice[0] + 1])))
        where = f"{table.unit} {table.places[first]}"
        name = shown(ids.names[ids.codes[first]])
        table.fail(second, table.columns.time, f"the same time as in {where}, both in sequence {name}")
    return order


def _labels(table: Table, order: Codes, bounds: Codes, per_step: bool | None) -> Array | list[Array] | None:
    if table.labels is None:
        if per_step:
            raise MentionError(
                Mention("per_step", bare=True),
                f" is True, but {table.columns.source} has no column of labels (",
                Mention("label"),
                ")",
            )
        return None
    codes = table.labels.codes[order]
    if (codes < 0).all():
        return None
    starts = bounds[:-1]
    highest = np.maximum.reduceat(codes, starts)
    if per_step is None:
        per_step = bool((np.minimum.reduceat(codes, starts) != highest).any())
    if not per_step:  # a row without a label is ignored if another row of its sequence has one
        differs = (codes >= 0) & (codes != np.repeat(highest, np.diff(bounds)))
        if differs.any():
            row = int(order[np.argmax(differs)])
            table.fail(row, table.columns.label, "another label than in other rows of its sequence")
        return _one_each(table, Labels(table.labels.values, highest), order[starts])
    if table.labels.values.dtype.kind == "i" and (codes < 0).any() and -1 in table.labels.values:
        row = int(order[np.argmax(codes < 0)])
        problem = "the label is missing, which would become -1, but -1 is a label elsewhere"
        table.fail(row, table.columns.label, problem)
    return _split(table.labels.take(order), bounds)
