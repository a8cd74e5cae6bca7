"""Labels: class labels of any plain type, turned into indices and weights, and outputs into probabilities."""

from __future__ import annotations

import sys
from collections.abc import Iterator, Mapping
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray
from sklearn.preprocessing import LabelEncoder
from sklearn.utils import check_array, column_or_1d
from sklearn.utils.class_weight import compute_class_weight
from sklearn.utils.multiclass import check_classification_targets

from elman._validation import describe, refuse_mask
from elman.data import estimator_input
from elman.data.sequences import Array
from elman.data.targets import as_weights
from elman.errors import ArgumentTypeError, ArgumentValueError
from elman.model.model import Float64

_SEVERAL_TYPES = ("y", "has labels of several types", "all str or all numbers")
ClassWeight = Literal["balanced"] | Mapping[Any, float]
_NUMBERS = (int, float, np.integer, np.floating)
_BOOLS = (bool, np.bool_)
_PIECE = 1 << 15  # labels that are Python objects at a time


def class_labels(y: Any, n: int) -> Array:
    """Return class labels (n,), of any type that scikit-learn takes."""
    refuse_mask("y", y)
    y = _without_na(y)
    refuse_missing(y)
    with np.errstate(over="ignore", invalid="ignore"):  # the sum of large numbers may be inf - inf
        labels = check_array(
            estimator_input.check_one_per_sequence(y, n), ensure_2d=False, dtype=None, input_name="y"
        )
        labels = column_or_1d(labels, warn=True)
        try:
            check_classification_targets(labels)
        except TypeError as error:
            if "bytes" in str(error):
                raise
            raise ArgumentTypeError(*_SEVERAL_TYPES) from None
    return np.asarray(labels)


def step_labels(name: str, y: Any) -> Array:
    """Return the labels of a sequence's steps as an array, of any type that labels may have."""
    refuse_mask(name, y)
    y = _without_na(y)
    try:
        array = np.asarray(y)
        # Or NumPy makes a text of the -1 beside texts, a number of True.
        if isinstance(y, (list, tuple)) and len({*map(type, y)}) > 1:
            array = np.asarray(y, object)
        elif array.dtype.kind in "Ub":
            array = _objects(array)
    except ValueError:
        raise ArgumentValueError(name, f"is {describe(y)}", "labels, one a step") from None
    if array.dtype.kind not in "fiubUO":
        raise ArgumentTypeError(name, f"has dtype {array.dtype}", "labels (str, int, float or bool)")
    return array


def _without_na(y: Any) -> Any:
    """Return labels with NaN for each NA of pandas, which is neither equal to anything nor different."""
    pandas = sys.modules.get("pandas")  # without it there is no NA
    if pandas is None or (isinstance(y, np.ndarray) and y.dtype.kind != "O"):
        return y
    if isinstance(y, (list, tuple)):
        return [np.nan if label is pandas.NA else label for label in y] if _has_na(y, pandas.NA) else y
    labels = np.asarray(y)
    if labels.dtype.kind != "O" or not _has_na(labels.ravel(), pandas.NA):
        return y
    flat = [np.nan if label is pandas.NA else label for label in labels.ravel()]
    objects = np.empty(labels.size, object)
    objects[:] = flat
    return objects.reshape(labels.shape)


def _has_na(labels: Any, na: Any) -> bool:
    return any(label is na for label in labels)


def refuse_missing(y: Any) -> None:
    """Raise ValueError for None or NaN among other labels, of which NumPy would make the text "nan"."""
    if not isinstance(y, (list, tuple)) or len({*map(type, y)}) < 2:
        return
    for i, label in enumerate(y):
        if label is None or (isinstance(label, (float, np.floating)) and np.isnan(label)):
            raise ArgumentValueError(f"y[{i}]", f"is {label}", "a label: each sequence has one")


def _objects(labels: Array) -> Array:
    """Return texts or bools as Python objects, equal ones as one object: a million texts are a few."""
    found: dict[Any, Any] = {}
    objects = np.empty(labels.size, object)
    for begin, values in pieces(labels.ravel()):
        objects[begin : begin + len(values)] = [found.setdefault(value, value) for value in values]
    return objects.reshape(labels.shape)


def pieces(labels: Array) -> Iterator[tuple[int, list[Any]]]:
    """Yield labels (N,) as lists of Python values, some at a time, each list with its place."""
    for begin in range(0, len(labels), _PIECE):
        yield begin, labels[begin : begin + _PIECE].tolist()


