"""The base classes of the feature transformers and of their streams."""

from __future__ import annotations

import copy
from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, Any, Literal, Self, TypeVar, overload

import numpy as np
from numpy.typing import ArrayLike, NDArray
from sklearn.base import BaseEstimator, TransformerMixin
from sklearn.utils.validation import check_is_fitted, validate_data

from elman import _engine
from elman._validation import describe
from elman.data import estimator_input, signal_limits
from elman.data.alignment import RATES_DIFFER, aligned_rows
from elman.data.feature_names import UNKNOWN, Features
from elman.data.input_types import HasArray, SequenceInput, SequenceOutput
from elman.data.sequences import Array, Batch, Offsets, Sequences
from elman.data.stream_input import read_sample, read_samples
from elman.errors import ArgumentValueError

Float64 = NDArray[np.float64]


class FeatureStream:
    """Features of samples as they arrive: `SequenceTransformer.stream` makes it.

    Shapes: ``step`` (F,) -> (F',) or None, ``steps`` (k, F) -> (m, F'). A sample completes at most one row of
    features. A subclass has ``advance``, ``undo`` and ``reset``.
    """

    missing = False  # whether NaN is allowed
    known: Features = UNKNOWN  # of the features of a sample

    def __init__(self, features: int, columns: int) -> None:
        self.features, self.columns = features, columns

    def step(self, sample: ArrayLike) -> Array | None:
        """Return the features (F',) that one sample (F,) completes, None where it completes none.

        ValueError for NaN or a wrong shape, TypeError for anything but numbers; the state is unchanged then.
        """
        if self.known is not UNKNOWN and type(sample) is not np.ndarray:
            sample = aligned_rows(sample, self.known, "sample", one=True)
        rows = self._advance(read_sample(sample, self.features, self.missing))
        return rows[0] if len(rows) else None

    def steps(self, samples: ArrayLike) -> Array:
        """Return the features (m, F') that samples (k, F) complete, in time order.

        The bits do not depend on how the samples are cut. Errors as in ``step``.
        """
        if self.known is not UNKNOWN and type(samples) is not np.ndarray:
            samples = aligned_rows(samples, self.known, "samples")
        return self._advance(read_samples(samples, self.features, self.missing))

    def _advance(self, x: Array) -> Array:
        with np.errstate(over="ignore", invalid="ignore"):
            rows = self.advance(x)
        try:
            self.refuse(rows)
        except BaseException:
            self.undo()
            raise
        return rows

    def advance(self, x: Array) -> Array:
        """Take samples (k, F) that were checked; what overflows becomes infinite."""
        raise NotImplementedError

    def nothing(self, dtype: Any) -> Array:
        """Return no features, (0, F')."""
        return np.empty((0, self.columns), dtype)

    def refuse(self, rows: Array) -> None:
        """Raise ValueError if a feature is not finite."""
        if np.count_nonzero(np.isfinite(rows)) < rows.size:
            raise ArgumentValueError(
                "samples", f"are too large for their features to be finite in {rows.dtype}"
            )

    def undo(self) -> None:
        """Undo the last ``advance``."""
        raise NotImplementedError

    def reset(self) -> None:
        """Go back to the beginning of a sequence."""
        raise NotImplementedError


AnyStream = TypeVar("AnyStream", bound=FeatureStream)


