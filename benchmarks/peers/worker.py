"""One peer in a process of its own, where no other peer's threads or allocator disturb it.

It answers requests, a line of JSON each, until its input ends: `python -m benchmarks.peers.worker torch 2`.
"""

from __future__ import annotations

import ctypes
import importlib
import json
import os
import sys
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.cases import Case

TURN = 0.1  # seconds that a timed turn lasts at least


class Worker:
    """A peer's module, and what it was last asked to time."""

    def __init__(self, peer: Any, threads: int) -> None:
        self.peer, self.threads = peer, threads
        self.key: Any = None
        self.call: Callable[[], Any] | None = None
        self.short = False  # whether a turn has room for several

    def answer(self, do: str, case: dict[str, Any] | None = None, **more: Any) -> Any:
        """Carry out a request: of a call its "time", "memory" or "outputs"; or a function of the peer."""
        given = [] if case is None else [Case(**case)]
        if do == "time":
            return self.time(given[0], **more)
        if do == "outputs":
            first = more.pop("first", None)
            return np.asarray(self.make(given[0], **more)())[:first].tolist()
        if do == "memory":
            return self.memory(given[0])
        return getattr(self.peer, do)(*given, **more, threads=self.threads)

    def make(self, case: Case, call: str, **more: Any) -> Callable[[], Any]:
        """Return what the peer's function `call` makes of a case: a call without arguments, to be timed."""
        return getattr(self.peer, call)(case, threads=self.threads, **more)

    def time(self, case: Case, **more: Any) -> float:
        """Seconds of one call, the mean of as many as a turn has room for; the first is not counted.

        Nor is a whole turn of short ones, in which processor and caches come back from the pause.
        """
        if self.key != (case, more):  # what was timed before is let go first: it may be large
            self.call = None
            self.key, self.call = (case, more), self.make(case, **more)
            self.short = seconds(self.call) < TURN
        assert self.call is not None
        if self.short:
            seconds(self.call, TURN)
        return seconds(self.call, TURN)

    def memory(self, case: Case) -> int:
        """Bytes by which the resident memory rises at most in the first update; the process should be fresh.

        Weights and data are there before; an update of another size has loaded code and started threads.
        """
        self.make(replace(case, batches=1, batch=2, steps=2, units=16), "trainer")()
        call = self.make(replace(case, batches=1), "trainer")
        ctypes.CDLL(None).malloc_trim(0)  # what making the data left in the heap would hide the rise
        Path("/proc/self/clear_refs").write_text("5")  # the peak begins anew
        before = resident("VmRSS")
        call()
        return resident("VmHWM") - before


def resident(what: str) -> int:
    """Resident bytes of this process, "VmRSS" now or "VmHWM" at most (Linux)."""
    status = Path("/proc/self/status").read_text()
    return 1024 * next(int(line.split()[1]) for line in status.splitlines() if line.startswith(what))


def seconds(call: Callable[[], Any], at_least: float = 0.0) -> float:
    """Wall time of one call; the mean of several where one is shorter than `at_least`."""
    count, start = 0, time.perf_counter()
    while True:
        call()
        count += 1
        passed = time.perf_counter() - start
        if passed >= at_least:
            return passed / count


def main() -> None:
    """Load the peer, then answer until the input ends."""
    name, threads = sys.argv[1], int(sys.argv[2])
    if hasattr(os, "sched_setaffinity"):  # some peers take their number of threads from nowhere else
        os.sched_setaffinity(0, sorted(os.sched_getaffinity(0))[:threads])
    replies = sys.stdout
    sys.stdout = sys.stderr  # a peer's own prints must not mix with the replies
    try:
        peer = importlib.import_module(f"benchmarks.peers.{name.replace('-', '_')}_")
    except ImportError as error:
        print(json.dumps({"error": str(error)}), file=replies, flush=True)
        return
    worker = Worker(peer, threads)
    print(json.dumps({"ok": True}), file=replies, flush=True)
    for line in sys.stdin:
        try:
            reply = {"ok": worker.answer(**json.loads(line))}
        except Exception as error:  # the parent decides what a failure means
            reply = {"error": f"{type(error).__name__}: {error}"}
        print(json.dumps(reply), file=replies, flush=True)


if __name__ == "__main__":
    main()
