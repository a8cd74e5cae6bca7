"""Pictures: what is drawn, on which axes, and that pyplot is never touched."""

from __future__ import annotations

import re
import subprocess
import sys
from itertools import pairwise

import numpy as np
import pytest

pytest.importorskip("matplotlib")

from matplotlib.figure import Figure

import elman
from elman import plotting
from elman.network.sensitivity import gradient_norms
from elman.plotting import style
from elman.plotting.states_gradients import quartiles
from elman.training import callbacks

STATES = np.tanh(np.random.default_rng(0).standard_normal((6, 4)))
PROBABILITIES = np.random.default_rng(1).dirichlet(np.ones(3), size=6)
HISTORY = {"loss": [1.0, 0.5], "accuracy": [0.5, 1.0], "val_loss": [1.1, 0.7], "val_accuracy": [0.4, 0.9]}


@pytest.fixture
def ax():
    return Figure().subplots()


def test_curves_has_a_panel_for_loss_and_each_metric(tmp_path):
    path = tmp_path / "curves.png"
    first = plotting.curves(HISTORY, path=path)
    assert [panel.get_ylabel() for panel in first.figure.axes] == ["loss", "accuracy"]
    assert all(panel.get_xlabel() == "epoch" for panel in first.figure.axes)
    assert [line.get_label() for line in first.lines] == ["training", "validation"]
    np.testing.assert_array_equal(first.lines[0].get_xdata(), [1, 2])
    np.testing.assert_array_equal(first.lines[1].get_ydata(), HISTORY["val_loss"])
    assert path.read_bytes().startswith(b"\x89PNG")


def test_curves_on_given_axes_draws_the_losses(ax):
    assert plotting.curves(HISTORY, ax=ax) is ax
    assert len(ax.lines) == 2
    assert ax.get_ylabel() == "loss"


def test_one_epoch_is_visible(ax):
    plotting.curves({"loss": [1.0]}, ax=ax)
    assert ax.lines[0].get_marker() == "o"


def test_nan_is_a_gap_and_a_point_between_gaps_is_visible(ax):
    plotting.curves({"loss": [np.nan, 1.0, np.nan, 3.0, 2.0, np.inf]}, ax=ax)
    drawn = ax.lines[0]
    np.testing.assert_array_equal(drawn.get_ydata(), [np.nan, 1.0, np.nan, 3.0, 2.0, np.nan])
    assert drawn.get_markevery() == [1]
    low, high = ax.get_xlim()
    assert low <= 1 and high >= 6  # the epochs without a number are on the axis too


def test_a_metric_that_is_nan_throughout_says_so():
    first = plotting.curves({"loss": [1.0, 0.5], "accuracy": [np.nan, np.nan]})
    accuracy = first.figure.axes[1]
    assert accuracy.texts[0].get_text() == "NaN in every epoch"
    assert len(accuracy.get_yticks()) == 0 and len(first.get_yticks()) > 0
    assert len(first.texts) == 0


def test_epochs_are_whole_numbers():
    for epochs in (1, 2, 3, 1000):
        ax = plotting.curves({"loss": np.linspace(2, 1, epochs).tolist()})
        ticks = ax.get_xticks()
        assert len(ticks) >= 1 and (ticks == np.round(ticks)).all()


def test_validation_alone_is_drawn():
    ax = plotting.curves({"val_loss": [1.0, 0.5]})
    assert ax.get_ylabel() == "loss"
    assert [drawn.get_label() for drawn in ax.lines] == ["validation"]


def test_a_long_history_is_drawn_at_once_without_a_search_for_the_legend():
    values = np.linspace(2, 1, 200_000)
    ax = plotting.curves({"loss": values, "val_loss": values})
    assert ax.get_legend()._loc != 0  # "best", which matplotlib itself calls slow here
    ax.figure.draw_without_rendering()
    np.testing.assert_array_equal(ax.lines[1].get_ydata(), values)


@pytest.mark.parametrize("history", [{}, {"loss": []}])
def test_curves_of_nothing(history):
    with pytest.raises(ValueError, match="history is empty"):
        plotting.curves(history)


