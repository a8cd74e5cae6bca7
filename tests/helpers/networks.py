"""The networks that the laws run over: one line a shape of network, for every cell and loss."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any

import numpy as np

import reference
from elman import GRU, LSTM, SGD, Adam, AdamW, Dense, MaxPool, MeanPool, RMSprop, SimpleRNN
from helpers.support import ACTIVATIONS, OUTPUT_OF

C = 3

# Ten updates of Adam divide small gradients by their own size: float32's rounding grows with them.
OPTIMIZERS = [
    SGD(0.05),
    SGD(0.05, momentum=0.9),
    SGD(0.05, momentum=0.9, nesterov=True),
    RMSprop(0.005),
    Adam(0.01),
    AdamW(0.01, weight_decay=0.1),
]


# Every kind of recurrent layer; those of SimpleRNN are called by their activation.
CELLS: dict[str, Callable[..., Any]] = {
    **{name: partial(SimpleRNN, activation=name) for name in ACTIVATIONS},
    "leaky": partial(SimpleRNN, activation="tanh", leak=0.3),
    "gru": GRU,
    "gru_before": partial(GRU, reset_after=False),
    "lstm": LSTM,
}


def rnn(units: int, cell: str, *, steps: bool = False, **options: Any) -> Any:
    return CELLS[cell](units, return_sequences=steps, **options)


def steps(cell: str, *units: int) -> list[Any]:
    return [rnn(H, cell, steps=True) for H in units]


# name: (cell of the recurrent layers, last layer) -> layers
SHAPES: dict[str, Callable[[str, Any], list[Any]]] = {
    "last": lambda a, head: [rnn(5, a), head],
    "steps": lambda a, head: [rnn(5, a, steps=True), head],
    "two_last": lambda a, head: [rnn(4, a, steps=True), rnn(6, a), head],
    "three_steps": lambda a, head: [*steps(a, 4, 6, 3), head],
    "mean": lambda a, head: [rnn(5, a, steps=True), MeanPool(), head],
    "max": lambda a, head: [rnn(5, a, steps=True), MaxPool(), head],
    "two_mean_two_heads": lambda a, head: [*steps(a, 4, 7), MeanPool(), Dense(4, activation="tanh"), head],
    "dense_between": lambda a, head: [
        Dense(4, activation="tanh"),
        *steps(a, 5),
        Dense(3, activation="relu"),
        *steps(a, 4),
        head,
    ],
    "no_bias": lambda a, head: [
        rnn(5, a, steps=True, use_bias=False),
        Dense(C, activation=head.activation, use_bias=False),
    ],
}

# The output is the hidden state (or its pool): squared_error.
BARE: dict[str, Callable[[str], list[Any]]] = {
    "bare_last": lambda a: [rnn(3, a)],
    "bare_two_steps": lambda a: [rnn(4, a, steps=True), rnn(3, a, steps=True)],
    "bare_max": lambda a: [rnn(3, a, steps=True), MaxPool()],
    "tanh_head": lambda a: [rnn(4, a, steps=True), Dense(3, activation="tanh")],
    "softmax_head_mean": lambda a: [rnn(4, a, steps=True), Dense(3, activation="softmax"), MeanPool()],
}

# Halves that run over each row from both ends.
BOTH: dict[str, Callable[[str, Any], list[Any]]] = {
    "both_last": lambda a, head: [rnn(5, a, bidirectional=True), head],
    "both_steps": lambda a, head: [rnn(4, a, steps=True, bidirectional=True), head],
    "both_two": lambda a, head: [
        rnn(3, a, steps=True, bidirectional=True),
        rnn(4, a, steps=True),
        rnn(3, a, bidirectional=True),
        head,
    ],
    "both_mean": lambda a, head: [
        Dense(4, activation="tanh"),
        rnn(3, a, steps=True, bidirectional=True),
        MeanPool(),
        head,
    ],
}


def cases() -> list[tuple[str, str]]:
    """(shape, loss), every pair that makes sense."""
    every = [(shape, loss) for shape in SHAPES for loss in OUTPUT_OF]
    return [*every, *((s, "squared_error") for s in BARE), *((s, "cross_entropy") for s in BOTH)]


def build(shape: str, cell: str, loss: str) -> list[Any]:
    if shape in BARE:
        return BARE[shape](cell)
    return (SHAPES | BOTH)[shape](cell, Dense(C, activation=OUTPUT_OF[loss]))


GAIN = {"tanh": 1.3, "relu": 0.8, "sigmoid": 5.0, "identity": 1.0, "gates": 1.3}
HEAD_GAIN = {"softmax": 1.0}  # far from saturation, where float32 differences cancel


def lively_weights(layers: list[Any], F: int, generator: np.random.Generator) -> dict[str, np.ndarray]:
    """Weights whose gradients neither vanish nor explode, so that differences see every entry above rounding.

    Recurrent kernels are orthogonal, times 0.8 of a gain that makes up for the activation's slope; biases
    keep sigmoid units near their middle.
    """
    weights: dict[str, np.ndarray] = {}
    below_is_sigmoid = False
    for index, layer in enumerate(layers):
        own = {name: s for name, s in reference.shapes(layers, F).items() if name.startswith(f"{index}.")}
        recurrent = reference.is_recurrent(layer)
        activation = getattr(layer, "activation", "gates")
        gain = GAIN[activation] if recurrent else HEAD_GAIN.get(activation, 1.5)
        for name, shape in own.items():
            if name.endswith("recurrent_kernel"):
                H, gates = shape[0], shape[1] // shape[0]
                rotations = [np.linalg.qr(generator.normal(size=(H, H)))[0] for _ in range(gates)]
                weights[name] = 0.8 * min(gain, 4.0) * np.concatenate(rotations, axis=1)
            elif name.endswith("embeddings"):
                weights[name] = generator.normal(size=shape)
            elif name.endswith("kernel"):
                weights[name] = gain * generator.normal(size=shape) / np.sqrt(shape[0])
            else:
                weights[name] = 0.3 * generator.normal(size=shape)
        is_sigmoid = recurrent and activation == "sigmoid"
        for half in ("", "reverse."):
            name = f"{index}.{half}"
            if is_sigmoid and f"{name}bias" in weights:
                weights[f"{name}bias"] -= 0.5 * weights[f"{name}recurrent_kernel"].sum(axis=0)
                if below_is_sigmoid:
                    weights[f"{name}bias"] -= 0.5 * weights[f"{name}kernel"].sum(axis=0)
        below_is_sigmoid = is_sigmoid
    return weights
