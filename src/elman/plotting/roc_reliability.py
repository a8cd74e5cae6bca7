"""ROC curves and reliability curves of a classifier's probabilities."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from elman._validation import refuse_mask
from elman.errors import ArgumentValueError
from elman.plotting.style import COLORS, GRAY, PathLike, axes, color_and_dash, finish, plain, short

if TYPE_CHECKING:
    from matplotlib.axes import Axes


def roc(
    y: ArrayLike,
    scores: ArrayLike,
    labels: Sequence[object] | None = None,
    ax: Axes | None = None,
    path: PathLike | None = None,
    *,
    title: str = "ROC",
) -> Axes:
    """Draw ROC curves: the true positive rate against the false positive rate, for every threshold.

    Parameters
    ----------
    y : (n,) labels
    scores : (n,) or (n, C)
        (n,): a high score stands for the second of the two labels. (n, C), as from ``predict_proba``: one
        line per class, that class against all others; of two classes only the second.
    labels : (C,) or None
        The labels of the columns, as in ``classes_``; for scores (n,), the negative and the positive label.
        None takes all that occur, sorted.

    Raises
    ------
    ValueError
        For shapes that do not fit, labels that are not listed, and a class with no rows or with all rows.

    >>> ax = roc(["rest", "rest", "seizure", "seizure"], [0.1, 0.6, 0.4, 0.9])
    >>> [text.get_text() for text in ax.get_legend().get_texts()]
    ['seizure: area 0.750']
    """
    from sklearn.metrics import roc_auc_score, roc_curve

    refuse_mask("y", y)
    refuse_mask("scores", scores)
    truth, values = np.asarray(y), np.asarray(scores, dtype=np.float64)
    if truth.ndim != 1 or not len(truth):
        raise ArgumentValueError("y", f"has shape {truth.shape}", "(n,), n at least 1")
    columns = values[:, None] if values.ndim == 1 else values
    if columns.ndim != 2 or len(columns) != len(truth) or not np.isfinite(values).all():
        n = len(truth)
        raise ArgumentValueError("scores", f"has shape {values.shape}", f"finite ({n},) or ({n}, C)")
    names = _names(truth, labels, max(2, columns.shape[1]))
    if columns.shape[1] <= 2:  # the line of the other class would be the same line, rotated
        names, columns = names[1:], columns[:, -1:]
    ax, figure = axes(ax, 4.6, 4.2)
    ax.plot([0, 1], [0, 1], color=GRAY, linewidth=0.8, linestyle=(0, (4, 3)))
    for i, name in enumerate(names):
        hit = truth == name
        if hit.all() or not hit.any():
            some = "only" if hit.any() else "no"
            raise ArgumentValueError("y", f"has {some} rows of {name!r}", "some of it and others")
        false, right, _ = roc_curve(hit, columns[:, i])
        area = roc_auc_score(hit, columns[:, i])
        look = color_and_dash(i)
        ax.plot(false, right, linewidth=1.6, label=f"{short(name)}: area {area:.3f}", **look)
    ax.set_xlim(-0.01, 1.01)
    ax.set_ylim(-0.01, 1.01)
    ax.legend(frameon=False, fontsize=8, loc="lower right")
    plain(ax, title=title, x="false positive rate (1 - specificity)", y="true positive rate (sensitivity)")
    return finish(ax, figure, path)


def reliability(
    y: ArrayLike,
    probabilities: ArrayLike,
    ax: Axes | None = None,
    path: PathLike | None = None,
    *,
    bins: int = 10,
    classes: ArrayLike | None = None,
    label: str = "",
) -> Axes:
    """Draw how often answers are right against their predicted probability.

    Arguments and errors are those of `elman.evaluation.reliability`. Below the diagonal the classifier is
    overconfident. The area of a dot is its share of the answers. The legend has the expected calibration
    error. With the ``ax`` of an earlier call, another curve is added to the first.

    >>> ax = reliability([0, 1, 1, 1], [[0.9, 0.1], [0.4, 0.6], [0.6, 0.4], [0.1, 0.9]], bins=2, label="net")
    >>> [text.get_text() for text in ax.get_legend().get_texts()]
    ['net: calibration error 0.000']
    """
    from elman.evaluation import reliability as measured

    curve = measured(y, probabilities, bins=bins, classes=classes)
    ax, figure = axes(ax, 4.6, 4.2)
    known = len(ax.collections)  # curves of earlier calls
    if not known:
        ax.plot([0, 1], [0, 1], color=GRAY, linewidth=0.8, linestyle=(0, (4, 3)))
    color = COLORS[known % len(COLORS)]
    name = f"{label}: " if label else ""
    ax.plot(
        curve.confidence,
        curve.accuracy,
        color=color,
        linewidth=1.4,
        label=f"{name}calibration error {curve.error:.3f}",
    )
    ax.scatter(curve.confidence, curve.accuracy, s=_areas(curve.counts), color=color, linewidth=0)
    ax.set_xlim(-0.02, 1.02)
    ax.set_ylim(-0.02, 1.02)
    ax.legend(frameon=False, fontsize=8, loc="upper left")
    plain(ax, title="reliability", x="probability given", y="share that was right")
    return finish(ax, figure, path)


def _areas(counts: NDArray[np.int64]) -> NDArray[np.float64]:
    """Return areas of dots in square points; the smallest are still visible."""
    areas: NDArray[np.float64] = np.maximum(300.0 * counts / counts.sum(), 6.0)
    return areas


def _names(truth: Any, labels: Sequence[object] | None, count: int) -> list[Any]:
    """Return the labels of the columns as plain Python values."""
    found = np.unique(truth)
    names = found if labels is None else np.asarray(list(labels))
    if names.shape != (count,):
        where = "y" if labels is None else "labels"
        raise ArgumentValueError(where, f"has {len(names)} labels", f"{count}: one a column of scores")
    unknown = [value for value in found.tolist() if value not in names.tolist()]
    if unknown:
        raise ArgumentValueError("y", f"has the label {unknown[0]!r}", f"one of {names.tolist()}")
    return list(names.tolist())
