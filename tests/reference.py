"""The executable specification: what elman computes, in plain NumPy, float64, one row at a time.

The shape alphabet, here and everywhere: T steps, B rows of a batch, F input features, H hidden units, C
outputs, G gates of a cell. A row is one sequence, (T, F). Weights are a dict of named arrays ("0.kernel",
...). Layers and optimizers are elman's dataclasses or the ones below: only the name of the type and its
fields are read.

A cell is gates, states, one step forward and one step backward; time is written once (`through_time`,
`back_through_time`). Nothing is clever, batched or padded; gradients are derived by hand.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np

Array = np.ndarray
Weights = dict[str, Array]


# --------------------------------------------------------------------------------------------- descriptions


@dataclass(frozen=True)
class Embedding:
    n: int
    units: int | None = None


@dataclass(frozen=True)
class SimpleRNN:
    units: int
    activation: str = "tanh"
    use_bias: bool = True
    return_sequences: bool = False
    leak: float = 1.0
    bidirectional: bool = False
    dropout: float = 0.0
    recurrent_dropout: float = 0.0


@dataclass(frozen=True)
class GRU:
    units: int
    reset_after: bool = True
    use_bias: bool = True
    return_sequences: bool = False
    bidirectional: bool = False
    dropout: float = 0.0
    recurrent_dropout: float = 0.0


@dataclass(frozen=True)
class LSTM:
    units: int
    use_bias: bool = True
    return_sequences: bool = False
    bidirectional: bool = False
    dropout: float = 0.0
    recurrent_dropout: float = 0.0


@dataclass(frozen=True)
class Dense:
    units: int
    activation: str = "identity"
    use_bias: bool = True


@dataclass(frozen=True)
class MeanPool:
    pass


@dataclass(frozen=True)
class MaxPool:
    pass


@dataclass(frozen=True)
class SGD:
    learning_rate: Any = 0.01
    momentum: float = 0.0
    nesterov: bool = False


@dataclass(frozen=True)
class RMSprop:
    learning_rate: Any = 0.001
    rho: float = 0.9
    epsilon: float = 1e-8


@dataclass(frozen=True)
class Adam:
    learning_rate: Any = 0.001
    beta_1: float = 0.9
    beta_2: float = 0.999
    epsilon: float = 1e-8


@dataclass(frozen=True)
class AdamW:
    learning_rate: Any = 0.001
    beta_1: float = 0.9
    beta_2: float = 0.999
    epsilon: float = 1e-8
    weight_decay: float = 0.01


def kind(description: object) -> str:
    return type(description).__name__


# ---------------------------------------------------------------------------------------------- activations


def sigmoid(z: Array) -> Array:
    e = np.exp(-np.abs(z))
    return np.where(z >= 0, 1.0, e) / (1.0 + e)


def softmax(z: Array) -> Array:
    e = np.exp(z - z.max(axis=-1, keepdims=True))
    return e / e.sum(axis=-1, keepdims=True)


FUNCTIONS: dict[str, Callable[[Array], Array]] = {
    "tanh": np.tanh,
    "relu": lambda z: np.maximum(z, 0.0),
    "sigmoid": sigmoid,
    "identity": lambda z: z,
    "softmax": softmax,
}

# The derivative by z, written by means of the value y = f(z).
DERIVATIVES: dict[str, Callable[[Array], Array]] = {
    "tanh": lambda y: 1.0 - y * y,
    "relu": lambda y: (y > 0.0).astype(np.float64),
    "sigmoid": lambda y: y * (1.0 - y),
    "identity": np.ones_like,
}


def activation_backward(activation: str, y: Array, dy: Array) -> Array:
    """dz of y = f(z)."""
    if activation == "softmax":
        return y * (dy - (dy * y).sum(axis=-1, keepdims=True))
    return dy * DERIVATIVES[activation](y)


# ---------------------------------------------------------------------------------------------------- cells


class Cell(NamedTuple):
    """Four facts. xw = x kernel + bias (G*H,); states (H,), h first; U recurrent_kernel (H, G*H), c
    recurrent_bias (G*H,) or 0; mask (H,) or 1 is what h is multiplied by on its way into U."""

    gates: int
    states: int
    forward: Callable[..., Any]  # (layer, U, c, mask, xw, states) -> (states after, cache)
    backward: Callable[..., Any]  # (layer, U, mask, cache, d_states) -> Step


class Step(NamedTuple):
    """One step backward: the cotangents of xw, U, c and the states before."""

    d_xw: Array
    d_U: Array
    d_c: Array
    d_states: tuple[Array, ...]


def simple_forward(layer: Any, U: Array, c: Any, mask: Any, xw: Array, states: tuple[Array, ...]) -> Any:
    (h,) = states
    y = FUNCTIONS[layer.activation](xw + (h * mask) @ U)
    return ((1.0 - layer.leak) * h + layer.leak * y,), (h, y)


def simple_backward(layer: Any, U: Array, mask: Any, cache: Any, d_states: tuple[Array, ...]) -> Step:
    h, y = cache
    dz = layer.leak * d_states[0] * DERIVATIVES[layer.activation](y)
    return Step(dz, np.outer(h * mask, dz), dz, ((1.0 - layer.leak) * d_states[0] + mask * (dz @ U.T),))


def gru_forward(layer: Any, U: Array, c: Any, mask: Any, xw: Array, states: tuple[Array, ...]) -> Any:
    (h,) = states
    U_r, U_z, U_n = np.split(U, 3, axis=1)
    c_r, c_z, c_n = np.split(c + np.zeros(3 * len(h)), 3)
    x_r, x_z, x_n = np.split(xw, 3)
    m = h * mask
    r, z = sigmoid(x_r + m @ U_r + c_r), sigmoid(x_z + m @ U_z + c_z)
    hu = m @ U_n + c_n
    n = np.tanh(x_n + (r * hu if layer.reset_after else (r * m) @ U_n))
    return ((1.0 - z) * n + z * h,), (h, r, z, n, hu)


def gru_backward(layer: Any, U: Array, mask: Any, cache: Any, d_states: tuple[Array, ...]) -> Step:
    h, r, z, n, hu = cache
    U_r, U_z, U_n = np.split(U, 3, axis=1)
    dh, m = d_states[0], h * mask
    dn = dh * (1.0 - z) * (1.0 - n * n)  # of the sum inside the tanh
    dz = dh * (h - n) * z * (1.0 - z)
    if layer.reset_after:
        dr, d_hu = dn * hu * r * (1.0 - r), dn * r
        d_U_n, d_m = np.outer(m, d_hu), d_hu @ U_n.T
    else:
        d_rm, d_hu = dn @ U_n.T, dn
        dr = d_rm * m * r * (1.0 - r)
        d_U_n, d_m = np.outer(r * m, dn), d_rm * r
    before = dh * z + mask * (d_m + dr @ U_r.T + dz @ U_z.T)
    d_U = np.concatenate([np.outer(m, dr), np.outer(m, dz), d_U_n], axis=1)
    return Step(np.concatenate([dr, dz, dn]), d_U, np.concatenate([dr, dz, d_hu]), (before,))


def lstm_forward(layer: Any, U: Array, c: Any, mask: Any, xw: Array, states: tuple[Array, ...]) -> Any:
    h, memory = states
    i, f, g, o = np.split(xw + (h * mask) @ U, 4)
    i, f, g, o = sigmoid(i), sigmoid(f), np.tanh(g), sigmoid(o)
    after = f * memory + i * g
    return (o * np.tanh(after), after), (h, memory, after, i, f, g, o)


def lstm_backward(layer: Any, U: Array, mask: Any, cache: Any, d_states: tuple[Array, ...]) -> Step:
    h, memory, after, i, f, g, o = cache
    dh, d_after = d_states
    y = np.tanh(after)
    d_after = d_after + dh * o * (1.0 - y * y)
    d_gates = [
        d_after * g * i * (1.0 - i),
        d_after * memory * f * (1.0 - f),
        d_after * i * (1.0 - g * g),
        dh * y * o * (1.0 - o),
    ]
    dz = np.concatenate(d_gates)
    return Step(dz, np.outer(h * mask, dz), dz, (mask * (dz @ U.T), d_after * f))


CELLS = {
    "SimpleRNN": Cell(1, 1, simple_forward, simple_backward),
    "GRU": Cell(3, 1, gru_forward, gru_backward),
    "LSTM": Cell(4, 2, lstm_forward, lstm_backward),
}


class Run(NamedTuple):
    """One row through one half of a recurrent layer: T+1 states (slot 0 is the start) and T caches."""

    states: list[tuple[Array, ...]]
    caches: list[Any]

    def hidden(self) -> Array:
        return np.array([states[0] for states in self.states[1:]])


class Masks(NamedTuple):
    """Of one half of a layer, for a whole row: (F,) and (H,), or 1."""

    inputs: Any = 1.0
    states: Any = 1.0


def through_time(layer: Any, weights: Weights, x: Array, start: tuple[Array, ...], masks: Masks) -> Run:
    """The cell, step after step; x (T, F)."""
    cell = CELLS[kind(layer)]
    U, c = weights["recurrent_kernel"], weights.get("recurrent_bias", 0.0)
    xw = (x * masks.inputs) @ weights["kernel"] + weights.get("bias", 0.0)
    run = Run([start], [])
    for t in range(len(x)):
        after, cache = cell.forward(layer, U, c, masks.states, xw[t], run.states[t])
        run.states.append(after)
        run.caches.append(cache)
    return run


def back_through_time(
    layer: Any, weights: Weights, x: Array, run: Run, dh: Array, masks: Masks
) -> tuple[Weights, Array, tuple[Array, ...]]:
    """Gradients of the weights, of x and of the start; dh (T, H) is what comes from above at each step."""
    cell = CELLS[kind(layer)]
    d_xw = np.zeros((len(x), cell.gates * layer.units))
    d_U, d_c = np.zeros_like(weights["recurrent_kernel"]), np.zeros(cell.gates * layer.units)
    d_states: tuple[Array, ...] = tuple(np.zeros(layer.units) for _ in range(cell.states))
    for t in reversed(range(len(x))):
        d_states = (d_states[0] + dh[t], *d_states[1:])
        step = cell.backward(layer, weights["recurrent_kernel"], masks.states, run.caches[t], d_states)
        d_xw[t], d_states = step.d_xw, step.d_states
        d_U, d_c = d_U + step.d_U, d_c + step.d_c
    gradient = {"kernel": (x * masks.inputs).T @ d_xw, "recurrent_kernel": d_U}
    if "bias" in weights:
        gradient["bias"] = d_xw.sum(axis=0)
    if "recurrent_bias" in weights:
        gradient["recurrent_bias"] = d_c
    return gradient, (d_xw @ weights["kernel"].T) * masks.inputs, d_states


# -------------------------------------------------------------------------------------------------- dropout


WORD = (1 << 64) - 1


def mixed(z: int) -> int:
    """SplitMix64's function of a counter."""
    z = ((z ^ (z >> 30)) * 0xBF58476D1CE4E5B9) & WORD
    z = ((z ^ (z >> 27)) * 0x94D049BB133111EB) & WORD
    return z ^ (z >> 31)


