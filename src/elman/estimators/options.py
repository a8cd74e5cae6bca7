"""The parameters of an estimator, checked, and the network and the optimizer that they describe."""

from __future__ import annotations

import math
import numbers
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any, TypeVar, cast

import numpy as np
from sklearn.utils.metaestimators import available_if

from elman import _engine
from elman._validation import choice, describe, flag, integer, number, real_dtype
from elman.errors import ArgumentTypeError, ArgumentValueError
from elman.estimators.parameters import (
    CELLS,
    POOLINGS,
    SCHEDULES,
    SOLVERS,
    Cell,
    Parameters,
    Pooling,
    Schedule,
    Solver,
)
from elman.nn.activations import RECURRENT_ACTIVATIONS, DenseActivation
from elman.nn.layers import (
    GRU,
    LSTM,
    Dense,
    Layer,
    MaxPool,
    MeanPool,
    SimpleRNN,
)
from elman.nn.optimizers import LBFGS, SGD, Adam, LevenbergMarquardt, Optimizer
from elman.nn.schedules import CosineDecay, OneCycle
from elman.training.plan import BATCH_SIZE

_CELLS: dict[Cell, type[SimpleRNN] | type[GRU] | type[LSTM]] = {"rnn": SimpleRNN, "gru": GRU, "lstm": LSTM}
_SECOND_ORDER: dict[Solver, type[LevenbergMarquardt] | type[LBFGS]] = {
    "lbfgs": LBFGS,
    "lm": LevenbergMarquardt,
}
_Method = TypeVar("_Method", bound=Callable[..., Any])
_POOLS: dict[Pooling, type[MeanPool] | type[MaxPool]] = {"mean": MeanPool, "max": MaxPool}


def first_order_only(method: _Method) -> _Method:
    """Return a method that estimators have only with a solver that learns batch after batch.

    With another one it raises the AttributeError of `sklearn.neural_network.MLPClassifier`.
    """

    def check(estimator: Parameters) -> bool:
        if estimator.solver in _SECOND_ORDER:
            raise AttributeError(
                f"{method.__name__} is only available for stochastic optimizers. {estimator.solver} is not "
                f"stochastic."
            )
        return True

    return cast(_Method, available_if(check)(method))


@dataclass(frozen=True)
class Options:
    """The parameters of training, checked."""

    epochs: int
    solver: Solver
    alpha: float
    batch_size: int
    rate: float
    schedule: Schedule
    shuffle: bool
    tol: float
    patience: int
    verbose: Any
    clip_norm: float | None
    early_stopping: bool
    validation_fraction: float
    truncation: int | None
    input_noise: float
    standardize: bool
    n_threads: int | None

    @property
    def constant_rate(self) -> bool:
        """Whether the learning rate stays as it is."""
        return self.schedule == "constant"

    @property
    def wait(self) -> float:
        """The number of epochs without improvement that ends a run; infinite with a changing rate."""
        return self.patience if self.early_stopping or self.constant_rate else math.inf

    def for_one_epoch(self) -> Options:
        """Return the options of partial_fit, which knows neither an end nor held-out data."""
        if self.early_stopping:
            raise ArgumentValueError("early_stopping", "is True", "False with partial_fit")
        if not self.constant_rate:
            raise ArgumentValueError(
                "learning_rate", f"is {self.schedule!r}", "'constant' with partial_fit, which has no end"
            )
        return replace(self, epochs=1)

    def optimizer(self, updates: int) -> Optimizer:
        """Return the optimizer for a run with this many updates."""
        if self.solver in _SECOND_ORDER:
            return _SECOND_ORDER[self.solver]()
        rate: Any = self.rate
        if not self.constant_rate:
            rate = (CosineDecay if self.schedule == "cosine" else OneCycle)(self.rate, updates)
        return Adam(rate) if self.solver == "adam" else SGD(rate, momentum=0.9, nesterov=True)


