"""Stacks: layers one on the other, whether they fit, how large they are, and how a file describes them."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from typing import Any, get_args

from elman._validation import describe
from elman.errors import ArgumentTypeError, ArgumentValueError
from elman.nn.layers import GRU, POOLS, RECURRENT, Dense, Embedding, Layer

KINDS: dict[str, type[Layer]] = {kind.__name__: kind for kind in get_args(Layer)}


def check_stack(layers: Any) -> tuple[Layer, ...]:
    """Return the layers as a tuple if each can read the outputs of the one below it.

    >>> from elman.nn.layers import SimpleRNN
    >>> check_stack([SimpleRNN(3), SimpleRNN(3)])
    Traceback (most recent call last):
    ...
    elman.errors.ArgumentValueError: layers[1] (SimpleRNN) needs a time axis, but layers[0]
    (SimpleRNN) gives its last step only: set return_sequences=True there
    """
    if isinstance(layers, str) or not isinstance(layers, Sequence):
        raise ArgumentTypeError("layers", f"is {describe(layers)}", "a list of layers")
    if not layers:
        raise ArgumentValueError("layers", "is empty", "at least one layer")
    ended: int | None = None  # the layer that ended the time axis
    for i, layer in enumerate(layers):
        if not isinstance(layer, Layer):
            hint = ", not the class itself" if isinstance(layer, type) else ""
            raise ArgumentTypeError(
                f"layers[{i}]", f"is {describe(layer)}", f"one of {', '.join(KINDS)}{hint}"
            )
        name = type(layer).__name__
        if isinstance(layer, Embedding):
            _check_embedding(layer, i, layers)
        if isinstance(layer, POOLS) and i == 0:
            raise ArgumentValueError(
                "layers[0]", f"is a {name}", "a layer with return_sequences=True below it"
            )
        if ended is not None and isinstance(layer, RECURRENT + POOLS):
            below = type(layers[ended]).__name__
            reason = (
                "pools its steps into one"
                if isinstance(layers[ended], POOLS)
                else "gives its last step only: set return_sequences=True there"
            )
            raise ArgumentValueError(
                f"layers[{i}] ({name})", f"needs a time axis, but layers[{ended}] ({below}) {reason}"
            )
        if ends_time_axis(layer):
            ended = i
    return tuple(layers)


def _check_embedding(layer: Embedding, i: int, layers: Sequence[Any]) -> None:
    if i:
        raise ArgumentValueError(f"layers[{i}]", "is an Embedding", "it first: it reads the integers of X")
    if layer.units is None and (len(layers) == 1 or isinstance(layers[1], POOLS)):
        what = f"a {type(layers[1]).__name__} above it" if len(layers) > 1 else "nothing above it"
        raise ArgumentValueError(
            "layers[0]",
            f"is a one-hot Embedding with {what}",
            "a layer with a kernel there, or Embedding(n, units)",
        )


def ends_time_axis(layer: Layer) -> bool:
    """Whether a layer reduces the steps of a sequence to one output."""
    return isinstance(layer, POOLS) or (isinstance(layer, RECURRENT) and not layer.return_sequences)


def output_width(layer: Layer, width: int) -> int:
    """Return the number of outputs of a layer over ``width`` inputs.

    >>> from elman.nn.layers import MeanPool, SimpleRNN
    >>> output_width(SimpleRNN(3, bidirectional=True), 5), output_width(MeanPool(), 5)
    (6, 5)
    >>> output_width(Embedding(65), 1), output_width(Embedding(65, 8), 1)
    (65, 8)
    """
    if isinstance(layer, POOLS):
        return width
    if isinstance(layer, Embedding):
        return layer.units or layer.n
    return layer.units * (2 if isinstance(layer, RECURRENT) and layer.bidirectional else 1)


def layer_parameter_count(layer: Layer, width: int) -> int:
    """Return the number of parameters of a layer over ``width`` inputs.

    >>> from elman.nn.layers import MeanPool, SimpleRNN
    >>> [layer_parameter_count(layer, 5) for layer in (SimpleRNN(3), GRU(3), MeanPool())]
    [27, 90, 0]
    """
    if isinstance(layer, POOLS):
        return 0
    if isinstance(layer, Embedding):
        return layer.n * (layer.units or 0)
    if isinstance(layer, Dense):
        return layer.units * (width + int(layer.use_bias))
    biases = int(layer.use_bias) * (2 if isinstance(layer, GRU) and layer.reset_after else 1)
    halves = 2 if layer.bidirectional else 1
    return halves * layer.gates * layer.units * (width + layer.units + biases)


def parameter_count(layers: Sequence[Layer], input_size: int) -> int:
    """Return P, the number of parameters of a stack. It may be larger than any array can be.

    >>> from elman.nn.layers import SimpleRNN
    >>> parameter_count([SimpleRNN(3), Dense(5)], 5)
    47
    """
    width, total = input_size, 0
    for layer in layers:
        total += layer_parameter_count(layer, width)
        width = output_width(layer, width)
    return total


def to_dict(layer: Layer) -> dict[str, Any]:
    """Return a layer as plain values, for JSON.

    >>> from elman.nn.layers import MeanPool
    >>> to_dict(MeanPool())
    {'layer': 'MeanPool'}
    """
    return {"layer": type(layer).__name__, **dataclasses.asdict(layer)}


def from_dict(values: dict[str, Any]) -> Layer:
    """Return the layer that `to_dict` described.

    >>> from_dict({"layer": "MeanPool"})
    MeanPool()
    """
    rest = dict(values)
    kind = KINDS.get(rest.pop("layer", ""))
    if kind is None:
        raise ArgumentValueError("layer", f"is {values.get('layer')!r}", f"one of {', '.join(KINDS)}")
    return kind(**rest)
