"""`elman evaluate`: the predictions of a model compared with the labels of a file."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any

import numpy as np

from elman import plotting
from elman.cli.commands import Say, loaded_model, output_paths, plots, scores
from elman.cli.commands import data as files
from elman.cli.commands.data import Data
from elman.data.sequences import Array
from elman.errors import ArgumentValueError


@dataclass(frozen=True)
class Evaluated:
    """What was evaluated: a model of a task on a file. ``missing`` answers have no label to compare with."""

    model: str
    estimator: str
    file: str
    task: str
    per_step: bool
    sequences: int
    steps: int
    answers: int
    missing: int

    def document(self) -> dict[str, Any]:
        """Return all fields by name, for JSON: None for those of the other kind of evaluation."""
        return dict.fromkeys(_KEYS) | {field.name: getattr(self, field.name) for field in fields(self)}


@dataclass(frozen=True)
class EvaluatedClasses(Evaluated):
    """Scores of predicted classes.

    ``by_class`` and the counts in ``confusion`` (rows: expected) are in the order of ``labels``: the model's
    classes, then the labels that only the file has, whose answers count as wrong (``unknown``).
    """

    accuracy: float
    balanced_accuracy: float
    labels: list[Any]
    unknown: list[Any]
    by_class: list[dict[str, Any]]
    confusion: list[list[int]]
    picture: str | None


@dataclass(frozen=True)
class EvaluatedNumbers(Evaluated):
    """Scores of predicted numbers: R2, mean absolute error and root mean squared error."""

    r2: float
    mae: float
    rmse: float


# In the order of the document: the scores of classes, then those of numbers, then the picture.
_OF_CLASSES = [field.name for field in fields(EvaluatedClasses)]
_OF_NUMBERS = [field.name for field in fields(EvaluatedNumbers)]
_KEYS = list(dict.fromkeys([*_OF_CLASSES[:-1], *_OF_NUMBERS, _OF_CLASSES[-1]]))


def evaluate(
    path: str,
    model: str,
    *,
    columns: Mapping[str, Any],
    picture: str | None = None,
    draw: bool = True,
    warn: Say = lambda _: None,
) -> EvaluatedClasses | EvaluatedNumbers:
    """Compare a model's answers with a file's labels, and draw the confusion matrix."""
    output_paths.keep_apart({"FILE": path, "MODEL": model}, {"--picture": picture})
    if picture is not None:
        plots.check("--picture", picture)
    opened = loaded_model.load(model)
    classes = loaded_model.with_classes(opened)
    if classes is None and picture is not None:
        raise ArgumentValueError(
            "--picture", f"is given, but {model!r} answers with numbers, which are not confused"
        )
    data = opened.in_order(files.load(path, columns, opened.per_step, opened.takes_missing), warn)
    labels = _labels(data, opened, numbers=classes is None)
    answers = opened.answers(data)
    flat = np.concatenate(answers) if isinstance(answers, list) else answers
    facts: dict[str, Any] = {
        "model": model,
        "estimator": opened.kind,
        "file": path,
        "task": opened.task,
        "per_step": opened.per_step,
        "sequences": len(data.X),
        "steps": data.steps,
    }
    if classes is None:
        return EvaluatedNumbers(**facts, **_numbers(path, labels, flat))
    gone = _missing(data, opened, labels, classes)
    taken = gone & ~data.missing(labels) if opened.per_step else gone[:0]
    if taken.any():
        told = f"{files.plural(int(taken.sum()), 'step')} of the label {labels[taken][:1].tolist()[0]!r}"
        warn(f"{path} has {told}, which {model} takes for no label")
    found, expected, predicted = _classes(path, model, labels, gone, flat, classes)
    drawn = None
    if draw:
        names = [str(label) for label in found["labels"]]

        def make(to: Path) -> None:
            plotting.confusion_matrix(expected, predicted, labels=names, path=to)

        at = plots.beside(model, "confusion") if picture is None else Path(picture)
        drawn = plots.draw(make, at, picture is not None, warn)
    return EvaluatedClasses(**facts, **found, picture=drawn)


def _labels(data: Data, model: loaded_model.LoadedModel, numbers: bool) -> Array:
    """Return one label per sequence, or the labels of all steps with an answer, one after the other."""
    y = data.labels()
    if isinstance(y, list) != model.per_step:
        came, wanted = ("step", "sequence") if isinstance(y, list) else ("sequence", "step")
        raise ValueError(
            f"{data.path!r} has one label a {came}, expected one a {wanted}, as {model.path!r} answers"
        )
    if numbers:
        y = files.as_numbers(data.path, y, data.gaps)
    if isinstance(y, list):
        model.check(data)
        return np.concatenate([labels[model.ends(len(labels))] for labels in y])
    return y


def _missing(data: Data, model: loaded_model.LoadedModel, labels: Array, classes: list[Any]) -> Array:
    """Return which labels (N,) stand for none: those of empty cells, and what the model takes for none."""
    if not model.per_step:
        return np.zeros(len(labels), bool)
    gone: Array = data.missing(labels) | model.missing(labels)
    if labels.dtype.kind == "i" and -1 not in classes and (labels[~gone] == -1).any():
        data.refuse_minus_one()
    return gone


def _classes(
    path: str, model: str, labels: Array, gone: Array, probabilities: Array, classes: list[Any]
) -> tuple[dict[str, Any], scores.Places, scores.Places]:
    """Return the scores, and the indices of the expected and the predicted answers in the labels."""
    if gone.all():
        raise ValueError(f"{path!r} has no label but missing ones, expected some that are known")
    expected, unknown = files.places(labels[~gone], classes)
    if (expected >= len(classes)).all():
        raise ValueError(
            f"{path!r} has the labels {files.some(unknown)}, expected those of {model!r}: "
            f"{files.some(classes)} (--label names another column)"
        )
    predicted = probabilities[~gone].argmax(axis=1)
    names = [*classes, *unknown]
    found = {
        "answers": len(expected),
        "missing": int(gone.sum()),
        **scores.of_classes(expected, predicted),
        "labels": names,
        "unknown": unknown,
        "by_class": scores.by_class(expected, predicted, names),
        "confusion": scores.confusion(expected, predicted, len(names)),
    }
    return found, expected, predicted


def _numbers(path: str, labels: Array, values: Array) -> dict[str, Any]:
    if values.shape[1] != 1:
        raise ValueError(f"{path!r} has one number an answer, expected {values.shape[1]}, as the model gives")
    given = ~np.isnan(labels)
    if not given.any():
        raise ValueError(f"{path!r} has no label but missing ones, expected some that are known")
    return {
        "answers": int(given.sum()),
        "missing": int((~given).sum()),
        **scores.of_numbers(labels[given], values[given, 0]),
    }
