"""elman's engine. Only elman._engine imports it."""

from collections.abc import Sequence
from typing import Annotated, overload

import numpy
from numpy.typing import NDArray


def isa() -> str:
    """The instruction set in use."""

def available_isas() -> list[str]:
    """What this machine can run, best first."""

def usable_cpus() -> int:
    """CPUs that this process may use."""

def shuffle(key: int, first_epoch: int, epochs: int, n: int) -> numpy.ndarray:
    """One permutation of 0..n-1 an epoch, one after the other."""

def fma_peak(n_threads: int) -> float:
    """GFLOP/s of a bare float32 multiply-add loop."""

@overload
def map(function: int, x: Annotated[NDArray[numpy.float32], dict(shape=(None,), order='C', device='cpu')]) -> None:
    """0 tanh, 1 sigmoid, 2 exp of x <= 0, 3 log; in place."""

@overload
def map(function: int, x: Annotated[NDArray[numpy.float64], dict(shape=(None,), order='C', device='cpu')]) -> None: ...

class Data:
    """Sequences as the engine reads them; keeps the values alive."""

    def __init__(self, values: numpy.ndarray, offsets: numpy.ndarray) -> None: ...

    def first_bad(self, float32: bool) -> int:
        """
        The first step with NaN, infinity or a value too large for the network's dtype; -1 none.
        """

    def first_outside(self, n: int) -> int:
        """The first step with an integer outside 0 .. n - 1; -1 none."""

class Targets:
    """Answers: classes, or rows of numbers."""

    def __init__(self, indices: numpy.ndarray | None = None, values32: numpy.ndarray | None = None, values64: numpy.ndarray | None = None, class_weight: numpy.ndarray | None = None, row_weight: numpy.ndarray | None = None) -> None: ...

class Trainer32:
    """
    The memory of one fit, for one schedule of minibatches after the other.
    """

    def train(self, data: Data, targets: Targets, weights: Annotated[NDArray[numpy.float64], dict(shape=(None,), order='C', device='cpu', writable=False)] | None, carry: Sequence[Annotated[NDArray[numpy.float32], dict(shape=(None, None), order='C', device='cpu')]] | None, order: Annotated[NDArray[numpy.int64], dict(shape=(None,), order='C', device='cpu', writable=False)], first_batch: int, batch_size: int, rates: Annotated[NDArray[numpy.float64], dict(shape=(None,), order='C', device='cpu', writable=False)], settings: tuple[bool, float, float, int, tuple[int, float, float, float, float, bool], Annotated[NDArray[numpy.int64], dict(shape=(None, None), order='C', device='cpu', writable=False)], tuple[Annotated[NDArray[numpy.float32], dict(shape=(None,), order='C', device='cpu', writable=False)], Annotated[NDArray[numpy.float32], dict(shape=(None,), order='C', device='cpu', writable=False)]] | None], progress: Annotated[NDArray[numpy.int64], dict(shape=(None,), order='C', device='cpu')], sums: Annotated[NDArray[numpy.float64], dict(shape=(None, None), order='C', device='cpu')], snapshot: Annotated[NDArray[numpy.float32], dict(shape=(None,), order='C', device='cpu')], moments: Sequence[Annotated[NDArray[numpy.float32], dict(shape=(None,), order='C', device='cpu')]], seconds: float, initial: Sequence[Annotated[NDArray[numpy.float32], dict(shape=(None, None), order='C', device='cpu')]] | None = None, dropout: tuple[int, int] | None = None) -> int: ...

class Tape32:
    """A recorded forward pass, with its own copy of the parameters."""

    def outputs(self, out: Annotated[NDArray[numpy.float32], dict(shape=(None, None), order='C', device='cpu')]) -> None: ...

    def states(self, outs: Sequence[Annotated[NDArray[numpy.float32], dict(shape=(None, None), order='C', device='cpu')]]) -> None: ...

    def backward(self, d_outputs: Annotated[NDArray[numpy.float32], dict(shape=(None, None), order='C', device='cpu', writable=False)], d_parameters: Annotated[NDArray[numpy.float32], dict(shape=(None,), order='C', device='cpu')], d_inputs: Annotated[NDArray[numpy.float32], dict(shape=(None, None), order='C', device='cpu')] | None, d_initial: Sequence[Annotated[NDArray[numpy.float32], dict(shape=(None, None), order='C', device='cpu')]], n_threads: int) -> None: ...

