"""Whether a path is a file that can be read to its end."""

from __future__ import annotations

import errno
import os
import stat
from pathlib import Path


def check_file(path: str, source: str) -> None:
    """Raise if the path is a pipe, which would block, or a device, which may have no end."""
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
