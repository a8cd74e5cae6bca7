"""Keras: `SimpleRNN`, `GRU` or `LSTM`, `Dense`, Adam and `fit`."""

from __future__ import annotations

from collections.abc import Callable
from functools import lru_cache
from typing import Any

import keras
import numpy as np

from benchmarks.cases import LEARNING_RATE, Case

# The order of gates in Keras, of those in elman: r z n, and i f g o.
ORDER = {"rnn": [0], "gru": [1, 0, 2], "lstm": [0, 1, 2, 3]}


def versions(threads: int) -> dict[str, str]:
    """Keras' version and backend."""
    return {"keras": f"{keras.__version__} ({keras.backend.backend()})"}


class Adam(keras.optimizers.Adam):
    """Adam with epsilon beside the corrected root, as the others have it; Keras adds it before correcting."""

    def update_step(self, gradient: Any, variable: Any, learning_rate: Any) -> None:
        given = self.epsilon
        done = keras.ops.cast(self.iterations + 1, variable.dtype)
        self.epsilon = given * keras.ops.sqrt(1 - keras.ops.power(self.beta_2, done))
        super().update_step(gradient, variable, learning_rate)
        self.epsilon = given


@lru_cache(maxsize=1)
def model(case: Case) -> Any:
    """Compile the case's network once."""
    if case.shortest is not None:
        raise NotImplementedError("no ragged cases")
    if case.dtype != "float32":
        raise NotImplementedError("its ten losses in float64 agree to 1e-6 and no better")
    layer = {"rnn": keras.layers.SimpleRNN, "gru": keras.layers.GRU, "lstm": keras.layers.LSTM}[case.cell]
    pool = [keras.layers.GlobalAveragePooling1D()] if case.readout == "mean" else []
    net = keras.Sequential(
        [
            keras.Input((case.steps, case.features)),
            layer(case.units, return_sequences=case.readout != "last"),
            *pool,
            keras.layers.Dense(case.outputs),
        ]
    )
    entropy = (
        keras.losses.SparseCategoricalCrossentropy
        if case.loss == "cross_entropy"
        else keras.losses.BinaryCrossentropy
    )
    net.compile(Adam(LEARNING_RATE, epsilon=1e-8), entropy(from_logits=True))
    return net


def fresh(case: Case) -> Any:
    """Put the case's weights in, and zeros into the optimizer."""
    net = model(case)
    w = case.weights()
    for name in ("0.kernel", "0.recurrent_kernel", "0.bias", "0.recurrent_bias"):
        if name in w:
            parts = np.split(w[name], len(ORDER[case.cell]), axis=-1)
            w[name] = np.concatenate([parts[i] for i in ORDER[case.cell]], axis=-1)
    if case.cell == "gru":
        w["0.bias"] = np.stack([w["0.bias"], w.pop("0.recurrent_bias")])
    net.set_weights(list(w.values()))
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