class Network32:
    """Layers over one flat buffer of parameters."""

    def __init__(self, input_size: int, layers: Sequence[tuple[int, int, int, bool, bool, float, bool, bool, float, float, int]]) -> None: ...

    @property
    def table(self) -> list[tuple[str, int, tuple[int, ...]]]: ...

    @property
    def parameters(self) -> numpy.ndarray: ...

    @property
    def output_size(self) -> int: ...

    @property
    def per_step(self) -> bool: ...

    @property
    def hidden_sizes(self) -> list[int]: ...

    @property
    def state_sizes(self) -> list[int]: ...

    def predict(self, data: Data, out: Annotated[NDArray[numpy.float32], dict(shape=(None, None), order='C', device='cpu')], n_threads: int, initial: Sequence[Annotated[NDArray[numpy.float32], dict(shape=(None, None), order='C', device='cpu')]] | None = None, dropout: tuple[int, int] | None = None) -> int:
        """
        The outputs; returns the first row of them that is not finite, -1 none.
        """

    def states(self, data: Data, outs: Sequence[Annotated[NDArray[numpy.float32], dict(shape=(None, None), order='C', device='cpu')]], n_threads: int) -> None: ...

    def evaluate(self, data: Data, targets: Targets, loss: int, weights: Annotated[NDArray[numpy.float64], dict(shape=(None,), order='C', device='cpu', writable=False)] | None, carry: Sequence[Annotated[NDArray[numpy.float32], dict(shape=(None, None), order='C', device='cpu')]] | None, n_threads: int, initial: Sequence[Annotated[NDArray[numpy.float32], dict(shape=(None, None), order='C', device='cpu')]] | None = None, dropout: tuple[int, int] | None = None) -> tuple[float, float, float, float, float]: ...

    def gradient(self, data: Data, targets: Targets, loss: int, weights: Annotated[NDArray[numpy.float64], dict(shape=(None,), order='C', device='cpu', writable=False)] | None, mean: bool, l2: float, gradient: Annotated[NDArray[numpy.float32], dict(shape=(None,), order='C', device='cpu')], n_threads: int, memory: int, initial: Sequence[Annotated[NDArray[numpy.float32], dict(shape=(None, None), order='C', device='cpu')]] | None = None, dropout: tuple[int, int] | None = None) -> float: ...

    def need(self, rows: int, longest: int, steps: int, loss: int, dropout: bool, n_threads: int) -> tuple[int, int]:
        """
        Bytes that a pass with its gradient holds: at once, and from checkpoints.
        """

    def record(self, data: Data, n_threads: int, initial: Sequence[Annotated[NDArray[numpy.float32], dict(shape=(None, None), order='C', device='cpu')]] | None = None, dropout: tuple[int, int] | None = None) -> Tape32: ...

    def update(self, gradient: Annotated[NDArray[numpy.float32], dict(shape=(None,), order='C', device='cpu', writable=False)], optimizer: tuple[int, float, float, float, float, bool], rate: float, moments: Sequence[Annotated[NDArray[numpy.float32], dict(shape=(None,), order='C', device='cpu')]], count: int, trainable: Annotated[NDArray[numpy.int64], dict(shape=(None, None), order='C', device='cpu', writable=False)], clip_norm: float, bounds: tuple[Annotated[NDArray[numpy.float32], dict(shape=(None,), order='C', device='cpu', writable=False)], Annotated[NDArray[numpy.float32], dict(shape=(None,), order='C', device='cpu', writable=False)]] | None = None) -> None: ...

    def trainer(self, loss: int, dropout: bool, memory: int, n_threads: int) -> Trainer32: ...

    def stream(self, rows: int, initial_state: object | None) -> Stream32: ...

    def gauss_newton(self, data: Data, targets: Targets, loss: int, weights: Annotated[NDArray[numpy.float64], dict(shape=(None,), order='C', device='cpu', writable=False)] | None, way: int, matrix: Annotated[NDArray[numpy.float32], dict(shape=(None, None), order='C', device='cpu')], gradient: Annotated[NDArray[numpy.float32], dict(shape=(None,), order='C', device='cpu')], n_threads: int) -> tuple[float, float, float, float, float]: ...

    def jacobian(self, data: Data, way: int, out: Annotated[NDArray[numpy.float32], dict(shape=(None, None), order='C', device='cpu')], n_threads: int) -> None: ...

    def online(self, rule: int, truncation: int, loss: int) -> Online32: ...