def mask(key: int, epoch: int, row: int, stream: int, p: float, n: int) -> Any:
    """0 with probability p, otherwise 1 / (1 - p)."""
    if p == 0.0:
        return 1.0
    state = mixed((mixed((key + 0x9E3779B97F4A7C15) & WORD) + epoch * 0xD1342543DE82EF95 + 1) & WORD)
    state = mixed((state + row * 0x2545F4914F6CDD1D + 1) & WORD)
    state = mixed((state + stream * 0x9E6C63D0876A9A99 + 1) & WORD)
    drawn = []
    for _ in range(n):
        state = (state + 0x9E3779B97F4A7C15) & WORD
        drawn.append(0.0 if (mixed(state) >> 11) * 2.0**-53 < p else 1.0 / (1.0 - p))
    return np.array(drawn)


def masks_of(layers: list[Any], F: int, key: int, epoch: int, row: int) -> list[list[Masks]]:
    """One entry a recurrent layer, one a half: one mask for all steps of the row."""
    made: list[list[Masks]] = []
    for layer in layers:
        if is_recurrent(layer):
            halves = []
            for half in range(directions(layer)):
                stream = 4 * len(made) + 2 * half
                inputs = mask(key, epoch, row, stream, layer.dropout, F)
                halves.append(
                    Masks(inputs, mask(key, epoch, row, stream + 1, layer.recurrent_dropout, layer.units))
                )
            made.append(halves)
        F = width_of(layer, F)
    return made