def test_history_plot(tmp_path):
    net = elman.Network([elman.SimpleRNN(2)], input_size=1, seed=0)
    history = net.fit(np.zeros((3, 2, 1)), np.zeros((3, 2)), epochs=2, verbose=False)
    history.plot(tmp_path / "curves.png")
    assert (tmp_path / "curves.png").stat().st_size > 1000


def test_confusion_matrix_counts(tmp_path):
    ax = plotting.confusion_matrix(
        [0, 0, 1, 2], [0, 1, 1, 2], labels=["x", "y", "z"], path=tmp_path / "c.svg"
    )
    assert {text.get_text() for text in ax.texts} == {"1"}
    assert sorted(text.get_position() for text in ax.texts) == [(0, 0), (1, 0), (1, 1), (2, 2)]
    assert [label.get_text() for label in ax.get_xticklabels()] == ["x", "y", "z"]
    assert "3 of 4 right (75.0%)" in ax.get_title(loc="left")
    assert (tmp_path / "c.svg").exists()


@pytest.mark.parametrize(
    ("expected", "predicted", "labels", "sentence"),
    [
        ([0, 1], [0], None, "expected has 2 answers and predicted 1"),
        ([], [], None, "at least 1"),
        ([0, -1], [0, 0], ["a", "b"], "expected has class index -1, expected indices from 0 to 1"),
        ([0, 1], [0, 2], ["a", "b"], "predicted has class index 2, expected indices from 0 to 1"),
        (["a", "c"], ["a", "a"], ["a", "b"], "expected has 'c', expected one of the labels: 'a', 'b'"),
        ([1, 2], [1, 0], [1, 2, 3], "predicted has 0, expected one of the labels: 1, 2, 3"),
        (["a"], [2], ["a", "b"], "predicted has class index 2, expected indices from 0 to 1"),
        (["a"], [True], ["a", "b"], "predicted has True, expected one of the labels"),
        ([0], [0], ["a", "a"], "labels has 'a' twice"),
        ([0.5, np.nan], [0.5, 0.5], None, "expected has nan"),
        ([{}], [0], None, r"expected has {} \(a dict\)"),
    ],
)
def test_confusion_matrix_of_bad_input(expected, predicted, labels, sentence):
    with pytest.raises(ValueError, match=sentence):
        plotting.confusion_matrix(expected, predicted, labels)


def matrix(ax):
    """The counts that are written into the cells, and the names."""
    names = [label.get_text() for label in ax.get_yticklabels()]
    assert names == [label.get_text() for label in ax.get_xticklabels()]
    counts = np.zeros((len(names), len(names)), int)
    for text in ax.texts:
        column, row = text.get_position()
        counts[row, column] = int(text.get_text())
    return names, counts.tolist()


@pytest.mark.parametrize(
    ("expected", "predicted", "labels", "names", "counts"),
    [
        (["b", "a", "b"], ["b", "b", "b"], None, ["a", "b"], [[0, 1], [0, 2]]),
        (["b", "a", "b"], ["b", "b", "b"], ["b", "a"], ["b", "a"], [[2, 0], [1, 0]]),
        ([True, False], [True, True], None, ["False", "True"], [[0, 1], [0, 1]]),
        ([True, False], [1, 1], [False, True], ["False", "True"], [[0, 1], [0, 1]]),
        ([10, 30, 30], [30, 30, 10], None, ["10", "30"], [[0, 1], [1, 1]]),
        ([10, 30], [30, 30], [30, 20, 10], ["30", "20", "10"], [[1, 0, 0], [0, 0, 0], [1, 0, 0]]),
        ([1, 2], [2, 2], [1, 2, 3], ["1", "2", "3"], [[0, 1, 0], [0, 1, 0], [0, 0, 0]]),  # values, no places
        ([0, 1], [1, 1], "xyz", ["x", "y", "z"], [[0, 1, 0], [0, 1, 0], [0, 0, 0]]),  # places
        (["x", "y"], [1, 1], "xyz", ["x", "y", "z"], [[0, 1, 0], [0, 1, 0], [0, 0, 0]]),  # of predict, say
        ([-1, 0], [0, 0], None, ["-1", "0"], [[0, 1], [0, 1]]),
        (["a", 1], [1, 1], None, ["1", "a"], [[1, 0], [1, 0]]),  # without an order between them
        (np.array([0.5, 2.0]), np.array([2.0, 2.0]), None, ["0.5", "2.0"], [[0, 1], [0, 1]]),
        (np.array(["u", "v"]), ["v", "v"], np.array(["v", "u"]), ["v", "u"], [[1, 0], [1, 0]]),
        ([[0, 1], [1]], [np.array([1, 1]), np.array([1])], ["a", "b"], ["a", "b"], [[0, 1], [0, 2]]),
        (np.eye(2, dtype=int), np.eye(2, dtype=int), None, ["0", "1"], [[2, 0], [0, 2]]),
        (["one"], ["one"], None, ["one"], [[1]]),
    ],
)
def test_confusion_matrix_takes_labels_of_any_kind(expected, predicted, labels, names, counts):
    assert matrix(plotting.confusion_matrix(expected, predicted, labels)) == (names, counts)


