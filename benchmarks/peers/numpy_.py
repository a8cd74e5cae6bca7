"""Plain NumPy: in float64 the truth that the others' losses are held against, in float32 a competitor."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from benchmarks.cases import LEARNING_RATE, Case
from benchmarks.peers import walk


def versions(threads: int) -> dict[str, str]:
    """NumPy's version."""
    return {"numpy": np.__version__}


def forward(case: Case, w: dict[str, Any], x: Any, lengths: Any) -> tuple[Any, Any, Any, list[Any]]:
    """Logits, what they are read from, the states h_0 .. h_T (T + 1, B, H) and what each step kept."""
    step, _ = STEPS[case.cell]
    drive = np.swapaxes(x @ w["0.kernel"] + w["0.bias"], 0, 1)
    state = np.zeros((2, x.shape[0], case.units), x.dtype)  # h and, of an LSTM, its memory
    h, kept = [state[0]], []
    for t, d in enumerate(drive):
        new, cache = step(d, state[0] @ w["0.recurrent_kernel"] + w.get("0.recurrent_bias", 0), state)
        state = new if case.shortest is None else np.where(_alive(lengths, t), new, state)
        h.append(state[0])
        kept.append(cache)
    states = np.stack(h)
    if case.readout == "mean":
        read = states[1:].mean(axis=0, keepdims=True)
    else:
        read = states[1:] if case.per_step else states[-1:]
    return read @ w["1.kernel"] + w["1.bias"], read, states, kept


def loss_and_gradient(
    case: Case, w: dict[str, Any], x: Any, y: Any, lengths: Any
) -> tuple[float, dict[str, Any]]:
    """Forward and backward through time, as docs/bptt.md, gru.md and lstm.md derive it."""
    z, read, states, kept = forward(case, w, x, lengths)
    loss, dz = _entropy(case, z, np.swapaxes(y, 0, 1) if case.per_step else y[None])

    grad = {"1.kernel": np.tensordot(read, dz, ((0, 1), (0, 1))), "1.bias": dz.sum((0, 1))}
    d_read = dz @ w["1.kernel"].T
    dh = np.zeros_like(states[1:])
    if case.readout == "mean":
        dh[:] = d_read / len(dh)
    else:
        dh[-len(read) :] = d_read
    _, back = STEPS[case.cell]
    d_x, d_h = (np.zeros((*dh.shape[:2], w["0.kernel"].shape[1]), x.dtype) for _ in range(2))
    carry = np.zeros((2, *dh.shape[1:]), x.dtype)
    for t in reversed(range(len(dh))):
        carry = np.stack([carry[0] + dh[t], carry[1]])
        d_x[t], d_h[t], before = back(kept[t], carry)
        if case.shortest is not None:
            alive = _alive(lengths, t)
            d_x[t], d_h[t], before = d_x[t] * alive, d_h[t] * alive, np.where(alive, before, carry)
        carry = before
        carry[0] += d_h[t] @ w["0.recurrent_kernel"].T
    grad |= {
        "0.kernel": np.tensordot(np.swapaxes(x, 0, 1), d_x, ((0, 1), (0, 1))),
        "0.recurrent_kernel": np.tensordot(states[:-1], d_h, ((0, 1), (0, 1))),
        "0.bias": d_x.sum((0, 1)),
        "0.recurrent_bias": d_h.sum((0, 1)),
    }
    return loss, {name: grad[name] for name in w}


def _alive(lengths: Any, t: int) -> Any:
    """Has the sequence a step t? (B, 1)."""
    return (t < lengths)[:, None]


def _sigmoid(z: Any) -> Any:
    return 1 / (1 + np.exp(-z))


def _softmax(z: Any) -> Any:
    e = np.exp(z - z.max(axis=-1, keepdims=True))
    return e / e.sum(axis=-1, keepdims=True)


# One step of a cell, (x W + b, h U + c, state) -> (state, what is kept); and back, (kept, d state) -> (d xW,
# d hU, the rest of d state).


def _rnn_forward(d: Any, u: Any, state: Any) -> Any:
    h = np.tanh(d + u)
    return np.stack([h, state[1]]), h


def _rnn_backward(h: Any, d_state: Any) -> Any:
    dz = d_state[0] * (1 - h**2)
    return dz, dz, np.zeros_like(d_state)


def _gru_forward(d: Any, u: Any, state: Any) -> Any:
    (x_r, x_z, x_n), (u_r, u_z, u_n) = np.split(d, 3, axis=1), np.split(u, 3, axis=1)
    r, z = _sigmoid(x_r + u_r), _sigmoid(x_z + u_z)
    n = np.tanh(x_n + r * u_n)
    return np.stack([(1 - z) * n + z * state[0], state[1]]), (state[0], u_n, r, z, n)