def read_options(given: Parameters, pooling: Any) -> Options:
    """Return the parameters of training, checked."""
    truncation = None if given.truncation is None else integer("truncation", given.truncation, 1)
    if truncation is not None and pooling != "last":
        raise ArgumentValueError(
            "truncation", f"is {truncation}", f"None with pooling {pooling!r}, which needs whole sequences"
        )
    clip = given.clip_norm
    options = Options(
        epochs=integer("max_iter", given.max_iter, 1),
        solver=choice("solver", given.solver, SOLVERS),
        alpha=number("alpha", given.alpha),
        batch_size=integer("batch_size", given.batch_size, 1),
        rate=number("learning_rate_init", given.learning_rate_init, positive=True),
        schedule=choice("learning_rate", given.learning_rate, SCHEDULES),
        shuffle=flag("shuffle", given.shuffle),
        tol=number("tol", given.tol),
        patience=integer("n_iter_no_change", given.n_iter_no_change, 1),
        verbose=given.verbose,
        clip_norm=None if clip is None else number("clip_norm", clip, positive=True),
        early_stopping=flag("early_stopping", given.early_stopping),
        validation_fraction=number(
            "validation_fraction", given.validation_fraction, positive=True, below=1.0
        ),
        truncation=truncation,
        input_noise=number("input_noise", given.input_noise),
        standardize=flag("standardize", given.standardize),
        n_threads=read_threads(given.n_jobs),
    )
    return options if options.solver not in _SECOND_ORDER else _whole_batch(given, options)


def _whole_batch(given: Parameters, options: Options) -> Options:
    """Return the options for a solver that takes one step over all the data in each epoch.

    Rates, batches, clipping and shuffling mean nothing to it; options that would change its data are refused.
    """
    for name, value, fitting in (
        ("truncation", given.truncation, None),
        ("dropout", given.dropout, 0.0),
        ("input_noise", given.input_noise, 0.0),
    ):
        if value:
            raise ArgumentValueError(name, f"is {value}", f"{fitting} with solver {options.solver!r}")
    return replace(options, schedule="constant", batch_size=BATCH_SIZE, shuffle=True, clip_norm=None)


def read_threads(jobs: Any) -> int | None:
    """Return ``n_jobs`` as a number of threads, None for all that there are."""
    if jobs is None:
        return None
    count = integer("n_jobs", jobs, -(2**31))
    if count == 0:
        raise ArgumentValueError("n_jobs", "is 0", "None, a number of threads, or -1 for all CPUs")
    return count if count > 0 else max(1, _engine.threads(None) + 1 + count)


def read_dtype(given: Any, X: np.dtype[Any]) -> np.dtype[Any]:
    """Return the network's dtype for sequences of dtype ``X``."""
    if given is not None:
        return real_dtype(given)
    return np.dtype(np.float32 if np.float32 == X else np.float64)


def layers(
    given: Parameters, pooling: Any, readout: DenseActivation, outputs: int, per_step: bool
) -> list[Layer]:
    """Return the layers that the parameters describe; ``readout`` is the activation of the last one."""
    sizes: Any = given.hidden_layer_sizes
    if isinstance(sizes, numbers.Integral) and not isinstance(sizes, bool):
        sizes = (sizes,)
    if not isinstance(sizes, (tuple, list, np.ndarray)) or len(sizes) == 0:
        wrong = isinstance(sizes, (tuple, list, np.ndarray))
        raise (ArgumentValueError if wrong else ArgumentTypeError)(
            "hidden_layer_sizes", f"is {describe(sizes)}", "a number of units or a tuple of them"
        )
    cell = choice("cell", given.cell, CELLS)
    own: dict[str, Any] = {"activation": choice("activation", given.activation, RECURRENT_ACTIVATIONS)}
    if cell != "rnn" and own.pop("activation") != "tanh":
        raise ArgumentValueError("activation", f"is {given.activation!r}", f"'tanh' with cell {cell!r}")
    own["bidirectional"] = flag("bidirectional", given.bidirectional)
    own["recurrent_dropout"] = number("dropout", given.dropout, below=1.0)
    pool = choice("pooling", pooling, POOLINGS)
    every_step = per_step or pool != "last"
    stack: list[Layer] = []
    for i, units in enumerate(sizes):
        steps = every_step or i + 1 < len(sizes)
        count = integer(f"hidden_layer_sizes[{i}]", units, 1)
        # Never the input itself: of one feature, a sequence's mask would leave nothing.
        dropped = own["recurrent_dropout"] if i else 0.0
        stack.append(_CELLS[cell](count, return_sequences=steps, dropout=dropped, **own))
    if pool in _POOLS:
        if per_step:
            raise ArgumentValueError("pooling", f"is {pool!r}", "'last' where every step has an answer")
        stack.append(_POOLS[pool]())
    stack.append(Dense(outputs, readout))
    return stack
