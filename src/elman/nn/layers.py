"""Layers: frozen descriptions of what a network is made of. The engine computes what they describe.

Shapes: n sequences, T steps, F inputs of a layer, H hidden units, C outputs, E features of an embedding.
"""

from __future__ import annotations

from dataclasses import KW_ONLY, dataclass, fields
from typing import Any, ClassVar, NamedTuple

from elman._validation import choice, flag, integer, normalize, number
from elman.errors import ArgumentValueError
from elman.nn import activations
from elman.nn.initializers import check as check_initializer

MOST_UNITS = 2**20  # the engine's limit


class NativeLayer(NamedTuple):
    """One layer as the engine reads it: these values in this order. What a layer does not have is left out.

    ``kind`` and ``activation`` are the engine's codes (engine: spec.h).
    """

    kind: int
    units: int = 0
    activation: int = 0
    use_bias: bool = False
    return_sequences: bool = False
    leak: float = 1.0
    reset_after: bool = True
    bidirectional: bool = False
    dropout: float = 0.0
    recurrent_dropout: float = 0.0
    n: int = 0


@dataclass(frozen=True)
class Embedding:
    """A first layer for sequences of integers: x_t = embeddings[i_t], a row of numbers for each of n symbols.

    Without ``units`` the row is one-hot: n numbers of which the i_t-th is 1. Then the layer has no parameters
    and the row is never built: the layer above selects row i_t of its kernel, and the gradient of that kernel
    is added row by row.

    Shapes: X (n sequences, T) or (n, T, 1) of integers from 0 to n - 1, a list of (T_i,) or (T_i, 1), or
    `elman.Sequences` over (N,) or (N, 1) -> x (n, T, E); embeddings (n, E); E is ``units``, or n. Integers
    are checked and never become floats. ``dropout`` of the layer above drops one of the E features for all
    steps of a sequence; where the row is one-hot, it drops all occurrences of a symbol. ``l2`` does not apply
    to embeddings.

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
        If an argument has a wrong type or value. The error names it.

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
            embeddings_initializer=check_initializer("embeddings_initializer", self.embeddings_initializer),
        )

    def native(self) -> NativeLayer:
        return NativeLayer(11, units=self.units or 0, n=self.n)


_SHARED = "See `RecurrentLayer` for the parameters that all recurrent layers share."
_SHARED_PARAMETERS = """units : int, at least 1
        H, the number of hidden units.
    use_bias : bool
        False leaves the bias out.
    return_sequences : bool
        True returns the state after every step, False the last state.
    bidirectional : bool
        True adds a second half that reads each sequence from its end to its start. The outputs are (2H,), the
        two halves side by side; without ``return_sequences`` they are the last state of each half.
    dropout, recurrent_dropout : float, at least 0 and below 1
        The fraction of the inputs, and of the states before the recurrent kernel, that is set to 0 during
        training. Each sequence has one mask, the same at all its steps and for all gates (Gal and Ghahramani
        2016).
    kernel_initializer, recurrent_initializer, bias_initializer : str
        A name of `elman.initializers.NAMES`, or one with a number such as "orthogonal:0.9" (see
        `elman.initializers.draw`). The recurrent kernel is drawn gate by gate."""


@dataclass(frozen=True, repr=False)
class RecurrentLayer:
    """The parameters that all recurrent layers share, and their checks.

    The docstring of each recurrent layer describes them: a line there stands for ``_SHARED_PARAMETERS``.
    """

    code: ClassVar[int]  # the engine's kind
    gates: ClassVar[int]  # G: the kernels are (F, G H) and (H, G H)

    units: int
    _: KW_ONLY
    use_bias: bool = True
    return_sequences: bool = False
    bidirectional: bool = False
    dropout: float = 0.0
    recurrent_dropout: float = 0.0
    kernel_initializer: str = "glorot_uniform"
    recurrent_initializer: str = "orthogonal"
    bias_initializer: str = "zeros"

    def __init_subclass__(cls) -> None:
        if cls.__doc__:  # python -OO has none
            cls.__doc__ = cls.__doc__.replace(_SHARED, _SHARED_PARAMETERS)

    def __post_init__(self) -> None:
        normalize(
            self,
            units=integer("units", self.units, 1, MOST_UNITS),
            use_bias=flag("use_bias", self.use_bias),
            return_sequences=flag("return_sequences", self.return_sequences),
            bidirectional=flag("bidirectional", self.bidirectional),
            dropout=_fraction("dropout", self.dropout),
            recurrent_dropout=_fraction("recurrent_dropout", self.recurrent_dropout),
            kernel_initializer=check_initializer("kernel_initializer", self.kernel_initializer),
            recurrent_initializer=check_initializer("recurrent_initializer", self.recurrent_initializer),
            bias_initializer=check_initializer("bias_initializer", self.bias_initializer),
        )

    def native(self) -> NativeLayer:
        """Return the layer as the engine reads it."""
        return NativeLayer(
            self.code,
            units=self.units,
            use_bias=self.use_bias,
            return_sequences=self.return_sequences,
            bidirectional=self.bidirectional,
            dropout=self.dropout,
            recurrent_dropout=self.recurrent_dropout,
        )

    def __repr__(self) -> str:
        ordered = sorted(fields(self), key=lambda field: field.kw_only is True)  # as in the signature
        arguments = ", ".join(f"{field.name}={getattr(self, field.name)!r}" for field in ordered)
        return f"{type(self).__name__}({arguments})"


@dataclass(frozen=True, repr=False)
class SimpleRNN(RecurrentLayer):
    """Elman's recurrent layer: h_t = f(x_t kernel + h_{t-1} recurrent_kernel + bias).

    With ``leak`` below 1 the units are leaky: h_t = (1 - leak) h_{t-1} + leak f(...).

    Shapes: x (n, T, F) -> h (n, T, H), or (n, H), the last step, without ``return_sequences``; kernel (F, H),
    recurrent_kernel (H, H), bias (H,).

    Parameters
    ----------
    See `RecurrentLayer` for the parameters that all recurrent layers share.
    activation : {"tanh", "relu", "sigmoid", "identity"}
        f.
    leak : float, above 0 and at most 1
        The fraction of the state that is renewed at each step: the length of a step divided by the time
        constant of the units.

    Raises
    ------
    TypeError, ValueError
        If an argument has a wrong type or value. The error names it.

    References
    ----------
    J. L. Elman (1990), Finding structure in time, Cognitive Science 14(2), 179-211. Leaky units: H. Jaeger et
    al. (2007), Optimization and applications of echo state networks with leaky-integrator neurons, Neural
    Networks 20(3), 335-352, equation 2.

    >>> SimpleRNN(3).activation
    'tanh'
    """

    code: ClassVar[int] = 0
    gates: ClassVar[int] = 1

    activation: activations.RecurrentActivation = "tanh"
    _: KW_ONLY
    leak: float = 1.0

    def __post_init__(self) -> None:
        leak = number("leak", self.leak, positive=True)
        if leak > 1.0:
            raise ArgumentValueError("leak", f"is {self.leak!r}", "a number above 0 and at most 1")
        activation = choice("activation", self.activation, activations.RECURRENT_ACTIVATIONS)
        normalize(self, activation=activation, leak=leak)
        super().__post_init__()

    def native(self) -> NativeLayer:
        return super().native()._replace(activation=activations.CODES[self.activation], leak=self.leak)


@dataclass(frozen=True, repr=False)
class GRU(RecurrentLayer):
    """The gated recurrent unit: a reset gate r, an update gate z and a candidate n.

    r_t, z_t = sigmoid(x_t W + h_{t-1} U + b + c); n_t = tanh(x_t W_n + b_n + r_t (h_{t-1} U_n + c_n));
    h_t = (1 - z_t) n_t + z_t h_{t-1}. Without ``reset_after``, as first published, n_t = tanh(x_t W_n + b_n +
    (r_t h_{t-1}) U_n), and there is no c.

    Shapes: x (n, T, F) -> h (n, T, H), or (n, H) without ``return_sequences``; kernel W (F, 3H),
    recurrent_kernel U (H, 3H), bias b (3H,), recurrent_bias c (3H,) with ``reset_after``. The order of the
    gates is r, z, n.

    Parameters
    ----------
    See `RecurrentLayer` for the parameters that all recurrent layers share.
    reset_after : bool
        True applies the reset gate after the recurrent product, as PyTorch and Keras do; False before it, as
        ONNX does by default.

    Raises
    ------
    TypeError, ValueError
        If an argument has a wrong type or value. The error names it.

    References
    ----------
    K. Cho et al. (2014), Learning phrase representations using RNN encoder-decoder for statistical machine
    translation, EMNLP, 1724-1734, equations 5 to 8 (p. 1726), where 1 - z stands for our z.

    >>> GRU(3).reset_after
    True
    """

    code: ClassVar[int] = 1
    gates: ClassVar[int] = 3

    _: KW_ONLY
    reset_after: bool = True

    def __post_init__(self) -> None:
        normalize(self, reset_after=flag("reset_after", self.reset_after))
        super().__post_init__()

    def native(self) -> NativeLayer:
        return super().native()._replace(reset_after=self.reset_after)


@dataclass(frozen=True, repr=False)
class LSTM(RecurrentLayer):
    """Long short-term memory: an input gate i, a forget gate f, a candidate g and an output gate o.

    i_t, f_t, o_t = sigmoid(x_t W + h_{t-1} U + b); g_t = tanh(x_t W_g + h_{t-1} U_g + b_g);
    c_t = f_t c_{t-1} + i_t g_t; h_t = o_t tanh(c_t). The state is the pair (h, c).

    Shapes: x (n, T, F) -> h (n, T, H), or (n, H) without ``return_sequences``; kernel W (F, 4H),
    recurrent_kernel U (H, 4H), bias b (4H,). The order of the gates is i, f, g, o.

    Parameters
    ----------
    See `RecurrentLayer` for the parameters that all recurrent layers share.
    unit_forget_bias : bool
        True adds 1 to the initial bias of the forget gate.

    Raises
    ------
    TypeError, ValueError
        If an argument has a wrong type or value. The error names it.

    References
    ----------
    S. Hochreiter and J. Schmidhuber (1997), Long short-term memory, Neural Computation 9(8), 1735-1780, with
    the forget gate of F. A. Gers, J. Schmidhuber and F. Cummins (2000), Learning to forget: continual
    prediction with LSTM, Neural Computation 12(10), 2451-2471, section 3.

    >>> LSTM(3).unit_forget_bias
    True
    """

    code: ClassVar[int] = 2
    gates: ClassVar[int] = 4

    _: KW_ONLY
    unit_forget_bias: bool = True

    def __post_init__(self) -> None:
        normalize(self, unit_forget_bias=flag("unit_forget_bias", self.unit_forget_bias))
        super().__post_init__()


@dataclass(frozen=True)
class Dense:
    """A readout: y = f(x kernel + bias), at each step if its input has a time axis.

    Shapes: x (..., H) -> y (..., C); kernel (H, C), bias (C,).

    Parameters
    ----------
    units : int, at least 1
        C, the number of outputs.
    activation : {"identity", "softmax", "sigmoid", "tanh", "relu"}
        f; softmax runs over the C outputs.
    use_bias : bool
        False leaves the bias out.
    kernel_initializer, bias_initializer : str
        A name of `elman.initializers.NAMES`, or one with a number such as "orthogonal:0.9" (see
        `elman.initializers.draw`).

    Raises
    ------
    TypeError, ValueError
        If an argument has a wrong type or value. The error names it.

    >>> Dense(5, "softmax")
    Dense(units=5, activation='softmax', use_bias=True, kernel_initializer='glorot_uniform',
    bias_initializer='zeros')
    """

    units: int
    activation: activations.DenseActivation = "identity"
    _: KW_ONLY
    use_bias: bool = True
    kernel_initializer: str = "glorot_uniform"
    bias_initializer: str = "zeros"

    def __post_init__(self) -> None:
        normalize(
            self,
            units=integer("units", self.units, 1, MOST_UNITS),
            activation=choice("activation", self.activation, activations.DENSE_ACTIVATIONS),
            use_bias=flag("use_bias", self.use_bias),
            kernel_initializer=check_initializer("kernel_initializer", self.kernel_initializer),
            bias_initializer=check_initializer("bias_initializer", self.bias_initializer),
        )

    def native(self) -> NativeLayer:
        return NativeLayer(8, self.units, activations.CODES[self.activation], self.use_bias)


@dataclass(frozen=True)
class MeanPool:
    """The mean over the steps of each sequence: y = sum_t x_t / T.

    Shapes: x (n, T, H) -> y (n, H).

    >>> MeanPool()
    MeanPool()
    """

    def native(self) -> NativeLayer:
        return NativeLayer(9)


@dataclass(frozen=True)
class MaxPool:
    """The largest value over the steps of each sequence, unit by unit: y = max_t x_t.

    Shapes: x (n, T, H) -> y (n, H). Where steps are equal the gradient goes to the first of them.

    >>> MaxPool()
    MaxPool()
    """

    def native(self) -> NativeLayer:
        return NativeLayer(10)


Layer = Embedding | SimpleRNN | GRU | LSTM | Dense | MeanPool | MaxPool
RECURRENT = (SimpleRNN, GRU, LSTM)
POOLS = (MeanPool, MaxPool)


def _fraction(name: str, value: Any) -> float:
    fraction = number(name, value)
    if fraction >= 1.0:
        raise ArgumentValueError(name, f"is {value!r}", "a number of at least 0 and below 1")
    return fraction
