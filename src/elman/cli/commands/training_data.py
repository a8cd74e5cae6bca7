"""Labeled files: which task their labels make, and what of them is held out."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from elman.cli.commands import data as files
from elman.cli.commands import holding_out
from elman.cli.commands.data import Data
from elman.data.sequences import Array

_SHARE = 0.1  # of the sequences, held out unless the caller says how many
_FEWEST = 10  # held-out answers that are enough to stop by, where the caller does not say how many


@dataclass(frozen=True)
class Split:
    """What is trained on, and what early stopping watches.

    ``source``: where the latter is from, a file or "held out"; without it, why not.
    """

    task: str
    train: Data
    valid: Data | None
    source: str


def make_split(
    path: str,
    task: str,
    columns: Mapping[str, Any],
    valid: str | None,
    fraction: float | None,
    seed: int,
) -> Split:
    """Read a file for a task, "auto" being that of its labels, and hold some of it out, or read another."""
    task, data = _labeled(path, columns, task)
    if valid is not None:
        return Split(task, data, _validation(data, task, columns, valid), valid)
    share = _SHARE if fraction is None else fraction
    held = _held_out(data, task, math.ceil(share * len(data.X)), seed)
    if fraction is None and _answers(data, held) < _FEWEST:
        held = held[:0]
    if not len(held):
        if fraction:
            raise ValueError(
                f"--valid-fraction is {fraction}, but none of the {len(data.X)} sequences of {data.path!r} "
                f"can be spared: expected at least two of each class (0 holds nothing out)"
            )
        return Split(task, data, None, "nothing" if fraction == 0 else "too few")
    rest = np.setdiff1d(np.arange(len(data.X)), held)
    return Split(task, _taken(data, rest), _taken(data, held), "held out")


def announce(split: Split) -> str:
    """Return what is trained on and what is held out, in one line."""
    data, y = split.train, split.train.labels()
    if split.task == "regress":
        what = f"numbers, one a {'step' if isinstance(y, list) else 'sequence'}"
    else:
        count = len(_classes(y))
        what = f"{count} classes, one label a {'step' if isinstance(y, list) else 'sequence'}"
    if split.valid is None:
        held = "nothing held out" + (": too few" if split.source == "too few" else "")
    elif split.source == "held out":
        held = f"{len(split.valid.X)} held out to stop early"
    else:
        held = f"{len(split.valid.X)} in {split.source} to stop early"
    sequences, features = files.plural(len(data.X), "sequence"), files.plural(data.features, "feature")
    return f"{data.path}: {sequences} of {features} ({what}); {held}"


def _labeled(path: str, columns: Mapping[str, Any], task: str) -> tuple[str, Data]:
    """Return the task and the data with labels of the type that it needs."""
    wants = {"auto": None, "classify": False, "tag": True, "regress": None}[task]
    data = files.load(path, columns, wants)
    y = data.labels()
    per_step = isinstance(y, list)
    kind = (y[0] if isinstance(y, list) else y).dtype.kind
    if task == "auto":
        task = "regress" if kind == "f" else "tag" if per_step else "classify"
    if task == "classify" and per_step:
        raise ValueError(f"{path!r} has one label a step, expected one a sequence to classify (--task tag)")
    if task == "tag" and not per_step:
        raise ValueError(f"{path!r} has one label a sequence, expected one a step to tag (--task classify)")
    if task == "regress":
        data = Data(data.path, data.X, files.as_numbers(path, y), data.ids)
    else:
        _check_classes(path, y)
    return task, data


def _check_classes(path: str, y: Array | list[Array]) -> None:
    classes = _classes(y)
    if len(classes) < 2:
        came = f"one class, {classes.tolist()[0]!r}" if len(classes) else "no label but missing ones"
        whole = isinstance(y, list) and y[0].dtype.kind == "i"
        hint = " (-1 stands for a step without a label)" if whole else ""
        raise ValueError(f"{path!r} has {came}, expected at least two classes{hint}")


def _held_out(data: Data, task: str, count: int, seed: int) -> holding_out.Rows:
    y = data.labels()
    if task == "classify":
        return holding_out.of_classes(np.unique(y, return_inverse=True)[1].ravel(), count, seed)
    if task == "tag":
        return holding_out.of_sets([set(row[~files.missing(row)].tolist()) for row in y], count, seed)
    answered: list[set[Any]] = [{"answer"} if (~np.isnan(row)).any() else set() for row in y]
    return holding_out.of_sets(answered, count, seed)


def _answers(data: Data, rows: holding_out.Rows) -> int:
    y = data.labels()
    if isinstance(y, list):
        return sum(int((~files.missing(y[i])).sum()) for i in rows)
    return len(rows)


def _taken(data: Data, rows: holding_out.Rows) -> Data:
    y = data.labels()
    some = [y[i] for i in rows] if isinstance(y, list) else y[rows]
    return Data(data.path, [data.X[i] for i in rows], some, [str(data.names[i]) for i in rows])


def _validation(data: Data, task: str, columns: Mapping[str, Any], path: str) -> Data:
    """Return the file of --valid with labels as those that are trained on."""
    per_step = isinstance(data.y, list)
    valid = files.load(path, columns, per_step)
    y = valid.labels()
    if valid.features != data.features:
        raise ValueError(
            f"{path!r} has {files.plural(valid.features, 'feature')} a step, expected {data.features} as in "
            f"{data.path!r}"
        )
    if isinstance(y, list) != per_step:
        came, wanted = ("step", "sequence") if isinstance(y, list) else ("sequence", "step")
        raise ValueError(f"{path!r} has one label a {came}, expected one a {wanted} as in {data.path!r}")
    if task == "regress":
        return Data(path, valid.X, files.as_numbers(path, y), valid.ids)
    known = _classes(data.labels())
    flat = np.concatenate(y) if isinstance(y, list) else y
    gone = files.missing(flat) if per_step else np.zeros(len(flat), bool)
    found, unknown = files.places(flat[~gone], known.tolist())
    if unknown:
        raise ValueError(f"{path!r} has the label {unknown[0]!r}, expected one that {data.path!r} has")
    # In the type of those that are trained on: it may be another in another file.
    labels = np.full(len(flat), files.FILLERS[known.dtype.kind], known.dtype)
    labels[~gone] = known[found]
    ends = np.cumsum([len(x) for x in valid.X])[:-1]
    return Data(path, valid.X, np.split(labels, ends) if per_step else labels, valid.ids)


def _classes(y: Array | list[Array]) -> Array:
    labels = np.concatenate(y) if isinstance(y, list) else y
    return np.unique(labels[~files.missing(labels)] if isinstance(y, list) else labels)
