"""Checksums of what a run is given: with other data it is another run, which no checkpoint goes on with."""

from __future__ import annotations

import hashlib
import zlib
from collections.abc import Collection, Iterable, Iterator
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
Checksums = tuple[str, str, str | None]  # of X, y and weights, None where nothing weighs
Fingerprints = tuple[Checksums, Checksums | None]  # of what is trained on, and of what is held out
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


def of_run(model: Model, plan: Plan, given: Fingerprints | None) -> Fingerprint:
    """Return the fingerprint of a run that begins now.

    ``given``: the checksums of the data of an estimator, before it scaled them: the last bits of scales
    depend on the machine, on another one of which a run may go on.
    """
    train, held_out = given or (
        _of_data(model, plan.train),
        None if plan.validation is None else _of_data(model, plan.validation),
    )
    data = {
        **dict(zip(("X", "y", "sample_weight"), train, strict=True)),
        "validation_data": None if held_out is None else _of_text(*held_out),
        "initial_state": None if plan.initial is None else checksum(*plan.initial),
    }
    return Fingerprint(data, sketch(model.parameters))


def of_parts(
    values: Iterable[Array], offsets: Array, answers: Iterable[Array | None], weights: Iterable[Array | None]
) -> Checksums:
    """Return the checksums of sequences, whose values come block by block, of answers and of weights."""
    weighing = list(weights)
    known = any(each is not None for each in weighing)
    return checksum(offsets, blocks=values), checksum(*answers), checksum(*weighing) if known else None


def checksum(*arrays: Array | None, blocks: Iterable[Array] = ()) -> str:
    """Return 16 hexadecimal digits of numbers and shapes; ``blocks`` count before the others.

    >>> checksum(np.zeros(2)) == checksum(np.zeros(2), None), checksum(np.zeros(3)) == checksum(np.ones(3))
    (False, False)
    """
    digest = hashlib.blake2b(digest_size=8)
    for block in blocks:
        digest.update(np.ascontiguousarray(block).data)
    for array in arrays:
        if array is None:
            digest.update(b"none")
        else:
            digest.update(str(array.shape).encode())
            digest.update(np.ascontiguousarray(array).data)
    return digest.hexdigest()


def settings(model: Model, plan: Plan) -> dict[str, Any]:
    """Return what must be the same when a run is resumed, besides the data, by name."""
    return {
        "X": _size(plan.train),
        "validation_data": None if plan.validation is None else _size(plan.validation),
        "sample_weight": _weights(plan.train),
        "batch_size": plan.batch_size,
        "loss": plan.loss,
        "l2": plan.l2,
        "shuffle": plan.shuffle,
        "truncation": plan.truncation or None,
        "stateful": plan.stateful,
        "clip_norm": plan.clip_norm or None,
        "reduction": "mean" if plan.mean else "sum",
        "initial_state": None if plan.initial is None else "given",
        "constrained": constrained(model),
        "frozen": ", ".join(name for name in model.weights if name in model.frozen) or "nothing",
    }


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


def _of_data(model: Model, data: TrainingData) -> Checksums:
    batch, answers = data.batch, data.answers
    read = np.dtype(np.int64) if model.symbols else model.dtype  # the same numbers may come in another dtype
    return of_parts(
        _converted(batch.values, read),
        batch.offsets,
        (answers.indices, answers.values),
        (data.weights, answers.class_weight, answers.row_weight),
    )


def _converted(values: Array, dtype: np.dtype[Any]) -> Iterator[Array]:
    rows = max(1, _BLOCK // max(1, values[:1].size))
    for begin in range(0, len(values), rows):
        with np.errstate(over="ignore"):
            block = values[begin : begin + rows].astype(dtype, copy=False)
        yield block


def _of_text(*parts: object) -> str:
    return hashlib.blake2b(" ".join(map(str, parts)).encode(), digest_size=8).hexdigest()


def _weights(data: TrainingData) -> str | None:
    if data.answers.row_weight is not None:
        return "given for steps"
    return None if data.weights is None else "given"


def _size(data: TrainingData) -> str:
    return f"{data.batch.n} sequences ({data.batch.rows} steps)"
