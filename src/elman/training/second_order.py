"""Second order: Levenberg-Marquardt and L-BFGS. An epoch of fit is one step that lowers the loss.

The engine computes the loss, its gradient and the Gauss-Newton matrix; SciPy factorizes, multiplies by the
inverse Hessian and searches along a line. What the optimizer remembers from epoch to epoch is stored in
``model.moments``, in the network's dtype, as for other optimizers. So saved networks, checkpoints and a
second fit continue with the same bits. Derivation: docs/second_order.md.
"""

from __future__ import annotations

import itertools
import warnings
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, Literal, NamedTuple

import numpy as np

from elman import _engine
from elman.data.input_types import SequenceInput
from elman.data.sequences import Array
from elman.errors import ArgumentValueError, DivergenceError
from elman.model.history import History
from elman.model.model import Float64, HasModel, Model
from elman.nn import losses
from elman.nn.optimizers import LBFGS, LevenbergMarquardt, Optimizer

if TYPE_CHECKING:
    from elman.training.plan import Plan, TrainingData

MOST_PARAMETERS = 5000  # the matrix is P x P in float64, its factor costs P^3 / 3
Way = Literal["auto", "tangents", "reverse"]
WAYS: dict[Way, int] = {"auto": 0, "tangents": 1, "reverse": 2}  # the engine's ways to derivatives of answers
_FLOOR = 1e-2  # of diag G, as a part of its largest entry: parameters that do nothing stay where they are
_LEAST_DAMPING = 1e-15
_GAIN = (
    0.15  # of the fall that the model of the loss promises: with less, a step may end where units saturate
)


class Curvature(NamedTuple):
    """The loss near the present parameters.

    ``gradient`` (P,) and ``matrix`` (P, P), the Gauss-Newton matrix, are those of the loss of an update,
    reduced and with l2. The reports follow from ``sums`` (1, 5).
    """

    loss: float
    gradient: Float64
    matrix: Float64
    sums: Float64


def jacobian(net: HasModel, X: SequenceInput, *, way: Way = "auto", n_threads: int | None = None) -> Array:
    """Return the exact derivatives of every output by every parameter.

    Shapes: (n, C, P), or (N, C, P) with one row per step where the output has a time axis. ``way`` is
    "tangents" (forward in time; not with pools), "reverse" (backward), or "auto", the faster of the two.
    TypeError and ValueError as for ``predict``.

    >>> from elman import Network, SimpleRNN
    >>> net = Network([SimpleRNN(2)], input_size=1, seed=0)
    >>> jacobian(net, np.zeros((3, 5, 1))).shape
    (3, 2, 8)
    """
    model = net.model
    if way not in WAYS:
        raise ArgumentValueError("way", f"is {way!r}", f"one of {', '.join(map(repr, WAYS))}")
    batch, data = model.batch(X)
    rows = batch.rows if model.per_step else batch.n
    out = np.empty((rows * model.outputs, len(model.parameters)), model.dtype)
    model.native.jacobian(data, WAYS[way], out, _engine.threads(n_threads))
    return out.reshape(rows, model.outputs, -1)


class Objective:
    """The loss of fit over all the data, as a function of the parameters that may change."""

    def __init__(self, model: Model, plan: Plan) -> None:
        self.model, self.plan = model, plan
        self.read_frozen()
        decays = np.zeros(len(model.parameters))
        for name, offset, shape in model.table:
            if name.endswith("kernel"):
                decays[offset : offset + int(np.prod(shape))] = plan.l2
        self.decay = decays
        self._code = losses.CODES[plan.loss]

    def read_frozen(self) -> None:
        """Read which parameters may change. A callback may freeze some after any epoch."""
        model = self.model
        self._frozen = model.frozen
        self.free = np.concatenate([np.arange(a, b) for a, b in model.trainable()] or [np.arange(0)])
        self._all = len(self.free) == len(model.parameters)
        if isinstance(self.plan.optimizer, LevenbergMarquardt) and len(self.free) > MOST_PARAMETERS:
            raise ValueError(
                f"the network has {len(self.free)} parameters to train, expected at most {MOST_PARAMETERS} "
                f"with LevenbergMarquardt, whose matrix is as large as their square"
            )

    def follow_frozen(self) -> None:
        """Read again which parameters may change, if that is other than it was."""
        if self.model.frozen is not self._frozen:
            self.read_frozen()

    @property
    def parameters(self) -> Array:
        """A copy of the parameters that may change, in the network's dtype."""
        return self.model.parameters.take(self.free)

    def set(self, values: Array) -> None:
        """Set the parameters that may change."""
        if self._all:
            self.model.parameters[:] = values
        else:
            self.model.parameters[self.free] = values

    def _loss(self, sums: Float64) -> float:
        """Return the loss of an update, NaN where there is no answer."""
        loss, weight = float(sums[0]), float(sums[1])
        if not weight > 0.0:
            return float("nan")
        if self.plan.mean:
            loss /= weight
        if self.plan.l2:
            w = self.model.parameters.astype(np.float64)
            loss += 0.5 * float(self.decay @ (w * w))
        return loss

    def sums(self, data: TrainingData) -> Float64:
        """Return the sums that a report of some data is made of, (5,)."""
        model = self.model
        return np.array(
            model.native.evaluate(
                data.data, data.targets, self._code, data.weights, None, self.plan.n_threads
            )
        )

    def loss(self) -> float:
        """Return the loss at the present parameters."""
        return self._loss(self.sums(self.plan.train))

    def gradient(self) -> tuple[float, Float64]:
        """Return the loss at the present parameters, and its gradient by those that may change."""
        plan, train = self.plan, self.plan.train
        flat = np.empty_like(self.model.parameters)
        value = self.model.native.gradient(
            train.data,
            train.targets,
            self._code,
            train.weights,
            plan.mean,
            plan.l2,
            flat,
            plan.n_threads,
            plan.memory,
        )
        return value, flat[self.free].astype(np.float64)

    def curvature(self) -> Curvature:
        """Return the loss, its gradient and the Gauss-Newton matrix, by the parameters that may change."""
        model, plan, train = self.model, self.plan, self.plan.train
        size = len(model.parameters)
        matrix, gradient = np.empty((size, size), model.dtype), np.empty(size, model.dtype)
        sums = np.array(
            model.native.gauss_newton(
                train.data, train.targets, self._code, train.weights, 0, matrix, gradient, plan.n_threads
            )
        )
        G, g = matrix.astype(np.float64, copy=False), gradient.astype(np.float64, copy=False)
        if plan.mean and sums[1] > 0.0:
            G /= sums[1]
            g /= sums[1]
        if plan.l2:
            g += self.decay * model.parameters
            G.flat[:: size + 1] += self.decay
        if not self._all:
            G, g = np.ascontiguousarray(G[np.ix_(self.free, self.free)]), g[self.free]
        return Curvature(self._loss(sums), g, G, sums[None])


