"""Options that several commands have, and the headings under which --help lists them."""

from __future__ import annotations

from functools import partial
from typing import Annotated, Any

import typer

of_file = partial(typer.Option, rich_help_panel="Columns of the file")
of_network = partial(typer.Option, rich_help_panel="Network")
of_training = partial(typer.Option, rich_help_panel="Training")

Model = Annotated[str, typer.Argument(metavar="MODEL", help="A saved model.")]
Label = Annotated[
    str | None,
    of_file("--label", metavar="COLUMN", help="The column of labels: its name, or its number from 1."),
]
Id = Annotated[str | None, of_file("--id", metavar="COLUMN", help="The column that tells sequences apart.")]
Time = Annotated[str | None, of_file("--time", metavar="COLUMN", help="The column that orders the steps.")]
Features = Annotated[
    str | None,
    of_file("--features", metavar="A,B,...", help="The columns of values; not given: all others."),
]
Layout = Annotated[
    str, of_file("--layout", metavar="auto|wide|long", help="A row a sequence, or a row a step.")
]
PerStep = Annotated[
    bool | None, of_file("--per-step/--per-sequence", help="One label a step, or one a sequence.")
]
Header = Annotated[
    bool | None,
    of_file("--header/--no-header", help="Whether the first line of a CSV names the columns."),
]
Json = Annotated[bool, typer.Option("--json", help="One JSON document instead of text.")]


def columns(
    label: str | None,
    id: str | None,  # noqa: A002
    time: str | None,
    features: str | None,
    layout: str,
    per_step: bool | None,
    header: bool | None,
) -> dict[str, Any]:
    """Return what was said of a file's columns, and nothing else, as `read_sequences` takes it."""
    from elman.cli.commands.data import column

    names = None if features is None else [column(name.strip()) for name in features.split(",")]
    given = {
        "label": column(label),
        "id": column(id),
        "time": column(time),
        "features": names,
        "layout": None if layout == "auto" else layout,
        "per_step": per_step,
        "header": header,
    }
    return {name: value for name, value in given.items() if value is not None}
