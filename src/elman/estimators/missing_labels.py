"""``missing_label``: the label of a step that has none, and the labels that a tagger takes only if told."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from elman._validation import describe
from elman.data.sequences import Array, Batch
from elman.data.targets import place
from elman.errors import ArgumentTypeError, ArgumentValueError
from elman.estimators.labels import is_missing, pieces

AUTO = "auto"
_NUMBERS = (int, float, np.integer, np.floating, np.bool_)


def read_missing_label(given: Any) -> Any:
    """Return ``missing_label`` if a label can be compared with it.

    >>> read_missing_label([1])
    Traceback (most recent call last):
    ...
    elman.errors.ArgumentTypeError: missing_label is [1] (a list), expected int, float, str or None
    """
    if given is None or isinstance(given, (str, *_NUMBERS)):
        return given
    raise ArgumentTypeError("missing_label", f"is {describe(given)}", "int, float, str or None")


def missing_steps(labels: Array, given: Any) -> NDArray[np.bool_]:
    """Whether each label (N,) stands for none, as ``missing_label`` says; with "auto" no label does.

    >>> missing_steps(np.array([-1, 2]), -1).tolist(), missing_steps(np.array([-1, 2]), "auto").tolist()
    ([True, False], [False, False])
    """
    missing = read_missing_label(given)
    if isinstance(missing, str) and missing == AUTO:
        return np.zeros(labels.shape, bool)
    return is_missing(labels, missing)


def refuse_unasked(labels: Array, batch: Batch, given: Any) -> None:
    """Raise ValueError for labels (N,) that often stand for none, where ``missing_label`` is "auto".

    These are NaN, None, an empty text, and -1 if all labels are whole numbers.

    >>> batch = Batch(np.zeros((2, 1)), np.array([0, 2]), 0, True)
    >>> refuse_unasked(np.array([3, -1]), batch, "auto")
    Traceback (most recent call last):
    ...
    elman.errors.ArgumentValueError: y[0] has the label -1 at step 1, expected missing_label=-1 if it means \
that the step has no label, or missing_label=None if it is a class
    """
    if not (isinstance(given, str) and given == AUTO):
        return
    row = _first_marker(labels)
    if row < 0:
        return
    label = labels[row : row + 1].tolist()[0]
    remedy = f"missing_label={label!r} if it means that the step has no label"
    if label is not None and label == label:  # noqa: PLR0124 (false of NaN alone, which can be no class)
        remedy += ", or missing_label=None if it is a class"
    i, step = place(batch, row)
    raise ArgumentValueError(f"y[{i}]", f"has the label {label!r} at step {step}", remedy)


def _first_marker(labels: Array) -> int:
    """Return the place of the first label that often stands for none, or -1."""
    if labels.dtype.kind == "O":
        return _first_among_objects(labels)
    if labels.dtype.kind == "f":
        gone = np.isnan(labels)
        if not gone.any():
            gone = (labels == -1) & bool((labels == np.floor(labels)).all())
    else:
        gone = labels == ("" if labels.dtype.kind == "U" else -1)
    return int(np.argmax(gone)) if gone.any() else -1


def _first_among_objects(labels: Array) -> int:
    minus, whole = -1, True  # the place of a -1; whether all labels are whole numbers so far
    for begin, values in pieces(labels):
        for row, label in enumerate(values, begin):
            if label is None or label == "" or label != label:  # noqa: PLR0124 (true of NaN alone)
                return row
            whole = whole and _is_whole(label)
            if whole and minus < 0 and label == -1:
                minus = row
    return minus if whole else -1


def _is_whole(label: Any) -> bool:
    if isinstance(label, (float, np.floating)):
        return bool(label.is_integer())
    return isinstance(label, _NUMBERS)