class Run:
    """The epochs of one fit: `elman.training.loop.fit` calls `schedule` until ``done`` or ``ended``."""

    def __init__(self, model: Model, plan: Plan, history: History) -> None:
        self.model, self.plan, self.history = model, plan, history
        self.done = history.epoch
        self.ended = False
        self.objective = Objective(model, plan)
        self._step = _step(self.objective, plan.optimizer)

    def schedule(self, wanted: int, bar: Any) -> None:
        """Train ``wanted`` epochs, or until no step lowers the loss any more."""
        self.objective.follow_frozen()
        for _ in range(wanted):
            start = self.objective.parameters
            try:
                sums, lowered = self._step()
            except BaseException as error:  # Ctrl-C too: the trial weights of a step are no result
                self.objective.set(start)
                if isinstance(error, _SpoiledError):
                    self.model.reset_optimizer()
                    raise DivergenceError(self.done, 0) from None
                raise
            self.model.epoch += 1
            self.model.updates += lowered
            validation = None
            if self.plan.validation is not None:
                validation = self.objective.sums(self.plan.validation)[None]
                if validation[0, 1] > 0.0 and not np.isfinite(validation[0, 0]):
                    self.objective.set(start)
                    self.model.epoch -= 1
                    self.model.reset_optimizer()
                    raise DivergenceError(self.done, 0)
            self.history.append(sums, validation)
            self.done += 1
            if bar is not None:
                shown = {key: f"{value:.4g}" for key, value in self.history.last().items()}
                bar.set_postfix(shown, refresh=False)
                bar.update(1)
            if not lowered:
                self.ended = True
                return


def _step(objective: Objective, rule: Optimizer) -> Callable[[], tuple[Float64, bool]]:
    """Return the function that takes one step. It returns the sums before, and whether the loss fell."""
    if isinstance(rule, LevenbergMarquardt):
        return _Marquardt(objective, rule)
    assert isinstance(rule, LBFGS), rule
    return _LimitedMemory(objective, rule)


class _SpoiledError(Exception):
    """The loss is NaN or infinite before a step."""


class _Marquardt:
    """Steps of Levenberg-Marquardt; ``moments[0][0]`` is mu, 0 before the first step."""

    def __init__(self, objective: Objective, rule: LevenbergMarquardt) -> None:
        from scipy.linalg import lapack

        self.objective, self.rule = objective, rule
        self.factorize, self.solve = lapack.dpotrf, lapack.dpotrs

    def __call__(self) -> tuple[Float64, bool]:
        objective, rule = self.objective, self.rule
        memory = objective.model.moments[0]
        mu = float(memory[0]) or rule.damping
        now = objective.curvature()
        if not now.sums[0, 1] > 0.0:
            return now.sums, False  # there is no answer to learn from
        if not (np.isfinite(now.loss) and np.isfinite(now.gradient).all()):
            raise _SpoiledError
        diagonal = np.diagonal(now.matrix).copy()
        top = float(diagonal.max(initial=0.0))
        scale = np.maximum(diagonal, _FLOOR * top)
        start, best = objective.parameters, now.loss
        found: tuple[Array, float] | None = None  # the best point so far, and its mu
        damped = now.matrix
        while top > 0.0 and mu <= rule.damping_limit:
            damped.flat[:: len(damped) + 1] = diagonal + mu * scale
            factor, failed = self.factorize(damped, lower=1, overwrite_a=0, clean=0)
            if not failed:
                step, _ = self.solve(factor, now.gradient, lower=1)
                point = (start - step).astype(start.dtype)
                objective.set(point)
                loss = objective.loss()
                if loss < best:
                    best, found = loss, (point, mu)
                promised = 0.5 * float(step @ (now.gradient + mu * scale * step))
                if loss < now.loss and now.loss - loss >= _GAIN * promised:
                    found = point, mu
                    break
            mu *= rule.increase
        # Where none keeps its promise, the loss falls by no more than rounding: then any fall will do.
        objective.set(start if found is None else found[0])
        if found is not None:
            memory[0] = max(found[1] / rule.decrease, _LEAST_DAMPING)
        return now.sums, found is not None


