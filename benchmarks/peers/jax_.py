"""JAX at its best: the loops over minibatches and over time both inside one jitted function."""

from __future__ import annotations

from collections.abc import Callable
from functools import lru_cache
from typing import Any

import jax
import jax.numpy as jnp

from benchmarks.cases import LEARNING_RATE, Case


def versions() -> dict[str, str]:
    """JAX's version."""
    return {"jax": jax.__version__}


def _gru(d: Any, u: Any, h: Any, c: Any) -> tuple[Any, Any]:
    (x_r, x_z, x_n), (u_r, u_z, u_n) = jnp.split(d, 3, axis=1), jnp.split(u, 3, axis=1)
    r, z = jax.nn.sigmoid(x_r + u_r), jax.nn.sigmoid(x_z + u_z)
    return (1 - z) * jnp.tanh(x_n + r * u_n) + z * h, c


def _lstm(d: Any, u: Any, _: Any, c: Any) -> tuple[Any, Any]:
    i, f, g, o = jnp.split(d + u, 4, axis=1)
    c = jax.nn.sigmoid(f) * c + jax.nn.sigmoid(i) * jnp.tanh(g)
    return jax.nn.sigmoid(o) * jnp.tanh(c), c


# One step of a cell: (x W + b, h U + c, h, memory) -> (h, memory); XLA drops what a cell does not use.
STEPS: dict[str, Any] = {"rnn": lambda d, u, _, c: (jnp.tanh(d + u), c), "gru": _gru, "lstm": _lstm}


def loss(case: Case, w: dict[str, Any], x: Any, y: Any) -> Any:
    """Mean loss of a minibatch; `x W` for all steps is one product before the loop."""
    drive = jnp.swapaxes(x @ w["0.kernel"] + w["0.bias"], 0, 1)

    def step(state: Any, d: Any) -> tuple[Any, Any]:
        u = state[0] @ w["0.recurrent_kernel"] + w.get("0.recurrent_bias", 0)
        state = STEPS[case.cell](d, u, *state)
        return state, state[0] if case.per_step else None

    zeros = jnp.zeros((x.shape[0], case.units))
    (last, _), states = jax.lax.scan(step, (zeros, zeros), drive)
    z = (jnp.swapaxes(states, 0, 1) if case.per_step else last) @ w["1.kernel"] + w["1.bias"]
    if case.loss == "cross_entropy":
        return -jnp.take_along_axis(jax.nn.log_softmax(z), y[..., None], axis=-1).mean()
    return (jax.nn.softplus(z) - y * z).mean()


def adam(w: Any, g: Any, m: Any, v: Any, count: Any) -> tuple[Any, Any, Any]:
    """Adam, epsilon outside the root."""
    m = jax.tree.map(lambda m, g: 0.9 * m + 0.1 * g, m, g)
    v = jax.tree.map(lambda v, g: 0.999 * v + 0.001 * g * g, v, g)
    root = jnp.sqrt(1 - 0.999**count)
    rate = LEARNING_RATE / (1 - 0.9**count)
    return jax.tree.map(lambda w, m, v: w - rate * m / (jnp.sqrt(v) / root + 1e-8), w, m, v), m, v


@lru_cache(maxsize=16)
def compiled(case: Case, epochs: int) -> Any:
    """Compile a run: (weights, minibatches) -> (weights, losses)."""

    def update(state: Any, batch: Any) -> tuple[Any, Any]:
        w, m, v, count = state
        value, g = jax.value_and_grad(lambda w: loss(case, w, *batch))(w)
        w, m, v = adam(w, g, m, v, count + 1.0)
        return (w, m, v, count + 1.0), value

    def run(w: Any, x: Any, y: Any) -> Any:
        zeros = jax.tree.map(jnp.zeros_like, w)
        start = (w, zeros, zeros, 0.0)
        state, values = jax.lax.scan(
            lambda state, _: jax.lax.scan(update, state, (x, y)), start, None, length=epochs
        )
        return state[0], values

    return jax.jit(run)


def prepare(case: Case, batches: int | None) -> Any:
    """Weights and data, cut into minibatches."""
    x, y = (jnp.asarray(a.reshape(-1, case.batch, *a.shape[1:])) for a in case.data(batches))
    return {name: jnp.asarray(value) for name, value in case.weights().items()}, x, y


def losses(case: Case, updates: int, threads: int) -> list[float]:
    """Losses met before each of the first updates, all on the first minibatch."""
    return compiled(case, updates)(*prepare(case, 1))[1].ravel().tolist()


def trainer(case: Case, threads: int) -> Callable[[], Any]:
    """Return the call that is timed; it was compiled and run once before."""
    run, arguments = compiled(case, case.epochs), prepare(case, None)
    if case not in _warm:
        jax.block_until_ready(run(*arguments))
        _warm.add(case)
    return lambda: jax.block_until_ready(run(*arguments))


_warm: set[Case] = set()
