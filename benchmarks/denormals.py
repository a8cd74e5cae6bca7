"""Do vanishing gradients slow training down? 1,000 steps, H64, a recurrent kernel c times the identity.

With c = 1 the gradient keeps its size; with c = 0.75 it falls below the smallest normal number after some 300
steps and stays denormal for the other 700. On processors that compute with such numbers slowly, an
engine that does not flush them takes many times as long.
"""

from __future__ import annotations

import statistics
from typing import Any

from benchmarks.measure import names, options, pythons, save, setting
from benchmarks.peers import open_peers


def main() -> None:
    """Measure both in turns, print and save."""
    args = options(__doc__, ["torch"], 3, 2).parse_args()
    peers = open_peers(names(args), args.threads, pythons(args))
    result: dict[str, Any] = {"what": "milliseconds a gradient", **setting(args.threads, peers), "times": {}}
    for peer in peers:
        seconds: dict[float, list[float]] = {1.0: [], 0.75: []}
        for _ in range(args.repeat):
            for scale in seconds:
                seconds[scale] += peer.ask("vanishing", scale=scale)
        normal, vanishing = (1e3 * statistics.median(values) for values in seconds.values())
        result["times"][peer.name] = {
            "normal_ms": round(normal, 3),
            "vanishing_ms": round(vanishing, 3),
            "ratio": round(vanishing / normal, 2),
        }
        print(
            f"{peer.name:8} normal {normal:.2f} ms, vanishing {vanishing:.2f} ms,"
            f" ratio {vanishing / normal:.2f}"
        )
        peer.close()
    save(args.save or "denormals", result)


if __name__ == "__main__":
    main()
