"""The activations by name: those of each kind of layer, and the engine's codes for them."""

from __future__ import annotations

from typing import Literal, get_args

RecurrentActivation = Literal["tanh", "relu", "sigmoid", "identity"]
DenseActivation = Literal["identity", "softmax", "sigmoid", "tanh", "relu"]
RECURRENT_ACTIVATIONS: tuple[RecurrentActivation, ...] = get_args(RecurrentActivation)
DENSE_ACTIVATIONS: tuple[DenseActivation, ...] = get_args(DenseActivation)
CODES: dict[DenseActivation, int] = {"identity": 0, "tanh": 1, "relu": 2, "sigmoid": 3, "softmax": 4}
