"""Plans: every argument of fit checked, before anything changes."""

from __future__ import annotations

import os
import zlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from elman import _engine
from elman._validation import choice, describe, flag, integer, number
from elman.data.sequences import Array, Batch
from elman.data.targets import as_answers, as_weights
from elman.errors import ArgumentTypeError, ArgumentValueError
from elman.model.initial_states import initial_states
from elman.model.memory import check_memory
from elman.model.model import Callback, Float64, Model
from elman.nn import losses
from elman.nn.layers import POOLS, RECURRENT
from elman.nn.optimizers import LevenbergMarquardt, Optimizer, SecondOrder, check_optimizer, rate_at
from elman.training.checkpoint import Checkpoint, FileOwner


@dataclass(frozen=True)
class Labeled:
    """Sequences, answers and weights, checked, as the engine reads them."""

    batch: Batch
    data: Any
    targets: Any
    weights: Float64 | None


def labeled(
    model: Model,
    X: Any,
    y: Any,
    loss: str,
    weights: Any,
    names: tuple[str, str, str],
    class_weight: Float64 | None = None,
) -> Labeled:
    """Return X, y and sample weights checked; ``names`` is what they are called in the messages."""
    batch, data = model.batch(X, names[0])
    answers = as_answers(y, batch, model.outputs, model.per_step, loss, model.dtype, names[1])
    if class_weight is not None:
        answers = replace(answers, class_weight=np.ascontiguousarray(class_weight, np.float64))
    return Labeled(batch, data, _engine.targets(answers), as_weights(weights, batch.n, names[2]))


@dataclass(frozen=True)
class Plan:
    """The arguments of fit, checked; ``prepare(model.epoch)`` is called before each epoch."""

    train: Labeled
    validation: Labeled | None
    loss: str
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
    checkpoint: Checkpoint | None = None


def make_plan(
    model: Model,
    X: Any,
    y: Any,
    *,
    loss: Any,
    optimizer: Any,
    epochs: Any,
    batch_size: Any,
    validation_data: Any,
    sample_weight: Any,
    l2: Any,
    shuffle: Any,
    truncation: Any,
    stateful: Any,
    clip_norm: Any,
    reduction: Any,
    callbacks: Any,
    verbose: Any,
    n_threads: Any,
    memory: Any = "auto",
    checkpoint: Any = None,
    resume: Any = False,
    initial_state: Any = None,
    class_weight: Float64 | None = None,
    prepare: Callable[[int], None] | None = None,
    owner: FileOwner | None = None,
) -> Plan:
    """Check every argument of fit; nothing has changed when this raises.

    ``class_weight`` (C,), ``prepare`` and ``owner`` are the estimators' own.
    """
    loss = losses.check_loss(loss, model.layers[-1])
    optimizer = check_optimizer(optimizer)
    train = labeled(model, X, y, loss, sample_weight, ("X", "y", "sample_weight"), class_weight)
    rows = train.batch.n
    size = min(integer("batch_size", batch_size, 1), rows)  # more than the data is the data
    cut = _truncation(model, truncation)
    checked = Plan(
        train=train,
        validation=_validation(model, validation_data, loss, class_weight),
        loss=loss,
        optimizer=optimizer,
        epochs=integer("epochs", epochs, 1),
        batch_size=size,
        l2=number("l2", l2),
        shuffle=flag("shuffle", shuffle),
        truncation=cut,
        memory=check_memory(
            memory, model, train.batch, loss, size=size, truncation=cut, dropping=model.drops
        ),
        stateful=flag("stateful", stateful),
        clip_norm=0.0 if clip_norm is None else number("clip_norm", clip_norm, positive=True),
        mean=choice("reduction", reduction, ("mean", "sum")) == "mean",
        callbacks=_callbacks(callbacks),
        verbose=_verbose(verbose),
        n_threads=_engine.threads(n_threads),
        initial=initial_states(initial_state, model, rows),
        prepare=prepare,
    )
    if checked.stateful:
        check_rows_may_be_cut(model, "stateful", True)
        if checked.initial is not None:
            raise ArgumentValueError("initial_state", "is given", "None where stateful=True carries on")
    if isinstance(optimizer, SecondOrder):
        _refuse_minibatches(checked, batch_size)
        if isinstance(optimizer, LevenbergMarquardt) and not isinstance(memory, str):
            raise ArgumentValueError("memory", f"is {memory}", "'auto' with LevenbergMarquardt")
        if model.drops or model.constraints:
            what = "dropout" if model.drops else "constraints"
            raise ValueError(f"the network has {what}, expected none with {type(optimizer).__name__}")
    point = _checkpoint(model, checked, checkpoint, resume, owner or FileOwner())
    if point is not None and point.found is not None:
        updates = point.found.updates
    else:
        updates = model.updates if optimizer == model.optimizer else 0
        if checked.stateful:
            model.carried(rows)
    rate_at(optimizer, updates)
    if point is not None and point.done < checked.epochs and not point.stopped:
        point.probe()
    return replace(checked, checkpoint=point)


