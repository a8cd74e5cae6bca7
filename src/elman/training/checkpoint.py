"""Checkpoints: a run of training in a file after each epoch, so that at most one epoch is ever lost.

A checkpoint is an ordinary model file (`elman.saving`, docs/format.md) whose network has one entry more,
"run": what belongs to the run rather than to the network. How it is used:

- `open_run` makes a `Checkpoint` for a plan. It reads and compares the file (with ``resume``), finds out
  whether the path can be written, and changes nothing.
- `elman.training.loop.fit` calls `Checkpoint.restore`, `Checkpoint.start`, and `Checkpoint.write` after each
  epoch.

An estimator gives `open_run` an `Owner`, because its file holds more than a network:

- ``pack() -> (spec, arrays)``, what `file.write` takes. ``spec["kind"]`` is ``kind``, ``spec["network"]``
  the spec of `file.pack`, and ``arrays`` contain the arrays of `file.pack` under their own names. It is
  called after each epoch, and before the first one.
- ``settings``: what must be the same when the run is resumed, by name: strings, numbers, bools or None
  (anything else is compared as text).

Whatever of ``callbacks`` (and ``Owner.extra``) has the two methods of `Kept` goes into the file too.
`peek` reads the spec of a file without anything else.
"""

from __future__ import annotations

import dataclasses
import math
import os
import zlib
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Protocol

import numpy as np

from elman._validation import describe, flag, integer
from elman.data.sequences import Array
from elman.errors import ArgumentTypeError, ArgumentValueError
from elman.model import atomic_write, file
from elman.model.model import Model
from elman.nn.optimizers import Optimizer, rate_at
from elman.nn.schedules import CosineDecay, OneCycle

if TYPE_CHECKING:
    from elman.training.plan import Plan, TrainingData

Packed = tuple[dict[str, Any], dict[str, Array]]


class Kept(Protocol):
    """What remembers something from epoch to epoch, as a rule that stops training.

    ``state`` gives JSON values (finite numbers) and arrays, by name; ``restore`` takes up the same.
    """

    def state(self) -> Packed: ...
    def restore(self, values: dict[str, Any], arrays: dict[str, Array]) -> None: ...


@dataclass(frozen=True)
class Owner:
    """Whose file it is: a network's own, unless an estimator says how its file is packed."""

    kind: str = "network"
    pack: Callable[[], Packed] | None = None
    settings: Mapping[str, Any] = field(default_factory=dict)
    extra: Any = None


@dataclass(frozen=True)
class Found:
    """A file that this run can go on with."""

    source: Model
    moments: list[Array]
    updates: int
    stopped: bool
    kept: list[Packed]


