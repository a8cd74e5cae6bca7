"""PyTorch: `nn.RNN`, `nn.GRU` or `nn.LSTM`, `nn.Linear` and Adam in a plain loop, as tutorials write it."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import torch
from torch import nn

from benchmarks.cases import LEARNING_RATE, Case


def versions() -> dict[str, str]:
    """PyTorch's version."""
    return {"torch": torch.__version__}


class Model(nn.Module):
    """The case's network. The second bias stays zero, or it would double the bias' rate; not a GRU's."""

    def __init__(self, case: Case) -> None:
        super().__init__()
        layer = {"rnn": nn.RNN, "gru": nn.GRU, "lstm": nn.LSTM}[case.cell]
        self.rnn = layer(case.features, case.units, batch_first=True)
        self.out = nn.Linear(case.units, case.outputs)
        self.per_step = case.per_step
        w = {name: torch.from_numpy(value) for name, value in case.weights().items()}
        with torch.no_grad():
            self.rnn.weight_ih_l0.copy_(w["0.kernel"].T)
            self.rnn.weight_hh_l0.copy_(w["0.recurrent_kernel"].T)
            self.rnn.bias_ih_l0.copy_(w["0.bias"])
            self.rnn.bias_hh_l0.copy_(w.get("0.recurrent_bias", torch.zeros(len(w["0.bias"]))))
            self.out.weight.copy_(w["1.kernel"].T)
            self.out.bias.copy_(w["1.bias"])
        self.rnn.bias_hh_l0.requires_grad_(case.cell == "gru")

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Return logits (B, T, C) or (B, C)."""
        states, _ = self.rnn(x)
        return self.out(states if self.per_step else states[:, -1])


def prepare(
    case: Case, batches: int | None, threads: int
) -> tuple[Callable[[Any, Any], torch.Tensor], Any, Any]:
    """Make one update as a function of a minibatch, and the data."""
    torch.set_num_threads(threads)
    x, y = (torch.from_numpy(array) for array in case.data(batches))
    model = Model(case)
    optimizer = torch.optim.Adam([p for p in model.parameters() if p.requires_grad], LEARNING_RATE)
    entropy = nn.CrossEntropyLoss() if case.loss == "cross_entropy" else nn.BCEWithLogitsLoss()

    def update(xb: torch.Tensor, yb: torch.Tensor) -> torch.Tensor:
        optimizer.zero_grad()
        logits = model(xb)
        if case.loss == "cross_entropy" and case.per_step:
            logits, yb = logits.flatten(0, 1), yb.flatten()
        loss = entropy(logits, yb)
        loss.backward()
        optimizer.step()
        return loss.detach()

    return update, x, y


def losses(case: Case, updates: int, threads: int) -> list[float]:
    """Losses met before each of the first updates, all on the first minibatch."""
    update, x, y = prepare(case, 1, threads)
    return [update(x, y).item() for _ in range(updates)]


def trainer(case: Case, threads: int) -> Callable[[], Any]:
    """Return the call that is timed: the loop over the minibatches."""
    update, x, y = prepare(case, None, threads)

    def run() -> None:
        for _ in range(case.epochs):
            for start in range(0, len(x), case.batch):
                update(x[start : start + case.batch], y[start : start + case.batch])

    return run


def stepper(case: Case) -> Callable[[Any], Any]:
    """Return one streamed step: `nn.RNNCell`, `nn.Linear`, softmax."""
    torch.set_num_threads(1)
    w = {name: torch.from_numpy(value) for name, value in case.weights().items()}
    cell, out = nn.RNNCell(case.features, case.units), nn.Linear(case.units, case.outputs)
    with torch.no_grad():
        for parameter, value in (
            (cell.weight_ih, w["0.kernel"].T),
            (cell.weight_hh, w["0.recurrent_kernel"].T),
            (cell.bias_ih, w["0.bias"]),
            (out.weight, w["1.kernel"].T),
            (out.bias, w["1.bias"]),
        ):
            parameter.copy_(value)
        cell.bias_hh.zero_()
    state = torch.zeros(1, case.units)

    @torch.inference_mode()
    def step(x: np.ndarray) -> np.ndarray:
        nonlocal state
        state = cell(torch.from_numpy(x)[None], state)
        return torch.softmax(out(state), dim=1)[0].numpy()

    return step


def vanishing(scale: float, threads: int) -> list[float]:
    """Seconds of three gradients over 1,000 steps, the recurrent kernel being `scale` times the identity."""
    from benchmarks.peers.worker import seconds

    torch.set_num_threads(threads)
    x = torch.from_numpy(np.random.default_rng(0).standard_normal((32, 1000, 4)).astype(np.float32) * 0.01)
    rnn = nn.RNN(4, 64, batch_first=True)
    with torch.no_grad():
        rnn.weight_hh_l0.copy_(scale * torch.eye(64))
        rnn.bias_ih_l0.zero_()
        rnn.bias_hh_l0.zero_()

    def gradient() -> None:
        rnn.zero_grad()
        (0.5 * rnn(x)[0][:, -1].square().sum(dim=1).mean()).backward()

    gradient()
    return [seconds(gradient) for _ in range(3)]