def _refuse_minibatches(plan: Plan, batch_size: Any) -> None:
    """Say which argument has no meaning where each epoch is one step over all the data."""
    whole = batch_size == 32 or plan.batch_size == plan.train.batch.n
    given = [
        ("batch_size", batch_size, "its default, or all the sequences", whole),
        ("shuffle", plan.shuffle, "its default", plan.shuffle),
        ("clip_norm", plan.clip_norm, "None", not plan.clip_norm),
        ("truncation", plan.truncation, "None", not plan.truncation),
        ("stateful", plan.stateful, "False", not plan.stateful),
        ("initial_state", "given", "None", plan.initial is None),
    ]
    for name, value, expected, right in given:
        if not right:
            raise ArgumentValueError(
                name,
                f"is {value}",
                f"{expected} with {type(plan.optimizer).__name__}, which takes one step an epoch over "
                "all the data",
            )


def _checkpoint(model: Model, plan: Plan, path: Any, resume: Any, owner: FileOwner) -> Checkpoint | None:
    resume = flag("resume", resume)
    if path is None:
        if resume:
            raise ArgumentValueError("resume", "is True without a checkpoint", "the path of one")
        return None
    if not isinstance(path, (str, os.PathLike)) or not isinstance(os.fspath(path), str):
        raise ArgumentTypeError("checkpoint", f"is {describe(path)}", "a path")
    settings = {
        "X": _size(plan.train),
        "validation_data": None if plan.validation is None else _size(plan.validation),
        "sample_weight": None if plan.train.weights is None else "given",
        "batch_size": plan.batch_size,
        "loss": plan.loss,
        "l2": plan.l2,
        "shuffle": plan.shuffle,
        "truncation": plan.truncation or None,
        "stateful": plan.stateful,
        "clip_norm": plan.clip_norm or None,
        "reduction": "mean" if plan.mean else "sum",
        "initial_state": None if plan.initial is None else "given",
        "constrained": _constrained(model),
        "frozen": ", ".join(name for name in model.weights if name in model.frozen) or "nothing",
    }
    rows = plan.train.batch.n if plan.stateful else None
    return Checkpoint(path, model, owner, settings, plan.optimizer, rows, plan.callbacks, resume)


def _constrained(model: Model) -> str | None:
    """Return the names of constrained parameters, with a checksum of what constrains them."""
    named = sorted(model.constraints.items())
    sums = (zlib.crc32(each.mask.tobytes() + each.sign.tobytes()) for _, each in named)
    return ", ".join(f"{name} ({s:08x})" for (name, _), s in zip(named, sums, strict=True)) or None


def _size(data: Labeled) -> str:
    return f"{data.batch.n} sequences ({data.batch.rows} steps)"


def _validation(model: Model, given: Any, loss: str, class_weight: Float64 | None) -> Labeled | None:
    if given is None:
        return None
    if not isinstance(given, (tuple, list)) or len(given) not in (2, 3):
        raise ArgumentTypeError("validation_data", f"is {describe(given)}", "(X, y) or (X, y, sample_weight)")
    names = ("validation_data[0]", "validation_data[1]", "validation_data[2]")
    weights = given[2] if len(given) == 3 else None
    return labeled(model, given[0], given[1], loss, weights, names, class_weight)


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
    """Refuse what cuts rows in time where a layer runs over them from their end."""
    for i, layer in enumerate(model.layers):
        if isinstance(layer, RECURRENT) and layer.bidirectional:
            kind = type(layer).__name__
            raise ValueError(
                f"{name} is {value!r}, but layers[{i}] ({kind}) is bidirectional and needs whole sequences"
            )


def _callbacks(given: Any) -> tuple[Callback, ...]:
    if callable(given) or not isinstance(given, Sequence) or isinstance(given, str):
        raise ArgumentTypeError("callbacks", f"is {describe(given)}", "a list of callables")
    for i, callback in enumerate(given):
        if not callable(callback):
            raise ArgumentTypeError(
                f"callbacks[{i}]", f"is {describe(callback)}", "a callable (net, epoch, logs)"
            )
    return tuple(given)
