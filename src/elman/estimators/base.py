"""The base of the estimators: input read, one network trained on it, answers returned."""

from __future__ import annotations

import copy
import math
import os
from collections.abc import Callable
from dataclasses import replace
from functools import partial as partial_call
from typing import Any, ClassVar

import numpy as np
from sklearn.base import BaseEstimator
from sklearn.utils.validation import check_is_fitted, validate_data

from elman._validation import describe, flag, refuse_mask
from elman.data import estimator_input, signal_limits
from elman.data.estimator_input import Rows
from elman.data.sequences import Array, Batch, Sequences
from elman.errors import ArgumentTypeError, ArgumentValueError
from elman.estimators import convergence, files, fitting
from elman.estimators import data as estimator_data
from elman.estimators.data import EstimatorData
from elman.estimators.early_stopping import Patience
from elman.estimators.hold_out import hold_out
from elman.estimators.options import layers, read_dtype, read_options, read_threads
from elman.estimators.parameters import Parameters
from elman.estimators.scaling import Scaler
from elman.estimators.stream import EstimatorStream
from elman.model import file
from elman.model.history import History, history_html
from elman.network.network import Network
from elman.nn.activations import DenseActivation
from elman.training import loop
from elman.training.checkpoint import Checkpoint, FileOwner, open_run
from elman.training.plan import NAMES, VALIDATION_NAMES, Plan

_FLOATS = [np.float64, np.float32]


