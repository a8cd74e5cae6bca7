"""One streamed step from Python (F8 H64, softmax over four): outputs proved equal, then medians in turns."""

from __future__ import annotations

from typing import Any

from benchmarks.cases import STREAM
from benchmarks.measure import names, options, pythons, save, setting, spread
from benchmarks.peers import Peer, open_peers
from benchmarks.train import ratios

STEPS = 50
TOLERANCE = 1e-5  # absolute, of probabilities
BLOCKS = 20  # a thousand steps each


def prove(peers: list[Peer], truth: Peer) -> dict[str, float]:
    """Hold each peer's first answers against NumPy's; stop where one differs."""
    expected = truth.ask("outputs", steps=STEPS)
    worst = {}
    for peer in peers:
        rows = zip(peer.ask("outputs", steps=STEPS), expected, strict=True)
        worst[peer.name] = max(
            abs(a - e) for row, truth_row in rows for a, e in zip(row, truth_row, strict=True)
        )
        if not worst[peer.name] <= TOLERANCE:
            raise SystemExit(f"{peer.name}'s probabilities differ from NumPy's by {worst[peer.name]:.1e}")
    return worst


def main() -> None:
    """Prove, measure, print and save."""
    args = options(__doc__, ["numpy", "onnxruntime", "torch"], 11, 1).parse_args()
    peers = open_peers(names(args), args.threads, pythons(args))
    result: dict[str, Any] = {"what": "microseconds a streamed step", **setting(args.threads, peers)}
    with Peer("numpy", 1) as truth:
        result["max_difference"] = prove(peers, truth)
    seconds: dict[str, list[float]] = {peer.name: [] for peer in peers}
    for _ in range(args.repeat):
        for peer in peers:
            seconds[peer.name] += peer.ask("step", blocks=BLOCKS)
    for peer in peers:
        peer.close()
    result["sizes"] = {"F": STREAM.features, "H": STREAM.units, "C": STREAM.outputs}
    result["times"] = {name: spread(values) for name, values in seconds.items()}
    result["ratios"] = ratios(result["times"])
    for name, time in result["times"].items():
        print(
            f"{name:12} {time['median_us']:7.3f} us [{time['q1_us']:.3f}, {time['q3_us']:.3f}]"
            + (f"   {result['ratios'][name]} times elman's" if name in result["ratios"] else "")
        )
    save(args.save or "stream", result)


if __name__ == "__main__":
    main()