# -------------------------------------------------------------------------------------------------- network


def layer_weights(weights: Weights, index: int) -> Weights:
    prefix = f"{index}."
    return {name.removeprefix(prefix): w for name, w in weights.items() if name.startswith(prefix)}


def is_recurrent(layer: Any) -> bool:
    return kind(layer) in CELLS


def directions(layer: Any) -> int:
    return 2 if layer.bidirectional else 1


def width_of(layer: Any, F: int) -> int:
    """The outputs of a layer over F inputs."""
    if kind(layer) == "Embedding":
        return layer.units or layer.n
    if kind(layer) in ("MeanPool", "MaxPool"):
        return F
    return layer.units * (directions(layer) if is_recurrent(layer) else 1)


def zero_state(layers: list[Any]) -> list[tuple[Array, ...]]:
    """One entry a recurrent layer; both halves of a bidirectional one side by side."""
    return [
        tuple(np.zeros(directions(each) * each.units) for _ in range(CELLS[kind(each)].states))
        for each in layers
        if is_recurrent(each)
    ]


class Trace(NamedTuple):
    """One row through one layer."""

    x: Array  # (T, F) or (F,)
    z: Array | None  # before the activation (Dense)
    y: Array  # (T, H) or (H,)
    runs: list[Run]  # one a half, the second over the reversed row
    masks: list[Masks]

    def hidden(self) -> Array:
        """(T, H), or (T, 2H): both halves at the row's own steps."""
        halves = [run.hidden() for run in self.runs]
        return np.concatenate([halves[0], *(half[::-1] for half in halves[1:])], axis=1)


def half_weights(weights: Weights, half: int) -> Weights:
    prefix = "reverse."
    if half:
        return {name.removeprefix(prefix): w for name, w in weights.items() if name.startswith(prefix)}
    return {name: w for name, w in weights.items() if not name.startswith(prefix)}


def forward_layer(layer: Any, weights: Weights, x: Array, start: Any, masks: Any) -> Trace:
    if is_recurrent(layer):
        masks = masks or [Masks()] * directions(layer)
        runs = []
        for half in range(directions(layer)):
            begin = tuple(np.split(state, directions(layer))[half] for state in start)
            steps = x[::-1] if half else x
            runs.append(through_time(layer, half_weights(weights, half), steps, begin, masks[half]))
        trace = Trace(x, None, x, runs, masks)
        last = np.concatenate([run.states[-1][0] for run in runs])  # the reversed half ends at the first step
        return trace._replace(y=trace.hidden() if layer.return_sequences else last)
    if kind(layer) == "Embedding":
        one_hot = np.eye(layer.n)[x.astype(int).ravel()]
        return Trace(one_hot, None, one_hot @ weights["embeddings"] if layer.units else one_hot, [], [])
    if kind(layer) == "Dense":
        z = x @ weights["kernel"] + weights.get("bias", 0.0)
        return Trace(x, z, FUNCTIONS[layer.activation](z), [], [])
    pooled = x.mean(axis=0) if kind(layer) == "MeanPool" else x.max(axis=0)
    return Trace(x, None, pooled, [], [])


