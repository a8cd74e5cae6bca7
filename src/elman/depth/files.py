"""A fitted DepthForecaster as plain values and arrays; no pickle."""

from __future__ import annotations

from dataclasses import asdict
from typing import TYPE_CHECKING, Any

import numpy as np
from sklearn.utils.validation import check_is_fitted

from elman import estimators
from elman.arguments import describe
from elman.datasets.pharmacology import Floats, Patient
from elman.depth.features import DepthFeatures
from elman.estimators import RNNTagger, files
from elman.sequences import Array

if TYPE_CHECKING:
    from elman.depth.forecaster import DepthForecaster

_DEPTHS = 3

def pack(forecaster: DepthForecaster, edges: Floats) -> tuple[dict[str, Any], dict[str, Array]]:
    """Return a forecaster as plain values and arrays: those of each network, its own and its bins beside."""
    check_is_fitted(forecaster, "networks_")
    kind = type(forecaster)
    if kind.__module__.partition(".")[0] != __name__.partition(".")[0]:
        raise TypeError(
            f"{kind.__name__} is a class of its own, which elman.load does not know: pickle keeps it"
        )
    networks: list[dict[str, Any]] = []
    arrays = {"shares": forecaster.shares_, "edges": edges}
    for i, network in enumerate(forecaster.networks_):
        spec, own = files.pack_fitted(network)
        networks.append(spec)
        arrays |= {f"network.{i}.{name}": array for name, array in own.items()}
    return {
        "kind": kind.__name__,
        "parameters": _plain(forecaster),
        "features": _plain(forecaster.features_),
        "networks": networks,
    }, arrays


def unpack(
    kind: type[DepthForecaster], edges: Floats, spec: dict[str, Any], arrays: dict[str, Array], name: str
) -> DepthForecaster:
    """Return the forecaster that `pack` wrote; ValueError where spec and arrays do not belong together."""
    try:
        return _unpack(kind, edges, spec, arrays, name)
    except (KeyError, TypeError, ValueError, OverflowError, AttributeError, RecursionError) as error:
        raise ValueError(f"{name} holds no forecaster that can be read: {error}") from None


def _unpack(
    kind: type[DepthForecaster], edges: Floats, spec: dict[str, Any], arrays: dict[str, Array], name: str
) -> DepthForecaster:
    forecaster = kind(**_given_back(spec["parameters"]))
    features = DepthFeatures(**_given_back(spec["features"]))
    features._check()
    features._table, features.n_features_in_ = False, len(features.tracks)
    features.stream()  # whose patient has a model, or a sentence says why not
    if len(forecaster.tracks) != len(features.tracks):
        raise ValueError("its tracks are not those that it was fitted on")
    if arrays["edges"].dtype != np.float64 or not np.array_equal(arrays["edges"], edges):
        raise ValueError("its bins are others than this elman's")
    shares = arrays["shares"]
    if shares.dtype != np.float64 or shares.shape != (_DEPTHS,) or not (shares >= 0.0).all():
        raise ValueError(f"shares is not {_DEPTHS} numbers of at least 0")
    if not abs(shares.sum() - 1.0) < 1e-9:
        raise ValueError(f"shares add up to {shares.sum()}, expected 1")
    networks = []
    for i, own in enumerate(spec["networks"]):
        prefix = f"network.{i}."
        belonging = {key.removeprefix(prefix): a for key, a in arrays.items() if key.startswith(prefix)}
        networks.append(_network(own, belonging, name, features._columns(), len(edges) - 1))
    if not networks:
        raise ValueError("it has no networks")
    forecaster.features_, forecaster.networks_, forecaster.shares_ = features, networks, shares.copy()
    return forecaster


def _network(spec: dict[str, Any], arrays: dict[str, Array], name: str, width: int, bins: int) -> RNNTagger:
    if spec["kind"] != RNNTagger.__name__:
        raise ValueError(f"a network of it is {describe(spec['kind'])}, expected {RNNTagger.__name__!r}")
    network = estimators.unpack(spec, arrays, name)
    assert isinstance(network, RNNTagger)
    if network._table or network.n_features_in_ != width:
        raise ValueError(f"a network of it reads {network.n_features_in_} features, expected {width}")
    classes = network.classes_
    if classes.dtype.kind != "i" or classes.min() < 0 or classes.max() >= bins:
        raise ValueError("the classes of a network of it are no bins")
    return network


def _plain(part: DepthForecaster | DepthFeatures) -> dict[str, Any]:
    """Return the parameters as JSON holds them; a patient is a table of its own."""
    given = part.get_params(deep=False)
    patient = given.pop("patient")
    parameters = {name: files.plain(name, value) for name, value in given.items()}
    about = None if patient is None else {key: files.plain(key, v) for key, v in asdict(patient).items()}
    return parameters | {"patient": about}


def _given_back(parameters: dict[str, Any]) -> dict[str, Any]:
    given = {name: files.given_back(name, value) for name, value in parameters.items() if name != "patient"}
    patient = parameters["patient"]
    return given | {"patient": None if patient is None else Patient(**patient)}
