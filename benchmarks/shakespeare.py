"""An LSTM on a text beside PyTorch's: validation loss by updates and by CPU time.

    python -m benchmarks.shakespeare tinyshakespeare.txt --updates 2000

The same model (Embedding, LSTM, Dense; PyTorch's second LSTM bias stays zero), the same initial weights, the
same windows in the same order, Adam with the same rate and clipping, all float32. Before anything is timed
the losses of the first updates must agree. The CPU time is that of training alone, over all threads: on a
machine that others use too it says more than the clock. Result: results/shakespeare.json.
"""

from __future__ import annotations

import copy
import time
from argparse import ArgumentParser
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

import elman
from benchmarks import measure
from elman import LSTM, Adam, Dense, Embedding, Network

FIRST = 20  # updates whose losses must agree
AGREE = 2e-5  # relative, as in the other benchmarks


class Text(NamedTuple):
    """A text as numbers: windows (n, T) to train on, in the order of use, and to validate on.

    Each stands beside the same window one character on.
    """

    symbols: int
    train: tuple[Any, Any]
    validation: tuple[Any, Any]


class Peer(NamedTuple):
    """Who trains: ``learn(first, end)`` takes the updates from first to end, and gives their mean loss."""

    learn: Callable[[int, int], float]
    validate: Callable[[], float]


def read(path: Path, steps: int, windows: int, seed: int) -> Text:
    """Cut a text: random windows of its first nine tenths, neighboring ones of the rest."""
    alphabet, symbols = np.unique(np.array(list(path.read_text(encoding="utf-8"))), return_inverse=True)
    cut = len(symbols) * 9 // 10
    known, rest = symbols[:cut].astype(np.int64), symbols[cut:].astype(np.int64)
    starts = np.random.default_rng(seed).integers(0, cut - steps, size=windows)
    at = starts[:, None] + np.arange(steps)
    n = (len(rest) - 1) // steps
    new = rest[: n * steps].reshape(n, steps), rest[1 : n * steps + 1].reshape(n, steps)
    return Text(len(alphabet), (known[at], known[at + 1]), new)


def ours(net: Network, text: Text, args: Any) -> Peer:
    """Train with elman: one fit goes on where the last one ended."""
    X, y = text.train
    optimizer = Adam(args.rate)

    def learn(first: int, end: int) -> float:
        rows = slice(first * args.batch, end * args.batch)
        history = net.fit(
            X[rows],
            y[rows],
            optimizer=optimizer,
            batch_size=args.batch,
            shuffle=False,
            clip_norm=1.0,
            verbose=False,
            n_threads=args.threads,
        )
        return float(history.history["loss"][-1])

    return Peer(learn, lambda: float(net.evaluate(*text.validation, n_threads=args.threads)["loss"]))


def theirs(net: Network, text: Text, args: Any) -> Peer:
    """Train with PyTorch, from the weights of a network of ours."""
    import torch
    from torch import nn

    torch.set_num_threads(args.threads)
    w = {name: torch.from_numpy(value.copy()) for name, value in net.weights.items()}
    table = nn.Embedding(text.symbols, args.features)
    lstm, head = nn.LSTM(args.features, args.units, batch_first=True), nn.Linear(args.units, text.symbols)
    with torch.no_grad():
        table.weight.copy_(w["0.embeddings"])
        lstm.weight_ih_l0.copy_(w["1.kernel"].T)
        lstm.weight_hh_l0.copy_(w["1.recurrent_kernel"].T)
        lstm.bias_ih_l0.copy_(w["1.bias"])
        lstm.bias_hh_l0.zero_()
        head.weight.copy_(w["2.kernel"].T)
        head.bias.copy_(w["2.bias"])
    lstm.bias_hh_l0.requires_grad_(False)
    parameters = [p for part in (table, lstm, head) for p in part.parameters() if p.requires_grad]
    optimizer = torch.optim.Adam(parameters, lr=args.rate)
    X, y = (torch.from_numpy(array) for array in text.train)
    X_new, y_new = (torch.from_numpy(array) for array in text.validation)

    def loss_of(X: Any, y: Any) -> Any:
        return nn.functional.cross_entropy(head(lstm(table(X))[0]).flatten(0, 1), y.flatten())

    def learn(first: int, end: int) -> float:
        losses = []
        for i in range(first * args.batch, end * args.batch, args.batch):
            optimizer.zero_grad()
            loss = loss_of(X[i : i + args.batch], y[i : i + args.batch])
            loss.backward()
            nn.utils.clip_grad_norm_(parameters, 1.0)
            optimizer.step()
            losses.append(loss.detach())
        return float(torch.stack(losses).mean())

    def validate() -> float:
        with torch.no_grad():
            sums = [
                len(rows) * float(loss_of(rows, y_new[i : i + len(rows)]))
                for i, rows in ((i, X_new[i : i + 64]) for i in range(0, len(X_new), 64))
            ]
        return sum(sums) / len(X_new)

    return Peer(learn, validate)


