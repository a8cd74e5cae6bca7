"""Scores by scikit-learn, as plain values; NaN where a score is undefined."""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from elman.data.sequences import Array

Places = NDArray[np.int64]


def of_classes(expected: Places, predicted: Places) -> dict[str, float]:
    """Return accuracy and balanced accuracy, the mean recall of the classes that were expected.

    >>> of_classes(np.array([0, 0, 0, 1]), np.array([0, 0, 0, 0]))
    {'accuracy': 0.75, 'balanced_accuracy': 0.5}
    """
    from sklearn import metrics

    with warnings.catch_warnings():
        warnings.simplefilter("ignore", UserWarning)  # for classes that are predicted but never expected
        balanced = metrics.balanced_accuracy_score(expected, predicted)
    return {
        "accuracy": float(metrics.accuracy_score(expected, predicted)),
        "balanced_accuracy": float(balanced),
    }


def by_class(expected: Places, predicted: Places, labels: Sequence[Any]) -> list[dict[str, Any]]:
    """Return precision, recall, F1 and support of each label; the places are indices in ``labels``."""
    from sklearn import metrics

    columns = metrics.precision_recall_fscore_support(
        expected, predicted, labels=range(len(labels)), zero_division=np.nan
    )
    return [
        {
            "label": label,
            "precision": float(precision),
            "recall": float(recall),
            "f1": float(f1),
            "support": int(support),
        }
        for label, precision, recall, f1, support in zip(labels, *columns, strict=True)
    ]


def confusion(expected: Places, predicted: Places, size: int) -> list[list[int]]:
    """Return the counts of each place being expected (row) and predicted (column)."""
    from sklearn import metrics

    counts: list[list[int]] = metrics.confusion_matrix(expected, predicted, labels=range(size)).tolist()
    return counts


def of_numbers(expected: Array, predicted: Array) -> dict[str, float]:
    """Return R2, mean absolute error and root mean squared error; R2 of one answer is NaN.

    Shapes: (N,), all finite.

    >>> of_numbers(np.array([0.0, 2.0]), np.array([1.0, 1.0]))
    {'r2': 0.0, 'mae': 1.0, 'rmse': 1.0}
    """
    from sklearn import metrics

    pair = expected, predicted.astype(np.float64)
    return {
        "r2": float(metrics.r2_score(*pair)) if len(expected) > 1 else float("nan"),
        "mae": float(metrics.mean_absolute_error(*pair)),
        "rmse": float(metrics.root_mean_squared_error(*pair)),
    }
