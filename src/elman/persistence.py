"""`elman.save` and `elman.load`: one file for a network, or for what stands on one."""

from __future__ import annotations

import importlib
import os
from typing import Any

from elman._validation import describe
from elman.errors import ArgumentTypeError
from elman.model import file
from elman.network.network import Network, unpack
from elman.training import online
from elman.training.checkpoint import network_spec
from elman.training.online import Learner

_ESTIMATORS = ("RNNClassifier", "RNNRegressor", "RNNTagger")
# The module that reads each kind of file, by its `unpack(spec, arrays, name)`; imported at call, since
# scikit-learn, on which most of them stand, takes half a second to import.
_READERS = {
    "network": "elman.network.network",
    **dict.fromkeys(_ESTIMATORS, "elman.estimators"),
    "pipeline": "elman.estimators.pipeline_files",
    "DepthForecaster": "elman.anaesthesia.files",
}


def save(model: Any, path: str | os.PathLike[str]) -> None:
    """Write a network, a learner, an estimator, a forecaster, or a pipeline of features and an estimator.

    Into one file; `elman.load` gives it back, with the same answers to the bit; no pickle. A pipeline is
    scikit-learn's, of `elman.features` and one estimator of elman's at its end; a forecaster is a
    `DepthForecaster`.

    Errors: TypeError for what is none of these, naming the step of a pipeline; OSError where the file cannot
    be written.

    >>> import tempfile, numpy as np, elman
    >>> from sklearn.pipeline import make_pipeline
    >>> X, y = [np.arange(12.0), np.arange(8.0) % 2.0], ["up", "down"]
    >>> model = make_pipeline(elman.features.Frames(4, 2), elman.RNNClassifier(3, max_iter=1)).fit(X, y)
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     elman.save(model, f"{folder}/model.elman")
    ...     elman.load(f"{folder}/model.elman")[0]
    Frames(hop=2, width=4)
    """
    if isinstance(model, (Network, Learner)):
        model.save(path)
        return
    # at call: scikit-learn takes half a second to import
    from sklearn.pipeline import Pipeline

    from elman.anaesthesia import DepthForecaster
    from elman.estimators import pipeline_files
    from elman.estimators.base import SequenceEstimator

    if isinstance(model, (SequenceEstimator, DepthForecaster)):
        model.save(path)
    elif isinstance(model, Pipeline):
        file.write(path, *pipeline_files.pack(model))
    else:
        raise ArgumentTypeError(
            "model",
            f"is {describe(model)}",
            "a network, a learner, an estimator of elman's, a DepthForecaster, or a scikit-learn "
            "Pipeline of elman.features and one of those estimators",
        )


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
    spec, arrays = file.read(path)
    name = repr(os.fspath(path))
    kind = spec.get("kind")
    if kind == "learner":
        network = unpack(network_spec(spec, name), arrays, name)
        return online.unpack(network, spec, arrays, name)
    if not isinstance(kind, str) or kind not in _READERS:
        raise ValueError(
            f"{name} holds a {kind!r}, expected a network or one of {', '.join(_ESTIMATORS)}: update elman"
        )
    return importlib.import_module(_READERS[kind]).unpack(spec, arrays, name)
