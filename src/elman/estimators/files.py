"""Fitted estimators as plain values and arrays, for their `save` and for `elman.load`; no pickle."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
from sklearn.utils.validation import check_is_fitted

from elman._validation import as_text, describe, real_dtype
from elman.data import estimator_input, signal_limits
from elman.data.feature_names import UNKNOWN, Features
from elman.data.sequences import Array
from elman.errors import ArgumentTypeError
from elman.estimators.scaling import Scaler
from elman.model import file
from elman.training.checkpoint import peek

KINDS: dict[str, type[Any]] = {}  # the estimators that a file can hold, by name; `elman.estimators` fills it


def pack(estimator: Any) -> tuple[dict[str, Any], dict[str, Array]]:
    """Return an estimator as plain values and arrays: its network's, and its own beside them."""
    parameters = check_saveable(estimator)
    spec, arrays = file.pack(estimator.network_.model)
    own: dict[str, Any] = {
        "parameters": parameters,
        "table": estimator.tabular_,
        "features": estimator.n_features_in_,
        "feature_names": None,
        "epochs": estimator.n_iter_,
    }
    own |= features_to_json(estimator)
    pack_scaler(arrays, "scaler", estimator.scaler_)
    arrays |= signal_limits.pack(estimator)
    estimator.pack_answers(own, arrays)
    arrays["loss_curve"] = np.array(estimator.loss_curve_, np.float64)
    if getattr(estimator, "validation_scores_", None) is not None:
        arrays["validation_scores"] = np.array(estimator.validation_scores_, np.float64)
    return {"kind": type(estimator).__name__, "network": spec, "estimator": own}, arrays


def check_saveable(estimator: Any) -> dict[str, Any]:
    """Return an estimator's parameters as JSON holds them; TypeError for what a file cannot hold."""
    kind = type(estimator)
    if KINDS.get(kind.__name__) is not kind:
        raise TypeError(
            f"{kind.__name__} is a class of its own, which elman.load does not know: pickle keeps it"
        )
    given = estimator.get_params(deep=False)
    return {name: parameter_to_json(name, value) for name, value in given.items()}


def pack_fitted(estimator: Any) -> tuple[dict[str, Any], dict[str, Array]]:
    """Return what `pack` does, while nothing trains the estimator."""
    check_is_fitted(estimator, "network_")
    with estimator.network_.model.lock.reading():
        return pack(estimator)


def unpack(kind: type[Any], network: Any, spec: dict[str, Any], arrays: dict[str, Array], name: str) -> Any:
    """Return the estimator that `pack` wrote, over its network.

    ValueError where spec and arrays do not belong together.
    """
    try:
        return _unpack(kind, spec["estimator"], arrays, network)
    except (KeyError, TypeError, ValueError, OverflowError, AttributeError, RecursionError) as error:
        raise ValueError(f"{name} holds no estimator that can be read: {error}") from None


def _unpack(kind: type[Any], own: dict[str, Any], arrays: dict[str, Array], network: Any) -> Any:
    given = {name: parameter_from_json(name, value) for name, value in own["parameters"].items()}
    estimator = kind(**given)
    table, features, epochs = own["table"], own["features"], own["epochs"]
    if type(table) is not bool or type(features) is not int or features < 1 or type(epochs) is not int:
        raise ValueError(f"table is {table!r}, features {features!r} and epochs {epochs!r}")
    width = 1 if table else features
    always = vars(kind).get("per_step")  # a regressor's is a parameter, which may have changed after the fit
    if network.input_size != width or (type(always) is bool and always != network.per_step):
        raise ValueError("the network's input or output is not the estimator's")
    estimator.network_ = network
    estimator.tabular_, estimator.n_features_in_, estimator.n_iter_ = table, features, epochs
    keep_features(estimator, own)
    signal_limits.restore(estimator, arrays, width)
    estimator.scaler_ = unpack_scaler(arrays, "scaler", width)
    estimator.loss_curve_ = _numbers(arrays["loss_curve"])
    estimator.loss_ = estimator.loss_curve_[-1] if estimator.loss_curve_ else math.nan
    estimator.validation_scores_ = estimator.best_validation_score_ = None
    if "validation_scores" in arrays:
        estimator.validation_scores_ = _numbers(arrays["validation_scores"])
        estimator.best_validation_score_ = max(estimator.validation_scores_, default=math.nan)
    estimator.restore_answers(own, arrays, network.output_size)
    return estimator