def backward_recurrent(layer: Any, weights: Weights, trace: Trace, dy: Array) -> Any:
    """Gradients of the weights, of x and of the start."""
    gradient: Weights = {}
    dx, d_starts = np.zeros_like(trace.x), []
    for half, run in enumerate(trace.runs):
        own = np.split(dy, len(trace.runs), axis=-1)[half]
        if layer.return_sequences:
            dh = own[::-1] if half else own
        else:
            dh = np.zeros((len(trace.x), layer.units))
            dh[-1] = own
        steps = trace.x[::-1] if half else trace.x
        found, d_steps, d_start = back_through_time(
            layer, half_weights(weights, half), steps, run, dh, trace.masks[half]
        )
        gradient |= {("reverse." if half else "") + name: g for name, g in found.items()}
        dx = dx + (d_steps[::-1] if half else d_steps)
        d_starts.append(d_start)
    return gradient, dx, tuple(np.concatenate(states) for states in zip(*d_starts, strict=True))


def backward_layer(
    layer: Any, weights: Weights, trace: Trace, dy: Array, at_z: bool
) -> tuple[Weights, Array]:
    """Gradients of the weights and of x. `at_z`: dy is by z, not by y (losses computed from logits)."""
    if kind(layer) == "Dense":
        dz = dy if at_z else activation_backward(layer.activation, trace.y, dy)
        steps_x, steps_dz = np.atleast_2d(trace.x), np.atleast_2d(dz)
        gradient = {"kernel": steps_x.T @ steps_dz}
        if "bias" in weights:
            gradient["bias"] = steps_dz.sum(axis=0)
        return gradient, dz @ weights["kernel"].T
    if kind(layer) == "Embedding":  # integers have no gradient
        return {"embeddings": trace.x.T @ dy} if layer.units else {}, np.zeros(len(dy))
    if kind(layer) == "MeanPool":
        return {}, np.repeat(dy[None] / len(trace.x), len(trace.x), axis=0)
    dx = np.zeros_like(trace.x)
    dx[trace.x.argmax(axis=0), np.arange(len(dy))] = dy  # MaxPool: the first of equals
    return {}, dx


def forward(
    layers: list[Any], weights: Weights, x: Array, start: Any = None, masks: Any = None
) -> list[Trace]:
    """One row (T, F), below an Embedding integers (T,), through every layer; `start` as in `zero_state`,
    `masks` as in `masks_of`."""
    starts = iter(zero_state(layers) if start is None else start)
    given = iter(masks or [])
    traces: list[Trace] = []
    for index, layer in enumerate(layers):
        begin, own = (next(starts), next(given, None)) if is_recurrent(layer) else (None, None)
        traces.append(forward_layer(layer, layer_weights(weights, index), x, begin, own))
        x = traces[-1].y
    return traces


class Gradients(NamedTuple):
    weights: Weights
    inputs: Array  # (T, F)
    starts: list[tuple[Array, ...]]  # as in `zero_state`


def backward(
    layers: list[Any], weights: Weights, traces: list[Trace], dy: Array, at_z: bool = False
) -> Gradients:
    """Gradients of every weight, of the input and of the start, for a cotangent dy of the output."""
    gradient: Weights = {}
    starts: list[tuple[Array, ...]] = []
    for index in reversed(range(len(layers))):
        layer, own = layers[index], layer_weights(weights, index)
        if is_recurrent(layer):
            found, dy, d_start = backward_recurrent(layer, own, traces[index], dy)
            starts.insert(0, d_start)
        else:
            found, dy = backward_layer(layer, own, traces[index], dy, at_z)
        gradient |= {f"{index}.{name}": g for name, g in found.items()}
        at_z = False
    return Gradients({name: gradient[name] for name in weights}, dy, starts)


def output(layers: list[Any], weights: Weights, x: Array, start: Any = None, masks: Any = None) -> Array:
    return forward(layers, weights, np.asarray(x, float), start, masks)[-1].y


def hidden_states(
    layers: list[Any], weights: Weights, x: Array, start: Any = None, masks: Any = None
) -> list[Array]:
    """Of each recurrent layer, every step (T, H)."""
    traces = forward(layers, weights, np.asarray(x, float), start, masks)
    return [trace.hidden() for trace in traces if trace.runs]


def final_state(traces: list[Trace]) -> list[tuple[Array, ...]]:
    """Of the rows that go on: of layers with one half."""
    return [trace.runs[0].states[-1] for trace in traces if trace.runs]


# --------------------------------------------------------------------------------------------------- losses


def answers_of(y: Any, outputs: Array, loss: str) -> Array:
    """A row's answers as (A, C), A = 1 or T, a missing one being NaN. Indices become rows of an identity."""
    steps, C = np.atleast_2d(outputs).shape
    y = np.asarray(y)
    if loss == "cross_entropy" and np.issubdtype(y.dtype, np.integer):
        indices = np.atleast_1d(y)
        return np.where((indices < 0)[:, None], np.nan, np.eye(C)[indices])
    return y.astype(np.float64).reshape(steps, C)


