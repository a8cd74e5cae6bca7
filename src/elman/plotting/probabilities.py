"""Probabilities over time, with the signal that they are computed from."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import ArrayLike, NDArray

from elman._validation import number
from elman.errors import ArgumentValueError
from elman.plotting.style import (
    COLORS,
    GRAY,
    PathLike,
    axes,
    bare,
    color_and_dash,
    finish,
    heat_map,
    legend_beside,
    line,
    name_seconds,
    name_steps,
    new_figure,
    plain,
    short,
)

if TYPE_CHECKING:
    from matplotlib.axes import Axes

_DOTTED = 50  # the most steps that are drawn with markers
_NAMED = 5  # the most classes with different colors
_LINES = 8  # the most features drawn as lines


def probabilities(
    values: ArrayLike,
    labels: Sequence[object] | None = None,
    ax: Axes | None = None,
    path: PathLike | None = None,
    *,
    highlight: int | None = None,
    steps: Sequence[object] | None = None,
    title: str = "class probabilities",
    signal: ArrayLike | None = None,
    fs: float | None = None,
) -> Axes:
    """Draw class probabilities (T, C) after each step of one sequence, one line per class, with its name.

    NaN means no answer. ``highlight`` is the class drawn strongly, such as the true one; by default the most
    probable class of the last step. ``steps`` are names of the steps. ``fs``, the rate of the steps in Hz,
    gives a time axis in seconds. ``signal`` (T, F) is drawn above, over the same time axis: one thin line per
    feature, or a heat map of more than eight features, each in units of its standard deviation. The axes of
    the probabilities are returned; ``ax.figure.axes`` has both. A signal needs a new figure.

    Errors: ValueError for values or a signal that are not those of one sequence, for a wrong number of labels
    or steps, for a signal together with ``ax``, and for steps together with ``fs``.

    >>> ax = probabilities([[0.5, 0.5], [0.2, 0.8]], labels=["rest", "seizure"], signal=[[0.1], [3.0]])
    >>> [panel.get_ylabel() for panel in ax.figure.axes]
    ['signal', 'probability']
    """
    shares = np.asarray(values, dtype=float)
    if shares.ndim != 2 or shares.size == 0:
        raise ArgumentValueError(
            "values", f"has shape {shares.shape}", "(T, C): the probabilities of one sequence"
        )
    if fs is not None:
        number("fs", fs, positive=True)
        if steps is not None:
            raise ArgumentValueError(
                "steps", "is given with fs", "one of the two: both say where the steps are"
            )
    names = [short(label) for label in (range(shares.shape[1]) if labels is None else labels)]
    if len(names) != shares.shape[1]:
        raise ArgumentValueError("labels", f"has {len(names)} names", f"{shares.shape[1]}: one a class")
    if highlight is None:
        highlight = int(shares[-1].argmax())
    elif not 0 <= highlight < shares.shape[1]:
        raise ArgumentValueError(
            "highlight", f"is {highlight}", f"a class index from 0 to {shares.shape[1] - 1}"
        )
    if signal is None:
        ax, figure = axes(ax, 5.4, 3.4)
        plain(ax, title=title)
    else:
        if ax is not None:
            raise ArgumentValueError(
                "ax", "is given with a signal", "None: the two panels need their own figure"
            )
        figure = new_figure(5.4, 4.6)
        above, ax = figure.subplots(2, 1, sharex=True, height_ratios=(1.0, 1.6))
        _draw_signal(above, signal, len(shares))
        above.set_title(title, loc="left", fontsize=10)
    _draw_shares(ax, shares, names, highlight)
    if fs is None:
        name_steps(ax, len(shares), steps)
    else:
        name_seconds(ax, len(shares), fs)
    plain(ax, x="step" if fs is None else "time, s", y="probability")
    return finish(ax, figure, path)


def _draw_shares(ax: Axes, shares: NDArray[np.float64], names: list[str], highlight: int) -> None:
    time = np.arange(len(shares))
    dot = "o" if len(shares) <= _DOTTED else None
    highest = np.nan_to_num(shares).max(axis=0)
    # Of many classes only the probable ones get a color and a name: many lines near zero show nothing.
    least = 0.15 if shares.shape[1] > _NAMED else 0.0
    rivals = [c for c in np.argsort(-highest, kind="stable") if c != highlight and highest[c] >= least]
    named = rivals[: _NAMED - 1]
    for c in range(shares.shape[1]):
        if c != highlight and c not in named:
            line(ax, time, shares[:, c], color="#C8C8C8", linewidth=1.0)
    for color, c in zip(COLORS[1:_NAMED], named, strict=False):
        ax.plot(time, shares[:, c], color=color, linewidth=1.4, marker=dot, markersize=3, label=names[c])
    ax.plot(
        time,
        shares[:, highlight],
        color=COLORS[0],
        linewidth=2.6 if dot else 1.8,
        marker=dot,
        markersize=5,
        label=names[highlight],
    )
    ax.set_ylim(-0.03, 1.03)
    legend_beside(ax, reverse=True)


def _draw_signal(ax: Axes, signal: ArrayLike, count: int) -> None:
    given = np.asarray(signal, dtype=float)
    if given.ndim != 2 or given.shape[1] == 0:
        raise ArgumentValueError("signal", f"has shape {given.shape}", "(T, F): the signal of one sequence")
    if len(given) != count:
        raise ArgumentValueError("signal", f"has {len(given)} steps", f"{count} (as values)")
    features = given.shape[1]
    if features > _LINES:
        # Features of different units share one scale: the distance from the mean, in standard deviations.
        spread = given.std(axis=0)
        scaled = (given - given.mean(axis=0)) / np.where(spread > 0, spread, 1.0)
        heat_map(ax, scaled, cmap="RdBu_r", vmin=-3.0, vmax=3.0)
        bare(plain(ax, y="feature (z-score)", grid=False))
    else:
        for feature in range(features):
            look = {"color": GRAY} if features == 1 else color_and_dash(feature)
            line(ax, np.arange(count), given[:, feature], linewidth=0.8, label=str(feature), **look)
        plain(ax, y="signal")
        if features > 1:
            legend_beside(ax, title="feature", columns=1 if features <= 5 else 2)
    ax.tick_params(labelbottom=False)
