"""`predict` on one minibatch, Python included; of adder and letters also of 10,000 sequences.

Answers are proved equal, then times taken in turns. In `adder-10000` elman is given all sequences in one
call, and its peers minibatches of the case's size; in `adder-10000-whole` they too are given all at once.
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

TOLERANCE = {"float32": 2e-5, "float64": 1e-12}  # of the largest probability
ROWS = 10_000
SHOWN = 4  # sequences whose answers are compared


def cases(trained: list[Case]) -> list[Case]:
    """One minibatch of each case; ragged ones are left to training."""
    found = []
    for case in trained:
        if case.shortest is None:
            found.append(replace(case, batches=1))
        if case.name in ("adder", "letters"):
            found.append(replace(case, name=f"{case.name}-{ROWS}", batches=ROWS // case.batch))
            found.append(replace(case, name=f"{case.name}-{ROWS}-whole", batches=1, batch=ROWS))
    return found


def measure(case: Case, peers: list[Peer], truth: Peer, repeat: int) -> dict[str, Any]:
    """Prove a case's answers, then time them."""
    agree, proof = prove(case, peers, truth, "outputs", TOLERANCE[case.dtype], call="predictor", first=SHOWN)
    seconds = in_turns({p.name: lambda p=p: p.ask("time", case, call="predictor") for p in agree}, repeat)
    return {
        "sizes": case.sizes,
        "cell": case.cell,
        "sequences": case.batch * case.batches,
        "answers": proof,
        **figures(seconds),
    }


def main() -> None:
    """Prove, measure, print and save."""
    parser = options(__doc__, ["torch", "torch-compiled", "jax", "onnxruntime", "numpy"], 7, 2)
    args = with_cases(parser).parse_args()
    over_cases(args, "inference", "microseconds of one call", cases(chosen(args)), measure)


if __name__ == "__main__":
    main()
