"""The lock of a network: many threads may read it (predict), one may change it (fit)."""

from __future__ import annotations

import threading
from threading import get_ident


class _State:
    """Who uses the network now. The mutex is held for a moment, while these fields are read or changed."""

    __slots__ = ("mutex", "readers", "writer", "writes")

    def __init__(self) -> None:
        self.mutex = threading.Lock()
        self.readers = 0
        self.writer: int | None = None  # the identifier of the thread that changes the network
        self.writes = ""  # the method that changes it


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

    __slots__ = ("_reading", "_state")

    def __init__(self) -> None:
        self._state = _State()
        self._reading = _Reading(self._state)

    def reading(self) -> _Reading:
        """Return a context in which the network is read: RuntimeError while another thread changes it."""
        return self._reading

    def writing(self, name: str, *, by_callback: bool = False) -> _Writing:
        """Return a context in which the network is changed: RuntimeError while anything else uses it.

        ``name`` is the method, for the message of the error. ``by_callback`` allows the change in the thread
        that is changing the network already, which is a callback of fit.
        """
        return _Writing(self._state, name, by_callback)


class _Reading:
    """The context of `ReadWriteLock.reading`. It remembers nothing, so one object serves all threads."""

    __slots__ = ("_state",)

    def __init__(self, state: _State) -> None:
        self._state = state

    def __enter__(self) -> None:
        state = self._state
        with state.mutex:
            if state.writer is not None and state.writer != get_ident():
                raise RuntimeError(
                    f"another thread is inside {state.writes} of this network: wait until it is done"
                )
            state.readers += 1

    def __exit__(self, *_: object) -> None:
        state = self._state
        with state.mutex:
            state.readers -= 1


class _Writing:
    """The context of `ReadWriteLock.writing`."""

    __slots__ = ("_by_callback", "_name", "_outer", "_state")

    def __init__(self, state: _State, name: str, by_callback: bool) -> None:
        self._state, self._name, self._by_callback = state, name, by_callback
        self._outer = True  # False inside another context of the same thread, which then ends the change

    def __enter__(self) -> None:
        state, name, thread = self._state, self._name, get_ident()
        with state.mutex:
            if state.writer == thread and self._by_callback:
                self._outer = False
                return
            if state.writer is not None:
                who = "a callback" if state.writer == thread else "another thread"
                raise RuntimeError(
                    f"{name} was called by {who} during {state.writes}: {state.writes} is exclusive"
                )
            if state.readers:
                raise RuntimeError(
                    f"{name} was called while another thread uses this network: {name} is exclusive"
                )
            state.writer, state.writes = thread, name

    def __exit__(self, *_: object) -> None:
        if self._outer:
            with self._state.mutex:
                self._state.writer = None
