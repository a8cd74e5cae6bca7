"""Pictures of training and of what a network does: restrained, labelled, readable by colour-blind eyes.

Every function draws on the axes it is given, or on a figure of its own, and returns the axes;
``ax.figure.savefig(path)`` or the ``path`` argument keeps the picture. Figures are made directly, never
through ``matplotlib.pyplot``: no back end is chosen, no global state is touched, and nothing has to be
closed.
"""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, Protocol

import numpy as np
from numpy.typing import ArrayLike

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

PathLike = str | os.PathLike[str]

# Okabe and Ito's palette: told apart with any of the common kinds of colour blindness.
COLOURS = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9", "#000000", "#F0E442")
GREY = "#5A5A5A"


class HasHistory(Protocol):
    """What :func:`curves` reads: ``elman.History`` has it."""

    @property
    def history(self) -> Mapping[str, Sequence[float]]:
        """One list a key, one value an epoch."""
        ...


def available() -> bool:
    """Whether matplotlib can be imported."""
    try:
        import matplotlib as mpl  # noqa: F401
    except ImportError:
        return False
    return True


def new_figure(width: float = 6.0, height: float = 3.8) -> Figure:
    """Make an empty figure, in inches, whose layout keeps labels inside the picture."""
    try:
        from matplotlib.figure import Figure
    except ImportError as error:
        raise ImportError('drawing needs matplotlib: pip install "elman[plot]"') from error
    return Figure(figsize=(width, height), dpi=150, layout="constrained")


def save(figure: Figure, path: PathLike) -> None:
    """Write the figure; the ending of ``path`` (png, svg, pdf) says how."""
    figure.savefig(path)


def plain(ax: Axes, *, title: str = "", x: str = "", y: str = "", grid: bool = True) -> Axes:
    """Apply the house style to one pair of axes: two spines, a faint grid, a title on the left."""
    ax.spines[["top", "right"]].set_visible(False)
    ax.spines[["left", "bottom"]].set_color(GREY)
    ax.tick_params(colors=GREY, labelsize=8)
    if grid:
        ax.grid(True, color="#E6E6E6", linewidth=0.6)
        ax.set_axisbelow(True)
    if title:
        ax.set_title(title, loc="left", fontsize=10)
    if x:
        ax.set_xlabel(x, fontsize=9)
    if y:
        ax.set_ylabel(y, fontsize=9)
    return ax


def colour_bar(figure: Figure, image: Any, ax: Axes, label: str = "") -> None:
    """Add a colour bar without a frame."""
    bar: Any = figure.colorbar(image, ax=ax, shrink=0.85, pad=0.02)
    bar.outline.set_visible(False)
    bar.ax.tick_params(colors=GREY, labelsize=8, length=0)
    bar.set_label(label, fontsize=9)


def curves(
    history: HasHistory | Mapping[str, Sequence[float]], ax: Axes | None = None, path: PathLike | None = None
) -> Axes:
    """Loss and metric of every epoch; validation in the second colour.

    Without ``ax`` the figure has one panel for the loss and one for each metric, and the first is returned
    (``ax.figure.axes`` has them all). With ``ax`` only the losses are drawn, on it.
    """
    values = history if isinstance(history, Mapping) else history.history
    names = [name for name in values if not name.startswith("val_")]
    if not names or not len(values[names[0]]):
        raise ValueError("history is empty, expected at least one finished epoch")
    if ax is not None:
        panels = [(plain(ax), "loss" if "loss" in names else names[0])]
        figure = _figure_of(ax)
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
    words = name.replace("_", " ")
    plain(ax, x="epoch", y=words)
    for key, label, colour in ((name, "training", COLOURS[0]), (f"val_{name}", "validation", COLOURS[1])):
        if key in values:
            series = np.asarray(values[key], dtype=float)
            epochs = np.arange(1, len(series) + 1)
            # One epoch is a point, not a line: without a marker it would be invisible.
            ax.plot(
                epochs,
                series,
                color=colour,
                linewidth=1.8,
                label=label,
                marker="o" if len(series) == 1 else None,
            )
    if name == "accuracy":
        ax.set_ylim(-0.03, 1.03)
    if f"val_{name}" in values:
        ax.legend(frameon=False, fontsize=8)


