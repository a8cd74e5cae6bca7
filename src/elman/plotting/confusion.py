"""The confusion matrix: how often each class is predicted as each other class."""

from __future__ import annotations

from collections.abc import Hashable, Iterable
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
from numpy.typing import NDArray

from elman._validation import describe, refuse_mask
from elman.data.input_types import TargetInput
from elman.data.sequences import Sequences
from elman.errors import ArgumentTypeError, ArgumentValueError
from elman.plotting.style import PathLike, add_colorbar, axes, bare, finish, new_figure, plain, room, short

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

_APART = 0.06  # inches between two names
_SMALLEST = 5.0  # points, the smallest readable size of a count


def confusion_matrix(
    expected: TargetInput,
    predicted: TargetInput,
    labels: Iterable[object] | None = None,
    ax: Axes | None = None,
    path: PathLike | None = None,
) -> Axes:
    """Draw the counts of expected classes (rows) against predicted classes (columns).

    The color is the share of the row, so that rare classes are as visible as common ones. If the cells are
    too small for counts, there is a color bar instead.

    Parameters
    ----------
    expected, predicted : arrays or lists of the same number of answers, of any shape
        Strings, numbers or bools; ragged lists (one label per step) are joined.
    labels : list or None
        The classes in their order; None takes all that occur, sorted. Integer answers are indices into the
        list, from 0, unless the labels are numbers or bools themselves.

    Raises
    ------
    TypeError, ValueError
        For different numbers of answers, no answers, or an answer that is not among the labels.

    >>> ax = confusion_matrix(["wake", "rem", "wake"], ["wake", "wake", "wake"])
    >>> ax.get_title(loc="left"), [tick.get_text() for tick in ax.get_yticklabels()]
    ('2 of 3 right (66.7%)', ['rem', 'wake'])
    """
    truth, guess = _answers("expected", expected), _answers("predicted", predicted)
    if len(truth) != len(guess) or not truth:
        raise ArgumentValueError(
            "expected",
            f"has {len(truth)} answers and predicted {len(guess)}, both need the same number, at least 1",
        )
    classes = _sorted({*truth, *guess}) if labels is None else _classes(labels)
    named = labels is not None and not any(isinstance(label, (bool, int, float)) for label in classes)
    rows, columns = _places("expected", truth, classes, named), _places("predicted", guess, classes, named)
    size = len(classes)
    counts = np.zeros((size, size), dtype=np.int64)
    np.add.at(counts, (rows, columns), 1)
    names = [short(label) for label in classes]
    # Square cells in a narrow panel would be so small that the labels leave the picture.
    aspect: Literal["auto", "equal"] = "auto" if ax is not None else "equal"
    ax, figure, cell = _cells(ax, names)
    shares = counts / np.maximum(counts.sum(axis=1, keepdims=True), 1)
    image = ax.imshow(shares, cmap="Blues", vmin=0.0, vmax=1.0, aspect=aspect)
    right = int(np.trace(counts))
    title = f"{right} of {len(truth)} right ({right / len(truth):.1%})"
    bare(plain(ax, title=title, x="predicted", y="expected", grid=False))
    if not _write_counts(ax, counts, shares, cell):
        add_colorbar(figure, image, ax, "share of the row")
    _name_classes(ax, names, cell)
    return finish(ax, figure, path)


def _answers(name: str, given: Any) -> list[Hashable]:
    """Return answers of any shape as one flat list of plain Python values."""
    refuse_mask(name, given)
    flat: list[Any] = []
    _flatten(given, flat)
    for value in flat:
        if not isinstance(value, Hashable) or value != value:  # noqa: PLR0124 (NaN is unlike itself)
            raise ArgumentValueError(name, f"has {describe(value)}", "labels: strings, numbers or bools")
    return flat


