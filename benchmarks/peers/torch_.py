"""PyTorch: `nn.RNN`, `nn.GRU` or `nn.LSTM`, `nn.Linear` and Adam in a plain loop, as tutorials write it."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import torch
from torch import nn
from torch.nn.utils.rnn import pack_padded_sequence

from benchmarks.cases import LEARNING_RATE, Case
from benchmarks.peers import walk
from benchmarks.peers.worker import seconds


def versions(threads: int) -> dict[str, str]:
    """PyTorch's version."""
    return {"torch": torch.__version__}


class Model(nn.Module):
    """The case's network. The second bias stays zero, or it would double the bias' rate; not a GRU's."""

    def __init__(self, case: Case) -> None:
        super().__init__()
        layer = {"rnn": nn.RNN, "gru": nn.GRU, "lstm": nn.LSTM}[case.cell]
        self.rnn = layer(case.features, case.units, batch_first=True)
        self.out = nn.Linear(case.units, case.outputs)
        self.readout = case.readout
        self.to(getattr(torch, case.dtype))
        w = {name: torch.from_numpy(value) for name, value in case.weights().items()}
        with torch.no_grad():
            self.rnn.weight_ih_l0.copy_(w["0.kernel"].T)
            self.rnn.weight_hh_l0.copy_(w["0.recurrent_kernel"].T)
            self.rnn.bias_ih_l0.copy_(w["0.bias"])
            self.rnn.bias_hh_l0.copy_(w.get("0.recurrent_bias", torch.zeros(len(w["0.bias"]))))
            self.out.weight.copy_(w["1.kernel"].T)
            self.out.bias.copy_(w["1.bias"])
        self.rnn.bias_hh_l0.requires_grad_(case.cell == "gru")

    def forward(self, x: Any) -> torch.Tensor:
        """Return logits (B, T, C) or (B, C)."""
        states, last = self.rnn(x)
        if self.readout == "step":
            return self.out(states)
        if self.readout == "mean":
            return self.out(states.mean(dim=1))
        return self.out((last[0] if isinstance(last, tuple) else last)[0])


def minibatches(case: Case, batches: int | None = None) -> list[tuple[Any, torch.Tensor]]:
    """X and y of each minibatch. Ragged ones are packed beforehand, longest first: PyTorch's best."""
    x, y = (torch.from_numpy(array) for array in case.data(batches))
    cut = list(zip(x.split(case.batch), y.split(case.batch), strict=True))
    if case.shortest is None:
        return cut
    packed = []
    for (xb, yb), lengths in zip(cut, torch.from_numpy(case.lengths(batches)).split(case.batch), strict=True):
        order = lengths.argsort(descending=True)
        packed.append((pack_padded_sequence(xb[order], lengths[order], batch_first=True), yb[order]))
    return packed


def entropy(case: Case) -> Callable[[torch.Tensor, torch.Tensor], torch.Tensor]:
    """Make the loss of logits and answers."""
    if case.loss == "binary_cross_entropy":
        return nn.BCEWithLogitsLoss()
    cross = nn.CrossEntropyLoss()
    return lambda z, y: cross(z.flatten(0, -2), y.flatten())


def updater(loss_of: Callable[[Any, Any], Any], optimizer: Any) -> Callable[[Any, Any], torch.Tensor]:
    """Make one update as a function of a minibatch; it returns the loss."""

    def update(xb: Any, yb: torch.Tensor) -> torch.Tensor:
        optimizer.zero_grad()
        loss = loss_of(xb, yb)
        loss.backward()
        optimizer.step()
        return loss.detach()

    return update


def build(case: Case, model: type[Model] = Model) -> Callable[[Any, Any], torch.Tensor]:
    """Make one update, op by op."""
    net, loss = model(case), entropy(case)
    trained = [p for p in net.parameters() if p.requires_grad]
    return updater(lambda x, y: loss(net(x), y), torch.optim.Adam(trained, LEARNING_RATE))


def losses(
    case: Case, updates: int, threads: int, build: Any = build, minibatches: Any = minibatches
) -> list[float]:
    """Losses met before each of the first updates, all on the first minibatch."""
    torch.set_num_threads(threads)
    update, [(x, y)] = build(case), minibatches(case, 1)
    return [update(x, y).item() for _ in range(updates)]


def trainer(
    case: Case, threads: int, build: Any = build, minibatches: Any = minibatches
) -> Callable[[], Any]:
    """Return the call that is timed: the loop over the minibatches."""
    torch.set_num_threads(threads)
    update, data = build(case), minibatches(case)

    def run() -> None:
        for _ in range(case.epochs):
            for xb, yb in data:
                update(xb, yb)

    return run


def predictor(case: Case, threads: int, model: Any = Model) -> Callable[[], Any]:
    """Return the call that is timed: the answers, batch by batch."""
    torch.set_num_threads(threads)
    net, x = model(case), case.data()[0]

    @torch.inference_mode()
    def run() -> Any:
        answers = []
        for start in range(0, len(x), case.batch):
            z = net(torch.from_numpy(x[start : start + case.batch]))
            p = torch.sigmoid(z) if case.kind == "bits" else torch.softmax(z, dim=-1)
            answers.append(p.numpy())
        return answers[0] if len(answers) == 1 else np.concatenate(answers)

    return run


def stepper(case: Case, threads: int, way: str) -> Callable[[], Any]:
    """Return the steps of one stream, or of several at once: `nn.RNNCell`, `nn.Linear`, softmax."""
    torch.set_num_threads(threads)
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
    state = torch.zeros(case.batch, case.units)

    @torch.inference_mode()
    def step(x: np.ndarray) -> np.ndarray:
        nonlocal state
        state = cell(torch.from_numpy(x), state)
        return torch.softmax(out(state), dim=1).numpy()

    return walk(step, case.ticks())


def vanishing(scale: float, threads: int) -> list[float]:
    """Seconds of three gradients over 1,000 steps, the recurrent kernel being `scale` times the identity."""
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
