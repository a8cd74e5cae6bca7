"""Model: everything that a network is and remembers, below its facade.

The modules that train, record, check and save take a Model; a `Network` has one.
"""

from __future__ import annotations

import fnmatch
import math
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from elman import _engine
from elman._validation import describe, integer, real_dtype
from elman.data.alignment import aligned
from elman.data.axes import warn_of_turned_axes
from elman.data.counting import warn_of_counting
from elman.data.feature_names import UNKNOWN, Features
from elman.data.sequences import Array, Batch, Offsets, Sequences, as_batch, as_symbols
from elman.errors import ArgumentTypeError, ArgumentValueError
from elman.model import seeds
from elman.model.history import History
from elman.model.lock import ReadWriteLock
from elman.model.weights import Weights, views
from elman.nn import initializers
from elman.nn.constraints import Constraint, constraint, flat_bounds
from elman.nn.layers import LSTM, RECURRENT, Embedding, Layer
from elman.nn.optimizers import Optimizer

Callback = Callable[[Any, int, dict[str, float]], Any]
Float64 = NDArray[np.float64]

MOST_COUNTED = 2**53  # updates and epochs: far from the end of the engine's counters, and exact as a float
LARGEST_SEED = 10**4300 - 1  # what Python writes as digits, so that a network can be shown and saved
_MOST_INPUTS = 2**31 - 1  # times the most units, far from the end of the engine's 64-bit sizes


