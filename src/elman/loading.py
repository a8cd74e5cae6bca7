"""Loading: gives back what was saved in a file, a network or what stands on one."""

from __future__ import annotations

import importlib
import os
from typing import Any

from elman import online, saving
from elman.checkpoint import network_spec
from elman.network import Network
from elman.sequences import Array

_ESTIMATORS = ("RNNClassifier", "RNNRegressor", "RNNTagger")


def load(path: str | os.PathLike[str]) -> Any:
    """Return what was saved in a file, to the same bits.

    That is a network, an estimator, a pipeline, a `DepthForecaster` or a learner.
    A checkpoint of ``fit`` gives the network, or the estimator, as it was after that epoch.

    Errors: ValueError for a file that is damaged, not elman's, or of a newer format; OSError where it cannot
    be read.

    >>> load("/dev/null")
    Traceback (most recent call last):
    ...
    ValueError: '/dev/null' is not an elman file, or damaged: its header is longer than the file
    """
    spec, arrays = saving.read(path)
    name = repr(os.fspath(path))
    kind = spec.get("kind")
    if kind in _ESTIMATORS:
        # at call: scikit-learn, on which they stand, takes half a second to import
        return importlib.import_module("elman.estimators").unpack(spec, arrays, name)
    if kind == "pipeline":
        return importlib.import_module("elman.features.files").unpack(spec, arrays, name)
    if kind == "DepthForecaster":
        return importlib.import_module("elman.depth").unpack(spec, arrays, name)
    if kind == "learner":
        return online.unpack(_network(network_spec(spec, name), arrays, name), spec, arrays, name)
    if kind != "network":
        raise ValueError(
            f"{name} holds a {kind!r}, expected a network or one of {', '.join(_ESTIMATORS)}: update elman"
        )
    return _network(spec, arrays, name)


def _network(spec: dict[str, Any], arrays: dict[str, Array], name: str) -> Network:
    net = Network.__new__(Network)
    net.model = saving.unpack(spec, arrays, name)
    return net
