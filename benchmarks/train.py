"""Training steps of elman and its peers: ten losses proved equal, then wall times in turns.

A step is the wall time of a whole `fit` (or of the peer's loop) divided by its updates. Example:
`python -m benchmarks.train --cases eeg32 eeg64 --repeat 7 --peers torch jax`
"""

from __future__ import annotations

from typing import Any

from benchmarks.cases import CASES, Case
from benchmarks.measure import names, options, pythons, save, setting, spread
from benchmarks.peers import Peer, open_peers

UPDATES = 10
TOLERANCE = 2e-5  # relative, of float32 losses against float64's


def prove(case: Case, peers: list[Peer], truth: Peer) -> dict[str, Any]:
    """Hold each peer's first ten losses against NumPy's in float64; stop where one differs."""
    expected = truth.ask("losses", case=case.name, updates=UPDATES)
    worst = {}
    for peer in peers:
        actual = peer.ask("losses", case=case.name, updates=UPDATES)
        worst[peer.name] = max(abs(a - e) / abs(e) for a, e in zip(actual, expected, strict=True))
        if worst[peer.name] > TOLERANCE:
            raise SystemExit(
                f"{case.name}: {peer.name}'s losses differ from the truth by {worst[peer.name]:.1e}:\n"
                f"  expected {expected}\n  actual   {actual}"
            )
    return {"expected": expected, "max_relative_difference": worst}


def measure(case: Case, peers: list[Peer], repeat: int) -> dict[str, list[float]]:
    """Seconds an update, each peer in turn."""
    seconds: dict[str, list[float]] = {peer.name: [] for peer in peers}
    for _ in range(repeat):
        for peer in peers:
            seconds[peer.name].append(peer.ask("train", case=case.name) / case.updates)
    return seconds


def main() -> None:
    """Prove, measure, print and save."""
    parser = options(__doc__, ["torch", "jax"], 7, 2)
    parser.add_argument("--cases", nargs="*", default=list(CASES), choices=list(CASES), metavar="CASE")
    args = parser.parse_args()
    peers = open_peers(names(args), args.threads, pythons(args))
    result: dict[str, Any] = {
        "what": "microseconds a training step",
        **setting(args.threads, peers),
        "cases": {},
    }
    if "elman" in names(args):
        result["peak_gflops"] = round(peers[0].ask("peak"), 1)
        print(f"a bare multiply-add loop: {result['peak_gflops']} GF/s on {args.threads} threads")
    with Peer("numpy", 1) as truth:
        for case in (CASES[name] for name in args.cases):
            losses = prove(case, peers, truth)
            times = {name: spread(seconds) for name, seconds in measure(case, peers, args.repeat).items()}
            result["cases"][case.name] = {
                "sizes": {
                    "B": case.batch,
                    "T": case.steps,
                    "F": case.features,
                    "H": case.units,
                    "C": case.outputs,
                },
                "updates": case.updates,
                "megaflops": case.flops / 1e6,
                "losses": losses,
                "times": times,
                "ratios": ratios(times),
            }
            print(line(case, times, losses["max_relative_difference"]), flush=True)
    for peer in peers:
        peer.close()
    save(args.save or "train", result)


def ratios(times: dict[str, Any]) -> dict[str, float]:
    """How many times as long each peer takes as elman, by medians."""
    if "elman" not in times:
        return {}
    own = times["elman"]["median_us"]
    return {name: round(time["median_us"] / own, 2) for name, time in times.items() if name != "elman"}


def line(case: Case, times: dict[str, Any], worst: dict[str, float]) -> str:
    """One line of the report on the terminal."""
    return (
        f"{case.name:8}"
        + "  ".join(
            f"{name} {t['median_us']:.2f} us [{t['q1_us']:.2f}, {t['q3_us']:.2f}]"
            f" {case.flops / 1e3 / t['median_us']:.1f} GF/s, losses within {worst[name]:.0e};"
            for name, t in times.items()
        )
        + "".join(f"  {name} / elman = {ratio}" for name, ratio in ratios(times).items())
    )


if __name__ == "__main__":
    main()
