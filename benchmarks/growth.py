"""How the time of a training step grows with rows, steps, units and threads: elman alone, one size at a time.

Everything but the size that grows is that of eeg64 (B64 T178 F1 H64, Adam). Result: results/growth.json.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from benchmarks.cases import CASES, Case
from benchmarks.measure import in_turns, options, save, setting, spread
from benchmarks.peers import Peer

GROWN = {
    "batch": (1, 4, 16, 64, 256),
    "steps": (10, 50, 178, 1000, 5000),
    "units": (8, 16, 32, 64, 128, 256, 512),
}
LETTER = {"batch": "B", "steps": "T", "units": "H"}


def case(size: str, value: int) -> Case:
    """Return eeg64 with one size changed, in enough minibatches for the beginning of `fit` not to count."""
    grown = replace(CASES["eeg64"], **{size: value, "batches": 1})
    return replace(grown, batches=max(8, min(200, 2_000_000_000 // grown.flops)))


def main() -> None:
    """Measure, print a table a size, and save."""
    args = options(__doc__, [], 5, 2).parse_args()
    with Peer("elman", 1) as one, Peer("elman", args.threads) as all_threads:
        peers = {"1": one, str(args.threads): all_threads}
        peak = one.ask("peak")
        result: dict[str, Any] = {
            "what": "microseconds a training step",
            **setting(args.threads, [all_threads]),
            "peak_of_one_thread": peak,
            "grown": {},
        }
        for size, values in GROWN.items():
            print(f"\n| {LETTER[size]} | 1 thread, us | of the peak | {args.threads} threads, us | gain |")
            print("| ---: | ---: | ---: | ---: | ---: |")
            for value in values:
                work = case(size, value)
                seconds = in_turns(
                    {n: lambda p=p, w=work: p.ask("time", w, call="trainer") for n, p in peers.items()},
                    args.repeat,
                )
                times = {n: spread([s / work.updates for s in own], 1e6) for n, own in seconds.items()}
                result["grown"].setdefault(size, {})[str(value)] = {"flops": work.flops, "times": times}
                alone, shared = (times[n]["median"] for n in peers)
                share = work.flops / alone / 1e3 / peak
                line = f"| {value} | {alone:.1f} | {share:.0%} | {shared:.1f} | {alone / shared:.2f} |"
                print(line, flush=True)
    save(args.save or "growth", result)


if __name__ == "__main__":
    main()
