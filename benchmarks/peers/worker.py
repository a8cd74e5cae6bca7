"""One peer in a process of its own, where no other peer's threads or allocator disturb it.

It answers requests, a line of JSON each, until its input ends: `python -m benchmarks.peers.worker torch 2`.
"""

from __future__ import annotations

import importlib
import json
import os
import sys
import time
from collections.abc import Callable
from typing import Any

from benchmarks.cases import CASES, STREAM

BLOCK = 1000


def answer(peer: Any, request: dict[str, Any], threads: int, kept: dict[str, Any]) -> Any:
    """Carry out one request: versions, peak, losses, train, outputs or step."""
    do = request["do"]
    if do == "versions":
        return peer.versions()
    if do == "peak":
        return peer.peak(threads)
    if do == "losses":
        return [float(loss) for loss in peer.losses(CASES[request["case"]], request["updates"], threads)]
    if do == "train":
        if request["case"] not in kept:  # made and run once untimed: caches, clocks and thread pools are warm
            kept[request["case"]] = peer.trainer(CASES[request["case"]], threads)
            kept[request["case"]]()
        return seconds(kept[request["case"]])
    if do == "outputs":
        step = peer.stepper(STREAM)
        return [[float(value) for value in step(x)] for x in STREAM.data()[0][0][: request["steps"]]]
    if do == "step":
        if "step" not in kept:
            kept["step"] = peer.stepper(STREAM)
        step, xs = kept["step"], list(STREAM.data()[0][0][:BLOCK])
        return [seconds(lambda: [step(x) for x in xs]) / BLOCK for _ in range(request["blocks"])]
    if do == "vanishing":
        return peer.vanishing(request["recurrent_scale"], threads)
    raise ValueError(f"do is {do!r}")


def seconds(call: Callable[[], Any]) -> float:
    """Wall time of one call."""
    start = time.perf_counter()
    call()
    return time.perf_counter() - start


def main() -> None:
    """Load the peer, then answer until the input ends."""
    name, threads = sys.argv[1], int(sys.argv[2])
    if hasattr(os, "sched_setaffinity"):  # some peers take their number of threads from nowhere else
        os.sched_setaffinity(0, sorted(os.sched_getaffinity(0))[:threads])
    replies = sys.stdout
    sys.stdout = sys.stderr  # a peer's own prints must not mix with the replies
    kept: dict[str, Any] = {}
    try:
        peer = importlib.import_module(f"benchmarks.peers.{name}_")
    except ImportError as error:
        print(json.dumps({"error": str(error)}), file=replies, flush=True)
        return
    print(json.dumps({"ok": True}), file=replies, flush=True)
    for line in sys.stdin:
        try:
            reply = {"ok": answer(peer, json.loads(line), threads, kept)}
        except Exception as error:  # the parent decides what a failure means
            reply = {"error": f"{type(error).__name__}: {error}"}
        print(json.dumps(reply), file=replies, flush=True)


if __name__ == "__main__":
    main()
