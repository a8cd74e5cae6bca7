"""The only module that imports the native engine: typed and thin.

The protocols below say what the engine offers. Each of its classes exists for float32 and for float64.
Layers, losses and optimizers know their own codes (`elman.nn`).
"""

from __future__ import annotations

import os
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, Protocol, cast

import numpy as np
from numpy.typing import ArrayLike, NDArray

from elman._validation import integer
from elman.data.sequences import Array, Batch, Offsets, refuse_symbol
from elman.errors import ArgumentValueError

if TYPE_CHECKING:
    from elman.data.input_types import State
    from elman.data.targets import Answers
    from elman.nn.layers import NativeLayer

try:
    from elman import _core
except ImportError as error:
    if "cannot import name '_core'" not in str(error):
        raise
    raise ImportError(
        "elman's native engine (elman._core) is not built. From the repository run `make` or "
        "`pip install .`; both need a C++20 compiler. Inside the folder `src`, leave it first."
    ) from error

Sums = tuple[float, float, float, float, float]
States = list[Array] | None  # one array (n, state size) per recurrent layer
DropoutKey = tuple[int, int] | None  # key and epoch of the masks; None: no dropout
_MOST_THREADS = 2**31 - 1  # a C int


class Stream(Protocol):
    """One step at a time: `elman.Network.stream`."""

    state: State

    def step(self, x: ArrayLike, out: Array | None = None) -> Array: ...
    def steps(self, x: ArrayLike) -> Array: ...
    def reset(self) -> None: ...


class NativeTape(Protocol):
    """A recorded forward pass."""

    def outputs(self, out: Array) -> None: ...
    def states(self, outs: list[Array]) -> None: ...
    def backward(
        self,
        d_outputs: Array,
        d_parameters: Array,
        d_inputs: Array | None,
        d_initial: list[Array],
        n_threads: int,
    ) -> None: ...


class NativeOnline(Protocol):
    """One step at a time, with learning."""

    remembered: int

    def step(self, x: Array, out: Array) -> int: ...
    def step_symbol(self, x: int, out: Array) -> int: ...
    def learn(self, index: int, values: Array, rate: float, count: int) -> int: ...
    def gradient(self, out: Array) -> None: ...
    def use(
        self, optimizer: tuple[Any, ...], moments: list[Array], trainable: Offsets, clip_norm: float
    ) -> None: ...
    def reset(self) -> None: ...
    def get_states(self, outs: list[Array]) -> None: ...
    def set_states(self, states: list[Array]) -> None: ...
    def memory_size(self, steps: int) -> int: ...
    def save(self, out: Array) -> None: ...
    def load(self, steps: int, memory: Array) -> None: ...


class NativeTrainer(Protocol):
    """The memory of one fit."""

    def train(
        self,
        data: Any,
        targets: Any,
        weights: Any,
        carry: States,
        order: Offsets,
        first_batch: int,
        batch_size: int,
        rates: NDArray[np.float64],
        settings: tuple[Any, ...],
        progress: Offsets,
        sums: NDArray[np.float64],
        snapshot: Array,
        moments: list[Array],
        seconds: float,
        initial: States = None,
        dropout: DropoutKey = None,
    ) -> int: ...


class Native(Protocol):
    """Network32 or Network64 of the engine."""

    table: list[tuple[str, int, tuple[int, ...]]]
    parameters: Array
    output_size: int
    per_step: bool
    hidden_sizes: list[int]
    state_sizes: list[int]

    def predict(
        self, data: Any, out: Array, n_threads: int, initial: States = None, dropout: DropoutKey = None
    ) -> int: ...
    def states(self, data: Any, outs: list[Array], n_threads: int) -> None: ...
    def evaluate(
        self,
        data: Any,
        targets: Any,
        loss: int,
        weights: Any,
        carry: States,
        n_threads: int,
        initial: States = None,
        dropout: DropoutKey = None,
    ) -> Sums: ...
    def gradient(
        self,
        data: Any,
        targets: Any,
        loss: int,
        weights: Any,
        mean: bool,
        l2: float,
        gradient: Array,
        n_threads: int,
        memory: int,
        initial: States = None,
        dropout: DropoutKey = None,
    ) -> float: ...
    def need(
        self, rows: int, longest: int, steps: int, loss: int, dropout: bool, n_threads: int
    ) -> tuple[int, int]: ...
    def gauss_newton(
        self,
        data: Any,
        targets: Any,
        loss: int,
        weights: Any,
        way: int,
        matrix: Array,
        gradient: Array,
        n_threads: int,
    ) -> Sums: ...
    def jacobian(self, data: Any, way: int, out: Array, n_threads: int) -> None: ...
    def online(self, rule: int, truncation: int, loss: int) -> NativeOnline: ...
    def record(
        self, data: Any, n_threads: int, initial: States = None, dropout: DropoutKey = None
    ) -> NativeTape: ...
    def update(
        self,
        gradient: Array,
        optimizer: tuple[Any, ...],
        rate: float,
        moments: list[Array],
        count: int,
        trainable: Offsets,
        clip_norm: float,
        bounds: tuple[Array, Array] | None = None,
    ) -> None: ...
    def trainer(self, loss: int, dropout: bool, memory: int, n_threads: int) -> NativeTrainer: ...
    def stream(self, rows: int, initial_state: Any) -> Stream: ...


