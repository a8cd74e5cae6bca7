"""Keras: `SimpleRNN`, `Dense`, Adam and `fit`."""

from __future__ import annotations

from collections.abc import Callable
from functools import lru_cache
from typing import Any

import keras
import numpy as np

from benchmarks.cases import LEARNING_RATE, Case


def versions() -> dict[str, str]:
    """Keras' version and backend."""
    return {"keras": f"{keras.__version__} ({keras.backend.backend()})"}


@lru_cache(maxsize=16)
def model(case: Case) -> Any:
    """Compile the case's network once."""
    net = keras.Sequential(
        [
            keras.Input((case.steps, case.features)),
            keras.layers.SimpleRNN(case.units, return_sequences=case.per_step),
            keras.layers.Dense(case.outputs),
        ]
    )
    entropy = (
        keras.losses.SparseCategoricalCrossentropy
        if case.loss == "cross_entropy"
        else keras.losses.BinaryCrossentropy
    )
    net.compile(keras.optimizers.Adam(LEARNING_RATE, epsilon=1e-8), entropy(from_logits=True))
    return net


def fresh(case: Case) -> Any:
    """Put the case's weights in, and zeros into the optimiser."""
    net = model(case)
    net.set_weights(list(case.weights().values()))
    for variable in net.optimizer.variables:
        if "learning_rate" not in variable.path:
            variable.assign(np.zeros(variable.shape, variable.dtype))
    return net


def losses(case: Case, updates: int, threads: int) -> list[float]:
    """Losses met before each of the first updates, all on the first minibatch."""
    x, y = case.data(batches=1)
    net = fresh(case)
    return net.fit(x, y, batch_size=case.batch, epochs=updates, shuffle=False, verbose=0).history["loss"]


def trainer(case: Case, threads: int) -> Callable[[], Any]:
    """Return the call that is timed: `fit`, with all epochs laid end to end as one."""
    x, y = case.data()
    x, y = np.concatenate([x] * case.epochs), np.concatenate([y] * case.epochs)
    net = fresh(case)
    return lambda: net.fit(x, y, batch_size=case.batch, shuffle=False, verbose=0)