def confusion_matrix(
    expected: ArrayLike,
    predicted: ArrayLike,
    labels: Sequence[object] | None = None,
    ax: Axes | None = None,
    path: PathLike | None = None,
) -> Axes:
    """Draw counts of what was expected (rows) against what was predicted (columns).

    ``expected`` and ``predicted`` are class indices; ``labels`` names the classes. The colour is the share
    of the row, so that rare classes are as visible as common ones.
    """
    truth, guess = np.asarray(expected, dtype=np.int64).ravel(), np.asarray(predicted, dtype=np.int64).ravel()
    if truth.shape != guess.shape or truth.size == 0:
        raise ValueError(
            f"expected has {truth.size} answers and predicted {guess.size}, both need the same number, at "
            f"least 1"
        )
    if min(truth.min(), guess.min()) < 0:
        raise ValueError("expected and predicted must be class indices from 0")
    size = int(max(truth.max(), guess.max())) + 1 if labels is None else len(labels)
    if max(truth.max(), guess.max()) >= size:
        raise ValueError(
            f"class index {max(truth.max(), guess.max())} has no label, expected indices below {size}"
        )
    counts = np.zeros((size, size), dtype=np.int64)
    np.add.at(counts, (truth, guess), 1)
    ax, figure = _axes(ax, 1.6 + 0.36 * size, 1.2 + 0.34 * size)
    shares = counts / np.maximum(counts.sum(axis=1, keepdims=True), 1)
    ax.imshow(shares, cmap="Blues", vmin=0.0, vmax=1.0)
    for row, column in zip(*np.nonzero(counts), strict=True):
        ink = "white" if shares[row, column] > 0.55 else "#222222"
        ax.text(column, row, str(counts[row, column]), ha="center", va="center", color=ink, fontsize=8)
    names = [str(label) for label in (range(size) if labels is None else labels)]
    ax.set_xticks(range(size), names)
    ax.set_yticks(range(size), names)
    right = int(np.trace(counts))
    title = f"{right} of {truth.size} right ({right / truth.size:.1%})"
    _bare(plain(ax, title=title, x="predicted", y="expected", grid=False))
    return _finish(ax, figure, path)


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
    """Heat map of one sequence's hidden states (T, H): a column a step, a row a unit, white is zero.

    ``sort=True`` orders the units by the step at which they are highest, which shows who speaks when.
    ``steps`` names the steps.
    """
    values = np.asarray(states, dtype=float)
    if values.ndim != 2 or values.size == 0:
        raise ValueError(f"states has shape {values.shape}, expected (T, H): the states of one sequence")
    if sort:
        values = values[:, np.argsort(values.argmax(axis=0), kind="stable")]
    ax, figure = _axes(ax, 5.4, 3.8)
    bound = float(np.abs(values).max()) or 1.0
    # Sigmoid and relu never go below zero: half of a two-sided scale would be wasted on them.
    colours, low = ("RdBu_r", -bound) if values.min() < 0 else ("Blues", 0.0)
    image = ax.imshow(values.T, aspect="auto", cmap=colours, vmin=low, vmax=bound, interpolation="nearest")
    _name_steps(ax, len(values), steps)
    _bare(plain(ax, title=title, x="step", y="unit, by the step of its peak" if sort else "unit", grid=False))
    if sort:
        ax.set_yticks([])
    if colorbar:
        colour_bar(figure, image, ax)
    return _finish(ax, figure, path)


def probabilities(
    values: ArrayLike,
    labels: Sequence[object] | None = None,
    ax: Axes | None = None,
    path: PathLike | None = None,
    *,
    highlight: int | None = None,
    steps: Sequence[object] | None = None,
    title: str = "class probabilities",
) -> Axes:
    """Class probabilities (T, C) after each step of one sequence, one line a class, named at its end.

    ``highlight`` draws one class (the true one) strongly; without it the class that wins in the end is drawn
    so.
    """
    shares = np.asarray(values, dtype=float)
    if shares.ndim != 2 or shares.size == 0:
        raise ValueError(
            f"values has shape {shares.shape}, expected (T, C): the probabilities of one sequence"
        )
    names = [str(label) for label in (range(shares.shape[1]) if labels is None else labels)]
    if len(names) != shares.shape[1]:
        raise ValueError(f"labels has {len(names)} names, expected {shares.shape[1]}: one a class")
    if highlight is None:
        highlight = int(shares[-1].argmax())
    ax, figure = _axes(ax, 5.4, 3.4)
    time = np.arange(len(shares))
    # Only classes that ever mattered get a colour and a name: ten coloured lines near zero say nothing.
    rivals = [
        c
        for c in np.argsort(-shares.max(axis=0), kind="stable")
        if c != highlight and shares[:, c].max() > 0.15
    ]
    for c in range(shares.shape[1]):
        if c != highlight and c not in rivals[:4]:
            ax.plot(time, shares[:, c], color="#C8C8C8", linewidth=1.0)
    for colour, c in zip(COLOURS[1:5], rivals, strict=False):
        ax.plot(time, shares[:, c], color=colour, linewidth=1.4, marker="o", markersize=3, label=names[c])
    ax.plot(
        time,
        shares[:, highlight],
        color=COLOURS[0],
        linewidth=2.6,
        marker="o",
        markersize=5,
        label=names[highlight],
    )
    ax.set_ylim(-0.03, 1.03)
    _name_steps(ax, len(shares), steps)
    plain(ax, title=title, x="step", y="probability")
    handles, texts = ax.get_legend_handles_labels()
    ax.legend(
        handles[::-1], texts[::-1], frameon=False, fontsize=8, loc="center left", bbox_to_anchor=(1.0, 0.5)
    )
    return _finish(ax, figure, path)


def _axes(ax: Axes | None, width: float, height: float) -> tuple[Axes, Figure]:
    if ax is not None:
        return ax, _figure_of(ax)
    figure = new_figure(width, height)
    return figure.subplots(), figure


def _figure_of(ax: Axes) -> Figure:
    # An axes may lie in a sub-figure; what is saved, and what a colour bar is added to, is the whole figure.
    figure = ax.get_figure(root=True)
    if figure is None:
        raise ValueError("ax belongs to no figure, expected axes of a figure")
    return figure


def _finish(ax: Axes, figure: Figure, path: PathLike | None) -> Axes:
    if path is not None:
        save(figure, path)
    return ax


def _bare(ax: Axes) -> Axes:
    """Remove frame and tick marks: a picture needs none."""
    ax.spines[:].set_visible(False)
    ax.tick_params(length=0)
    return ax


def _name_steps(ax: Axes, count: int, names: Sequence[object] | None) -> None:
    """Count steps from 1, as people do; long sequences get matplotlib's own sparse ticks."""
    if names is not None:
        if len(names) != count:
            raise ValueError(f"steps has {len(names)} names, expected {count}: one a step")
        ax.set_xticks(range(count), [str(name) for name in names])
    elif count <= 20:
        ax.set_xticks(range(count), [str(step + 1) for step in range(count)])
