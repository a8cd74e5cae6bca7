"""Common to all plots: figures without pyplot, one plain style, readable ticks."""

from __future__ import annotations

import os
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
from numpy.typing import ArrayLike, NDArray

from elman._validation import as_text, describe
from elman.errors import ArgumentTypeError, ArgumentValueError

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure
    from matplotlib.image import AxesImage

PathLike = str | os.PathLike[str]
Corner = Literal["upper right", "lower right", "lower left"]

# The palette of Okabe and Ito, distinguishable with all common kinds of color blindness.
COLORS = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9", "#000000", "#F0E442")
GRAY = "#5A5A5A"

_MOST_COLUMNS = 1000  # of a heat map; with more, columns would share a pixel
_SEARCHED = 10_000  # the most points of a line for which the best place of the legend is searched
_LETTER = 0.065  # inches, the approximate width of a letter of a tick label
_LONGEST_NAME = 28  # letters


def available() -> bool:
    """Whether matplotlib can be imported."""
    try:
        import matplotlib as mpl  # noqa: F401
    except ImportError:
        return False
    return True


def new_figure(width: float = 6.0, height: float = 3.8) -> Figure:
    """Return an empty figure of this size in inches, whose layout keeps labels inside the picture."""
    try:
        from matplotlib.figure import Figure
    except ImportError as error:
        raise ImportError('drawing needs matplotlib: pip install "elman[plot]"') from error
    return Figure(figsize=(width, height), dpi=150, layout="constrained")


def save(figure: Figure, path: PathLike) -> None:
    """Write the figure to a file; its extension (png, svg, pdf) sets the format."""
    figure.savefig(as_text(path))


def plain(ax: Axes, *, title: str = "", x: str = "", y: str = "", grid: bool = True) -> Axes:
    """Apply the common style to axes: two spines, a faint grid, a title on the left."""
    ax.spines[["top", "right"]].set_visible(False)
    ax.spines[["left", "bottom"]].set_color(GRAY)
    ax.tick_params(which="both", colors=GRAY, labelsize=8)
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


def add_colorbar(figure: Figure, image: Any, ax: Axes, label: str = "") -> None:
    """Add a color bar without a frame."""
    bar: Any = figure.colorbar(image, ax=ax, shrink=0.85, pad=0.02)
    bar.outline.set_visible(False)
    bar.ax.tick_params(colors=GRAY, labelsize=8, length=0)
    bar.set_label(label, fontsize=9)


# for the modules of this package


def axes(ax: Axes | None, width: float, height: float) -> tuple[Axes, Figure]:
    """Return the given axes and their figure, or axes on a new figure."""
    if ax is not None:
        return ax, figure_of(ax)
    figure = new_figure(width, height)
    return figure.subplots(), figure


def figure_of(ax: Axes) -> Figure:
    """Return the whole figure of the axes, also for axes of a sub-figure."""
    from matplotlib.axes import Axes as AnyAxes

    if not isinstance(ax, AnyAxes):
        raise ArgumentTypeError("ax", f"is {describe(ax)}", "matplotlib axes or None")
    parent: Any = ax.figure
    if parent is None:
        raise ArgumentValueError("ax", "belongs to no figure", "axes of a figure")
    whole: Figure = parent.figure  # of a figure: itself
    return whole


def finish(ax: Axes, figure: Figure, path: PathLike | None) -> Axes:
    """Save the figure if a path is given, and return the axes."""
    if path is not None:
        save(figure, path)
    return ax


def bare(ax: Axes) -> Axes:
    """Remove frame and tick marks, as for an image."""
    ax.spines[:].set_visible(False)
    ax.tick_params(length=0)
    return ax


def line(ax: Axes, x: ArrayLike, y: ArrayLike, **options: Any) -> None:
    """Draw a line that is interrupted where y is NaN or infinite.

    A single point between two gaps is drawn with a marker; as a line it would be invisible.
    """
    places, values = np.asarray(x), np.asarray(y, dtype=float)
    there = np.isfinite(values)
    before, after = np.append(False, there[:-1]), np.append(there[1:], False)
    alone = np.flatnonzero(there & ~before & ~after)
    if len(alone):
        options = {"marker": "o", "markersize": 4, "markevery": alone.tolist()} | options
    ax.plot(places, np.where(there, values, np.nan), **options)
    if places.size:  # the axis includes gaps at the ends
        ax.update_datalim([(place, 0.0) for place in (places.min(), places.max())], updatey=False)
        ax.autoscale_view()


