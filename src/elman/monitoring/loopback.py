"""Sockets of this process, moved to the loopback: liblsl opens those of a stream on every network interface.

liblsl has a setting for the address at which streams are searched, but none for the sockets that send samples
and time. So these are replaced under liblsl, before anything is sent: a new socket with the same port at
127.0.0.1 or [::1] takes the place (the file descriptor) of the old one, and its place in liblsl's epoll.
"""

from __future__ import annotations

import contextlib
import ctypes
import os
import platform
import socket
import sys
import time
from ipaddress import ip_address
from pathlib import Path

_OPEN = Path("/proc/self/fd")
_FACTS = Path("/proc/self/fdinfo")
_ADD = 1  # EPOLL_CTL_ADD
_BACKLOG = 10  # liblsl's
_PATIENCE = 1.0  # s for the port of a closed socket to be free


class _Event(ctypes.Structure):
    """struct epoll_event, which is packed on x86."""

    if platform.machine() in ("x86_64", "AMD64", "i686"):
        _pack_ = 1
    _fields_ = (("events", ctypes.c_uint32), ("data", ctypes.c_uint64))


def possible() -> bool:
    """Whether `confine` works on this system: it needs Linux's list of what an epoll watches."""
    return sys.platform == "linux" and _FACTS.is_dir()


def sockets() -> dict[int, str]:
    """Return the name of each socket of this process, by its file descriptor."""
    found = {}
    for entry in _OPEN.iterdir():
        with contextlib.suppress(OSError):  # closed in the meantime
            name = entry.readlink().name
            if name.startswith("socket:"):
                found[int(entry.name)] = name
    return found


def confine(before: dict[int, str]) -> None:
    """Move to the loopback all sockets that were opened since ``before``, which `sockets` gave.

    Connections from elsewhere that were made in the meantime are closed. No other thread may open sockets
    meanwhile. OSError if a socket stays open to other machines.
    """
    for fd, name in sockets().items():
        if before.get(fd) != name:
            _confine(fd)
    for fd, name in sockets().items():
        if before.get(fd) != name and _is_open(fd):
            raise OSError(f"socket {fd} of liblsl is open to other machines and cannot be moved")


def _is_open(fd: int) -> bool:
    """Whether others can send something to a socket."""
    with socket.socket(fileno=os.dup(fd)) as own:
        if own.family not in (socket.AF_INET, socket.AF_INET6):
            return False
        host, port = own.getsockname()[:2]
        return port != 0 and not ip_address(host.partition("%")[0]).is_loopback


def _confine(fd: int) -> None:
    if not _is_open(fd):
        return
    with socket.socket(fileno=os.dup(fd)) as old:
        port = old.getsockname()[1]
        stream = old.type == socket.SOCK_STREAM
        listens = stream and old.getsockopt(socket.SOL_SOCKET, socket.SO_ACCEPTCONN)
        if stream and not listens:
            old.shutdown(socket.SHUT_RDWR)
            return
        new = socket.socket(old.family, old.type)
        reuse = old.getsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR)
    with new:
        new.setblocking(False)
        new.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, reuse)
        if new.family == socket.AF_INET6:
            new.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
        watched = _watched(fd)
        os.dup2(new.fileno(), fd, inheritable=False)  # closes the old one
        _bind(new, port)
        if listens:
            new.listen(_BACKLOG)
    for epoll, event in watched:
        _watch(epoll, fd, event)


def _bind(new: socket.socket, port: int) -> None:
    host = "127.0.0.1" if new.family == socket.AF_INET else "::1"
    end = time.monotonic() + _PATIENCE
    while True:
        try:
            new.bind((host, port))
        except OSError:
            if time.monotonic() > end:
                raise
            time.sleep(0.01)
        else:
            return


def _watched(fd: int) -> list[tuple[int, _Event]]:
    """Return the epolls that watch a file descriptor, each with the event that it was registered with."""
    found = []
    for entry in _FACTS.iterdir():
        with contextlib.suppress(OSError):  # closed in the meantime
            for line in entry.read_text().splitlines():
                words = line.split()
                if words[:1] == ["tfd:"] and words[1] == str(fd):
                    event = _Event(int(words[words.index("events:") + 1], 16), int(words[5], 16))
                    found.append((int(entry.name), event))
    return found


def _watch(epoll: int, fd: int, event: _Event) -> None:
    library = ctypes.CDLL(None, use_errno=True)
    if library.epoll_ctl(epoll, _ADD, fd, ctypes.byref(event)):
        number = ctypes.get_errno()
        raise OSError(number, os.strerror(number))