def test_confusion_matrix_of_sequences_of_labels():
    sequences = elman.Sequences(np.array([0, 1, 1]), [0, 1, 3])
    assert matrix(plotting.confusion_matrix(sequences, [[0], [1, 0]]))[1] == [[1, 0], [1, 1]]


def test_confusion_matrix_colors_are_shares_of_the_row():
    ax = plotting.confusion_matrix([0, 0, 0, 0, 1], [0, 0, 0, 1, 1])
    np.testing.assert_array_equal(ax.images[0].get_array(), [[0.75, 0.25], [0.0, 1.0]])


def overlap(labels):
    """Whether two neighboring tick labels touch."""
    boxes = [label.get_window_extent() for label in labels]
    return any(a.overlaps(b) for a, b in pairwise(boxes))


@pytest.mark.parametrize("size", [1, 2, 10, 30, 100])
@pytest.mark.parametrize("name", ["{}", "class number {}", "a name that is much too long for any tick {}"])
def test_confusion_matrix_is_readable_at_any_size(size, name):
    classes = np.arange(size)
    ax = plotting.confusion_matrix(classes, classes, [name.format(i) for i in classes])
    ax.figure.draw_without_rendering()
    whole = ax.figure.bbox
    for axis, count in ((ax.xaxis, ax.get_xticks()), (ax.yaxis, ax.get_yticks())):
        labels = axis.get_ticklabels()
        assert len(labels) == len(count) >= min(size, 30)
        assert not overlap(labels)
        for label in labels:
            box = label.get_window_extent()
            assert box.x0 >= whole.x0 and box.y0 >= whole.y0 and box.x1 <= whole.x1 and box.y1 <= whole.y1
    assert max(ax.figure.get_size_inches()) < 13
    assert len(ax.texts) == (0 if size == 100 else size)
    assert len(ax.figure.axes) == (2 if size == 100 else 1)  # the color bar stands for the counts
    cell = ax.get_window_extent().width / size
    assert all(text.get_window_extent().width < cell for text in ax.texts)


def test_few_classes_have_room_for_their_names():
    """Side by side, not turned, as far as that goes."""
    turned = {}
    for name in ("seizure", "a long name of a class"):
        ax = plotting.confusion_matrix([0, 1], [0, 1], [f"{name} 1", f"{name} 2"])
        turned[name] = {label.get_rotation() for label in ax.get_xticklabels()}
    assert list(turned.values()) == [{0.0}, {90.0}]


def test_confusion_matrix_in_a_small_panel_drops_its_counts():
    figure = Figure(figsize=(3, 2), layout="constrained")
    left, right = figure.subplots(1, 2)
    classes = np.arange(20)
    plotting.confusion_matrix(classes, classes, ax=left)
    plotting.confusion_matrix([0, 1], [0, 1], ax=right)
    assert len(left.texts) == 0
    assert len(right.texts) == 2
    assert left.get_aspect() == "auto"  # squares would push titles out of a narrow panel


def test_hidden_states_is_a_map_over_time(ax):
    assert plotting.hidden_states(STATES, ax) is ax
    image = ax.images[0]
    np.testing.assert_array_equal(image.get_array(), STATES.T)
    low, high = image.get_clim()
    assert low == -high == -np.abs(STATES).max()
    assert [label.get_text() for label in ax.get_xticklabels()] == list("123456")