class SequenceTransformer(TransformerMixin, BaseEstimator, auto_wrap_output_keys=None):  # type: ignore[misc, call-arg]
    """The base class of the feature transformers; not for direct use.

    A subclass computes features of checked sequences (``_apply``, ``_lengths``), names its columns
    (``_names``), learns from data if it needs to (``_learn``), and has a ``stream``. Features of windows of
    samples derive from `Windowed` and define one function.
    """

    n_features_in_: int
    feature_names_in_: Array | None
    feature_units_: tuple[str, ...] | None
    rate_: float | None
    signal_limits_: signal_limits.SignalLimits

    tabular_: bool
    takes_missing = False  # whether X may have NaN
    _learned: tuple[str, ...] = ()  # attributes (F,) in float64 that fit learns

    # what subclasses define

    @property
    def per_sequence(self) -> bool:
        """Whether the result is one row a sequence, (n, F'), instead of a sequence of them."""
        return False

    def check_parameters(self) -> None:
        """Raise TypeError or ValueError for wrong parameters, as far as they can be checked without data."""

    def _least(self) -> int:
        """Return the fewest steps that a sequence may have."""
        return 1

    def _learn(self, batch: Batch) -> dict[str, Any]:  # noqa: ARG002
        """Return what is learned from sequences, by the name of the attribute."""
        return {}

    def learned_arrays(self) -> dict[str, Array]:
        """Return what fit has learned as arrays, for a file."""
        return {name: getattr(self, name) for name in self._learned}

    def restore_arrays(self, kept: dict[str, Array]) -> None:
        """Set what `learned_arrays` returned; ValueError or KeyError where the arrays do not fit."""
        for name in self._learned:
            found = kept[name]
            if found.dtype != np.float64 or found.shape != (self.n_channels,) or not np.isfinite(found).all():
                raise ValueError(f"{name} is not {self.n_channels} finite numbers")
            setattr(self, name, found.copy())

    def _lengths(self, lengths: Offsets) -> Offsets:
        """Return the numbers of rows that sequences of these lengths give."""
        return lengths

    def _apply(self, batch: Batch) -> Float64:
        """Return the features of all sequences, one after the other, (N', F')."""
        raise NotImplementedError

    def _names(self, channels: list[str]) -> list[str]:
        """Return the names of the F' columns."""
        raise NotImplementedError

    @property
    def n_features_out(self) -> int:
        """F', the number of columns of the result, once fitted."""
        return len(self._names([""] * self.n_channels))

    def ends(self, steps: int) -> Offsets:
        """Return which sample completes each row of the result, for a sequence of ``steps`` samples, (T',).

        If ``y_i`` has one label per sample, ``y_i[features.ends(len(y_i))]`` has one label per row.
        """
        raise NotImplementedError

    def stream(self) -> FeatureStream:
        """Return a stream, whose ``step`` takes one sample (F,) and whose ``steps`` takes several (k, F)."""
        raise NotImplementedError

    # scikit-learn's interface

    def fit(self, X: SequenceInput, y: object = None) -> Self:  # noqa: ARG002
        """Learn the number of features, and what the transformer needs, from sequences X; y is ignored."""
        self.check_parameters()
        form = copy.copy(self)
        estimator_input.keep_features(form, UNKNOWN)
        batch = self._read(X, form, True)
        learned = self._learn(batch)
        signal_limits.keep(form, batch)
        self._check_rate(form)
        estimator_input.copy_form(form, self)
        for name, value in learned.items():
            setattr(self, name, value)
        return self

    def _by_name(self, stream: AnyStream) -> AnyStream:
        """Return a stream that reads samples with names in the order of the fit."""
        stream.known = UNKNOWN if self.tabular_ else estimator_input.features_of(self)
        return stream

    def _check_rate(self, form: SequenceTransformer) -> None:
        """Raise ValueError if X has another rate than ``fs``, where both are known."""
        fs = getattr(self, "fs", None)
        if fs is None or form.tabular_:
            return
        if form.rate_ is None:
            form.rate_ = float(fs)
        elif abs(form.rate_ - fs) > RATES_DIFFER * fs:
            raise ArgumentValueError("X", f"has {form.rate_:g} Hz", f"{fs:g} Hz (fs)")

    @overload
    def transform(self, X: HasArray) -> Array: ...
    @overload
    def transform(self, X: Sequences) -> Array | Sequences: ...
    @overload
    def transform(self, X: Sequence[ArrayLike]) -> Array | list[Array]: ...
    def transform(self, X: SequenceInput) -> SequenceOutput:
        """Return the features of sequences X, in the form of X; 2-D input gives (n, T', F')."""
        check_is_fitted(self, "n_features_in_")
        self.check_parameters()
        batch = self._read(X, self, False)
        with np.errstate(over="ignore", invalid="ignore"):
            values = self._apply(batch)
            if batch.values.dtype == np.float32:
                values = values.astype(np.float32)
        if self.per_sequence:
            made = Batch(values, np.arange(batch.n + 1), 0, True)
        else:
            offsets = np.concatenate([[0], np.cumsum(self._lengths(batch.lengths()))]).astype(np.int64)
            steps = int(offsets[1]) if batch.steps else 0
            made = Batch(values, offsets, steps, batch.listed)
        if not np.isfinite(values).all():
            wrong = int(np.argmin(np.isfinite(values).all(axis=1)))
            row = int(np.searchsorted(made.offsets, wrong, side="right")) - 1
            raise ArgumentValueError(
                f"X[{row}]", f"has numbers too large for its features to be finite in {values.dtype}"
            )
        return values if self.per_sequence else estimator_input.restore_form(values, made, X)

    if TYPE_CHECKING:  # it is scikit-learn's, which has no types

        @overload
        def fit_transform(self, X: HasArray, y: object = None) -> Array: ...
        @overload
        def fit_transform(self, X: Sequences, y: object = None) -> Array | Sequences: ...
        @overload
        def fit_transform(self, X: Sequence[ArrayLike], y: object = None) -> Array | list[Array]: ...
        def fit_transform(self, X: SequenceInput, y: object = None) -> SequenceOutput: ...

    def get_feature_names_out(self, input_features: Iterable[str] | None = None) -> Array:
        """Return the names of the columns of the result, (F',).

        Input features have the names that they had in fit; without names, and if none are given, they are
        called x0, x1, ... Where the transformer was fitted on 2-D input, whose columns are steps, there is
        one input feature, x0.
        """
        check_is_fitted(self, "n_features_in_")
        given = None if input_features is None else [str(name) for name in input_features]
        if given is not None and len(given) != self.n_features_in_:
            raise ArgumentValueError(
                "input_features",
                f"should have length equal to number of features ({self.n_features_in_}), got {len(given)}",
            )
        channels = given
        known = estimator_input.features_of(self).names
        if channels is None and known is not None:
            channels = list(known)
        if channels is None or self.tabular_:
            channels = [f"x{i}" for i in range(self.n_channels)]
        return np.array(self._names(channels), dtype=object)

    def set_output(self, *, transform: Literal["default"] | None = None) -> Self:
        """Accept "default" and None only: sequences of features do not fit a data frame."""
        if transform not in (None, "default"):
            raise ArgumentValueError(
                "transform", f"is {describe(transform)}", "'default': sequences fit no data frame"
            )
        return self

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()
        tags.input_tags.three_d_array = True
        tags.input_tags.allow_nan = self.takes_missing
        tags.transformer_tags.preserves_dtype = ["float64", "float32"]
        return tags

    @property
    def n_channels(self) -> int:
        """F, the number of features of one sample: 1 where it was fitted on 2-D input."""
        return 1 if self.tabular_ else self.n_features_in_

    def _read(self, X: Any, form: SequenceTransformer, fresh: bool) -> Batch:
        """Return X in the inner form; see `estimator_input.read`."""

        @np.errstate(over="ignore", invalid="ignore")  # the sum of large numbers may be inf - inf
        def check_table(X: Any) -> Array:
            checked: Array = validate_data(
                form,
                X,
                dtype=[np.float64, np.float32],
                reset=fresh,
                ensure_all_finite="allow-nan" if self.takes_missing else True,
                ensure_min_features=self._least() if fresh else 1,
            )
            return checked

        return estimator_input.read(form, X, fresh, check_table, self._refuse)

    def _refuse(self, batch: Batch) -> None:
        """Raise ValueError naming the first sequence that is too short or not finite."""
        lengths, least = batch.lengths(), self._least()
        if lengths.min() < least:
            i = int(np.argmax(lengths < least))
            raise ArgumentValueError(f"X[{i}]", f"has {lengths[i]} steps", f"at least {least} (one window)")
        if not self.takes_missing:
            _engine.data(batch, batch.values.dtype)
        elif batch.values.dtype.kind == "f" and np.isinf(batch.values).any():
            step, feature = np.argwhere(np.isinf(batch.values))[0].tolist()
            row = int(np.searchsorted(batch.offsets, step, side="right")) - 1
            raise ValueError(
                f"X[{row}] has {batch.values[step, feature]} at step {step - int(batch.offsets[row])}, "
                f"feature {feature}; expected finite numbers, or NaN where one is missing"
            )