class SequenceEstimator(Parameters, BaseEstimator):  # type: ignore[misc]
    """The base of `RNNClassifier`, `RNNRegressor` and `RNNTagger`: not for direct use.

    A subclass says what its answers are: how they are read (``_read_answers``) and encoded
    (``_encode_answers``), what is learned from those that are trained on (``_learn_scales``,
    ``_known_answers``, ``_keep_answers``), how outputs become answers (``to_answers``), which score early
    stopping watches (``_score_of``), and what a file holds of it (``_pack_learned``, ``restore_answers``).
    """

    network_: Network
    n_features_in_: int
    feature_names_in_: Array | None
    feature_units_: tuple[str, ...] | None
    rate_: float | None
    signal_limits_: signal_limits.SignalLimits
    n_iter_: int
    loss_: float
    loss_curve_: list[float]
    validation_scores_: list[float] | None
    best_validation_score_: float | None
    validation_rows_: Rows
    scaler_: Scaler
    tabular_: bool
    temperature_: float  # of `elman.calibrate`

    _readout: ClassVar[DenseActivation] = "softmax"
    _multi_output = False

    # what an estimator decides for itself

    @property
    def per_step(self) -> bool:
        """Whether there is one answer per step instead of one per sequence."""
        raise NotImplementedError

    def _pooling(self) -> Any:
        return "last"

    def _read_answers(self, y: Any, batch: Batch) -> Array:
        """Return y as an array, one answer per sequence or per step, checked as far as numbers go."""
        raise NotImplementedError

    def _encode_answers(
        self, data: EstimatorData, known: Any, classes: Any, warm: bool
    ) -> tuple[EstimatorData, Any]:
        """Return the answers as classes or rows of numbers, and what there is to know of them.

        ``known`` is that of an earlier fit, None in a fit that begins anew; ``warm``: with ``warm_start``.
        """
        raise NotImplementedError

    def _learn_scales(
        self, train: EstimatorData, held_out: EstimatorData | None, learned: Any, fresh: bool, scale: bool
    ) -> tuple[EstimatorData, EstimatorData | None, Any]:
        """Return both parts with class weights or target scales, which are learned from ``train`` alone.

        Where not ``fresh``, the target scales in ``learned`` stay; where not ``scale``, they change nothing.
        """
        raise NotImplementedError

    def _known_answers(self) -> Any:
        """Return what an earlier fit learned of the answers."""
        raise NotImplementedError

    def _keep_answers(self, learned: Any) -> None:
        """Set the attributes that hold what was learned of the answers."""
        raise NotImplementedError

    def _score_of(self, held_out: EstimatorData, train: EstimatorData) -> Callable[[dict[str, float]], float]:
        """Return the function from a report of fit to the score that early stopping watches."""
        raise NotImplementedError

    def to_answers(self, outputs: Array) -> Array:
        """Return network outputs (rows, C) as answers (rows, C): probabilities, or values in units of y."""
        raise NotImplementedError

    def _pack_learned(self, learned: Any, own: dict[str, Any], arrays: dict[str, Array]) -> None:
        """Add what was learned of the answers to what a file holds."""
        raise NotImplementedError

    def restore_answers(self, own: dict[str, Any], arrays: dict[str, Array], outputs: int) -> None:
        """Set what `pack_answers` added; ValueError where it does not fit a network of C ``outputs``."""
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
        on_start: Callable[[], None] | None = None,
    ) -> None:
        """Check everything, then train; the estimator is unchanged where a check fails."""
        fresh = not ((partial or flag("warm_start", self.warm_start)) and hasattr(self, "network_"))
        options = read_options(self, self._pooling())
        if partial:
            options = options.for_one_epoch()
        if on_start is not None and not callable(on_start):
            raise ArgumentTypeError("on_start", f"is {describe(on_start)}", "a callable or None")
        form = copy.copy(self)  # is given the form of X, in which validation_data must come
        if fresh:
            estimator_input.keep_features(form, files.features_of_run(path, resume))
        known = None if fresh else self._known_answers()
        warm = not (fresh or partial)
        data, learned = self._read_data(form, fresh, X, y, sample_weight, known, classes, warm)
        signal_limits.keep(form, data.batch, fresh)
        network = self._network(data, fresh, path if resume else None)
        train, held_out, rows = data, None, None
        if options.early_stopping and validation_data is None:
            fraction = options.validation_fraction
            train, held_out = hold_out(data, fraction, network.seed % 2**32, self.per_step)
            rows = held_out.rows
        train, held_out, learned = self._learn_scales(train, held_out, learned, fresh, options.standardize)
        scaler = estimator_data.learn_scaler(train, options.standardize) if fresh else self.scaler_
        finite = fresh and options.standardize and estimator_data.stays_finite(train, scaler)
        if validation_data is not None:
            held_out = self._read_validation(form, validation_data, learned, options.standardize)
            options = replace(options, early_stopping=True)
        score = None if held_out is None else self._score_of(held_out, train)
        patience = Patience(options.tol, options.wait, score)
        curve, count = ([], 0) if fresh else (self.loss_curve_, self.n_iter_ if partial else 0)
        note = partial_call(self._note, network, network.history, patience, curve, count)
        owner = FileOwner(type(self).__name__, partial_call(self._pack, note))
        if path is not None:
            owner = self._saveable(owner, train, held_out, rows is not None, learned)
        model = network.model
        validation = None
        if held_out is not None:
            names = NAMES if rows is not None else VALIDATION_NAMES
            validation = estimator_data.for_training(model, held_out, scaler, False, names)
        made = estimator_data.for_training(model, train, scaler, finite)
        plan = fitting.plan(network, made, validation, options, patience)
        point = open_run(model, plan, path, resume, owner)
        self._keep(form, scaler, network, learned, rows)  # nothing can fail any more
        if not fresh and not options.constant_rate:
            network.reset_optimizer()  # a new cycle of the learning rate
        unfinished = self._run(plan, point, patience, note, on_start)
        if not partial:
            convergence.warn(unfinished, stacklevel=3)  # at the caller of fit

    def _saveable(
        self, owner: FileOwner, train: EstimatorData, held_out: EstimatorData | None, part: bool, learned: Any
    ) -> FileOwner:
        """Return the owner with what its checkpoint must agree with; TypeError for what no file can hold."""
        files.check_saveable(self)
        self._pack_learned(learned, {}, {})
        given = (train.checksums(), None if held_out is None else held_out.checksums())
        settings = fitting.settings(self.get_params(deep=False), part, learned)
        return replace(owner, settings=settings, given=given)

    def _network(self, data: EstimatorData, fresh: bool, resumed: Any) -> Network:
        """Return the network to train: a new one, or that of the earlier fit, checked."""
        stack = layers(self, self._pooling(), self._readout, data.outputs, self.per_step)
        if fresh:
            X = data.batch.values
            dtype = read_dtype(self.dtype, X.dtype)
            return Network(stack, X.shape[1], dtype, fitting.read_seed(self.random_state, resumed))
        fitting.check_network(self.network_, stack, data, self.dtype)
        return self.network_

    def _keep(
        self, form: SequenceEstimator, scaler: Scaler, network: Network, learned: Any, rows: Rows | None
    ) -> None:
        """Set what was learned before training; ``rows`` of X are held out."""
        estimator_input.copy_form(form, self)
        self.scaler_, self.network_ = scaler, network
        self._keep_answers(learned)
        self.__dict__.pop("validation_rows_", None)
        self.__dict__.pop("temperature_", None)  # of weights that are no longer those
        if rows is not None:
            self.validation_rows_ = rows

    def _run(
        self,
        plan: Plan,
        point: Checkpoint | None,
        patience: Patience,
        note: Callable[[], None],
        on_start: Callable[[], None] | None,
    ) -> str:
        """Train as planned; the estimator is what the finished epochs made it, also after an interrupt.

        Return a sentence where the run has ended unconverged.
        """
        network = self.network_
        try:
            with network.model.lock.writing("fit"):
                if on_start is not None:
                    on_start()
                loop.fit(network.model, network, plan, point)
        finally:  # also after Ctrl-C and DivergenceError
            note()
            if patience.best is not None:
                network.parameters[:] = patience.best
        return convergence.unfinished(network.model, plan, network.history, patience, self.tol)

    def _read_data(
        self,
        form: SequenceEstimator,
        fresh: bool,
        X: Any,
        y: Any,
        sample_weight: Any,
        known: Any,
        classes: Any,
        warm: bool,
    ) -> tuple[EstimatorData, Any]:
        """Return the data of a fit, checked, and what there is to know of its answers."""
        batch, y = self._read_fit(X, y, form, fresh)
        data = estimator_data.given_data(batch, self._read_answers(y, batch), sample_weight, self.per_step)
        data, found = self._encode_answers(data, known, classes, warm)
        return data.without_zero_weights(), found

    def _read_validation(
        self, form: SequenceEstimator, given: Any, learned: Any, scale: bool
    ) -> EstimatorData:
        """Return ``validation_data``, checked, with the classes or scales learned from the training data."""
        if not isinstance(given, (tuple, list)) or len(given) not in (2, 3):
            raise ArgumentTypeError(
                "validation_data", f"is {describe(given)}", "(X, y) or (X, y, sample_weight)"
            )
        X, y, weights = given if len(given) == 3 else (*given, None)
        try:
            data, known = self._read_data(form, False, X, y, weights, learned, None, False)
            return self._learn_scales(data, None, known, False, scale)[0]
        except (TypeError, ValueError) as error:
            kind = ArgumentTypeError if isinstance(error, TypeError) else ArgumentValueError
            raise kind("validation_data", f"cannot be used: {error}") from None

    def _read_fit(self, X: Any, y: Any, form: SequenceEstimator, fresh: bool) -> tuple[Batch, Any]:
        """Return X in the inner form, checked, and y; scikit-learn checks both together in a table."""

        @np.errstate(over="ignore", invalid="ignore")  # the sum of large numbers may be inf - inf
        def check_table(X: Any) -> Array:
            nonlocal y
            if self.per_step:
                checked: Array = validate_data(form, X, dtype=_FLOATS, reset=fresh)
            else:
                many = self._multi_output
                checked, y = validate_data(form, X, y, multi_output=many, dtype=_FLOATS, reset=fresh)
            return checked

        refuse_mask("y", y)  # scikit-learn takes it for a plain array
        batch = estimator_input.read(form, X, fresh, check_table, estimator_data.check_finite)
        return batch, y

    def _note(
        self, network: Network, before: History, patience: Patience, curve: list[float], count: int
    ) -> None:
        """Set what follows from the epochs so far; ``before``, ``curve``, ``count`` are of earlier fits."""
        losses = [] if network.history is before else network.history.history["loss"]
        self.n_iter_ = count + len(losses)
        self.loss_curve_ = curve + losses
        self.loss_ = self.loss_curve_[-1] if self.loss_curve_ else math.nan
        watched = patience.score is not None  # otherwise None, as scikit-learn has it
        self.validation_scores_ = list(patience.scores) if watched else None
        self.best_validation_score_ = max(patience.scores, default=math.nan) if watched else None

    # answers

    def _outputs(self, X: Any) -> tuple[Batch, Array]:
        """Return X in the inner form and this estimator's answers, (n, C) or per step (N, C)."""
        check_is_fitted(self, "network_")
        # The engine checks the scaled sequences: NaN and infinity are still there.
        batch = estimator_input.read(self, X, False, self._check_table, _leave)
        network = self.network_
        scaled = Sequences(self.scaler_.apply(batch.values, network.dtype), batch.offsets)
        try:
            out = network.predict(scaled, n_threads=read_threads(self.n_jobs))
        except ValueError:
            estimator_data.check_finite(batch)  # the number as it is in X, before scaling
            raise
        return batch, self.to_answers(out.values if isinstance(out, Sequences) else out)

    @np.errstate(over="ignore", invalid="ignore")  # the sum of large numbers may be inf - inf
    def _check_table(self, X: Any) -> Array:
        checked: Array = validate_data(self, X, dtype=_FLOATS, reset=False)
        return checked

    def stream(self, rows: int | None = None) -> EstimatorStream:
        """Return a stream of answers, one step at a time: after t steps, those for the first t steps.

        Shapes: ``step(x)`` with x (F,), or a number where F is 1, gives (C,): class probabilities, or values;
        with ``rows=k`` k streams at once, (k, F) -> (k, C). ``steps(x)`` takes several steps, (T, F) ->
        (T, C). ``state`` and ``reset()`` are those of `Network.stream`.
        """
        check_is_fitted(self, "network_")
        return EstimatorStream(copy.copy(self), rows)

    # keeping

    def save(self, path: str | os.PathLike[str]) -> None:
        """Write the fitted estimator into one safetensors file that `elman.load` reads; no pickle.

        Kept: parameters, classes, scaling and the network. A ``random_state`` that is a generator is kept as
        None. TypeError for class labels other than str, int, float and bool, and for parameters that have no
        plain form.
        """
        file.write(path, *files.pack_fitted(self))

    def pack_answers(self, own: dict[str, Any], arrays: dict[str, Array]) -> None:
        """Add classes, or the scale of the targets, to what a file holds."""
        self._pack_learned(self._known_answers(), own, arrays)

    def _pack(self, note: Callable[[], None]) -> tuple[dict[str, Any], dict[str, Array]]:
        """Return the estimator as it is in the middle of a run."""
        note()
        return files.pack(self)

    def _repr_mimebundle_(self, **kwargs: Any) -> dict[str, str]:
        """Return what notebooks show: scikit-learn's diagram and, once fitted, the curves of training."""
        bundle: dict[str, str] = super()._repr_mimebundle_(**kwargs)
        if "text/html" in bundle and hasattr(self, "loss_curve_"):
            curves = {"loss": self.loss_curve_}
            scores = getattr(self, "validation_scores_", None)  # an estimator of elman 0.1 may lack it
            if scores is not None and len(scores) == len(self.loss_curve_):
                curves["validation score"] = scores
            bundle["text/html"] += history_html(curves)
        return bundle

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()
        tags.input_tags.three_d_array = True
        tags.target_tags.required = True
        return tags


def _leave(batch: Batch) -> None:
    """Leave the sequences unchecked."""
