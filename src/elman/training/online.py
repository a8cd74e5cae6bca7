"""Online learning: one step of one sequence at a time, an update after each answer.

Derivation: docs/online.md.
"""

from __future__ import annotations

import math
import os
from typing import Any, Literal, get_args

import numpy as np
from numpy.typing import ArrayLike

from elman._validation import choice, describe, integer, number, refuse_mask
from elman.data.alignment import aligned_rows
from elman.data.sequences import Array
from elman.errors import ArgumentTypeError, ArgumentValueError, NonFiniteError
from elman.model import file
from elman.nn import losses, optimizers
from elman.nn.layers import LSTM, POOLS, RECURRENT
from elman.nn.optimizers import check_first_order, rate_at
from elman.training.plan import check_rows_may_be_cut

Rule = Literal["bptt", "rtrl"]
RULES: tuple[Rule, ...] = get_args(Rule)
_MOST_STEPS = 2**20  # that bptt can go back through


class Learner:
    """A network that learns while its sequence goes on: `elman.Network.online` makes it.

    Each `step` returns the network's output after one more input. If the answer is given, it then updates
    the weights with the gradient of the loss of this step. Rule "bptt" propagates that loss back through the
    last ``truncation`` steps, with the states as they were then. Rule "rtrl" carries the derivatives of all
    states with respect to all parameters forward; its gradient is exact as long as the weights do not change.
    The learner has its own state; the weights are those of the network.

    Attributes
    ----------
    network : Network
    rule, truncation, loss : str, int or None, str

    References: R. J. Williams and D. Zipser (1989), A learning algorithm for continually running fully
    recurrent neural networks, Neural Computation 1(2), 270-280 (rtrl); R. J. Williams and J. Peng (1990), An
    efficient gradient-based algorithm for on-line training of recurrent network trajectories, Neural
    Computation 2(4), 490-501 (bptt).

    >>> from elman import SGD, Dense, Network, SimpleRNN
    >>> net = Network([SimpleRNN(4), Dense(1)], input_size=2, seed=0)
    >>> learner = net.online(SGD(0.1), rule="rtrl")
    >>> learner.step([0.5, -1.0], 1.0).shape, learner.gradient.shape
    ((1,), (33,))
    """

    def __init__(
        self, network: Any, optimizer: Any, rule: Any, truncation: Any, loss: Any, clip_norm: Any
    ) -> None:
        model = network.model
        self.rule = choice("rule", rule, RULES)
        self.truncation: int | None = None
        if self.rule == "bptt":
            self.truncation = 10 if truncation is None else integer("truncation", truncation, 1, _MOST_STEPS)
        elif truncation is not None:
            raise ArgumentValueError(
                "truncation", f"is {describe(truncation)}", "None with rule 'rtrl', which never goes back"
            )
        for i, layer in enumerate(model.layers):
            if isinstance(layer, POOLS):
                raise ArgumentValueError(
                    f"layers[{i}]",
                    f"is a {type(layer).__name__}",
                    "a network without pools: their gradient reaches back to the first step",
                )
        check_rows_may_be_cut(model, "rule", self.rule)
        if model.drops or model.constraints:
            what = "dropout" if model.drops else "constraints"
            raise ValueError(f"the network has {what}, expected none: a learner knows nothing of them")
        self.loss = losses.check_loss(loss, model.layers[-1])
        self._optimizer = check_first_order(optimizer)
        self._clip = 0.0 if clip_norm is None else number("clip_norm", clip_norm, positive=True)
        rate_at(self._optimizer, 0)
        self.network = network
        self._stepping = model.lock.writing("learner.step")
        self._native = model.native.online(
            RULES.index(self.rule), self.truncation or 1, losses.CODES[self.loss]
        )
        self._inputs, self._outputs = (model.input_size,), (model.outputs,)
        self._symbols = model.symbols
        self._dtype = model.dtype
        self._nothing = np.zeros(model.outputs, model.dtype)
        self._in_use: Any = None

    def step(self, x: ArrayLike, y: ArrayLike | None = None) -> Array:
        """Return the output (C,) after the step x (F,), with the weights before the update, and learn from y.

        ``x`` is an integer where the network begins with an Embedding.

        ``y`` is a class index or probabilities (C,) for cross_entropy, otherwise values (C,), or a number if
        C is 1. None, -1 or NaN is no answer: only the state advances (single values of squared_error and
        binary_cross_entropy may be NaN). Errors: TypeError and ValueError for a wrong shape, type or value, a
        NaN in x included; nothing has changed then. RuntimeError where loss or gradient is not finite, or
        ValueError where there is no answer and the output is not finite: the state has advanced, the weights
        have not changed.

        >>> from elman import SGD, Dense, Network, SimpleRNN
        >>> net = Network([SimpleRNN(4), Dense(3, "softmax")], input_size=2, seed=0)
        >>> net.online(SGD(0.1)).step([0.5, -1.0], 2).shape
        (3,)
        """
        model = self.network.model
        given = self._symbol(x) if self._symbols else self._input(x)
        index, values = (-1, None) if y is None else self._answer(y)
        out = np.empty(self._outputs, self._dtype)
        with self._stepping:
            if values is None and index < 0:
                if not self._advance(given, x, out):
                    raise NonFiniteError(
                        "x", "led to an output that is not finite", "finite numbers; reset() begins anew"
                    )
                return out
            self._take_up()
            rate = rate_at(self._optimizer, model.updates)
            self._advance(given, x, out)
            status = self._native.learn(
                index, self._nothing if values is None else values, rate, model.updates
            )
        if status == 0:
            model.updates += 1
        elif status == 2:
            raise RuntimeError(
                "the loss of this step, or its gradient, is NaN or infinite; the weights have not changed. A "
                "smaller learning rate or clip_norm may help"
            )
        return out

    @property
    def gradient(self) -> Array:
        """The gradient (P,) of the last step's loss, at the weights before its update.

        It is 0 where the step had no answer.
        """
        out: Array = np.empty_like(self.network.model.parameters)
        self._native.gradient(out)
        return out

    def reset(self) -> None:
        """Begin a new sequence: state zero, and nothing remembered."""
        self._native.reset()

    @property
    def state(self) -> list[Any]:
        """A copy of the states, one entry per recurrent layer: (H,), for an LSTM the pair (h, c).

        Set it in the same form, with finite numbers. The steps before are forgotten then, as by `reset`.
        """
        outs = [np.empty(size, self.network.dtype) for size in self.network.model.native.state_sizes]
        self._native.get_states(outs)
        pairs = [isinstance(layer, LSTM) for layer in self.network.layers if isinstance(layer, RECURRENT)]
        return [tuple(np.split(s, 2)) if pair else s for s, pair in zip(outs, pairs, strict=True)]

    @state.setter
    def state(self, value: Any) -> None:
        sizes = self.network.model.native.state_sizes
        if not isinstance(value, (list, tuple)) or len(value) != len(sizes):
            raise ArgumentValueError(
                "state", f"is {describe(value)}", f"a list of {len(sizes)} entries, one a recurrent layer"
            )
        flat = []
        for i, (given, size) in enumerate(zip(value, sizes, strict=True)):
            pair = isinstance(given, tuple)
            array = np.concatenate([np.asarray(g) for g in given]) if pair else np.asarray(given)
            numbers = array.shape == (size,) and array.dtype.kind in "fiu"
            if not numbers or not np.isfinite(made := self._cast(array)).all():
                raise ArgumentValueError(
                    f"state[{i}]", f"is {describe(given)}", f"{size} numbers that are finite in {self._dtype}"
                )
            flat.append(made)
        self._native.set_states(flat)

    def save(self, path: str | os.PathLike[str]) -> None:
        """Write network, optimizer, state and memory into one file.

        The learner that `elman.load` returns continues with the same bits.

        Errors: OSError where it cannot be written; TypeError for a learning rate that is a user's function.
        """
        model = self.network.model
        if optimizers.to_dict(self._optimizer) is None:
            raise TypeError(
                "the learning rate is a function, expected a number, CosineDecay or OneCycle to be saved"
            )
        with model.lock.writing("learner.save"):
            self._take_up()
            network, arrays = file.pack(model)
            steps = self._native.remembered
            memory = np.empty(self._native.memory_size(steps), model.dtype)
            self._native.save(memory)
        spec = {
            "kind": "learner",
            "network": network,
            "rule": self.rule,
            "truncation": self.truncation,
            "loss": self.loss,
            "clip_norm": self._clip or None,
            "steps": steps,
        }
        file.write(path, spec, arrays | {"memory": memory})

    def restore(self, steps: int, memory: Array) -> None:
        """Set the state, and the last ``steps`` steps, from the array ``memory`` of a saved learner.

        Errors: ValueError for an array of another size or dtype.
        """
        shape, dtype = (self._native.memory_size(steps),), self._dtype
        if memory.shape != shape or memory.dtype != dtype:
            came = f"{memory.dtype} of shape {memory.shape}"
            raise ArgumentValueError("memory", f"is {came}", f"{dtype} of shape {shape}")
        self._native.load(steps, memory)

    def __repr__(self) -> str:
        return (
            f"Learner({self.network!r}, {self._optimizer}, rule={self.rule!r}, truncation={self.truncation}, "
            f"loss={self.loss!r})"
        )

    def _take_up(self) -> None:
        """Let the engine use the optimizer state of the network as it is now: fit may have changed it."""
        model = self.network.model
        if model.optimizer is not self._optimizer:
            model.begin(self._optimizer)
            self._optimizer = check_first_order(model.optimizer)  # an equal one: `is` holds next time
            self._in_use = None
        key = (model.moments, model.frozen)
        if self._in_use is None or self._in_use[0] is not key[0] or self._in_use[1] is not key[1]:
            self._native.use(self._optimizer.code, model.moments, model.trainable(), self._clip)
            self._in_use = key

    def _input(self, x: Any) -> Array:
        if type(x) is not np.ndarray:
            x = aligned_rows(x, self.network.model.features, "x", one=True)
        given = np.asarray(x)
        if given.dtype.kind not in "fiub":
            raise ArgumentTypeError("x", f"has dtype {given.dtype}", "real numbers")
        if given.shape != self._inputs:
            raise ArgumentValueError(
                "x", f"has shape {given.shape}", f"{self._inputs} (the network's input_size)"
            )
        return self._cast(given)

    def _cast(self, given: Array) -> Array:
        dtype = self._dtype
        if given.dtype == dtype:
            return np.ascontiguousarray(given)
        with np.errstate(over="ignore"):
            return np.ascontiguousarray(given, dtype)

    def _symbol(self, x: Any) -> int:
        given = np.asarray(x)
        if given.dtype.kind not in "iu":
            raise ArgumentTypeError(
                "x", f"has dtype {given.dtype}", "an integer (the network begins with an Embedding)"
            )
        if given.size != 1 or given.ndim > 1:
            raise ArgumentValueError("x", f"has shape {given.shape}", "an integer")
        symbol = int(given.item())
        if not 0 <= symbol < self._symbols:
            raise ArgumentValueError("x", f"is {symbol}", f"0..{self._symbols - 1} (the Embedding's n)")
        return symbol

    def _advance(self, flat: Array | int, given: Any, out: Array) -> bool:
        """Take one step, and return whether its output is finite."""
        if isinstance(flat, int):
            return bool(self._native.step_symbol(flat, out) == -1)
        bad: int = self._native.step(flat, out)
        if bad >= 0:
            came = np.asarray(given)[bad]
            raise ArgumentValueError(f"x[{bad}]", f"is {came}", f"a number that is finite in {flat.dtype}")
        return bad == -1

    def _answer(self, y: Any) -> tuple[int, Array | None]:
        """Return a class, or -1 and values; -1 and None is no answer."""
        C = self._outputs[0]
        refuse_mask("y", y)
        given = np.asarray(y)
        if given.dtype.kind not in "fiu":
            raise ArgumentTypeError("y", f"is {describe(y)}", "numbers")
        if self.loss == "cross_entropy" and given.ndim == 0:
            if given.dtype.kind == "f":
                if np.isnan(given):
                    return -1, None
                raise ArgumentTypeError("y", f"is {describe(y)}", f"a class index, or {C} probabilities")
            index = int(given)
            if not -1 <= index < C:
                raise ArgumentValueError(
                    "y", f"is {index}", f"a class from 0 to {C - 1}, or -1 for no answer"
                )
            return index, None
        if given.ndim == 0 and C == 1:
            given = given[None]
        if given.shape != self._outputs:
            raise ArgumentValueError(
                "y", f"has shape {given.shape}", f"{self._outputs} (the network's outputs)"
            )
        values = self._cast(given)
        if self.loss == "squared_error" and math.isfinite(values.sum()):
            return -1, values
        known = values[~np.isnan(values)]
        if not len(known):
            return -1, None
        wrong = ""
        if self.loss == "squared_error":
            wrong = "" if np.isfinite(known).all() else "finite numbers, or NaN for no answer"
        elif ((known < 0.0) | (known > 1.0)).any():
            wrong = "numbers from 0 to 1, or NaN for no answer"
        elif self.loss == "cross_entropy" and (len(known) < C or not abs(float(known.sum()) - 1.0) <= 1e-4):
            wrong = "probabilities that sum to 1, or NaN alone for no answer"
        if wrong:
            raise ArgumentValueError("y", f"is {describe(y)}", wrong)
        return -1, values


def unpack(network: Any, spec: dict[str, Any], arrays: dict[str, Array], name: str) -> Learner:
    """Return the learner of a file, with its network; ValueError where they do not fit each other."""
    model = network.model
    try:
        if model.optimizer is None:
            raise ValueError("it has no optimizer")
        learner = Learner(
            network, model.optimizer, spec["rule"], spec["truncation"], spec["loss"], spec["clip_norm"]
        )
        steps = integer("steps", spec["steps"], 0, _MOST_STEPS)
        memory = arrays["memory"]
        if (learner.truncation or 1) <= steps:
            raise ArgumentValueError("steps", f"is {steps}", "less than the truncation")
        learner.restore(steps, memory)
    except (KeyError, TypeError, ValueError) as error:
        raise ValueError(f"{name} holds no learner that can be read: {file.reason(error)}") from None
    return learner
