"""Which sequences early stopping holds out."""

from __future__ import annotations

import math

import numpy as np
from sklearn.model_selection import train_test_split

from elman.errors import ArgumentValueError
from elman.estimators.data import EstimatorData


def hold_out(
    data: EstimatorData, fraction: float, seed: int, per_step: bool
) -> tuple[EstimatorData, EstimatorData]:
    """Return the sequences to train on and those held out for early stopping."""
    try:
        train, held_out = train_test_split(
            np.arange(data.n), test_size=fraction, random_state=seed, stratify=data.strata
        )
    except ValueError as error:
        count = "1 sequence" if data.n == 1 else f"{data.n} sequences"
        reason = str(error).partition(". ")[0].removesuffix(".")  # scikit-learn's first sentence
        raise ArgumentValueError(
            "early_stopping",
            f"cannot hold out {fraction:g} of {count} ({reason})",
            f"{_other(data, fraction)}more sequences (elman.evaluation.chunk cuts long ones into several), "
            f"or validation_data=",
        ) from None
    return data.part(train, per_step), data.part(held_out, per_step)


def _other(data: EstimatorData, fraction: float) -> str:
    """Return which fraction would do, if that alone is wrong with ``fraction``."""
    counts = np.array([data.n]) if data.strata is None else np.unique(data.strata, return_counts=True)[1]
    classes, held_out = len(counts), math.ceil(fraction * data.n)
    if counts.min() < 2 or data.n < 2 * classes:
        return ""
    if held_out < classes:
        return f"validation_fraction={math.ceil(100 * classes / data.n) / 100:g} or more, "
    return "a smaller validation_fraction, " if data.n - held_out < classes else ""
