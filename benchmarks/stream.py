"""One streamed step from Python (F8 H64, softmax over four), and a step of 64 streams at once.

Answers are proved equal, then times taken in turns. An empty call of elman's native module tells what of a
step is Python's own.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from benchmarks.cases import STREAM, STREAMS, Case
from benchmarks.measure import figures, in_turns, names, options, prove, pythons, save, setting, spread, told
from benchmarks.peers import Peer, open_peers

AFTER = (1, 2, 50)  # steps after which answers are compared
TOLERANCE = 1e-5  # of the largest probability
EMPTY = "elman empty"  # a native call without arguments (it returns the instruction set's name)
# Ways to step beside the plain one: into an array that is given; all streams in one call.
WAYS = {"stream": {"elman": ("out",)}, "streams": {"elman": ("out",), "onnxruntime": ("batched",)}}


def measure(case: Case, peers: list[Peer], truth: Peer, repeat: int) -> dict[str, Any]:
    """Prove the answers of a case's steps, then time them."""
    calls, differences = {}, {}
    for peer in peers:
        for way in ("plain", *WAYS[case.name].get(peer.name, ())):
            name = peer.name if way == "plain" else f"{peer.name} {way}"
            for steps in AFTER:
                some = replace(case, steps=steps)
                _, proof = prove(some, [peer], truth, "outputs", TOLERANCE, call="stepper", way=way)
                if peer.name in proof.get("left_out", {}):
                    break
                worst = proof["max_difference"][peer.name]
                differences[name] = max(worst, differences.get(name, 0))
            else:
                calls[name] = lambda peer=peer, way=way: (
                    peer.ask("time", case, call="stepper", way=way) / case.steps
                )
        if peer.name == "elman":
            calls[EMPTY] = lambda peer=peer: peer.ask("time", case, call="stepper", way="empty") / case.steps
    seconds = in_turns(calls, repeat)
    found = {"sizes": case.sizes, "max_difference": differences, **figures(seconds)}
    if EMPTY in seconds:
        found["beyond_an_empty_call"] = {
            name: spread([a - b for a, b in zip(seconds[name], seconds[EMPTY], strict=True)], 1e6)
            for name in seconds
            if name.startswith("elman") and name != EMPTY
        }
    return found


def main() -> None:
    """Prove, measure, print and save."""
    args = options(__doc__, ["numpy", "onnxruntime", "torch"], 11, 1).parse_args()
    peers = open_peers(names(args), args.threads, pythons(args))
    result: dict[str, Any] = {"what": "microseconds a streamed step", **setting(args.threads, peers)}
    with Peer("numpy", 1) as truth:
        for case in (STREAM, STREAMS):
            result[case.name] = measure(case, peers, truth, args.repeat)
            print(f"{case.name}: {told(result[case.name])}")
    for peer in peers:
        peer.close()
    save(args.save or "stream", result)


if __name__ == "__main__":
    main()