class Checkpoint:
    """The file of one run.

    ``settings`` are what the run was asked for, ``kept`` what else remembers something, ``rows`` the number
    of sequences whose states are carried (None: none are).
    """

    def __init__(
        self,
        path: str | os.PathLike[str],
        model: Model,
        owner: Owner,
        settings: Mapping[str, Any],
        optimizer: Optimizer,
        rows: int | None,
        kept: Iterable[Any],
        resume: bool,
    ) -> None:
        self.path = path
        self._model = model
        self._kind = owner.kind
        self._pack = owner.pack or (lambda: file.pack(model))
        self._kept = _remembering((*kept, owner.extra))
        self._settings = {
            "optimizer": _describe(optimizer),
            **settings,
            "callbacks with a state": ", ".join(type(each).__name__ for each in self._kept) or "none",
            **{name: _plain(value) for name, value in owner.settings.items()},
        }
        self.found = self._read(optimizer, rows) if resume else None

    @property
    def done(self) -> int:
        """The epochs of the run that the file holds."""
        return self.found.source.history.epoch if self.found else 0

    @property
    def stopped(self) -> bool:
        """Whether the run in the file ended by itself."""
        return self.found is not None and self.found.stopped

    def probe(self) -> None:
        """Raise the OSError that writing would raise, where that can be known before training."""
        atomic_write.probe(self.path)

    # reading

    def _read(self, optimizer: Optimizer, rows: int | None) -> Found | None:
        try:
            spec, arrays = file.read(self.path)
        except FileNotFoundError:
            return None
        name = repr(os.fspath(self.path))
        network = network_spec(spec, name)
        run = network.get("run")
        if run is None:
            raise ValueError(
                f"{name} holds no run that can be resumed, expected a file that fit(checkpoint=...) wrote"
            )
        source = file.unpack(network, arrays, name)
        try:
            self._compare(run, spec, source, name)
            found = Found(
                source=source,
                moments=file.moments(arrays, optimizer, source),
                updates=integer("updates", run["updates"], maximum=file.MOST_EPOCHS),
                stopped=flag("stopped", run["stopped"]),
                kept=[_kept_in(arrays, i, values) for i, values in enumerate(run["kept"])],
            )
            if len(found.kept) != len(self._kept):
                raise ValueError(f"kept has {len(found.kept)} entries, expected {len(self._kept)}")
            if rows is not None:
                source.carried(rows)
            if not np.isfinite(source.parameters).all():
                raise ValueError("parameters has NaN or infinity, expected finite numbers")
        except _AnotherRunError:
            raise
        except (KeyError, TypeError, ValueError, AttributeError, RecursionError) as error:
            raise ValueError(f"{name} holds no run that can be resumed: {file.reason(error)}") from None
        return found

    def _compare(self, run: dict[str, Any], spec: dict[str, Any], source: Model, name: str) -> None:
        there = {"kind": spec["kind"], **_of_model(source), **run["settings"]}
        if source.optimizer is not None:  # as this version describes it
            there["optimizer"] = _describe(source.optimizer)
        here = {"kind": self._kind, **_of_model(self._model), **self._settings}
        if not self._model.seed_given:
            here["seed"] = there["seed"]
        differences = [
            f"{key} is {_shown(there.get(key))} there, {_shown(here.get(key))} here"
            for key in dict.fromkeys((*here, *there))
            if there.get(key) != here.get(key)
        ]
        began = source.began
        if began not in (self._model.epoch, self._model.began):
            differences.append(f"the epoch at which the run began is {began} there, {self._model.epoch} here")
        if differences:
            raise _AnotherRunError(f"{name} was written by another run: {'; '.join(differences)}")

    def restore(self, optimizer: Optimizer, keys: tuple[str, ...]) -> bool:
        """Let the network and what else is kept take up the file, if there is one to go on with."""
        found = self.found
        if found is None:
            return False
        name = repr(os.fspath(self.path))
        source, model = found.source, self._model
        if tuple(source.history.history) != keys:
            raise ValueError(f"{name} has a history of {list(source.history.history)}, expected {list(keys)}")
        try:
            for each, (values, arrays) in zip(self._kept, found.kept, strict=True):
                each.restore(values, arrays)
        except (LookupError, TypeError, ValueError, AttributeError) as error:
            raise ValueError(f"{name} holds no run that can be resumed: {error!r}") from error
        model.parameters[:] = source.parameters
        model.optimizer, model.moments, model.updates = optimizer, found.moments, found.updates
        model.seed, model.key = source.seed, source.key
        for what in ("epoch", "began", "frozen", "carry", "history"):
            setattr(model, what, getattr(source, what))
        return True

    # writing

    def start(self) -> None:
        """Write the start of a run where there is no file yet, lest its first epoch is broken off."""
        if not os.path.lexists(self.path):
            self.write(stopped=False)

    def write(self, stopped: bool) -> None:
        """Write the run as it is after an epoch; weights that are not finite leave the file before."""
        model = self._model
        if not np.isfinite(model.parameters).all():
            return
        spec, arrays = self._pack()
        arrays = dict(arrays)
        arrays.update({f"moment.{i}": moment for i, moment in enumerate(model.moments)})
        arrays.update({f"carry.{i}": carried for i, carried in enumerate(model.carry or ())})
        kept = []
        for i, each in enumerate(self._kept):
            values, own = _state(each)
            kept.append(values)
            arrays.update({f"kept.{i}.{name}": np.asarray(array) for name, array in own.items()})
        run = {
            "began": model.began,
            "stopped": stopped,
            "updates": model.updates,
            "carried": model.carry is not None,
            "settings": self._settings,
            "kept": kept,
        }
        if spec["kind"] == "network":
            spec = spec | {"run": run}
        else:
            spec = spec | {"network": spec["network"] | {"run": run}}
        file.write(self.path, spec, arrays)


def open_run(
    model: Model, plan: Plan, path: Any = None, resume: Any = False, owner: Owner | None = None
) -> Checkpoint | None:
    """Check how a run begins, and return where it is kept; None without a path.

    TypeError and ValueError for wrong arguments and for the file of another run, OSError for a path that
    cannot be written; nothing has changed then.
    """
    point = _checkpoint(model, plan, path, resume, owner or Owner())
    if point is not None and point.found is not None:
        updates = point.found.updates
    else:
        updates = model.updates if plan.optimizer == model.optimizer else 0
        if plan.stateful:
            model.carried(plan.train.batch.n)
    rate_at(plan.optimizer, updates)
    if point is not None and point.done < plan.epochs and not point.stopped:
        point.probe()
    return point