def build(layers: Sequence[NativeLayer], input_size: int, dtype: np.dtype[Any]) -> Native:
    """Return the engine's network for a stack of layers, its parameters all zero."""
    network = _core.Network32 if dtype == np.float32 else _core.Network64
    return cast(Native, network(input_size, layers))


def unchecked_data(batch: Batch) -> Any:
    """Return sequences that are known to be finite in the network's dtype for the engine."""
    return _core.Data(batch.values, batch.offsets)


def data(batch: Batch, dtype: np.dtype[Any], name: str = "X") -> Any:
    """Return the sequences for the engine; ValueError names the first row that is not finite."""
    made = _core.Data(batch.values, batch.offsets)
    bad = made.first_bad(dtype == np.float32)
    if bad >= 0:
        row = int(np.searchsorted(batch.offsets, bad, side="right")) - 1
        values = np.asarray(batch.values[bad])
        with np.errstate(over="ignore"):
            feature = int(np.argmin(np.isfinite(values.astype(dtype))))
        step = bad - int(batch.offsets[row])
        raise ArgumentValueError(
            f"{name}[{row}]",
            f"has {values[feature]} at step {step}, feature {feature}",
            f"numbers that are finite in {dtype}",
        )
    return made


def symbols(batch: Batch, n: int, name: str = "X") -> Any:
    """Return sequences of integers for the engine; ValueError names the first that is not from 0 to n - 1."""
    made = _core.Data(batch.values, batch.offsets)
    bad = made.first_outside(n)
    if bad >= 0:
        row = int(np.searchsorted(batch.offsets, bad, side="right")) - 1
        refuse_symbol(name, row, bad - int(batch.offsets[row]), int(batch.values[bad, 0]), n)
    return made


def targets(answers: Answers) -> Any:
    """Return the answers for the engine."""
    if answers.indices is not None:
        return _core.Targets(
            indices=answers.indices, class_weight=answers.class_weight, row_weight=answers.row_weight
        )
    values = cast(Array, answers.values)
    if values.dtype == np.float32:
        return _core.Targets(values32=values, row_weight=answers.row_weight)
    return _core.Targets(values64=values, row_weight=answers.row_weight)


def threads(n_threads: Any) -> int:
    """Return the number of threads: ``n_threads``, or the CPUs of this process, bounded by OMP_NUM_THREADS.

    Errors: TypeError and ValueError for anything but None and an integer of at least 1.

    >>> threads(3)
    3
    """
    if n_threads is not None:
        return integer("n_threads", n_threads, 1, _MOST_THREADS)
    usable = _core.usable_cpus()
    bound = os.environ.get("OMP_NUM_THREADS", "").split(",")[0].strip()
    return min(usable, int(bound)) if bound.isdecimal() and int(bound) > 0 else usable


def shuffle(key: int, first_epoch: int, epochs: int, n: int) -> Offsets:
    """Return one permutation of 0..n-1 for each epoch, (epochs n,); it depends on key, epoch and n alone."""
    return cast(Offsets, _core.shuffle(key, first_epoch, epochs, n))


def isa() -> str:
    """Return the instruction set in use, such as ``x86-64-v4``."""
    return _core.isa()


def available_isas() -> list[str]:
    """Return the instruction sets that this machine can run, best first."""
    return _core.available_isas()


def fma_peak(n_threads: int) -> float:
    """Return the measured speed of a bare multiply-add loop in GFLOP/s, float32."""
    return _core.fma_peak(n_threads)