def _gru_backward(kept: Any, d_state: Any) -> Any:
    h, u_n, r, z, n = kept
    dh = d_state[0]
    dn = dh * (1 - z) * (1 - n**2)
    dr, dz = dn * u_n * r * (1 - r), dh * (h - n) * z * (1 - z)
    rest = np.stack([dh * z, d_state[1]])
    return np.hstack([dr, dz, dn]), np.hstack([dr, dz, dn * r]), rest


def _lstm_forward(d: Any, u: Any, state: Any) -> Any:
    i, f, g, o = np.split(d + u, 4, axis=1)
    i, f, g, o = _sigmoid(i), _sigmoid(f), np.tanh(g), _sigmoid(o)
    c = f * state[1] + i * g
    return np.stack([o * np.tanh(c), c]), (state[1], c, i, f, g, o)


def _lstm_backward(kept: Any, d_state: Any) -> Any:
    before, c, i, f, g, o = kept
    dh, y = d_state[0], np.tanh(c)
    dc = d_state[1] + dh * o * (1 - y**2)
    gates = dc * g * i * (1 - i), dc * before * f * (1 - f), dc * i * (1 - g**2), dh * y * o * (1 - o)
    dz = np.hstack(gates)
    return dz, dz, np.stack([np.zeros_like(dh), dc * f])


STEPS: dict[str, Any] = {
    "rnn": (_rnn_forward, _rnn_backward),
    "gru": (_gru_forward, _gru_backward),
    "lstm": (_lstm_forward, _lstm_backward),
}


def _entropy(case: Case, z: Any, y: Any) -> tuple[float, Any]:
    """Mean loss and its derivative by the logits."""
    count = z.shape[0] * z.shape[1]
    if case.loss == "binary_cross_entropy":
        p = 1 / (1 + np.exp(-z))
        return float((np.logaddexp(0, z) - y * z).sum() / count), (p - y) / count
    z = z - z.max(axis=-1, keepdims=True)
    log_p = z - np.log(np.exp(z).sum(axis=-1, keepdims=True))
    target = np.eye(case.outputs, dtype=z.dtype)[y]
    return float(-(target * log_p).sum() / count), (np.exp(log_p) - target) / count


def train(case: Case, x: Any, y: Any, lengths: Any, epochs: int) -> list[float]:
    """Train with Adam; the losses met before each update."""
    w = case.weights()
    m, v = ({name: np.zeros_like(value) for name, value in w.items()} for _ in range(2))
    values, count = [], 0
    for _ in range(epochs):
        for start in range(0, len(x), case.batch):
            rows = slice(start, start + case.batch)
            value, grad = loss_and_gradient(case, w, x[rows], y[rows], lengths[rows])
            values.append(value)
            count += 1
            for name, g in grad.items():
                m[name] += 0.1 * (g - m[name])
                v[name] += 0.001 * (g * g - v[name])
                root = np.sqrt(v[name] / (1 - 0.999**count)) + 1e-8
                w[name] -= LEARNING_RATE / (1 - 0.9**count) * m[name] / root
    return values


def losses(case: Case, updates: int, threads: int) -> list[float]:
    """Losses met before each of the first updates, all on the first minibatch."""
    return train(case, *case.data(batches=1), case.lengths(1), updates)


def trainer(case: Case, threads: int) -> Callable[[], Any]:
    """Return the call that is timed."""
    x, y = case.data()
    return lambda: train(case, x, y, case.lengths(), case.epochs)


def predictor(case: Case, threads: int) -> Callable[[], Any]:
    """Return the call that is timed: the answers, batch by batch."""
    x, lengths, w = case.data()[0], case.lengths(), case.weights()

    def run() -> Any:
        answers = []
        for start in range(0, len(x), case.batch):
            rows = slice(start, start + case.batch)
            z = forward(case, w, x[rows], lengths[rows])[0]
            p = _sigmoid(z) if case.kind == "bits" else _softmax(z)
            answers.append(np.swapaxes(p, 0, 1) if case.per_step else p[0])
        return np.concatenate(answers)

    return run


def stepper(case: Case, threads: int, way: str) -> Callable[[], Any]:
    """Return the steps of one stream, or of several at once."""
    kernel, recurrent, bias, readout, offset = case.weights().values()
    xs = [x[0] if case.batch == 1 else x for x in case.ticks()]
    h = np.zeros((*xs[0].shape[:-1], case.units), case.dtype)

    def step(x: np.ndarray) -> np.ndarray:
        nonlocal h
        h = np.tanh(x @ kernel + h @ recurrent + bias)
        z = h @ readout + offset
        e = np.exp(z - z.max(axis=-1, keepdims=True))
        return e / e.sum(axis=-1, keepdims=True)

    return walk(step, xs)
