"""The file: one safetensors file, whose metadata hold a spec as JSON, a version and a checksum.

No pickle. The checksum is SHA-256 over all bytes of the file, with its own 64 digits set to zero. The same
model gives the same bytes. The format: docs/format.md.
"""

from __future__ import annotations

import hashlib
import json
import math
import os
import re
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import numpy as np

from elman._validation import as_text, describe, flag, integer, real_dtype
from elman.data import signal_limits
from elman.data.feature_names import UNKNOWN, Features, read_features
from elman.data.sequences import Array
from elman.model import atomic_write
from elman.model.history import History
from elman.model.model import MOST_COUNTED, Model
from elman.nn import optimizers, stack
from elman.nn.constraints import Constraint, constraint

VERSION = 1
_EMPTY = b"0" * 64
_CHECKSUM = re.compile(rb'"elman_checksum":\s?"([0-9a-f]{64})"')
_VERSION = re.compile(rb'"elman_version":\s?"([0-9]{1,9})"')
# Keys that files of earlier versions have, and what they are called now.
_OLD_KEYS = {"optimiser": "optimizer"}


def write(path: str | os.PathLike[str], spec: dict[str, Any], arrays: dict[str, Array]) -> None:
    """Write a spec and named arrays; a file of that name is replaced in one step, never half.

    It is on the disk when this returns. Errors: OSError naming the path; the file before is as it was then.
    """
    from safetensors.numpy import save

    as_text(path)
    metadata = {
        "elman_version": str(VERSION),
        "elman_checksum": _EMPTY.decode(),
        "elman_spec": json.dumps(spec, allow_nan=False),
    }
    content = save({name: np.ascontiguousarray(a) for name, a in arrays.items()}, metadata)
    header, numbers = _fixed_header(content, metadata)
    begin, end = _find(header)
    digest = _digest((header[:begin], _EMPTY, header[end:], numbers))
    atomic_write.replace(path, (header[:begin], digest, header[end:], numbers))


def _fixed_header(content: bytes, metadata: dict[str, str]) -> tuple[bytes, memoryview]:
    """Return the header of a file, its length before it, and the numbers that follow.

    safetensors orders the arrays by dtype and name, but the metadata at random. Here their order is that of
    ``metadata``, so that equal models give equal files.
    """
    end = 8 + int.from_bytes(content[:8], "little")
    entries = json.loads(content[8:end])
    entries["__metadata__"] = metadata
    text = json.dumps(entries, ensure_ascii=False, separators=(",", ":")).encode()
    text += b" " * (-len(text) % 8)  # the numbers begin at a multiple of eight
    return len(text).to_bytes(8, "little") + text, memoryview(content)[end:]


def read(path: str | os.PathLike[str]) -> tuple[dict[str, Any], dict[str, Array]]:
    """Return the spec and the arrays of a file; ValueError for one that is damaged or not elman's."""
    from safetensors import SafetensorError
    from safetensors.numpy import load

    name = repr(as_text(path))
    content, header = _content(Path(path), name)
    try:
        begin, end = _find(content)
    except ValueError:
        raise ValueError(f"{name} is damaged: it has no checksum") from None
    view = memoryview(content)
    if _digest((view[:begin], _EMPTY, view[end:])) != content[begin:end]:
        raise ValueError(f"{name} is damaged: its checksum does not match its content")
    try:
        arrays = load(content)
        spec = _json(_json(header)["__metadata__"]["elman_spec"])
    except (SafetensorError, LookupError, TypeError, ValueError, RecursionError) as error:
        raise ValueError(f"{name} cannot be read: {reason(error)}") from None
    if not isinstance(spec, dict):
        raise ValueError(f"{name} cannot be read: its spec is {describe(spec)}, expected a table")
    return spec, arrays


def _content(path: Path, name: str) -> tuple[bytes, bytes]:
    """Return all bytes of a file, and its header. Every length is compared with the size of the file."""
    with atomic_write.open_to_read(path) as file:
        size = os.fstat(file.fileno()).st_size
        start = file.read(8)
        length = int.from_bytes(start, "little")
        if len(start) < 8 or length > size - 8:
            raise ValueError(f"{name} is not an elman file, or damaged: its header is longer than the file")
        header = file.read(length)
        version = _VERSION.search(header)
        if version is None:
            raise ValueError(f"{name} is not an elman file, or damaged: it names no format version")
        if int(version[1]) > VERSION:
            raise ValueError(
                f"{name} has format version {int(version[1])}, expected at most {VERSION}: update elman"
            )
        return start + header + file.read(), header