class _LimitedMemory:
    """Steps of L-BFGS.

    ``moments[0]`` begins with the number of pairs kept. The other arrays are the changes of w, the newest
    last, then those of g. Entries of parameters that were frozen at that step are 0.
    """

    def __init__(self, objective: Objective, rule: LBFGS) -> None:
        self.objective, self.rule = objective, rule

    def __call__(self) -> tuple[Float64, bool]:
        objective, memory = self.objective, self.objective.model.moments
        sums = objective.sums(objective.plan.train)
        if not sums[1] > 0.0:
            return sums[None], False
        value, gradient = objective.gradient()
        if not (np.isfinite(value) and np.isfinite(gradient).all()):
            raise _SpoiledError
        lowered = gradient.any() and self._along(self._direction(gradient), value, gradient)
        if not lowered and memory[0][0] > 0:  # the pairs kept may mislead: try without them
            memory[0][0] = 0
            lowered = self._along(self._direction(gradient), value, gradient)
        return sums[None], bool(lowered)

    def _pairs(self) -> tuple[Float64, Float64]:
        """Return the pairs kept, (k, P) and (k, P) by the parameters that may change.

        Of a pair from before parameters were frozen the rest may have no positive curvature; H needs it.
        """
        head, *rest = self.objective.model.moments
        k, m = int(head[0]), self.rule.memory
        free = self.objective.free
        S = np.array([s[free] for s in rest[m - k : m]], np.float64).reshape(k, len(free))
        Y = np.array([y[free] for y in rest[2 * m - k :]], np.float64).reshape(k, len(free))
        curved = np.einsum("kp,kp->k", S, Y) > 0.0
        return (S, Y) if curved.all() else (S[curved], Y[curved])

    def _direction(self, gradient: Float64) -> Float64:
        S, Y = self._pairs()
        if not len(S):
            return -gradient / max(1.0, float(np.linalg.norm(gradient)))
        from scipy.optimize import LbfgsInvHessProduct

        # H from H_0 = c I and (s, y) is c times H' from the identity and (s, c y)
        c = float(S[-1] @ Y[-1]) / float(Y[-1] @ Y[-1])
        return -c * np.asarray(LbfgsInvHessProduct(S, c * Y) @ gradient)

    def _along(self, direction: Float64, value: float, gradient: Float64) -> bool:
        """Move along a direction to a point that meets the Wolfe conditions; return whether there is one."""
        from scipy.optimize import line_search

        objective, rule = self.objective, self.rule
        start = objective.parameters
        origin = start.astype(np.float64)
        last: dict[str, Any] = {}

        def at(w: Float64) -> tuple[float, Float64]:
            if "w" not in last or not np.array_equal(last["w"], w):
                objective.set(w.astype(start.dtype))
                loss, g = objective.gradient()
                if not np.isfinite(loss):
                    loss, g = np.inf, np.zeros_like(g)
                last.update(w=w.copy(), value=loss, gradient=g)
            return last["value"], last["gradient"]

        # With the loss before as f(0) - a slope, the first trial is a = 1.
        slope = float(gradient @ direction)
        if not slope < 0.0:
            return False
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # it warns where it finds nothing, and returns None too
            found = line_search(
                lambda w: at(w)[0],
                lambda w: at(w)[1],
                origin,
                direction,
                gradient,
                value,
                value - 0.5 * slope,
                maxiter=rule.line_search,
            )
        length = found[0]
        if length is None or not length > 0.0:
            objective.set(start)
            return False
        after, g = at(origin + length * direction)
        if not after < value:
            objective.set(start)
            return False
        objective.set((origin + length * direction).astype(start.dtype))
        self._remember(objective.parameters.astype(np.float64) - origin, g - gradient)
        return True

    def _remember(self, s: Float64, y: Float64) -> None:
        if not float(s @ y) > 1e-10 * float(np.linalg.norm(s) * np.linalg.norm(y)):
            return
        head, *rest = self.objective.model.moments
        m, free = self.rule.memory, self.objective.free
        for part, new in ((rest[:m], s), (rest[m:], y)):
            for older, newer in itertools.pairwise(part):
                older[:] = newer
            part[-1][:] = 0.0
            part[-1][free] = new
        head[0] = min(float(head[0]) + 1, m)
