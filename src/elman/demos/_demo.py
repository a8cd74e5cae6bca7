"""The parts of every demo: a computation that prints nothing, a text about its result, and pictures."""

from __future__ import annotations

import textwrap
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryFile
from time import perf_counter
from typing import Generic, TypeVar

from elman.plotting import style

R = TypeVar("R")
Show = Callable[[str], None]
WIDTH = 100  # of running text, in characters


@dataclass(frozen=True)
class Outcome:
    """One line of the closing table, and the pictures that were drawn."""

    name: str
    system: str
    article: str
    headline: str
    seconds: float
    pictures: tuple[Path, ...]


@dataclass(frozen=True)
class Demo(Generic[R]):
    """A demo: ``run`` computes, ``describe`` and ``headline`` return text, ``draw`` saves pictures."""

    name: str
    system: str
    article: str
    intro: str
    run: Callable[[], R]
    describe: Callable[[R], str]
    draw: Callable[[R, Path], list[Path]]
    headline: Callable[[R], str]

    def play(self, show: Show, folder: Path | None) -> tuple[R, Outcome]:
        """Run the demo and show its result; with ``folder=None`` nothing is drawn, and a line says so."""
        start = perf_counter()
        show(f"\n{self.name}: {self.system}\n{'=' * (len(self.name) + 2 + len(self.system))}")
        show(textwrap.fill(self.intro, WIDTH) + "\n")
        result = self.run()
        show(self.describe(result))
        pictures: list[Path] = []
        if folder is None:
            show(nothing_drawn())
        else:
            pictures = self.draw(result, folder)
            show("Pictures: " + ", ".join(str(picture) for picture in pictures))
        seconds = perf_counter() - start
        return result, Outcome(
            self.name, self.system, self.article, self.headline(result), seconds, tuple(pictures)
        )


def nothing_drawn() -> str:
    """Return a line that says why there are no pictures."""
    why = "" if style.available() else ': matplotlib is not installed (pip install "elman[plot]")'
    return f"Nothing was drawn{why}."


def prepare(folder: Path) -> Path | None:
    """Make the folder for pictures and check that it can be written; return None without matplotlib."""
    if not style.available():
        return None
    try:
        folder.mkdir(parents=True, exist_ok=True)
        # Permission bits are not enough (root, read-only mounts): write a file.
        with TemporaryFile(dir=folder):
            pass
    except FileExistsError:
        raise ValueError(f"the folder for pictures, {folder}, is a file") from None
    except OSError as error:
        raise ValueError(f"the folder for pictures, {folder}, cannot be written: {error.strerror}") from None
    return folder


def table(headers: Sequence[str], rows: Sequence[Sequence[object]], *, right: Sequence[int] = ()) -> str:
    """Return a table as plain text; ``right`` are the columns that are set flush right."""
    cells = [[str(cell) for cell in row] for row in rows]
    widths = [max(len(line[i]) for line in [list(headers), *cells]) for i in range(len(headers))]

    def line(row: Sequence[str]) -> str:
        parts = [
            text.rjust(w) if i in right else text.ljust(w)
            for i, (text, w) in enumerate(zip(row, widths, strict=True))
        ]
        return ("  " + "  ".join(parts)).rstrip()

    return "\n".join([line(list(headers)), "  " + "  ".join("-" * w for w in widths), *map(line, cells)])


def closing_table(outcomes: Sequence[Outcome]) -> str:
    """Return the table of system, article, result and seconds, with the sum of the seconds."""
    rows = [(o.name, o.system, o.article, o.headline, f"{o.seconds:.2f}") for o in outcomes]
    total = sum(o.seconds for o in outcomes)
    return table(
        ("demo", "system", "article", "result", "seconds"),
        [*rows, ("", "", "", "all", f"{total:.2f}")],
        right=(4,),
    )