def _find(content: bytes) -> tuple[int, int]:
    """Return where the digits of the checksum begin and end."""
    header = int.from_bytes(content[:8], "little")
    found = _CHECKSUM.search(content, 8, 8 + header)
    if found is None:
        raise ValueError("no checksum")
    return found.span(1)


def _digest(parts: Iterable[bytes | memoryview]) -> bytes:
    digest = hashlib.sha256()
    for part in parts:
        digest.update(part)
    return digest.hexdigest().encode()


def _json(text: str | bytes) -> Any:
    """Return the value of a JSON text; ValueError for NaN and infinity, which are not part of JSON."""

    def refuse(constant: str) -> None:
        raise ValueError(f"it has {constant}, expected plain JSON")

    return json.loads(text, parse_constant=refuse)


def pack(model: Model) -> tuple[dict[str, Any], dict[str, Array]]:
    """Return a network as plain values and arrays: everything except carried states.

    An optimizer whose learning rate is a user's function cannot be written as JSON. Its state is left out,
    and the next fit starts it again.
    """
    optimizer = None if model.optimizer is None else optimizers.to_dict(model.optimizer)
    spec = {
        "kind": "network",
        "layers": [stack.to_dict(layer) for layer in model.layers],
        "input_size": model.input_size,
        "dtype": model.dtype.name,
        "seed": model.seed,
        "seed_given": model.seed_given,
        "frozen": sorted(model.frozen),
        "constrained": sorted(model.constraints),
        "epoch": model.epoch,
        "optimizer": optimizer,
        "updates": model.updates if optimizer else 0,
        "history": list(model.history.history),
        **features_to_json(model.features),
    }
    arrays = {"parameters": model.parameters.copy(), **signal_limits.pack(model)}
    if optimizer:
        arrays.update({f"moment.{i}": moment for i, moment in enumerate(model.moments)})
    for name, own in model.constraints.items():
        arrays |= {f"mask.{name}": own.mask, f"sign.{name}": own.sign}
    arrays.update({f"history.{key}": np.array(v, np.float64) for key, v in model.history.history.items()})
    return spec, arrays


def unpack(spec: dict[str, Any], arrays: dict[str, Array], name: str) -> Model:
    """Return the network that `pack` described; ValueError where spec and arrays do not fit each other."""
    try:
        return _unpack(spec, arrays)
    except (KeyError, TypeError, ValueError, OverflowError, AttributeError) as error:
        raise ValueError(f"{name} holds no network that can be read: {reason(error)}") from None


def _unpack(spec: dict[str, Any], arrays: dict[str, Array]) -> Model:
    spec = _current_keys(spec)
    layers = stack.check_stack([stack.from_dict(values) for values in spec["layers"]])
    expected = stack.parameter_count(layers, integer("input_size", spec["input_size"], 1))
    dtype = real_dtype(spec["dtype"])
    parameters = _array(arrays, "parameters", (expected,), dtype)  # before the engine allocates them
    model = Model(layers, spec["input_size"], dtype, integer("seed", spec["seed"], maximum=math.inf))
    model.seed_given = flag("seed_given", spec["seed_given"])
    model.parameters[:] = parameters
    model.frozen = _frozen(spec["frozen"], model)
    model.constraints = _constraints(spec.get("constrained", []), arrays, model)
    model.epoch = integer("epoch", spec["epoch"], maximum=MOST_COUNTED)
    if spec["optimizer"] is not None:
        model.optimizer = optimizers.from_dict(_current_keys(spec["optimizer"]))
        model.moments = moments(arrays, model.optimizer, model)
        model.updates = integer("updates", spec["updates"], maximum=MOST_COUNTED)
    model.history = _history(spec["history"], arrays)
    signal_limits.restore(model, arrays, model.input_size)
    model.features = features_in(spec, model.input_size)
    if "run" in spec:  # only in a checkpoint
        _take_up_run(model, spec["run"], arrays)
    return model


def features_to_json(known: Features) -> dict[str, Any]:
    """Return names, units and rate of features as a file holds them: nothing where nothing is known.

    >>> features_to_json(Features(("hr",), None, 1.0))
    {'feature_names': ['hr'], 'rate': 1.0}
    """
    found = {"feature_names": known.names, "feature_units": known.units, "rate": known.rate}
    return {
        key: list(value) if isinstance(value, tuple) else value
        for key, value in found.items()
        if value is not None
    }


def features_in(spec: dict[str, Any], width: int) -> Features:
    """Return what a file says of F = ``width`` features; ValueError or TypeError for what does not fit."""
    return read_features(spec.get("feature_names"), spec.get("feature_units"), spec.get("rate"), width)