def _checkpoint(model: Model, plan: Plan, path: Any, resume: Any, owner: Owner) -> Checkpoint | None:
    resume = flag("resume", resume)
    if path is None:
        if resume:
            raise ArgumentValueError("resume", "is True without a checkpoint", "the path of one")
        return None
    if not isinstance(path, (str, os.PathLike)) or not isinstance(os.fspath(path), str):
        raise ArgumentTypeError("checkpoint", f"is {describe(path)}", "a path")
    settings = {
        "X": _size(plan.train),
        "validation_data": None if plan.validation is None else _size(plan.validation),
        "sample_weight": None if plan.train.weights is None else "given",
        "batch_size": plan.batch_size,
        "loss": plan.loss,
        "l2": plan.l2,
        "shuffle": plan.shuffle,
        "truncation": plan.truncation or None,
        "stateful": plan.stateful,
        "clip_norm": plan.clip_norm or None,
        "reduction": "mean" if plan.mean else "sum",
        "initial_state": None if plan.initial is None else "given",
        "constrained": _constrained(model),
        "frozen": ", ".join(name for name in model.weights if name in model.frozen) or "nothing",
    }
    rows = plan.train.batch.n if plan.stateful else None
    return Checkpoint(path, model, owner, settings, plan.optimizer, rows, plan.callbacks, resume)


def _constrained(model: Model) -> str | None:
    """Return the names of constrained parameters, with a checksum of what constrains them."""
    named = sorted(model.constraints.items())
    sums = (zlib.crc32(each.mask.tobytes() + each.sign.tobytes()) for _, each in named)
    return ", ".join(f"{name} ({s:08x})" for (name, _), s in zip(named, sums, strict=True)) or None


def _size(data: TrainingData) -> str:
    return f"{data.batch.n} sequences ({data.batch.rows} steps)"


def peek(path: str | os.PathLike[str]) -> dict[str, Any] | None:
    """Return the spec of a file, or None where there is none; ValueError for a damaged one.

    The seed of the run in an estimator's file is ``peek(path)["network"]["seed"]``.

    >>> peek("no such file")
    """
    try:
        return file.read(path)[0]
    except FileNotFoundError:
        return None


def network_spec(spec: dict[str, Any], name: str) -> dict[str, Any]:
    """Return the network's part of a spec: all of it, or the entry that an estimator's file has for it."""
    network = spec if spec.get("kind") == "network" else spec.get("network")
    if not isinstance(network, dict):
        raise ValueError(f"{name} holds no network that can be read: its spec has no network")
    return network


class _AnotherRunError(ValueError):
    """Tells a difference from a file that cannot be understood."""


def _remembering(candidates: Iterable[Any]) -> list[Kept]:
    """Return those with a state, each once."""
    return list(
        {
            id(each): each
            for each in candidates
            if callable(getattr(each, "state", None)) and callable(getattr(each, "restore", None))
        }.values()
    )


def _state(each: Kept) -> Packed:
    state: Any = each.state()
    if not isinstance(state, tuple) or len(state) != 2 or not all(isinstance(part, dict) for part in state):
        raise TypeError(
            f"{type(each).__name__}.state() gave {describe(state)}, expected (values, arrays), both by name"
        )
    return state


def _kept_in(arrays: dict[str, Array], i: int, values: Any) -> Packed:
    if not isinstance(values, dict):
        raise TypeError(f"kept[{i}] is {describe(values)}, expected a table")
    prefix = f"kept.{i}."
    return values, {key.removeprefix(prefix): a for key, a in arrays.items() if key.startswith(prefix)}


def _of_model(model: Model) -> dict[str, Any]:
    """Return what the network itself is, by name."""
    return {
        **{f"layers[{i}]": repr(layer) for i, layer in enumerate(model.layers)},
        "input_size": model.input_size,
        "dtype": model.dtype.name,
        "seed": model.seed,
    }


def _describe(optimizer: Optimizer) -> str:
    """Return an optimizer as text; functions are all alike there, because nothing more is known of them."""
    shown = []
    for part in dataclasses.fields(optimizer):
        value = getattr(optimizer, part.name)
        known = not callable(value) or isinstance(value, (CosineDecay, OneCycle))
        shown.append(f"{part.name}={value if known else 'a function'}")
    return f"{type(optimizer).__name__}({', '.join(shown)})"


def _plain(value: Any) -> Any:
    """Return a setting as JSON has it: what is neither text nor a finite number becomes text."""
    if value is None or isinstance(value, (str, int)) or (isinstance(value, float) and math.isfinite(value)):
        return value
    return str(value)


def _shown(value: Any) -> str:
    text = " ".join(str(value).split())
    return text if len(text) <= 200 else f"{text[:197]}..."
