"""The competitors, one module each, and how the benchmarks talk to them.

A peer's module has `versions()`; `losses(case, updates, threads)` and `trainer(case, threads)` for training;
`stepper(case)` for streaming; `vanishing(scale, threads)` for denormals: each only where the peer takes part.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from types import TracebackType
from typing import Any

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

    def ask(self, do: str, **request: Any) -> Any:
        """Send one request and wait for the answer."""
        assert self._process.stdin is not None
        self._process.stdin.write(json.dumps({"do": do, **request}) + "\n")
        self._process.stdin.flush()
        reply = self._read()
        if "ok" not in reply:
            raise RuntimeError(f"{self.name}: {reply.get('error', 'the process ended')}")
        return reply["ok"]

    def close(self) -> None:
        """End the process."""
        self._process.kill()
        self._process.wait()

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
