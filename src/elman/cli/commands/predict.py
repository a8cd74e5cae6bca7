"""`elman predict`: the answers to a file of sequences, as CSV or as plain values."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from elman.cli.commands import Say, loaded_model, output_paths
from elman.cli.commands import data as files
from elman.cli.commands.loaded_model import LoadedModel
from elman.data.sequences import Array
from elman.model import atomic_write

_ROWS = 4096  # of CSV in one piece


@dataclass(frozen=True)
class Predicted:
    """Answers to the sequences of a file: an array (C,) each, or (T_i, C) of a model that answers every step.

    ``steps`` are the numbers, from 1, of the steps with an answer, for such a model. After features of
    windows, not every step has one.
    """

    model: LoadedModel
    file: str
    ids: list[Any]
    answers: Array | list[Array]
    steps: list[list[int]] | None

    def header(self) -> list[str]:
        """Return the names of the CSV columns."""
        steps = ["step"] if self.model.per_step else []
        return ["id", *steps, *columns(self.model)]

    def rows(self) -> Iterator[list[Any]]:
        """Yield the rows of the CSV: one per sequence, or one per step."""
        for i, (name, answer) in enumerate(zip(self.ids, self.answers, strict=True)):
            if self.steps is not None:
                for step, values in zip(self.steps[i], answer.tolist(), strict=True):
                    yield [name, step, *cells(self.model, values)]
            else:
                yield [name, *cells(self.model, answer.tolist())]

    def csv(self) -> Iterator[str]:
        """Yield the CSV in pieces; numbers have enough digits to read back the same floats."""
        room = io.StringIO()
        writer = csv.writer(room, lineterminator="\n")
        writer.writerow(self.header())
        for i, row in enumerate(self.rows(), 1):
            writer.writerow(row)
            if not i % _ROWS:
                yield room.getvalue()
                room.seek(0)
                room.truncate()
        yield room.getvalue()

    def document(self) -> dict[str, Any]:
        """Return the same as plain values, for JSON."""
        predictions: list[dict[str, Any]] = []
        for i, (name, answer) in enumerate(zip(self.ids, self.answers, strict=True)):
            each = [
                as_document(self.model, values) for values in (answer if self.model.per_step else [answer])
            ]
            if self.steps is not None:
                at = {"at": self.steps[i]} if self.model.transformers else {}
                predictions.append({"id": name, **at, "steps": each})
            else:
                predictions.append({"id": name, **each[0]})
        return {
            "model": self.model.path,
            "estimator": self.model.kind,
            "task": self.model.task,
            "per_step": self.model.per_step,
            "classes": self.model.classes,
            "file": self.file,
            "predictions": predictions,
        }


def predict(
    path: str,
    model: str,
    *,
    options: Mapping[str, Any],
    out: str | None = None,
    say: Say = lambda _: None,
) -> Predicted:
    """Return a model's answers to a file, whose labels are ignored; ``out`` is where they will be written."""
    output_paths.keep_apart({"FILE": path, "MODEL": model}, {"--output": out})
    opened = loaded_model.load(model)
    data = opened.in_order(files.load(path, options, missing=opened.takes_missing), say)
    answers = opened.answers(data)
    steps = [(opened.ends(len(x)) + 1).tolist() for x in data.X] if opened.per_step else None
    return Predicted(opened, path, data.names, answers, steps)


def write(predicted: Predicted, out: str) -> None:
    """Write the CSV to a file in one atomic step, or directly to a device such as /dev/null."""
    if Path(out).exists() and not Path(out).is_file() and not Path(out).is_dir():
        with Path(out).open("w", encoding="utf-8", newline="") as file:
            file.writelines(predicted.csv())
    else:
        atomic_write.replace(out, (piece.encode() for piece in predicted.csv()))


# one answer in CSV and in JSON, also for `elman predict --stream`


def columns(model: LoadedModel) -> list[str]:
    """Return the names of the columns of one answer."""
    if model.classes is not None:
        return ["label", *(f"p_{label}" for label in model.classes)]
    count = model.network.output_size
    if model.task == "network":
        return [f"output_{i}" for i in range(count)]
    return ["value"] if count == 1 else [f"value_{i}" for i in range(count)]


def cells(model: LoadedModel, values: list[float]) -> list[Any]:
    """Return one answer (C,) as the cells of `columns`."""
    return [label(model.classes, values), *values] if model.classes is not None else values


def as_document(model: LoadedModel, values: Array) -> dict[str, Any]:
    """Return one answer (C,) for JSON."""
    numbers = values.tolist()
    if model.classes is not None:
        return {"label": label(model.classes, numbers), "probabilities": numbers}
    return {"outputs" if model.task == "network" else "values": numbers}


def label(classes: list[Any], probabilities: list[float]) -> Any:
    """Return the most probable class, the first of several with the same probability."""
    return classes[probabilities.index(max(probabilities))]
