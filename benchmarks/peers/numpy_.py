"""Plain NumPy: in float64 the truth that the others' losses are held against, in float32 a competitor."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from benchmarks.cases import LEARNING_RATE, Case


def versions() -> dict[str, str]:
    """NumPy's version."""
    return {"numpy": np.__version__}


def loss_and_gradient(case: Case, w: dict[str, Any], x: Any, y: Any) -> tuple[float, dict[str, Any]]:
    """Forward and backward through time, as docs/bptt.md, gru.md and lstm.md derive it."""
    recurrent, c = w["0.recurrent_kernel"], w.get("0.recurrent_bias", 0)
    forward, backward = STEPS[case.cell]
    drive = np.swapaxes(x @ w["0.kernel"] + w["0.bias"], 0, 1)
    state = np.zeros((2, x.shape[0], case.units), x.dtype)  # h and, of an LSTM, its memory
    h, kept = [state[0]], []
    for d in drive:
        state, cache = forward(d, state[0] @ recurrent + c, state)
        h.append(state[0])
        kept.append(cache)
    states = np.stack(h)
    outputs = states[1:] if case.per_step else states[-1:]
    z = outputs @ w["1.kernel"] + w["1.bias"]
    answers = np.swapaxes(y, 0, 1) if case.per_step else y[None]
    loss, dz = _entropy(case, z, answers)

    grad = {"1.kernel": np.tensordot(outputs, dz, ((0, 1), (0, 1))), "1.bias": dz.sum((0, 1))}
    dh = np.zeros_like(states[1:])
    dh[-len(outputs) :] = dz @ w["1.kernel"].T
    d_x, d_h, carry = np.zeros_like(drive), np.zeros_like(drive), np.zeros_like(state)
    for t in reversed(range(len(drive))):
        carry = np.stack([carry[0] + dh[t], carry[1]])
        d_x[t], d_h[t], carry = backward(kept[t], carry)
        carry[0] += d_h[t] @ recurrent.T
    grad |= {
        "0.kernel": np.tensordot(np.swapaxes(x, 0, 1), d_x, ((0, 1), (0, 1))),
        "0.recurrent_kernel": np.tensordot(states[:-1], d_h, ((0, 1), (0, 1))),
        "0.bias": d_x.sum((0, 1)),
        "0.recurrent_bias": d_h.sum((0, 1)),
    }
    return loss, {name: grad[name] for name in w}


def _sigmoid(z: Any) -> Any:
    return 1 / (1 + np.exp(-z))


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


def train(case: Case, x: Any, y: Any, epochs: int) -> list[float]:
    """Train with Adam; the losses met before each update."""
    w = {name: value.astype(x.dtype) for name, value in case.weights().items()}
    m, v = ({name: np.zeros_like(value) for name, value in w.items()} for _ in range(2))
    values, count = [], 0
    for _ in range(epochs):
        for start in range(0, len(x), case.batch):
            value, grad = loss_and_gradient(
                case, w, x[start : start + case.batch], y[start : start + case.batch]
            )
            values.append(value)
            count += 1
            for name, g in grad.items():
                m[name] += 0.1 * (g - m[name])
                v[name] += 0.001 * (g * g - v[name])
                root = np.sqrt(v[name] / (1 - 0.999**count)) + 1e-8
                w[name] -= LEARNING_RATE / (1 - 0.9**count) * m[name] / root
    return values


def losses(case: Case, updates: int, threads: int) -> list[float]:
    """Losses of the first updates, in float64."""
    x, y = case.data(batches=1)
    return train(case, x.astype(np.float64), y.astype(np.float64) if y.dtype == np.float32 else y, updates)


def trainer(case: Case, threads: int) -> Callable[[], Any]:
    """Return the call that is timed, in float32."""
    x, y = case.data()
    return lambda: train(case, x, y, case.epochs)


def stepper(case: Case) -> Callable[[Any], Any]:
    """Return one streamed step in float32."""
    kernel, recurrent, bias, readout, offset = case.weights().values()
    h = np.zeros(case.units, np.float32)

    def step(x: np.ndarray) -> np.ndarray:
        nonlocal h
        h = np.tanh(x @ kernel + h @ recurrent + bias)
        z = h @ readout + offset
        e = np.exp(z - z.max())
        return e / e.sum()

    return step
