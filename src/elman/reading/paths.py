"""Paths of files to be read: what is a path, and what is a file that can be read to its end."""

from __future__ import annotations

import errno
import os
import stat
from pathlib import Path
from typing import Any

from elman._validation import describe
from elman.errors import ArgumentTypeError


def as_text(path: Any, name: str = "path") -> str:
    """Return a path as a string, or raise TypeError.

    >>> as_text(3)
    Traceback (most recent call last):
    ...
    elman.errors.ArgumentTypeError: path is 3 (a int), expected a path (str or os.PathLike)
    """
    text = os.fspath(path) if isinstance(path, os.PathLike) else path
    if not isinstance(text, str):
        raise ArgumentTypeError(name, f"is {describe(path)}", "a path (str or os.PathLike)")
    return text


def check_file(path: str, source: str) -> None:
    """Raise before a pipe would be waited for, or a device read without an end."""
    try:
        status = Path(path).stat()
    except ValueError:
        raise ValueError(f"path is {source}, which no file can be called") from None
    if stat.S_ISDIR(status.st_mode):
        raise IsADirectoryError(errno.EISDIR, os.strerror(errno.EISDIR), path)
    if not stat.S_ISREG(status.st_mode):
        raise ValueError(f"{source} is not a regular file")
    if not status.st_size:
        raise ValueError(f"{source} is empty")
