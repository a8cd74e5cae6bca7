"""`elman evaluate`: how well a model answers a labeled file."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from elman import plotting
from elman.cli.commands import Say, loaded_model, output_paths, plots, scores
from elman.cli.commands import data as files
from elman.cli.commands.data import Data
from elman.data.sequences import Array


@dataclass(frozen=True)
class Evaluated:
    """Scores of a model on a file.

    Of classes: accuracy, balanced accuracy, ``by_class`` and the counts in ``confusion`` (rows: expected),
    all in the order of ``labels``: the model's classes, and after them those that only the file knows, whose
    answers count as wrong. Of numbers: R2, mean absolute
    and root mean squared error. The other fields are None.
    """

    model: str
    estimator: str
    file: str
    task: str
    per_step: bool
    sequences: int
    steps: int
    answers: int
    missing: int
    accuracy: float | None = None
    balanced_accuracy: float | None = None
    labels: list[Any] | None = None
    unknown: list[Any] | None = None
    by_class: list[dict[str, Any]] | None = None
    confusion: list[list[int]] | None = None
    r2: float | None = None
    mae: float | None = None
    rmse: float | None = None
    picture: str | None = None


def evaluate(
    path: str,
    model: str,
    *,
    columns: Mapping[str, Any],
    picture: str | None = None,
    draw: bool = True,
    warn: Say = lambda _: None,
) -> Evaluated:
    """Compare a model's answers with a file's labels, and draw the confusions."""
    output_paths.keep_apart({"FILE": path, "MODEL": model}, {"--picture": picture})
    if picture is not None:
        plots.check("--picture", picture)
    opened = loaded_model.load(model)
    classes = loaded_model.with_classes(opened)
    if classes is None and picture is not None:
        raise ValueError(f"--picture is given, but {model!r} answers with numbers, which are not confused")
    data = files.load(path, columns, opened.per_step, opened.takes_missing)
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
        return Evaluated(**facts, **_numbers(path, labels, flat))
    found, expected, predicted = _classes(path, model, labels, flat, classes, opened.per_step)
    drawn = None
    if draw:
        names = [str(label) for label in found["labels"]]

        def make(to: Path) -> None:
            plotting.confusion_matrix(expected, predicted, labels=names, path=to)

        at = plots.beside(model, "confusion") if picture is None else Path(picture)
        drawn = plots.draw(make, at, picture is not None, warn)
    return Evaluated(**facts, **found, picture=drawn)


def _labels(data: Data, model: loaded_model.Opened, numbers: bool) -> Array:
    """Return one label a sequence, or those of all steps that have an answer, one after the other."""
    y = data.labels()
    if isinstance(y, list) != model.per_step:
        came, wanted = ("step", "sequence") if isinstance(y, list) else ("sequence", "step")
        raise ValueError(
            f"{data.path!r} has one label a {came}, expected one a {wanted}, as {model.path!r} answers"
        )
    if numbers:
        y = files.as_numbers(data.path, y)
    if isinstance(y, list):
        model.check(data)
        return np.concatenate([labels[model.ends(len(labels))] for labels in y])
    return y


def _classes(
    path: str, model: str, labels: Array, probabilities: Array, classes: list[Any], per_step: bool
) -> tuple[dict[str, Any], scores.Places, scores.Places]:
    """Return the scores, and the places of the expected and the predicted answers among the labels."""
    gone = files.missing(labels, classes) if per_step else np.zeros(len(labels), bool)
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
