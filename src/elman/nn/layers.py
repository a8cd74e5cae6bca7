"""Layers: frozen descriptions of what a network is made of. The machine that they describe is the engine.

Shapes: n sequences, T steps, F inputs of a layer, H hidden units, C outputs.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from dataclasses import KW_ONLY, dataclass
from typing import Any

from elman._validation import choice, describe, flag, integer, normalize, number
from elman.errors import ArgumentTypeError, ArgumentValueError
from elman.nn import initializers

RECURRENT_ACTIVATIONS = ("tanh", "relu", "sigmoid", "identity")
DENSE_ACTIVATIONS = ("identity", "softmax", "sigmoid", "tanh", "relu")
MOST_UNITS = 2**20  # as the engine's


@dataclass(frozen=True)
class Embedding:
    """A first layer for sequences of integers: x_t = embeddings[i_t], a row of numbers for each of n symbols.

    Without ``units`` the row is one-hot, n numbers of which the i_t-th is 1: it has no parameters and is
    never made; the layer above picks the row of its kernel that stands for i_t, and the gradient of that
    kernel is added row by row.

    Shapes: X (n sequences, T) or (n, T, 1) of integers from 0 to n - 1, a list of (T_i,) or (T_i, 1), or
    `elman.Sequences` over (N,) or (N, 1) -> x (n, T, E); embeddings (n, E); E is ``units``, or n. Integers
    are checked and never become floats. ``dropout`` of the layer above drops one of the E features for all
    steps of a sequence; where the row is one-hot, all occurrences of a symbol in it. ``l2`` leaves embeddings
    alone.

    Parameters
    ----------
    n : int, at least 1
        The number of symbols.
    units : int or None
        E, at least 1; None for one-hot.
    embeddings_initializer : str
        A name of `elman.initializers.NAMES`, or one with a number (see `elman.initializers.draw`).

    Raises
    ------
    TypeError, ValueError
        Naming the argument, what was expected and what came.

    References
    ----------
    Y. Bengio, R. Ducharme, P. Vincent and C. Jauvin (2003), A neural probabilistic language model, Journal of
    Machine Learning Research 3, 1137-1155, section 2.

    >>> from elman import Network
    >>> net = Network([Embedding(65), LSTM(8, return_sequences=True), Dense(65, "softmax")], seed=0)
    >>> net.predict([[4, 17, 64], [2]])[0].shape
    (3, 65)
    """

    n: int
    units: int | None = None
    _: KW_ONLY
    embeddings_initializer: str = "uniform:0.05"

    def __post_init__(self) -> None:
        normalize(
            self,
            n=integer("n", self.n, 1, MOST_UNITS),
            units=None if self.units is None else integer("units", self.units, 1, MOST_UNITS),
            embeddings_initializer=_initializer("embeddings_initializer", self.embeddings_initializer),
        )


@dataclass(frozen=True)
class SimpleRNN:
    """Elman's recurrent layer: h_t = f(x_t kernel + h_{t-1} recurrent_kernel + bias).

    With ``leak`` below 1 a leaky unit: h_t = (1 - leak) h_{t-1} + leak f(...).

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
    bidirectional : bool
        True adds a second half that runs over each row from its end to its start; the outputs are (2H,): the
        halves side by side, without ``return_sequences`` the last state of each.
    dropout, recurrent_dropout : float, at least 0 and below 1
        The share of the inputs, and of the states on their way into the recurrent kernel, that is set to 0 in
        training; one mask a sequence, the same at all its steps and for all gates (Gal and Ghahramani 2016).
    leak : float, above 0 and at most 1
        The share of the state that is renewed at each step: the step's length over the units' time constant.
    kernel_initializer, recurrent_initializer, bias_initializer : str
        A name of `elman.initializers.NAMES`, or one with a number such as "orthogonal:0.9" (see
        `elman.initializers.draw`).

    Raises
    ------
    TypeError, ValueError
        Naming the argument, what was expected and what came.

    References
    ----------
    J. L. Elman (1990), Finding structure in time, Cognitive Science 14(2), 179-211. Leaky units: H. Jaeger et
    al. (2007), Optimization and applications of echo state networks with leaky-integrator neurons, Neural
    Networks 20(3), 335-352, equation 2.

    >>> SimpleRNN(3).activation
    'tanh'
    """

    units: int
    activation: str = "tanh"
    _: KW_ONLY
    use_bias: bool = True
    return_sequences: bool = False
    leak: float = 1.0
    bidirectional: bool = False
    dropout: float = 0.0
    recurrent_dropout: float = 0.0
    kernel_initializer: str = "glorot_uniform"
    recurrent_initializer: str = "orthogonal"
    bias_initializer: str = "zeros"

    def __post_init__(self) -> None:
        leak = number("leak", self.leak, positive=True)
        if leak > 1.0:
            raise ArgumentValueError("leak", f"is {self.leak!r}", "a number above 0 and at most 1")
        normalize(
            self,
            activation=choice("activation", self.activation, RECURRENT_ACTIVATIONS),
            leak=leak,
        )
        _normalize_recurrent(self)


@dataclass(frozen=True)
class GRU:
    """The gated recurrent unit: a reset gate r, an update gate z and a candidate n.

    r_t, z_t = sigmoid(x_t W + h_{t-1} U + b + c); n_t = tanh(x_t W_n + b_n + r_t (h_{t-1} U_n + c_n));
    h_t = (1 - z_t) n_t + z_t h_{t-1}. Without ``reset_after``, as first published, n_t = tanh(x_t W_n + b_n +
    (r_t h_{t-1}) U_n), and there is no c.

    Shapes: x (n, T, F) -> h (n, T, H), or (n, H) without ``return_sequences``; kernel W (F, 3H),
    recurrent_kernel U (H, 3H), bias b (3H,), recurrent_bias c (3H,) with ``reset_after``; the gates stand in
    the order r, z, n.

    Parameters
    ----------
    units : int, at least 1
        H, the number of hidden units.
    reset_after : bool
        True applies the reset gate after the recurrent product, as PyTorch and Keras do; False before it, as
        ONNX does by default.
    use_bias : bool
        Without it the layer has no bias.
    return_sequences : bool
        True gives the state after every step.
    bidirectional : bool
        True adds a second half that runs over each row from its end to its start; the outputs are (2H,): the
        halves side by side, without ``return_sequences`` the last state of each.
    dropout, recurrent_dropout : float, at least 0 and below 1
        The share of the inputs, and of the states on their way into the recurrent kernel, that is set to 0 in
        training; one mask a sequence, the same at all its steps and for all gates (Gal and Ghahramani 2016).
    kernel_initializer, recurrent_initializer, bias_initializer : str
        A name of `elman.initializers.NAMES`, or one with a number such as "orthogonal:0.9" (see
        `elman.initializers.draw`); each gate's part of the recurrent kernel is drawn by itself.

    Raises
    ------
    TypeError, ValueError
        Naming the argument, what was expected and what came.

    References
    ----------
    K. Cho et al. (2014), Learning phrase representations using RNN encoder-decoder for statistical machine
    translation, EMNLP, 1724-1734, equations 5 to 8 (p. 1726), where 1 - z stands for our z.

    >>> GRU(3).reset_after
    True
    """

    units: int
    _: KW_ONLY
    reset_after: bool = True
    use_bias: bool = True
    return_sequences: bool = False
    bidirectional: bool = False
    dropout: float = 0.0
    recurrent_dropout: float = 0.0
    kernel_initializer: str = "glorot_uniform"
    recurrent_initializer: str = "orthogonal"
    bias_initializer: str = "zeros"

    def __post_init__(self) -> None:
        normalize(self, reset_after=flag("reset_after", self.reset_after))
        _normalize_recurrent(self)


@dataclass(frozen=True)
class LSTM:
    """Long short-term memory: an input gate i, a forget gate f, a candidate g and an output gate o.

    i_t, f_t, o_t = sigmoid(x_t W + h_{t-1} U + b); g_t = tanh(x_t W_g + h_{t-1} U_g + b_g);
    c_t = f_t c_{t-1} + i_t g_t; h_t = o_t tanh(c_t). The state is the pair (h, c).

    Shapes: x (n, T, F) -> h (n, T, H), or (n, H) without ``return_sequences``; kernel W (F, 4H),
    recurrent_kernel U (H, 4H), bias b (4H,); the gates stand in the order i, f, g, o.

    Parameters
    ----------
    units : int, at least 1
        H, the number of hidden units.
    unit_forget_bias : bool
        True starts with 1 added to the forget gate's bias.
    use_bias : bool
        Without it the layer has no bias.
    return_sequences : bool
        True gives the state after every step.
    bidirectional : bool
        True adds a second half that runs over each row from its end to its start; the outputs are (2H,): the
        halves side by side, without ``return_sequences`` the last state of each.
    dropout, recurrent_dropout : float, at least 0 and below 1
        The share of the inputs, and of the states on their way into the recurrent kernel, that is set to 0 in
        training; one mask a sequence, the same at all its steps and for all gates (Gal and Ghahramani 2016).
    kernel_initializer, recurrent_initializer, bias_initializer : str
        A name of `elman.initializers.NAMES`, or one with a number such as "orthogonal:0.9" (see
        `elman.initializers.draw`); each gate's part of the recurrent kernel is drawn by itself.

    Raises
    ------
    TypeError, ValueError
        Naming the argument, what was expected and what came.

    References
    ----------
    S. Hochreiter and J. Schmidhuber (1997), Long short-term memory, Neural Computation 9(8), 1735-1780, with
    the forget gate of F. A. Gers, J. Schmidhuber and F. Cummins (2000), Learning to forget: continual
    prediction with LSTM, Neural Computation 12(10), 2451-2471, section 3.

    >>> LSTM(3).unit_forget_bias
    True
    """

    units: int
    _: KW_ONLY
    unit_forget_bias: bool = True
    use_bias: bool = True
    return_sequences: bool = False
    bidirectional: bool = False
    dropout: float = 0.0
    recurrent_dropout: float = 0.0
    kernel_initializer: str = "glorot_uniform"
    recurrent_initializer: str = "orthogonal"
    bias_initializer: str = "zeros"

    def __post_init__(self) -> None:
        normalize(self, unit_forget_bias=flag("unit_forget_bias", self.unit_forget_bias))
        _normalize_recurrent(self)


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
        A name of `elman.initializers.NAMES`, or one with a number such as "orthogonal:0.9" (see
        `elman.initializers.draw`).

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
        normalize(
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


Recurrent = SimpleRNN | GRU | LSTM
Layer = Embedding | Recurrent | Dense | MeanPool | MaxPool
RECURRENT = (SimpleRNN, GRU, LSTM)
POOLS = (MeanPool, MaxPool)
KINDS: dict[str, type[Layer]] = {kind.__name__: kind for kind in (Embedding, *RECURRENT, Dense, *POOLS)}
GATES: dict[type[Layer], int] = {SimpleRNN: 1, GRU: 3, LSTM: 4}


def _normalize_recurrent(layer: Any) -> None:
    """What all recurrent layers have in common."""
    normalize(
        layer,
        units=integer("units", layer.units, 1, MOST_UNITS),
        use_bias=flag("use_bias", layer.use_bias),
        return_sequences=flag("return_sequences", layer.return_sequences),
        bidirectional=flag("bidirectional", layer.bidirectional),
        dropout=_share("dropout", layer.dropout),
        recurrent_dropout=_share("recurrent_dropout", layer.recurrent_dropout),
        kernel_initializer=_initializer("kernel_initializer", layer.kernel_initializer),
        recurrent_initializer=_initializer("recurrent_initializer", layer.recurrent_initializer),
        bias_initializer=_initializer("bias_initializer", layer.bias_initializer),
    )


def _share(name: str, value: Any) -> float:
    share = number(name, value)
    if share >= 1.0:
        raise ArgumentValueError(name, f"is {value!r}", "a number of at least 0 and below 1")
    return share


def output_width(layer: Layer, width: int) -> int:
    """Return how many outputs a layer over ``width`` inputs has.

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


def parameter_count(layer: Layer, width: int) -> int:
    """Return how many numbers a layer over ``width`` inputs trains.

    >>> parameter_count(SimpleRNN(3), 5), parameter_count(GRU(3), 5), parameter_count(MeanPool(), 5)
    (27, 90, 0)
    """
    if isinstance(layer, POOLS):
        return 0
    if isinstance(layer, Embedding):
        return layer.n * (layer.units or 0)
    if isinstance(layer, Dense):
        return layer.units * (width + int(layer.use_bias))
    biases = int(layer.use_bias) * (2 if isinstance(layer, GRU) and layer.reset_after else 1)
    halves = 2 if layer.bidirectional else 1
    return halves * GATES[type(layer)] * layer.units * (width + layer.units + biases)


def _initializer(name: str, value: Any) -> str:
    return initializers.check(name, value)


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
            raise ValueError(
                f"layers[{i}] ({name}) needs a time axis, but layers[{ended}] ({below}) {reason}"
            )
        if isinstance(layer, POOLS) or (isinstance(layer, RECURRENT) and not layer.return_sequences):
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
        raise ArgumentValueError("layer", f"is {values.get('layer')!r}", f"one of {', '.join(KINDS)}")
    return kind(**rest)