def losses_of(loss: str, trace: Trace, answers: Array) -> tuple[Array, Array, bool]:
    """Each answer's loss (A,), its cotangent (A, C), and whether that is by z."""
    y = np.where(np.isnan(answers), 0.0, answers)
    known = ~np.isnan(answers)
    p = np.atleast_2d(trace.y)
    if loss == "squared_error":
        difference = np.where(known, p - y, 0.0)
        return 0.5 * (difference**2).sum(axis=1), difference, False
    assert trace.z is not None
    z = np.atleast_2d(trace.z)
    if loss == "binary_cross_entropy":
        each = np.logaddexp(0.0, z) - y * z
        return np.where(known, each, 0.0).sum(axis=1), np.where(known, p - y, 0.0), True
    assert loss == "cross_entropy"
    top = z.max(axis=1, keepdims=True)
    log_p = z - top - np.log(np.exp(z - top).sum(axis=1, keepdims=True))
    return -(y * log_p).sum(axis=1), p * y.sum(axis=1, keepdims=True) - y, True


class Sums(NamedTuple):
    """What a report is made of."""

    loss: float = 0.0
    weight: float = 0.0
    metric: float = 0.0  # accuracy, or mean_squared_error
    absolute: float = 0.0  # mean_absolute_error
    metric_weight: float = 0.0

    def plus(self, other: Sums) -> Sums:
        return Sums(*(a + b for a, b in zip(self, other, strict=True)))


def metrics_of(loss: str, p: Array, answers: Array, weight: Array) -> tuple[float, float, float]:
    """Sums of metric, absolute error and weight, over answers (argmax) or over elements; weight (A,)."""
    known = ~np.isnan(answers)
    if loss == "cross_entropy":
        known = known.all(axis=1)
        right = p[known].argmax(axis=1) == answers[known].argmax(axis=1)
        return float((weight[known] * right).sum()), 0.0, float(weight[known].sum())
    each = np.broadcast_to(weight[:, None], answers.shape)[known]
    if loss == "binary_cross_entropy":
        right = (p[known] > 0.5) == (
            answers[known] > 0.5
        )  # exactly 0.5 is a no, as in Keras and scikit-learn
        return float((each * right).sum()), 0.0, float(each.sum())
    difference = p[known] - answers[known]
    return float((each * difference**2).sum()), float((each * np.abs(difference)).sum()), float(each.sum())


def report(sums: Sums, loss: str) -> dict[str, float]:
    """The mean an answer, and the metrics."""
    mean = sums.loss / sums.weight
    if loss == "squared_error":
        squared, absolute = sums.metric / sums.metric_weight, sums.absolute / sums.metric_weight
        return {"loss": mean, "mean_squared_error": squared, "mean_absolute_error": absolute}
    return {"loss": mean, "accuracy": sums.metric / sums.metric_weight}


# ---------------------------------------------------------------------------------------- loss and gradient


class Minibatch(NamedTuple):
    loss: float  # the update's: reduced, with l2
    gradient: Weights
    sums: Sums
    states: list[list[tuple[Array, ...]]]  # each row's last
    answered: bool


def is_kernel(name: str) -> bool:
    return name.endswith("kernel")


def l2_loss(weights: Weights, l2: float) -> float:
    return 0.5 * l2 * sum(float((w**2).sum()) for name, w in weights.items() if is_kernel(name))


def minibatch(
    layers: list[Any],
    weights: Weights,
    X: list[Array],
    Y: list[Any],
    loss: str,
    *,
    sample_weight: Any = None,
    reduction: str = "mean",
    l2: float = 0.0,
    starts: list[Any] | None = None,
    masks: list[Any] | None = None,
) -> Minibatch:
    """Loss and gradient of rows X (T_i, F) with answers Y; an answer of None: the row has none here.

    A row's sample_weight is a number, or (T_i,) with one number a step; an answer of weight 0 is none.
    """
    total = {name: np.zeros_like(w) for name, w in weights.items()}
    sums, states = Sums(), []
    for row, x in enumerate(X):
        start, own_masks = starts[row] if starts else None, masks[row] if masks else None
        traces = forward(layers, weights, np.asarray(x, float), start, own_masks)
        states.append(final_state(traces))
        if Y[row] is None:
            continue
        answers = answers_of(Y[row], traces[-1].y, loss)
        weight = np.ones(len(answers)) * (1.0 if sample_weight is None else np.asarray(sample_weight[row]))
        answers = np.where(weight[:, None] == 0.0, np.nan, answers)
        values, d, at_z = losses_of(loss, traces[-1], answers)
        count = float((weight * (~np.isnan(answers)).any(axis=1)).sum())
        metrics = metrics_of(loss, np.atleast_2d(traces[-1].y), answers, weight)
        sums = sums.plus(Sums(float((weight * values).sum()), count, *metrics))
        d = (weight[:, None] * d).reshape(traces[-1].y.shape)
        gradient = backward(layers, weights, traces, d, at_z).weights
        total = {name: total[name] + gradient[name] for name in weights}
    if sums.weight == 0.0:
        return Minibatch(0.0, total, sums, states, False)
    scale = 1.0 / sums.weight if reduction == "mean" else 1.0
    gradient = {
        name: scale * total[name] + (l2 * w if is_kernel(name) else 0.0) for name, w in weights.items()
    }
    return Minibatch(scale * sums.loss + l2_loss(weights, l2), gradient, sums, states, True)


