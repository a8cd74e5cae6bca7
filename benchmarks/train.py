"""Training steps of elman and its peers: ten losses proved equal, then wall times in turns.

A step is the wall time of a whole `fit` (or of the peer's loop) divided by its updates. Example:
`python -m benchmarks.train --cases eeg32 eeg64 --threads 2 --dtype float64 --repeat 7 --peers torch jax`
"""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from benchmarks.cases import Case
from benchmarks.measure import (
    chosen,
    figures,
    in_turns,
    options,
    over_cases,
    prove,
    with_cases,
)
from benchmarks.peers import Peer

UPDATES = 10
NATIVE = ("elman", "jax")  # whose loop over updates is not Python's
ENOUGH = 1_000
TOLERANCE = {"float32": 2e-5, "float64": 1e-12}  # relative, of losses


def an_update(case: Case, peer: Peer) -> float:
    """Seconds an update. A loop in Python is as slow after a thousand of them as after ten thousand."""
    if peer.name not in NATIVE:
        case = replace(case, batches=min(case.batches, ENOUGH), epochs=min(case.epochs, ENOUGH))
    return peer.ask("time", case, call="trainer") / case.updates


def measure(case: Case, peers: list[Peer], truth: Peer, repeat: int) -> dict[str, Any]:
    """Prove a case's losses, then time its updates; the machine's limit is taken before and after."""
    agree, proof = prove(case, peers, truth, "losses", TOLERANCE[case.dtype], updates=UPDATES)
    own = next((peer for peer in agree if peer.name == "elman"), None)
    peaks = [own.ask("peak")] if own else []
    seconds = in_turns({p.name: lambda p=p: an_update(case, p) for p in agree}, repeat)
    peaks += [own.ask("peak")] if own else []
    found = {
        "sizes": case.sizes,
        "cell": case.cell,
        "updates": case.updates,
        "megaflops": case.flops / 1e6,
        "losses": proof,
        **figures(seconds),
    }
    rates = {name: case.flops / 1e3 / time["median"] for name, time in found["times"].items()}
    found["gflops"] = {name: round(rate, 2) for name, rate in rates.items()}
    if peaks:
        # A vector has half as many numbers of float64.
        limit = max(peaks) / (2 if case.dtype == "float64" else 1)
        found["peak_gflops"] = round(limit, 1)
        found["share_of_peak"] = {name: round(rate / limit, 4) for name, rate in rates.items()}
    return found


def main() -> None:
    """Prove, measure, print and save."""
    parser = options(__doc__, ["torch", "torch-compiled", "torch-padded", "jax", "keras", "numpy"], 7, 2)
    args = with_cases(parser).parse_args()
    over_cases(args, "train", "microseconds a training step", chosen(args), measure)


if __name__ == "__main__":
    main()
