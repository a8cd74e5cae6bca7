"""Checkpoints: a run of training is written to a file after each epoch, so that at most one epoch is lost.

A checkpoint is an ordinary model file (`elman.model.file`, docs/format.md). Its network has one more entry,
"run", which describes the run rather than the network. How it is used:

- `open_run` makes a `Checkpoint` for a plan. It reads and compares the file (with ``resume``), finds out
  whether the path can be written, and changes nothing.
- `elman.training.loop.fit` calls `Checkpoint.restore`, `Checkpoint.start`, and `Checkpoint.write` after each
  epoch.

An estimator gives `open_run` a `FileOwner`, because its file holds more than a network:

- ``pack() -> (spec, arrays)``, as `file.write` takes them. ``spec["kind"]`` is ``kind``, ``spec["network"]``
  the spec of `file.pack`, and ``arrays`` contain the arrays of `file.pack` under their own names. It is
  called after each epoch, and before the first one.
- ``settings``: what must be the same when the run is resumed, by name: strings, numbers, bools or None
  (anything else is compared as text).
- ``given``: the checksums of its data as they were given (`elman.training.fingerprint`).

Checksums of the data, and the weights that a run began with, are compared too (`elman.training.fingerprint`).
A file of elman 0.1 has none: a run goes on from it with a warning.

Each of ``callbacks``, and ``FileOwner.extra``, that is a `StatefulCallback` is written to the file too.
`peek` reads the spec of a file alone.
"""

from __future__ import annotations

import math
import os
import warnings
from collections.abc import Callable, Iterable, Mapping
from dataclasses import asdict, dataclass, field, replace
from typing import TYPE_CHECKING, Any, Protocol

import numpy as np

from elman._validation import as_text, describe, flag, integer
from elman.data.sequences import Array
from elman.errors import ArgumentValueError, Mention, MentionError
from elman.model import atomic_write, file
from elman.model.model import MOST_COUNTED, Model
from elman.nn.optimizers import Optimizer, arguments, rate_at
from elman.nn.schedules import CosineDecay, OneCycle
from elman.training import fingerprint
from elman.training.fingerprint import Fingerprint, Fingerprints

if TYPE_CHECKING:
    from elman.training.plan import Plan

_OLD_CHECKSUM = "the checksum of X, y and weights"  # a setting of the estimators of elman 0.1
Packed = tuple[dict[str, Any], dict[str, Array]]


class StatefulCallback(Protocol):
    """A callback that remembers something from epoch to epoch, such as early stopping.

    ``state`` returns JSON values (finite numbers) and arrays, by name; ``restore`` sets them again.
    """

    def state(self) -> Packed: ...
    def restore(self, values: dict[str, Any], arrays: dict[str, Array]) -> None: ...


@dataclass(frozen=True)
class FileOwner:
    """The object that the file describes: the network itself, or an estimator that packs its own file."""

    kind: str = "network"
    pack: Callable[[], Packed] | None = None
    settings: Mapping[str, Any] = field(default_factory=dict)
    extra: Any = None
    given: Fingerprints | None = None


@dataclass(frozen=True)
class ResumedRun:
    """The content of a file that this run can continue."""

    source: Model
    moments: list[Array]
    updates: int
    stopped: bool
    states: list[Packed]
    given: Fingerprint | None