def evaluate(
    layers: list[Any], weights: Weights, X: list[Array], Y: list[Any], loss: str, **options: Any
) -> dict[str, float]:
    return report(minibatch(layers, weights, X, Y, loss, **options).sums, loss)


# ----------------------------------------------------------------------------------------------- optimizers


def clip(gradient: Weights, clip_norm: float | None) -> Weights:
    norm = np.sqrt(sum(float((g**2).sum()) for g in gradient.values()))
    if clip_norm is None or norm <= clip_norm:
        return gradient
    return {name: g * (clip_norm / norm) for name, g in gradient.items()}


class Stepper:
    """An optimizer at work: PyTorch's formulas, epsilon outside the root. Frozen names are left out."""

    def __init__(self, optimizer: Any, frozen: tuple[str, ...] = (), clip_norm: float | None = None) -> None:
        self.optimizer, self.frozen, self.clip_norm = optimizer, frozen, clip_norm
        self.count = 0
        self.first: Weights = {}
        self.second: Weights = {}

    def rate(self) -> float:
        rate = self.optimizer.learning_rate
        return float(rate(self.count)) if callable(rate) else float(rate)

    def step(self, weights: Weights, gradient: Weights) -> Weights:
        rate = self.rate()
        self.count += 1
        moving = clip({name: g for name, g in gradient.items() if name not in self.frozen}, self.clip_norm)
        return weights | {name: self.moved(name, weights[name], g, rate) for name, g in moving.items()}

    def average(self, moments: Weights, name: str, decay: float, share: float, value: Array) -> Array:
        moments[name] = decay * moments.get(name, np.zeros_like(value)) + share * value
        return moments[name]

    def moved(self, name: str, w: Array, g: Array, rate: float) -> Array:
        o = self.optimizer
        if kind(o) == "SGD":
            if not o.momentum:
                return w - rate * g
            velocity = self.average(self.first, name, o.momentum, 1.0, g)
            return w - rate * (g + o.momentum * velocity if o.nesterov else velocity)
        if kind(o) == "RMSprop":
            return w - rate * g / (
                np.sqrt(self.average(self.second, name, o.rho, 1.0 - o.rho, g * g)) + o.epsilon
            )
        if kind(o) == "AdamW":
            w = w * (1.0 - rate * o.weight_decay)
        m = self.average(self.first, name, o.beta_1, 1.0 - o.beta_1, g) / (1.0 - o.beta_1**self.count)
        v = self.average(self.second, name, o.beta_2, 1.0 - o.beta_2, g * g) / (1.0 - o.beta_2**self.count)
        return w - rate * m / (np.sqrt(v) + o.epsilon)


# ------------------------------------------------------------------------------------------------- training


def has_time_axis(layers: list[Any]) -> bool:
    """Has the network's output a time axis?"""
    time = True
    for layer in layers:
        keeps = kind(layer) in ("Dense", "Embedding")
        time = layer.return_sequences if is_recurrent(layer) else time and keeps
    return time


def chunks(
    layers: list[Any], X: list[Array], Y: list[Any], truncation: int | None
) -> list[tuple[list[int], list[Array], list[Any]]]:
    """A minibatch cut in time: (rows still running, their next k steps, their answers) of each chunk."""
    if truncation is None:
        return [(list(range(len(X))), X, Y)]
    per_step, longest = has_time_axis(layers), max(len(x) for x in X)
    cut = []
    for begin in range(0, longest, truncation):
        end = begin + truncation
        rows = [row for row in range(len(X)) if len(X[row]) > begin]
        steps = [X[row][begin:end] for row in rows]
        answers = [
            Y[row][begin:end] if per_step else (Y[row] if len(X[row]) <= end else None) for row in rows
        ]
        cut.append((rows, steps, answers))
    return cut


