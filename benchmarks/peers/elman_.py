"""elman: `fit` and `predict` as a user calls them, without the bar."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

import elman
from benchmarks.cases import LEARNING_RATE, Case
from benchmarks.peers import walk
from benchmarks.peers.worker import seconds
from elman import GRU, LSTM, SGD, Adam, Dense, MeanPool, Network, SimpleRNN, _engine
from elman.nn.losses import CODES

CELLS: dict[str, Any] = {"rnn": SimpleRNN, "gru": GRU, "lstm": LSTM}


def versions(threads: int) -> dict[str, str]:
    """Version and instruction set."""
    return {"elman": elman.__version__, "isa": _engine.isa()}


def peak(threads: int) -> float:
    """GFLOP/s of a bare float32 multiply-add loop: the machine's own limit.

    The engine's loop takes 60 ms. Whatever else runs in that moment takes a whole core from it, so it has
    several goes.
    """
    return max(_engine.fma_peak(threads) for _ in range(5))


def network(case: Case) -> Network:
    """Build the case's network with the case's weights."""
    activation = "softmax" if case.loss == "cross_entropy" else "sigmoid"
    pool = [MeanPool()] if case.readout == "mean" else []
    net = Network(
        [
            CELLS[case.cell](case.units, return_sequences=case.readout != "last"),
            *pool,
            Dense(case.outputs, activation=activation),
        ],
        input_size=case.features,
        dtype=case.dtype,
        seed=0,
    )
    for (name, own), value in zip(net.weights.items(), case.weights().values(), strict=True):
        assert own.shape == value.shape, name
        own[...] = value
    return net


def data(case: Case, batches: int | None = None) -> tuple[Any, Any]:
    """X as a user has it, a list where lengths differ, and y."""
    x, y = case.data(batches)
    if case.shortest is None:
        return x, y
    return [row[:length] for row, length in zip(x, case.lengths(batches), strict=True)], y


def options(case: Case, threads: int) -> dict[str, Any]:
    """Say what every peer does too."""
    return {
        "loss": case.loss,
        "optimizer": Adam(LEARNING_RATE),
        "epochs": case.epochs,
        "batch_size": case.batch,
        "shuffle": False,
        "verbose": False,
        "n_threads": threads,
    }


def losses(case: Case, updates: int, threads: int) -> list[float]:
    """Losses met before each of the first updates, all on the first minibatch."""
    x, y = data(case, batches=1)
    return network(case).fit(x, y, **options(case, threads) | {"epochs": updates}).history["loss"]


def trainer(case: Case, threads: int) -> Callable[[], Any]:
    """Return the call that is timed: one `fit`."""
    x, y = data(case)
    net = network(case)
    return lambda: net.fit(x, y, **options(case, threads))


def predictor(case: Case, threads: int) -> Callable[[], Any]:
    """Return the call that is timed: one `predict` of all sequences."""
    x, _ = data(case)
    net = network(case)
    return lambda: net.predict(x, n_threads=threads)


def stepper(case: Case, threads: int, way: str) -> Callable[[], Any]:
    """Return a stream's steps, "plain" or with "out"; or as many "empty" calls of the native module."""
    one = case.batch == 1
    xs = [x[0] if one else x for x in case.ticks()]
    stream = network(case).stream(None if one else case.batch)
    step, empty = stream.step, _engine._core.isa
    if way == "plain":
        return walk(step, xs)
    out = step(xs[0])
    stream.reset()

    def with_out() -> Any:
        for x in xs:
            step(x, out=out)
        return out

    def nothing() -> None:
        for _ in xs:
            empty()

    return {"out": with_out, "empty": nothing}[way]


def count(case: Case, threads: int) -> int:
    """Bytes that the engine says a gradient holds, beside what depends on the parameters alone."""
    lengths = case.lengths(1)
    need = network(case).model.native.need
    loss = CODES[case.loss]
    return need(case.batch, int(lengths.max()), int(lengths.sum()), loss, False, threads)[0]


def vanishing(scale: float, threads: int) -> list[float]:
    """Seconds of five gradients over 1,000 steps, the recurrent kernel being `scale` times the identity."""
    x = np.random.default_rng(0).standard_normal((32, 1000, 4)).astype(np.float32) * 0.01
    y = np.zeros((32, 64), dtype=np.float32)
    net = Network([SimpleRNN(64)], input_size=4, dtype="float32", seed=0)
    net.weights["0.recurrent_kernel"][...] = scale * np.eye(64, dtype=np.float32)
    fit: dict[str, Any] = {"batch_size": 32, "optimizer": SGD(0.0), "verbose": False, "n_threads": threads}
    net.fit(x, y, **fit)
    return [seconds(lambda: net.fit(x, y, **fit)) for _ in range(5)]
