"""`elman check`: the gradients of a saved network against differences of its loss."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from elman._validation import integer
from elman.cli.commands import Say, loaded_model
from elman.cli.commands import data as files
from elman.data.sequences import Array
from elman.model.gradient_check import check_gradient
from elman.network.network import Network
from elman.nn.layers import Dense

_SEQUENCES = 4
_STEPS = 25  # of each at most: longer sequences take longer and show nothing more
_LENGTHS = (3, 7, 12, 25)  # of random sequences


@dataclass(frozen=True)
class Checked:
    """The result of the check; ``worst`` are the entries that agree the least."""

    model: str
    data: str
    parameters: int
    entries: int
    skipped: int
    largest_relative_error: float
    ok: bool
    worst: list[dict[str, Any]]


def check(
    model: str,
    path: str | None = None,
    *,
    columns: Mapping[str, Any],
    entries: int = 2000,
    seed: int = 0,
    say: Say = lambda _: None,
) -> Checked:
    """Check the gradient of the loss on sequences of a file, or on random sequences.

    The targets are random: a file may have no labels. ``seed`` determines everything random.
    """
    integer("--entries", entries, 1)
    rng = np.random.default_rng(integer("--seed", seed))
    opened = loaded_model.load(model)
    net = opened.network
    if path is None:
        n = net.model.symbols
        X = [
            rng.integers(0, n, steps) if n else rng.standard_normal((steps, net.input_size))
            for steps in _LENGTHS
        ]
        source = "random sequences"
    else:
        data = opened.in_order(files.load(path, columns, missing=opened.takes_missing), say)
        opened.check(data)
        short = sorted(range(len(data.X)), key=lambda i: len(data.X[i]))[:_SEQUENCES]
        X = [x[:_STEPS] for x in opened.scaled([data.X[i] for i in sorted(short)])]
        source = path
    y = [_targets(net, len(x), rng) for x in X] if net.per_step else _targets(net, len(X), rng)
    report = check_gradient(net, X, y, max_entries=entries, seed=seed)
    worst = sorted(report.rows, key=lambda row: -row.relative_error)[:5]
    return Checked(
        model=model,
        data=source,
        parameters=len(net.parameters),
        entries=len(report.rows),
        skipped=len(report.skipped),
        largest_relative_error=report.max_relative_error,
        ok=report.ok,
        worst=[
            {
                "name": row.name,
                "index": list(row.index),
                "expected": row.expected,
                "actual": row.actual,
                "relative_error": row.relative_error,
            }
            for row in worst
        ],
    )


def _targets(net: Network, count: int, rng: np.random.Generator) -> Array:
    """Return random targets for the network's loss."""
    last = net.layers[-1]
    kind = last.activation if isinstance(last, Dense) else "identity"
    if kind == "softmax":
        return rng.integers(0, net.output_size, size=count)
    if kind == "sigmoid":
        return rng.integers(0, 2, size=(count, net.output_size)).astype(np.float64)
    return rng.standard_normal((count, net.output_size))
