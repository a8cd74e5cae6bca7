"""Calibration: the curve and its error by hand, the temperature against a grid, and their pictures."""

import re

import numpy as np
import pytest
from scipy.special import log_softmax, softmax
from sklearn.base import clone
from sklearn.exceptions import ConvergenceWarning, NotFittedError
from sklearn.metrics import auc

from elman import plotting
from elman.evaluation import TemperatureScaling, reliability


def answers(seed, n, temperature, C=3):
    """Logits that are ``temperature`` times too sure, and labels drawn from the right probabilities."""
    generator = np.random.default_rng(seed)
    z = 2 * generator.normal(size=(n, C))
    y = (generator.random((n, 1)) > softmax(z, axis=1).cumsum(axis=1)).sum(axis=1)
    return temperature * z, np.minimum(y, C - 1)


def test_the_curve_by_hand():
    """Sure to 0.55 (one of two right), to 0.75 (right) and to 0.95 (two of three right)."""
    P = [[0.55, 0.45], [0.45, 0.55], [0.75, 0.25], [0.95, 0.05], [0.05, 0.95], [0.95, 0.05]]
    curve = reliability([0, 0, 0, 0, 1, 1], P)
    assert curve.counts.tolist() == [2, 1, 3]
    np.testing.assert_allclose(curve.confidence, [0.55, 0.75, 0.95])
    np.testing.assert_allclose(curve.accuracy, [0.5, 1.0, 2 / 3])
    assert curve.error == pytest.approx((2 * 0.05 + 1 * 0.25 + 3 * (0.95 - 2 / 3)) / 6)


def test_the_probability_of_one_class():
    curve = reliability([0, 0, 1, 1], [0.1, 0.3, 0.3, 0.9], bins=5)
    np.testing.assert_allclose(curve.confidence, [0.1, 0.3, 0.9])
    np.testing.assert_allclose(curve.accuracy, [0.0, 0.5, 1.0])
    assert curve.error == pytest.approx((0.1 + 2 * 0.2 + 0.1) / 4)


def test_a_probability_on_the_bound_of_two_bins_is_in_the_lower_one():
    curve = reliability([1, 0], [0.5, 0.75], bins=2)
    assert curve.counts.tolist() == [1, 1] and curve.confidence.tolist() == [0.5, 0.75]


@pytest.mark.parametrize("bins", [1, 2, 7, 10])
def test_every_answer_is_in_one_bin(bins):
    z, y = answers(0, 500, 1.0)
    P = softmax(z, axis=1)
    P[:3] = np.eye(3)  # exactly 0 and 1, the ends of the bins
    curve = reliability(y, P, bins=bins)
    assert curve.counts.sum() == 500
    assert curve.counts @ curve.confidence == pytest.approx(P.max(axis=1).sum())
    assert curve.counts @ curve.accuracy == pytest.approx((P.argmax(axis=1) == y).sum())
    assert (np.diff(curve.confidence) > 0).all()


def test_right_probabilities_are_calibrated_and_too_sure_ones_are_not():
    z, y = answers(1, 20_000, 1.0)
    assert reliability(y, softmax(z, axis=1)).error < 0.02
    assert reliability(y, softmax(3 * z, axis=1)).error > 0.1


def test_labels_are_those_of_the_columns():
    z, y = answers(2, 300, 1.0)
    P, names = softmax(z, axis=1), np.array(["A", "D", "E"])
    named = reliability(names[y], P, classes=names)
    np.testing.assert_array_equal(named.accuracy, reliability(y, P).accuracy)
    scaling = TemperatureScaling(classes=names).fit(P, names[y])
    assert scaling.temperature_ == TemperatureScaling().fit(P, y).temperature_


