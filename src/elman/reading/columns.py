"""The roles of a table's columns: as the caller chooses, otherwise by the usual names."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Literal, get_args

from elman._validation import choice, describe, flag
from elman.errors import ArgumentTypeError, ArgumentValueError, Mention, MentionError
from elman.reading.parsing import listed, shown
from elman.reading.row_numbers import check_index

Layout = Literal["auto", "wide", "long"]
LAYOUTS: tuple[Layout, ...] = get_args(Layout)
_LABELS = ("label", "class", "target")
_TIMES = ("time", "timestamp")
_WIDE = Mention("layout", "wide")


@dataclass(frozen=True, slots=True)
class Options:
    """The caller's choices for a table; None decides by the names of the columns."""

    label: str | int | None = None
    id: str | int | None = None
    time: str | int | None = None
    features: Sequence[str | int] | None = None
    layout: Layout = "auto"
    per_step: bool | None = None
    header: bool | None = None

    def __post_init__(self) -> None:
        for name in ("label", "id", "time"):
            value = getattr(self, name)
            if value is not None:
                _check_column(name, value)
        if self.features is not None:
            if not isinstance(self.features, (list, tuple)):
                raise ArgumentTypeError("features", f"is {describe(self.features)}", "a list of columns")
            if not self.features:
                raise ArgumentValueError("features", "is empty", "at least one column")
            for i, value in enumerate(self.features):
                _check_column(f"features[{i}]", value)
        choice("layout", self.layout, LAYOUTS)
        for name in ("per_step", "header"):
            if getattr(self, name) is not None:
                flag(name, getattr(self, name))
        if self.layout == "wide":
            for name in ("time", "features"):
                if getattr(self, name) is not None:
                    given = Mention(name, bare=True)
                    raise MentionError(given, " is given, but a wide table (", _WIDE, ") has none")
            if self.per_step:
                given = Mention("per_step", bare=True)
                raise MentionError(given, " is True, but a wide table (", _WIDE, ") has one label a row")


def _check_column(name: str, value: Any) -> None:
    if isinstance(value, bool) or not isinstance(value, (str, int)):
        raise ArgumentTypeError(name, f"is {describe(value)}", "the name or the number of a column")


@dataclass(frozen=True, slots=True)
class Columns:
    """The role of each column, by index; names is None if there is no header line.

    ``chosen``: the caller named the columns of values.
    """

    source: str
    names: list[str] | None
    values: list[int]
    id: int | None = None
    time: int | None = None
    label: int | None = None
    layout: Layout = "auto"
    chosen: bool = False

    def name(self, column: int) -> str:
        return str(column + 1) if self.names is None else shown(self.names[column])

    def features(self) -> list[str] | None:
        return None if self.names is None else [self.names[column] for column in self.values]


def choose(
    source: str, names: list[str] | None, width: int, options: Options, index: Sequence[str] = ()
) -> Columns:
    """Return the roles of ``width`` columns, by the options, otherwise by name, in upper or lower case.

    ``index`` are the names of columns that the file itself calls an index.

    >>> choose("'a.csv'", ["ID", "time", "x", "label"], 4, Options()).values
    [2]
    """
    finder = _Finder(source, names, width)
    features = [finder.given(f"features[{i}]", column) for i, column in enumerate(options.features or ())]
    label = None if options.label is None else finder.given("label", options.label)
    identity = None if options.id is None else finder.given("id", options.id)
    time = None if options.time is None else finder.given("time", options.time)
    if identity is None:
        identity = finder.usual("id", ("id",))
    if time is None and options.layout != "wide":
        time = finder.usual("time", _TIMES)
    layout = options.layout
    if layout == "auto":
        if time is not None or features or options.per_step:
            layout = "long"
        elif identity is None:
            layout = "wide"
    if layout == "long" and identity is None:
        raise MentionError(
            f"{source} has no column 'id' (",
            Mention("id"),
            "), which a long table has (",
            _WIDE,
            " reads a row a sequence)",
        )
    if label is None:
        label = finder.usual("label", _LABELS)
    if label is None:
        label = finder.usual("label", ("y",))
        if label is not None and layout != "wide" and finder.usual("features", ("x",)) is not None:
            raise MentionError(
                f"{source} has the columns 'x' and 'y': is 'y' a label (",
                Mention("label", "y"),
                ") or a feature (",
                Mention("features"),
                ")?",
            )
    others = {identity, time, label}
    values = features or [column for column in range(width) if column not in others]
    if not values:
        raise ValueError(f"{source} has no columns of values, expected at least one")
    if names is not None and not features:
        check_index(source, [names[column] for column in values], index, layout == "wide")
    return Columns(source, names, values, identity, time, label, layout, chosen=bool(features))


def check_names(where: str, names: list[str]) -> None:
    """Raise ValueError if a column has no name, or two have the same."""
    seen: set[str] = set()
    for i, name in enumerate(names, 1):
        if not name:
            raise ValueError(
                f"{where}, column {i} has no name (if it is pandas' index: write the file with index=False)"
            )
        if name in seen:
            raise ValueError(f"{where} has two columns {shown(name)}, expected different names")
        seen.add(name)


class _Finder:
    """Finds columns by the caller's choices or by the usual names; a column has one role only."""

    def __init__(self, source: str, names: list[str] | None, width: int) -> None:
        self.source, self.names, self.width = source, names, width
        self.places = {name: i for i, name in enumerate(names or ())}
        self.taken: set[int] = set()

    def given(self, option: str, column: str | int) -> int:
        place = self._place(option, column)
        if place in self.taken:
            raise ArgumentValueError(option, f"is {describe(column)}, a column that another option has")
        self.taken.add(place)
        return place

    def _place(self, option: str, column: str | int) -> int:
        if isinstance(column, int):
            if 1 <= column <= self.width:
                return column - 1
            raise MentionError(
                f"{self.source} has no column {column} (", Mention(option), f"), expected 1 to {self.width}"
            )
        if self.names is None:
            raise MentionError(
                f"{self.source} has no header line, so no column {shown(column)} (",
                Mention(option),
                "): give the column's number, from 1",
            )
        if column not in self.places:
            raise MentionError(
                f"{self.source} has no column {shown(column)} (",
                Mention(option),
                f"), expected one of {listed(self.names)}",
            )
        return self.places[column]

    def usual(self, option: str, usual: Sequence[str]) -> int | None:
        names = self.names or []
        found = [i for i, name in enumerate(names) if name.lower() in usual and i not in self.taken]
        if len(found) > 1:
            both = " and ".join(shown(names[i]) for i in found[:2])
            raise MentionError(
                f"{self.source} has the columns {both}: which one is it (", Mention(option), ")?"
            )
        return found[0] if found else None
