"""Proofs and turns, medians and quartiles, what machine this is, and where results are kept."""

from __future__ import annotations

import datetime
import json
import os
import platform
import statistics
import time
from argparse import ArgumentParser, Namespace
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.cases import CASES, Case
from benchmarks.peers import Peer, open_peers

RESULTS = Path(__file__).parent / "results"
PAUSE = 1.0  # seconds


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


def with_cases(parser: ArgumentParser) -> ArgumentParser:
    """Let the cases and their dtype be chosen."""
    parser.add_argument(
        "--cases",
        nargs="*",
        choices=list(CASES),
        metavar="CASE",
        help="which (default: all; of float64, Elman networks)",
    )
    parser.add_argument("--dtype", default="float32", choices=["float32", "float64"])
    return parser


def chosen(args: Namespace) -> list[Case]:
    """The cases that were asked for."""
    usual = [name for name, case in CASES.items() if args.dtype == "float32" or case.cell == "rnn"]
    return [replace(CASES[name], dtype=args.dtype) for name in args.cases or usual]


def names(args: Namespace) -> list[str]:
    """Say who takes part, elman first."""
    return ([] if args.without_elman else ["elman"]) + list(args.peers)


def pythons(args: Namespace) -> dict[str, str]:
    """Read PEER=PATH."""
    return dict(item.split("=", 1) for item in args.python)


def prove(
    case: Case, peers: list[Peer], truth: Peer, do: str, tolerance: float, **more: Any
) -> tuple[list[Peer], dict[str, Any]]:
    """Hold each peer's answers against NumPy's in float64; stop where one differs.

    Returns the peers that take part, and what is kept: each one's largest difference, by the largest answer,
    and why a peer is left out. elman has to take part.
    """
    expected = np.array(truth.ask(do, replace(case, dtype="float64"), **more))
    agree, differences, left_out = [], {}, {}
    for peer in peers:
        try:
            actual = np.array(peer.ask(do, case, **more))
        except RuntimeError as error:
            if peer.name == "elman":
                raise
            left_out[peer.name] = str(error).splitlines()[0]
            continue
        difference = float(np.abs(actual - expected).max() / np.abs(expected).max())
        if not difference <= tolerance:
            raise SystemExit(f"{case.name}: {peer.name}'s {do} differ from the truth by {difference:.1e}")
        differences[peer.name] = difference
        agree.append(peer)
    return agree, {"max_difference": differences, **({"left_out": left_out} if left_out else {})}


def in_turns(calls: dict[str, Callable[[], float]], repeat: int) -> dict[str, list[float]]:
    """Seconds of each call, taken in turns, in another order each time.

    There is a pause before each: threads of whoever worked last wait awake for a while, and would take a
    processor from the next.
    """
    seconds: dict[str, list[float]] = {name: [] for name in calls}
    for turn in range(repeat):
        names = list(calls)
        for name in names[turn % len(names) :] + names[: turn % len(names)]:
            time.sleep(PAUSE)
            seconds[name].append(calls[name]())
    return seconds


def figures(seconds: dict[str, list[float]], own: str = "elman") -> dict[str, Any]:
    """Spreads of all times, and of the ratios to elman's time in the same turn."""
    found: dict[str, Any] = {"times": {name: spread(values, 1e6) for name, values in seconds.items()}}
    if own in seconds:
        found["ratios"] = {
            name: spread([theirs / mine for theirs, mine in zip(values, seconds[own], strict=True)])
            for name, values in seconds.items()
            if name != own
        }
    return found


def told(found: dict[str, Any]) -> str:
    """Write `figures` on one line for the terminal."""
    share = found.get("share_of_peak", {}).get("elman")
    limit = f"{share:.1%} of {found['peak_gflops']} GF/s  " if share else ""
    return limit + "  ".join(
        f"{name} {t['median']:.3f} us [{t['q1']:.3f}, {t['q3']:.3f}]"
        + (f" = {found['ratios'][name]['median']:.2f} x" if name in found.get("ratios", {}) else "")
        for name, t in found["times"].items()
    )


def spread(values: list[float], unit: float = 1.0) -> dict[str, Any]:
    """Median and quartiles."""
    scaled = [unit * value for value in values]
    low, middle, high = (
        statistics.quantiles(scaled, n=4, method="inclusive") if len(scaled) > 1 else scaled * 3
    )
    return {"median": round(middle, 4), "q1": round(low, 4), "q3": round(high, 4), "n": len(scaled)}


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


def going_on(name: str, result: dict[str, Any]) -> dict[str, Any]:
    """Return an empty result with the cases measured before on the same day, machine and versions."""
    before = load(name)
    facts = ("what", "dtype", "date", "isa", "threads", "machine")
    if before is None or any(before.get(fact) != result.get(fact) for fact in facts):
        return result
    versions = before["versions"] | result["versions"]
    if any(versions[key] != version for key, version in before["versions"].items()):
        return result
    return result | {"versions": versions, "cases": before["cases"]}


def over_cases(
    args: Namespace, kind: str, what: str, cases: list[Case], one: Callable[..., dict[str, Any]]
) -> None:
    """Measure case by case by `one`, print each, and save after each."""
    peers = open_peers(names(args), args.threads, pythons(args))
    name = args.save or f"{kind}-{args.dtype}-{args.threads}"
    facts = {"what": what, "dtype": args.dtype, **setting(args.threads, peers)}
    result = going_on(name, facts | {"cases": {}})
    with Peer("numpy", args.threads) as truth:
        for case in cases:
            found = result["cases"][case.name] = one(case, peers, truth, args.repeat)
            print(f"{case.name}: {told(found)}", flush=True)
            save(name, result)
    for peer in peers:
        peer.close()


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