def test_hidden_states_that_are_never_negative_use_a_one_sided_scale(ax):
    plotting.hidden_states(np.abs(STATES), ax)
    assert ax.images[0].get_clim()[0] == 0.0


def test_hidden_states_of_zeros(ax):
    plotting.hidden_states(np.zeros((2, 3)), ax)
    assert ax.images[0].get_clim() == (0.0, 1.0)


def test_sorted_units_peak_one_after_the_other(ax):
    plotting.hidden_states(STATES, ax, sort=True)
    peaks = np.asarray(ax.images[0].get_array()).argmax(axis=1)
    assert (np.diff(peaks) >= 0).all()


@pytest.mark.parametrize("bad", [np.zeros(3), np.zeros((1, 2, 3)), np.zeros((0, 3))])
def test_states_and_probabilities_of_one_sequence_only(bad):
    with pytest.raises(ValueError, match="of one sequence"):
        plotting.hidden_states(bad)
    with pytest.raises(ValueError, match="of one sequence"):
        plotting.probabilities(bad)


def test_probabilities_draws_a_line_a_class(ax):
    assert plotting.probabilities(PROBABILITIES, ["a", "b", "c"], ax, highlight=1) is ax
    assert len(ax.lines) == 3
    np.testing.assert_array_equal(ax.lines[-1].get_ydata(), PROBABILITIES[:, 1])
    assert ax.get_legend().get_texts()[0].get_text() == "b"


def test_probabilities_highlight_the_winner_unless_told(ax):
    plotting.probabilities(PROBABILITIES, ax=ax)
    np.testing.assert_array_equal(ax.lines[-1].get_ydata(), PROBABILITIES[:, PROBABILITIES[-1].argmax()])


@pytest.mark.parametrize(
    ("options", "sentence"),
    [
        ({"labels": ["a", "b"]}, "labels has 2 names, expected 3"),
        ({"highlight": 3}, "highlight is 3, expected a class index from 0 to 2"),
        ({"signal": np.zeros(6)}, r"signal has shape \(6,\), expected \(T, F\)"),
        ({"signal": np.zeros((6, 0))}, r"signal has shape \(6, 0\)"),
        ({"signal": np.zeros((5, 2))}, "signal has 5 steps, expected 6"),
        ({"fs": 0.0}, "fs is 0.0, expected a finite number above 0"),
        ({"fs": 2.0, "steps": "abcdef"}, "steps is given with fs, expected one of the two"),
        ({"signal": np.zeros((6, 1)), "ax": Figure().subplots()}, "ax is given with a signal, expected None"),
    ],
)
def test_probabilities_of_bad_input(options, sentence):
    with pytest.raises(ValueError, match=sentence):
        plotting.probabilities(PROBABILITIES, **options)


def test_ax_must_be_axes():
    with pytest.raises(TypeError, match=r"ax is 3 \(a int\), expected matplotlib axes or None"):
        plotting.hidden_states(STATES, 3)


def test_axes_in_a_sub_figure_save_the_whole(tmp_path):
    figure = Figure()
    ax = figure.subfigures(1, 2)[1].subplots()
    plotting.hidden_states(STATES, ax, path=tmp_path / "whole.svg")
    width = re.search(r'width="([0-9.]+)pt"', (tmp_path / "whole.svg").read_text()).group(1)
    assert float(width) == pytest.approx(72 * figure.get_size_inches()[0])


def test_a_signal_stands_above_on_the_same_axis(tmp_path):
    signal = np.arange(12.0).reshape(6, 2)
    ax = plotting.probabilities(PROBABILITIES, signal=signal, path=tmp_path / "p.png", title="two features")
    above, below = ax.figure.axes
    assert below is ax
    assert ax.get_ylabel() == "probability" and above.get_ylabel() == "signal"
    assert above.get_shared_x_axes().joined(above, below)
    for feature, drawn in enumerate(above.lines):
        np.testing.assert_array_equal(drawn.get_xdata(), np.arange(6))
        np.testing.assert_array_equal(drawn.get_ydata(), signal[:, feature])
        assert drawn.get_linewidth() < 1
    assert len(above.lines) == 2
    assert above.get_title(loc="left") == "two features" and ax.get_title(loc="left") == ""
    ax.figure.draw_without_rendering()
    assert above.get_window_extent().y0 > below.get_window_extent().y1
    assert above.get_window_extent().x0 == pytest.approx(below.get_window_extent().x0)
    assert [label.get_text() for label in ax.get_xticklabels()] == list("123456")
    assert (tmp_path / "p.png").stat().st_size > 1000


