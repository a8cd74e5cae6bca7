"""Small causal filters with a state, from which `DepthFeatures` is built.

Each takes the next values (k,) of one sequence and returns k results. The bits do not depend on how the
sequence is cut.
"""

from __future__ import annotations

import numpy as np

from elman.anaesthesia.pharmacology import Compartments, Floats


class Carry:
    """The last known value, ``before`` until there is one, and the number of steps since then."""

    def __init__(self, before: float, longest: int = 360) -> None:
        self.last, self.since, self.longest = before, longest, longest

    def __call__(self, x: Floats) -> tuple[Floats, Floats]:
        """Return the values with NaN filled, and the age of each in steps."""
        values = np.concatenate([[self.last], x])
        at = np.where(np.isnan(values), 0, np.arange(len(values)))
        np.maximum.accumulate(at, out=at)
        filled = values[at][1:]
        steps = np.arange(1, len(values)) - at[1:] + np.where(at[1:] == 0, self.since, 0)
        steps = np.minimum(steps, self.longest)
        if len(x):
            self.last, self.since = float(filled[-1]), int(steps[-1])
        return filled, steps.astype(np.float64)


class Mean:
    """An exponential mean: m_t = a m_{t-1} + (1 - a) x_t with a = exp(-1 / steps), m_0 = x_0."""

    def __init__(self, steps: float) -> None:
        self.a, self.state = float(np.exp(-1.0 / steps)), np.nan

    def __call__(self, x: Floats) -> Floats:
        from scipy.signal import lfilter

        if not len(x):
            return x
        if np.isnan(self.state):
            self.state = self.a * x[0]
        out, state = lfilter([1.0 - self.a], [1.0, -self.a], x, zi=[self.state])
        self.state = float(state[0])
        mean: Floats = out
        return mean


class Lags:
    """The change from the values 1, ..., ``most`` steps ago; 0 where there is no such value."""

    def __init__(self, most: int) -> None:
        self.most, self.past = most, np.empty(0)

    def __call__(self, x: Floats) -> list[Floats]:
        if not len(x):
            return [x] * self.most
        past = self.past if len(self.past) else np.full(self.most, x[0])
        values = np.concatenate([past, x])
        self.past = values[-self.most :].copy()
        return [x - values[self.most - lag : len(values) - lag] for lag in range(1, self.most + 1)]


class Count:
    """The number of consecutive steps for which a condition holds, 0 where it does not."""

    def __init__(self) -> None:
        self.held = 0

    def __call__(self, condition: np.ndarray) -> Floats:
        places = np.arange(1, len(condition) + 1)
        broken = np.where(condition, -self.held, places)
        np.maximum.accumulate(broken, out=broken)
        held = np.where(condition, places - broken, 0)
        if len(held):
            self.held = int(held[-1])
        return held.astype(np.float64)


class Sum:
    """The sum so far."""

    def __init__(self) -> None:
        self.total = 0.0

    def __call__(self, x: Floats) -> Floats:
        sums = np.cumsum(np.concatenate([[self.total], x]))
        self.total = float(sums[-1])
        return sums[1:]


class Drug:
    """A drug's concentrations now, and some steps later if the rate stays constant.

    Each mode of the linear system is a filter: x_t = A x_{t-1} + b u_t with A = V diag(l) V^-1.
    """

    def __init__(self, model: Compartments, seconds: float, ahead: int) -> None:
        A, b = model.step(seconds)
        values, vectors = np.linalg.eig(A)
        self.poles, self.vectors = values.real, vectors.real
        self.gains = np.linalg.solve(self.vectors, b)
        self.states = np.zeros(4)
        powers = [np.linalg.matrix_power(A, k) for k in range(ahead + 1)]
        self.later, self.held = powers[ahead], sum(powers[:ahead]) @ b

    def __call__(self, rate: Floats) -> tuple[Floats, Floats]:
        """Return (k, 4) each: plasma, two other compartments, effect site; now and later."""
        from scipy.signal import lfilter

        if not len(rate):
            return np.empty((0, 4)), np.empty((0, 4))
        modes = np.empty((len(rate), 4))
        for i, (pole, gain) in enumerate(zip(self.poles, self.gains, strict=True)):
            modes[:, i], state = lfilter([gain], [1.0, -pole], rate, zi=[self.states[i]])
            self.states[i] = state[0]
        now = np.einsum("ti,ji->tj", modes, self.vectors)  # not BLAS, whose sums hang on the number of rows
        later = np.einsum("ti,ji->tj", now, self.later) + rate[:, None] * self.held
        return np.maximum(now, 0.0), np.maximum(later, 0.0)
