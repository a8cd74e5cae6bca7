"""Plots of a network's inside: hidden states over time, gradients over distance."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from elman._validation import describe
from elman.errors import ArgumentTypeError, ArgumentValueError
from elman.plotting.style import (
    GRAY,
    PathLike,
    add_colorbar,
    axes,
    bare,
    color_and_dash,
    finish,
    heat_map,
    legend_inside,
    line,
    name_steps,
    plain,
    whole_numbers,
)

if TYPE_CHECKING:
    from matplotlib.axes import Axes

# Decades of a fall or a rise that are shown; a term sixteen decades smaller changes no sum in float64.
_DECADES = 20


def hidden_states(
    states: ArrayLike,
    ax: Axes | None = None,
    path: PathLike | None = None,
    *,
    sort: bool = False,
    steps: Sequence[object] | None = None,
    title: str = "hidden state",
    colorbar: bool = True,
) -> Axes:
    """Draw a heat map of one sequence's hidden states (T, H), one column per step and one row per unit.

    White is zero. ``sort=True`` orders the units by the step of their maximum, which shows which unit is
    active when. ``steps`` are names of the steps. With more than a thousand steps, a column is the mean of
    several. ValueError if ``states`` are not those of one sequence.

    >>> ax = hidden_states(np.tanh(np.arange(6.0).reshape(3, 2)))
    >>> ax.images[0].get_array().shape
    (2, 3)
    """
    values = np.asarray(states, dtype=float)
    if values.ndim != 2 or values.size == 0:
        raise ArgumentValueError("states", f"has shape {values.shape}", "(T, H): the states of one sequence")
    if sort:
        values = values[:, np.argsort(values.argmax(axis=0), kind="stable")]
    ax, figure = axes(ax, 5.4, 3.8)
    known = values[np.isfinite(values)]
    bound = float(np.abs(known).max(initial=0.0)) or 1.0
    # Sigmoid and relu are never negative, so half of a two-sided scale would be unused.
    colors, low = ("RdBu_r", -bound) if known.min(initial=0.0) < 0 else ("Blues", 0.0)
    image = heat_map(ax, values, cmap=colors, vmin=low, vmax=bound)
    name_steps(ax, len(values), steps)
    bare(plain(ax, title=title, x="step", y="unit, by the step of its peak" if sort else "unit", grid=False))
    if sort:
        ax.set_yticks([])
    if colorbar:
        add_colorbar(figure, image, ax)
    return finish(ax, figure, path)


def gradient_by_distance(
    norms: Sequence[NDArray[np.float64]] | NDArray[np.float64],
    ax: Axes | None = None,
    path: PathLike | None = None,
    *,
    label: str | None = None,
    title: str = "gradient of the answer by past inputs",
) -> Axes:
    """Draw the norm of the gradient of each answer by the input k steps before it, over k.

    ``norms`` is the result of `elman.sensitivity.gradient_norms`: one row (T_i,) per sequence, with index k
    for the distance k. A steep fall is a vanishing gradient, a rise an exploding one. The line is the median
    over the sequences that are long enough; the band goes from the lower to the upper quartile. The scale is
    logarithmic and covers at most twenty decades from the gradient at the answer. If the median is exactly
    zero, or infinite, the line ends, and a note gives the distance. ``label`` names the line in a legend, so
    that several networks can be drawn on the same ``ax``. TypeError and ValueError for anything else.

    >>> from elman import Network, SimpleRNN
    >>> from elman.sensitivity import gradient_norms
    >>> net = Network([SimpleRNN(4)], input_size=2, seed=0)
    >>> ax = gradient_by_distance(gradient_norms(net, np.ones((3, 6, 2))))
    >>> ax.get_yscale(), ax.lines[0].get_xdata().tolist()
    ('log', [0, 1, 2, 3, 4, 5])
    """
    drawn = quartiles(_rows(norms))
    low, median, high = drawn
    ax, figure = axes(ax, 5.4, 3.6)
    look = color_and_dash(len(ax.lines))
    distances = np.arange(len(median))
    on_scale = drawn[(drawn > 0.0) & (drawn < np.inf)]
    if on_scale.size:
        ax.set_yscale("log")
        ax.margins(y=0.0)  # matplotlib's own would overflow near the limit of float64
        band = np.clip((low, high), on_scale.min(), on_scale.max())
        ax.fill_between(distances, *band, color=look["color"], alpha=0.18, linewidth=0)
        line(ax, distances, np.where(median > 0.0, median, np.nan), linewidth=1.8, label=label, **look)
        _show_decades(ax)
    else:
        line(ax, distances, median, linewidth=1.8, label=label, **look)
    _note(ax, median, 0.0, label)
    _note(ax, median, np.inf, label)
    plain(ax, title=title, x="steps before the answer", y="norm of the gradient")
    whole_numbers(ax)
    if label is not None:
        legend_inside(ax, len(median), "lower left")
    return finish(ax, figure, path)


def _rows(norms: Any) -> list[NDArray[np.float64]]:
    """Return gradient norms as rows (T_i,) of numbers."""
    if not isinstance(norms, (list, tuple, np.ndarray)):
        raise ArgumentTypeError(
            "norms", f"is {describe(norms)}", "what elman.sensitivity.gradient_norms(net, X, y) returns"
        )
    rows = [np.asarray(row, dtype=float) for row in norms]
    if not rows or any(row.ndim != 1 or row.size == 0 for row in rows):
        raise ArgumentValueError("norms", "is empty or not one row of numbers per sequence", "rows (T_i,)")
    return rows


def quartiles(rows: Sequence[NDArray[np.float64]] | NDArray[np.float64]) -> NDArray[np.float64]:
    """Return the quartiles (3, K) of rows of different lengths at each index, over the rows that reach it.

    >>> quartiles([np.array([1.0, 5.0]), np.array([3.0])])
    array([[1.5, 5. ],
           [2. , 5. ],
           [2.5, 5. ]])
    """
    table = np.full((len(rows), max(len(row) for row in rows)), np.nan)
    for i, row in enumerate(rows):
        table[i, : len(row)] = row
    table.sort(axis=0)  # NaN, beyond the end of a row, is sorted last
    place = np.array([[0.25], [0.5], [0.75]]) * ((~np.isnan(table)).sum(axis=0) - 1)
    below = np.floor(place).astype(np.int64)
    a = np.take_along_axis(table, below, axis=0)
    b = np.take_along_axis(table, np.ceil(place).astype(np.int64), axis=0)
    with np.errstate(invalid="ignore"):  # infinity minus infinity; the result is not used then
        return np.where(a == b, a, a + (place - below) * (b - a))


def _show_decades(ax: Axes) -> None:
    """Fit the axis to the data, but limit it to the decades in which a gradient is of any use.

    Otherwise a long sequence shows a fall of three hundred decades, in which the first twenty are invisible.
    """
    lines = [np.asarray(drawn.get_ydata(), dtype=float) for drawn in ax.lines]
    starts = [y[np.isfinite(y)][0] for y in lines if np.isfinite(y).any()]
    reach = 10.0**_DECADES
    low, high = float(ax.dataLim.minposy), float(ax.dataLim.y1)
    if starts:
        low, high = max(low, min(starts) / reach), min(high, max(starts) * reach)
    margin = max((high / low) ** 0.04, 1.5)
    ax.set_ylim(low / margin, high * margin)


def _note(ax: Axes, median: NDArray[np.float64], value: float, label: str | None) -> None:
    """Write where the median becomes zero, or infinite, which a logarithmic scale cannot show."""
    at = np.flatnonzero(median == value)
    if len(at) == 0:
        return
    where = f"at {len(at)} of {len(median)} distances"
    if len(at) == len(median):
        where = "at every distance"
    elif at[0] + len(at) == len(median):
        where = f"from distance {at[0]} on"
    note = f"{label or 'median'}: {'infinite' if value else '0'} {where}"
    height = 0.96 - 0.07 * len(ax.texts)  # below the notes of other networks
    ax.text(0.98, height, note, transform=ax.transAxes, ha="right", va="top", color=GRAY, fontsize=8)