def _current_keys(spec: dict[str, Any]) -> dict[str, Any]:
    return {_OLD_KEYS.get(key, key): value for key, value in spec.items()}


def reason(error: Exception) -> str:
    """Return the message of an error about a file; for a KeyError, which has only a name, a sentence.

    >>> reason(KeyError("seed"))
    "it has no 'seed'"
    """
    return f"it has no {error}" if isinstance(error, KeyError) else str(error)


def _frozen(names: Any, model: Model) -> frozenset[str]:
    if not isinstance(names, list) or not all(name in model.weights for name in names):
        raise ValueError(f"frozen is {describe(names)}, expected a list of {', '.join(model.weights)}")
    return frozenset(names)


def _constraints(names: Any, arrays: dict[str, Array], model: Model) -> dict[str, Constraint]:
    if not isinstance(names, list) or not all(name in model.weights for name in names):
        raise ValueError(f"constrained is {describe(names)}, expected a list of {', '.join(model.weights)}")
    return {
        name: constraint(name, model.weights[name].shape, arrays[f"mask.{name}"], arrays[f"sign.{name}"])
        for name in names
    }


def _take_up_run(model: Model, run: dict[str, Any], arrays: dict[str, Array]) -> None:
    model.began = integer("began", run["began"])
    if min(model.began + model.history.epoch, MOST_COUNTED) != model.epoch:
        raise ValueError(
            f"epoch is {model.epoch}, expected {model.began} and the {model.history.epoch} of the history"
        )
    if flag("carried", run["carried"]):
        sizes = model.native.state_sizes
        rows = len(arrays["carry.0"]) if sizes else 0
        model.carry = [
            _array(arrays, f"carry.{i}", (rows, units), model.dtype).copy() for i, units in enumerate(sizes)
        ]


def moments(arrays: dict[str, Array], optimizer: optimizers.Optimizer, model: Model) -> list[Array]:
    """Return the arrays that an optimizer keeps, from the arrays of a file."""
    return [
        _array(arrays, f"moment.{i}", model.parameters.shape, model.dtype).copy()
        for i in range(optimizer.moments)
    ]


def _history(keys: Any, arrays: dict[str, Array]) -> History:
    if not isinstance(keys, list) or not all(isinstance(key, str) for key in keys):
        raise TypeError(f"history is {describe(keys)}, expected a list of names")
    history = History(tuple(keys))
    for key, values in history.history.items():
        length = len(arrays[f"history.{keys[0]}"])
        values.extend(_array(arrays, f"history.{key}", (length,), np.dtype(np.float64)).tolist())
    return history


def _array(arrays: dict[str, Array], name: str, shape: tuple[int, ...], dtype: np.dtype[Any]) -> Array:
    """Return an array of a file; ValueError for another shape or dtype."""
    found = arrays[name]
    if found.shape != shape or found.dtype != dtype:
        raise ValueError(f"{name} is {found.dtype} of shape {found.shape}, expected {dtype} of shape {shape}")
    return found


def state(model: Model) -> dict[str, Any]:
    """Return everything that a network remembers, for pickle and deepcopy."""
    return {
        "layers": model.layers,
        "input_size": model.input_size,
        "dtype": model.dtype.name,
        "seed": model.seed,
        "seed_given": model.seed_given,
        "parameters": model.parameters.copy(),
        "frozen": model.frozen,
        "constraints": dict(model.constraints),
        "optimizer": model.optimizer,
        "moments": [m.copy() for m in model.moments],
        "updates": model.updates,
        "epoch": model.epoch,
        "began": model.began,
        "carry": None if model.carry is None else [c.copy() for c in model.carry],
        "history": {key: list(values) for key, values in model.history.history.items()},
        "features": model.features,
        "signal_limits": signal_limits.of(model),
    }


def restore(values: dict[str, Any]) -> Model:
    """Return the network that `state` described."""
    model = Model(values["layers"], values["input_size"], values["dtype"], values["seed"])
    model.seed_given = values["seed_given"]
    model.parameters[:] = values["parameters"]
    model.frozen = values["frozen"]
    model.constraints = values.get("constraints", {})
    model.optimizer = values["optimizer"]
    model.moments = values["moments"]
    model.updates = values["updates"]
    model.epoch = values["epoch"]
    model.began = values["began"]
    model.carry = values["carry"]
    model.history = History()
    model.history.history = values["history"]
    model.features = values.get("features", UNKNOWN)
    limits = values.get("signal_limits")
    if limits is not None:
        vars(model)["signal_limits_"] = limits
    return model
