"""Scores of forecasts of BIS and depth, over all steps with an answer and for each operation."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from elman._validation import refuse_mask
from elman.anaesthesia.depths import DEPTHS, depth
from elman.data.sequences import Array
from elman.errors import ArgumentValueError


@dataclass(frozen=True)
class Scores:
    """Mean absolute error of BIS and balanced accuracy of the depth, over all steps with an answer.

    ``by_case`` (n,) is the error of each operation, NaN if none of its steps has an answer. ``confusion``
    (3, 3) counts the steps of each true depth (rows) by predicted depth (columns). ``steps`` is the number of
    steps with an answer.

    >>> score([[50.0, 30.0]], [[48.0, 44.0]]).confusion.tolist()
    [[0, 1, 0], [0, 1, 0], [0, 0, 0]]
    """

    error: float
    balanced_accuracy: float
    by_case: Array
    confusion: Array
    steps: int


def score(answers: Sequence[Any], bis: Sequence[Any], depths: Sequence[Any] | None = None) -> Scores:
    """Return the scores of forecasts; if ``depths`` is None, the depth is that of the forecast BIS.

    Shapes: lists of n arrays (T_i,). An answer of NaN is missing. The balanced accuracy is the mean, over the
    depths that occur, of the share of their steps that are right.

    >>> found = score([np.array([50.0, np.nan, 70.0])], [np.array([52.0, 0.0, 58.0])])
    >>> found.error, found.balanced_accuracy, found.steps
    (7.0, 0.5, 2)
    """
    for name, given in (("answers", answers), ("bis", bis), ("depths", depths)):
        refuse_mask(name, given)
    expected = np.concatenate([np.asarray(a, np.float64) for a in answers])
    found = np.concatenate([np.asarray(b, np.float64) for b in bis])
    given = ~np.isnan(expected)
    if not given.any():
        raise ArgumentValueError("answers", "has no number", "some that are not NaN")
    errors = np.abs(found - expected)
    told = depth(found) if depths is None else np.concatenate([np.asarray(d) for d in depths])
    confusion = np.zeros((len(DEPTHS), len(DEPTHS)), np.int64)
    np.add.at(confusion, (depth(expected[given]), told[given]), 1)
    occurs = confusion.sum(axis=1) > 0
    recalls = confusion.diagonal()[occurs] / confusion.sum(axis=1)[occurs]
    cuts = np.cumsum([len(a) for a in answers])[:-1]
    by_case = [
        float(np.mean(e[~np.isnan(e)])) if (~np.isnan(e)).any() else np.nan for e in np.split(errors, cuts)
    ]
    return Scores(
        float(errors[given].mean()), float(recalls.mean()), np.array(by_case), confusion, int(given.sum())
    )
