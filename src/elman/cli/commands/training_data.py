"""Files to train on: which task their labels make, and how much of them can be held out."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from elman.cli.commands import Say
from elman.cli.commands import data as files
from elman.cli.commands.data import Data
from elman.cli.commands.feature_order import in_order
from elman.data import recording_ids
from elman.data.feature_names import known_of
from elman.data.sequences import Array

Rows = NDArray[np.int64]

_SHARE = 0.1  # of the sequences, held out unless --valid-fraction says otherwise
_FEWEST = 10  # held-out answers without which nothing is held out by default


@dataclass(frozen=True)
class TrainingData:
    """A file with labels of the type that its task needs."""

    task: str
    data: Data

    @property
    def per_step(self) -> bool:
        """Whether every step has a label."""
        return isinstance(self.data.y, list)

    def answers(self, rows: Rows) -> int:
        """Return the number of labels of some sequences, without the missing ones."""
        y = self.data.labels()
        return sum(int((~self.data.missing(y[i])).sum()) for i in rows) if isinstance(y, list) else len(rows)

    def default_share(self) -> float:
        """Return the share of the sequences to hold out; 0.0 where it would have too few answers."""
        n = len(self.data.X)
        share = _SHARE * self.answers(np.arange(n)) if self.per_step else math.ceil(_SHARE * n)
        return _SHARE if share >= _FEWEST else 0.0

    def rest(self, held_out: Rows) -> Rows:
        """Return the rows of the sequences that are not held out."""
        return np.setdiff1d(np.arange(len(self.data.X)), held_out)

    def taken(self, rows: Rows) -> Data:
        """Return some of the sequences."""
        data, y = self.data, self.data.labels()
        some = [y[i] for i in rows] if isinstance(y, list) else y[rows]
        names = [str(data.names[i]) for i in rows]
        return Data(data.path, [data.X[i] for i in rows], some, names, data.gaps)

    def shared_subject(self, held_out: Rows | None, valid: Data | None) -> str | None:
        """Return a sentence if what is watched has a subject that is trained on, by the ids."""
        ids = self.data.ids
        if ids is None or (valid is not None and valid.ids is None):
            return None
        own = ids if held_out is None else [ids[i] for i in self.rest(held_out)]
        watched = [] if valid is None else list(valid.ids or ())
        watched += [] if held_out is None else [ids[i] for i in held_out]
        rows = np.arange(len(own) + len(watched))
        found = recording_ids.divided(np.array([*own, *watched]), [(rows[: len(own)], rows[len(own) :])])
        if found is None:
            return None
        return (
            f"{found.second!s} was not trained on, but {found.first!s} was, a recording of the same subject: "
            "the scores say little of new subjects"
        )

    def too_few(self, fraction: float) -> str:
        """Return what the file would need for a hold-out of ``fraction``, which the estimators refuse."""
        if self.task != "classify":
            return "sequences with labels in both parts"
        classes, counts = np.unique(self.data.labels(), return_counts=True)
        if counts.min() < 2:
            return "at least two of each class"
        held = math.ceil(fraction * len(self.data.X))
        return f"one of each of the {len(classes)} classes in both parts, {held} and {counts.sum() - held}"


def announce(training: TrainingData, valid: Data | None, held_out: int, why_none: str) -> str:
    """Return one line: what is trained on, and what early stopping watches.

    ``held_out`` is a number of sequences; ``why_none`` says why there are none, if that was not asked for.
    """
    data, unit = training.data, "step" if training.per_step else "sequence"
    if training.task == "regress":
        what = f"numbers, one a {unit}"
    else:
        what = f"{len(_classes(data))} classes, one label a {unit}"
    if valid is not None:
        watched = f"{len(valid.X)} in {valid.path} to stop early"
    elif held_out:
        watched = f"{held_out} held out to stop early"
    else:
        watched = "nothing held out" + (f": {why_none}" if why_none else "")
    sequences = files.plural(len(data.X) - held_out, "sequence")
    return f"{data.path}: {sequences} of {files.plural(data.features, 'feature')} ({what}); {watched}"


def read_training(path: str, task: str, columns: Mapping[str, Any]) -> TrainingData:
    """Read a file for a task; "auto" is that of its labels."""
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
        return TrainingData(task, _with_numbers(data))
    data.refuse_minus_one()
    _check_classes(data)
    return TrainingData(task, data)


def _with_numbers(data: Data) -> Data:
    return replace(data, y=files.as_numbers(data.path, data.labels(), data.gaps))


def _check_classes(data: Data) -> None:
    classes = _classes(data)
    if len(classes) < 2:
        came = f"one class, {classes.tolist()[0]!r}" if len(classes) else "no label but missing ones"
        raise ValueError(f"{data.path!r} has {came}, expected at least two classes")


def read_validation(path: str, training: TrainingData, columns: Mapping[str, Any], say: Say) -> Data:
    """Read the file of --valid; its labels get the type of those that are trained on.

    Its features are put in the order of those that are trained on; ``say`` gets notes of them.
    """
    data, per_step = training.data, training.per_step
    valid = files.load(path, columns, per_step)
    valid = in_order(valid, known_of(data.X[0]), f"as in {data.path!r}", say)
    y = valid.labels()
    if valid.features != data.features:
        raise ValueError(
            f"{path!r} has {files.plural(valid.features, 'feature')} a step, expected {data.features} as in "
            f"{data.path!r}"
        )
    if isinstance(y, list) != per_step:
        came, wanted = ("step", "sequence") if isinstance(y, list) else ("sequence", "step")
        raise ValueError(f"{path!r} has one label a {came}, expected one a {wanted} as in {data.path!r}")
    if training.task == "regress":
        return _with_numbers(valid)
    valid.refuse_minus_one()
    known = _classes(data)
    flat = np.concatenate(y) if isinstance(y, list) else y
    gone = valid.missing(flat)
    found, unknown = files.places(flat[~gone], known.tolist())
    if unknown:
        raise ValueError(f"{path!r} has the label {unknown[0]!r}, expected one that {data.path!r} has")
    # Integers in one file may be strings in another.
    labels = np.full(len(flat), files.FILLERS[known.dtype.kind], known.dtype)
    labels[~gone] = known[found]
    ends = np.cumsum([len(x) for x in valid.X])[:-1]
    return replace(valid, y=np.split(labels, ends) if per_step else labels)


def _classes(data: Data) -> Array:
    y = data.labels()
    labels = np.concatenate(y) if isinstance(y, list) else y
    return np.unique(labels[~data.missing(labels)])