@pytest.mark.parametrize("temperature", [0.4, 1.0, 2.5])
@pytest.mark.parametrize("logits", [False, True])
def test_the_temperature_is_found_and_is_the_best(temperature, logits):
    z, y = answers(3, 20_000, temperature)
    scaling = TemperatureScaling(logits=logits).fit(z if logits else softmax(z, axis=1), y)
    assert scaling.temperature_ == pytest.approx(temperature, rel=0.05)
    grid = np.linspace(0.8, 1.25, 91) * scaling.temperature_
    losses = [-log_softmax(z / t, axis=1)[np.arange(len(y)), y].mean() for t in grid]
    assert np.argmin(losses) in (39, 40, 41)  # grid[40] is the temperature found


def test_scaled_probabilities_keep_their_order_and_become_calibrated():
    z, y = answers(4, 4000, 4.0)
    held_out, rest = softmax(z[:2000], axis=1), softmax(z[2000:], axis=1)
    scaled = TemperatureScaling().fit(held_out, y[:2000]).predict_proba(rest)
    np.testing.assert_allclose(scaled.sum(axis=1), 1.0)
    np.testing.assert_array_equal(scaled.argmax(axis=1), rest.argmax(axis=1))
    assert reliability(y[2000:], rest).error > 0.15
    assert reliability(y[2000:], scaled).error < 0.05


def test_a_probability_of_zero_that_came_true_is_no_infinity():
    P = np.array([[1.0, 0.0], [0.0, 1.0], [1.0, 0.0]], np.float32)
    with pytest.warns(ConvergenceWarning, match="the best temperature lies at or beyond 20"):
        scaled = TemperatureScaling().fit(P, [0, 1, 1]).predict_proba(P)
    assert np.isfinite(scaled).all()


def test_where_all_is_right_the_end_is_reached_and_said():
    with pytest.warns(
        ConvergenceWarning,
        match="the best temperature lies at or beyond 0.05, the end of the search; all answers are right",
    ):
        scaling = TemperatureScaling().fit([[0.9, 0.1], [0.2, 0.8]], [0, 1])
    assert scaling.temperature_ == pytest.approx(0.05)


def test_it_is_an_estimator_of_scikit_learn():
    scaling = TemperatureScaling(logits=True)
    assert clone(scaling).get_params() == {"logits": True, "classes": None}
    with pytest.raises(NotFittedError):
        scaling.predict_proba([[0.5, 0.5]])
    z, y = answers(5, 50, 1.0)
    with pytest.raises(ValueError, match="X has 2 columns, expected 3 as in fit"):
        scaling.fit(z, y).predict_proba(z[:, :2])


def fit(y, P):
    return TemperatureScaling().fit(P, y)


@pytest.mark.parametrize("call", [reliability, fit, plotting.reliability])
@pytest.mark.parametrize(
    ("y", "P", "sentence"),
    [
        ([0, 1], [[0.5, 0.6], [0.5, 0.5]], "row 0 of the probabilities is [0.5, 0.6], expected numbers fr"),
        ([0, 1], [[1.5, -0.5], [0.5, 0.5]], "row 0 of the probabilities is [1.5, -0.5], expected number"),
        ([0, 1], [[np.nan, 1], [0.5, 0.5]], "the probabilities have nan in row 0, expected finite numbers"),
        ([0, 2], [[0.5, 0.5]] * 2, "y[1] is 2, expected a class index from 0 to 1"),
        (["a", "b"], [[0.5, 0.5]] * 2, "y[0] is 'a', expected a class index from 0 to 1"),
        ([0], [[0.5, 0.5]] * 2, "y has shape (1,), expected (2,): one label a row of probabilities"),
        ([0], [[1.0]], "the probabilities have shape (1, 1), expected (n, C), C at least 2"),
        ([], np.zeros((0, 2)), "the probabilities have shape (0, 2), expected (n, C), C at least 2"),
    ],
)
def test_wrong_arguments(call, y, P, sentence):
    with pytest.raises(ValueError, match=re.escape(sentence)):
        call(y, P)