class Model:
    """The description of a network, its engine, and what training remembers.

    Attributes
    ----------
    layers : tuple of layers
        From the input upwards, as `check_stack` returns them.
    input_size : int
        F, the number of input features; 1 where the first layer is an Embedding.
    symbols : int
        The n of an Embedding as the first layer, whose X holds integers below n; otherwise 0.
    dtype : numpy.dtype
        float32 or float64: of parameters, states and results.
    outputs, per_step : int, bool
        C, the number of outputs, and whether there is an output for each step.
    drops : bool
        Whether a layer has dropout.
    seed, seed_given : int, bool
        The seed, and whether the user gave it. ``shuffle_key`` and ``dropout_key`` follow from it.
    native : _engine.Native
        The engine's network; ``table`` holds the name, offset and shape of each parameter.
    parameters, weights : array (P,), Weights
        The parameters, which the engine reads in place, and views of them by name.
    frozen, constraints : frozenset of str, dict
        The names of the parameters that training leaves alone, and the constraints of others by name.
    optimizer, moments, updates : Optimizer or None, list of arrays (P,), int
        The optimizer of the latest fit, what it remembers, and the number of its updates.
    epoch : int
        The number of epochs ever trained. It and the keys decide order and dropout of the next epoch.
    began : int or None
        ``epoch`` at the start of the latest fit, if that fit wrote a checkpoint.
    carry : list of arrays (n, state size) or None
        The states with which ``stateful`` sequences ended, one array per recurrent layer; for an LSTM h and
        c side by side, (n, 2H).
    history : History
        The reports of the latest fit.
    features : Features
        What is known of the input features since the first fit.
    lock : ReadWriteLock
        Who uses the network now.
    stop : threading.Event or None
        Set by another thread, it ends a fit as Ctrl-C does.
    """

    def __init__(self, layers: tuple[Layer, ...], input_size: Any, dtype: Any, seed: Any) -> None:
        self.layers = layers
        first = layers[0]
        self.symbols = first.n if isinstance(first, Embedding) else 0
        self.input_size = _input_size(input_size, self.symbols)
        self.dtype: np.dtype[Any] = real_dtype(dtype)
        self.drops = any(
            layer.dropout > 0.0 or layer.recurrent_dropout > 0.0
            for layer in self.layers
            if isinstance(layer, RECURRENT)
        )

        self.seed_given = seed is not None
        self.set_seed(seeds.fresh_seed() if seed is None else integer("seed", seed, maximum=LARGEST_SEED))

        described = [layer.native() for layer in self.layers]
        self.native = _engine.build(described, self.input_size, self.dtype)
        self.table = self.native.table
        self.outputs = self.native.output_size
        self.per_step = self.native.per_step
        self.parameters: Array = self.native.parameters
        self.weights = Weights(views(self.table, self.parameters))
        self.frozen: frozenset[str] = frozenset()
        self.constraints: dict[str, Constraint] = {}

        self.optimizer: Optimizer | None = None
        self.moments: list[Array] = []
        self._updates = 0
        self._epoch = 0
        self.began: int | None = None
        self.carry: list[Array] | None = None
        self.history = History()
        self.features: Features = UNKNOWN

        self.lock = ReadWriteLock()
        self.stop: threading.Event | None = None

    @property
    def updates(self) -> int:
        """The number of the optimizer's updates, at most 2^53."""
        return self._updates

    @updates.setter
    def updates(self, count: int) -> None:
        self._updates = min(count, MOST_COUNTED)

    @property
    def epoch(self) -> int:
        """The number of epochs ever trained, at most 2^53."""
        return self._epoch

    @epoch.setter
    def epoch(self, count: int) -> None:
        self._epoch = min(count, MOST_COUNTED)

    def set_seed(self, seed: int) -> None:
        """Set the seed and the keys that follow from it; the parameters stay as they are."""
        self.seed = seed
        self.shuffle_key = seeds.shuffle_key(seed)
        self.dropout_key = seeds.dropout_key(seed)

    def draw(self) -> None:
        """Set every parameter to its initial value."""
        for i, layer in enumerate(self.layers):
            rng = seeds.weights_generator(self.seed, i)
            for half in ("", "reverse."):
                for part, initializer in _INITIALIZERS.items():
                    name = f"{i}.{half}{part}"
                    if name in self.weights:
                        view = self.weights[name]
                        # The recurrent kernel is drawn gate by gate, so that each part is orthogonal.
                        parts = view.shape[1] // view.shape[0] if part == "recurrent_kernel" else 1
                        for gate in np.split(view, parts, axis=-1):
                            gate[...] = initializers.draw(getattr(layer, initializer), gate.shape, rng)
                bias = f"{i}.{half}bias"
                if isinstance(layer, LSTM) and layer.unit_forget_bias and bias in self.weights:
                    self.weights[bias][layer.units : 2 * layer.units] += 1.0

    def batch(self, X: Any, name: str = "X", adopt: bool = False) -> tuple[Batch, Any]:
        """Return X in the inner form, and as the engine reads it; its values are checked."""
        batch = self.sequences(X, name, adopt)
        if self.symbols:
            return batch, _engine.symbols(batch, self.symbols, name)
        return batch, _engine.data(batch, self.dtype, name)

    def sequences(self, X: Any, name: str = "X", adopt: bool = False) -> Batch:
        """Return X in the inner form, its features in the known order; its values are not checked.

        ``adopt``: what X says of its features is kept, if nothing has been trained yet.
        """
        if self.symbols:
            return as_symbols(X, self.symbols, name)
        given = X
        nameless = type(X) is np.ndarray or (type(X) is Sequences and X.features is UNKNOWN)
        if not nameless or self.features is not UNKNOWN:
            X, found = aligned(X, self.features, name, "the network" if self.epoch else None)
            if adopt and not self.epoch:
                self.features = found
        batch = as_batch(X, self.input_size, self.dtype, name)
        if adopt and not self.epoch:
            warn_of_turned_axes(batch, self.features.names is not None, name)
            warn_of_counting(given, batch, self.features.names, name)
        return batch

    @contextmanager
    def keeping_features(self) -> Iterator[None]:
        """Forget what was adopted of the features if an error comes before anything is trained."""
        before, epoch = self.features, self.epoch
        try:
            yield
        except BaseException:
            if self.epoch == epoch:
                self.features = before
            raise

    def new_cotangents(self, batch: Batch) -> Array | None:
        """Return room for the cotangents of the inputs (N, F); None where these are integers."""
        return None if self.symbols else np.empty((batch.rows, self.input_size), self.dtype)

    def new_outputs(self, batch: Batch) -> Array:
        """Return room for the outputs: (n, C), or (N, C) where there is one for each step."""
        return np.empty((batch.rows if self.per_step else batch.n, self.outputs), self.dtype)

    def new_states(self, rows: int) -> list[Array]:
        """Return zeros (rows, H) for each recurrent layer."""
        return [np.zeros((rows, units), self.dtype) for units in self.native.hidden_sizes]

    def shape_outputs(self, out: Array, batch: Batch) -> Any:
        """Return outputs in the form of the input where they are per step, otherwise as the array (n, C)."""
        return batch.restore_form(out) if self.per_step else out

    def begin(self, optimizer: Optimizer) -> None:
        """Use an optimizer: an equal one goes on, another one starts with its moments at 0."""
        if optimizer != self.optimizer:
            self.reset_optimizer()
            self.optimizer = optimizer
            self.moments = [np.zeros_like(self.parameters) for _ in range(optimizer.moments)]

    def reset_optimizer(self) -> None:
        """Forget moments and update count."""
        self.optimizer, self.moments, self.updates = None, [], 0

    def reset_carry(self) -> None:
        """Forget the states of stateful sequences."""
        self.carry = None

    def carried(self, n: int) -> list[Array]:
        """Return the carried states of n sequences, zeros at first; ValueError for another number of them."""
        if self.carry is None:
            return [np.zeros((n, size), self.dtype) for size in self.native.state_sizes]
        if self.carry and len(self.carry[0]) != n:
            raise ArgumentValueError(
                "X",
                f"has {n} sequences",
                f"{len(self.carry[0])} (the rows whose states are carried); net.reset_state() forgets them",
            )
        return self.carry

    def constrain(self, patterns: tuple[Any, ...], mask: Any, sign: Any) -> None:
        """Constrain parameters, and bring them within bounds at once; without mask and sign, free them."""
        names = self.match(patterns)
        if mask is None and sign is None:
            self.constraints = {name: c for name, c in self.constraints.items() if name not in names}
            return
        made = {name: constraint(name, self.weights[name].shape, mask, sign) for name in names}
        self.constraints = self.constraints | made
        for name, own in made.items():
            low, high = own.bounds()
            self.weights[name][...] = np.minimum(high, np.maximum(low, self.weights[name]))

    def bounds(self) -> tuple[Array, Array] | None:
        """Return the least and the largest value of every parameter (P,), or None."""
        return flat_bounds(self.constraints, self.table, self.parameters)

    def match(self, patterns: tuple[Any, ...]) -> set[str]:
        """Return the names of the parameters that match the patterns; ValueError for one without a match."""
        if not patterns:
            raise ValueError(
                "no pattern was given, expected at least one such as '0.recurrent_kernel' or '0.*'"
            )
        found: set[str] = set()
        for pattern in patterns:
            if not isinstance(pattern, str):
                raise ArgumentTypeError("pattern", f"is {describe(pattern)}", "a string such as '0.*'")
            names = {name for name in self.weights if fnmatch.fnmatchcase(name, pattern)}
            if not names:
                raise ArgumentValueError(
                    f"pattern {pattern!r}", f"matches no parameter; there are {', '.join(self.weights)}"
                )
            found |= names
        return found

    def trainable(self) -> Offsets:
        """Return the ranges [begin, end) that training may change, (k, 2), neighbors merged."""
        ranges: list[list[int]] = []
        for name, offset, shape in self.table:
            end = offset + math.prod(shape)
            if name in self.frozen:
                continue
            if ranges and ranges[-1][1] == offset:
                ranges[-1][1] = end
            else:
                ranges.append([offset, end])
        return np.array(ranges, dtype=np.int64).reshape(-1, 2)

    def dropout(self, seed: int | None) -> tuple[int, int] | None:
        """Return the key and epoch of the dropout masks of one pass with its own seed; None: no dropout."""
        return None if seed is None or not self.drops else (seeds.dropout_key(seed), 0)

    @property
    def recurrent(self) -> list[int]:
        """The indices of the recurrent layers."""
        return [i for i, layer in enumerate(self.layers) if isinstance(layer, RECURRENT)]


_INITIALIZERS = {
    "embeddings": "embeddings_initializer",
    "kernel": "kernel_initializer",
    "recurrent_kernel": "recurrent_initializer",
    "bias": "bias_initializer",
    "recurrent_bias": "bias_initializer",
}


def _input_size(given: Any, symbols: int) -> int:
    if symbols:
        if given is not None and integer("input_size", given, 1, _MOST_INPUTS) != 1:
            raise ArgumentValueError(
                "input_size",
                f"is {given}",
                "1 or None: layers[0] is an Embedding, which reads one integer a step",
            )
        return 1
    if given is None:
        raise ArgumentTypeError(
            "input_size",
            "is None",
            "the number of features of X (only a network that begins with an Embedding can do without)",
        )
    return integer("input_size", given, 1, _MOST_INPUTS)


class HasModel(Protocol):
    """Whatever has a Model: `Network`."""

    @property
    def model(self) -> Model: ...
