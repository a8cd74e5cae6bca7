"""Generation: a network continues a sequence; each output is the next input."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
from numpy.typing import ArrayLike

from elman._validation import describe, integer, number
from elman.data.alignment import with_names
from elman.data.sequences import Array
from elman.errors import ArgumentTypeError, ArgumentValueError, NonFiniteError
from elman.model.model import Float64, Model
from elman.network.network import Network
from elman.nn.layers import Dense


def generate(
    net: Network, start: ArrayLike, steps: int, temperature: float = 1.0, seed: int | None = None
) -> Array:
    """Return the steps with which a network continues a sequence.

    A softmax network draws its next symbol, i with probability p_i^(1 / temperature) / sum_j p_j^(1 /
    temperature), and reads it as its next input. Any other network, with as many outputs as inputs, runs in a
    closed loop: the output is the next input, and nothing is drawn.

    Shapes: with an Embedding, start (T,) of integers -> (steps,) of integers; without it and with a softmax,
    over one-hot rows, start (T,) of integers or (T, F) -> (steps,) of integers; otherwise start (T, F) ->
    (steps, F). T is at least 1. The result does not contain start.

    Parameters
    ----------
    net : Network
        It has as many outputs as inputs (symbols, where it begins with an Embedding), and no bidirectional
        layers.
    start : array or list
        The beginning of the sequence. The output after its last step is the first new step.
    steps : int, at least 1
        The number of new steps.
    temperature : float, at least 0
        Below 1 likely symbols are drawn more often than with the network's probabilities, above 1 less often;
        0 always takes the most likely one. Only for a softmax.
    seed : int or None
        The same seed draws the same symbols; None takes a fresh one.

    Raises
    ------
    TypeError, ValueError
        If an argument has a wrong type or value, or a later output is not finite. The error names it.
    RuntimeError
        If the outputs of a closed loop become infinite or NaN.

    >>> from elman import GRU, Embedding
    >>> net = Network([Embedding(5), GRU(4, return_sequences=True), Dense(5, "softmax")], seed=0)
    >>> generate(net, [0, 1, 2], 10, seed=0).shape
    (10,)
    """
    if not isinstance(net, Network):
        raise ArgumentTypeError("net", f"is {describe(net)}", "an elman.Network")
    model, last = net.model, net.layers[-1]
    softmax = isinstance(last, Dense) and last.activation == "softmax"
    steps = integer("steps", steps, 1)
    heat = number("temperature", temperature)
    rng = np.random.default_rng(None if seed is None else integer("seed", seed, maximum=math.inf))
    _check_loop(model, softmax)
    if not softmax and heat != 1.0:
        raise ArgumentValueError("temperature", f"is {temperature}", "1 without a softmax: nothing is drawn")
    given = _start(model, start, softmax)
    stream = net.stream()
    for x in given:
        y = stream.step(x)
    if not softmax:
        return _closed_loop(stream, y, steps, model)
    inputs: Any = range(model.symbols) if model.symbols else np.eye(model.input_size, dtype=model.dtype)
    drawn = np.empty(steps, np.int64)
    for t in range(steps):
        drawn[t] = _draw(y, heat, rng)
        if t + 1 < steps:
            y = stream.step(inputs[drawn[t]])
    return drawn


def _check_loop(model: Model, softmax: bool) -> None:
    if model.symbols and not softmax:
        raise ArgumentValueError(
            "net",
            "begins with an Embedding",
            "a Dense with softmax as its last layer: what it says must be one of the symbols that it reads",
        )
    inputs = model.symbols or model.input_size
    if model.outputs != inputs:
        what = "symbols" if model.symbols else "inputs"
        raise ArgumentValueError(
            "net",
            f"has {model.outputs} outputs",
            f"{inputs}, as many as its {what}: each output becomes the next input",
        )


def _start(model: Model, start: Any, softmax: bool) -> Any:
    """Return the first inputs, one per step; TypeError or ValueError where they do not fit."""
    array = with_names(start)
    if array.size == 0:
        raise ArgumentValueError("start", "is empty", "at least one step")
    n = model.symbols or model.input_size
    whole = array.dtype.kind in "iu"
    if model.symbols or (softmax and whole and array.ndim == 1):
        if not whole:
            raise ArgumentTypeError(
                "start", f"has dtype {array.dtype}", "integers: net begins with an Embedding"
            )
        if array.ndim != 1:
            raise ArgumentValueError(
                "start", f"has shape {array.shape}", "(steps,): one sequence of integers"
            )
        wrong = np.flatnonzero((array < 0) | (array >= n))
        if len(wrong):
            raise ArgumentValueError(f"start[{wrong[0]}]", f"is {array[wrong[0]]}", f"0..{n - 1}")
        return array.tolist() if model.symbols else np.eye(n, dtype=model.dtype)[array]
    if array.ndim != 2:
        raise ArgumentValueError("start", f"has shape {array.shape}", f"(steps, {n}): one sequence")
    return model.batch(array[None], "start")[0].values


def _closed_loop(stream: Any, y: Array, steps: int, model: Model) -> Array:
    out = np.empty((steps, model.outputs), model.dtype)
    for t in range(steps):
        out[t] = y
        if t + 1 == steps:
            break
        try:
            y = stream.step(y)
        except NonFiniteError:
            raise RuntimeError(
                f"the output of step {t + 1} is not finite: the closed loop has grown beyond all numbers"
            ) from None
    return out


def _draw(p: Array, temperature: float, rng: np.random.Generator) -> int:
    """Return an index of p, drawn at random."""
    if temperature == 0.0:
        return int(p.argmax())
    with np.errstate(divide="ignore", over="ignore"):  # log(0): what is impossible stays impossible
        log: Float64 = np.log(p.astype(np.float64))
        up_to = np.cumsum(np.exp((log - log.max()) / temperature))
    place = int(np.searchsorted(up_to, rng.random() * up_to[-1], side="right"))
    return min(
        place, int(np.searchsorted(up_to, up_to[-1]))
    )  # rounding must not lead past the last possible one
