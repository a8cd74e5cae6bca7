"""Plots of training by epoch: losses and metrics, the spectral radius of recurrent kernels."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Protocol

import numpy as np

from elman.errors import ArgumentValueError
from elman.plotting.style import (
    COLORS,
    GRAY,
    Corner,
    PathLike,
    axes,
    color_and_dash,
    figure_of,
    finish,
    legend_beside,
    legend_inside,
    line,
    new_figure,
    plain,
    save,
    whole_numbers,
)

if TYPE_CHECKING:
    from matplotlib.axes import Axes


class HasHistory(Protocol):
    """The input of `curves`, such as ``elman.History``."""

    @property
    def history(self) -> Mapping[str, Sequence[float]]:
        """One list per key, with one value per epoch."""
        ...


class HasRadii(Protocol):
    """The input of `spectral_radius`, such as ``elman.callbacks.SpectralRadius``."""

    @property
    def epochs(self) -> Sequence[int]:
        """The number of finished epochs at each value."""
        ...

    @property
    def values(self) -> Mapping[str, Sequence[float]]:
        """One list per recurrent kernel."""
        ...


def curves(
    history: HasHistory | Mapping[str, Sequence[float]], ax: Axes | None = None, path: PathLike | None = None
) -> Axes:
    """Draw loss and metrics of every epoch; validation is in the second color, NaN is a gap.

    Without ``ax`` the figure has one panel for the loss and one for each metric. The first is returned;
    ``ax.figure.axes`` has all. With ``ax`` only the losses are drawn. ValueError for a history without a
    finished epoch.

    >>> ax = curves({"loss": [1.0, 0.5], "accuracy": [0.5, 1.0], "val_loss": [1.1, 0.7]})
    >>> [panel.get_ylabel() for panel in ax.figure.axes]
    ['loss', 'accuracy']
    """
    values = history if isinstance(history, Mapping) else history.history
    names = list(dict.fromkeys(name.removeprefix("val_") for name in values))
    if not any(len(series) for series in values.values()):
        raise ArgumentValueError("history", "is empty", "at least one finished epoch")
    if ax is not None:
        panels = [(plain(ax), "loss" if "loss" in names else names[0])]
        figure = figure_of(ax)
    else:
        figure = new_figure(4.2 * len(names) + 0.6, 3.4)
        grid = figure.subplots(1, len(names), squeeze=False)
        panels = [(grid[0, i], name) for i, name in enumerate(names)]
    for panel, name in panels:
        _one_curve(panel, values, name)
    if path is not None:
        save(figure, path)
    return panels[0][0]


def _one_curve(ax: Axes, values: Mapping[str, Sequence[float]], name: str) -> None:
    plain(ax, x="epoch", y=name.replace("_", " "))
    for key, label, color in ((name, "training", COLORS[0]), (f"val_{name}", "validation", COLORS[1])):
        if key in values:
            series = np.asarray(values[key], dtype=float)
            epochs = np.arange(1, len(series) + 1)
            line(ax, epochs, series, color=color, linewidth=1.8, label=label)
    whole_numbers(ax)
    if not any(np.isfinite(drawn.get_ydata()).any() for drawn in ax.lines):
        ax.set_yticks([])
        ax.text(0.5, 0.5, "NaN in every epoch", transform=ax.transAxes, ha="center", color=GRAY, fontsize=9)
    elif name == "accuracy":
        ax.set_ylim(-0.03, 1.03)
    if f"val_{name}" in values:
        corner: Corner = "lower right" if name == "accuracy" else "upper right"
        legend_inside(ax, len(values[f"val_{name}"]), corner)


def spectral_radius(
    recorded: HasRadii | Mapping[str, Sequence[float]], ax: Axes | None = None, path: PathLike | None = None
) -> Axes:
    """Draw the spectral radius of each recurrent kernel after every epoch, with a line at 1.

    rho(U) = max |eigenvalue of U|. With a linear activation, the past fades from the state if rho < 1 and
    grows if rho > 1. With tanh and sigmoid it fades faster.

    ``recorded`` is an `elman.callbacks.SpectralRadius`, or a list of values for each name, from epoch 1.
    ValueError if nothing was recorded.

    >>> ax = spectral_radius({"0.recurrent_kernel": [1.0, 1.1, 1.2]})
    >>> ax.get_ylabel(), ax.lines[0].get_xdata().tolist()
    ('spectral radius', [1, 2, 3])
    """
    if isinstance(recorded, Mapping):
        values: Mapping[str, Sequence[float]] = recorded
        epochs: Sequence[int] = range(1, max((len(series) for series in values.values()), default=0) + 1)
    else:
        values, epochs = recorded.values, recorded.epochs
    if not len(epochs) or not values:
        raise ArgumentValueError("recorded", "is empty", "the values of at least one epoch")
    ax, figure = axes(ax, 5.6, 3.4)
    for i, (name, series) in enumerate(values.items()):
        line(ax, epochs[: len(series)], series, linewidth=1.8, label=name, **color_and_dash(i))
    ax.axhline(1.0, color=GRAY, linewidth=1.0, zorder=1)
    ax.annotate(
        "1.0",
        (1.0, 1.0),
        (3, 0),
        ("axes fraction", "data"),
        "offset points",
        va="center",
        color=GRAY,
        fontsize=8,
    )
    plain(ax, title="spectral radius of the recurrent kernels", x="epoch", y="spectral radius")
    whole_numbers(ax)
    if len(values) > 1:
        legend_beside(ax)
    return finish(ax, figure, path)
