"""Optimizers: frozen descriptions, formulas as PyTorch's (epsilon outside the root).

g is the gradient after reduction, l2 and clipping; w the parameters; u the update, counted from 0.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, ClassVar, Literal

from elman._validation import choice, describe, flag, integer, normalize, number
from elman.errors import ArgumentTypeError, ArgumentValueError
from elman.nn.schedules import CosineDecay, OneCycle

__all__ = [
    "LBFGS",
    "SGD",
    "Adam",
    "AdamW",
    "CosineDecay",
    "LevenbergMarquardt",
    "OneCycle",
    "RMSprop",
]

LearningRate = float | Callable[[int], float]
Code = tuple[int, float, float, float, float, bool]  # kind, a, b, epsilon, weight decay, nesterov


class Optimizer:
    """What every optimizer says about itself. No ABC: isinstance with one is slow, and steps ask it."""

    name: ClassVar[str]  # as in fit(optimizer="adam") and in files

    @property
    def moments(self) -> int:
        """The number of arrays of the size of the parameters, (P,), that the optimizer keeps."""
        raise NotImplementedError


class FirstOrder(Optimizer):
    """An optimizer that the engine runs: one update per minibatch, from its gradient."""

    learning_rate: LearningRate

    @property
    def code(self) -> Code:
        """The optimizer as the engine reads it."""
        raise NotImplementedError


class SecondOrder(Optimizer):
    """An optimizer that takes one step per epoch, over all the data (see `elman.second_order`)."""


@dataclass(frozen=True)
class SGD(FirstOrder):
    """Stochastic gradient descent: v = momentum v + g; w = w - rate v (nesterov: w - rate (g + momentum v)).

    ``learning_rate`` is a number of at least 0 or a callable update -> rate; ``momentum`` lies in [0, 1).
    ValueError and TypeError name the argument.

    >>> SGD(0.1, momentum=0.9)
    SGD(learning_rate=0.1, momentum=0.9, nesterov=False)
    """

    name: ClassVar[str] = "sgd"

    learning_rate: LearningRate = 0.01
    momentum: float = 0.0
    nesterov: bool = False

    def __post_init__(self) -> None:
        normalize(
            self,
            learning_rate=_rate(self.learning_rate),
            momentum=number("momentum", self.momentum, below=1.0),
            nesterov=flag("nesterov", self.nesterov),
        )
        if self.nesterov and self.momentum == 0.0:
            raise ArgumentValueError("nesterov", "is True with momentum 0.0", "a momentum above 0")

    @property
    def moments(self) -> int:
        return 1 if self.momentum else 0

    @property
    def code(self) -> Code:
        return (0, self.momentum, 0.0, 0.0, 0.0, self.nesterov)


@dataclass(frozen=True)
class RMSprop(FirstOrder):
    """RMSprop: s = rho s + (1 - rho) g^2; w = w - rate g / (sqrt(s) + epsilon).

    ``learning_rate`` is a number of at least 0 or a callable update -> rate; ``rho`` lies in [0, 1).
    ValueError and TypeError name the argument. Reference: T. Tieleman and G. Hinton (2012), Coursera lecture
    6e.

    >>> RMSprop().rho
    0.9
    """

    name: ClassVar[str] = "rmsprop"
    moments: ClassVar[int] = 1

    learning_rate: LearningRate = 0.001
    rho: float = 0.9
    epsilon: float = 1e-8

    def __post_init__(self) -> None:
        normalize(
            self,
            learning_rate=_rate(self.learning_rate),
            rho=number("rho", self.rho, below=1.0),
            epsilon=number("epsilon", self.epsilon, positive=True),
        )

    @property
    def code(self) -> Code:
        return (1, self.rho, 0.0, self.epsilon, 0.0, False)


@dataclass(frozen=True)
class Adam(FirstOrder):
    """Adam: m = b1 m + (1 - b1) g; s = b2 s + (1 - b2) g^2; w = w - rate m' / (sqrt(s') + epsilon).

    m' = m / (1 - b1^(u+1)) and s' = s / (1 - b2^(u+1)). ``learning_rate`` is a number of at least 0 or a
    callable update -> rate; both betas lie in [0, 1). ValueError and TypeError name the argument.

    Reference: D. P. Kingma and J. Ba (2015), arXiv:1412.6980.

    >>> Adam(0.01)
    Adam(learning_rate=0.01, beta_1=0.9, beta_2=0.999, epsilon=1e-08)
    """

    name: ClassVar[str] = "adam"
    moments: ClassVar[int] = 2

    learning_rate: LearningRate = 0.001
    beta_1: float = 0.9
    beta_2: float = 0.999
    epsilon: float = 1e-8

    def __post_init__(self) -> None:
        normalize(
            self,
            learning_rate=_rate(self.learning_rate),
            beta_1=number("beta_1", self.beta_1, below=1.0),
            beta_2=number("beta_2", self.beta_2, below=1.0),
            epsilon=number("epsilon", self.epsilon, positive=True),
        )

    @property
    def code(self) -> Code:
        return (2, self.beta_1, self.beta_2, self.epsilon, 0.0, False)


@dataclass(frozen=True)
class AdamW(Adam):
    """Adam with decoupled weight decay: w = w - rate weight_decay w before Adam's step, all parameters.

    As `Adam`, and ``weight_decay`` of at least 0. Reference: I. Loshchilov and F. Hutter (2019),
    arXiv:1711.05101.

    >>> AdamW(weight_decay=0.1).weight_decay
    0.1
    """

    name: ClassVar[str] = "adamw"

    weight_decay: float = 0.01

    def __post_init__(self) -> None:
        super().__post_init__()
        normalize(self, weight_decay=number("weight_decay", self.weight_decay))

    @property
    def code(self) -> Code:
        return (3, self.beta_1, self.beta_2, self.epsilon, self.weight_decay, False)


@dataclass(frozen=True)
class LevenbergMarquardt(SecondOrder):
    """Levenberg-Marquardt: (G + mu diag G) d = -g; w = w + d, where G = sum of J' W J is Gauss and Newton's.

    J (C, P) are the exact derivatives of an answer's outputs (through a softmax or sigmoid of the loss: of
    the sums before it) by all parameters, W (C, C) the loss's second derivative by those, g the gradient. An
    epoch of fit is one step that lowers the loss: while it does not, mu is multiplied by ``increase``; then
    it is divided by ``decrease``. The run ends where no mu up to ``damping_limit`` helps. Full batch, and at
    most about 3,000 parameters. ``damping`` above 0 is the first mu; ``increase`` and ``decrease`` are above
    1. ValueError and TypeError name the argument.

    References: D. W. Marquardt (1963), An algorithm for least-squares estimation of nonlinear parameters,
    SIAM Journal 11(2), 431-441; N. N. Schraudolph (2002), Neural Computation 14(7), 1723-1738, for other
    losses than squares.

    >>> LevenbergMarquardt().damping
    0.01
    """

    name: ClassVar[str] = "lm"
    moments: ClassVar[int] = 1

    damping: float = 1e-2
    increase: float = 3.0
    decrease: float = 5.0
    damping_limit: float = 1e12

    def __post_init__(self) -> None:
        normalize(
            self,
            damping=number("damping", self.damping, positive=True),
            increase=_above_one("increase", self.increase),
            decrease=_above_one("decrease", self.decrease),
            damping_limit=number("damping_limit", self.damping_limit, positive=True),
        )
        if self.damping > self.damping_limit:
            raise ArgumentValueError(
                "damping", f"is {self.damping:g}", f"at most damping_limit, {self.damping_limit:g}"
            )


@dataclass(frozen=True)
class LBFGS(SecondOrder):
    """L-BFGS: w = w - a H g, with H from the last ``memory`` changes of w and g.

    H is SciPy's two-loop product over those pairs, scaled by s'y / y'y of the newest; a comes from SciPy's
    line search and meets the strong Wolfe conditions. An epoch of fit is one such step; the run ends where
    no step along -g lowers the loss. Full batch. ``memory`` is at least 1, ``line_search`` the most trials
    a step. ValueError and TypeError name the argument.

    Reference: J. Nocedal and S. J. Wright (2006), Numerical Optimization, algorithms 3.5 and 7.5.

    >>> LBFGS().memory
    10
    """

    name: ClassVar[str] = "lbfgs"

    memory: int = 10
    line_search: int = 20

    def __post_init__(self) -> None:
        normalize(
            self,
            memory=integer("memory", self.memory, 1, 1000),
            line_search=integer("line_search", self.line_search, 1, 1000),
        )

    @property
    def moments(self) -> int:
        return 2 * self.memory + 1


FirstOrderName = Literal["sgd", "rmsprop", "adam", "adamw"]
OptimizerName = Literal[FirstOrderName, "lm", "lbfgs"]  # the names of `KINDS`
KINDS: dict[str, type[Optimizer]] = {
    kind.name: kind for kind in (SGD, RMSprop, Adam, AdamW, LevenbergMarquardt, LBFGS)
}
_SCHEDULES = {kind.__name__: kind for kind in (CosineDecay, OneCycle)}


def _rate(value: Any) -> LearningRate:
    return value if callable(value) else number("learning_rate", value)


def _above_one(name: str, value: Any) -> float:
    checked = number(name, value)
    if checked <= 1.0:
        raise ArgumentValueError(name, f"is {checked}", "a number above 1")
    return checked


def check_optimizer(optimizer: Any) -> Optimizer:
    """Return the optimizer that a name or an object means.

    >>> check_optimizer("sgd")
    SGD(learning_rate=0.01, momentum=0.0, nesterov=False)
    """
    if isinstance(optimizer, str):
        return KINDS[choice("optimizer", optimizer, tuple(KINDS))]()
    if not isinstance(optimizer, Optimizer):
        raise ArgumentTypeError(
            "optimizer",
            f"is {describe(optimizer)}",
            f"a name ({', '.join(KINDS)}) or one of SGD, RMSprop, Adam, AdamW, LevenbergMarquardt, LBFGS",
        )
    return optimizer


def check_first_order(optimizer: Any) -> FirstOrder:
    """Return the optimizer that was given by name or as an object, if it is one of first order.

    >>> check_first_order("lbfgs")
    Traceback (most recent call last):
    ...
    elman.errors.ArgumentValueError: optimizer is LBFGS(memory=10, line_search=20), expected one of
    SGD, RMSprop, Adam, AdamW
    """
    checked = check_optimizer(optimizer)
    if not isinstance(checked, FirstOrder):
        raise ArgumentValueError("optimizer", f"is {checked}", "one of SGD, RMSprop, Adam, AdamW")
    return checked


def rate_at(optimizer: Optimizer, update: int) -> float:
    """Return the learning rate of an update, checked: a callable may give anything.

    >>> rate_at(SGD(lambda u: -1.0), 7)
    Traceback (most recent call last):
    ...
    elman.errors.ArgumentValueError: learning_rate(7) is -1.0, expected a finite number of at least 0
    """
    if not isinstance(optimizer, FirstOrder):
        return 1.0
    rate = optimizer.learning_rate
    if callable(rate):
        return number(f"learning_rate({update})", rate(update))
    return rate


def to_dict(optimizer: Optimizer) -> dict[str, Any] | None:
    """Return an optimizer as plain values, for JSON; None where its learning rate is a user's function.

    >>> to_dict(SGD(CosineDecay(0.1, 5)))["learning_rate"]
    {'schedule': 'CosineDecay', 'rate': 0.1, 'updates': 5}
    """
    values = arguments(optimizer)
    rate = values.get("learning_rate")
    if callable(rate):
        if not isinstance(rate, (CosineDecay, OneCycle)):
            return None
        values["learning_rate"] = {"schedule": type(rate).__name__, **dataclasses.asdict(rate)}
    return {"optimizer": optimizer.name, **values}


def arguments(optimizer: Optimizer) -> dict[str, Any]:
    """Return the arguments of an optimizer by name.

    >>> arguments(LBFGS())
    {'memory': 10, 'line_search': 20}
    """
    return dict(vars(optimizer))


def from_dict(values: dict[str, Any]) -> Optimizer:
    """Return the optimizer that `to_dict` described.

    >>> from_dict({"optimizer": "sgd", "learning_rate": 0.5})
    SGD(learning_rate=0.5, momentum=0.0, nesterov=False)
    """
    rest = dict(values)
    kind = KINDS[choice("optimizer", rest.pop("optimizer", None), tuple(KINDS))]
    rate = rest.get("learning_rate")
    if isinstance(rate, dict):
        rate = dict(rate)
        schedule = _SCHEDULES[choice("schedule", rate.pop("schedule", None), tuple(_SCHEDULES))]
        rest["learning_rate"] = schedule(**rate)
    return kind(**rest)
