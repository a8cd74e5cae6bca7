"""PyTorch with `torch.compile`: network and loss in one graph, and the fused Adam.

Dynamo does not enter recurrent layers unless `allow_rnn` is set (without it nothing is compiled, and all
runs op by op), and then unrolls them: the graph has T copies of a step, forward and backward.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
from torch import nn

from benchmarks.cases import LEARNING_RATE, Case
from benchmarks.peers import torch_

MOST_STEPS = 16
versions = torch_.versions


def network(case: Case) -> Any:
    """Return the case's network, to be compiled; NotImplementedError where that takes too long."""
    if case.steps > MOST_STEPS:
        raise NotImplementedError(f"unrolls {case.steps} steps, some 0.6 s of compiling each")
    torch._dynamo.config.allow_rnn = True
    return torch_.Model(case)


class Loss(nn.Module):
    """Network and loss as one module, so that one graph holds both."""

    def __init__(self, case: Case, net: Any) -> None:
        super().__init__()
        self.net, self.loss = net, torch_.entropy(case)

    def forward(self, x: torch.Tensor, y: torch.Tensor) -> torch.Tensor:
        return self.loss(self.net(x), y)


def build(case: Case) -> Callable[[Any, Any], torch.Tensor]:
    """Make one update."""
    net = network(case)
    trained = [p for p in net.parameters() if p.requires_grad]
    optimizer = torch.optim.Adam(trained, LEARNING_RATE, fused=True)
    return torch_.updater(torch.compile(Loss(case, net)), optimizer)


def losses(case: Case, updates: int, threads: int) -> list[float]:
    """Losses met before each of the first updates, all on the first minibatch."""
    return torch_.losses(case, updates, threads, build)


def trainer(case: Case, threads: int) -> Callable[[], Any]:
    """Return the call that is timed: the loop over the minibatches."""
    return torch_.trainer(case, threads, build)


def predictor(case: Case, threads: int) -> Callable[[], Any]:
    """Return the call that is timed: the answers, batch by batch."""
    return torch_.predictor(case, threads, lambda case: torch.compile(network(case)))
