"""Plans: the arguments of fit, checked, before anything changes."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from elman import _engine
from elman._validation import choice, describe, flag, integer, number
from elman.data.sequences import Array, Batch
from elman.data.targets import Answers, as_answers, sample_weights
from elman.errors import ArgumentTypeError, ArgumentValueError
from elman.model.initial_states import initial_states
from elman.model.memory import check_memory
from elman.model.model import Callback, Float64, Model
from elman.nn import losses
from elman.nn.layers import POOLS, RECURRENT
from elman.nn.optimizers import LevenbergMarquardt, Optimizer, SecondOrder, check_optimizer

BATCH_SIZE = 32  # of fit, where none is given; second order, which has no minibatches, takes it for all
NAMES = ("X", "y", "sample_weight")
VALIDATION_NAMES = ("validation_data[0]", "validation_data[1]", "validation_data[2]")


@dataclass(frozen=True)
class TrainingData:
    """Sequences, answers and weights, checked for one loss; ``data`` and ``targets`` are the engine's views.

    Shapes: batch of n sequences; weights (n,) or None. Weights of steps are a part of the answers.
    """

    batch: Batch
    answers: Answers
    weights: Float64 | None
    loss: str
    data: Any
    targets: Any


def read_training_data(
    model: Model,
    X: Any,
    y: Any,
    weights: Any,
    loss: Any,
    names: tuple[str, str, str] = NAMES,
    adopt: bool = False,
) -> TrainingData:
    """Return X, y and sample weights, checked; ``names`` are used in the messages of errors.

    ``loss`` is the name of a loss, or None for the one that belongs to the last layer. ``adopt``: the network
    keeps what X says of its features.
    """
    loss = losses.check_loss(loss, model.layers[-1])
    batch, data = model.batch(X, names[0], adopt)
    return training_data(model, batch, data, y, weights, loss, names)


def training_data(
    model: Model,
    batch: Batch,
    data: Any,
    y: Any,
    weights: Any,
    loss: Any = None,
    names: tuple[str, str, str] = NAMES,
    class_weight: Float64 | None = None,
) -> TrainingData:
    """Return y and sample weights, checked, together with sequences that are checked already.

    ``data`` is the engine's view of ``batch``; ``class_weight`` (C,) multiplies the weight of each answer.
    """
    loss = losses.check_loss(loss, model.layers[-1])
    answers = as_answers(y, batch, model.outputs, model.per_step, loss, model.dtype, names[1])
    if class_weight is not None:
        answers = replace(answers, class_weight=np.ascontiguousarray(class_weight, np.float64))
    of_sequences, of_steps = sample_weights(weights, batch, model.per_step, names[2])
    if of_steps is not None:
        answers = replace(answers, row_weight=of_steps)
    return TrainingData(batch, answers, of_sequences, loss, data, _engine.targets(answers))


def read_validation_data(model: Model, given: Any, loss: str) -> TrainingData | None:
    """Return ``validation_data``, (X, y) or (X, y, sample_weight), checked; None stays None."""
    if given is None:
        return None
    if not isinstance(given, (tuple, list)) or len(given) not in (2, 3):
        raise ArgumentTypeError("validation_data", f"is {describe(given)}", "(X, y) or (X, y, sample_weight)")
    weights = given[2] if len(given) == 3 else None
    return read_training_data(model, given[0], given[1], weights, loss, VALIDATION_NAMES)


@dataclass(frozen=True)
class Plan:
    """One run of training, checked; ``prepare(model.epoch)`` is called before each epoch."""

    train: TrainingData
    validation: TrainingData | None
    optimizer: Optimizer
    epochs: int
    batch_size: int
    l2: float
    shuffle: bool
    truncation: int
    memory: int
    stateful: bool
    clip_norm: float
    mean: bool
    callbacks: tuple[Callback, ...]
    verbose: bool
    n_threads: int
    initial: list[Array] | None = None
    prepare: Callable[[int], None] | None = None

    @property
    def loss(self) -> str:
        """The name of the loss."""
        return self.train.loss


def make_plan(
    model: Model,
    train: TrainingData,
    validation: TrainingData | None,
    *,
    optimizer: Any,
    epochs: Any,
    batch_size: Any = BATCH_SIZE,
    l2: Any = 0.0,
    shuffle: Any = True,
    truncation: Any = None,
    stateful: Any = False,
    initial_state: Any = None,
    clip_norm: Any = None,
    reduction: Any = "mean",
    callbacks: Any = (),
    memory: Any = "auto",
    verbose: Any = True,
    n_threads: Any = None,
    prepare: Callable[[int], None] | None = None,
) -> Plan:
    """Return the plan of a run on data that are checked already; the other arguments are those of fit.

    TypeError and ValueError name the argument; nothing has changed then.
    """
    optimizer = check_optimizer(optimizer)
    rows = train.batch.n
    size = min(integer("batch_size", batch_size, 1), rows)  # a minibatch has at most all sequences
    cut = _truncation(model, truncation)
    plan = Plan(
        train=train,
        validation=validation,
        optimizer=optimizer,
        epochs=integer("epochs", epochs, 1),
        batch_size=size,
        l2=number("l2", l2),
        shuffle=flag("shuffle", shuffle),
        truncation=cut,
        memory=check_memory(
            memory, model, train.batch, train.loss, size=size, truncation=cut, dropping=model.drops
        ),
        stateful=flag("stateful", stateful),
        clip_norm=0.0 if clip_norm is None else number("clip_norm", clip_norm, positive=True),
        mean=choice("reduction", reduction, losses.REDUCTIONS) == "mean",
        callbacks=_callbacks(callbacks),
        verbose=_verbose(verbose),
        n_threads=_engine.threads(n_threads),
        initial=initial_states(initial_state, model, rows),
        prepare=prepare,
    )
    if plan.stateful:
        check_rows_may_be_cut(model, "stateful", True)
        if plan.initial is not None:
            raise ArgumentValueError("initial_state", "is given", "None where stateful=True carries on")
    if isinstance(optimizer, SecondOrder):
        _check_second_order(model, plan, batch_size, memory)
    return plan


def _check_second_order(model: Model, plan: Plan, batch_size: int, memory: Any) -> None:
    """Raise ValueError for what has no meaning where each epoch is one step over all the data."""
    name = type(plan.optimizer).__name__
    every = plan.batch_size == plan.train.batch.n or batch_size == BATCH_SIZE
    fitting = [
        ("batch_size", batch_size, "its default, or all the sequences", every),
        ("shuffle", plan.shuffle, "its default", plan.shuffle),
        ("clip_norm", plan.clip_norm, "None", not plan.clip_norm),
        ("truncation", plan.truncation, "None", not plan.truncation),
        ("stateful", plan.stateful, "False", not plan.stateful),
        ("initial_state", "given", "None", plan.initial is None),
    ]
    for argument, value, expected, fits in fitting:
        if not fits:
            why = f"{name}, which takes one step an epoch over all the data"
            raise ArgumentValueError(argument, f"is {value}", f"{expected} with {why}")
    if isinstance(plan.optimizer, LevenbergMarquardt) and not isinstance(memory, str):
        raise ArgumentValueError("memory", f"is {memory}", "'auto' with LevenbergMarquardt")
    if model.drops or model.constraints:
        what = "dropout" if model.drops else "constraints"
        raise ValueError(f"the network has {what}, expected none with {name}")


def _truncation(model: Model, given: Any) -> int:
    if given is None:
        return 0
    steps = integer("truncation", given, 1)
    for i, layer in enumerate(model.layers):
        if isinstance(layer, POOLS):
            raise ArgumentValueError(
                "truncation",
                f"is {steps}",
                f"None: layers[{i}] ({type(layer).__name__}) needs whole sequences",
            )
    check_rows_may_be_cut(model, "truncation", steps)
    return steps


def _verbose(given: Any) -> bool:
    if isinstance(given, (bool, np.bool_)):
        return bool(given)
    if not isinstance(given, (int, np.integer)):
        raise ArgumentTypeError("verbose", f"is {describe(given)}", "True, False or an integer of at least 0")
    return integer("verbose", given) > 0


def check_rows_may_be_cut(model: Model, name: str, value: object) -> None:
    """Raise ValueError for an argument that cuts rows in time where a layer reads them from their end."""
    for i, layer in enumerate(model.layers):
        if isinstance(layer, RECURRENT) and layer.bidirectional:
            kind = type(layer).__name__
            problem = f"is {value!r}, but layers[{i}] ({kind}) is bidirectional and needs whole sequences"
            raise ArgumentValueError(name, problem)


def _callbacks(given: Any) -> tuple[Callback, ...]:
    if callable(given) or not isinstance(given, Sequence) or isinstance(given, str):
        raise ArgumentTypeError("callbacks", f"is {describe(given)}", "a list of callables")
    for i, callback in enumerate(given):
        if not callable(callback):
            raise ArgumentTypeError(
                f"callbacks[{i}]", f"is {describe(callback)}", "a callable (net, epoch, logs)"
            )
    return tuple(given)
