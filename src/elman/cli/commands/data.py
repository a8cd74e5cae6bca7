"""Files as the commands read them: sequences of finite numbers, and labels that suit a task."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NoReturn

import numpy as np
from numpy.typing import NDArray

from elman import reading
from elman.cli.commands.option_names import option_names
from elman.data.sequences import Array
from elman.reading.parsing import is_number

TASKS = ("classify", "tag", "regress")
# The label that `read_sequences` gives to a step without one, by the kind of the dtype.
FILLERS: dict[str, int | float | str] = {"i": -1, "f": np.nan, "U": ""}


@dataclass(frozen=True)
class Data:
    """What a file holds: sequences X, labels y as they were read, and the ids of the sequences.

    All numbers are finite, or NaN where missing numbers are allowed. ``gaps``: whether steps have no label;
    their labels in y are those of `FILLERS`.
    """

    path: str
    X: list[Array]
    y: Array | list[Array] | None
    ids: list[str] | None
    gaps: bool = False

    @property
    def features(self) -> int:
        """F, the number of features of a step."""
        return int(self.X[0].shape[1])

    @property
    def steps(self) -> int:
        """The number of steps of all sequences."""
        return sum(map(len, self.X))

    @property
    def names(self) -> list[Any]:
        """The names of the sequences: their ids, otherwise their numbers from 0, as in Python."""
        return list(range(len(self.X))) if self.ids is None else list(self.ids)

    def labels(self) -> Array | list[Array]:
        """Return the labels; ValueError where there are none."""
        if self.y is None:
            place = "key 'y' (--label names another key)" if self.path.lower().endswith(".npz") else ""
            place = place or "column 'label' (--label names another column)"
            raise ValueError(f"{self.path!r} has no labels, expected a {place}")
        return self.y

    def missing(self, labels: Array) -> NDArray[np.bool_]:
        """Return which of the file's labels (N,) stand for a step without one."""
        return _filled(labels) if self.gaps else np.zeros(len(labels), bool)

    def refuse_minus_one(self) -> None:
        """Raise ValueError for a class -1 of a step: nobody can tell it from a missing label."""
        if self.gaps or not isinstance(self.y, list) or self.y[0].dtype.kind != "i":
            return
        for name, labels in zip(self.names, self.y, strict=True):
            if (labels == -1).any():
                shown = name if self.ids is None else repr(name)
                raise ValueError(
                    f"{self.path!r}, sequence {shown}, step {int(np.argmax(labels == -1)) + 1} has the label "
                    f"-1, which also stands for a missing label: leave the cell empty if the step has no "
                    f"label, or give the class another name"
                )


def load(path: str, options: Mapping[str, Any], per_step: bool | None = None, missing: bool = False) -> Data:
    """Read a file; ``per_step`` is what the task needs, unless ``options`` say it already.

    ``missing`` allows NaN, for a model that fills it in.
    """
    options = dict(options)
    if per_step is not None and Path(path).suffix.lower() != ".ts":  # a .ts file has one label a sequence
        options.setdefault("per_step", per_step)
    with option_names():
        file = reading.read(path, **options)
    for i, x in enumerate(file.X):
        wrong = np.isinf(x) if missing else ~np.isfinite(x)
        if wrong.any():
            _fail(path, file, i, x, wrong)
    # An array of texts or floats has no empty cells, but texts that are empty, and NaN.
    gaps = isinstance(file.y, list) and file.y[0].dtype.kind != "i" and any(_filled(y).any() for y in file.y)
    return Data(os.fspath(path), file.X, file.y, file.ids, file.gaps or gaps)


def _fail(path: str, file: Any, i: int, x: Array, wrong: Array) -> NoReturn:
    step, feature = (int(k) for k in np.argwhere(wrong)[0])
    name = i if file.ids is None else repr(file.ids[i])
    column = f"feature {feature}" if file.features is None else f"column {file.features[feature]!r}"
    value = "no number" if np.isnan(x[step, feature]) else x[step, feature]
    raise ValueError(
        f"{path!r}, sequence {name}, step {step + 1}: {column} has {value}, expected a finite number"
    )


def column(text: str | None) -> str | int | None:
    """Return a column as the reader takes it: an integer counts the columns from 1, anything else is a name.

    >>> column("label"), column("3")
    ('label', 3)
    """
    return int(text) if text is not None and text.isascii() and text.isdecimal() else text


def as_numbers(path: str, y: Array | list[Array], gaps: bool = False) -> Array | list[Array]:
    """Return labels as floats, NaN for a step without a label; ``gaps``: there are such steps."""
    each = y if isinstance(y, list) else [y]
    if each[0].dtype.kind == "U":
        texts = [value for rows in each for value in rows.tolist() if value]
        wrong = next((text for text in texts if not is_number(text)), texts[0])
        raise ValueError(f"{path!r} has the label {wrong!r}, expected numbers")
    numbers = [np.where(_filled(rows) & gaps, np.nan, rows.astype(np.float64)) for rows in each]
    return numbers if isinstance(y, list) else numbers[0]


def _filled(labels: Array) -> NDArray[np.bool_]:
    """Return which labels (N,) are those that a reader gives to a step without one."""
    kind = labels.dtype.kind
    return np.asarray(np.isnan(labels) if kind == "f" else labels == FILLERS[kind])


def places(labels: Array, classes: Sequence[Any]) -> tuple[NDArray[np.int64], list[Any]]:
    """Return the index of each label (N,) in the classes, and the labels that are no classes.

    Those get the indices from ``len(classes)`` on. Labels are compared as text too: a file whose labels are
    all integers gives 1, another one gives '1'.

    >>> places(np.array([2, 1, 7]), ["1", "2"])
    (array([1, 0, 2]), [7])
    """
    known = {str(label): i for i, label in enumerate(classes)} | {c: i for i, c in enumerate(classes)}
    values, codes = np.unique(labels, return_inverse=True)
    unknown: list[Any] = []
    place = np.empty(len(values), np.int64)
    for code, value in enumerate(values.tolist()):
        found = known.get(value, known.get(str(value)))
        if found is None:
            found = len(classes) + len(unknown)
            unknown.append(value)
        place[code] = found
    return place[codes.ravel()], unknown


def some(labels: Sequence[Any]) -> str:
    """Return the first few labels, for a message.

    >>> some(["a", "b"])
    "'a', 'b'"
    """
    return ", ".join(map(repr, labels[:6])) + (", ..." if len(labels) > 6 else "")


def plural(count: int, noun: str) -> str:
    """Return a number and a noun, in the singular or the plural.

    >>> plural(1, "feature"), plural(2, "feature")
    ('1 feature', '2 features')
    """
    return f"{count} {noun}" if count == 1 else f"{count} {noun}s"
