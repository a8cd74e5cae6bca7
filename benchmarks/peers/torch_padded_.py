"""PyTorch without packing, for ragged cases: padded to a minibatch's longest, last states picked by index."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch

from benchmarks.cases import Case
from benchmarks.peers import torch_

versions = torch_.versions


class Model(torch_.Model):
    """The case's network, of padded sequences and their lengths."""

    def forward(self, x: Any) -> torch.Tensor:
        """Return logits (B, C)."""
        padded, lengths = x
        states, _ = self.rnn(padded)
        return self.out(states[torch.arange(len(lengths)), lengths - 1])


def minibatches(case: Case, batches: int | None = None) -> list[tuple[Any, torch.Tensor]]:
    """X with its lengths, and y, of each minibatch."""
    if case.shortest is None or case.readout != "last":
        raise NotImplementedError("for ragged cases only")
    x, y, lengths = (torch.from_numpy(array) for array in (*case.data(batches), case.lengths(batches)))
    cut = zip(x.split(case.batch), lengths.split(case.batch), y.split(case.batch), strict=True)
    return [((xb[:, : n.max()].contiguous(), n), yb) for xb, n, yb in cut]


def losses(case: Case, updates: int, threads: int) -> list[float]:
    """Losses met before each of the first updates, all on the first minibatch."""
    return torch_.losses(case, updates, threads, lambda case: torch_.build(case, Model), minibatches)


def trainer(case: Case, threads: int) -> Callable[[], Any]:
    """Return the call that is timed: the loop over the minibatches."""
    return torch_.trainer(case, threads, lambda case: torch_.build(case, Model), minibatches)
