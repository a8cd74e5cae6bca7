"""What the estimators share: parameters checked, input read, one network trained, answers given back."""

from __future__ import annotations

import copy
import math
import numbers
from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import partial as partial_call
from typing import Any

import numpy as np
from sklearn.base import BaseEstimator
from sklearn.model_selection import train_test_split
from sklearn.utils.validation import check_is_fitted, validate_data

from elman import _engine
from elman._validation import choice, describe, flag, integer, number, real_dtype
from elman.data import estimator_input
from elman.data.sequences import Array, Batch, Sequences
from elman.data.targets import as_weights
from elman.errors import ArgumentTypeError, ArgumentValueError
from elman.estimators import files, scaling
from elman.estimators.scaling import Scaler
from elman.estimators.stopping import Patience
from elman.model import file
from elman.model.history import History, history_html
from elman.model.model import Float64
from elman.network.network import Network
from elman.nn.layers import (
    GRU,
    LSTM,
    RECURRENT_ACTIVATIONS,
    Dense,
    Layer,
    MaxPool,
    MeanPool,
    SimpleRNN,
)
from elman.nn.optimizers import LBFGS, SGD, Adam, LevenbergMarquardt, Optimizer
from elman.nn.schedules import CosineDecay, OneCycle
from elman.training import loop
from elman.training.checkpoint import Owner, network_spec, peek
from elman.training.plan import Plan, make_plan

_CELLS: dict[str, type[SimpleRNN] | type[GRU] | type[LSTM]] = {"rnn": SimpleRNN, "gru": GRU, "lstm": LSTM}
_SECOND_ORDER: dict[str, type[LevenbergMarquardt] | type[LBFGS]] = {"lbfgs": LBFGS, "lm": LevenbergMarquardt}
_SOLVERS = ("adam", "sgd", *_SECOND_ORDER)
_POOLS: dict[str, type[MeanPool] | type[MaxPool]] = {"mean": MeanPool, "max": MaxPool}


@dataclass(frozen=True)
class Options:
    """The parameters of training, checked."""

    epochs: int
    solver: str
    alpha: float
    batch_size: int
    rate: float
    schedule: str
    shuffle: bool
    tol: float
    patience: int
    verbose: Any
    clip_norm: float | None
    early_stopping: bool
    validation_fraction: float
    truncation: int | None
    input_noise: float
    n_threads: int | None

    @property
    def constant_rate(self) -> bool:
        return self.schedule == "constant"

    @property
    def wait(self) -> float:
        """How many epochs without improvement end the run; a schedule of rates is not cut short by tol."""
        return self.patience if self.early_stopping or self.constant_rate else math.inf

    def for_one_epoch(self) -> Options:
        """Return the same for partial_fit, which knows neither an end nor held-out data."""
        if self.early_stopping:
            raise ArgumentValueError("early_stopping", "is True", "False with partial_fit")
        if not self.constant_rate:
            raise ArgumentValueError(
                "learning_rate", f"is {self.schedule!r}", "'constant' with partial_fit, which has no end"
            )
        return replace(self, epochs=1)

    def optimizer(self, updates: int) -> Optimizer:
        """Return the optimizer for a run of so many updates."""
        if self.solver in _SECOND_ORDER:
            return _SECOND_ORDER[self.solver]()
        rate: Any = self.rate
        if not self.constant_rate:
            rate = (CosineDecay if self.schedule == "cosine" else OneCycle)(self.rate, updates)
        return Adam(rate) if self.solver == "adam" else SGD(rate, momentum=0.9, nesterov=True)


@dataclass(frozen=True)
class Labeled:
    """Sequences as they came, with answers as the network takes them: indices, or values to be scaled."""

    batch: Batch
    answers: Array
    weights: Float64 | None
    class_weight: Float64 | None
    outputs: int
    strata: Array | None  # what early stopping's split keeps in proportion


