"""Article 002: a recurrent layer, its forward pass, its gradient and the check of that gradient.

First the very layer that the article printed, then its gradient check on a layer of our own seed, then the
check where the article's code fails: more than two steps, and activations that are not the identity.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

import elman
from elman.demos._demo import Demo, table
from elman.nn.activations import RECURRENT_ACTIVATIONS, RecurrentActivation
from elman.plotting import style

Floats = NDArray[np.float64]

RATE = 1e-3
SEED = 2  # of the layer whose gradient is checked; the article's was not seeded
ACTIVATIONS = RECURRENT_ACTIVATIONS
CHECKED_UNITS = 8
STEPS = (1, 2, 3, 5, 10, 20, 50, 100)
SHOWN_STEPS = (3, 10, 100)

# As printed in the article. Its states are columns: kernel = U transposed, recurrent_kernel = W transposed.
U: Floats = np.array(
    [[8.40480937e-05, -6.87332018e-05, 4.60699419e-05], [6.21850646e-06, -8.85631147e-05, -5.18937760e-05]]
)
W: Floats = np.array([[5.08985344e-06, -2.33817326e-05], [8.48161836e-06, 4.77010103e-05]])
VECTORS: Floats = np.array([[1.0, 2.0, 3.0], [2.0, 3.0, 4.0]])
ARTICLE_FIRST_STATE = ("8.47915158e-05", "0.00000000e+00")


@dataclass(frozen=True)
class Entry:
    """One line of the check in the article: ``w(i,j)`` is ``recurrent_kernel[j,i]``."""

    i: int
    j: int
    expected: float
    actual: float

    def __str__(self) -> str:
        return f"w({self.i},{self.j}): expected {self.expected:f} - actual {self.actual:f}"


@dataclass(frozen=True)
class GradientResult:
    """The article's layer, its check, and the check over more steps and activations."""

    states: Floats  # (3, 2): the article's printed layer, the zero state first
    entries: tuple[Entry, ...]
    recurrent_before: Floats  # W, as the article writes it, around one update
    recurrent_after: Floats
    first_step: Floats  # (2,) of a stream, then after reset() once more
    first_step_again: Floats
    errors: dict[str, tuple[float, ...]]  # worst relative error by activation, for STEPS
    article_errors: tuple[float, ...]  # the same of the article's own code (identity), for STEPS
    skipped: int
    ok: bool

    @property
    def worst(self) -> float:
        """The worst relative error of all checks."""
        return max(max(errors) for errors in self.errors.values())

    @property
    def first_state_matches(self) -> bool:
        """Whether the first state has the article's digits."""
        return tuple(f"{value:.8e}" for value in self.states[1]) == ARTICLE_FIRST_STATE


def layer(u: Floats, w: Floats, activation: RecurrentActivation) -> elman.Network:
    """Build the article's RecurrentLayer: no bias, no readout, float64."""
    units, features = u.shape
    net = elman.Network(
        [elman.SimpleRNN(units, activation=activation, use_bias=False)],
        input_size=features,
        dtype="float64",
        seed=0,
    )
    net.weights["0.kernel"][...] = u.T
    net.weights["0.recurrent_kernel"][...] = w.T
    return net


def printed_states() -> Floats:
    """Return the states of the layer that the article printed, the zero state first."""
    states = layer(U, W, "relu").states(VECTORS[None])[0][0]
    return np.vstack([np.zeros(2), states])


def check_entries(net: elman.Network) -> tuple[Entry, ...]:
    """Return the article's four lines: the gradient of the sum of the last state, and differences."""
    gradient = net.record(VECTORS[None]).backward(np.ones((1, 2))).weights["0.recurrent_kernel"]
    report = elman.check_gradient(net, VECTORS[None])
    expected = {tuple(row.index): row.expected for row in report.rows if row.name == "0.recurrent_kernel"}
    return tuple(
        Entry(i, j, float(expected[j, i]), float(gradient[j, i])) for i in range(2) for j in range(2)
    )


def article_gradient(u: Floats, w: Floats, inputs: Floats) -> Floats:
    """Run the article's backward pass for the identity and a cotangent of ones; transposed like elman's.

    Kept to show where it fails: it multiplies by the state where the derivative belongs, and overwrites
    states that it still needs.
    """
    states = [np.zeros(len(w))]
    for x in inputs:
        states.append(u @ x + w @ states[-1])
    deltas = [np.zeros(len(w)) for _ in inputs] + [np.ones(len(w))]
    for k in range(len(inputs) - 1, 0, -1):
        state = states[k + 1].copy()
        states[k + 1][:] = 1.0
        deltas[k] = (deltas[k + 1] @ w) * state
    gradient = sum((np.outer(deltas[t], states[t - 1]) for t in range(1, len(inputs) + 1)), np.zeros_like(w))
    return np.asarray(gradient).T


def run(steps: Sequence[int] = STEPS) -> GradientResult:
    """Train with elman and compute everything that is shown and drawn."""
    generator = np.random.default_rng(SEED)
    u, w = generator.uniform(-1e-4, 1e-4, (2, 3)), generator.uniform(-1e-4, 1e-4, (2, 2))
    net = layer(u, w, "identity")
    entries = check_entries(net)
    # The article's update() moves W alone.
    net.freeze("0.kernel")
    before = net.weights["0.recurrent_kernel"].T.copy()
    net.update(net.record(VECTORS[None]).backward(np.ones((1, 2))).parameters, elman.SGD(RATE))
    after = net.weights["0.recurrent_kernel"].T.copy()
    stream = net.stream()
    first = np.array(stream.step(VECTORS[0]))
    stream.step(VECTORS[1])
    stream.reset()
    again = np.array(stream.step(VECTORS[0]))

    inputs = generator.standard_normal((max(steps), 3))
    errors: dict[str, tuple[float, ...]] = {}
    skipped, ok = 0, True
    for activation in ACTIVATIONS:
        checked = elman.Network(
            [elman.SimpleRNN(CHECKED_UNITS, activation=activation)], input_size=3, dtype="float64", seed=SEED
        )
        reports = [elman.check_gradient(checked, inputs[None, :count]) for count in steps]
        errors[activation] = tuple(float(report.max_relative_error) for report in reports)
        skipped += sum(len(report.skipped) for report in reports)
        ok = ok and all(report.ok for report in reports)
    return GradientResult(
        states=printed_states(),
        entries=entries,
        recurrent_before=before,
        recurrent_after=after,
        first_step=first,
        first_step_again=again,
        errors=errors,
        article_errors=tuple(_article_error(u, w, inputs[:count]) for count in steps),
        skipped=skipped,
        ok=ok,
    )


