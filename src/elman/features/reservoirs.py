"""Reservoirs: statistics over time of untrained recurrent networks."""

from __future__ import annotations

import warnings
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import numpy as np
from numpy.random import Generator
from sklearn.utils import check_random_state
from sklearn.utils.validation import check_is_fitted

from elman import _engine
from elman._validation import describe, flag, integer, number
from elman.data.sequences import Array, Batch, Offsets
from elman.errors import ArgumentTypeError, ArgumentValueError
from elman.features.base import FeatureStream, Float64, SequenceTransformer
from elman.network.network import Network
from elman.nn.layers import SimpleRNN

STATISTICS = ("mean", "log_variance", "share_positive", "log_change")
_BLOCK = 1 << 20  # states of one network at a time, so that they stay in the cache
_VARIANCE_FLOOR = 1e-8  # states lie between -1 and 1, and are kept in float32
_CHANGE_FLOOR = 1e-6
_SMALL_INPUT = 1e-3  # times the weights: less changes the statistics by less than their floors


class Reservoirs(SequenceTransformer):
    """Statistics over time of many small recurrent networks with random weights (echo state networks).

    h_t = (1 - a) h_{t-1} + a tanh(x_t W + h_{t-1} U + c). Each network has its own a, W, U and c. The entries
    of W are uniform in [-s, s], U is normal and scaled to the spectral radius, c is uniform in [-b, b], and
    the leak a is log-uniform in its range. The features of each unit, over the T steps of a sequence, are the
    mean, ln(variance + 1e-8), the share of steps with h_t > 0, and ln(mean |h_t - h_{t-1}| + 1e-6), with
    h_0 = 0. Large leaks make fast units and small leaks slow ones. The features go to a readout, which can be
    any classifier or regressor. Only F is learned from data.

    Shapes: (T, F) -> one row per sequence, so the result is 2-D, (n, 4 H networks), for any classifier of
    scikit-learn. With a ``window``, (T, F) -> (T // window, 4 H networks): the statistics of each window. The
    states continue from window to window.

    Parameters
    ----------
    networks : int, at least 1
        Independent networks.
    units : int, at least 1
        H, units of each network.
    spectral_radius : float, at least 0
        The largest modulus of U's eigenvalues; below 1 the distant past fades.
    leak : (float, float)
        The range of a, above 0 and at most 1: 1 / a is about the number of steps that a unit remembers.
    input_scaling : float, above 0
        s, which should bring the input to the order of 1, so that tanh is nonlinear but not saturated; 0.01
        for EEG in microvolts. A UserWarning says that the input is far too small, as EEG in volts is.
    bias_scaling : float, at least 0
        b.
    difference : bool
        The networks read x_t - x_{t-1} (0 at the first step).
    standardize : bool
        Each feature of each sequence (of its differences, with ``difference``) is scaled to mean 0 and
        standard deviation 1, so that its shape counts and not its size. Such features cannot stream.
    window : int, at least 1, or None
        Steps per window; None takes each sequence as one window.
    random_state : int, RandomState, Generator or None
        The source of the weights.
    n_jobs : int or None
        Threads, each of which runs one network at a time; None takes the CPUs of this process.

    Attributes
    ----------
    networks_ : list of Network

    Raises
    ------
    ValueError, TypeError
        Naming the argument, or the sequence that is shorter than a window or too large for float32.

    Source: H. Jaeger et al. 2007, Neural Networks 20(3), 335-352, equation 2 (leaky units); the share of
    positive steps after the "proportion of positive values" of A. Dempster et al. 2020, Data Mining and
    Knowledge Discovery 34, 1454-1495.

    >>> import numpy as np
    >>> Reservoirs(networks=2, units=3, random_state=0).fit_transform([np.ones(50), np.ones(70)]).shape
    (2, 24)
    >>> Reservoirs(2, 3, window=20, random_state=0).fit_transform([np.ones(50)])[0].shape
    (2, 24)
    """

    networks_: list[Network]

    def __init__(
        self,
        networks: Any = 16,
        units: Any = 8,
        *,
        spectral_radius: Any = 0.9,
        leak: Any = (0.05, 1.0),
        input_scaling: Any = 1.0,
        bias_scaling: Any = 0.5,
        difference: bool = False,
        standardize: bool = False,
        window: Any = None,
        random_state: Any = None,
        n_jobs: Any = None,
    ) -> None:
        self.networks = networks
        self.units = units
        self.spectral_radius = spectral_radius
        self.leak = leak
        self.input_scaling = input_scaling
        self.bias_scaling = bias_scaling
        self.difference = difference
        self.standardize = standardize
        self.window = window
        self.random_state = random_state
        self.n_jobs = n_jobs

    @property
    def per_sequence(self) -> bool:
        return self.window is None

    def check_parameters(self) -> None:
        integer("networks", self.networks, 1)
        integer("units", self.units, 1)
        number("spectral_radius", self.spectral_radius)
        number("input_scaling", self.input_scaling, positive=True)
        number("bias_scaling", self.bias_scaling)
        flag("difference", self.difference)
        flag("standardize", self.standardize)
        if self.window is not None:
            integer("window", self.window, 1)
        self._leaks()
        _engine.threads(self.n_jobs)

    def _leaks(self) -> tuple[float, float]:
        if not isinstance(self.leak, (tuple, list)) or len(self.leak) != 2:
            raise ArgumentTypeError(
                "leak", f"is {describe(self.leak)}", "a pair of numbers (lowest, highest)"
            )
        low, high = (number(f"leak[{i}]", value, positive=True) for i, value in enumerate(self.leak))
        if not low <= high <= 1.0:
            raise ArgumentValueError("leak", f"is {self.leak}", "lowest <= highest <= 1")
        return low, high

    def _least(self) -> int:
        return 1 if self.window is None else int(self.window)

    def _learn(self, batch: Batch) -> dict[str, Any]:
        if not self.standardize:
            _check_size(batch, self.input_scaling, self.difference)
        given = self.random_state
        draw = given.integers if isinstance(given, Generator) else check_random_state(given).randint
        rng = np.random.default_rng(int(draw(2**31 - 1)))
        return {"networks_": [self._network(batch.values.shape[1], rng) for _ in range(self.networks)]}

    def _network(self, features: int, rng: Generator) -> Network:
        units = self.units
        leak = float(np.exp(rng.uniform(*np.log(self._leaks()))))
        network = self._empty(features, min(leak, 1.0))
        recurrent = rng.normal(size=(units, units))
        recurrent *= self.spectral_radius / np.abs(np.linalg.eigvals(recurrent)).max()
        network.weights["0.kernel"][:] = self.input_scaling * rng.uniform(-1.0, 1.0, (features, units))
        network.weights["0.recurrent_kernel"][:] = recurrent
        network.weights["0.bias"][:] = self.bias_scaling * rng.uniform(-1.0, 1.0, units)
        return network

    def _empty(self, features: int, leak: float) -> Network:
        layer = SimpleRNN(self.units, return_sequences=True, leak=leak)
        return Network([layer], input_size=features, dtype="float32", seed=0)

    def learned_arrays(self) -> dict[str, Array]:
        layers = [net.layers[0] for net in self.networks_]
        return {
            "leaks": np.array([layer.leak for layer in layers if isinstance(layer, SimpleRNN)]),
            "parameters": np.stack([net.parameters for net in self.networks_]),
        }

    def restore_arrays(self, kept: dict[str, Array]) -> None:
        features, leaks, parameters = self.n_channels, kept["leaks"], kept["parameters"]
        if leaks.dtype != np.float64 or leaks.shape != (self.networks,):
            raise ValueError(f"leaks is not {self.networks} numbers")
        expected = (self.networks, self.units * (features + self.units + 1))
        if parameters.dtype != np.float32 or parameters.shape != expected:
            raise ValueError(f"parameters is not {expected} numbers in float32")
        if not np.isfinite(parameters).all():
            raise ValueError("parameters is not finite")
        self.networks_ = [self._empty(features, leak) for leak in leaks.tolist()]
        for network, own in zip(self.networks_, parameters, strict=True):
            network.parameters[:] = own

    def _lengths(self, lengths: Offsets) -> Offsets:
        return np.ones_like(lengths) if self.window is None else lengths // self.window

    def ends(self, steps: int) -> Offsets:
        """Return which sample completes each window of a sequence of ``steps`` samples, (T',)."""
        steps = integer("steps", steps, self._least())
        window = steps if self.window is None else self.window
        return np.arange(window - 1, steps, window)

    def _names(self, channels: list[str]) -> list[str]:  # noqa: ARG002
        return [
            f"network{i}_unit{j}_{statistic}"
            for i in range(self.networks)
            for statistic in STATISTICS
            for j in range(self.units)
        ]

    def _apply(self, batch: Batch) -> Float64:
        counts = self._lengths(batch.lengths())
        at = np.cumsum(counts) - counts
        columns = 4 * sum(net.output_size for net in self.networks_)
        made = np.empty((int(counts.sum()), columns))
        threads = min(_engine.threads(self.n_jobs), len(self.networks_))
        with ThreadPoolExecutor(threads, thread_name_prefix="elman-reservoirs") as pool:
            for rows in self._blocks(batch):
                x = np.stack([batch.values[batch.offsets[i] : batch.offsets[i + 1]] for i in rows])
                x = network_input(x, None, self.difference, self.standardize)
                if not np.isfinite(x).all():
                    wrong = rows[int(np.argmin(np.isfinite(x).all(axis=(1, 2))))]
                    raise ArgumentValueError(f"X[{wrong}]", "has numbers too large for networks in float32")
                window = self.window or x.shape[1]
                parts = pool.map(lambda net, x=x, w=window: statistics(net, x, None, w)[0], self.networks_)
                block = np.concatenate(list(parts), axis=2)  # (rows, T', columns)
                for i, one in zip(rows, block, strict=True):
                    made[at[i] : at[i] + len(one)] = one
        return made

    def _blocks(self, batch: Batch) -> Iterator[list[int]]:
        """Yield the sequences in groups of equal length that fit the cache."""
        lengths = batch.lengths()
        for steps in np.unique(lengths).tolist():
            rows = np.flatnonzero(lengths == steps).tolist()
            size = max(1, _BLOCK // (steps * self.units))
            for i in range(0, len(rows), size):
                yield rows[i : i + size]

    def stream(self) -> ReservoirStream:
        """Return a stream: ``step`` gives the features (F',) of the window that a sample completes, or None.

        ``steps`` takes several samples (k, F) and gives (m, F'). Both give the bits of `transform`. TypeError
        where the window is the whole sequence, which has no end in a stream, and with ``standardize``, which
        needs the whole sequence.
        """
        check_is_fitted(self, "networks_")
        if self.window is None:
            raise ArgumentTypeError(
                "Reservoirs",
                "has window None",
                "a number of steps: the statistics of a whole sequence cannot stream",
            )
        if self.standardize:
            raise ArgumentTypeError(
                "Reservoirs", "has standardize True", "False: the mean of a whole sequence cannot stream"
            )
        return self._by_name(ReservoirStream(self, self.n_channels))


def _check_size(batch: Batch, scaling: float, difference: bool) -> None:
    """Warn if the input is so small that the networks hardly react to it, as with EEG in volts."""
    values = batch.values.astype(np.float64)
    if difference:
        values = np.diff(values, axis=0)
        values[batch.offsets[1:-1] - 1] = 0.0  # between two sequences
    with np.errstate(over="ignore", under="ignore"):
        size = float(np.sqrt(np.mean(values**2) if values.size else 0.0))
    if 0.0 < size * scaling < _SMALL_INPUT:
        what = "differences" if difference else "numbers"
        warnings.warn(
            f"X has {what} of about {size:.1g}, and input_scaling is {scaling:g}: the networks hardly react; "
            f"expected a product of about 1 (input_scaling={1.0 / size:.0e}), or standardize=True",
            UserWarning,
            stacklevel=4,
        )


def network_input(x: Array, before: Array | None, difference: bool, standardize: bool) -> Array:
    """Return what the networks read of x (n, T, F), in float32; ``before`` (n, 1, F) is the step before."""
    x = x.astype(np.float64, copy=False)
    if difference:
        x = np.diff(x, axis=1, prepend=x[:, :1] if before is None else before)
    if standardize:
        x = x - x.mean(axis=1, keepdims=True)
        scale = x.std(axis=1, keepdims=True)
        x = x / np.where(scale > 0.0, scale, 1.0)
    return np.ascontiguousarray(x, np.float32)


def statistics(net: Network, x: Array, state: Array | None, window: int) -> tuple[Float64, Array]:
    """Return the statistics of each window of x (n, T, F), (n, T // window, 4 H), and the last state (n, H).

    ``state`` (n, H) is the state before the first step, None for zeros.
    """
    n, count, units = len(x), x.shape[1] // window, net.output_size
    x = np.ascontiguousarray(x[:, : count * window])
    states = net.predict(x, initial_state=None if state is None else [state], n_threads=1)
    last = states[:, -1]
    before = np.zeros((n, count, units), np.float32) if state is None else np.repeat(state[:, None], count, 1)
    before[:, 1:] = states[:, window - 1 : -1 : window]
    # Time is the last axis, so that sums run along memory, in pairs: precise, fast, and row by row.
    h = np.ascontiguousarray(states.reshape(n, count, window, units).swapaxes(2, 3))
    mean = h.mean(axis=3)
    positive = np.count_nonzero(h > 0.0, axis=3) / window
    change = np.abs(np.diff(h, axis=3, prepend=before[..., None])).mean(axis=3)
    h -= mean[..., None]
    variance = np.square(h, out=h).mean(axis=3)
    parts = (mean, np.log(variance + _VARIANCE_FLOOR), positive, np.log(change + _CHANGE_FLOOR))
    return np.concatenate([part.astype(np.float64) for part in parts], axis=2), last


class ReservoirStream(FeatureStream):
    """Statistics of reservoirs in a stream: `Reservoirs.stream` makes it."""

    def __init__(self, features: Reservoirs, channels: int) -> None:
        self._window, self._networks = int(features.window), list(features.networks_)
        self._difference = features.difference
        super().__init__(channels, 4 * sum(net.output_size for net in self._networks))
        self.reset()

    def reset(self) -> None:
        """Go back to the beginning of a sequence."""
        self._held = np.empty((0, self.features))  # samples of the window that is not complete
        self._before: Array | None = None  # the sample before them, (1, 1, F)
        self._states: list[Array | None] = [None] * len(self._networks)
        self._mark: tuple[Array, Array | None, list[Array | None]]
        self._mark = self._held, self._before, self._states

    def advance(self, x: Array) -> Array:
        """Take samples (k, F) that were checked; where it raises, the state is unchanged."""
        self._mark = self._held, self._before, self._states
        samples = np.concatenate([self._held, x])
        end = len(samples) // self._window * self._window
        if not end:
            self._held = samples
            return np.empty((0, self.columns), x.dtype)
        read = network_input(samples[None, :end], self._before, self._difference, False)
        if not np.isfinite(read).all():
            raise ArgumentValueError("samples", "has numbers too large for networks in float32")
        made = [
            statistics(net, read, state, self._window)
            for net, state in zip(self._networks, self._states, strict=True)
        ]
        self._held, self._before = samples[end:], samples[None, end - 1 : end]
        self._states = [last for _, last in made]
        rows: Array = np.concatenate([rows for rows, _ in made], axis=2)[0].astype(x.dtype, copy=False)
        return rows

    def undo(self) -> None:
        """Undo the last ``advance``."""
        self._held, self._before, self._states = self._mark
