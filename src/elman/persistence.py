"""`elman.save` and `elman.load`: one file for a network, or for what stands on one."""

from __future__ import annotations

import importlib
import os
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, Protocol, TypeAlias, overload

from numpy.typing import ArrayLike

from elman._validation import describe
from elman.data.input_types import HasArray, SequenceInput, SequenceOutput, TargetInput
from elman.data.sequences import Array, Sequences
from elman.errors import ArgumentTypeError
from elman.model import file
from elman.network.network import Network, unpack
from elman.training import online
from elman.training.checkpoint import network_spec
from elman.training.online import Learner

if TYPE_CHECKING:
    from elman.anaesthesia import DepthForecaster
    from elman.estimators import RNNClassifier, RNNRegressor, RNNTagger


class FittedPipeline(Protocol):
    """The scikit-learn `Pipeline` that `load` returns, for type checkers: scikit-learn has no types."""

    @property
    def steps(self) -> list[tuple[str, Any]]: ...
    @property
    def named_steps(self) -> Mapping[str, Any]: ...
    def __len__(self) -> int: ...
    def __getitem__(self, i: Any) -> Any: ...

    @overload
    def predict(self, X: HasArray) -> Array: ...
    @overload
    def predict(self, X: Sequences) -> SequenceOutput: ...
    @overload
    def predict(self, X: Sequence[ArrayLike]) -> Array | list[Array]: ...
    @overload
    def predict_proba(self, X: HasArray) -> Array: ...
    @overload
    def predict_proba(self, X: Sequences) -> SequenceOutput: ...
    @overload
    def predict_proba(self, X: Sequence[ArrayLike]) -> Array | list[Array]: ...
    def score(self, X: SequenceInput, y: TargetInput) -> float: ...


# What `load` returns, for type checkers. A `Learner` is left out, since it cannot predict:
# `isinstance(model, Learner)` finds it. A string: scikit-learn takes half a second to import.
Loaded: TypeAlias = "Network | RNNClassifier | RNNRegressor | RNNTagger | DepthForecaster | FittedPipeline"

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
    from elman.evaluation import TemperatureScaling

    if isinstance(model, (SequenceEstimator, DepthForecaster)):
        model.save(path)
    elif isinstance(model, Pipeline):
        file.write(path, *pipeline_files.pack(model))
    else:
        scaling = isinstance(model, TemperatureScaling)
        raise ArgumentTypeError(
            "model",
            f"is {describe(model)}",
            "a network, a learner, an estimator of elman's, a DepthForecaster, or a scikit-learn "
            "Pipeline of elman.features and one of those estimators"
            + (" (elman.calibrate(model, X, y) gives a calibrated model, which is one)" if scaling else ""),
        )


def load(path: str | os.PathLike[str]) -> Loaded:
    """Return what was saved in a file, to the same bits.

    That is a network, an estimator, a pipeline, a `DepthForecaster` or a learner.
    A checkpoint of ``fit`` gives the network, or the estimator, as it was after that epoch.
    Its type is the union of all that can predict; ``isinstance(model, Learner)`` narrows it to a learner.

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
        return online.unpack(network, spec, arrays, name)  # type: ignore[return-value]  # see `Loaded`
    if not isinstance(kind, str) or kind not in _READERS:
        raise ValueError(
            f"{name} holds a {kind!r}, expected a network or one of {', '.join(_ESTIMATORS)}: update elman"
        )
    model: Loaded = importlib.import_module(_READERS[kind]).unpack(spec, arrays, name)
    return model
