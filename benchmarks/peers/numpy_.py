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
    """Forward and backward through time, as docs/bptt.md derives it."""
    batch, steps, _ = x.shape
    kernel, recurrent, bias = w["0.kernel"], w["0.recurrent_kernel"], w["0.bias"]
    h = np.zeros((steps + 1, batch, case.units), x.dtype)
    drive = np.swapaxes(x @ kernel + bias, 0, 1)
    for t in range(steps):
        np.tanh(drive[t] + h[t] @ recurrent, out=h[t + 1])
    outputs = h[1:] if case.per_step else h[-1:]
    z = outputs @ w["1.kernel"] + w["1.bias"]
    answers = np.swapaxes(y, 0, 1) if case.per_step else y[None]
    loss, dz = _entropy(case, z, answers)

    grad = {"1.kernel": np.tensordot(outputs, dz, ((0, 1), (0, 1))), "1.bias": dz.sum((0, 1))}
    dh = np.zeros_like(h[1:])
    dh[-len(outputs) :] = dz @ w["1.kernel"].T
    da = np.zeros_like(dh)
    for t in reversed(range(steps)):
        if t + 1 < steps:
            dh[t] += da[t + 1] @ recurrent.T
        da[t] = dh[t] * (1 - h[t + 1] ** 2)
    grad |= {
        "0.kernel": np.tensordot(np.swapaxes(x, 0, 1), da, ((0, 1), (0, 1))),
        "0.recurrent_kernel": np.tensordot(h[:-1], da, ((0, 1), (0, 1))),
        "0.bias": da.sum((0, 1)),
    }
    return loss, grad


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