class SequenceEstimator(BaseEstimator):  # type: ignore[misc]
    """The base of `RNNClassifier`, `RNNRegressor` and `RNNTagger`: not for direct use."""

    network_: Network
    n_features_in_: int
    n_iter_: int
    loss_: float
    loss_curve_: list[float]

    _table: bool
    _scaler: Scaler
    _readout = "softmax"
    pooling = "last"
    class_weight: Any = None

    # what an estimator decides for itself

    _per_step: bool

    def _read_answers(self, y: Any, batch: Batch) -> Array:
        """Return y as an array, one answer a sequence or a step, checked as far as numbers go."""
        raise NotImplementedError

    def _learn_answers(
        self, y: Array, batch: Batch, weights: Float64 | None, fresh: bool, classes: Any
    ) -> Labeled:
        """Learn the classes (or the outputs' scale) and return the answers as the network takes them."""
        raise NotImplementedError

    def _score_of(self, held_out: Labeled) -> Any:
        """Return the function from a report of fit to the score that early stopping watches."""
        raise NotImplementedError

    def _finish(self, outputs: Array) -> Array:
        """Return network outputs (rows, C) as this estimator's answers (rows, C), row by row."""
        raise NotImplementedError

    def _pack_answers(self, own: dict[str, Any], arrays: dict[str, Array]) -> None:
        """Add classes, or the scale of the targets, to what a file holds."""
        raise NotImplementedError

    def _unpack_answers(self, own: dict[str, Any], arrays: dict[str, Array]) -> None:
        """Take up what `_pack_answers` added; ValueError where it is not this network's."""
        raise NotImplementedError

    # learning

    def _train(
        self,
        X: Any,
        y: Any,
        sample_weight: Any,
        *,
        validation_data: Any = None,
        partial: bool = False,
        classes: Any = None,
        path: Any = None,
        resume: Any = False,
    ) -> None:
        """Read everything, then train; nothing of the estimator has changed when the reading raises."""
        before = self.__dict__.copy()
        fresh = not ((partial or flag("warm_start", self.warm_start)) and hasattr(self, "network_"))
        try:
            options = self._options()
            if partial:
                options = options.for_one_epoch()
            data = self._read_labeled(X, y, sample_weight, fresh, classes)
            if fresh:
                self._scaler = self._learn_scale(data)
            network = self._network(data, fresh, path if resume else None)
            train, held_out = data, None
            if validation_data is not None:
                held_out = self._read_validation(validation_data)
                options = replace(options, early_stopping=True)
            elif options.early_stopping:
                train, held_out = self._split(data, options.validation_fraction, network.seed % 2**32)
            score = None if held_out is None else self._score_of(held_out)
            patience = Patience(options.tol, options.wait, score)
            curve, count = ([], 0) if fresh else (self.loss_curve_, self.n_iter_ if partial else 0)
            note = partial_call(self._note, network, network.history, patience, curve, count)
            owner = Owner(type(self).__name__, partial_call(self._pack, note))
            if path is not None:
                owner = replace(owner, settings=self._settings(data, held_out))
            plan = self._plan(network, train, held_out, options, patience, path, resume, owner)
            self.network_ = network
            if path is not None:
                self._pack(note)  # what cannot be saved is said before anything is trained
        except BaseException:
            self.__dict__.clear()
            self.__dict__.update(before)
            raise
        if not fresh and not options.constant_rate:
            network.reset_optimizer()  # a new cycle of the learning rate
        usage = network.model.usage
        usage.begin_write("fit")
        try:
            loop.fit(network.model, network, plan)
        finally:  # also after Ctrl-C and DivergenceError: the estimator is what the finished epochs made it
            usage.end_write()
            note()
            if patience.best is not None:
                network.parameters[:] = patience.best

    def _read_validation(self, given: Any) -> Labeled:
        if not isinstance(given, (tuple, list)) or len(given) not in (2, 3):
            raise ArgumentTypeError(
                "validation_data", f"is {describe(given)}", "(X, y) or (X, y, sample_weight)"
            )
        try:
            return self._read_labeled(given[0], given[1], given[2] if len(given) == 3 else None, False, None)
        except (TypeError, ValueError) as error:
            kind = TypeError if isinstance(error, TypeError) else ValueError
            raise kind(f"validation_data cannot be used: {error}") from None

    def _note(
        self, network: Network, before: History, patience: Patience, curve: list[float], count: int
    ) -> None:
        """Set what follows from the epochs so far; ``before``, ``curve`` and ``count`` are of fits before."""
        losses = [] if network.history is before else network.history.history["loss"]
        self.n_iter_ = count + len(losses)
        self.loss_curve_ = curve + losses
        self.loss_ = self.loss_curve_[-1] if self.loss_curve_ else math.nan
        if patience.score is not None:
            self.validation_scores_ = list(patience.scores)
            self.best_validation_score_ = max(patience.scores, default=math.nan)
        else:  # those of a fit before are not this one's
            self.__dict__.pop("validation_scores_", None)
            self.__dict__.pop("best_validation_score_", None)

    def _settings(self, data: Labeled, held_out: Labeled | None) -> dict[str, Any]:
        """Return, for a checkpoint, what the network's own settings do not show of parameters and data."""
        names = ("early_stopping", "validation_fraction", "tol", "n_iter_no_change", "input_noise")
        more = ("standardize", "class_weight", "missing_label")
        settings = {name: repr(getattr(self, name)) for name in (*names, *more) if hasattr(self, name)}
        if hasattr(self, "classes_"):
            settings["classes"] = repr(self.classes_.tolist())
        settings["the checksum of X, y and weights"] = files.fingerprint(data, held_out)
        return settings

    def _read_labeled(self, X: Any, y: Any, sample_weight: Any, fresh: bool, classes: Any) -> Labeled:
        batch, y = self._read(X, fresh, y)
        answers = self._read_answers(y, batch)
        weights = as_weights(sample_weight, batch.n)
        if weights is not None and not weights.all():
            # Before anything is drawn or counted: a row of weight 0 is as one that was not given.
            rows = np.flatnonzero(weights)
            answers = estimator_input.take_answers(answers, batch, rows, self._per_step)
            batch, weights = estimator_input.take(batch, rows), weights[rows]
        return self._learn_answers(answers, batch, weights, fresh, classes)

    def _read(self, X: Any, fresh: bool, *y: Any) -> Any:
        """Return X in the inner form, and y where it is given, of the form (table or not) that was fitted."""
        table = estimator_input.is_table(X)
        if not fresh and table != self._table:
            if not table:
                raise ArgumentValueError("X", "is a collection of sequences", "2-D input as in fit")
            if not isinstance(X, (list, tuple)):
                raise ArgumentValueError(
                    "X",
                    "is 2-D",
                    "sequences as in fit: an array (n, T, F) or a list of (T, F); one sequence is [X]",
                )
            table, X = False, [np.asarray(row) for row in X]  # lists of numbers, fitted as sequences
        checks: dict[str, Any] = {"dtype": [np.float64, np.float32], "reset": fresh}
        if table:
            if y and not self._per_step:
                X, checked = validate_data(self, X, y[0], multi_output=self._multi_output, **checks)
                y = (checked,)
            else:
                X = validate_data(self, X, **checks)
            batch = estimator_input.table_batch(X)
        else:
            batch = estimator_input.sequence_batch(X, None if fresh else self.n_features_in_)
            _engine.data(batch, batch.values.dtype)  # NaN and infinity, by row, before anything is learned
            if fresh:
                self.n_features_in_ = batch.values.shape[1]
                self.__dict__.pop("feature_names_in_", None)
        if fresh:
            self._table = table
        return (batch, *y) if y else batch

    _multi_output = False

    def _learn_scale(self, data: Labeled) -> Scaler:
        if not flag("standardize", self.standardize):
            return scaling.identity(data.batch.values.shape[1])
        weights = data.weights
        if weights is not None:
            weights = np.repeat(weights, data.batch.lengths())
        return scaling.learn(data.batch.values, weights)

    def _network(self, data: Labeled, fresh: bool, resumed: Any) -> Network:
        dtype = self._dtype(data.batch)
        stack = self._layers(data.outputs)
        if fresh:
            return Network(stack, data.batch.values.shape[1], dtype, self._seed(resumed))
        network = self.network_
        if tuple(stack) != network.layers or (self.dtype is not None and dtype != network.dtype):
            raise ValueError(
                f"the parameters ask for {stack} in {dtype}, expected {list(network.layers)} in "
                f"{network.dtype}: the network of the fit before, which warm_start and partial_fit go on with"
            )
        return network

    def _seed(self, resumed: Any) -> int | None:
        """Return the network's seed; without one, that of the file that is resumed, if there is one."""
        given = self.random_state
        if given is None:
            spec = None if resumed is None else peek(resumed)
            seed = None if spec is None else network_spec(spec, repr(resumed)).get("seed")
            return None if seed is None else integer("seed", seed, maximum=math.inf)
        if isinstance(given, np.random.RandomState):
            return int(given.randint(2**31 - 1))
        if isinstance(given, np.random.Generator):
            return int(given.integers(2**31 - 1))
        return integer("random_state", given, maximum=math.inf)

    def _plan(
        self,
        network: Network,
        train: Labeled,
        held_out: Labeled | None,
        options: Options,
        patience: Patience,
        path: Any,
        resume: Any,
        owner: Owner,
    ) -> Plan:
        """Return the checked plan of one run."""
        X, y, weights = self._as_given(network, train)
        prepare = None
        if options.input_noise > 0.0:
            prepare = _Noise(X.values, options.input_noise, network.seed)
        return make_plan(
            network.model,
            X,
            y,
            loss=None,
            optimizer=options.optimizer(self._updates(network, train.batch, options)),
            epochs=options.epochs,
            batch_size=options.batch_size,
            validation_data=None if held_out is None else self._as_given(network, held_out),
            sample_weight=weights,
            l2=options.alpha,
            shuffle=options.shuffle,
            truncation=options.truncation,
            stateful=False,
            clip_norm=options.clip_norm,
            reduction="mean",
            callbacks=[patience] if patience.watches else [],
            verbose=options.verbose,
            n_threads=options.n_threads,
            checkpoint=path,
            resume=resume,
            class_weight=train.class_weight,
            prepare=prepare,
            owner=owner,
        )

    def _updates(self, network: Network, batch: Batch, options: Options) -> int:
        """Return how many updates the run has, at whose end a changing rate arrives."""
        truncation = 0 if options.constant_rate else options.truncation or 0  # nobody asks for the end then
        lengths, updates, order = batch.lengths(), 0, np.arange(batch.n)
        for epoch in range(network.model.epoch, network.model.epoch + options.epochs):
            if options.shuffle and truncation:
                order = _engine.shuffle(network.model.key, epoch, 1, batch.n)
            updates += loop.count_updates(
                lengths, order[None], options.batch_size, truncation, self._per_step
            )
        return updates

    def _split(self, data: Labeled, fraction: float, seed: int) -> tuple[Labeled, Labeled]:
        try:
            parts = train_test_split(
                np.arange(data.batch.n), test_size=fraction, random_state=seed, stratify=data.strata
            )
        except ValueError as error:
            raise ValueError(f"early_stopping cannot hold out {fraction:g} of the data: {error}") from None

        def part(rows: Array) -> Labeled:
            return Labeled(
                estimator_input.take(data.batch, rows),
                estimator_input.take_answers(data.answers, data.batch, rows, self._per_step),
                None if data.weights is None else data.weights[rows],
                data.class_weight,
                data.outputs,
                None,
            )

        return part(parts[0]), part(parts[1])

    def _as_given(self, network: Network, data: Labeled) -> tuple[Sequences, Any, Float64 | None]:
        """Return what Network.fit takes: scaled sequences, answers, weights."""
        y: Any = Sequences(data.answers, data.batch.offsets) if self._per_step else data.answers
        return self._scaled(data.batch, network.dtype), y, data.weights

    def _scaled(self, batch: Batch, dtype: np.dtype[Any]) -> Sequences:
        return Sequences(self._scaler.apply(batch.values, dtype), batch.offsets)

    # parameters

    def _options(self) -> Options:
        """Return the parameters of training, checked."""
        truncation = None if self.truncation is None else integer("truncation", self.truncation, 1)
        if truncation is not None and self.pooling != "last":
            raise ArgumentValueError(
                "truncation",
                f"is {truncation}",
                f"None with pooling {self.pooling!r}, which needs whole sequences",
            )
        clip = self.clip_norm
        options = Options(
            epochs=integer("max_iter", self.max_iter, 1),
            solver=choice("solver", self.solver, _SOLVERS),
            alpha=number("alpha", self.alpha),
            batch_size=integer("batch_size", self.batch_size, 1),
            rate=number("learning_rate_init", self.learning_rate_init, positive=True),
            schedule=choice("learning_rate", self.learning_rate, ("constant", "cosine", "onecycle")),
            shuffle=flag("shuffle", self.shuffle),
            tol=number("tol", self.tol),
            patience=integer("n_iter_no_change", self.n_iter_no_change, 1),
            verbose=self.verbose,
            clip_norm=None if clip is None else number("clip_norm", clip, positive=True),
            early_stopping=flag("early_stopping", self.early_stopping),
            validation_fraction=number(
                "validation_fraction", self.validation_fraction, positive=True, below=1.0
            ),
            truncation=truncation,
            input_noise=number("input_noise", self.input_noise),
            n_threads=self._threads(),
        )
        return options if options.solver not in _SECOND_ORDER else self._whole_batch(options)

    def _whole_batch(self, options: Options) -> Options:
        """Return the options for a solver that takes one step an epoch over all the data.

        Rates, batches, clipping and shuffling mean nothing to it; what would change its data does not fit.
        """
        for name in ("truncation", "dropout", "input_noise"):
            value = getattr(self, name)
            if value:
                expected = None if name == "truncation" else 0.0
                raise ArgumentValueError(name, f"is {value}", f"{expected} with solver {options.solver!r}")
        return replace(options, schedule="constant", batch_size=32, shuffle=True, clip_norm=None)

    def _threads(self) -> int | None:
        jobs = self.n_jobs
        if jobs is None:
            return None
        jobs = integer("n_jobs", jobs, -(2**31))
        if jobs == 0:
            raise ArgumentValueError("n_jobs", "is 0", "None, a number of threads, or -1 for all CPUs")
        return jobs if jobs > 0 else max(1, _engine.threads(None) + 1 + jobs)

    def _dtype(self, batch: Batch) -> np.dtype[Any]:
        if self.dtype is not None:
            return real_dtype(self.dtype)
        return np.dtype(np.float32 if batch.values.dtype == np.float32 else np.float64)

    def _layers(self, outputs: int) -> list[Layer]:
        sizes = self.hidden_layer_sizes
        if isinstance(sizes, numbers.Integral) and not isinstance(sizes, bool):
            sizes = (sizes,)
        if not isinstance(sizes, (tuple, list, np.ndarray)) or len(sizes) == 0:
            kind = ValueError if isinstance(sizes, (tuple, list, np.ndarray)) else TypeError
            raise kind(
                f"hidden_layer_sizes is {describe(sizes)}, expected a number of units or a tuple of them"
            )
        cell = choice("cell", self.cell, tuple(_CELLS))
        own: dict[str, Any] = {"activation": choice("activation", self.activation, RECURRENT_ACTIVATIONS)}
        if cell != "rnn" and own.pop("activation") != "tanh":
            raise ArgumentValueError("activation", f"is {self.activation!r}", f"'tanh' with cell {cell!r}")
        own["bidirectional"] = flag("bidirectional", self.bidirectional)
        own["recurrent_dropout"] = number("dropout", self.dropout, below=1.0)
        pool = choice("pooling", self.pooling, ("last", *_POOLS))
        every_step = self._per_step or pool != "last"
        stack: list[Layer] = []
        for i, units in enumerate(sizes):
            steps = every_step or i + 1 < len(sizes)
            count = integer(f"hidden_layer_sizes[{i}]", units, 1)
            # Never the input itself: of one feature, a sequence's mask would leave nothing.
            dropped = own["recurrent_dropout"] if i else 0.0
            stack.append(_CELLS[cell](count, return_sequences=steps, dropout=dropped, **own))
        if pool in _POOLS:
            if self._per_step:
                raise ArgumentValueError("pooling", f"is {pool!r}", "'last' where every step has an answer")
            stack.append(_POOLS[pool]())
        stack.append(Dense(outputs, self._readout))
        return stack

    # answers

    def _outputs(self, X: Any) -> tuple[Batch, Array]:
        """Return X in the inner form and this estimator's answers, (n, C) or one a step, (N, C)."""
        check_is_fitted(self, "network_")
        batch = self._read(X, False)
        network = self.network_
        out = network.predict(self._scaled(batch, network.dtype), n_threads=self._threads())
        return batch, self._finish(out.values if isinstance(out, Sequences) else out)

    def stream(self, rows: int | None = None) -> EstimatorStream:
        """Return a stream of answers, one step at a time: after t steps, those for the first t steps.

        Shapes: ``step(x)`` with x (F,), or a number where F is 1, gives (C,): class probabilities, or values;
        with ``rows=k`` k streams at once, (k, F) -> (k, C). ``state`` and ``reset()`` are those of
        `Network.stream`.
        """
        check_is_fitted(self, "network_")
        return EstimatorStream(self, rows)

    # keeping

    def save(self, path: Any) -> None:
        """Write the fitted estimator into one safetensors file that `elman.load` reads; no pickle.

        Kept: parameters, classes, scaling and the network. A ``random_state`` that is a generator is kept as
        None. TypeError for class labels other than str, int, float and bool, and for parameters that have no
        plain form.
        """
        file.write(path, *files.pack_fitted(self))

    def _repr_mimebundle_(self, **kwargs: Any) -> dict[str, str]:
        """Return what notebooks show: scikit-learn's diagram and, once fitted, the curves of training."""
        bundle: dict[str, str] = super()._repr_mimebundle_(**kwargs)
        if "text/html" in bundle and hasattr(self, "loss_curve_"):
            curves = {"loss": self.loss_curve_}
            scores = getattr(self, "validation_scores_", [])
            if len(scores) == len(self.loss_curve_):
                curves["validation score"] = scores
            bundle["text/html"] += history_html(curves)
        return bundle

    def _pack(self, note: Callable[[], None]) -> tuple[dict[str, Any], dict[str, Array]]:
        """Return the estimator as it is in the middle of a run."""
        note()
        return files.pack(self)