def features_to_json(part: Any) -> dict[str, Any]:
    """Return what an estimator or a transformer knows of its features, as a file holds it."""
    return file.features_to_json(estimator_input.features_of(part))


def keep_features(part: Any, own: dict[str, Any]) -> None:
    """Let an estimator or a transformer know the features that a file has; ValueError for wrong ones."""
    estimator_input.keep_features(part, file.features_in(own, part.n_features_in_))


def features_of_run(path: Any, resume: Any) -> Features:
    """Return what the run in a checkpoint knows of its features, if it is going to be resumed."""
    spec = peek(as_text(path, "checkpoint")) if resume and path is not None else None
    own = None if spec is None else spec.get("estimator")
    if not isinstance(own, dict) or type(own.get("features")) is not int:  # `open_run` says what is wrong
        return UNKNOWN
    return file.features_in(own, own["features"])


def pack_scaler(arrays: dict[str, Array], name: str, scaler: Scaler) -> None:
    """Add a scaler to the arrays of a file."""
    arrays[f"{name}.mean"], arrays[f"{name}.scale"] = scaler.mean, scaler.scale


def unpack_scaler(arrays: dict[str, Array], name: str, width: int) -> Scaler:
    """Return the scaler that `pack_scaler` added, if it is one of so many columns."""
    mean, scale = arrays[f"{name}.mean"], arrays[f"{name}.scale"]
    for part in (mean, scale):
        if part.dtype != np.float64 or part.shape != (width,) or not np.isfinite(part).all():
            raise ValueError(f"{name} is not {width} finite numbers")
    if not (scale > 0.0).all():
        raise ValueError(f"{name} has a scale that is not above 0")
    return Scaler(mean.copy(), scale.copy())


def _numbers(values: Array) -> list[float]:
    if values.dtype != np.float64 or values.ndim != 1:
        raise ValueError("a curve is not a list of numbers")
    return [float(v) for v in values]


def pack_classes(classes: Array) -> dict[str, Any]:
    """Return class labels as JSON holds them."""
    labels = classes.tolist()
    for label in labels:
        if not isinstance(label, (str, int, float, bool)):
            raise TypeError(
                f"classes_ has {describe(label)}, expected labels that are str, int, float or bool"
            )
    return {"dtype": "object" if classes.dtype.kind == "O" else classes.dtype.str, "labels": labels}


def unpack_classes(packed: dict[str, Any], count: int) -> Array:
    """Return the labels that `pack_classes` gave, if there are so many."""
    labels, dtype = packed["labels"], np.dtype(packed["dtype"])
    if not isinstance(labels, list) or not all(isinstance(v, (str, int, float, bool)) for v in labels):
        raise ValueError("the classes are no labels")
    if dtype.kind not in "fiubUO" or dtype.itemsize > 2**20:
        raise ValueError(f"the classes have dtype {dtype}")
    classes = np.array(labels, dtype)
    if len(set(labels)) != count or len(labels) != count or classes.ndim != 1 or classes.tolist() != labels:
        raise ValueError(f"the classes are not {count} different labels of their type")
    return classes


def parameter_to_json(name: str, value: Any) -> Any:
    """Return a parameter as JSON holds it; what has another form is tagged by a dict of one entry."""
    if isinstance(value, np.generic):
        value = value.item()
    if name == "random_state" and not isinstance(value, int):
        return None
    if name == "dtype" and value is not None:
        return real_dtype(value).name
    if isinstance(value, float) and not math.isfinite(value):
        return {"float": str(value)}
    if isinstance(value, (tuple, list, np.ndarray)):
        return {"tuple": [parameter_to_json(name, item) for item in value]}
    if isinstance(value, dict):
        return {
            "dict": [
                [parameter_to_json(name, key), parameter_to_json(name, item)] for key, item in value.items()
            ]
        }
    if value is None or isinstance(value, (str, int, float, bool)):
        return value
    raise ArgumentTypeError(name, f"is {describe(value)}, which has no plain form to be saved in")


def parameter_from_json(name: str, value: Any) -> Any:
    """Return the parameter that `parameter_to_json` gave this form."""
    if name == "dtype" and value is not None:
        return real_dtype(value).name
    if not isinstance(value, dict):
        return value
    ((form, content),) = value.items()
    if form == "tuple":
        return tuple(parameter_from_json(name, item) for item in content)
    if form == "dict":
        return {parameter_from_json(name, key): parameter_from_json(name, item) for key, item in content}
    if form == "float" and content in ("nan", "inf", "-inf"):
        return float(content)
    raise ValueError(f"{name} has the unknown form {form!r}")