def run(peer: Peer, args: Any) -> list[dict[str, float]]:
    """Train, and validate after every ``args.every`` updates."""
    curve, cpu, wall = [], 0.0, 0.0
    for first in range(0, args.updates, args.every):
        end = min(args.updates, first + args.every)
        began = time.process_time(), time.perf_counter()
        loss = peer.learn(first, end)
        cpu, wall = cpu + time.process_time() - began[0], wall + time.perf_counter() - began[1]
        validation = peer.validate()
        curve.append(
            {
                "updates": end,
                "loss": round(loss, 5),
                "validation_loss": round(validation, 5),
                "cpu_seconds": round(cpu, 2),
                "wall_seconds": round(wall, 2),
            }
        )
        print(f"  {end:6d} updates  {cpu:8.1f} s  loss {loss:.4f}  validation {validation:.4f}")
    return curve


def within(curve: list[dict[str, float]], seconds: float) -> float | None:
    """Return the validation loss of the last point within a budget of CPU time; None where there is none."""
    found = [point["validation_loss"] for point in curve if point["cpu_seconds"] <= seconds]
    return found[-1] if found else None


def main() -> None:
    """Prove that both do the same, then let each train."""
    parser = ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("text", type=Path, help="a text in UTF-8, such as tinyshakespeare.txt")
    parser.add_argument("--updates", type=int, default=2000)
    parser.add_argument("--every", type=int, default=200, help="updates between two validations")
    parser.add_argument("--units", type=int, default=256)
    parser.add_argument("--features", type=int, default=64, help="of the embedding")
    parser.add_argument("--batch", type=int, default=32)
    parser.add_argument("--steps", type=int, default=128)
    parser.add_argument("--rate", type=float, default=0.002)
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--seed", type=int, default=0)
    args = parser.parse_args()

    import torch

    text = read(args.text, args.steps, args.updates * args.batch, args.seed)
    layers = [
        Embedding(text.symbols, args.features),
        LSTM(args.units, return_sequences=True),
        Dense(text.symbols, "softmax"),
    ]
    net = Network(layers, seed=args.seed)
    pairs = [make(copy.deepcopy(net), text, args) for make in (ours, theirs)]
    for i in range(min(FIRST, args.updates)):
        a, b = (peer.learn(i, i + 1) for peer in pairs)
        if abs(a - b) > AGREE * abs(b):
            raise SystemExit(f"update {i}: elman's loss is {a:.7f}, PyTorch's {b:.7f}: not the same model")
    print(f"the first {min(FIRST, args.updates)} losses agree to {AGREE:g}")

    curves = {}
    for name, make in (("elman", ours), ("torch", theirs)):
        print(name)
        curves[name] = run(make(copy.deepcopy(net), text, args), args)
    budget = min(curve[-1]["cpu_seconds"] for curve in curves.values())
    result = measure.setting(args.threads, [])
    result["isa"] = elman._engine.isa()
    result["versions"] |= {"elman": elman.__version__, "torch": torch.__version__}
    result["model"] = {k: v for k, v in vars(args).items() if k != "text"} | {"symbols": text.symbols}
    result["parameters"] = len(net.parameters)
    result["curves"] = curves
    result["same_updates"] = {name: curve[-1]["validation_loss"] for name, curve in curves.items()}
    result["same_cpu_seconds"] = {"budget": budget} | {name: within(c, budget) for name, c in curves.items()}
    measure.save("shakespeare", result)


if __name__ == "__main__":
    main()
