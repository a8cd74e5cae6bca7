"""`elman info FILE.edf`: what is in a recording, before anything is read from it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from elman.cli.console import say, shown, table
from elman.datasets import EdfInfo, edf_info
from elman.datasets.edf_files import ENDINGS
from elman.datasets.edf_header import is_edf

_MOST = 20  # texts of annotations that are shown; --json has all


def is_recording(path: str) -> bool:
    """Whether a file is an EDF or BDF file, by its name or its first bytes."""
    if Path(path).suffix.lower() in ENDINGS:
        return True
    if not Path(path).is_file():
        return False
    with Path(path).open("rb") as file:
        return is_edf(file.read(8))


def info(path: str) -> EdfInfo:
    """Return what is in a recording; ValueError if it is no EDF or BDF file."""
    return edf_info(path)


def document(found: EdfInfo) -> dict[str, Any]:
    """Return what is in a recording for one JSON document."""
    return {
        "file": found.path,
        "kind": found.kind,
        "start": None if found.start is None else found.start.isoformat(),
        "seconds": found.seconds,
        "sequences": found.sequences,
        "channels": found.channels,
        "rates": found.rates,
        "units": found.units,
        "texts": found.texts,
        "annotations": [note._asdict() for note in found.annotations],
        "notes": found.notes,
    }


def show(found: EdfInfo) -> None:
    """Write what is in a recording, for people."""
    start = "start unknown" if found.start is None else f"from {found.start:%Y-%m-%d %H:%M:%S}"
    parts = f", {found.sequences} parts" if found.sequences > 1 else ""
    say(f"{shown(found.path)}: {found.kind}, {found.seconds:g} s{parts}, {start}")
    if found.channels:
        say("")
        rows = zip(range(1, len(found.channels) + 1), found.channels, found.rates, found.units, strict=True)
        _table(["", "channel", "Hz", "unit"], [[i, name, f"{rate:g}", unit] for i, name, rate, unit in rows])
    if found.texts:
        say("")
        counts = list(found.texts.items())
        _table(["annotation", "times"], [[text, count] for text, count in counts[:_MOST]])
        if len(counts) > _MOST:
            say(f"and {len(counts) - _MOST} other texts (--json lists them)")
    for note in found.notes:
        say(f"\n{note}")


def _table(head: list[str], rows: list[list[Any]]) -> None:
    """Write a table, as lines where it is too wide for the terminal."""
    words = [i for i, name in enumerate(head) if name in ("channel", "unit", "annotation")]
    if not table(head, rows, words=words):
        for row in rows:
            say("  ".join(shown(cell) for cell in row))
