"""The parameters of the estimators and their documentation, written once for all of them."""

from __future__ import annotations

import inspect
import textwrap
from collections.abc import Sequence
from dataclasses import KW_ONLY, dataclass
from typing import Any, Literal, TypeVar, get_args

import numpy as np
from numpy.typing import NDArray

from elman._validation import DType
from elman.nn.activations import RecurrentActivation

Kind = TypeVar("Kind", bound=type)

Cell = Literal["rnn", "gru", "lstm"]
Solver = Literal["adam", "sgd", "lbfgs", "lm"]
Schedule = Literal["constant", "cosine", "onecycle"]
Pooling = Literal["last", "mean", "max"]
CELLS: tuple[Cell, ...] = get_args(Cell)
SOLVERS: tuple[Solver, ...] = get_args(Solver)
SCHEDULES: tuple[Schedule, ...] = get_args(Schedule)
POOLINGS: tuple[Pooling, ...] = get_args(Pooling)

_MARK = "{shared}"  # stands in a docstring for the parameters below


@dataclass(eq=False, repr=False)
class Parameters:
    """The parameters that all estimators share.

    Nothing is checked here: scikit-learn wants parameters stored as they are given, and checked by fit.

    Parameters
    ----------
    hidden_layer_sizes : int or tuple of int
        Units of each recurrent layer, from the input upwards.
    cell : {"rnn", "gru", "lstm"}
        The kind of recurrent layer.
    activation : {"tanh", "relu", "sigmoid", "identity"}
        Of the recurrent layers of cell "rnn"; GRU and LSTM have fixed ones.
    bidirectional : bool
        Reads every sequence from both ends; not with ``truncation``, and not for ``stream``.
    solver : {"adam", "sgd", "lbfgs", "lm"}
        The optimizer; "sgd" has Nesterov's momentum 0.9. "lbfgs" and "lm" take one step over all the data in
        each of max_iter iterations, without rates, batches and clipping; "lm" is for networks of up to some
        3,000 parameters.
    alpha : float, at least 0
        Adds alpha/2 times the sum of squares of kernels and recurrent kernels to each update's loss.
    batch_size : int, at least 1
        Sequences an update.
    learning_rate_init : float, above 0
        The learning rate, the highest one where it changes.
    learning_rate : {"constant", "cosine", "onecycle"}
        Falls along half a cosine, or climbs first, over ``max_iter`` epochs; ``tol`` does not end these.
    max_iter : int, at least 1
        Epochs at most.
    shuffle : bool
        A new order of the sequences each epoch.
    random_state : int, RandomState, Generator or None
        Initial weights, shuffling, held-out sequences and noise follow from it.
    tol : float, at least 0
        What counts as an improvement of the training loss, or of the score with ``early_stopping``.
    verbose : bool or int
        A progress bar.
    warm_start : bool
        A second ``fit`` goes on with the network of the first, on y of the same classes.
    clip_norm : float or None
        Scales gradients whose norm is larger.
    early_stopping : bool
        Holds ``validation_fraction`` of the sequences out (RNNClassifier: of each class), stops when the
        score on them does not improve any more, and restores the best weights. The score is the accuracy,
        of RNNRegressor R2. Standardization and "balanced" weights are learned from the others alone.
    validation_fraction : float between 0 and 1
        Share of the sequences that early stopping holds out.
    n_iter_no_change : int, at least 1
        Training ends after this many epochs in a row without improvement.
    truncation : int or None
        Truncated backpropagation through time in chunks of this many steps.
    dropout : float in [0, 1)
        Share of the hidden units dropped in training, one mask per sequence, in the recurrence of every layer
        and between layers; the input itself is never dropped.
    input_noise : float, at least 0
        Standard deviation of Gaussian noise added to the (standardized) training input, fresh each epoch.
    dtype : {"float32", "float64"} or None
        None: float32 for float32 input, float64 otherwise.
    standardize : bool
        Brings every feature to mean 0 and standard deviation 1 over all steps of the training data (2-D
        input: one mean and one scale in all); kept in the model, applied by ``predict`` and ``stream``.
    n_jobs : int or None
        Threads; None takes the CPUs of this process, bounded by OMP_NUM_THREADS. Results do not depend on it.
    """

    hidden_layer_sizes: int | Sequence[int] | NDArray[np.integer[Any]] = (64,)
    _: KW_ONLY
    cell: Cell = "rnn"
    activation: RecurrentActivation = "tanh"
    bidirectional: bool = False
    solver: Solver = "adam"
    alpha: float = 0.0
    batch_size: int = 32
    learning_rate_init: float = 1e-3
    learning_rate: Schedule = "constant"
    max_iter: int = 200
    shuffle: bool = True
    random_state: int | np.random.RandomState | np.random.Generator | None = None
    tol: float = 1e-4
    verbose: bool | int = False
    warm_start: bool = False
    clip_norm: float | None = 1.0
    early_stopping: bool = False
    validation_fraction: float = 0.1
    n_iter_no_change: int = 10
    truncation: int | None = None
    dropout: float = 0.0
    input_noise: float = 0.0
    dtype: DType | None = None
    standardize: bool = True
    n_jobs: int | None = None


@dataclass(eq=False, repr=False, kw_only=True)
class PooledParameters(Parameters):
    """The parameters of estimators that may pool over the steps of a sequence.

    Parameters
    ----------
    {shared}
    pooling : {"last", "mean", "max"}
        What the answer follows from: the last hidden state, or the mean or maximum over all steps.
    """

    pooling: Pooling = "last"


def documented(kind: Kind) -> Kind:
    """Put the parameters of the nearest parameter class into a docstring, at the line ``{shared}``."""
    if kind.__doc__ is not None:  # None under python -OO
        base = next(each for each in kind.__mro__[1:] if each in (PooledParameters, Parameters))
        lines = inspect.cleandoc(kind.__doc__).splitlines()
        at = lines.index(_MARK)
        shared = inspect.cleandoc(base.__doc__ or "").partition("----------\n")[2].splitlines()
        kind.__doc__ = textwrap.indent("\n".join([*lines[:at], *shared, *lines[at + 1 :]]), "    ").lstrip()
    return kind


documented(PooledParameters)
