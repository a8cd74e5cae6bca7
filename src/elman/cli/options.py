"""Options that several commands have, and the headings under which --help lists them."""

from __future__ import annotations

import inspect
from collections.abc import Callable
from dataclasses import dataclass, fields
from functools import partial, wraps
from typing import Annotated, Any, get_type_hints

import typer

from elman.cli.commands.data import column

of_file = partial(typer.Option, rich_help_panel="Columns of the file")
of_network = partial(typer.Option, rich_help_panel="Network")
of_training = partial(typer.Option, rich_help_panel="Training")

Model = Annotated[str, typer.Argument(metavar="MODEL", help="A saved model.")]
Json = Annotated[bool, typer.Option("--json", help="One JSON document instead of text.")]


@dataclass(frozen=True)
class FileColumns:
    """The seven options that describe the columns of a file; `with_file_columns` adds them to a command."""

    label: Annotated[
        str | None,
        of_file("--label", metavar="COLUMN", help="The column of labels: its name, or its number from 1."),
    ] = None
    id: Annotated[
        str | None, of_file("--id", metavar="COLUMN", help="The column that tells sequences apart.")
    ] = None
    time: Annotated[
        str | None, of_file("--time", metavar="COLUMN", help="The column that orders the steps.")
    ] = None
    features: Annotated[
        str | None,
        of_file("--features", metavar="A,B,...", help="The columns of values; not given: all others."),
    ] = None
    layout: Annotated[
        str, of_file("--layout", metavar="auto|wide|long", help="One row per sequence, or one per step.")
    ] = "auto"
    per_step: Annotated[
        bool | None, of_file("--per-step/--per-sequence", help="One label per step, or one per sequence.")
    ] = None
    header: Annotated[
        bool | None,
        of_file("--header/--no-header", help="Whether the first line of a CSV names the columns."),
    ] = None

    def given(self) -> dict[str, Any]:
        """Return the options that were given, as arguments of `read_sequences`."""
        names = None if self.features is None else [column(name.strip()) for name in self.features.split(",")]
        values = {
            "label": column(self.label),
            "id": column(self.id),
            "time": column(self.time),
            "features": names,
            "layout": None if self.layout == "auto" else self.layout,
            "per_step": self.per_step,
            "header": self.header,
        }
        return {name: value for name, value in values.items() if value is not None}


def with_file_columns(command: Callable[..., Any]) -> Callable[..., Any]:
    """Return a command with the options of `FileColumns` in the place of its parameter ``columns``.

    Typer reads the options from the signature. The command itself gets one `FileColumns`.
    """
    hints = get_type_hints(FileColumns, include_extras=True)
    options = [
        inspect.Parameter(
            field.name, inspect.Parameter.KEYWORD_ONLY, default=field.default, annotation=hints[field.name]
        )
        for field in fields(FileColumns)
    ]
    own = get_type_hints(command, include_extras=True)
    parameters: list[inspect.Parameter] = []
    for parameter in inspect.signature(command).parameters.values():
        keyword = parameter.replace(kind=inspect.Parameter.KEYWORD_ONLY, annotation=own[parameter.name])
        parameters += options if parameter.name == "columns" else [keyword]

    @wraps(command)
    def with_columns(**values: Any) -> Any:
        columns = FileColumns(**{field.name: values.pop(field.name) for field in fields(FileColumns)})
        return command(columns=columns, **values)

    vars(with_columns)["__signature__"] = inspect.Signature(parameters)
    with_columns.__annotations__ = {parameter.name: parameter.annotation for parameter in parameters}
    return with_columns
