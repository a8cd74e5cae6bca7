"""JAX at its best: the loops over minibatches and over time both inside one jitted function."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import optax

from benchmarks.cases import LEARNING_RATE, Case


def versions(threads: int) -> dict[str, str]:
    """JAX's version, and its optimizers'."""
    return {"jax": jax.__version__, "optax": optax.__version__}


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


def logits(case: Case, w: dict[str, Any], x: Any, lengths: Any) -> Any:
    """Logits of a minibatch; `x W` for all steps is one product before the loop."""
    drive = jnp.swapaxes(x @ w["0.kernel"] + w["0.bias"], 0, 1)

    def step(state: Any, given: Any) -> tuple[Any, Any]:
        d, t = given
        u = state[0] @ w["0.recurrent_kernel"] + w.get("0.recurrent_bias", 0)
        new = STEPS[case.cell](d, u, *state)
        if case.shortest is not None:
            alive = (t < lengths)[:, None]
            new = tuple(jnp.where(alive, after, before) for after, before in zip(new, state, strict=True))
        return new, None if case.readout == "last" else new[0]

    zeros = jnp.zeros((x.shape[0], case.units), x.dtype)
    (last, _), states = jax.lax.scan(step, (zeros, zeros), (drive, jnp.arange(case.steps)))
    if case.readout == "mean":
        last = states.mean(axis=0)
    return (jnp.swapaxes(states, 0, 1) if case.per_step else last) @ w["1.kernel"] + w["1.bias"]


def loss(case: Case, w: dict[str, Any], x: Any, y: Any, lengths: Any) -> Any:
    """Mean loss of a minibatch."""
    z = logits(case, w, x, lengths)
    if case.loss == "cross_entropy":
        return optax.softmax_cross_entropy_with_integer_labels(z, y).mean()
    return optax.sigmoid_binary_cross_entropy(z, y).mean()


def compiled(case: Case, epochs: int) -> Any:
    """Compile a run: (weights, minibatches) -> (weights, losses)."""
    optimizer = optax.adam(LEARNING_RATE)

    def update(state: Any, batch: Any) -> tuple[Any, Any]:
        w, moments = state
        value, g = jax.value_and_grad(lambda w: loss(case, w, *batch))(w)
        change, moments = optimizer.update(g, moments, w)
        return (optax.apply_updates(w, change), moments), value

    def run(w: Any, *batches: Any) -> Any:
        state, values = jax.lax.scan(
            lambda state, _: jax.lax.scan(update, state, batches),
            (w, optimizer.init(w)),
            None,
            length=epochs,
        )
        return state[0], values

    return jax.jit(run)


def prepare(case: Case, batches: int | None) -> Any:
    """Weights and data, cut into minibatches."""
    jax.config.update("jax_enable_x64", case.dtype == "float64")
    arrays = *case.data(batches), case.lengths(batches)
    cut = [jnp.asarray(a.reshape(-1, case.batch, *a.shape[1:])) for a in arrays]
    return {name: jnp.asarray(value) for name, value in case.weights().items()}, *cut


def losses(case: Case, updates: int, threads: int) -> list[float]:
    """Losses met before each of the first updates, all on the first minibatch."""
    arguments = prepare(case, 1)
    return compiled(case, updates)(*arguments)[1].ravel().tolist()


def trainer(case: Case, threads: int) -> Callable[[], Any]:
    """Return the call that is timed; the first call compiles it."""
    arguments, run = prepare(case, None), compiled(case, case.epochs)
    return lambda: jax.block_until_ready(run(*arguments))


def predictor(case: Case, threads: int) -> Callable[[], Any]:
    """Return the call that is timed: the answers, batch by batch."""
    w, x, _, lengths = prepare(case, None)
    x = np.asarray(x)

    @jax.jit
    def answer(xb: Any) -> Any:
        z = logits(case, w, xb, lengths[0])
        return jax.nn.sigmoid(z) if case.kind == "bits" else jax.nn.softmax(z)

    return lambda: np.concatenate([answer(xb) for xb in x])