def _article_error(u: Floats, w: Floats, inputs: Floats) -> float:
    """Return the worst relative error of the article's gradient against elman's, which is checked."""
    exact = (
        layer(u, w, "identity").record(inputs[None]).backward(np.ones((1, 2))).weights["0.recurrent_kernel"]
    )
    theirs = article_gradient(u, w, inputs)
    size = np.maximum(np.maximum(np.abs(exact), np.abs(theirs)), 1e-3 * np.abs(exact).max())
    # One step from a zero state: both gradients are zero, and equal.
    return float(np.divide(np.abs(exact - theirs), size, out=np.zeros_like(exact), where=size > 0).max())


def describe(result: GradientResult) -> str:
    """Return the result as text and small tables."""
    digits = "in every digit" if result.first_state_matches else "NOT"
    second = ", ".join(f"{value:.4e}" for value in result.states[2])
    columns = [i for i, count in enumerate(STEPS) if count in SHOWN_STEPS]
    rows = [(name, *(f"{errors[i]:.1e}" for i in columns)) for name, errors in result.errors.items()]
    rows.append(("the article's code, identity", *(f"{result.article_errors[i]:.1e}" for i in columns)))
    same = (
        "the first state again" if (result.first_step == result.first_step_again).all() else "ANOTHER state"
    )
    return "\n".join(
        [
            f"inputSize = {U.shape[1]}, outputSize = {U.shape[0]}, ita = {RATE:f}",
            "stateTable =\n" + "\n".join(f"  [{_numbers(state)}]" for state in result.states),
            "U =\n" + "\n".join(f"  [{_numbers(row)}]" for row in U),
            "W =\n" + "\n".join(f"  [{_numbers(row)}]" for row in W),
            "",
            f"The first state equals the article's {digits}. The article prints a second state of [1, 0]:",
            "that is not a state but the derivative of ReLU, which its backward pass writes over the states",
            f"before they are printed; the second state is truly [{second}].",
            "",
            f"The article's gradient check: identity, cotangent one (it had no seed; ours is {SEED}).",
            *(f"  {entry}" for entry in result.entries),
            "",
            f"update: W moves against its gradient by the rate {RATE:g}",
            *(
                f"  [{_numbers(before)}] -> [{_numbers(after)}]"
                for before, after in zip(result.recurrent_before, result.recurrent_after, strict=True)
            ),
            f"reset: after it the first vector gives {same}: [{_numbers(result.first_step_again)}]",
            "",
            "Worst relative error of every parameter's gradient, by steps:",
            "",
            table(("activation", *(f"{count} steps" for count in SHOWN_STEPS)), rows, right=(1, 2, 3)),
            "",
            f"Worst relative error of all, 4 activations, 1 to {max(STEPS)} steps: {result.worst:.1e}",
            "",
        ]
    )


def _numbers(values: Floats) -> str:
    return "  ".join(f"{value: .8e}" for value in values)


def headline(result: GradientResult) -> str:
    """Return the result in one line, for the closing table."""
    verdict = "passes" if result.ok else "FAILS"
    return f"{verdict}: worst relative error {result.worst:.1e}, 1 to {max(STEPS)} steps"


def draw(result: GradientResult, folder: Path) -> list[Path]:
    """Save the pictures and return their paths."""
    figure = style.new_figure(6.4, 3.8)
    ax = figure.subplots()
    ax.plot(
        STEPS,
        _visible(result.article_errors),
        color="#222222",
        linestyle="--",
        marker="x",
        label="the article's code",
    )
    for color, marker, (name, errors) in zip(style.COLORS, "osD^", result.errors.items(), strict=False):
        ax.plot(
            STEPS,
            _visible(errors),
            color=color,
            marker=marker,
            markersize=4,
            linewidth=1.6,
            label=f"elman, {name}",
        )
    ax.set_xscale("log")
    ax.set_yscale("log")
    ax.set_xticks(STEPS, [str(count) for count in STEPS])
    ax.minorticks_off()
    ax.set_ylim(1e-16, 30)
    style.plain(ax, title="backward pass against four-point differences", x="steps", y="worst relative error")
    ax.legend(frameon=False, fontsize=8, loc="center right", bbox_to_anchor=(1.0, 0.66))
    path = folder / "gradient.png"
    style.save(figure, path)
    return [path]


def _visible(errors: Sequence[float]) -> Floats:
    # A logarithmic axis has no zero; an exact gradient lies at float64's own precision.
    return np.maximum(errors, 2e-16)


DEMO = Demo(
    name="gradient",
    system="RecurrentLayer with gradient check",
    article="002",
    intro=(
        "The article's layer with its printed weights, ReLU and two input vectors; then its gradient check; "
        "then the check over more steps and every activation, where the article's own backward pass goes "
        "wrong."
    ),
    run=run,
    describe=describe,
    draw=draw,
    headline=headline,
)
