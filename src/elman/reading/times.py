"""Times in text, as numbers in the same order."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from datetime import datetime, timedelta
from math import isfinite
from typing import NoReturn

import numpy as np

from elman.data.sequences import Array
from elman.reading.parsing import number, shown

_WHOLE = re.compile(r"[+-]?[0-9]{1,18}")
_START = datetime(1970, 1, 1)
_TICK = timedelta(microseconds=1)


def times_from_text(texts: Sequence[str], fail: Callable[[int, str], NoReturn]) -> Array:
    """Return whole numbers exactly, other finite numbers, or dates of ISO 8601 as microseconds.

    ``fail(i, problem)`` is called for the first text that is none of these, or of another kind than text 0.

    >>> times_from_text(["1970-01-02", "1970-01-01 12:00"], print)
    array([86400000000, 43200000000])
    """
    if all(map(_WHOLE.fullmatch, texts)):
        return np.array([int(text) for text in texts], np.int64)
    numbers = _finite(texts[0]) is not None
    zoned = None if numbers else _zoned(texts[0])
    times: list[float] = []
    for i, text in enumerate(texts):
        time = _finite(text) if numbers else _moment(text)
        if time is None:
            wanted = "a finite number" if numbers else "a number or a date such as 2024-12-31T23:59:59.5"
            fail(i, f"{shown(text)} is not {wanted}")
        if not numbers and _zoned(text) != zoned:
            fail(i, f"either {shown(text)} or the first time, {shown(texts[0])}, has no time zone")
        times.append(time)
    return np.array(times)


def _finite(text: str) -> float | None:
    try:
        time = number(text)
    except ValueError:
        return None
    return time if isfinite(time) else None


def _moment(text: str) -> int | None:
    try:
        moment = datetime.fromisoformat(text)
        return (moment.replace(tzinfo=None) - (moment.utcoffset() or timedelta()) - _START) // _TICK
    except (ValueError, OverflowError):
        return None


def _zoned(text: str) -> bool | None:
    try:
        return datetime.fromisoformat(text).tzinfo is not None
    except ValueError:
        return None
