"""The gradient check: every derivative against four-point differences of the loss, in float64.

d(e) = (L(w + e) - L(w - e)) / (2 e); expected = (4 d(e/2) - d(e)) / 3, whose error falls with e^4.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from itertools import pairwise
from typing import Any

import numpy as np

from elman import _engine
from elman._validation import describe, integer, number
from elman.data.input_types import SequenceInput, TargetInput
from elman.data.sequences import Array
from elman.data.targets import as_answers
from elman.errors import ArgumentTypeError, ArgumentValueError
from elman.model.memory import AUTO
from elman.model.model import HasModel, Model
from elman.nn import losses
from elman.nn.layers import Dense, Layer, MaxPool, SimpleRNN

_OK = 1e-6  # the largest relative error that passes; right gradients stay below 1e-7, wrong ones far above
_SKIPPED = 0.05  # the largest share of entries that may lie at a kink
_SUSPICIOUS = 1e-8  # entries that agree better than this are not asked whether they lie at a kink

_UNSEEN = 1e-11  # of the largest derivative: what rounding of the loss may hide
_DOUBLINGS = 8  # of the step, up and down, where epsilon does not suit the loss
_LARGEST = 1e100  # of a step, so that no loss overflows
_EPS = float(np.finfo(np.float64).eps)

Loss = Callable[[], float]
Index = tuple[int, ...]


@dataclass(frozen=True, slots=True)
class Row:
    """One parameter entry: name, index, the difference quotient (expected) and the gradient (actual)."""

    name: str
    index: Index
    expected: float
    actual: float
    relative_error: float

    def __iter__(self) -> Iterator[Any]:
        """Unpack as (name, index, expected, actual)."""
        return iter((self.name, self.index, self.expected, self.actual))

    def __str__(self) -> str:
        place = ",".join(map(str, self.index))
        return f"{self.name}[{place}]: expected {self.expected:.6f} actual {self.actual:.6f}"


@dataclass(frozen=True)
class GradientReport:
    """What `check_gradient` found; its ``str`` has a line for each entry.

    ``rows`` are the compared entries, ``skipped`` the (name, index) of those at a kink.
    """

    rows: list[Row] = field(repr=False)
    skipped: list[tuple[str, Index]] = field(repr=False)
    max_relative_error: float
    ok: bool

    def __str__(self) -> str:
        lines = [str(row) for row in self.rows]
        lines += [f"{name}[{','.join(map(str, index))}]: skipped, a kink" for name, index in self.skipped]
        verdict = "ok" if self.ok else "NOT ok"
        lines.append(
            f"{verdict}: {len(self.rows)} entries compared, {len(self.skipped)} skipped, "
            f"largest relative error {self.max_relative_error:.2e}"
        )
        return "\n".join(lines)


def check_gradient(
    net: HasModel,
    X: SequenceInput,
    y: TargetInput | None = None,
    *,
    loss: losses.Loss | None = None,
    epsilon: float = 1e-4,
    max_entries: int = 2000,
    seed: int | None = None,
) -> GradientReport:
    """Compare every derivative with the four-point difference (4 d(e/2) - d(e)) / 3, in float64.

    Shapes: X and y as for fit; with ``y=None`` the loss is the sum of the outputs of the last step. The
    relative error of an entry is |expected - actual| / max(|expected|, |actual|, 1e-3 times the largest
    |entry| of that parameter). An entry that is off by more than 1e-8 is measured again over smaller and
    larger steps, since rounding of the loss may drown epsilon; the gradient has no say in which step is kept.
    Where a relu or a max has a kink within the difference the entry is skipped; with more than 5 % skipped
    the report is not ok. More than ``max_entries`` parameters are sampled. A ``seed`` decides which, and
    switches dropout on, with masks that follow from it; None leaves it off. The network does not change.

    Errors: as fit, for X, y and loss; ValueError for an epsilon that is not above 0, or so small that a
    weight does not change by it, and for a loss that is not finite.

    >>> import elman
    >>> net = elman.Network([elman.SimpleRNN(3)], input_size=2, seed=0)
    >>> elman.check_gradient(net, np.ones((1, 4, 2))).ok
    True
    """
    if not isinstance(getattr(net, "model", None), Model):
        raise ArgumentTypeError("net", f"is {describe(net)}", "an elman.Network")
    number("epsilon", epsilon, positive=True)
    integer("max_entries", max_entries, 1)
    rng = np.random.default_rng(0 if seed is None else integer("seed", seed, maximum=math.inf))
    if y is None and loss is not None:
        raise ArgumentValueError(
            "loss", f"is {loss!r} without y", "y too (without it the loss is the outputs' sum)"
        )
    twin = _twin(net.model)
    measure, actual = _output_sum(twin, X, seed) if y is None else _mean_loss(twin, X, y, loss, seed)
    total = len(actual)
    if not math.isfinite(measure()):
        raise ValueError(
            "the loss or the sum of the outputs is not finite for this X: the states may have grown too large"
        )
    entries = (
        np.arange(total) if total <= max_entries else np.sort(rng.choice(total, max_entries, replace=False))
    )
    return _report(twin, actual, entries.tolist(), _Probe(measure, twin.parameters, epsilon))


def _twin(model: Model) -> Model:
    """Return the same network in float64."""
    with model.lock.reading():
        twin = Model(model.layers, model.input_size, "float64", model.seed)
        twin.parameters[:] = model.parameters
    return twin


def _mean_loss(model: Model, X: Any, y: Any, loss: str | None, seed: int | None) -> tuple[Loss, Array]:
    """Return what measures the mean loss of the answers, and its gradient (P,)."""
    name = losses.check_loss(loss, model.layers[-1])
    batch, data = model.batch(X)
    targets = _engine.targets(as_answers(y, batch, model.outputs, model.per_step, name, model.dtype))
    code, native = losses.CODES[name], model.native
    gradient = np.empty_like(model.parameters)
    n_threads = _engine.threads(None)
    dropout = model.dropout(seed)
    native.gradient(data, targets, code, None, True, 0.0, gradient, n_threads, AUTO, None, dropout)

    def measure() -> float:
        sums = native.evaluate(data, targets, code, None, None, n_threads, None, dropout)
        return sums[0] / sums[1] if sums[1] else 0.0

    return measure, gradient


def _output_sum(model: Model, X: Any, seed: int | None) -> tuple[Loss, Array]:
    """Return what measures the sum of the outputs of each sequence's last step, and its gradient (P,)."""
    batch, data = model.batch(X)
    n_threads = _engine.threads(None)
    out = model.new_outputs(batch)
    last = batch.offsets[1:] - 1 if model.per_step else np.arange(batch.n)
    cotangent = np.zeros_like(out)
    cotangent[last] = 1.0
    gradient = np.empty_like(model.parameters)
    d_inputs = model.new_cotangents(batch)
    d_initial = [np.empty((batch.n, size), model.dtype) for size in model.native.state_sizes]
    dropout = model.dropout(seed)
    tape = model.native.record(data, n_threads, None, dropout)
    tape.backward(cotangent, gradient, d_inputs, d_initial, n_threads)

    def measure() -> float:
        model.native.predict(data, out, n_threads, None, dropout)
        if not np.isfinite(out[last]).all():
            return math.nan
        return math.fsum(out[last].ravel())  # exact, so that the differences keep their digits

    return measure, gradient


