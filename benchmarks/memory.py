"""How much memory a training step takes: the peak of resident memory in a fresh process (Linux).

Beside it the engine's own count, and what a step has to hold: inputs + T B H (states) + T B G H (gates) +
T B C where outputs are per step + 5 P (gradient, two moments, two packed copies). The parameters themselves
and the data are there before the step, and stand in none of the figures.
"""

from __future__ import annotations

from typing import Any

from benchmarks.cases import CASES, GATES, Case
from benchmarks.measure import names, options, pythons, save, setting
from benchmarks.peers import open_peers

MEASURED = [f"{name}{cell}" for name in ("eeg128", "char512", "wide") for cell in ("", "-gru", "-lstm")]


def of_parameters(case: Case, times: int = 5) -> int:
    """Bytes of gradient, moments and packed copies: five times the parameters'.

    elman keeps the weights with which an epoch began too, to come back to where training diverges.
    """
    return times * sum(value.nbytes for value in case.weights().values())


def held(case: Case) -> int:
    """Bytes that a step has to hold, by the formula above."""
    B, T, F, H, C = case.sizes.values()
    row = F + H + GATES[case.cell] * H + (C if case.per_step else 0)
    return B * T * row * 4 + of_parameters(case)


def measure(case: Case, args: Any) -> dict[str, Any]:
    """Measure each peer in a fresh process; ask elman's engine how much it counted."""
    found: dict[str, Any] = {"sizes": case.sizes, "cell": case.cell, "formula": held(case), "rise": {}}
    for peer in open_peers(names(args), args.threads, pythons(args)):
        with peer:
            found["rise"][peer.name] = peer.ask("memory", case)
            if peer.name == "elman":
                found["counted"] = peer.ask("count", case) + of_parameters(case, 6)
    if "elman" in found["rise"]:
        found["rise_by_formula"] = round(found["rise"]["elman"] / found["formula"], 3)
        found["rise_by_count"] = round(found["rise"]["elman"] / found["counted"], 3)
    return found


def main() -> None:
    """Measure, print and save."""
    parser = options(__doc__, ["torch"], 1, 2)
    parser.add_argument("--cases", nargs="*", default=MEASURED, choices=list(CASES), metavar="CASE")
    args = parser.parse_args()
    peers = open_peers(names(args), args.threads, pythons(args))
    result: dict[str, Any] = {"what": "bytes of a training step", **setting(args.threads, peers), "cases": {}}
    for peer in peers:
        peer.close()
    for name in args.cases:
        found = result["cases"][name] = measure(CASES[name], args)
        rises = ", ".join(f"{peer} {rise / 2**20:.1f}" for peer, rise in found["rise"].items())
        by = [f"{found[key]:.3f}" for key in ("rise_by_formula", "rise_by_count") if key in found]
        print(f"{name}: MiB {rises}; elman by formula, by its own count: {', '.join(by)}", flush=True)
    save(args.save or "memory", result)


if __name__ == "__main__":
    main()
