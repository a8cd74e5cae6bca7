"""Layers: frozen descriptions of what a network is made of. The machine that they describe is the engine.

Shapes: n sequences, T steps, F inputs of a layer, H hidden units, C outputs.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from dataclasses import KW_ONLY, dataclass
from typing import Any

from elman import initializers
from elman.arguments import choice, describe, flag, integer

RECURRENT_ACTIVATIONS = ("tanh", "relu", "sigmoid", "identity")
DENSE_ACTIVATIONS = ("identity", "softmax", "sigmoid", "tanh", "relu")
MOST_UNITS = 2**20  # as the engine's


@dataclass(frozen=True)
class SimpleRNN:
    """Elman's recurrent layer: h_t = f(x_t kernel + h_{t-1} recurrent_kernel + bias).

    Shapes: x (n, T, F) -> h (n, T, H), or (n, H), the last step, without ``return_sequences``; kernel (F, H),
    recurrent_kernel (H, H), bias (H,).

    Parameters
    ----------
    units : int, at least 1
        H, the number of hidden units.
    activation : {"tanh", "relu", "sigmoid", "identity"}
        f.
    use_bias : bool
        Without it the layer has no bias.
    return_sequences : bool
        True gives the state after every step.
    kernel_initializer, recurrent_initializer, bias_initializer : str
        A name of `elman.initializers.NAMES`.

    Raises
    ------
    TypeError, ValueError
        Naming the argument, what was expected and what came.

    References
    ----------
    J. L. Elman (1990), Finding structure in time, Cognitive Science 14(2), 179-211.

    >>> SimpleRNN(3).activation
    'tanh'
    """

    units: int
    activation: str = "tanh"
    _: KW_ONLY
    use_bias: bool = True
    return_sequences: bool = False
    kernel_initializer: str = "glorot_uniform"
    recurrent_initializer: str = "orthogonal"
    bias_initializer: str = "zeros"

    def __post_init__(self) -> None:
        _normalise(
            self,
            units=integer("units", self.units, 1, MOST_UNITS),
            activation=choice("activation", self.activation, RECURRENT_ACTIVATIONS),
            use_bias=flag("use_bias", self.use_bias),
            return_sequences=flag("return_sequences", self.return_sequences),
            kernel_initializer=_initializer("kernel_initializer", self.kernel_initializer),
            recurrent_initializer=_initializer("recurrent_initializer", self.recurrent_initializer),
            bias_initializer=_initializer("bias_initializer", self.bias_initializer),
        )


@dataclass(frozen=True)
class Dense:
    """A readout: y = f(x kernel + bias), at each step where its input still has a time axis.

    Shapes: x (..., H) -> y (..., C); kernel (H, C), bias (C,).

    Parameters
    ----------
    units : int, at least 1
        C, the number of outputs.
    activation : {"identity", "softmax", "sigmoid", "tanh", "relu"}
        f; softmax runs over the C outputs.
    use_bias : bool
        Without it the layer has no bias.
    kernel_initializer, bias_initializer : str
        A name of `elman.initializers.NAMES`.

    Raises
    ------
    TypeError, ValueError
        Naming the argument, what was expected and what came.

    >>> Dense(5, "softmax")
    Dense(units=5, activation='softmax', use_bias=True, kernel_initializer='glorot_uniform',
    bias_initializer='zeros')
    """

    units: int
    activation: str = "identity"
    _: KW_ONLY
    use_bias: bool = True
    kernel_initializer: str = "glorot_uniform"
    bias_initializer: str = "zeros"

    def __post_init__(self) -> None:
        _normalise(
            self,
            units=integer("units", self.units, 1, MOST_UNITS),
            activation=choice("activation", self.activation, DENSE_ACTIVATIONS),
            use_bias=flag("use_bias", self.use_bias),
            kernel_initializer=_initializer("kernel_initializer", self.kernel_initializer),
            bias_initializer=_initializer("bias_initializer", self.bias_initializer),
        )


@dataclass(frozen=True)
class MeanPool:
    """The mean over the steps of each sequence: y = sum_t x_t / T.

    Shapes: x (n, T, H) -> y (n, H).

    >>> MeanPool()
    MeanPool()
    """


@dataclass(frozen=True)
class MaxPool:
    """The largest value over the steps of each sequence, unit by unit: y = max_t x_t.

    Shapes: x (n, T, H) -> y (n, H). Where steps are equal the gradient goes to the first of them.

    >>> MaxPool()
    MaxPool()
    """


Layer = SimpleRNN | Dense | MeanPool | MaxPool
RECURRENT = (SimpleRNN,)
POOLS = (MeanPool, MaxPool)
KINDS: dict[str, type[Layer]] = {kind.__name__: kind for kind in (SimpleRNN, Dense, MeanPool, MaxPool)}


def _normalise(layer: Any, **values: Any) -> None:
    """Store plain Python values, so that equal layers compare equal and become JSON as they are."""
    for name, value in values.items():
        object.__setattr__(layer, name, value)


def _initializer(name: str, value: Any) -> str:
    return choice(name, value, initializers.NAMES)


def check_stack(layers: Any) -> tuple[Layer, ...]:
    """Return the layers as a tuple if they can stand on each other in this order.

    >>> check_stack([SimpleRNN(3), SimpleRNN(3)])
    Traceback (most recent call last):
    ...
    ValueError: layers[1] (SimpleRNN) needs a time axis, but layers[0] (SimpleRNN) gives its last step only:
    set \
return_sequences=True there
    """
    if isinstance(layers, str) or not isinstance(layers, Sequence):
        raise TypeError(f"layers is {describe(layers)}, expected a list of layers")
    if not layers:
        raise ValueError("layers is empty, expected at least one layer")
    ended: int | None = None  # the layer that ended the time axis
    for i, layer in enumerate(layers):
        if not isinstance(layer, Layer):
            hint = ", not the class itself" if isinstance(layer, type) else ""
            raise TypeError(f"layers[{i}] is {describe(layer)}, expected one of {', '.join(KINDS)}{hint}")
        name = type(layer).__name__
        if isinstance(layer, POOLS) and i == 0:
            raise ValueError(f"layers[0] is a {name}, expected a layer with return_sequences=True below it")
        if ended is not None and isinstance(layer, RECURRENT + POOLS):
            below = type(layers[ended]).__name__
            reason = (
                "pools its steps into one"
                if isinstance(layers[ended], POOLS)
                else "gives its last step only: set return_sequences=True there"
            )
            raise ValueError(
                f"layers[{i}] ({name}) needs a time axis, but layers[{ended}] ({below}) {reason}"
            )
        if isinstance(layer, POOLS) or (isinstance(layer, RECURRENT) and not layer.return_sequences):
            ended = i
    return tuple(layers)


def to_dict(layer: Layer) -> dict[str, Any]:
    """Return a layer as plain values, for JSON.

    >>> to_dict(MeanPool())
    {'layer': 'MeanPool'}
    """
    return {"layer": type(layer).__name__, **dataclasses.asdict(layer)}


def from_dict(values: dict[str, Any]) -> Layer:
    """Return the layer that `to_dict` wrote.

    >>> from_dict({"layer": "MeanPool"})
    MeanPool()
    """
    rest = dict(values)
    kind = KINDS.get(rest.pop("layer", ""))
    if kind is None:
        raise ValueError(f"layer is {values.get('layer')!r}, expected one of {', '.join(KINDS)}")
    return kind(**rest)
