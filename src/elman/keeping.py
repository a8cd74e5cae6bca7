"""Keeping: `elman.save` writes whatever `elman.load` gives back, each by its own `save`, and pipelines."""

from __future__ import annotations

import importlib
import os
from typing import Any

from elman import saving
from elman.arguments import describe
from elman.network import Network
from elman.online import Learner


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

    from elman.depth import DepthForecaster
    from elman.estimators.base import SequenceEstimator

    if isinstance(model, (SequenceEstimator, DepthForecaster)):
        model.save(path)
    elif isinstance(model, Pipeline):
        saving.write(path, *importlib.import_module("elman.features.files").pack(model))
    else:
        raise TypeError(
            f"model is {describe(model)}, expected a network, a learner, an estimator of elman's, a "
            f"DepthForecaster, or a scikit-learn Pipeline of elman.features and one of those estimators"
        )
