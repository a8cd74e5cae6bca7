"""`elman info MODEL`: what a saved model is, and what it knows of its features."""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from elman import persistence, streaming
from elman.anaesthesia.vitals import SECONDS
from elman.cli.commands.data import plural
from elman.cli.console import say, shown
from elman.data.feature_names import Features
from elman.model import file
from elman.network.network import Network
from elman.training.checkpoint import network_spec, peek

_MOST = 40  # classes that are shown; --json has all


@dataclass(frozen=True)
class ModelInfo:
    """What a saved model is; ``features`` is F, and None is unknown.

    ``steps`` are the transformers before the estimator, ``layers`` those of its network (of a forecaster: one
    network after the other); ``checkpoint``: the file keeps a run that can be resumed.
    """

    file: str
    kind: str
    steps: list[str]
    layers: list[str]
    per_step: bool | None
    parameters: int
    dtype: str
    epochs: int
    features: int
    feature_names: list[str] | None
    feature_units: list[str] | None
    rate: float | None
    classes: list[Any] | None
    checkpoint: bool
    format: int
    bytes: int


def describe(path: str) -> ModelInfo:
    """Return what is in a file; ValueError for one that is damaged or not elman's."""
    model: Any = persistence.load(path)
    spec = peek(path) or {}
    parts = [part for _, part in model.steps if part != "passthrough"] if hasattr(model, "steps") else [model]
    first, last = parts[0], parts[-1]
    nets = _networks(last)
    known, width = _features(model, first, nets)
    classes = getattr(last, "classes_", None)
    return ModelInfo(
        file=path,
        kind=type(last).__name__,
        steps=[repr(part) for part in parts[:-1]],
        layers=[f"{i} {_short(layer)}" for net in nets for i, layer in enumerate(net.layers)],
        per_step=nets[0].per_step if len(nets) == 1 else None,
        parameters=sum(len(net.parameters) for net in nets),
        dtype=nets[0].dtype.name,
        epochs=max(net.model.epoch for net in nets),
        features=width,
        feature_names=None if known.names is None else list(known.names),
        feature_units=None if known.units is None else list(known.units),
        rate=known.rate,
        classes=None if classes is None else classes.tolist(),
        checkpoint=spec.get("kind") != "DepthForecaster" and _is_run(spec, path),
        format=file.VERSION,
        bytes=Path(path).stat().st_size,
    )


def _short(layer: Any) -> str:
    """Return a layer without the arguments that have their defaults."""
    given = ((each.name, getattr(layer, each.name), each.default) for each in dataclasses.fields(layer))
    parts = [f"{name}={value!r}" for name, value, default in given if value != default]
    return f"{type(layer).__name__}({', '.join(parts)})"


def _networks(last: Any) -> list[Network]:
    if isinstance(last, Network):
        return [last]
    many = getattr(last, "networks_", None)  # of a forecaster
    if many is not None:
        return [each.network_ for each in many]
    return [last.network_ if hasattr(last, "network_") else last.network]  # an estimator, or a learner


def _features(model: Any, first: Any, nets: list[Network]) -> tuple[Features, int]:
    """Return what is known of the features, and their number."""
    tracks = getattr(first, "tracks", None)  # of a forecaster, or of its features
    if tracks is not None:
        return Features(tuple(tracks), None, 1.0 / SECONDS), len(tracks)
    if hasattr(first, "n_channels"):
        return streaming.known_features(model), first.n_channels
    known = streaming.known_features(model if hasattr(model, "tabular_") else nets[0])
    return known, nets[0].input_size


def _is_run(spec: dict[str, Any], path: str) -> bool:
    inner = spec.get("model", spec)  # of a pipeline
    return "run" in network_spec(inner, repr(path))


def show(found: ModelInfo) -> None:
    """Write what a model is, for people."""
    answers = {None: "", True: ", one answer a step", False: ", one answer a sequence"}[found.per_step]
    rows = [("model", f"{found.kind}{answers}")]
    rows += [("after", step) for step in found.steps]
    rows += [("layers" if i == 0 else "", layer) for i, layer in enumerate(found.layers)]
    rows += [("parameters", f"{found.parameters:,} ({found.dtype})")]
    rows += [
        (
            "trained",
            plural(found.epochs, "epoch") + (" (the checkpoint of a run)" if found.checkpoint else ""),
        )
    ]
    rows += [("features", f"{found.features}, of unknown names" if found.feature_names is None else "")]
    rows += [("rate", "unknown" if found.rate is None else f"{found.rate:g} Hz")]
    if found.feature_names is not None:
        units = found.feature_units or [""] * found.features
        pairs = zip(found.feature_names, units, strict=True)
        rows[-2] = ("features", ", ".join(f"{name} ({unit})" if unit else name for name, unit in pairs))
    if found.classes is not None:
        more = f" and {len(found.classes) - _MOST} more" if len(found.classes) > _MOST else ""
        rows.append(("classes", ", ".join(map(repr, found.classes[:_MOST])) + more))
    rows.append(("file", f"{found.file}, {found.bytes:,} bytes, format {found.format}"))
    width = max(len(name) for name, _ in rows)
    for name, value in rows:
        say(f"{name.ljust(width)}  {shown(value)}".rstrip())
