"""Reads a DepthForecaster from a file, without pickle; `elman.anaesthesia.forecaster.pack` writes it."""

from __future__ import annotations

from typing import Any

import numpy as np

from elman._validation import describe
from elman.anaesthesia.depths import DEPTHS, EDGES
from elman.anaesthesia.features import DepthFeatures
from elman.anaesthesia.forecaster import DepthForecaster
from elman.anaesthesia.pharmacology import Patient
from elman.data.sequences import Array
from elman.estimators import files
from elman.estimators.tagger import RNNTagger
from elman.network import network as network_module
from elman.training.checkpoint import network_spec


def unpack(spec: dict[str, Any], arrays: dict[str, Array], name: str) -> DepthForecaster:
    """Return the forecaster of a file; ValueError if spec and arrays do not fit together."""
    try:
        return _unpack(spec, arrays, name)
    except (KeyError, TypeError, ValueError, OverflowError, AttributeError, RecursionError) as error:
        raise ValueError(f"{name} holds no forecaster that can be read: {error}") from None


def _unpack(spec: dict[str, Any], arrays: dict[str, Array], name: str) -> DepthForecaster:
    forecaster = DepthForecaster(**_parameters_from_json(spec["parameters"]))
    features = DepthFeatures(**_parameters_from_json(spec["features"]))
    features.check_parameters()
    features.tabular_, features.n_features_in_ = False, len(features.tracks)
    features.stream()  # raises ValueError for a patient without a model
    if len(forecaster.tracks) != len(features.tracks):
        raise ValueError("its tracks are not those that it was fitted on")
    if arrays["edges"].dtype != np.float64 or not np.array_equal(arrays["edges"], EDGES):
        raise ValueError("its bins are others than this elman's")
    shares = arrays["shares"]
    if shares.dtype != np.float64 or shares.shape != (len(DEPTHS),) or not (shares >= 0.0).all():
        raise ValueError(f"shares is not {len(DEPTHS)} numbers of at least 0")
    if not abs(shares.sum() - 1.0) < 1e-9:
        raise ValueError(f"shares add up to {shares.sum()}, expected 1")
    networks = []
    for i, own in enumerate(spec["networks"]):
        prefix = f"network.{i}."
        belonging = {key.removeprefix(prefix): a for key, a in arrays.items() if key.startswith(prefix)}
        networks.append(_network(own, belonging, name, features.n_features_out, len(EDGES) - 1))
    if not networks:
        raise ValueError("it has no networks")
    forecaster.features_, forecaster.networks_, forecaster.shares_ = features, networks, shares.copy()
    return forecaster


def _network(spec: dict[str, Any], arrays: dict[str, Array], name: str, width: int, bins: int) -> RNNTagger:
    if spec["kind"] != RNNTagger.__name__:
        raise ValueError(f"a network of it is {describe(spec['kind'])}, expected {RNNTagger.__name__!r}")
    net = network_module.unpack(network_spec(spec, name), arrays, name)
    network: RNNTagger = files.unpack(RNNTagger, net, spec, arrays, name)
    if network.tabular_ or network.n_features_in_ != width:
        raise ValueError(f"a network of it reads {network.n_features_in_} features, expected {width}")
    classes = network.classes_
    if classes.dtype.kind != "i" or classes.min() < 0 or classes.max() >= bins:
        raise ValueError("the classes of a network of it are no bins")
    return network


def _parameters_from_json(parameters: dict[str, Any]) -> dict[str, Any]:
    given = {
        name: files.parameter_from_json(name, value)
        for name, value in parameters.items()
        if name != "patient"
    }
    patient = parameters["patient"]
    return given | {"patient": None if patient is None else Patient(**patient)}