class EstimatorStream:
    """One step at a time through a fitted estimator: `RNNClassifier.stream` and its sisters make it."""

    def __init__(self, estimator: SequenceEstimator, rows: int | None) -> None:
        self._fitted = copy.copy(estimator)  # a refit gives the estimator other scales, beside a new network
        network = estimator.network_
        self._dtype = network.dtype
        self._native = network.stream(rows)
        self._shape = (network.input_size,) if rows is None else (rows, network.input_size)

    def step(self, x: Any) -> Array:
        """Return the answers after one more step, (F,) -> (C,), with ``rows`` (rows, F) -> (rows, C).

        ValueError for NaN or a wrong shape, TypeError for anything but numbers; the state is unchanged then.
        """
        given = np.asarray(x)
        if given.dtype.kind not in "fiub":
            raise ArgumentTypeError("x", f"has dtype {given.dtype}", "real numbers")
        if given.shape == self._shape[:-1] and self._shape[-1] == 1:
            given = given[..., None]
        if given.shape != self._shape:
            several = "; steps takes several steps" if given.ndim == len(self._shape) + 1 else ""
            raise ArgumentValueError("x", f"has shape {given.shape}", f"{self._shape}{several}")
        scaled = self._fitted._scaler.apply(given.reshape(-1, self._shape[-1]), self._dtype)
        out = self._native.step(scaled.reshape(self._shape))
        answers = self._fitted._finish(out.reshape(len(scaled), -1))
        return answers.reshape(*self._shape[:-1], answers.shape[-1])

    def steps(self, x: Any) -> Array:
        """Return the answers after each of k steps, (k, F) -> (k, C); with ``rows`` also (k, rows, ...).

        The bits are those of ``step``. Errors as there; all steps are checked before the first is taken.
        """
        given = np.asarray(x)
        if given.dtype.kind not in "fiub":
            raise ArgumentTypeError("x", f"has dtype {given.dtype}", "real numbers")
        if self._shape[-1] == 1 and given.ndim == len(self._shape):
            given = given[..., None]
        if given.ndim != len(self._shape) + 1 or given.shape[1:] != self._shape:
            one = "; step takes one step" if np.ndim(x) == len(self._shape) else ""
            sizes = ", ".join(map(str, self._shape))
            raise ArgumentValueError("x", f"has shape {np.shape(x)}", f"(k, {sizes}){one}")
        scaled = self._fitted._scaler.apply(given.reshape(-1, self._shape[-1]), self._dtype)
        out = self._native.steps(scaled.reshape(given.shape))
        answers = self._fitted._finish(out.reshape(len(scaled), out.shape[-1]))
        return answers.reshape(*out.shape[:-1], answers.shape[-1])

    def advance(self, x: Array) -> Array:
        """Return the answers (k, C) after steps (k, F) that were checked, of a stream without ``rows``.

        Numbers too large for the network are a ValueError; a warning of NumPy is the caller's to silence.
        """
        scaled = self._fitted._scaler.apply_few(x, self._dtype)
        out = self._native.step(scaled[0])[None] if len(scaled) == 1 else self._native.steps(scaled)
        return self._fitted._finish(out)

    def reset(self) -> None:
        """Start anew."""
        self._native.reset()

    @property
    def state(self) -> list[Any]:
        """The states, one entry a recurrent layer or pool, as a copy; set by the same."""
        return self._native.state

    @state.setter
    def state(self, value: list[Any]) -> None:
        self._native.state = value


class _Noise:
    """Fresh Gaussian noise on the training input before each epoch; it follows from seed and epoch alone."""

    def __init__(self, values: Array, deviation: float, seed: int) -> None:
        self.values, self.clean, self.deviation, self.seed = values, values.copy(), deviation, seed

    def __call__(self, epoch: int) -> None:
        rng = np.random.default_rng(np.random.SeedSequence(self.seed, spawn_key=(2, epoch)))
        rng.standard_normal(out=self.values, dtype=self.values.dtype)
        self.values *= self.deviation
        self.values += self.clean