def color_and_dash(i: int) -> dict[str, Any]:
    """Return the style of line i: seven colors that are visible on white, then the same colors dashed."""
    return {"color": COLORS[i % 7], "linestyle": ("-", (0, (4, 1.5)), (0, (1, 1)))[i // 7 % 3]}


def heat_map(ax: Axes, values: NDArray[np.float64], **options: Any) -> AxesImage:
    """Draw values (T, K) with one column per step and one row for each of K.

    With many steps a column is the mean of several; otherwise a pixel would show one step and drop others.
    """
    T, K = values.shape
    every = -(-T // _MOST_COLUMNS)
    starts = np.arange(0, T, every)
    counts = np.diff(np.append(starts, T))[:, None]
    columns = np.add.reduceat(values, starts, axis=0) / counts if every > 1 else values
    # The last column may have fewer steps, but is drawn as wide as the others.
    edges = (-0.5, len(starts) * every - 0.5, K - 0.5, -0.5)
    image = ax.imshow(columns.T, aspect="auto", interpolation="nearest", extent=edges, **options)
    ax.set_xlim(-0.5, T - 0.5)
    return image


def legend_inside(ax: Axes, points: int, otherwise: Corner) -> None:
    """Put the legend where it hides least, or in a corner: with many points the search takes too long."""
    ax.legend(frameon=False, fontsize=8, loc="best" if points <= _SEARCHED else otherwise)


def legend_beside(ax: Axes, *, reverse: bool = False, title: str | None = None, columns: int = 1) -> None:
    """Put the legend to the right of the axes, where it hides nothing."""
    handles, texts = ax.get_legend_handles_labels()
    order = slice(None, None, -1 if reverse else 1)
    ax.legend(
        handles[order],
        texts[order],
        title=title,
        title_fontsize=8,
        ncols=columns,
        frameon=False,
        fontsize=8,
        loc="center left",
        bbox_to_anchor=(1.0, 0.5),
    )


def whole_numbers(ax: Axes) -> None:
    """Put ticks of the horizontal axis at whole numbers only, since there is no epoch 1.5."""
    from matplotlib.ticker import MaxNLocator

    ax.xaxis.set_major_locator(MaxNLocator(nbins=7, integer=True, min_n_ticks=1))


def short(name: object) -> str:
    """Return a name without its middle if it is too long for a tick; names often differ at their ends."""
    text = str(name)
    if len(text) <= _LONGEST_NAME:
        return text
    half = (_LONGEST_NAME - 1) // 2
    return f"{text[:half]}…{text[-half:]}"


def room(names: Sequence[str]) -> float:
    """Return the length of the longest name, in inches."""
    return _LETTER * max((len(name_line) for name in names for name_line in name.split("\n")), default=0)


def name_steps(ax: Axes, count: int, names: Sequence[object] | None) -> None:
    """Label the steps by their numbers from 1, or by names; a long sequence gets fewer ticks."""
    if names is None:
        every = 1 if count <= 20 else _round(count / 8)
        at = range(every - 1, count, every)
        ax.set_xticks(at, [str(step + 1) for step in at])
        return
    if len(names) != count:
        raise ArgumentValueError("steps", f"has {len(names)} names", f"{count}: one a step")
    texts = [short(name) for name in names]
    each = width_of(ax) / count
    turned = room(texts) > each
    # Rotated names need the height of one line each.
    every = max(1, int(np.ceil(0.15 / each))) if turned else 1
    at = range(0, count, every)
    ax.set_xticks(at, [texts[step] for step in at], rotation=90 if turned else 0)


def name_seconds(ax: Axes, count: int, fs: float) -> None:
    """Label steps at a rate of ``fs`` Hz at round times; the first step is at 0 s."""
    from matplotlib.ticker import MaxNLocator

    end = (count - 1) / fs
    times = [t for t in MaxNLocator(nbins=8, steps=[1, 2, 5, 10]).tick_values(0.0, end) if 0.0 <= t <= end]
    ax.set_xticks([t * fs for t in times], [f"{t:g}" for t in times])


def width_of(ax: Axes) -> float:
    """Return the width of the axes in inches, before the layout makes room for labels."""
    return float(ax.get_window_extent().width / figure_of(ax).dpi)


def _round(number: float) -> int:
    """Return the smallest of 1, 2, 5, 10, 20, 50, 100, ... that is at least ``number``."""
    power = 10 ** int(np.floor(np.log10(number)))
    return next(int(k * power) for k in (1, 2, 5, 10) if k * power >= number)