@pytest.mark.parametrize(
    ("count", "fs", "seconds"),
    [
        (501, 50.0, ["0", "2", "4", "6", "8", "10"]),
        (6, 20.0, ["0", "0.05", "0.1", "0.15", "0.2", "0.25"]),
        (1, 5.0, ["0"]),
    ],
)
def test_steps_of_a_known_rate_are_seconds(count, fs, seconds):
    shares = np.full((count, 3), 1 / 3)
    ax = plotting.probabilities(shares, signal=np.zeros((count, 10)), fs=fs)
    assert ax.get_xlabel() == "time, s"
    assert [label.get_text() for label in ax.get_xticklabels()] == seconds
    np.testing.assert_allclose(ax.get_xticks(), [float(text) * fs for text in seconds])
    assert ax.figure.axes[0].get_xticks().tolist() == ax.get_xticks().tolist()


def test_before_the_first_answer_nothing_is_drawn():
    shares = PROBABILITIES.copy()
    shares[:2] = np.nan
    ax = plotting.probabilities(shares, labels=["a", "b", "c"])
    for drawn in ax.lines:
        assert np.isnan(drawn.get_ydata()[:2]).all() and np.isfinite(drawn.get_ydata()[2:]).all()


def test_few_classes_all_have_a_name_and_of_many_those_that_mattered(ax):
    shares = np.full((4, 5), 0.01)
    shares[:, 0] = 0.96
    plotting.probabilities(shares, labels=list("abcde"), ax=ax)
    assert {text.get_text() for text in ax.get_legend().get_texts()} == set("abcde")
    many = plotting.probabilities(np.c_[shares, shares[:, 1]], labels=list("abcdef"))
    assert [text.get_text() for text in many.get_legend().get_texts()] == ["a"]


def test_many_features_are_a_map_of_z_scores():
    signal = np.random.default_rng(2).normal(size=(6, 9)) * np.logspace(0, 8, 9) + 5.0
    signal[:, 4] = 7.0  # a flat one
    ax = plotting.probabilities(PROBABILITIES, signal=signal)
    above = ax.figure.axes[0]
    assert len(above.lines) == 0
    drawn = np.asarray(above.images[0].get_array())
    expected = (signal - signal.mean(axis=0)) / np.where(np.arange(9) == 4, 1.0, signal.std(axis=0))
    np.testing.assert_allclose(drawn, expected.T, atol=1e-12)
    assert above.get_ylabel() == "feature (z-score)"
    assert above.get_xlim() == ax.get_xlim()


@pytest.mark.parametrize(("steps", "marker"), [(1, "o"), (20, "o"), (10_000, "None")])
def test_long_sequences_have_no_markers(steps, marker):
    shares = np.random.default_rng(0).dirichlet(np.ones(3), size=steps)
    signal = np.zeros((steps, 1))
    ax = plotting.probabilities(shares, signal=signal)
    assert {drawn.get_marker() for drawn in ax.lines} == {marker}
    above = ax.figure.axes[0].lines[0]
    assert above.get_marker() == ("o" if steps == 1 else "None")  # one step alone would be invisible
    ax.figure.draw_without_rendering()


