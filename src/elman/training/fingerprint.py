"""Checksums of what a run is given: with other data it is another run, which no checkpoint goes on with."""

from __future__ import annotations

import hashlib
import zlib
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from elman.data.sequences import Array
from elman.model.model import Model

if TYPE_CHECKING:
    from elman.training.plan import Plan, TrainingData

UNCHECKED = (
    "{!r} was written by an earlier version of elman, which kept no checksum of the data: whether X, y, "
    "sample_weight, validation_data and initial_state are those of its run cannot be checked"
)
_BLOCK = 1 << 18  # numbers at a time, so that a long array of another dtype is never converted at once
_CLOSE = 1e-4  # of the norm of the weights: instruction sets draw them with other last bits


@dataclass(frozen=True)
class Fingerprint:
    """What a run is given: ``data`` is a checksum of each argument, None where it is not given.

    ``weights`` is a sketch of the weights that it began with; None where they are not known any more.
    """

    data: dict[str, str | None]
    weights: list[float] | None

    @classmethod
    def from_json(cls, values: dict[str, Any]) -> Fingerprint:
        """Return the fingerprint in a file; KeyError, TypeError or ValueError for what is none."""
        weights = values["weights"]
        return cls(dict(values["data"]), None if weights is None else [float(number) for number in weights])

    def differences(self, here: Fingerprint, told: Collection[str], own_weights: bool) -> list[str]:
        """Return a sentence for each argument that has other values ``here``, besides what is told already.

        ``own_weights``: the weights here are those that a run would begin with.
        """
        found = [
            f"{name} has other values (checksum {self.data.get(name)} there, {here.data.get(name)} here)"
            for name in dict.fromkeys((*here.data, *self.data))
            if self.data.get(name) != here.data.get(name) and name not in told
        ]
        known = self.weights is not None and here.weights is not None and "seed" not in told
        if own_weights and known and not alike(self.weights or [], here.weights or []):
            found.append("the weights that the run began with are not those of the network here")
        return found


def of_run(model: Model, plan: Plan, learned: Mapping[str, Iterable[Array]]) -> Fingerprint:
    """Return the fingerprint of a run that begins now.

    ``learned``: what an estimator learned from "X" and "y" before training, such as their scales.
    """
    X, y, weights = _of_data(model, plan.train, learned)
    validation = plan.validation
    data = {
        "X": X,
        "y": y,
        "sample_weight": weights,
        "validation_data": None if validation is None else _of_text(*_of_data(model, validation, {})),
        "initial_state": None if plan.initial is None else checksum(*plan.initial),
    }
    return Fingerprint(data, sketch(model.parameters))


def checksum(*arrays: Array | None, dtype: np.dtype[Any] | None = None) -> str:
    """Return 16 hexadecimal digits of numbers and shapes; the first array counts as one of ``dtype``.

    >>> checksum(np.zeros(2)) == checksum(np.zeros(2), None), checksum(np.zeros(3)) == checksum(np.ones(3))
    (False, False)
    """
    digest = hashlib.blake2b(digest_size=8)
    for i, array in enumerate(arrays):
        if array is None:
            digest.update(b"none")
            continue
        digest.update(str(array.shape).encode())
        rows = max(1, _BLOCK // max(1, array[:1].size))
        for begin in range(0, len(array), rows):
            with np.errstate(over="ignore"):
                block = np.ascontiguousarray(array[begin : begin + rows], None if i else dtype)
            digest.update(block.data)
    return digest.hexdigest()


def constrained(model: Model) -> str | None:
    """Return the names of constrained parameters, with a checksum of what constrains them."""
    named = sorted(model.constraints.items())
    sums = (zlib.crc32(each.mask.tobytes() + each.sign.tobytes()) for _, each in named)
    return ", ".join(f"{name} ({s:08x})" for (name, _), s in zip(named, sums, strict=True)) or None


def sketch(parameters: Array) -> list[float]:
    """Return two numbers that weights (P,) have in common with others only by chance; for `alike`."""
    w = parameters.astype(np.float64)
    return [float(np.linalg.norm(w)), float(w @ np.cos(np.arange(len(w))))]


def alike(one: list[float], other: list[float]) -> bool:
    """Whether two sketches are of the same weights, but for the last digits of each.

    >>> alike(sketch(np.arange(3.0)), sketch(np.arange(3.0) + 1e-7)), alike(sketch(np.ones(3)), [1.0, 1.0])
    (True, False)
    """
    a, b = np.array(one), np.array(other)
    return a.shape == b.shape and bool(np.abs(a - b).max() <= _CLOSE * a[0])


def _of_data(
    model: Model, data: TrainingData, learned: Mapping[str, Iterable[Array]]
) -> tuple[str, str, str | None]:
    """Return the checksums of sequences, answers and weights; the last one is None where nothing weighs."""
    batch, answers = data.batch, data.answers
    read = np.dtype(np.int64) if model.symbols else model.dtype  # the same numbers may come in another dtype
    weights = (data.weights, answers.class_weight, answers.row_weight)
    weighs = any(each is not None for each in weights)
    return (
        checksum(batch.values, batch.offsets, *learned.get("X", ()), dtype=read),
        checksum(answers.indices, answers.values, *learned.get("y", ())),
        checksum(*weights) if weighs else None,
    )


def _of_text(*parts: object) -> str:
    return hashlib.blake2b(" ".join(map(str, parts)).encode(), digest_size=8).hexdigest()
