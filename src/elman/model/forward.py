"""The forward pass: predictions, hidden states, and a tape for vector-Jacobian products."""

from __future__ import annotations

from typing import Any, Generic, NamedTuple

import numpy as np

from elman import _engine
from elman.data.alignment import labeled
from elman.data.input_types import Form, SequenceInput, SequenceOutput, State
from elman.data.sequences import Array, Batch, Sequences, as_batch
from elman.errors import ArgumentTypeError, ArgumentValueError, NonFiniteError
from elman.model.initial_states import initial_states, to_user_form
from elman.model.model import Model
from elman.model.weights import Weights, views

_LITTLE = 1_000_000  # multiply-adds
_OVERHEAD = 200  # of one step of one sequence, in multiply-adds


class Gradients(NamedTuple, Generic[Form]):
    """The gradients that `Tape.backward` returns.

    Shapes: parameters (P,), in the order of ``net.parameters``; weights by name, views of the same memory;
    inputs in the form of X, None where X holds the integers of an Embedding; initial_state a list with one
    entry per recurrent layer, in the form of the argument ``initial_state``.
    """

    parameters: Array
    weights: Weights
    inputs: Form | None
    initial_state: State


class Tape(Generic[Form]):
    """A recorded forward pass, with the weights at the time of recording and all that backward needs.

    >>> import elman
    >>> net = elman.Network([elman.SimpleRNN(3), elman.Dense(2)], input_size=1, seed=0)
    >>> tape = net.record(np.ones((4, 5, 1)))
    >>> tape.outputs.shape, tape.states[0].shape
    ((4, 2), (4, 5, 3))
    >>> tape.backward(np.ones((4, 2))).weights["0.kernel"].shape
    (1, 3)
    """

    def __init__(self, model: Model, X: Any, initial_state: Any, seed: int | None, n_threads: int) -> None:
        self._model = model
        self._batch, data = model.batch(X)
        self._threads = n_threads
        initial = initial_states(initial_state, model, self._batch.n)
        self._native = model.native.record(data, n_threads, initial, model.dropout(seed))

    @property
    def outputs(self) -> Array | Form:
        """The outputs, as of predict: (n, C), or per step in the form of X. Each access makes a new array."""
        out = self._model.new_outputs(self._batch)
        self._native.outputs(out)
        shaped: Array | Form = self._model.shape_outputs(out, self._batch)
        return shaped

    @property
    def states(self) -> list[Form]:
        """The states of each recurrent layer after every step, in the form of X, in new arrays."""
        outs = self._model.new_states(self._batch.rows)
        self._native.states(outs)
        shaped: list[Any] = [self._batch.restore_form(out) for out in outs]
        return shaped

    def backward(self, d_outputs: SequenceInput) -> Gradients[Form]:
        """Return the vector-Jacobian product: sum over outputs of d_outputs times their derivatives.

        Shapes: d_outputs as ``outputs`` (a list or `Sequences` where these are), finite; otherwise TypeError
        or ValueError.
        """
        flat = cotangent(d_outputs, self._batch, self._model)
        d_parameters = np.empty_like(self._model.parameters)
        d_inputs = self._model.new_cotangents(self._batch)
        sizes = self._model.native.state_sizes
        d_initial = [np.empty((self._batch.n, size), self._model.dtype) for size in sizes]
        self._native.backward(flat, d_parameters, d_inputs, d_initial, self._threads)
        named = Weights(views(self._model.table, d_parameters))
        inputs: Any = None if d_inputs is None else self._batch.restore_form(d_inputs)
        inputs = labeled(inputs, self._model.features)  # in the network's order, perhaps not that of X
        return Gradients(d_parameters, named, inputs, to_user_form(d_initial, self._model))


def cotangent(d_outputs: Any, batch: Batch, model: Model) -> Array:
    """Return d_outputs as the engine reads them: (n, C) or (N, C), of the network's dtype."""
    if not model.per_step:
        if isinstance(d_outputs, Sequences):
            raise ArgumentTypeError(
                "d_outputs", "is elman.Sequences", "an array (n, C): the outputs are per sequence"
            )
        given = np.asarray(d_outputs)
        if given.dtype.kind not in "fiub":
            raise ArgumentTypeError("d_outputs", f"has dtype {given.dtype}", "real numbers")
        wanted = (batch.n, model.outputs)
        if given.shape != wanted:
            raise ArgumentValueError("d_outputs", f"has shape {given.shape}", f"{wanted} (as the outputs)")
        flat = given
    else:
        came = as_batch(d_outputs, model.outputs, model.dtype, "d_outputs", "the network's outputs")
        if not np.array_equal(came.offsets, batch.offsets):
            raise ArgumentValueError("d_outputs", "has sequences of other lengths than X", "the same")
        flat = came.values
    with np.errstate(over="ignore"):
        flat = np.ascontiguousarray(flat, dtype=model.dtype)
    if not np.isfinite(flat).all():
        row = int(np.argwhere(~np.isfinite(flat))[0][0])
        raise ArgumentValueError("d_outputs", f"has {flat[row]} in row {row}", "finite numbers")
    return flat


def states(model: Model, X: Any, n_threads: int) -> list[Any]:
    """Return the states of each recurrent layer after every step, in the form of X."""
    batch, data = model.batch(X)
    outs = model.new_states(batch.rows)
    model.native.states(data, outs, n_threads)
    return [batch.restore_form(out) for out in outs]


def predict(model: Model, X: Any, initial_state: Any, n_threads: Any) -> SequenceOutput:
    """Return the outputs: (n, C), or per step in the form of X."""
    batch, data = model.batch(X)
    out = model.new_outputs(batch)
    # One thread does so little work: counting the CPUs would take as long.
    little = n_threads is None and batch.rows * (model.parameters.size + _OVERHEAD) < _LITTLE
    count = 1 if little else _engine.threads(n_threads)
    bad = model.native.predict(data, out, count, initial_states(initial_state, model, batch.n))
    if bad >= 0:
        raise _not_finite(out[bad], batch, bad if model.per_step else None, bad)
    shaped: SequenceOutput = model.shape_outputs(out, batch)
    return shaped


def _not_finite(output: Array, batch: Batch, step: int | None, row: int) -> NonFiniteError:
    """Return the error for an output (C,) that is not finite, of a sequence or of one of its steps."""
    came = output[int(np.argmin(np.isfinite(output)))]
    steps = ""
    if step is not None:
        row = int(np.searchsorted(batch.offsets, step, side="right")) - 1
        steps = f" at step {step - int(batch.offsets[row])}"
    length = int(batch.lengths()[row])
    return NonFiniteError(
        f"X[{row}]",
        f"has the output {came}{steps}",
        f"finite numbers: in its {length} steps the states may have grown too large, or weights are not "
        f"finite (the method states shows them)",
    )