@dataclass(frozen=True, slots=True)
class _Quotient:
    """Differences at one entry."""

    expected: float
    kink: float  # how far d(e) and d(e/2), or the two sides, are from what a smooth loss would give
    noise: float  # rounding of the losses, seen through the quotient


@dataclass(frozen=True, slots=True)
class _Probe:
    """The loss as a function of one parameter at a time."""

    measure: Loss
    parameters: Array
    epsilon: float

    def at(self, i: int, offset: float) -> tuple[float, float]:
        """Return (w, L(w)) for w = parameter i + offset, as rounded."""
        middle = self.parameters[i]
        self.parameters[i] = middle + offset
        try:
            return float(self.parameters[i]), self.measure()
        finally:
            self.parameters[i] = middle

    def moves(self, i: int, e: float) -> bool:
        """Whether parameter i changes when e/2 is added, and stays finite."""
        w = float(self.parameters[i])
        return w - e / 2.0 != w + e / 2.0 and e < _LARGEST

    def quotient(self, i: int) -> _Quotient:
        """Return the four-point difference with e = epsilon, and what it says about kinks."""
        e = self.epsilon
        if not self.moves(i, e):
            raise ArgumentValueError(
                "epsilon",
                f"is {e:g}",
                f"a number below {_LARGEST:g} that changes the weight {self.parameters[i]:g} noticeably",
            )
        (w_4, high), (w_1, low) = self.at(i, e), self.at(i, -e)
        (w_3, half_high), (w_2, half_low) = self.at(i, e / 2.0), self.at(i, -e / 2.0)
        center = self.measure()
        wide = (high - low) / (w_4 - w_1)
        narrow = (half_high - half_low) / (w_3 - w_2)
        bend = (high - 2.0 * center + low) / e
        half_bend = (half_high - 2.0 * center + half_low) / (e / 2.0)
        noise = 8.0 * _EPS * max(abs(high), abs(low)) / e
        # a smooth loss has wide = narrow and bend = 2 half_bend; a kink breaks at least one of the two
        kink = abs(wide - narrow) + abs(2.0 * half_bend - bend)
        return _Quotient((4.0 * narrow - wide) / 3.0, kink, noise)

    def settled(self, i: int) -> tuple[float, float]:
        """Return the difference whose own error estimate is the smallest over many steps, and that estimate.

        For losses so small or so steep that epsilon drowns in rounding or is too wide. Rounding falls as 1/e;
        the formula's error grows as e^4, or as e^6 once two neighbors are combined. Both show as the change
        to the next smaller and larger step. The engine's gradient has no say in the choice.
        """
        scale = max(abs(self.measure()), 1.0)
        steps = [self.epsilon * 2.0**k for k in range(-_DOUBLINGS, _DOUBLINGS + 1)]
        steps = [e for e in steps if self.moves(i, e)]
        two = [self._central(i, e) for e in steps]
        four = [(4.0 * narrow - wide) / 3.0 for narrow, wide in pairwise(two)]
        six = [(16.0 * narrow - wide) / 15.0 for narrow, wide in pairwise(four)]
        candidates = [
            (4.0 * _EPS * scale / steps[k] + max(abs(e[k] - e[k - 1]), abs(e[k] - e[k + 1])), e[k])
            for e in (four, six)
            for k in range(1, len(e) - 1)
        ]
        resolution, best = min(candidates)
        return best, resolution

    def _central(self, i: int, e: float) -> float:
        (w_2, high), (w_1, low) = self.at(i, e), self.at(i, -e)
        return (high - low) / (w_2 - w_1)


