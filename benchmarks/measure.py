"""Medians and quartiles, what machine this is, and where results are kept."""

from __future__ import annotations

import datetime
import json
import os
import platform
import statistics
from argparse import ArgumentParser, Namespace
from pathlib import Path
from typing import Any

from benchmarks.peers import Peer

RESULTS = Path(__file__).parent / "results"


def options(description: str | None, peers: list[str], repeat: int, threads: int) -> ArgumentParser:
    """Give every benchmark the same options."""
    parser = ArgumentParser(description=(description or "").splitlines()[0])
    parser.add_argument(
        "--peers", nargs="*", default=peers, help=f"whom to measure beside elman (default: {' '.join(peers)})"
    )
    parser.add_argument("--repeat", type=int, default=repeat, help="how often each is measured, in turns")
    parser.add_argument("--threads", type=int, default=threads)
    parser.add_argument(
        "--python",
        nargs="*",
        default=[],
        metavar="PEER=PATH",
        help="another interpreter for a peer that lives in another environment",
    )
    parser.add_argument(
        "--without-elman", action="store_true", help="the peers alone (to check the benchmark itself)"
    )
    parser.add_argument(
        "--save", default=None, metavar="NAME", help="write results/NAME.json, not the usual name"
    )
    return parser


def names(args: Namespace) -> list[str]:
    """Say who takes part, elman first."""
    return ([] if args.without_elman else ["elman"]) + list(args.peers)


def pythons(args: Namespace) -> dict[str, str]:
    """Read PEER=PATH."""
    return dict(item.split("=", 1) for item in args.python)


def spread(seconds: list[float]) -> dict[str, Any]:
    """Median and quartiles, in microseconds."""
    micro = [1e6 * value for value in seconds]
    low, middle, high = statistics.quantiles(micro, n=4, method="inclusive") if len(micro) > 1 else micro * 3
    return {"median_us": round(middle, 4), "q1_us": round(low, 4), "q3_us": round(high, 4), "n": len(micro)}


def setting(threads: int, peers: list[Peer]) -> dict[str, Any]:
    """When, where and with what a result was measured."""
    versions: dict[str, str] = {"python": platform.python_version()}
    for peer in peers:
        versions |= peer.ask("versions")
    return {
        "date": datetime.date.today().isoformat(),
        "isa": versions.pop("isa", None),
        "threads": threads,
        "machine": {
            "cpu": _cpu(),
            "cpus": os.cpu_count(),
            "system": f"{platform.system()} {platform.machine()}",
        },
        "versions": versions,
    }


def save(name: str, result: dict[str, Any]) -> None:
    """Write results/NAME.json."""
    path = RESULTS / f"{name}.json"
    path.parent.mkdir(exist_ok=True)
    path.write_text(json.dumps(result, indent=1) + "\n")
    print(f"written: {path}")


def load(name: str) -> dict[str, Any] | None:
    """Read results/NAME.json, if it is there."""
    path = RESULTS / f"{name}.json"
    return json.loads(path.read_text()) if path.exists() else None


def _cpu() -> str:
    """Name the processor, and its widest vector instructions where the system tells."""
    info = Path("/proc/cpuinfo")
    if not info.exists():
        return platform.processor() or platform.machine()
    facts = dict(
        line.split("\t: ", 1)
        for line in (raw.replace("\t\t", "\t") for raw in info.read_text().splitlines())
        if "\t: " in line
    )
    flags = facts.get("flags", "").split()
    wide = next((name for flag, name in (("avx512f", "AVX-512"), ("avx2", "AVX2")) if flag in flags), "")
    return ", ".join(part for part in (facts.get("model name", platform.machine()), wide) if part)
