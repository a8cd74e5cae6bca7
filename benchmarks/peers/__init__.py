"""The competitors, one module each, and how the benchmarks talk to them.

A peer's module has `versions(threads)` and, each only where the peer takes part: `losses(case, updates,
threads)`; what returns a call that can be timed: `trainer(case, threads)`, `predictor(case, threads)`,
`stepper(case, threads, way)`; and `vanishing(scale, threads)` for denormals.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable, Iterable
from dataclasses import asdict
from pathlib import Path
from types import TracebackType
from typing import Any

from benchmarks.cases import Case

ROOT = Path(__file__).parents[2]


class Peer:
    """A worker process for one peer; `None` from `open_peer` if the peer is not installed."""

    def __init__(self, name: str, threads: int, python: str = sys.executable) -> None:
        self.name = name
        limits = dict.fromkeys(("OMP_NUM_THREADS", "MKL_NUM_THREADS", "OPENBLAS_NUM_THREADS"), str(threads))
        quiet = {"TF_CPP_MIN_LOG_LEVEL": "3", "JAX_PLATFORMS": "cpu"}
        self._process = subprocess.Popen(
            [python, "-m", "benchmarks.peers.worker", name, str(threads)],
            cwd=ROOT,
            text=True,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            env=os.environ | limits | quiet,
        )
        reply = self._read()
        if "ok" not in reply:
            raise ImportError(f"{name}: {reply.get('error', 'the process ended')}")

    def _read(self) -> dict[str, Any]:
        assert self._process.stdout is not None
        line = self._process.stdout.readline()
        return json.loads(line) if line else {}

    def ask(self, do: str, case: Case | None = None, **request: Any) -> Any:
        """Send one request and wait for the answer."""
        assert self._process.stdin is not None
        of = {} if case is None else {"case": asdict(case)}
        self._process.stdin.write(json.dumps({"do": do, **of, **request}) + "\n")
        self._process.stdin.flush()
        reply = self._read()
        if "ok" not in reply:
            raise RuntimeError(f"{self.name}: {reply.get('error', 'the process ended')}")
        return reply["ok"]

    def close(self) -> None:
        """End the process."""
        with self._process:  # which closes the pipes and waits
            self._process.kill()

    def __enter__(self) -> Peer:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()


def open_peers(names: list[str], threads: int, pythons: dict[str, str]) -> list[Peer]:
    """Start the peers that are installed, and say which are not; elman itself must be there."""
    peers = []
    for name in names:
        try:
            peers.append(Peer(name, threads, pythons.get(name, sys.executable)))
        except ImportError as error:
            if name == "elman":
                raise SystemExit(f"cannot measure {error}") from None
            print(f"(left out: {error})")
    return peers


def walk(step: Callable[[Any], Any], xs: Iterable[Any]) -> Callable[[], Any]:
    """Make a call that takes all steps of a stream, one after the other, and returns the last answer."""

    def run() -> Any:
        for x in xs:
            y = step(x)
        return y

    return run