def _flatten(given: Any, flat: list[Any]) -> None:
    if hasattr(given, "__array__"):
        array = np.asarray(given)
        if array.dtype.kind == "O" and array.ndim:
            for item in array.ravel():
                _flatten(item, flat)
        else:
            flat += array.ravel().tolist()
    elif isinstance(given, (list, tuple, range, Sequences)):
        for item in given:
            _flatten(item, flat)
    else:
        flat.append(given)


def _classes(labels: Any) -> list[Hashable]:
    """Return labels as plain Python values, so that they compare equal to answers."""
    if not isinstance(labels, Iterable):
        raise ArgumentTypeError("labels", f"is {describe(labels)}", "a list with one label a class")
    classes = _answers("labels", list(labels))
    if len(set(classes)) < len(classes):
        twice = next(label for i, label in enumerate(classes) if label in classes[:i])
        raise ArgumentValueError("labels", f"has {twice!r} twice", "each class once")
    return classes


def _sorted(values: set[Any]) -> list[Any]:
    try:
        return sorted(values)
    except TypeError:  # of kinds without a common order, such as strings and numbers
        return sorted(values, key=lambda value: (type(value).__name__, str(value)))


def _places(name: str, values: list[Hashable], classes: list[Hashable], named: bool) -> NDArray[np.int64]:
    """Return the place of each answer in the list of classes.

    ``named``: the classes are names of the indices 0, 1, ...
    """
    place = {label: i for i, label in enumerate(classes)}
    if named and all(isinstance(value, int) and not isinstance(value, bool) for value in values):
        place = {i: i for i in range(len(classes))}
    try:
        return np.array([place[value] for value in values], dtype=np.int64)
    except KeyError as error:
        value = error.args[0]
    if named and isinstance(value, int) and not isinstance(value, bool):
        raise ArgumentValueError(
            name, f"has class index {value}", f"indices from 0 to {len(classes) - 1}: one a label"
        )
    known = ", ".join(map(repr, classes[:12])) + (", ..." if len(classes) > 12 else "")
    raise ArgumentValueError(name, f"has {value!r}", f"one of the labels: {known}")


def _cells(ax: Axes | None, names: list[str]) -> tuple[Axes, Figure, float]:
    """Return axes with one cell per pair of classes, their figure, and the side of a cell in inches."""
    n, longest = len(names), room(names)
    if ax is not None:
        ax, figure = axes(ax, 0.0, 0.0)
        box = ax.get_window_extent()
        return ax, figure, float(min(box.width, box.height) / figure.dpi / n)
    # With few classes the cells are as wide as the names, with many they are smaller.
    cell = min(max(0.4, longest + _APART if longest < 0.7 and n <= 6 else 0.0), 7.0 / n)
    above = longest if longest + _APART > cell else 0.2
    figure = new_figure(max(cell * n + longest + 0.9, 2.8), max(cell * n, 0.8) + above + 0.8)
    return figure.subplots(), figure, cell


def _write_counts(ax: Axes, counts: NDArray[np.int64], shares: NDArray[np.float64], cell: float) -> bool:
    """Write the counts into the cells; return False if they would be too small to read."""
    letters = len(str(counts.max()))
    size = min(8.0, 72.0 * 0.9 * cell / max(0.6 * letters, 1.2))
    if size < _SMALLEST:
        return False
    for row, column in zip(*np.nonzero(counts), strict=True):
        ink = "white" if shares[row, column] > 0.55 else "#222222"
        ax.text(column, row, str(counts[row, column]), ha="center", va="center", color=ink, fontsize=size)
    return True


def _name_classes(ax: Axes, names: list[str], cell: float) -> None:
    every = max(1, int(np.ceil(0.13 / cell)))  # cells that a line of text needs
    at = range(0, len(names), every)
    shown = [names[i] for i in at]
    turned = room(shown) + _APART > cell * every
    ax.set_xticks(at, shown, rotation=90 if turned else 0)
    ax.set_yticks(at, shown)
    if cell * every < 0.16:
        ax.tick_params(labelsize=7)