def _report(model: Model, actual: Array, entries: list[int], probe: _Probe) -> GradientReport:
    quotients = {i: probe.quotient(i) for i in entries}
    kinky = any(_has_kink(layer) for layer in model.layers)
    overall = float(np.abs(actual).max(initial=0.0))
    rows: list[Row] = []
    skipped: list[tuple[str, Index]] = []
    for name, offset, shape in model.table:
        size = math.prod(shape)
        inside = [i for i in entries if offset <= i < offset + size]
        at_kink = {i for i in inside if kinky and _at_kink(quotients[i], float(actual[i]))}
        largest = max(
            [float(np.abs(actual[offset : offset + size]).max())]
            + [abs(quotients[i].expected) for i in inside if i not in at_kink]
        )
        for i in inside:
            q, came = quotients[i], float(actual[i])
            index = tuple(int(k) for k in np.unravel_index(i - offset, shape))
            want = q.expected
            error = _relative_error(want, came, largest, -1.0 if i in at_kink else q.noise)
            if not error <= _SUSPICIOUS:
                if i in at_kink:
                    skipped.append((name, index))
                    continue
                want, resolution = probe.settled(i)
                error = _relative_error(want, came, largest, q.noise)
                if abs(want - came) <= resolution <= _UNSEEN * overall:
                    error = 0.0  # no difference can tell them apart: a saturated output, say
            rows.append(Row(name, index, want, came, error))
    worst = max((row.relative_error for row in rows), default=0.0)
    ok = worst <= _OK and len(skipped) <= _SKIPPED * len(entries)
    return GradientReport(rows, skipped, worst, bool(ok))


def _has_kink(layer: Layer) -> bool:
    """Whether the output of a layer has points without a derivative."""
    return isinstance(layer, MaxPool) or (
        isinstance(layer, (Dense, SimpleRNN)) and layer.activation == "relu"
    )


def _at_kink(q: _Quotient, actual: float) -> bool:
    """Whether the disagreement is of the size of the quotient's own inconsistency."""
    return q.kink > 8.0 * q.noise and q.kink >= abs(q.expected - actual) / 8.0


def _relative_error(expected: float, actual: float, largest: float, noise: float) -> float:
    if largest <= noise:  # a parameter without influence, as below a sum of softmax outputs: rounding alone
        return 0.0
    scale = max(abs(expected), abs(actual), 1e-3 * largest)
    error = abs(expected - actual) / scale if scale else 0.0
    return error if error == error else math.inf  # noqa: PLR0124 (NaN is the one number unlike itself)