class Checkpoint:
    """The file of one run.

    ``settings`` are the arguments of the run, ``given`` is what it learns from, ``callbacks`` those among
    which some have a state, ``rows`` the number of sequences whose states are carried (None: none are).
    """

    def __init__(
        self,
        path: str | os.PathLike[str],
        model: Model,
        owner: FileOwner,
        settings: Mapping[str, Any],
        given: Fingerprint,
        optimizer: Optimizer,
        rows: int | None,
        callbacks: Iterable[Any],
        resume: bool,
    ) -> None:
        self.path = path
        self._model = model
        self._kind = owner.kind
        self._pack = owner.pack or (lambda: file.pack(model))
        self._stateful = _stateful((*callbacks, owner.extra))
        self._settings = {
            "optimizer": _describe(optimizer),
            **settings,
            "callbacks with a state": ", ".join(type(each).__name__ for each in self._stateful) or "none",
            **{name: _plain(value) for name, value in owner.settings.items()},
        }
        self._given = given
        self.found = self._read(optimizer, rows) if resume else None
        if self.found is not None:
            self._given = self.found.given or replace(given, weights=None)

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

    def _read(self, optimizer: Optimizer, rows: int | None) -> ResumedRun | None:
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
            found = ResumedRun(
                source=source,
                moments=file.moments(arrays, optimizer, source),
                updates=integer("updates", run["updates"], maximum=MOST_COUNTED),
                stopped=flag("stopped", run["stopped"]),
                states=[_state_in(arrays, i, values) for i, values in enumerate(run["kept"])],
                given=Fingerprint.from_json(run["given"]) if "given" in run else None,
            )
            if len(found.states) != len(self._stateful):
                raise ValueError(f"kept has {len(found.states)} entries, expected {len(self._stateful)}")
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
        there.pop(_OLD_CHECKSUM, None)
        if source.optimizer is not None:  # as this version describes it
            there["optimizer"] = _describe(source.optimizer)
        here = {"kind": self._kind, **_of_model(self._model), **self._settings}
        if not self._model.seed_given:
            here["seed"] = there["seed"]
        differences: list[tuple[str | Mention, ...]] = [
            (Mention(key, bare=True), f" is {_shown(there.get(key))} there, {_shown(here.get(key))} here")
            for key in dict.fromkeys((*here, *there))
            if there.get(key) != here.get(key)
        ]
        began = source.began
        if began not in (self._model.epoch, self._model.began):
            epochs = f"{began} there, {self._model.epoch} here"
            differences.append((f"the epoch at which the run began is {epochs}",))
        if "given" in run:
            told = {key for key in here if there.get(key) != here[key]}
            if "X" in told:  # other sequences have other answers and weights
                told |= {"y", "sample_weight", "initial_state"}
            own_weights = self._model.began != began and self._model.seed_given  # or the file has them
            given = Fingerprint.from_json(run["given"])
            differences += [(each,) for each in given.differences(self._given, told, own_weights)]
        if differences:
            parts = [part for each in differences for part in ("; ", *each)]
            raise _AnotherRunError(f"{name} was written by another run: ", *parts[1:])

    def restore(self, optimizer: Optimizer, keys: tuple[str, ...]) -> bool:
        """Set the network and the stateful callbacks to the file's state; return whether there is one."""
        found = self.found
        if found is None:
            return False
        name = repr(os.fspath(self.path))
        source, model = found.source, self._model
        if tuple(source.history.history) != keys:
            raise ValueError(f"{name} has a history of {list(source.history.history)}, expected {list(keys)}")
        try:
            for each, (values, arrays) in zip(self._stateful, found.states, strict=True):
                each.restore(values, arrays)
        except (LookupError, TypeError, ValueError, AttributeError) as error:
            raise ValueError(f"{name} holds no run that can be resumed: {error!r}") from error
        model.parameters[:] = source.parameters
        model.optimizer, model.moments, model.updates = optimizer, found.moments, found.updates
        model.set_seed(source.seed)
        model.frozen = source.frozen
        model.epoch = source.epoch
        model.began = source.began
        model.carry = source.carry
        model.history = source.history
        return True

    # writing

    def start(self) -> None:
        """Write the start of a run where there is no file yet: the first epoch may be interrupted."""
        if not os.path.lexists(self.path):
            self.write(stopped=False)

    def write(self, stopped: bool) -> None:
        """Write the run as it is after an epoch; where weights are not finite, the file stays as it is."""
        model = self._model
        if not np.isfinite(model.parameters).all():
            return
        spec, arrays = self._pack()
        arrays = dict(arrays)
        arrays.update({f"moment.{i}": moment for i, moment in enumerate(model.moments)})
        arrays.update({f"carry.{i}": carried for i, carried in enumerate(model.carry or ())})
        states = []
        for i, each in enumerate(self._stateful):
            values, own = _state(each)
            states.append(values)
            arrays.update({f"kept.{i}.{name}": np.asarray(array) for name, array in own.items()})
        run = {
            "began": model.began,
            "stopped": stopped,
            "updates": model.updates,
            "carried": model.carry is not None,
            "settings": self._settings,
            "given": asdict(self._given),
            "kept": states,
        }
        if spec["kind"] == "network":
            spec = spec | {"run": run}
        else:
            spec = spec | {"network": spec["network"] | {"run": run}}
        file.write(self.path, spec, arrays)