def first_without_value(labels: Array) -> Any:
    """Return the first label that is None or NaN, as a tuple of one; an empty tuple where there is none."""
    for _, values in pieces(labels):
        for label in values:
            if label is None or label != label:  # noqa: PLR0124 (true of NaN alone)
                return (label,)
    return ()


def is_missing(labels: Array, missing: Any) -> NDArray[np.bool_]:
    """Whether each label (N,) is the one that stands for none."""
    if isinstance(missing, (float, np.floating)) and np.isnan(missing):
        return np.array([v != v for v in labels.tolist()], bool)  # noqa: PLR0124 (true of NaN alone)
    truth = isinstance(missing, _BOOLS)
    if labels.dtype.kind == "O":
        return np.array([isinstance(v, _BOOLS) == truth and v == missing for v in labels], bool)
    if truth or not isinstance(missing, _NUMBERS):
        return np.zeros(labels.shape, bool)
    return np.asarray(labels == missing)


def own_type(labels: Array) -> Array:
    """Return object labels as an array of their own type, where they have one."""
    if labels.dtype.kind != "O":
        return labels
    kinds = {*map(type, labels)}
    alike = len(kinds) == 1 or all(issubclass(kind, _NUMBERS) and kind is not bool for kind in kinds)
    plain = np.array(labels.tolist()) if alike else labels
    return plain if plain.ndim == 1 and plain.dtype.kind in "fiubU" else labels


def learn_classes(labels: Array, known: Array | None, given: Any, warm: bool) -> Array:
    """Return the classes: those known already, those given, or those of the labels.

    ``warm``: with warm_start, where scikit-learn wants the labels to have all the known classes.
    """
    if known is not None:
        if warm:
            _check_same_classes(labels, known)
        if given is not None and not np.array_equal(known, np.unique(given)):
            raise ArgumentValueError(
                "classes", f"is {describe(given)}", f"{known.tolist()} as in the first call"
            )
        return known
    if given is not None:
        refuse_mask("classes", given)
        labels = column_or_1d(np.asarray(given))
    try:
        classes = LabelEncoder().fit(labels).classes_
    except TypeError:
        raise ArgumentTypeError(*_SEVERAL_TYPES) from None
    if len(classes) < 2:
        raise ArgumentValueError("y", f"has one class, {classes.tolist()[0]!r}", "at least two classes")
    return np.asarray(classes)


def _check_same_classes(labels: Array, known: Array) -> None:
    """Raise scikit-learn's ValueError where labels have other classes than those of the fit before."""
    found = {label for _, values in pieces(labels) for label in values}
    before = known.tolist()
    if found != set(before):
        shown = [*(label for label in before if label in found), *sorted(found.difference(before), key=str)]
        raise ArgumentValueError(
            "warm_start",
            f"can only be used where `y` has the same classes as in the previous call to fit. "
            f"Previously got {before}, `y` has {shown}",
        )


def encode(labels: Array, classes: Array, name: str) -> Array:
    """Return the index of each label's class."""
    index = {label: i for i, label in enumerate(classes.tolist())}
    found = np.empty(len(labels), np.int64)
    for begin, values in pieces(labels):
        places = [index.get(label, -1) for label in values]
        if -1 in places:
            label = values[places.index(-1)]
            raise ArgumentValueError(name, f"has the label {label!r}", f"one of the classes {list(index)}")
        found[begin : begin + len(values)] = places
    return found


def class_weights(
    class_weight: Any, classes: Array, indices: Array, weights: Float64 | None
) -> Float64 | None:
    """Return what an answer of each class counts (C,), or None; a weight is so many repeated answers."""
    if class_weight is None:
        return None
    if isinstance(class_weight, str) and class_weight == "balanced":
        sums = np.bincount(indices, weights, minlength=len(classes))
        present = sums > 0.0
        return np.where(present, sums.sum() / (present.sum() * np.where(present, sums, 1.0)), 0.0)
    if not isinstance(class_weight, dict):
        raise ArgumentValueError("class_weight", f"is {describe(class_weight)}", "None, 'balanced' or a dict")
    scales = np.asarray(compute_class_weight(class_weight, classes=classes, y=classes), np.float64)
    return as_weights(scales, len(classes), "class_weight")


def probabilities(outputs: Array) -> Float64:
    """Return softmax outputs as float64 whose rows sum to 1; each row is its own, to the bit."""
    p = outputs.astype(np.float64)
    p /= np.add.accumulate(p, axis=1)[:, -1:]  # from left to right in every row, unlike a sum
    return p


def accuracy(logs: dict[str, float]) -> float:
    """Return the accuracy on held-out sequences from a report of fit."""
    return logs["val_accuracy"]
