"""Model: everything that a network is and remembers, below its facade.

The modules that train, record, check and save take a Model; `Network` holds one.
"""

from __future__ import annotations

import fnmatch
import math
import threading
from collections.abc import Callable, Iterator, Mapping
from threading import get_ident
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from elman import _engine
from elman._validation import describe, integer, real_dtype
from elman.data.sequences import Array, Batch, Offsets, as_batch, as_symbols
from elman.errors import ArgumentTypeError, ArgumentValueError
from elman.model.history import History
from elman.nn import initializers
from elman.nn.constraints import Constraint, constraint, flat_bounds
from elman.nn.layers import LSTM, RECURRENT, Embedding, Layer, check_stack
from elman.nn.optimizers import Optimizer

_MOST_INPUTS = 2**31 - 1  # times the most units, far from the end of the engine's 64-bit sizes


class Weights(Mapping[str, Array]):
    """The parameters by name, as writable views; the mapping itself cannot be changed.

    Shapes: kernel (F, GH), recurrent_kernel (H, GH), bias (GH,), of a cell with G gates.

    >>> weights = Weights({"0.bias": np.zeros(2)})
    >>> weights["0.bias"][:] = 1.0
    >>> weights["0.bias"] = np.ones(2)
    Traceback (most recent call last):
    ...
    TypeError: weights cannot be replaced, only written into: weights['0.bias'][...] = values
    """

    __slots__ = ("_views",)

    def __init__(self, views: dict[str, Array]) -> None:
        self._views = views

    def __getitem__(self, name: str) -> Array:
        try:
            return self._views[name]
        except KeyError:
            raise KeyError(f"no parameter {name!r}; there are {', '.join(self._views)}") from None

    def __iter__(self) -> Iterator[str]:
        return iter(self._views)

    def __len__(self) -> int:
        return len(self._views)

    def __setitem__(self, name: str, value: object) -> None:
        if value is self[name]:  # the end of weights[name] *= 2, already written into the view
            return
        raise TypeError(f"weights cannot be replaced, only written into: weights[{name!r}][...] = values")

    def __repr__(self) -> str:
        return "{" + ", ".join(f"{name!r}: {v.shape}" for name, v in self._views.items()) + "}"


def views(table: list[tuple[str, int, tuple[int, ...]]], flat: Array) -> dict[str, Array]:
    """Return views into a flat buffer (P,) by parameter name."""
    named = {}
    for name, offset, shape in table:
        named[name] = flat[offset : offset + math.prod(shape)].reshape(shape)
    return named