def test_a_long_map_shows_means_of_neighbors_not_one_of_them(ax):
    states = np.tile([[1.0, -1.0], [0.0, 0.0]], (1250, 1))  # 2500 steps; every other one is zero
    states[-1] = 3.0
    plotting.hidden_states(states[:-1], ax)
    drawn = np.asarray(ax.images[0].get_array())
    assert drawn.shape == (2, 833)  # three steps a column
    np.testing.assert_allclose(drawn[0], np.resize([2 / 3, 1 / 3], 833))
    assert ax.images[0].get_extent() == [-0.5, 2498.5, 1.5, -0.5]
    assert ax.get_xlim() == (-0.5, 2498.5)
    shorter = Figure().subplots()
    plotting.hidden_states(states, shorter)
    assert np.asarray(shorter.images[0].get_array())[0, -1] == 3.0  # the last column: one step, its own mean
    assert shorter.get_xlim() == (-0.5, 2499.5)


@pytest.mark.parametrize(
    ("count", "first", "last", "ticks"),
    [(1, 1, 1, 1), (20, 1, 20, 20), (25, 5, 25, 5), (10_000, 2000, 10_000, 5)],
)
def test_steps_are_counted_from_one(count, first, last, ticks):
    ax = plotting.hidden_states(np.zeros((count, 2)))
    names = [int(label.get_text()) for label in ax.get_xticklabels()]
    assert (names[0], names[-1], len(names)) == (first, last, ticks)
    np.testing.assert_array_equal(ax.get_xticks(), np.array(names) - 1)


@pytest.mark.parametrize("count", [9, 100])
def test_long_names_of_steps_do_not_overlap(count):
    names = [f"word number {i}" for i in range(count)]
    ax = plotting.hidden_states(np.zeros((count, 2)), steps=names)
    ax.figure.draw_without_rendering()
    assert not overlap(ax.get_xticklabels())
    assert all(
        names[int(t)] == label.get_text()
        for t, label in zip(ax.get_xticks(), ax.get_xticklabels(), strict=True)
    )


def test_hidden_states_with_nan_keep_their_scale(ax):
    plotting.hidden_states(np.array([[0.5, -0.25], [np.nan, np.inf]]), ax)
    assert ax.images[0].get_clim() == (-0.5, 0.5)


def test_steps_can_be_named(ax):
    plotting.probabilities(PROBABILITIES, ax=ax, steps="elman!")
    assert [label.get_text() for label in ax.get_xticklabels()] == list("elman!")
    with pytest.raises(ValueError, match="steps has 2 names, expected 6"):
        plotting.hidden_states(STATES, steps="ab")


def linear(decay, units=1):
    """A network whose gradient by the input k steps back is 2 decay^k."""
    net = elman.Network([elman.SimpleRNN(units, "identity")], input_size=1, dtype="float64", seed=0)
    net.parameters[:] = 0.0
    net.weights["0.kernel"][0, 0], net.weights["0.recurrent_kernel"][0, 0] = 2.0, decay
    return net


def test_gradient_by_distance_draws_quartiles(ax, tmp_path):
    net = elman.Network([elman.SimpleRNN(4), elman.Dense(2, "softmax")], input_size=2, seed=0)
    rng = np.random.default_rng(0)
    X, y = [rng.normal(size=(T, 2)) for T in (3, 7, 7, 5, 7)], [0, 1, 1, 0, 1]
    norms = gradient_norms(net, X, y)
    assert plotting.gradient_by_distance(norms, ax, tmp_path / "g.png") is ax
    assert ax.get_yscale() == "log"
    np.testing.assert_array_equal(ax.lines[0].get_xdata(), np.arange(7))
    for k in range(7):
        there = [row[k] for row in norms if len(row) > k]
        assert ax.lines[0].get_ydata()[k] == pytest.approx(np.median(there), rel=1e-12)
        at_k = [p[1] for p in ax.collections[0].get_paths()[0].vertices if p[0] == k]
        assert min(at_k) == pytest.approx(np.quantile(there, 0.25), rel=1e-12)
        assert max(at_k) == pytest.approx(np.quantile(there, 0.75), rel=1e-12)
    assert ax.get_xlabel() == "steps before the answer"
    assert ax.get_title(loc="left") == "gradient of the answer by past inputs"
    assert ax.get_legend() is None and len(ax.texts) == 0
    assert (tmp_path / "g.png").stat().st_size > 1000


