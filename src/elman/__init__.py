"""elman: trains, checks, watches and runs recurrent networks on sequences, with its own native CPU engine.

>>> import numpy as np
>>> from elman import Dense, Network, SimpleRNN
>>> net = Network([SimpleRNN(3), Dense(5, activation="softmax")], input_size=5, seed=123)
>>> net.predict(np.zeros((1, 4, 5))).shape
(1, 5)
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from elman import callbacks as callbacks
    from elman import datasets as datasets
    from elman import evaluation as evaluation
    from elman import features as features
    from elman import plotting as plotting
    from elman import sensitivity as sensitivity
    from elman.checks import check_gradient as check_gradient
    from elman.errors import DivergenceError as DivergenceError
    from elman.estimators import RNNClassifier as RNNClassifier
    from elman.estimators import RNNRegressor as RNNRegressor
    from elman.estimators import RNNTagger as RNNTagger
    from elman.generation import generate as generate
    from elman.history import History as History
    from elman.keeping import save as save
    from elman.layers import GRU as GRU
    from elman.layers import LSTM as LSTM
    from elman.layers import Dense as Dense
    from elman.layers import Embedding as Embedding
    from elman.layers import MaxPool as MaxPool
    from elman.layers import MeanPool as MeanPool
    from elman.layers import SimpleRNN as SimpleRNN
    from elman.loading import load as load
    from elman.many import fit_many as fit_many
    from elman.network import Network as Network
    from elman.online import Learner as Learner
    from elman.optimisers import LBFGS as LBFGS
    from elman.optimisers import SGD as SGD
    from elman.optimisers import Adam as Adam
    from elman.optimisers import AdamW as AdamW
    from elman.optimisers import CosineDecay as CosineDecay
    from elman.optimisers import LevenbergMarquardt as LevenbergMarquardt
    from elman.optimisers import OneCycle as OneCycle
    from elman.optimisers import RMSprop as RMSprop
    from elman.reading import read_sequences as read_sequences
    from elman.recording import Gradients as Gradients
    from elman.recording import Tape as Tape
    from elman.sequences import Sequences as Sequences
    from elman.streams import stream as stream

    __version__: str

# Where each public name lives. It is imported when first asked for: the command line can then say in one
# line what is wrong with an installation, and importing a part does not cost the whole.
_HOME = {
    "check_gradient": "checks",
    "DivergenceError": "errors",
    "RNNClassifier": "estimators",
    "RNNRegressor": "estimators",
    "RNNTagger": "estimators",
    "generate": "generation",
    "History": "history",
    "save": "keeping",
    "Dense": "layers",
    "Embedding": "layers",
    "GRU": "layers",
    "LSTM": "layers",
    "MaxPool": "layers",
    "MeanPool": "layers",
    "SimpleRNN": "layers",
    "Network": "network",
    "fit_many": "many",
    "load": "loading",
    "Learner": "online",
    "Adam": "optimisers",
    "AdamW": "optimisers",
    "CosineDecay": "optimisers",
    "LBFGS": "optimisers",
    "LevenbergMarquardt": "optimisers",
    "OneCycle": "optimisers",
    "RMSprop": "optimisers",
    "SGD": "optimisers",
    "read_sequences": "reading",
    "Gradients": "recording",
    "Tape": "recording",
    "Sequences": "sequences",
    "stream": "streams",
}
_MODULES = ("callbacks", "datasets", "evaluation", "features", "plotting", "sensitivity")

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
    "Network",
    "OneCycle",
    "RMSprop",
    "RNNClassifier",
    "RNNRegressor",
    "RNNTagger",
    "Sequences",
    "SimpleRNN",
    "Tape",
    "check_gradient",
    "fit_many",
    "generate",
    "load",
    "read_sequences",
    "save",
    "stream",
]


def __getattr__(name: str) -> Any:
    if name in _MODULES:
        return importlib.import_module(f"elman.{name}")
    if name in _HOME:
        value = getattr(importlib.import_module(f"elman.{_HOME[name]}"), name)
    elif name == "__version__":
        from importlib.metadata import version

        value = version("elman")
    else:
        raise AttributeError(f"module 'elman' has no attribute {name!r}")
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted({*globals(), *_HOME, *_MODULES, "__version__"})