def open_run(
    model: Model, plan: Plan, path: Any = None, resume: Any = False, owner: FileOwner | None = None
) -> Checkpoint | None:
    """Check how a run begins, and return where it is kept; None without a path.

    TypeError and ValueError for wrong arguments and for the file of another run, OSError for a path that
    cannot be written; nothing has changed then.
    """
    point = _checkpoint(model, plan, path, resume, owner or FileOwner())
    if point is not None and point.found is not None:
        updates = point.found.updates
    else:
        updates = model.updates if plan.optimizer == model.optimizer else 0
        if plan.stateful:
            model.carried(plan.train.batch.n)
    rate_at(plan.optimizer, updates)
    if point is not None and point.found is not None and point.found.given is None:
        level = 3 if owner is None else 4  # the caller of fit
        warnings.warn(fingerprint.UNCHECKED.format(os.fspath(path)), UserWarning, stacklevel=level)
    if point is not None and point.done < plan.epochs and not point.stopped:
        point.probe()
    return point


def _checkpoint(model: Model, plan: Plan, path: Any, resume: Any, owner: FileOwner) -> Checkpoint | None:
    resume = flag("resume", resume)
    if path is None:
        if resume:
            raise ArgumentValueError("resume", "is True without a checkpoint", "the path of one")
        return None
    as_text(path, "checkpoint")
    settings = fingerprint.settings(model, plan)
    rows = plan.train.batch.n if plan.stateful else None
    given = fingerprint.of_run(model, plan, owner.given)
    return Checkpoint(path, model, owner, settings, given, plan.optimizer, rows, plan.callbacks, resume)


def peek(path: str | os.PathLike[str]) -> dict[str, Any] | None:
    """Return the spec of a file, or None where there is none; ValueError for a damaged one.

    The seed of the run in an estimator's file is ``peek(path)["network"]["seed"]``.

    >>> peek("no such file")
    """
    try:
        return file.read(path)[0]
    except FileNotFoundError:
        return None


def take_up_features(model: Model, path: Any, resume: Any) -> None:
    """Let a network that is not trained yet know the features of the run that it is going to resume."""
    if resume and not model.epoch and path is not None:
        spec = peek(as_text(path, "checkpoint"))
        if spec is not None:
            found = file.features_in(network_spec(spec, repr(os.fspath(path))), model.input_size)
            model.features = found if found.known else model.features


def network_spec(spec: dict[str, Any], name: str) -> dict[str, Any]:
    """Return the network's part of a spec: all of it, or the entry that an estimator's file has for it."""
    network = spec if spec.get("kind") == "network" else spec.get("network")
    if not isinstance(network, dict):
        raise ValueError(f"{name} holds no network that can be read: its spec has no network")
    return network


class _AnotherRunError(MentionError):
    """The file is a valid checkpoint, of a run with other settings."""


def _stateful(candidates: Iterable[Any]) -> list[StatefulCallback]:
    """Return those with a state, each of them once."""
    return list(
        {
            id(each): each
            for each in candidates
            if callable(getattr(each, "state", None)) and callable(getattr(each, "restore", None))
        }.values()
    )


def _state(each: StatefulCallback) -> Packed:
    state: Any = each.state()
    if not isinstance(state, tuple) or len(state) != 2 or not all(isinstance(part, dict) for part in state):
        raise TypeError(
            f"{type(each).__name__}.state() gave {describe(state)}, expected (values, arrays), both by name"
        )
    return state


def _state_in(arrays: dict[str, Array], i: int, values: Any) -> Packed:
    if not isinstance(values, dict):
        raise TypeError(f"kept[{i}] is {describe(values)}, expected a table")
    prefix = f"kept.{i}."
    return values, {key.removeprefix(prefix): a for key, a in arrays.items() if key.startswith(prefix)}


def _of_model(model: Model) -> dict[str, Any]:
    """Return the description of the network itself, by name."""
    return {
        **{f"layers[{i}]": repr(layer) for i, layer in enumerate(model.layers)},
        "input_size": model.input_size,
        "dtype": model.dtype.name,
        "seed": model.seed,
    }


def _describe(optimizer: Optimizer) -> str:
    """Return an optimizer as text. Functions are all written alike: they cannot be compared."""
    shown = []
    for name, value in arguments(optimizer).items():
        known = not callable(value) or isinstance(value, (CosineDecay, OneCycle))
        shown.append(f"{name}={value if known else 'a function'}")
    return f"{type(optimizer).__name__}({', '.join(shown)})"


def _plain(value: Any) -> Any:
    """Return a setting as JSON can hold it: anything but text and finite numbers becomes text."""
    if value is None or isinstance(value, (str, int)) or (isinstance(value, float) and math.isfinite(value)):
        return value
    return str(value)


def _shown(value: Any) -> str:
    text = " ".join(str(value).split())
    return text if len(text) <= 200 else f"{text[:197]}..."