class Trainer64:
    """
    The memory of one fit, for one schedule of minibatches after the other.
    """

    def train(self, data: Data, targets: Targets, weights: Annotated[NDArray[numpy.float64], dict(shape=(None,), order='C', device='cpu', writable=False)] | None, carry: Sequence[Annotated[NDArray[numpy.float64], dict(shape=(None, None), order='C', device='cpu')]] | None, order: Annotated[NDArray[numpy.int64], dict(shape=(None,), order='C', device='cpu', writable=False)], first_batch: int, batch_size: int, rates: Annotated[NDArray[numpy.float64], dict(shape=(None,), order='C', device='cpu', writable=False)], settings: tuple[bool, float, float, int, tuple[int, float, float, float, float, bool], Annotated[NDArray[numpy.int64], dict(shape=(None, None), order='C', device='cpu', writable=False)], tuple[Annotated[NDArray[numpy.float64], dict(shape=(None,), order='C', device='cpu', writable=False)], Annotated[NDArray[numpy.float64], dict(shape=(None,), order='C', device='cpu', writable=False)]] | None], progress: Annotated[NDArray[numpy.int64], dict(shape=(None,), order='C', device='cpu')], sums: Annotated[NDArray[numpy.float64], dict(shape=(None, None), order='C', device='cpu')], snapshot: Annotated[NDArray[numpy.float64], dict(shape=(None,), order='C', device='cpu')], moments: Sequence[Annotated[NDArray[numpy.float64], dict(shape=(None,), order='C', device='cpu')]], seconds: float, initial: Sequence[Annotated[NDArray[numpy.float64], dict(shape=(None, None), order='C', device='cpu')]] | None = None, dropout: tuple[int, int] | None = None) -> int: ...

class Tape64:
    """A recorded forward pass, with its own copy of the parameters."""

    def outputs(self, out: Annotated[NDArray[numpy.float64], dict(shape=(None, None), order='C', device='cpu')]) -> None: ...

    def states(self, outs: Sequence[Annotated[NDArray[numpy.float64], dict(shape=(None, None), order='C', device='cpu')]]) -> None: ...

    def backward(self, d_outputs: Annotated[NDArray[numpy.float64], dict(shape=(None, None), order='C', device='cpu', writable=False)], d_parameters: Annotated[NDArray[numpy.float64], dict(shape=(None,), order='C', device='cpu')], d_inputs: Annotated[NDArray[numpy.float64], dict(shape=(None, None), order='C', device='cpu')] | None, d_initial: Sequence[Annotated[NDArray[numpy.float64], dict(shape=(None, None), order='C', device='cpu')]], n_threads: int) -> None: ...

