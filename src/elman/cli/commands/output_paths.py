"""Paths of a command: it must not write to a file that it reads."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from elman.errors import ArgumentValueError


def keep_apart(read: Mapping[str, str | None], written: Mapping[str, str | None]) -> None:
    """Raise ValueError if a file that is written is also read, or written twice.

    Both map the name of an argument to its path, None if it is not given.

    >>> keep_apart({"TRAIN": "a.csv"}, {"--model": "a.csv"})
    Traceback (most recent call last):
    ...
    elman.errors.ArgumentValueError: --model is 'a.csv', which is also TRAIN: expected another file
    """
    seen: dict[Path, str] = {}
    for name, path in read.items():
        if path is not None:
            seen.setdefault(Path(path).resolve(), name)
    for name, path in written.items():
        if path is None:
            continue
        other = seen.setdefault(Path(path).resolve(), name)
        if other != name:
            raise ArgumentValueError(name, f"is {path!r}, which is also {other}: expected another file")
