"""Pictures: what is drawn, on which axes, and that pyplot is never touched."""

from __future__ import annotations

import subprocess
import sys

import numpy as np
import pytest

pytest.importorskip("matplotlib")

from matplotlib.figure import Figure

import elman
from elman import plotting

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
        ([0, -1], [0, 0], None, "class indices from 0"),
        ([0, 2], [0, 0], ["a", "b"], "class index 2 has no label"),
    ],
)
def test_confusion_matrix_of_bad_input(expected, predicted, labels, sentence):
    with pytest.raises(ValueError, match=sentence):
        plotting.confusion_matrix(expected, predicted, labels)


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


def test_probabilities_need_a_label_a_class():
    with pytest.raises(ValueError, match="labels has 2 names, expected 3"):
        plotting.probabilities(PROBABILITIES, ["a", "b"])


def test_steps_can_be_named(ax):
    plotting.probabilities(PROBABILITIES, ax=ax, steps="elman!")
    assert [label.get_text() for label in ax.get_xticklabels()] == list("elman!")
    with pytest.raises(ValueError, match="steps has 2 names, expected 6"):
        plotting.hidden_states(STATES, steps="ab")


def test_pyplot_stays_out():
    code = (
        "import sys; from elman import plotting; import numpy as np; assert 'matplotlib' not in sys.modules;"
        "plotting.hidden_states(np.zeros((2, 2))); assert 'matplotlib.pyplot' not in sys.modules"
    )
    subprocess.run([sys.executable, "-c", code], check=True, timeout=120)