def test_gradient_by_distance_without_answers_and_of_one_step():
    ax = plotting.gradient_by_distance(gradient_norms(linear(0.5), np.zeros((3, 1, 1))), title="one step")
    assert ax.get_title(loc="left") == "one step"
    np.testing.assert_array_equal(ax.lines[0].get_ydata(), [2.0])
    assert ax.lines[0].get_marker() == "o"
    low, high = ax.get_ylim()
    assert low < 2.0 < high


def test_twenty_decades_of_a_gradient_are_shown():
    ax = plotting.gradient_by_distance(gradient_norms(linear(1e-4), np.zeros((1, 20, 1))))
    low, high = ax.get_ylim()
    assert 1e-22 < low < 1e-19
    assert 2.0 < high < 100.0
    assert ax.lines[0].get_ydata()[19] == pytest.approx(
        2e-76, rel=1e-9
    )  # below the picture, not cut from the data


@pytest.mark.parametrize(
    ("decay", "note"), [(0.0, "median: 0 from distance 1 on"), (1e-200, "median: 0 from distance 2 on")]
)
def test_where_the_gradient_is_zero_the_line_ends_and_says_so(decay, note):
    ax = plotting.gradient_by_distance(gradient_norms(linear(decay), np.zeros((3, 6, 1))))
    drawn = ax.lines[0].get_ydata()
    zeros = int(note.split()[4])
    assert np.isfinite(drawn[:zeros]).all() and np.isnan(drawn[zeros:]).all()
    assert [text.get_text() for text in ax.texts] == [note]
    assert ax.get_xlim()[1] >= 5
    assert ax.get_ylim()[0] > 0
    ax.figure.draw_without_rendering()


@pytest.mark.parametrize(
    ("growth", "steps", "notes"), [(1e20, 40, ["median: infinite from distance 16 on"]), (2.0, 1023, [])]
)
def test_an_exploding_gradient_is_drawn_as_far_as_it_goes(growth, steps, notes):
    ax = plotting.gradient_by_distance(gradient_norms(linear(growth), np.zeros((3, steps, 1))))
    ax.figure.draw_without_rendering()  # without overflow
    drawn = ax.lines[0].get_ydata()
    known = np.isfinite(drawn)
    np.testing.assert_allclose(drawn[known], 2.0 * growth ** np.arange(known.sum()), rtol=1e-9)
    assert known.sum() == (16 if notes else steps)
    low, high = ax.get_ylim()
    assert 0.1 < low < 2.0 and 1e20 < high < 1e22  # its beginning can be seen
    assert [text.get_text() for text in ax.texts] == notes


@pytest.mark.parametrize(
    ("norms", "kind", "message"),
    [
        (linear(0.5), TypeError, "norms is Network.*expected what elman.sensitivity.gradient_norms"),
        ([], ValueError, "norms is empty or not one row of numbers per sequence"),
        ([[[1.0]]], ValueError, "norms is empty or not one row of numbers per sequence"),
    ],
)
def test_what_are_no_gradient_norms_is_refused(norms, kind, message):
    with pytest.raises(kind, match=message):
        plotting.gradient_by_distance(norms)


def test_quartiles_of_rows_of_different_lengths():
    rng = np.random.default_rng(0)
    rows = [rng.exponential(size=T) for T in (9, 2, 5, 9, 7, 1)]
    expected = [np.quantile([r[k] for r in rows if len(r) > k], (0.25, 0.5, 0.75)) for k in range(9)]
    np.testing.assert_allclose(quartiles(rows), np.transpose(expected), rtol=1e-14)
    endless = [np.array([v]) for v in (1.0, 2.0, np.inf)]
    np.testing.assert_array_equal(quartiles(endless)[:, 0], [1.5, 2.0, np.inf])
    np.testing.assert_array_equal(quartiles(endless[2:] * 2)[:, 0], [np.inf] * 3)


def test_a_gradient_that_is_zero_everywhere():
    net = linear(0.5)
    net.parameters[:] = 0.0
    ax = plotting.gradient_by_distance(gradient_norms(net, np.zeros((2, 4, 1))))
    assert ax.get_yscale() == "linear"
    np.testing.assert_array_equal(ax.lines[0].get_ydata(), np.zeros(4))
    assert ax.texts[0].get_text() == "median: 0 at every distance"


