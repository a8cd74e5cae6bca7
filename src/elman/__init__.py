"""elman: trains, checks, watches and runs recurrent networks on sequences, with its own native CPU engine.

>>> import numpy as np
>>> from elman import Dense, Network, SimpleRNN
>>> net = Network([SimpleRNN(3), Dense(5, activation="softmax")], input_size=5, seed=123)
>>> net.predict(np.zeros((1, 4, 5))).shape
(1, 5)
"""

from __future__ import annotations

import importlib
import sys
from importlib.abc import Loader, MetaPathFinder
from importlib.machinery import ModuleSpec
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from types import ModuleType

    from elman import alarms as alarms
    from elman import anaesthesia as anaesthesia
    from elman import callbacks as callbacks
    from elman import datasets as datasets
    from elman import errors as errors
    from elman import estimators as estimators
    from elman import evaluation as evaluation
    from elman import features as features
    from elman import initializers as initializers
    from elman import layers as layers
    from elman import monitoring as monitoring
    from elman import optimizers as optimizers
    from elman import plotting as plotting
    from elman import reading as reading
    from elman import second_order as second_order
    from elman import sensitivity as sensitivity
    from elman.data.feature_names import NamedArray as NamedArray
    from elman.data.sequences import Sequences as Sequences
    from elman.errors import DivergenceError as DivergenceError
    from elman.estimators.calibration import calibrate as calibrate
    from elman.estimators.classifier import RNNClassifier as RNNClassifier
    from elman.estimators.regressor import RNNRegressor as RNNRegressor
    from elman.estimators.tagger import RNNTagger as RNNTagger
    from elman.model.forward import Gradients as Gradients
    from elman.model.forward import Tape as Tape
    from elman.model.gradient_check import check_gradient as check_gradient
    from elman.model.history import History as History
    from elman.network.fit_many import fit_many as fit_many
    from elman.network.generate import generate as generate
    from elman.network.network import Network as Network
    from elman.nn.layers import GRU as GRU
    from elman.nn.layers import LSTM as LSTM
    from elman.nn.layers import Dense as Dense
    from elman.nn.layers import Embedding as Embedding
    from elman.nn.layers import MaxPool as MaxPool
    from elman.nn.layers import MeanPool as MeanPool
    from elman.nn.layers import SimpleRNN as SimpleRNN
    from elman.nn.optimizers import LBFGS as LBFGS
    from elman.nn.optimizers import SGD as SGD
    from elman.nn.optimizers import Adam as Adam
    from elman.nn.optimizers import AdamW as AdamW
    from elman.nn.optimizers import LevenbergMarquardt as LevenbergMarquardt
    from elman.nn.optimizers import RMSprop as RMSprop
    from elman.nn.schedules import CosineDecay as CosineDecay
    from elman.nn.schedules import OneCycle as OneCycle
    from elman.persistence import load as load
    from elman.persistence import save as save
    from elman.reading import read_sequences as read_sequences
    from elman.streaming import stream as stream
    from elman.training.online import Learner as Learner

    __version__: str

# Where each public name lives. A name is imported when it is first used: `import elman` stays light, and
# the command line can say in one line what an installation lacks.
_NAMES = {
    "NamedArray": "elman.data.feature_names",
    "Sequences": "elman.data.sequences",
    "DivergenceError": "elman.errors",
    "calibrate": "elman.estimators.calibration",
    "RNNClassifier": "elman.estimators.classifier",
    "RNNRegressor": "elman.estimators.regressor",
    "RNNTagger": "elman.estimators.tagger",
    "Gradients": "elman.model.forward",
    "Tape": "elman.model.forward",
    "check_gradient": "elman.model.gradient_check",
    "History": "elman.model.history",
    "fit_many": "elman.network.fit_many",
    "generate": "elman.network.generate",
    "Network": "elman.network.network",
    "Dense": "elman.nn.layers",
    "Embedding": "elman.nn.layers",
    "GRU": "elman.nn.layers",
    "LSTM": "elman.nn.layers",
    "MaxPool": "elman.nn.layers",
    "MeanPool": "elman.nn.layers",
    "SimpleRNN": "elman.nn.layers",
    "Adam": "elman.nn.optimizers",
    "AdamW": "elman.nn.optimizers",
    "LBFGS": "elman.nn.optimizers",
    "LevenbergMarquardt": "elman.nn.optimizers",
    "RMSprop": "elman.nn.optimizers",
    "SGD": "elman.nn.optimizers",
    "CosineDecay": "elman.nn.schedules",
    "OneCycle": "elman.nn.schedules",
    "load": "elman.persistence",
    "save": "elman.persistence",
    "read_sequences": "elman.reading",
    "stream": "elman.streaming",
    "Learner": "elman.training.online",
}
# The public modules. Those that lie in a folder of the package have a shorter public name, which works in
# `import elman.optimizers` and `from elman.optimizers import Adam` too.
_MODULES = {
    "alarms": "elman.evaluation.hysteresis",
    "anaesthesia": "elman.anaesthesia",
    "callbacks": "elman.training.callbacks",
    "datasets": "elman.datasets",
    "errors": "elman.errors",
    "estimators": "elman.estimators",
    "evaluation": "elman.evaluation",
    "features": "elman.features",
    "initializers": "elman.nn.initializers",
    "layers": "elman.nn.layers",
    "monitoring": "elman.monitoring",
    "optimizers": "elman.nn.optimizers",
    "plotting": "elman.plotting",
    "reading": "elman.reading",
    "second_order": "elman.training.second_order",
    "sensitivity": "elman.network.sensitivity",
}

__all__ = [
    "GRU",
    "LBFGS",
    "LSTM",
    "SGD",
    "Adam",
    "AdamW",
    "CosineDecay",
    "Dense",
    "DivergenceError",
    "Embedding",
    "Gradients",
    "History",
    "Learner",
    "LevenbergMarquardt",
    "MaxPool",
    "MeanPool",
    "NamedArray",
    "Network",
    "OneCycle",
    "RMSprop",
    "RNNClassifier",
    "RNNRegressor",
    "RNNTagger",
    "Sequences",
    "SimpleRNN",
    "Tape",
    "calibrate",
    "check_gradient",
    "fit_many",
    "generate",
    "load",
    "read_sequences",
    "save",
    "stream",
]


class _ShortNames(MetaPathFinder, Loader):
    """Imports a public module by its short name: it is the same module object as by its full name."""

    def find_spec(self, fullname: str, *_context: object) -> ModuleSpec | None:
        package, _, name = fullname.rpartition(".")
        if package == __name__ and _MODULES.get(name, fullname) != fullname:
            return ModuleSpec(fullname, self)
        return None

    def exec_module(self, module: ModuleType) -> None:
        sys.modules[module.__name__] = importlib.import_module(_MODULES[module.__name__.rpartition(".")[2]])


sys.meta_path.append(_ShortNames())


def __getattr__(name: str) -> object:
    value: object
    if name in _MODULES:
        value = importlib.import_module(_MODULES[name])
    elif name in _NAMES:
        value = getattr(importlib.import_module(_NAMES[name]), name)
    elif name == "__version__":
        from importlib.metadata import version

        value = version("elman")
    else:
        raise AttributeError(f"module 'elman' has no attribute {name!r}")
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted([*__all__, *_MODULES, "__version__"])
