"""FillMissing: missing values replaced by the last known value, with flags."""

from __future__ import annotations

from typing import Any, Literal

import numpy as np
from sklearn.utils.validation import check_is_fitted

from elman._validation import flag, integer, number
from elman.data.sequences import Array, Batch, Offsets
from elman.errors import ArgumentValueError
from elman.features.base import FeatureStream, Float64, SequenceTransformer


class FillMissing(SequenceTransformer):
    """Missing values (NaN) replaced by the last known value, with flags that mark them.

    y_t = x_t where x_t is known, otherwise y_{t-1}; before the first known value of a sequence, ``before``.
    Flag f of a step is 1 where feature f is missing, 0 where it is known.

    Shapes: (T, F) -> (T, 2 F), values and then flags; (T, F) without ``flags``. An estimator standardizes the
    flags like every other feature.

    Parameters
    ----------
    before : "mean" or float
        The value before the first known value of a sequence: the feature's mean over all known values of the
        training data (0 if there are none), or one number for all features.
    flags : bool
        Adds the F flags.

    Attributes
    ----------
    before_ : array (F,)
        The value of each feature before the first known value of a sequence.

    Raises
    ------
    ValueError, TypeError
        Naming the argument, or the sequence that has an infinite number.

    >>> import numpy as np
    >>> FillMissing(before=0.0).fit_transform([np.array([np.nan, 5.0, np.nan])])[0].tolist()
    [[0.0, 1.0], [5.0, 0.0], [5.0, 1.0]]
    """

    before_: Float64
    takes_missing = True
    _learned = ("before_",)

    def __init__(self, *, before: Literal["mean"] | float = "mean", flags: bool = True) -> None:
        self.before = before
        self.flags = flags

    def check_parameters(self) -> None:
        flag("flags", self.flags)
        if isinstance(self.before, str):
            if self.before != "mean":
                raise ArgumentValueError("before", f"is {self.before!r}", "'mean' or a finite number")
        else:
            number("before", self.before, minimum=-float("inf"))
            if not np.isfinite(self.before):
                raise ArgumentValueError("before", f"is {self.before}", "'mean' or a finite number")

    def _learn(self, batch: Batch) -> dict[str, Any]:
        features = batch.values.shape[1]
        if not isinstance(self.before, str):
            return {"before_": np.full(features, float(self.before))}
        known = ~np.isnan(batch.values)
        sums = np.where(known, batch.values, 0.0).sum(axis=0, dtype=np.float64)
        return {"before_": sums / np.maximum(known.sum(axis=0), 1)}

    def _apply(self, batch: Batch) -> Float64:
        first = np.repeat(batch.offsets[:-1], batch.lengths())[:, None]
        x = batch.values.astype(np.float64, copy=False)
        missing = np.isnan(x)
        last = np.where(missing, -1, np.arange(len(x))[:, None])
        np.maximum.accumulate(last, axis=0, out=last)
        known = np.take_along_axis(x, last, axis=0)  # -1 means that no value is known before; it is not used
        return self._with_flags(np.where(last >= first, known, self.before_), missing)

    def _with_flags(self, filled: Float64, missing: Array) -> Float64:
        return np.hstack([filled, missing.astype(np.float64)]) if self.flags else filled

    def _names(self, channels: list[str]) -> list[str]:
        return channels + [f"{channel}_missing" for channel in channels] if self.flags else channels

    def ends(self, steps: int) -> Offsets:
        """Return 0, ..., steps - 1: every sample completes a step."""
        return np.arange(integer("steps", steps, 1))

    def stream(self) -> FillStream:
        """Return a stream: ``step`` (F,) -> (F',), ``steps`` (k, F) -> (k, F'), NaN where one is missing."""
        check_is_fitted(self, "before_")
        self.check_parameters()
        return self._by_name(FillStream(self.before_.copy(), bool(self.flags)))


class FillStream(FeatureStream):
    """Missing values filled in a stream: `FillMissing.stream` makes it."""

    missing = True

    def __init__(self, before: Float64, flags: bool) -> None:
        super().__init__(len(before), (2 if flags else 1) * len(before))
        self._before, self._flags = before, flags
        self.reset()

    def reset(self) -> None:
        """Go back to the beginning of a sequence."""
        self._last = self._mark = self._before

    def advance(self, x: Array) -> Array:
        """Take samples (k, F) that were checked."""
        self._mark = self._last
        if not len(x):
            return self.nothing(x.dtype)
        missing = np.isnan(x)
        values = np.vstack([self._last, x])  # first, the last value before them
        source = np.where(missing, 0, np.arange(1, len(values))[:, None])
        np.maximum.accumulate(source, axis=0, out=source)
        filled = np.take_along_axis(values, source, axis=0)
        self._last = filled[-1].copy()
        made = np.hstack([filled, missing]) if self._flags else filled
        return made.astype(x.dtype, copy=False)

    def undo(self) -> None:
        """Undo the last ``advance``."""
        self._last = self._mark