class Trainer:
    """The training loop: each minibatch (each chunk of it, when truncated) is an update."""

    def __init__(self, layers: list[Any], weights: Weights, optimizer: Any, **options: Any) -> None:
        self.layers = list(layers)
        self.weights = {name: np.array(w, float) for name, w in weights.items()}
        self.loss = options.pop("loss")
        self.truncation = options.pop("truncation", None)
        self.stateful = options.pop("stateful", False)
        self.sample_weight = options.pop("sample_weight", None)
        self.reduction, self.l2 = options.pop("reduction", "mean"), options.pop("l2", 0.0)
        self.stepper = Stepper(optimizer, options.pop("frozen", ()), options.pop("clip_norm", None))
        assert not options, options
        self.carried: list[Any] | None = None
        self.update_losses: list[float] = []

    def starts(self, n: int) -> list[Any]:
        return self.carried if self.stateful and self.carried else [zero_state(self.layers) for _ in range(n)]

    def epoch(
        self, X: list[Array], Y: list[Any], batch_size: int, order: list[int] | None = None
    ) -> dict[str, float]:
        states, sums = list(self.starts(len(X))), Sums()
        rows = list(range(len(X))) if order is None else order
        for begin in range(0, len(rows), batch_size):
            sums = sums.plus(self.train_rows(rows[begin : begin + batch_size], X, Y, states))
        self.carried = states
        return report(sums, self.loss)

    def train_rows(self, rows: list[int], X: list[Array], Y: list[Any], states: list[Any]) -> Sums:
        sums, w = Sums(), self.sample_weight
        given = [X[r] for r in rows]
        cut = chunks(self.layers, given, [Y[r] for r in rows], self.truncation)
        cut_weights = [None] * len(cut)
        if isinstance(w, list):  # one weight a step
            cut_weights = [c[2] for c in chunks(self.layers, given, [w[r] for r in rows], self.truncation)]
        for (members, steps, answers), weight in zip(cut, cut_weights, strict=True):
            active = [rows[member] for member in members]
            if w is not None and weight is None:
                weight = w[active]
            done = minibatch(
                self.layers,
                self.weights,
                steps,
                answers,
                self.loss,
                sample_weight=weight,
                reduction=self.reduction,
                l2=self.l2,
                starts=[states[r] for r in active],
            )
            for row, state in zip(active, done.states, strict=True):
                states[row] = state
            if done.answered:
                self.weights = self.stepper.step(self.weights, done.gradient)
                self.update_losses.append(done.loss)
            sums = sums.plus(done.sums)
        return sums

    def fit(self, X: list[Array], Y: list[Any], epochs: int, batch_size: int = 32) -> list[dict[str, float]]:
        return [self.epoch(X, Y, batch_size) for _ in range(epochs)]

    def evaluate(self, X: list[Array], Y: list[Any]) -> dict[str, float]:
        """With the carried state, which it reads and writes, when stateful."""
        starts = self.starts(len(X))
        done = minibatch(self.layers, self.weights, X, Y, self.loss, starts=starts)
        self.carried = done.states
        return report(done.sums, self.loss)


# -------------------------------------------------------------------------------------------------- weights


def shapes(layers: list[Any], F: int) -> dict[str, tuple[int, ...]]:
    """Every named weight and its shape, in order."""
    table: dict[str, tuple[int, ...]] = {}
    for index, layer in enumerate(layers):
        if kind(layer) in ("MeanPool", "MaxPool"):
            continue
        if kind(layer) == "Embedding":
            if layer.units:
                table[f"{index}.embeddings"] = (layer.n, layer.units)
            F = width_of(layer, F)
            continue
        width = layer.units * (CELLS[kind(layer)].gates if is_recurrent(layer) else 1)
        for half in ("", "reverse.")[: directions(layer) if is_recurrent(layer) else 1]:
            table[f"{index}.{half}kernel"] = (F, width)
            if is_recurrent(layer):
                table[f"{index}.{half}recurrent_kernel"] = (layer.units, width)
            if layer.use_bias:
                table[f"{index}.{half}bias"] = (width,)
            if layer.use_bias and kind(layer) == "GRU" and layer.reset_after:
                table[f"{index}.{half}recurrent_bias"] = (width,)
        F = width_of(layer, F)
    return table


def random_weights(layers: list[Any], F: int, generator: np.random.Generator) -> Weights:
    """Weights that make every term count: biases too, and a recurrence that neither dies nor explodes."""
    return {
        name: generator.normal(size=shape) * (0.3 if len(shape) == 1 else 0.9 / np.sqrt(shape[0]))
        for name, shape in shapes(layers, F).items()
    }


# --------------------------------------------------------------------------------------------- second order


def jacobian(layers: list[Any], weights: Weights, X: list[Array]) -> Array:
    """The derivatives of every output by every weight, (answers, C, P): one walk back an output."""
    rows = []
    for x in X:
        traces = forward(layers, weights, np.asarray(x, float))
        y = traces[-1].y
        for i in np.ndindex(y.shape):
            d = np.zeros_like(y)
            d[i] = 1.0
            gradient = backward(layers, weights, traces, d).weights
            rows.append(np.concatenate([g.ravel() for g in gradient.values()]))
    return np.array(rows).reshape(-1, y.shape[-1], sum(w.size for w in weights.values()))


def loss_curvature(loss: str, p: Array, answers: Array) -> Array:
    """The second derivative of one answer's loss by what it is computed from, (C, C); p (C,) the outputs."""
    known = ~np.isnan(answers)
    if loss == "squared_error":
        return np.diag(known.astype(float))
    if loss == "binary_cross_entropy":
        return np.diag(known * p * (1.0 - p))
    return np.nansum(answers) * (np.diag(p) - np.outer(p, p))


def gauss_newton(
    layers: list[Any], weights: Weights, X: list[Array], Y: list[Any], loss: str, sample_weight: Any
) -> tuple[Array, Weights]:
    """The matrix (P, P), sum of J' W J over the answers, and the gradient of the sum of their losses."""
    P = sum(w.size for w in weights.values())
    G = np.zeros((P, P))
    fused = loss != "squared_error"  # their losses are computed from the sums before the last activation
    for x, y, weight in zip(X, Y, sample_weight, strict=True):
        traces = forward(layers, weights, np.asarray(x, float))
        outputs = np.atleast_2d(traces[-1].y)
        answers = answers_of(y, outputs, loss)
        for a in range(len(outputs)):
            J = np.zeros((outputs.shape[1], P))
            for c in range(outputs.shape[1]):
                d = np.zeros_like(outputs)
                d[a, c] = 1.0
                gradient = backward(layers, weights, traces, d.reshape(traces[-1].y.shape), fused).weights
                J[c] = np.concatenate([g.ravel() for g in gradient.values()])
            own = np.broadcast_to(weight, len(outputs))[a]
            G += own * J.T @ loss_curvature(loss, outputs[a], answers[a]) @ J
    done = minibatch(layers, weights, X, Y, loss, sample_weight=sample_weight, reduction="sum")
    return G, done.gradient


