"""Pipelines of features and an estimator in one file, for `elman.save` and `elman.load`; no pickle."""

from __future__ import annotations

import inspect
import os
from itertools import pairwise
from typing import Any

import numpy as np
from sklearn.pipeline import Pipeline
from sklearn.utils.validation import check_is_fitted

from elman import features, saving
from elman.arguments import describe
from elman.estimators import KINDS, files, unpack
from elman.estimators.base import SequenceEstimator
from elman.features.base import SequenceTransformer
from elman.sequences import Array


def write(pipeline: Pipeline, path: str | os.PathLike[str]) -> None:
    """Write a fitted pipeline; TypeError for steps that `elman.load` would not know."""
    parts, arrays = [], {}
    for i, (name, step) in enumerate(pipeline.steps[:-1]):
        if step is None or step == "passthrough":
            continue
        if getattr(features, type(step).__name__, None) is not type(step):
            raise TypeError(f"the step {name!r} is {describe(step)}, expected one of elman.features")
        check_is_fitted(step, "n_features_in_")
        learned = {key: value for key, value in vars(step).items() if _learned(key)}
        arrays.update({f"features.{i}.{key}": value for key, value in learned.items()})
        names = getattr(step, "feature_names_in_", None)
        parts.append({
            "name": name,
            "kind": type(step).__name__,
            "parameters": {
                key: files.plain(key, value) for key, value in step.get_params(deep=False).items()
            },
            "table": step._table,
            "features": step.n_features_in_,
            "feature_names": None if names is None else [str(each) for each in names],
            "learned": {key: f"features.{i}.{key}" for key in learned},
        })  # fmt: skip
    name, last = pipeline.steps[-1]
    if not isinstance(last, SequenceEstimator):
        raise TypeError(f"the last step {name!r} is {describe(last)}, expected one of elman's estimators")
    check_is_fitted(last, "network_")
    spec, own = files.pack(last)
    saving.write(path, {"kind": "pipeline", "features": parts, "name": name, "last": spec}, own | arrays)


def read(spec: dict[str, Any], arrays: dict[str, Array], source: str) -> Pipeline:
    """Return the pipeline that `write` wrote; ValueError where spec and arrays do not belong together."""
    try:
        steps = [(part["name"], _step(part, arrays)) for part in spec["features"]]
        last = spec["last"]
        if last["kind"] not in KINDS:
            raise ValueError(f"its last step is {last['kind']!r}")
        steps.append((spec["name"], unpack(last, arrays, source)))
        names = [name for name, _ in steps]
        if len(set(names)) < len(names) or not all(isinstance(name, str) for name in names):
            raise ValueError(f"its steps are called {names}")
        for (name, step), (_, following) in pairwise(steps):
            made = len(step.get_feature_names_out())
            if following._table or made != following.n_features_in_:
                raise ValueError(f"the step {name!r} makes {made} features, which the next one does not read")
        return Pipeline(steps)
    except (KeyError, TypeError, ValueError, OverflowError, AttributeError, RecursionError) as error:
        raise ValueError(f"{source} holds no pipeline that can be read: {error}") from None


def _learned(key: str) -> bool:
    """Whether an attribute was learned from data, beside those that every step has."""
    shared = ("n_features_in_", "feature_names_in_")
    return key.endswith("_") and not key.startswith("_") and key not in shared


def _step(part: dict[str, Any], arrays: dict[str, Array]) -> SequenceTransformer:
    kind = getattr(features, str(part["kind"]), None)
    if not (isinstance(kind, type) and issubclass(kind, SequenceTransformer)):
        raise ValueError(f"{part['kind']!r} is none of elman.features: update elman")
    step = kind(**{key: files.given_back(key, value) for key, value in part["parameters"].items()})
    step._check()
    table, count, names = part["table"], part["features"], part["feature_names"]
    if type(table) is not bool or type(count) is not int or count < 1:
        raise ValueError(f"table is {table!r} and features {count!r}")
    step._table, step.n_features_in_ = table, count
    if names is not None:
        if len(names) != count or not all(isinstance(name, str) for name in names):
            raise ValueError("feature_names is not one name a feature")
        step.feature_names_in_ = np.array(names, dtype=object)
    learned = part["learned"]
    if set(learned) != {key for key in inspect.get_annotations(kind) if _learned(key)}:
        raise ValueError(f"a {kind.__name__} learns something else than {list(learned)}")
    for key, where in learned.items():
        value = arrays[where]
        if value.dtype != np.float64 or not np.isfinite(value).all():
            raise ValueError(f"{where} is not what a step learns")
        if value.shape != (1 if table else count,):
            raise ValueError(f"{where} has shape {value.shape}, expected one number a feature")
        setattr(step, key, value.copy())
    return step
