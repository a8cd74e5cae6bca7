"""Fitted pipelines of features and one estimator as plain values and arrays; no pickle."""

from __future__ import annotations

from itertools import pairwise
from typing import Any

from sklearn.pipeline import Pipeline
from sklearn.utils.validation import check_is_fitted

from elman import estimators, features
from elman._validation import describe, flag, integer
from elman.data import signal_limits
from elman.data.sequences import Array
from elman.estimators import files
from elman.estimators.base import SequenceEstimator
from elman.features.base import SequenceTransformer
from elman.features.windows import Windowed

KINDS: dict[str, type[SequenceTransformer]] = {
    name: kind
    for name in features.__all__
    if isinstance(kind := getattr(features, name), type) and issubclass(kind, SequenceTransformer)
}
_LONGEST = 2**24  # samples in a window of a file: no number in it takes memory before it is checked


def pack(pipeline: Pipeline) -> tuple[dict[str, Any], dict[str, Array]]:
    """Return a pipeline as plain values and arrays: its estimator's, and each step's beside them.

    TypeError that names a step which has no plain form.
    """
    name, last = pipeline.steps[-1]
    if not isinstance(last, SequenceEstimator):
        raise TypeError(f"the step {name!r} is {describe(last)}, expected an estimator of elman's at the end")
    spec, arrays = files.pack_fitted(last)
    steps = [_pack(step, part, f"step.{i}.", arrays) for i, (step, part) in enumerate(pipeline.steps[:-1])]
    return {"kind": "pipeline", "steps": steps, "name": name, "model": spec}, arrays


def _pack(name: str, part: Any, prefix: str, arrays: dict[str, Array]) -> dict[str, Any]:
    if part is None or (isinstance(part, str) and part == "passthrough"):
        return {"name": name, "kind": "passthrough"}
    kind = type(part)
    if KINDS.get(kind.__name__) is not kind:
        raise TypeError(
            f"the step {name!r} is {describe(part)}, expected features of elman's: {', '.join(KINDS)}"
        )
    check_is_fitted(part, "n_features_in_")
    learned = part.learned_arrays() | signal_limits.pack(part)
    arrays |= {prefix + own: array for own, array in learned.items()}
    given = part.get_params(deep=False)
    return {
        "name": name,
        "kind": kind.__name__,
        "parameters": {key: files.parameter_to_json(key, value) for key, value in given.items()},
        "table": part.tabular_,
        "features": part.n_features_in_,
        "feature_names": None,
        **files.features_to_json(part),
    }


def unpack(spec: dict[str, Any], arrays: dict[str, Array], name: str) -> Pipeline:
    """Return the pipeline that `pack` wrote; ValueError where spec and arrays do not belong together."""
    try:
        inner = spec["model"]
        if not isinstance(inner, dict) or inner.get("kind") not in estimators.KINDS:
            raise ValueError("its last step is no estimator")
        steps = [_unpack(step, f"step.{i}.", arrays) for i, step in enumerate(spec["steps"])]
        steps.append((spec["name"], estimators.unpack(inner, arrays, name)))
        names = [each for each, _ in steps]
        if not all(isinstance(each, str) for each in names) or len(set(names)) < len(names):
            raise ValueError("its steps have no names, or one twice")
        parts = [(each, part) for each, part in steps if part != "passthrough"]
        for (each, part), (_, following) in pairwise(parts):
            if following.tabular_ != part.per_sequence or part.n_features_out != following.n_features_in_:
                raise ValueError(f"the step {each!r} makes other features than the next one reads")
    except (KeyError, TypeError, ValueError, OverflowError, AttributeError, RecursionError) as error:
        raise ValueError(f"{name} holds no pipeline that can be read: {error}") from None
    return Pipeline(steps)


def _unpack(step: dict[str, Any], prefix: str, arrays: dict[str, Array]) -> tuple[str, Any]:
    if step["kind"] == "passthrough":
        return step["name"], "passthrough"
    if step["kind"] not in KINDS:
        raise ValueError(f"its features are {describe(step['kind'])}, expected one of {', '.join(KINDS)}")
    given = {key: files.parameter_from_json(key, value) for key, value in step["parameters"].items()}
    part = KINDS[step["kind"]](**given)
    part.check_parameters()
    if isinstance(part, Windowed) and (part.window_size or 0) > _LONGEST:
        raise ValueError(f"its window is {part.window_size}, expected at most {_LONGEST} samples")
    part.tabular_ = flag("table", step["table"])
    part.n_features_in_ = integer("features", step["features"], 1)
    files.keep_features(part, step)
    own = {key.removeprefix(prefix): each for key, each in arrays.items() if key.startswith(prefix)}
    part.restore_arrays(own)
    signal_limits.restore(part, own, part.n_channels)
    return step["name"], part
