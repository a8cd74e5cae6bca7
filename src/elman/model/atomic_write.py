"""Disk: a file is replaced in one step, never half, and lasts when that returns, even through a power cut."""

from __future__ import annotations

import errno
import os
import sys
import time
from collections.abc import Iterable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import BinaryIO

if sys.platform != "win32":
    import fcntl

_MOST_SECONDS = 60.0  # to wait for another writer of the same file
_UNKNOWN = (errno.EINVAL, errno.ENOTSUP, errno.EOPNOTSUPP, errno.ENOSYS, errno.ENOLCK)  # to a file system


def replace(path: str | os.PathLike[str], pieces: Iterable[bytes | memoryview]) -> None:
    """Replace a file by the pieces, one after the other; OSError names the path and leaves the file before.

    The bytes go to a file beside it, of one fixed name: a process that is killed here leaves nothing that
    the next one does not overwrite.
    """
    with _naming(path), _beside(path) as (file, partial):
        file.writelines(pieces)
        file.flush()
        os.fsync(file.fileno())
        if sys.platform == "win32":  # which renames closed files only
            file.close()
        partial.replace(path)
        _sync(partial.parent)


def probe(path: str | os.PathLike[str]) -> None:
    """Raise the OSError that `replace` would raise, where that can be known before; nothing is written."""
    with _naming(path), _beside(path):
        pass


@contextmanager
def _naming(path: str | os.PathLike[str]) -> Iterator[None]:
    """Let errors name the file that the user knows."""
    try:
        yield
    except OSError as error:
        raise OSError(error.errno, error.strerror, os.fspath(path)) from None


@contextmanager
def _beside(path: str | os.PathLike[str]) -> Iterator[tuple[BinaryIO, Path]]:
    """Open the file beside a path; at the end it is renamed, or removed."""
    target, partial = Path(path), Path(f"{os.fspath(path)}.partial")
    if target.exists() and not target.is_file():  # a folder, or a device such as /dev/null
        raise OSError(errno.EINVAL, "Not a regular file")
    file = _open_alone(partial)
    try:
        yield file, partial
    finally:
        if sys.platform == "win32":
            file.close()
            with suppress(OSError):
                partial.unlink()
        else:
            if _is_there(file, partial):  # otherwise it was renamed, and this is another writer's
                partial.unlink()
            file.close()


def _open_alone(partial: Path) -> BinaryIO:
    """Open a file for one writer at a time: two would mix their bytes. The lock of a killed one is gone."""
    deadline = time.monotonic() + _MOST_SECONDS
    while True:
        file = partial.open("ab")  # not emptied yet: another one may be writing it
        try:
            _lock(file)
            if _is_there(file, partial):
                file.truncate(0)
                return file
        except BlockingIOError:
            if time.monotonic() > deadline:
                file.close()
                raise
            time.sleep(0.01)
        except BaseException:
            file.close()
            raise
        file.close()  # renamed or removed while this one waited


def _is_there(file: BinaryIO, partial: Path) -> bool:
    """Whether an open file still is the one of that name."""
    try:
        return os.path.samestat(os.fstat(file.fileno()), partial.stat())
    except FileNotFoundError:
        return False


def _lock(file: BinaryIO) -> None:
    if sys.platform != "win32":  # where an open file cannot be renamed: two writers end in an error there
        with _ignored(_UNKNOWN):
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)


def _sync(folder: Path) -> None:
    """Make the renaming last; where folders cannot be opened or synchronized there is nothing to do."""
    if sys.platform != "win32":
        with _ignored((*_UNKNOWN, errno.EACCES)):
            handle = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
            try:
                os.fsync(handle)
            finally:
                os.close(handle)


@contextmanager
def _ignored(codes: tuple[int, ...]) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        if error.errno not in codes:
            raise