class Network64:
    """Layers over one flat buffer of parameters."""

    def __init__(self, input_size: int, layers: Sequence[tuple[int, int, int, bool, bool, float, bool, bool, float, float, int]]) -> None: ...

    @property
    def table(self) -> list[tuple[str, int, tuple[int, ...]]]: ...

    @property
    def parameters(self) -> numpy.ndarray: ...

    @property
    def output_size(self) -> int: ...

    @property
    def per_step(self) -> bool: ...

    @property
    def hidden_sizes(self) -> list[int]: ...

    @property
    def state_sizes(self) -> list[int]: ...

    def predict(self, data: Data, out: Annotated[NDArray[numpy.float64], dict(shape=(None, None), order='C', device='cpu')], n_threads: int, initial: Sequence[Annotated[NDArray[numpy.float64], dict(shape=(None, None), order='C', device='cpu')]] | None = None, dropout: tuple[int, int] | None = None) -> int:
        """
        The outputs; returns the first row of them that is not finite, -1 none.
        """

    def states(self, data: Data, outs: Sequence[Annotated[NDArray[numpy.float64], dict(shape=(None, None), order='C', device='cpu')]], n_threads: int) -> None: ...

    def evaluate(self, data: Data, targets: Targets, loss: int, weights: Annotated[NDArray[numpy.float64], dict(shape=(None,), order='C', device='cpu', writable=False)] | None, carry: Sequence[Annotated[NDArray[numpy.float64], dict(shape=(None, None), order='C', device='cpu')]] | None, n_threads: int, initial: Sequence[Annotated[NDArray[numpy.float64], dict(shape=(None, None), order='C', device='cpu')]] | None = None, dropout: tuple[int, int] | None = None) -> tuple[float, float, float, float, float]: ...

    def gradient(self, data: Data, targets: Targets, loss: int, weights: Annotated[NDArray[numpy.float64], dict(shape=(None,), order='C', device='cpu', writable=False)] | None, mean: bool, l2: float, gradient: Annotated[NDArray[numpy.float64], dict(shape=(None,), order='C', device='cpu')], n_threads: int, memory: int, initial: Sequence[Annotated[NDArray[numpy.float64], dict(shape=(None, None), order='C', device='cpu')]] | None = None, dropout: tuple[int, int] | None = None) -> float: ...

    def need(self, rows: int, longest: int, steps: int, loss: int, dropout: bool, n_threads: int) -> tuple[int, int]:
        """
        Bytes that a pass with its gradient holds: at once, and from checkpoints.
        """

    def record(self, data: Data, n_threads: int, initial: Sequence[Annotated[NDArray[numpy.float64], dict(shape=(None, None), order='C', device='cpu')]] | None = None, dropout: tuple[int, int] | None = None) -> Tape64: ...

    def update(self, gradient: Annotated[NDArray[numpy.float64], dict(shape=(None,), order='C', device='cpu', writable=False)], optimizer: tuple[int, float, float, float, float, bool], rate: float, moments: Sequence[Annotated[NDArray[numpy.float64], dict(shape=(None,), order='C', device='cpu')]], count: int, trainable: Annotated[NDArray[numpy.int64], dict(shape=(None, None), order='C', device='cpu', writable=False)], clip_norm: float, bounds: tuple[Annotated[NDArray[numpy.float64], dict(shape=(None,), order='C', device='cpu', writable=False)], Annotated[NDArray[numpy.float64], dict(shape=(None,), order='C', device='cpu', writable=False)]] | None = None) -> None: ...

    def trainer(self, loss: int, dropout: bool, memory: int, n_threads: int) -> Trainer64: ...

    def stream(self, rows: int, initial_state: object | None) -> Stream64: ...

    def gauss_newton(self, data: Data, targets: Targets, loss: int, weights: Annotated[NDArray[numpy.float64], dict(shape=(None,), order='C', device='cpu', writable=False)] | None, way: int, matrix: Annotated[NDArray[numpy.float64], dict(shape=(None, None), order='C', device='cpu')], gradient: Annotated[NDArray[numpy.float64], dict(shape=(None,), order='C', device='cpu')], n_threads: int) -> tuple[float, float, float, float, float]: ...

    def jacobian(self, data: Data, way: int, out: Annotated[NDArray[numpy.float64], dict(shape=(None, None), order='C', device='cpu')], n_threads: int) -> None: ...

    def online(self, rule: int, truncation: int, loss: int) -> Online64: ...

class Stream32:
    """A network one step at a time."""

    def step(self, x: object, out: numpy.ndarray | None = None) -> numpy.ndarray:
        """
        The answer y_t after the step x_t, (F,) -> (C,), or (rows, F) -> (rows, C).
        """

    def steps(self, x: object) -> numpy.ndarray:
        """
        The answers after each of k steps, (k, F) -> (k, C), or (k, rows, F) -> (k, rows, C).
        """

    def reset(self) -> None:
        """Back to the state before the first step."""

    @property
    def state(self) -> list[numpy.ndarray | tuple[numpy.ndarray, numpy.ndarray]]:
        """
        A copy: one entry a recurrent layer, (H,), of an LSTM the pair (h, c), or pool, (H + 1,): its sum or maximum, then the number of steps.
        """

    @state.setter
    def state(self, value: object, /) -> None: ...

class Stream64:
    """A network one step at a time."""

    def step(self, x: object, out: numpy.ndarray | None = None) -> numpy.ndarray:
        """
        The answer y_t after the step x_t, (F,) -> (C,), or (rows, F) -> (rows, C).
        """

    def steps(self, x: object) -> numpy.ndarray:
        """
        The answers after each of k steps, (k, F) -> (k, C), or (k, rows, F) -> (k, rows, C).
        """

    def reset(self) -> None:
        """Back to the state before the first step."""

    @property
    def state(self) -> list[numpy.ndarray | tuple[numpy.ndarray, numpy.ndarray]]:
        """
        A copy: one entry a recurrent layer, (H,), of an LSTM the pair (h, c), or pool, (H + 1,): its sum or maximum, then the number of steps.
        """

    @state.setter
    def state(self, value: object, /) -> None: ...