def wendling(A, B, G, p, step):
    """The ten equations of Wendling et al. (2002) for one column, from rest, by Heun's method; p (N,)."""
    a, b, g, e0, v0, r, C = 100.0, 50.0, 500.0, 2.5, 6.0, 0.56, 135.0

    def S(v):
        return 2 * e0 / (1 + np.exp(r * (v0 - v)))

    def slope(y, now):
        y0, y1, y2, y3, y4 = y[:5]
        forces = np.array(
            [
                A * a * S(y1 - y2 - y3),
                A * a * (now + 0.8 * C * S(C * y0)),
                B * b * 0.25 * C * S(0.25 * C * y0),
                G * g * 0.8 * C * S(0.3 * C * y0 - 0.1 * C * y4),
                B * b * S(0.25 * C * y0),
            ]
        )
        k = np.array([a, a, b, g, b])
        return np.concatenate([y[5:], forces - 2 * k * y[5:] - k**2 * y[:5]])

    y, potential = np.zeros(10), []
    for now in p:
        first = slope(y, now)
        y = y + step / 2 * (first + slope(y + step * first, now))
        potential.append(y[1] - y[2] - y[3])
    return np.array(potential)


# ----------------------------------------------------------------------------------------------- features


def windows(x: Array, width: int, hop: int) -> list[Array]:
    """The windows (width, F) of a sequence (T, F): each begins hop samples after the one before."""
    return [x[start : start + width] for start in range(0, len(x) - width + 1, hop)]


def frames(x: Array, width: int, hop: int) -> Array:
    return np.array([window.reshape(-1) for window in windows(x, width, hop)])


def density(x: Array, fs: float) -> tuple[Array, Array]:
    """Frequencies (K,) in Hz and the power spectral density (K, F) of one window, by the definition."""
    n = len(x)
    i = np.arange(n)
    hann = 0.5 - 0.5 * np.cos(2.0 * np.pi * i / n)
    tapered = hann[:, None] * (x - x.mean(axis=0))
    k = np.arange(n // 2 + 1)
    spectrum = np.exp(-2j * np.pi * np.outer(k, i) / n) @ tapered
    twice = np.where((k == 0) | (2 * k == n), 1.0, 2.0)  # for the negative frequencies
    return k * fs / n, twice[:, None] * np.abs(spectrum) ** 2 / (fs * np.sum(hann**2))


def log_spectrum(x: Array, fs: float, window: int, hop: int, max_hz: float, floor: float) -> Array:
    rows = []
    for each in windows(x, window, hop):
        hz, power = density(each, fs)
        kept = (hz > 0.0) & (hz <= max_hz)
        rows.append(np.log(power[kept] + floor).T.reshape(-1))
    return np.array(rows)


def band_power(x: Array, fs: float, bands: list[tuple[float, float]], window: int, hop: int) -> Array:
    """Power, not its logarithm: the columns are the bands of channel 0, then those of channel 1, ..."""
    rows = []
    for each in windows(x, window, hop):
        hz, power = density(each, fs)
        inside = [power[(hz >= low) & (hz < high)].sum(axis=0) * fs / window for low, high in bands]
        rows.append(np.array(inside).T.reshape(-1))
    return np.array(rows)


def fill_missing(x: Array, before: Array) -> Array:
    """Values (T, F) and flags (T, F) side by side."""
    last, rows = before, []
    for sample in x:
        missing = np.isnan(sample)
        last = np.where(missing, last, sample)
        rows.append(np.concatenate([last, missing]))
    return np.array(rows)


def lyapunov(x: Array, fs: float, dimension: int, delay: int, horizon: int, separation: int | None) -> Array:
    """Of one channel (window,): the largest exponent, then mean, std, min and max of the local ones."""
    states = [x[i : i + (dimension - 1) * delay + 1 : delay] for i in range(len(x) - (dimension - 1) * delay)]
    n = len(states) - horizon
    if separation is None:
        power = np.abs(np.fft.rfft(x - x.mean())) ** 2
        separation = min(int(np.ceil(1 / np.average(np.arange(len(power)) / len(x), weights=power))), n // 4)
    curves, local = [[] for _ in range(horizon + 1)], []
    for i in range(n):
        far = [j for j in range(n) if abs(i - j) > separation]
        j = far[int(np.argmin([np.linalg.norm(states[i] - states[j]) for j in far]))]
        apart = [np.linalg.norm(states[i + k] - states[j + k]) for k in range(horizon + 1)]
        for curve, distance in zip(curves, apart, strict=True):
            if distance > 0:
                curve.append(np.log(distance))
        if apart[0] > 0 and apart[-1] > 0:
            local.append(fs / horizon * np.log(apart[-1] / apart[0]))
    k = np.arange(horizon + 1) / fs
    largest = np.polyfit(k, [np.mean(curve) for curve in curves], 1)[0]
    return np.array([largest, np.mean(local), np.std(local), np.min(local), np.max(local)])
