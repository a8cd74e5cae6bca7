"""Signals and bars as text: Braille patterns have eight dots a letter, blocks eight widths."""

from __future__ import annotations

import numpy as np

from elman.sequences import Array

_DOTS = np.array([[0x01, 0x08], [0x02, 0x10], [0x04, 0x20], [0x40, 0x80]])  # from the top, left and right
_BLOCKS = " ▏▎▍▌▋▊▉█"
_HEIGHTS = " ▁▂▃▄▅▆▇█"


def trace(values: Array, width: int, rows: int) -> list[str]:
    """Return a signal (n,) as ``rows`` lines of ``width`` letters; NaN is left blank.

    Each column of dots covers what the signal does in its share of the time, and touches the one before, so
    that no peak is lost, however many samples there are.

    >>> print(*trace(np.sin(np.linspace(0, 12, 200)), 20, 2), sep="|")
    ⣠⠞⠉⠙⢦⡀⠀⠀⠀⠀⢀⠔⠋⠉⠲⣄⠀⠀⠀⠀|⠁⠀⠀⠀⠀⠙⠦⣀⣠⠔⠁⠀⠀⠀⠀⠈⠳⣄⣀⡴
    """
    columns, height = 2 * width, 4 * rows
    if not len(values):
        return [" " * width] * rows
    if len(values) < columns:  # a slow signal: hold each value
        values = values[np.arange(columns) * len(values) // columns]
    there = values[np.isfinite(values)]
    low, high = (float(there.min()), float(there.max())) if len(there) else (0.0, 0.0)
    cells = np.zeros((rows, width), int)
    last: float | None = None
    for column, part in enumerate(np.array_split(values, columns)):
        places = _places(part[np.isfinite(part)], low, high, height)
        if not len(places):
            last = None
            continue
        ends = [places.min(), places.max()]
        if last is not None:  # join on to where the signal was
            ends.append((last + places[0]) / 2)
        last = places[-1]
        for dot in range(round(min(ends)), round(max(ends)) + 1):
            cells[dot // 4, column // 2] |= _DOTS[dot % 4, column % 2]
    return ["".join(chr(0x2800 + cell) for cell in row) for row in cells]


def _places(values: Array, low: float, high: float, height: int) -> Array:
    """Return at which of ``height`` dots, from the top, values are; where all are alike, in the middle."""
    if high == low:
        return np.full(len(values), height // 2, float)
    return (high - values) / (high - low) * (height - 1)


def bar(share: float, width: int) -> str:
    """Return a bar of so many letters for a share from 0 to 1.

    >>> bar(0.5, 5)
    '██▌  '
    """
    eighths = round(min(max(share, 0.0), 1.0) * width * 8)
    full, rest = divmod(eighths, 8)
    return ("█" * full + (_BLOCKS[rest] if rest else "")).ljust(width)


def sparkline(values: Array, low: float = 0.0, high: float = 1.0) -> str:
    """Return one letter a value, from low to high; NaN is a blank.

    >>> sparkline(np.array([0.0, 0.5, 1.0, np.nan]))
    '▁▄█ '
    """
    span = high - low if high > low else 1.0
    places = np.clip((np.nan_to_num(values, nan=low) - low) / span, 0, 1) * 7.999
    return "".join(
        " " if np.isnan(value) else _HEIGHTS[1 + int(place)]
        for value, place in zip(values, places, strict=True)
    )
