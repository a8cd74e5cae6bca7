"""Lines and tables of text on the terminal."""

from __future__ import annotations

import math
import sys
from collections.abc import Sequence

from rich import box
from rich.console import Console
from rich.table import Table

_WIDTH = 80


def say(text: str) -> None:
    """Write a line to standard output."""
    # Not typer.echo, which writes UTF-8 to a terminal that reads ASCII. Flushed: a reader sees it at once.
    sys.stdout.write(text + "\n")
    sys.stdout.flush()


def note(text: str) -> None:
    """Write a line to standard error: a note, not a result."""
    sys.stderr.write(text + "\n")
    sys.stderr.flush()


def silence(_: str) -> None:
    """Write nothing."""


def table(head: Sequence[object], rows: Sequence[Sequence[object]], *, words: Sequence[int] = (0,)) -> bool:
    """Write a table if it fits the width, and return whether it did.

    The width is that of the terminal, but never below 80 columns; ``words``: columns that are set flush left.
    """
    made = Table(box=box.SIMPLE_HEAD, pad_edge=False, show_edge=False)
    for i, name in enumerate(head):
        made.add_column(shown(name), justify="left" if i in words else "right", no_wrap=True)
    for row in rows:
        made.add_row(*map(shown, row))
    # Class names are data: no markup, no emoji, no colors of numbers.
    console = Console(file=sys.stdout, markup=False, emoji=False, highlight=False)
    needed = console.measure(made, options=console.options.update(width=10_000)).maximum
    console.width = max(console.width, _WIDTH)
    if needed > console.width:
        return False
    console.print(made)
    sys.stdout.flush()
    return True


def shown(value: object) -> str:
    r"""Return a cell: numbers with four digits after the point, NaN and None as a dash, names on one line.

    >>> shown(0.5), shown(float("nan")), shown("a\nb")
    ('0.5000', '-', 'a\\nb')
    """
    if value is None or (isinstance(value, float) and math.isnan(value)):
        return "-"
    if isinstance(value, float):
        return f"{value:.4f}"
    text = str(value)
    return text if text.isprintable() else repr(text)[1:-1]
