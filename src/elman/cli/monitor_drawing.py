"""Signals and bars as text: a Braille pattern has eight dots, a block one of eight widths."""

from __future__ import annotations

import numpy as np

from elman.data.sequences import Array

_DOTS = np.array([[0x01, 0x08], [0x02, 0x10], [0x04, 0x20], [0x40, 0x80]])  # from the top, left and right
_BLOCKS = " ▏▎▍▌▋▊▉█"
_HEIGHTS = " ▁▂▃▄▅▆▇█"


def trace(values: Array, width: int, rows: int) -> list[str]:
    """Return a signal (n,) as ``rows`` lines of ``width`` letters; NaN is left blank.

    A column of dots covers the range of its samples and touches the column before it: no peak is lost.

    >>> print(*trace(np.sin(np.linspace(0, 12, 200)), 20, 2), sep="|")
    ⣠⠞⠉⠙⢦⡀⠀⠀⠀⠀⢀⠔⠋⠉⠲⣄⠀⠀⠀⠀|⠁⠀⠀⠀⠀⠙⠦⣀⣠⠔⠁⠀⠀⠀⠀⠈⠳⣄⣀⡴
    """
    columns, height = 2 * width, 4 * rows
    if not len(values):
        return [" " * width] * rows
    if len(values) < columns:  # a slow signal: hold each value
        values = values[np.arange(columns) * len(values) // columns]
    starts = np.arange(columns) * len(values) // columns
    values = np.where(np.isfinite(values), values, np.nan)
    low, high = np.fmin.reduceat(values, starts), np.fmax.reduceat(values, starts)
    ends = np.append(starts[1:], len(values)) - 1
    meeting = (values[ends[:-1]] + values[starts[1:]]) / 2  # where a column joins on to the one before
    low[1:], high[1:] = np.fmin(low[1:], meeting), np.fmax(high[1:], meeting)
    bottom, top = np.fmin.reduce(low), np.fmax.reduce(high)
    scale = (height - 1) / (top - bottom) if top > bottom else 0.0
    middle = 0.0 if top > bottom else height // 2
    first, last = np.rint((top - high) * scale + middle), np.rint((top - low) * scale + middle)
    rank = np.arange(height)[:, None]
    drawn = (first <= rank) & (rank <= last)  # NaN is neither
    cells = (drawn.reshape(rows, 4, width, 2) * _DOTS[None, :, None, :]).sum(axis=(1, 3))
    return ["".join(chr(0x2800 + cell) for cell in row) for row in cells.tolist()]


def bar(share: float, width: int) -> str:
    """Return a bar of ``width`` letters for a share from 0 to 1.

    >>> bar(0.5, 5)
    '██▌  '
    """
    eighths = round(min(max(share, 0.0), 1.0) * width * 8)
    full, rest = divmod(eighths, 8)
    return ("█" * full + (_BLOCKS[rest] if rest else "")).ljust(width)


def sparkline(values: Array, low: float = 0.0, high: float = 1.0) -> str:
    """Return one letter per value, from low to high; NaN is a blank.

    >>> sparkline(np.array([0.0, 0.5, 1.0, np.nan]))
    '▁▄█ '
    """
    span = high - low if high > low else 1.0
    places = np.clip((np.nan_to_num(values, nan=low) - low) / span, 0, 1) * 7.999
    return "".join(
        " " if np.isnan(value) else _HEIGHTS[1 + int(place)]
        for value, place in zip(values, places, strict=True)
    )
