"""Sensitivity: how strongly an answer depends on inputs long before it."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from typing import Any, cast, overload

import numpy as np
from numpy.typing import ArrayLike, NDArray

from elman._validation import describe
from elman.data.alignment import aligned
from elman.data.input_types import HasArray, SequenceInput, TargetInput
from elman.data.sequences import Batch, Sequences
from elman.data.targets import as_answers
from elman.errors import ArgumentTypeError, ArgumentValueError
from elman.network.network import Network
from elman.nn import losses
from elman.nn.layers import Dense, MeanPool

Norms = NDArray[np.float64]

_STATES = 2**23  # numbers that one recording may hold, about; more sequences are recorded one after the other


@overload
def gradient_norms(
    net: Network, X: HasArray, y: TargetInput | None = None, *, loss: losses.Loss | None = None
) -> Norms: ...
@overload
def gradient_norms(
    net: Network,
    X: Sequences | Sequence[ArrayLike],
    y: TargetInput | None = None,
    *,
    loss: losses.Loss | None = None,
) -> list[Norms]: ...
def gradient_norms(
    net: Network, X: SequenceInput, y: TargetInput | None = None, *, loss: losses.Loss | None = None
) -> Norms | list[Norms]:
    """Return the norm of the gradient of each answer's loss by the input k steps before the answer.

    norms[i][k] = || dL_i / dx_{T_i - k} ||, the Euclidean norm over the F features, where L_i is the loss of
    the answer of sequence i; for networks with one answer per step, of the answer at the last step. With
    ``y=None`` L_i is the sum of the outputs of the last step.

    Shapes: X and y as for fit; (n, T) for an array X (n, T, F), otherwise a list of n arrays (T_i,). Index k
    is the distance; 0 is the step of the answer. Computed in float64 for networks of any dtype, and from the
    sums before softmax or sigmoid, so that small gradients are not lost. The network does not change.

    Raises
    ------
    TypeError, ValueError
        As fit, for X, y and loss; for a last step without an answer; for ``loss`` without ``y``; and for a
        softmax without ``y``, because its outputs always sum to 1.

    >>> from elman import SimpleRNN
    >>> net = Network([SimpleRNN(1, "identity")], input_size=1, dtype="float64", seed=0)
    >>> net.parameters[:] = 3.0, 0.5, 0.0
    >>> gradient_norms(net, np.zeros((1, 4, 1)))
    array([[3.   , 1.5  , 0.75 , 0.375]])
    """
    if not isinstance(net, Network):
        raise ArgumentTypeError("net", f"is {describe(net)}", "an elman.Network")
    if net.model.symbols:
        raise ArgumentValueError("net", "begins with an Embedding", "numbers: integers have no gradient")
    name = _loss_of(net, y, loss)
    twin = _twin(net, name)
    X = aligned(X, net.model.features, "X", "the network" if net.model.epoch else None)[0]
    batch, _ = twin.model.batch(X)
    targets = None if y is None else _targets(y, batch, net, name)
    norms = np.empty(batch.rows)
    for first, end in _groups(batch, twin):
        begin, stop = batch.offsets[first], batch.offsets[end]
        rows = Sequences(batch.values[begin:stop], batch.offsets[first : end + 1] - begin)
        tape = twin.record(rows)
        d_outputs = _cotangent(tape.outputs, None if targets is None else targets[first:end], name)
        inputs = cast(Sequences, tape.backward(d_outputs).inputs)
        norms[begin:stop] = _norm(inputs.values)
    backward = [norms[begin:end][::-1] for begin, end in zip(batch.offsets, batch.offsets[1:], strict=False)]
    return np.stack(backward) if batch.steps else backward


def _loss_of(net: Network, y: Any, loss: str | None) -> str:
    """Return the name of the loss; "" means the sum of the outputs."""
    if y is not None:
        return losses.check_loss(loss, net.layers[-1])
    if loss is not None:
        raise ArgumentValueError(
            "loss", f"is {loss!r} without y", "y too (without it the loss is the outputs' sum)"
        )
    # The mean over steps of outputs that sum to 1 sums to 1 as well.
    last = next(layer for layer in reversed(net.layers) if not isinstance(layer, MeanPool))
    if isinstance(last, Dense) and last.activation == "softmax":
        raise ArgumentValueError(
            "y",
            "is None",
            "the answers: the outputs of a softmax always sum to 1, so the gradient of their sum "
            "is 0 at every distance",
        )
    return ""


def _twin(net: Network, loss: str) -> Network:
    """Return the same network in float64; for a cross-entropy, ending with the sums before its activation."""
    layers = list(net.layers)
    if loss in {"cross_entropy", "binary_cross_entropy"} and isinstance(layers[-1], Dense):
        layers[-1] = dataclasses.replace(layers[-1], activation="identity")
    twin = Network(layers, net.input_size, "float64", net.seed)
    twin.parameters[:] = net.parameters
    return twin


def _groups(batch: Batch, net: Network) -> list[tuple[int, int]]:
    """Return the groups [first, end) of neighboring sequences that are recorded together."""
    most = _STATES // max(1, sum(layer.native().units for layer in net.layers))
    groups, first = [], 0
    for end in range(1, batch.n + 1):
        if end == batch.n or batch.offsets[end + 1] - batch.offsets[first] > most:
            groups.append((first, end))
            first = end
    return groups


def _targets(y: Any, batch: Batch, net: Network, loss: str) -> Norms:
    """Return the answer of each sequence (n, C), at its last step where there is one per step."""
    answers = as_answers(y, batch, net.output_size, net.per_step, loss, np.dtype(np.float64))
    at = batch.offsets[1:] - 1 if net.per_step else np.arange(batch.n)
    if answers.indices is not None:
        classes = answers.indices[at]
        targets = np.zeros((batch.n, net.output_size))
        targets[np.arange(batch.n), classes] = 1.0
        missing = np.flatnonzero(classes < 0)
    else:
        targets = cast(Norms, answers.values)[at]
        missing = np.flatnonzero(np.isnan(targets).all(axis=1))
    if len(missing):
        i = int(missing[0])
        raise ArgumentValueError(
            f"y[{i}]", "has no answer at its last step", f"one; cut X[{i}] and y[{i}] after the last one"
        )
    return targets


def _cotangent(outputs: Any, targets: Norms | None, loss: str) -> Any:
    """Return dL/d outputs in the form of the outputs: zero except at the last steps."""
    per_step = isinstance(outputs, Sequences)
    flat = outputs.values if per_step else outputs
    at = outputs.offsets[1:] - 1 if per_step else np.arange(len(outputs))
    d_flat = np.zeros_like(flat)
    d_flat[at] = 1.0 if targets is None else _derivative(flat[at], targets, loss)
    return Sequences(d_flat, outputs.offsets) if per_step else d_flat


def _derivative(last: Norms, targets: Norms, loss: str) -> Norms:
    """Return dL/da (n, C): a is the output, or what a cross-entropy's softmax or sigmoid is applied to."""
    if loss == "cross_entropy":
        shares = np.exp(last - last.max(axis=1, keepdims=True))
        shares /= shares.sum(axis=1, keepdims=True)
        return np.asarray(shares * targets.sum(axis=1, keepdims=True) - targets)
    if loss == "binary_cross_entropy":
        last = 0.5 * (1.0 + np.tanh(0.5 * last))  # the sigmoid, in a form that cannot overflow
    return np.where(np.isnan(targets), 0.0, last - targets)


def _norm(rows: Norms) -> Norms:
    """Return the norm of each row (N,). Scaled: squares of numbers below 1e-154 or above 1e154 are lost."""
    largest = np.abs(rows).max(axis=1, initial=0.0)
    scale = np.where((largest > 0.0) & np.isfinite(largest), largest, 1.0)
    norms = scale * np.sqrt(np.square(rows / scale[:, None]).sum(axis=1))
    return np.where(np.isnan(norms), np.inf, norms)
