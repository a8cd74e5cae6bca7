"""Saving and loading: what was saved in a file is given back, with the bits that it had."""

from __future__ import annotations

import importlib
import os
from typing import Any

from elman import online, saving
from elman.arguments import describe
from elman.checkpoint import network_spec
from elman.network import Network
from elman.sequences import Array

_ESTIMATORS = ("RNNClassifier", "RNNRegressor", "RNNTagger")


def save(model: Any, path: str | os.PathLike[str]) -> None:
    """Write a network, a fitted estimator or learner, or a fitted pipeline of features and an estimator.

    One safetensors file that `load` reads; no pickle. The first three have a method of their own, which is
    the same. Errors: TypeError for anything else, and for a step of a pipeline that is neither of
    `elman.features` nor, as the last one, an estimator of elman's; OSError naming the path.

    >>> save([1, 2], "model.elman")
    Traceback (most recent call last):
    ...
    TypeError: model is [1, 2] (a list), expected a network, an estimator or a pipeline of elman's
    """
    if type(model).__module__.partition(".")[0] == "elman" and hasattr(model, "save"):
        model.save(path)
    elif hasattr(model, "steps"):
        importlib.import_module("elman.pipelines").write(model, path)
    else:
        wanted = "a network, an estimator or a pipeline of elman's"
        raise TypeError(f"model is {describe(model)}, expected {wanted}")


def load(path: str | os.PathLike[str]) -> Any:
    """Return what was saved in a file, a network, an estimator, a pipeline or a learner, with the same bits.

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
        return importlib.import_module("elman.pipelines").read(spec, arrays, name)
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
