"""The lock of a network: many threads may read it (predict), one may change it (fit)."""

from __future__ import annotations

import threading
from threading import get_ident


class ReadWriteLock:
    """Lets many threads read, or one thread change, and raises RuntimeError instead of waiting.

    The thread that changes the network may read it too: a callback of fit may call predict.

    >>> lock = ReadWriteLock()
    >>> with lock.writing("fit"), lock.reading():
    ...     pass
    >>> with lock.writing("fit"), lock.writing("reset_state"):
    ...     pass
    Traceback (most recent call last):
    ...
    RuntimeError: reset_state was called by a callback during fit: fit is exclusive
    """

    __slots__ = ("_reading",)

    def __init__(self) -> None:
        self._reading = _Reading()

    def reading(self) -> _Reading:
        """Return a context in which the network is read: RuntimeError while another thread changes it."""
        return self._reading

    def writing(self, name: str) -> _Writing:
        """Return a context in which the network is changed: RuntimeError while anything else uses it.

        ``name`` is the method, for the message of the error.
        """
        return _Writing(self._reading, name)

    def writing_in_callback(self, name: str) -> _Writing:
        """Return a context like that of `writing`, which a callback may enter during fit."""
        return _CallbackWriting(self._reading, name)


# A predict of little data takes 6 us, so entering and leaving must be cheap: classes instead of generators,
# and for readers one shared context that needs no mutex, because append and pop are atomic.


class _Reading:
    """Who uses the network now, and the context of a reader, which all readers share.

    A reader registers before it looks for a writer, and a writer before it looks for readers. So no reader
    and writer of different threads are ever inside together. If they enter at the same moment, both may fail.
    """

    __slots__ = ("exclusive", "readers", "writer", "writes")

    def __init__(self) -> None:
        self.readers: list[None] = []  # one entry for each
        self.exclusive = threading.Lock()  # held by the writer
        self.writer: int | None = None  # the identifier of its thread
        self.writes = ""  # the method that it is in

    def __enter__(self) -> None:
        self.readers.append(None)
        writer = self.writer
        if writer is not None and writer != get_ident():
            self.readers.pop()
            raise RuntimeError(
                f"another thread is inside {self.writes} of this network: wait until it is done"
            )

    def __exit__(self, kind: object, error: object, traceback: object) -> None:
        self.readers.pop()


class _Writing:
    """The context of a writer. It can be entered again after it was left."""

    __slots__ = ("_name", "_use")

    def __init__(self, use: _Reading, name: str) -> None:
        self._use, self._name = use, name

    def __enter__(self) -> None:
        use, name = self._use, self._name
        if not use.exclusive.acquire(False):
            who = "a callback" if use.writer == get_ident() else "another thread"
            raise RuntimeError(f"{name} was called by {who} during {use.writes}: {use.writes} is exclusive")
        use.writes = name
        use.writer = get_ident()
        if use.readers:
            use.writer = None
            use.exclusive.release()
            raise RuntimeError(
                f"{name} was called while another thread uses this network: {name} is exclusive"
            )

    def __exit__(self, kind: object, error: object, traceback: object) -> None:
        use = self._use
        use.writer = None
        use.exclusive.release()


class _CallbackWriting(_Writing):
    """The context of a writer that may be inside the context of another one, in the same thread."""

    __slots__ = ("_inside",)

    def __enter__(self) -> None:
        self._inside = self._use.writer == get_ident()
        if not self._inside:
            super().__enter__()

    def __exit__(self, kind: object, error: object, traceback: object) -> None:
        if not self._inside:
            super().__exit__(kind, error, traceback)