def test_notes_of_several_networks_stand_below_one_another(ax):
    for decay in (0.0, 1e-200):
        plotting.gradient_by_distance(
            gradient_norms(linear(decay), np.zeros((1, 6, 1))), ax=ax, label=f"decay {decay}"
        )
    ax.figure.draw_without_rendering()
    first, second = (text.get_window_extent() for text in ax.texts)
    assert not first.overlaps(second)
    assert [text.get_text().split(":")[0] for text in ax.texts] == ["decay 0.0", "decay 1e-200"]


def test_zeros_between_are_counted():
    norms = np.array([[1.0, 0.0, 4.0]])
    ax = plotting.gradient_by_distance(norms)
    assert ax.texts[0].get_text() == "median: 0 at 1 of 3 distances"
    assert ax.lines[0].get_markevery() == [0, 2]


def test_several_networks_share_the_axes(ax):
    X = np.zeros((1, 10, 1))
    for decay in (0.9, 1e-3):
        plotting.gradient_by_distance(gradient_norms(linear(decay), X), ax=ax, label=f"decay {decay}")
    assert [text.get_text() for text in ax.get_legend().get_texts()] == ["decay 0.9", "decay 0.001"]
    assert len({drawn.get_color() for drawn in ax.lines}) == 2
    low, high = ax.get_ylim()
    assert all(low <= v <= high for drawn in ax.lines for v in np.clip(drawn.get_ydata(), 2e-20, None))


def test_spectral_radius_of_a_fit(ax, tmp_path):
    layers = [elman.SimpleRNN(3, return_sequences=True), elman.SimpleRNN(2)]
    net = elman.Network(layers, input_size=1, seed=0)
    recorded = callbacks.SpectralRadius(net)
    net.fit(np.ones((3, 2, 1)), np.zeros((3, 2)), epochs=4, callbacks=[recorded], verbose=False)
    assert plotting.spectral_radius(recorded, ax, tmp_path / "s.png") is ax
    for drawn, name in zip(ax.lines[:2], ("0.recurrent_kernel", "1.recurrent_kernel"), strict=True):
        np.testing.assert_array_equal(drawn.get_xdata(), [0, 1, 2, 3, 4])
        np.testing.assert_array_equal(drawn.get_ydata(), recorded.values[name])
        assert drawn.get_label() == name
    assert ax.lines[2].get_ydata() == [1.0, 1.0]
    assert [text.get_text() for text in ax.get_legend().get_texts()] == list(recorded.values)
    assert "1.0" in [text.get_text() for text in ax.texts]
    assert (tmp_path / "s.png").stat().st_size > 1000


@pytest.mark.parametrize("radius", [0.01, 50.0])
def test_spectral_radius_shows_the_line_one_however_far(ax, radius):
    plotting.spectral_radius({"0.recurrent_kernel": [radius]}, ax)
    low, high = ax.get_ylim()
    assert low <= 1.0 <= high and low <= radius <= high
    assert ax.lines[0].get_marker() == "o"
    assert ax.get_legend() is None


def test_many_kernels_can_be_told_apart(ax):
    plotting.spectral_radius({f"{i}.recurrent_kernel": [1.0, 2.0] for i in range(16)}, ax)
    looks = {
        (
            drawn.get_color(),
            str(drawn.get_linestyle()),
            drawn._dash_pattern[1] and tuple(drawn._dash_pattern[1]),
        )
        for drawn in ax.lines[:16]
    }
    assert len(looks) == 16
    assert style.COLORS[7] not in {drawn.get_color() for drawn in ax.lines}  # yellow is lost on white


@pytest.mark.parametrize("recorded", [{}, {"0.recurrent_kernel": []}, callbacks.SpectralRadius()])
def test_spectral_radius_of_nothing(recorded):
    with pytest.raises(ValueError, match="recorded is empty"):
        plotting.spectral_radius(recorded)


def test_pyplot_stays_out():
    code = (
        "import sys; from elman import plotting; import numpy as np; assert 'matplotlib' not in sys.modules;"
        "plotting.hidden_states(np.zeros((2, 2))); assert 'matplotlib.pyplot' not in sys.modules"
    )
    subprocess.run([sys.executable, "-c", code], check=True, timeout=120)