def test_wrong_options():
    P = [[0.5, 0.5]] * 2
    with pytest.raises(ValueError, match="bins is 0, expected an integer of at least 1"):
        reliability([0, 1], P, bins=0)
    with pytest.raises(ValueError, match=r"classes has shape \(2,\), expected \(2,\): a label a column, no"):
        reliability([0, 1], P, classes=[0, 0])
    with pytest.raises(ValueError, match=r"y\[0\] is 'C', expected one of \['A', 'B'\]"):
        reliability(["C", "A"], P, classes=["A", "B"])
    with pytest.raises(TypeError, match=r"logits is 1 \(a int\), expected True or False"):
        TemperatureScaling(logits=1).fit(P, [0, 1])


# ------------------------------------------------------------------------------------------------- pictures


def lines(ax):
    return {line.get_label(): line for line in ax.get_lines() if not line.get_label().startswith("_")}


def test_the_roc_of_two_classes():
    pytest.importorskip("matplotlib")
    ax = plotting.roc([0, 0, 1, 1, 1], [0.1, 0.7, 0.4, 0.8, 0.9], labels=[0, 1])
    (name, line), *none = lines(ax).items()
    assert name == "1: area 0.833" and not none  # five of six pairs are in order
    assert auc(line.get_xdata(), line.get_ydata()) == pytest.approx(5 / 6)
    p = np.array([0.1, 0.7, 0.4, 0.8, 0.9])
    both = plotting.roc([0, 0, 1, 1, 1], np.stack([1 - p, p], axis=1))
    np.testing.assert_array_equal(lines(both)[name].get_xydata(), line.get_xydata())


def test_the_roc_of_many_classes_has_a_line_each(tmp_path):
    pytest.importorskip("matplotlib")
    z, y = answers(6, 200, 1.0)
    names = np.array(["A", "D", "E"])
    ax = plotting.roc(names[y], softmax(z, axis=1), path=tmp_path / "roc.png")
    assert [label.split(":")[0] for label in lines(ax)] == ["A", "D", "E"]
    assert (tmp_path / "roc.png").stat().st_size > 5000
    assert plotting.roc(names[y], softmax(z, axis=1), names, ax) is ax


@pytest.mark.parametrize(
    ("y", "scores", "labels", "sentence"),
    [
        ([0, 1], [0.1], None, "scores has shape (1,), expected finite (2,) or (2, C)"),
        ([0, 1], [0.1, np.nan], None, "scores has shape (2,), expected finite (2,) or (2, C)"),
        ([0, 0], [0.1, 0.2], None, "y has 1 labels, expected 2: one a column of scores"),
        ([0, 0], [0.1, 0.2], [0, 1], "y has no rows of 1, expected some of it and others"),
        ([1, 1], [0.1, 0.2], [0, 1], "y has only rows of 1, expected some of it and others"),
        ([0, 2], [0.1, 0.2], [0, 1], "y has the label 2, expected one of [0, 1]"),
        ([0, 1], np.ones((2, 3)), [0, 1], "labels has 2 labels, expected 3: one a column of scores"),
        ([], [], None, "y has shape (0,), expected (n,), n at least 1"),
    ],
)
def test_wrong_arguments_of_a_roc(y, scores, labels, sentence):
    pytest.importorskip("matplotlib")
    with pytest.raises(ValueError, match=re.escape(sentence)):
        plotting.roc(y, scores, labels)


def test_the_picture_of_reliability(tmp_path):
    pytest.importorskip("matplotlib")
    z, y = answers(7, 500, 3.0)
    P = softmax(z, axis=1)
    ax = plotting.reliability(y, P, label="before")
    scaled = TemperatureScaling().fit(P, y).predict_proba(P)
    assert plotting.reliability(y, scaled, ax, tmp_path / "reliability.png", label="after") is ax
    drawn, curve = lines(ax), reliability(y, P)
    assert list(drawn) == [
        f"before: calibration error {curve.error:.3f}",
        f"after: calibration error {reliability(y, scaled).error:.3f}",
    ]
    np.testing.assert_array_equal(next(iter(drawn.values())).get_ydata(), curve.accuracy)
    assert len({line.get_color() for line in drawn.values()}) == 2
    sizes = ax.collections[0].get_sizes()
    assert np.argmax(sizes) == np.argmax(curve.counts)
    assert (tmp_path / "reliability.png").stat().st_size > 5000
