"""elman: `fit` as a user calls it, without the bar."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

import elman
from benchmarks.cases import LEARNING_RATE, Case
from elman import GRU, LSTM, Adam, Dense, Network, SimpleRNN, _engine

CELLS: dict[str, Any] = {"rnn": SimpleRNN, "gru": GRU, "lstm": LSTM}


def versions() -> dict[str, str]:
    """Version and instruction set."""
    return {"elman": elman.__version__, "isa": _engine.isa()}


def peak(threads: int) -> float:
    """GFLOP/s of a bare multiply-add loop: the machine's own limit."""
    return _engine.fma_peak(threads)


def network(case: Case) -> Network:
    """Build the case's network with the case's weights."""
    activation = "softmax" if case.loss == "cross_entropy" else "sigmoid"
    net = Network(
        [
            CELLS[case.cell](case.units, return_sequences=case.per_step),
            Dense(case.outputs, activation=activation),
        ],
        input_size=case.features,
        dtype="float32",
        seed=0,
    )
    for name, value in case.weights().items():
        net.weights[name][...] = value
    return net


def losses(case: Case, updates: int, threads: int) -> list[float]:
    """Losses met before each of the first updates, all on the first minibatch."""
    x, y = case.data(batches=1)
    return network(case).fit(x, y, **options(case, threads) | {"epochs": updates}).history["loss"]


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


def trainer(case: Case, threads: int) -> Callable[[], Any]:
    """Return the call that is timed: one `fit`."""
    x, y = case.data()
    net = network(case)
    return lambda: net.fit(x, y, **options(case, threads))


def stepper(case: Case) -> Callable[[Any], Any]:
    """Return one streamed step."""
    return network(case).stream().step


def vanishing(scale: float, threads: int) -> list[float]:
    """Seconds of five gradients over 1,000 steps, the recurrent kernel being `scale` times the identity."""
    from benchmarks.peers.worker import seconds

    x = np.random.default_rng(0).standard_normal((32, 1000, 4)).astype(np.float32) * 0.01
    y = np.zeros((32, 64), dtype=np.float32)
    net = Network([SimpleRNN(64)], input_size=4, dtype="float32", seed=0)
    net.weights["0.recurrent_kernel"][...] = scale * np.eye(64, dtype=np.float32)
    fit = {"batch_size": 32, "optimizer": elman.SGD(0.0), "verbose": False, "n_threads": threads}
    net.fit(x, y, **fit)
    return [seconds(lambda: net.fit(x, y, **fit)) for _ in range(5)]