class Online32:
    """A network that learns one step at a time."""

    def step(self, x: Annotated[NDArray[numpy.float32], dict(shape=(None,), order='C', device='cpu', writable=False)], out: Annotated[NDArray[numpy.float32], dict(shape=(None,), order='C', device='cpu')]) -> int:
        """
        The output after one more step: -1, or -2 where it is not finite; or, nothing being changed, the place of a number of x that is not finite.
        """

    def step_symbol(self, x: int, out: Annotated[NDArray[numpy.float32], dict(shape=(None,), order='C', device='cpu')]) -> int:
        """The same for a network over integers."""

    def learn(self, index: int, values: Annotated[NDArray[numpy.float32], dict(shape=(None,), order='C', device='cpu', writable=False)], rate: float, count: int) -> int:
        """
        From the last step's answer, a class or (index -1) values: 0 updated, 1 none given, 2 not finite.
        """

    def gradient(self, out: Annotated[NDArray[numpy.float32], dict(shape=(None,), order='C', device='cpu')]) -> None: ...

    def use(self, optimizer: tuple[int, float, float, float, float, bool], moments: Sequence[Annotated[NDArray[numpy.float32], dict(shape=(None,), order='C', device='cpu')]], trainable: Annotated[NDArray[numpy.int64], dict(shape=(None, None), order='C', device='cpu', writable=False)], clip_norm: float) -> None:
        """The optimizer, with its memory."""

    def reset(self) -> None: ...

    def get_states(self, outs: Sequence[Annotated[NDArray[numpy.float32], dict(shape=(None,), order='C', device='cpu')]]) -> None: ...

    def set_states(self, states: Sequence[Annotated[NDArray[numpy.float32], dict(shape=(None,), order='C', device='cpu')]]) -> None: ...

    @property
    def remembered(self) -> int: ...

    def memory_size(self, steps: int) -> int: ...

    def save(self, out: Annotated[NDArray[numpy.float32], dict(shape=(None,), order='C', device='cpu')]) -> None: ...

    def load(self, steps: int, memory: Annotated[NDArray[numpy.float32], dict(shape=(None,), order='C', device='cpu', writable=False)]) -> None: ...

class Online64:
    """A network that learns one step at a time."""

    def step(self, x: Annotated[NDArray[numpy.float64], dict(shape=(None,), order='C', device='cpu', writable=False)], out: Annotated[NDArray[numpy.float64], dict(shape=(None,), order='C', device='cpu')]) -> int:
        """
        The output after one more step: -1, or -2 where it is not finite; or, nothing being changed, the place of a number of x that is not finite.
        """

    def step_symbol(self, x: int, out: Annotated[NDArray[numpy.float64], dict(shape=(None,), order='C', device='cpu')]) -> int:
        """The same for a network over integers."""

    def learn(self, index: int, values: Annotated[NDArray[numpy.float64], dict(shape=(None,), order='C', device='cpu', writable=False)], rate: float, count: int) -> int:
        """
        From the last step's answer, a class or (index -1) values: 0 updated, 1 none given, 2 not finite.
        """

    def gradient(self, out: Annotated[NDArray[numpy.float64], dict(shape=(None,), order='C', device='cpu')]) -> None: ...

    def use(self, optimizer: tuple[int, float, float, float, float, bool], moments: Sequence[Annotated[NDArray[numpy.float64], dict(shape=(None,), order='C', device='cpu')]], trainable: Annotated[NDArray[numpy.int64], dict(shape=(None, None), order='C', device='cpu', writable=False)], clip_norm: float) -> None:
        """The optimizer, with its memory."""

    def reset(self) -> None: ...

    def get_states(self, outs: Sequence[Annotated[NDArray[numpy.float64], dict(shape=(None,), order='C', device='cpu')]]) -> None: ...

    def set_states(self, states: Sequence[Annotated[NDArray[numpy.float64], dict(shape=(None,), order='C', device='cpu')]]) -> None: ...

    @property
    def remembered(self) -> int: ...

    def memory_size(self, steps: int) -> int: ...

    def save(self, out: Annotated[NDArray[numpy.float64], dict(shape=(None,), order='C', device='cpu')]) -> None: ...

    def load(self, steps: int, memory: Annotated[NDArray[numpy.float64], dict(shape=(None,), order='C', device='cpu', writable=False)]) -> None: ...
