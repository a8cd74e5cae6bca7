"""Disk: a file is replaced in one step, never half, and lasts when that returns, even through a power cut."""

from __future__ import annotations

import errno
import itertools
import os
import stat
import sys
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO, NamedTuple

if sys.platform != "win32":
    import fcntl

_UNKNOWN = (errno.EINVAL, errno.ENOTSUP, errno.EOPNOTSUPP, errno.ENOSYS, errno.ENOLCK)  # to a file system
_NO_FOLLOW = getattr(os, "O_NOFOLLOW", 0) | getattr(os, "O_NONBLOCK", 0) | getattr(os, "O_BINARY", 0)
_OURS = stat.S_ISVTX  # the mode bit that marks a file beside another as one of this module's
_MOST_NAMES = 1000  # for the file beside a path
_NOT_REGULAR = "Not a regular file"


class _Beside(NamedTuple):
    """The file beside a path: it is written, and then renamed to ``target`` and given ``mode``."""

    file: BinaryIO
    name: Path
    target: Path
    mode: int


class _InTheWayError(OSError):
    """A file that is no regular one has the name of the file beside."""


def replace(path: str | os.PathLike[str], pieces: Iterable[bytes | memoryview]) -> None:
    """Replace a file by the pieces, one after the other; OSError names the path and leaves the file before.

    The bytes go to a new file beside it, ``path.partial``, or ``path.1.partial`` where a file of the user's
    has that name. What a process that was killed here left behind is removed by the next one. A symbolic link
    stays, and the file that it leads to is replaced. An existing file keeps its mode.
    """
    with _naming(path), _beside(path) as beside:
        file = beside.file
        file.writelines(pieces)
        file.flush()
        os.fsync(file.fileno())
        if sys.platform == "win32":  # which renames closed files only
            file.close()
        beside.name.replace(beside.target)
        if sys.platform != "win32":
            _set_mode(file, beside.mode)  # without the mark
        _sync(beside.target.parent)


def probe(path: str | os.PathLike[str]) -> None:
    """Raise the OSError that `replace` would raise, where that can be known before; nothing is written."""
    with _naming(path), _beside(path):
        pass


def open_to_read(path: str | os.PathLike[str]) -> BinaryIO:
    """Open a file to read its bytes; OSError for a FIFO, whose bytes may never come."""
    file = open(path, "rb", opener=_open_at_once)  # noqa: SIM115 (the caller closes it)
    if stat.S_ISFIFO(os.fstat(file.fileno()).st_mode):
        file.close()
        raise OSError(errno.EINVAL, _NOT_REGULAR, os.fspath(path))
    return file


def _open_at_once(name: str, flags: int) -> int:
    return os.open(name, flags | getattr(os, "O_NONBLOCK", 0))  # a FIFO would wait for someone who writes


@contextmanager
def _naming(path: str | os.PathLike[str]) -> Iterator[None]:
    """Let errors name the file that the user knows. What a signal's handler raised is left as it is."""
    try:
        yield
    except _InTheWayError as error:
        raise OSError(error.errno, error.strerror, error.filename) from None
    except OSError as error:
        if error.errno is None or type(error) is not type(OSError(error.errno, "")):
            raise
        raise OSError(error.errno, error.strerror, os.fspath(path)) from None


@contextmanager
def _beside(path: str | os.PathLike[str]) -> Iterator[_Beside]:
    """Open the file beside a path; at the end it has been renamed, or is removed."""
    target = Path(path)
    if target.is_symlink():
        target = Path(os.path.realpath(target))
        if target.is_symlink():  # a link that leads back to itself
            raise OSError(errno.ELOOP, os.strerror(errno.ELOOP))
    mode = _mode(target)
    file, name = _create(target)
    try:
        if mode is None:
            mode = stat.S_IMODE(os.fstat(file.fileno()).st_mode) & ~_OURS
        # Before there is something to read; a file system that knows no such mark may know the mode.
        elif sys.platform != "win32" and not _set_mode(file, mode | _OURS):
            _set_mode(file, mode)
        yield _Beside(file, name, target, mode)
    finally:
        if sys.platform == "win32":
            file.close()
            name.unlink(missing_ok=True)
        else:
            if _is_there(file, name):
                name.unlink()
            file.close()


def _mode(target: Path) -> int | None:
    """Return the mode of the file to be replaced, None where there is none."""
    try:
        found = target.stat().st_mode
    except FileNotFoundError:
        return None
    if not stat.S_ISREG(found):  # a folder, or a device such as /dev/null
        raise OSError(errno.EINVAL, _NOT_REGULAR)
    return stat.S_IMODE(found) & ~_OURS


def _set_mode(file: BinaryIO, mode: int) -> bool:
    """Set the mode of an open file; return whether the file system can: FAT and others have few modes."""
    with _ignored((*_UNKNOWN, errno.EPERM)):
        os.fchmod(file.fileno(), mode)
        return True
    return False


def _create(target: Path) -> tuple[BinaryIO, Path]:
    """Create a file beside the target, locked as long as it is open. The lock of a killed process is gone."""
    flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | _NO_FOLLOW
    for number in itertools.count():
        name = Path(f"{target}.{number}.partial" if number else f"{target}.partial")
        there = True
        while there:
            try:
                file = os.fdopen(os.open(name, flags, 0o666 | _OURS), "wb")
            except FileExistsError:
                if number == _MOST_NAMES:
                    raise
                there = _clear(name)
                continue
            try:
                if _lock(file.fileno(), unknown=True) and _is_there(file, name):
                    return file, name
            except BaseException:
                file.close()
                raise
            file.close()  # another process took it for a left one, and removed it
    raise AssertionError("unreachable")


def _clear(name: Path) -> bool:
    """Remove a file that a killed process left; return whether the name may be free now.

    A file without the mark is the user's, and one that is locked is being written.
    """
    try:
        found = name.lstat().st_mode
        if not stat.S_ISREG(found):
            text = f"{_NOT_REGULAR}; elman writes a file of this name and renames it"
            raise _InTheWayError(errno.EEXIST, text, str(name))
        if not found & _OURS or sys.platform == "win32":
            return False
        handle = os.open(name, os.O_WRONLY | _NO_FOLLOW)
    except FileNotFoundError:
        return True
    except PermissionError:
        return False
    with os.fdopen(handle, "wb") as file:
        if not _lock(handle, unknown=False):
            return False
        if _is_there(file, name):
            name.unlink()
    return True


def _is_there(file: BinaryIO, name: Path) -> bool:
    """Whether an open file still is the one of that name."""
    try:
        return os.path.samestat(os.fstat(file.fileno()), name.lstat())
    except FileNotFoundError:
        return False


def _lock(handle: int, unknown: bool) -> bool:
    """Lock a file; return whether that was possible, ``unknown`` where the file system has no locks."""
    if sys.platform != "win32":  # where an open file cannot be renamed: two writers end in an error there
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            return False
        except OSError as error:
            if error.errno not in _UNKNOWN:
                raise
            return unknown
    return True


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
