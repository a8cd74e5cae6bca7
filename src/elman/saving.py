"""Saving: one safetensors file; its metadata hold a spec as JSON, a version and a checksum of it all.

No pickle. The checksum is SHA-256 over the file's bytes with the checksum's own 64 digits set to zero.
"""

from __future__ import annotations

import hashlib
import json
import os
import re
from pathlib import Path
from threading import get_ident
from typing import Any

import numpy as np

from elman import layers, optimisers
from elman.history import History
from elman.model import Model
from elman.sequences import Array

VERSION = 1
_EMPTY = b"0" * 64
_CHECKSUM = re.compile(rb'"elman_checksum":\s?"([0-9a-f]{64})"')
_VERSION = re.compile(rb'"elman_version":\s?"([0-9]{1,9})"')


def write(path: str | os.PathLike[str], spec: dict[str, Any], arrays: dict[str, Array]) -> None:
    """Write a spec and named arrays; a file of that name is replaced in one step, never half."""
    from safetensors.numpy import save

    metadata = {
        "elman_version": str(VERSION),
        "elman_checksum": _EMPTY.decode(),
        "elman_spec": json.dumps(spec, allow_nan=False),
    }
    content = save({name: np.ascontiguousarray(a) for name, a in arrays.items()}, metadata)
    digest = hashlib.sha256(content).hexdigest().encode()
    place = _find(content)
    content = content[: place[0]] + digest + content[place[1] :]
    partial = Path(f"{os.fspath(path)}.{os.getpid()}.{get_ident()}.partial")
    try:
        partial.write_bytes(content)
        partial.replace(path)
    finally:
        partial.unlink(missing_ok=True)


def read(path: str | os.PathLike[str]) -> tuple[dict[str, Any], dict[str, Array]]:
    """Return the spec and the arrays of a file; ValueError for one that is damaged or not elman's."""
    from safetensors import SafetensorError
    from safetensors.numpy import load

    name = repr(os.fspath(path))
    content = Path(path).read_bytes()
    header = int.from_bytes(content[:8], "little")
    if len(content) < 8 or header > len(content) - 8:  # before any number in the file is believed
        raise ValueError(f"{name} is not an elman file, or damaged: its header is longer than the file")
    version = _VERSION.search(content, 8, 8 + header)
    if version is None:
        raise ValueError(f"{name} is not an elman file, or damaged: it names no format version")
    if int(version[1]) > VERSION:
        raise ValueError(
            f"{name} has format version {int(version[1])}, expected at most {VERSION}: update elman"
        )
    try:
        begin, end = _find(content)
        digest = hashlib.sha256(content[:begin] + _EMPTY + content[end:]).hexdigest().encode()
    except ValueError:
        raise ValueError(f"{name} is damaged: it has no checksum") from None
    if digest != content[begin:end]:
        raise ValueError(f"{name} is damaged: its checksum does not match its content")
    try:
        arrays = load(content)
        spec = json.loads(json.loads(content[8 : 8 + header])["__metadata__"]["elman_spec"])
    except (SafetensorError, KeyError, TypeError, ValueError, RecursionError) as error:
        raise ValueError(f"{name} cannot be read: {error}") from None
    if not isinstance(spec, dict):
        raise ValueError(f"{name} cannot be read: its spec is no table")
    return spec, arrays


def _find(content: bytes) -> tuple[int, int]:
    header = int.from_bytes(content[:8], "little")
    found = _CHECKSUM.search(content, 8, 8 + header)
    if found is None:
        raise ValueError("no checksum")
    return found.span(1)


def pack(model: Model) -> tuple[dict[str, Any], dict[str, Array]]:
    """Return a network as plain values and arrays: all of it but carried states.

    An optimiser whose rate is a callable of the user's own has no JSON: its state is left out, and the next
    fit starts it anew.
    """
    optimiser = None if model.optimiser is None else optimisers.to_dict(model.optimiser)
    spec = {
        "kind": "network",
        "layers": [layers.to_dict(layer) for layer in model.layers],
        "input_size": model.input_size,
        "dtype": model.dtype.name,
        "seed": model.seed,
        "frozen": sorted(model.frozen),
        "epoch": model.epoch,
        "optimiser": optimiser,
        "updates": model.updates if optimiser else 0,
        "history": list(model.history.history),
    }
    arrays = {"parameters": model.parameters.copy()}
    if optimiser:
        arrays.update({f"moment.{i}": moment for i, moment in enumerate(model.moments)})
    arrays.update({f"history.{key}": np.array(v, np.float64) for key, v in model.history.history.items()})
    return spec, arrays


def unpack(spec: dict[str, Any], arrays: dict[str, Array], name: str) -> Model:
    """Return the network that `pack` wrote; ValueError where spec and arrays do not belong together."""
    try:
        return _unpack(spec, arrays)
    except (KeyError, TypeError, ValueError, OverflowError) as error:
        raise ValueError(f"{name} holds no network that can be read: {error}") from None


def _unpack(spec: dict[str, Any], arrays: dict[str, Array]) -> Model:
    stack = layers.check_stack([layers.from_dict(values) for values in spec["layers"]])
    parameters = arrays["parameters"]
    expected = parameter_count(stack, spec["input_size"])
    if parameters.shape != (expected,):  # before the engine makes room for what the spec asks
        raise ValueError(f"parameters has shape {parameters.shape}, expected ({expected},)")
    model = Model(stack, spec["input_size"], spec["dtype"], spec["seed"])
    model.parameters[:] = parameters
    model.frozen = frozenset(model.match(tuple(spec["frozen"]))) if spec["frozen"] else frozenset()
    model.epoch = int(spec["epoch"])
    if spec["optimiser"] is not None:
        model.begin(optimisers.from_dict(spec["optimiser"]))
        model.updates = int(spec["updates"])
        for i, moment in enumerate(model.moments):
            moment[:] = arrays[f"moment.{i}"]
    model.history = History(tuple(spec["history"]))
    for key, values in model.history.history.items():
        values.extend(arrays[f"history.{key}"].tolist())
    return model


def parameter_count(stack: tuple[layers.Layer, ...], input_size: int) -> int:
    """Return P, counted from the layers alone, in Python's unbounded integers.

    >>> parameter_count((layers.SimpleRNN(3), layers.Dense(5)), 5)
    47
    """
    width, total = input_size, 0
    for layer in stack:
        if isinstance(layer, (layers.SimpleRNN, layers.Dense)):
            recurrent = layer.units if isinstance(layer, layers.SimpleRNN) else 0
            total += layer.units * (width + recurrent + int(layer.use_bias))
            width = layer.units
    return total


def state(model: Model) -> dict[str, Any]:
    """Return a network for pickle and deepcopy: everything it remembers."""
    return {
        "layers": model.layers,
        "input_size": model.input_size,
        "dtype": model.dtype.name,
        "seed": model.seed,
        "parameters": model.parameters.copy(),
        "frozen": model.frozen,
        "optimiser": model.optimiser,
        "moments": [m.copy() for m in model.moments],
        "updates": model.updates,
        "epoch": model.epoch,
        "carry": None if model.carry is None else [c.copy() for c in model.carry],
        "history": {key: list(values) for key, values in model.history.history.items()},
    }


def restore(values: dict[str, Any]) -> Model:
    """Return the network that `state` described."""
    model = Model(values["layers"], values["input_size"], values["dtype"], values["seed"])
    model.parameters[:] = values["parameters"]
    for name in ("frozen", "optimiser", "moments", "updates", "epoch", "carry"):
        setattr(model, name, values[name])
    model.history = History()
    model.history.history = values["history"]
    return model