class Model:
    """A network's description, its machine, and the memory that training leaves behind.

    ``epoch`` counts the epochs ever trained: with ``key`` it is the random state. ``updates`` and ``moments``
    belong to ``optimizer``. ``carry`` holds the states of ``stateful`` rows, one array (n, H) a recurrent
    layer, of an LSTM (n, 2H): h, then c. ``began`` is the epoch at which the latest fit began if it writes a
    checkpoint, otherwise None. ``symbols`` is the n of an Embedding as the first layer, otherwise 0.
    """

    def __init__(self, layers: Any, input_size: Any, dtype: Any, seed: Any) -> None:
        self.layers: tuple[Layer, ...] = check_stack(layers)
        first = self.layers[0]
        self.symbols = first.n if isinstance(first, Embedding) else 0  # X holds integers below it
        self.input_size = _input_size(input_size, self.symbols)
        self.dtype: np.dtype[Any] = real_dtype(dtype)
        self.seed_given = seed is not None
        self.seed = _fresh_seed() if seed is None else integer("seed", seed, maximum=math.inf)
        self.key = initializers.shuffle_key(self.seed)
        self.dropout_key = initializers.dropout_key(self.seed)
        self.drops = any(
            layer.dropout > 0.0 or layer.recurrent_dropout > 0.0
            for layer in self.layers
            if isinstance(layer, RECURRENT)
        )
        self.native = _engine.build(self.layers, self.input_size, self.dtype)
        self.table = self.native.table
        self.parameters: Array = self.native.parameters
        self.weights = Weights(views(self.table, self.parameters))
        self.outputs = self.native.output_size
        self.per_step = self.native.per_step
        self.frozen: frozenset[str] = frozenset()
        self.constraints: dict[str, Constraint] = {}
        self.optimizer: Optimizer | None = None
        self.moments: list[Array] = []
        self.updates = 0
        self.epoch = 0
        self.began: int | None = None
        self.carry: list[Array] | None = None
        self.history = History()
        self.usage = Usage()
        self.stop: threading.Event | None = None  # set from outside, it ends a fit as Ctrl-C does

    def draw(self) -> None:
        """Set every parameter to its initial value."""
        for i, layer in enumerate(self.layers):
            rng = initializers.generator(self.seed, i)
            for half in ("", "reverse."):
                for part, initializer in _INITIALIZERS.items():
                    name = f"{i}.{half}{part}"
                    if name in self.weights:
                        view = self.weights[name]
                        # a gate at a time in the recurrent kernel: each part is orthogonal by itself
                        parts = view.shape[1] // view.shape[0] if part == "recurrent_kernel" else 1
                        for gate in np.split(view, parts, axis=-1):
                            gate[...] = initializers.draw(getattr(layer, initializer), gate.shape, rng)
                name = f"{i}.{half}bias"
                if isinstance(layer, LSTM) and layer.unit_forget_bias and name in self.weights:
                    self.weights[name][layer.units : 2 * layer.units] += 1.0

    def batch(self, X: Any, name: str = "X") -> tuple[Batch, Any]:
        """Return X in the inner form, and as the engine reads it; what does not fit is refused."""
        batch = self.sequences(X, name)
        if self.symbols:
            return batch, _engine.symbols(batch, self.symbols, name)
        return batch, _engine.data(batch, self.dtype, name)

    def sequences(self, X: Any, name: str = "X") -> Batch:
        """Return X in the inner form, its values not looked at."""
        if self.symbols:
            return as_symbols(X, self.symbols, name)
        return as_batch(X, self.input_size, self.dtype, name)

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
        return batch.give_back(out) if self.per_step else out

    def begin(self, optimizer: Optimizer) -> None:
        """Take up an optimizer: an equal one goes on, another one starts anew."""
        if optimizer != self.optimizer:
            self.reset_optimizer()
            self.optimizer = optimizer
            count = _engine.moment_count(optimizer)
            self.moments = [np.zeros_like(self.parameters) for _ in range(count)]

    def reset_optimizer(self) -> None:
        """Forget moments and update count."""
        self.optimizer, self.moments, self.updates = None, [], 0

    def reset_carry(self) -> None:
        """Forget the states of stateful rows."""
        self.carry = None

    def carried(self, n: int) -> list[Array]:
        """Return the carried states of n rows, zeros at first; another number of rows is refused."""
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
        """Bind weights, and bring them within their bounds at once; without mask and sign, set them free."""
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
        """Return the names of the parameters that the patterns mean; each must match something."""
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
                raise ValueError(
                    f"pattern {pattern!r} matches no parameter; there are {', '.join(self.weights)}"
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
        """Return what the masks of one pass with a seed of its own follow from; None: no dropout."""
        return None if seed is None or not self.drops else (initializers.dropout_key(seed), 0)

    @property
    def recurrent(self) -> list[int]:
        """The places of the recurrent layers."""
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


def _fresh_seed() -> int:
    return int(np.random.SeedSequence().generate_state(1, np.uint64)[0])


class HasModel(Protocol):
    """Whatever holds a Model: `Network`."""

    @property
    def model(self) -> Model: ...


Callback = Callable[[Any, int, dict[str, float]], Any]
Float64 = NDArray[np.float64]


class Usage:
    """Who uses a network now: many readers (predict), or one writer (fit) whose own thread may read too."""

    __slots__ = ("_lock", "_name", "_readers", "_writer")

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._writer: int | None = None
        self._name = ""
        self._readers = 0

    def begin_read(self) -> None:
        """Enter as a reader; RuntimeError while another thread writes."""
        with self._lock:
            if self._writer is not None and self._writer != get_ident():
                raise RuntimeError(
                    f"another thread is inside {self._name} of this network: wait until it is done"
                )
            self._readers += 1

    def end_read(self) -> None:
        with self._lock:
            self._readers -= 1

    def begin_write(self, name: str) -> None:
        """Enter as the writer; RuntimeError while anybody else uses the network."""
        with self._lock:
            if self._writer is not None:
                who = "a callback" if self._writer == get_ident() else "another thread"
                raise RuntimeError(
                    f"{name} was called by {who} during {self._name}: {self._name} is exclusive"
                )
            if self._readers:
                raise RuntimeError(
                    f"{name} was called while another thread uses this network: {name} is exclusive"
                )
            self._writer, self._name = get_ident(), name

    def end_write(self) -> None:
        with self._lock:
            self._writer = None
