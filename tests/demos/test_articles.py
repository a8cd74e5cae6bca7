"""The systems of the articles, by their numbers; nothing here depends on how a result is worded."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from sklearn.neighbors import KNeighborsClassifier
from sklearn.preprocessing import FunctionTransformer

import elman
from elman import demos
from elman.demos import adder, digits, eeg, eeg_recipes, gradient, letters, points
from elman.evaluation import folds
from helpers import article_points, support

TRANSCRIPT = (Path(__file__).parents[1] / "golden" / "adder_transcript.txt").read_text(encoding="utf-8")


# ------------------------------------------------------------------------------------------------------ adder


@pytest.fixture(scope="module")
def added() -> adder.AdderResult:
    return adder.run()


def test_adder_prints_the_articles_transcript_digit_for_digit(added):
    assert "\n".join(map(str, added.blocks)) + "\n" == TRANSCRIPT


def test_adder_knows_the_articles_transcript():
    assert "\n".join(map(str, adder.ARTICLE)) + "\n" == TRANSCRIPT


def test_the_plain_loop_prints_the_same_transcript(added):
    assert added.plain_blocks == adder.ARTICLE
    assert added.as_in_article


def test_adder_description_opens_with_the_transcript(added):
    assert adder.describe(added).startswith(TRANSCRIPT)


def test_adder_gets_the_sums_right(added):
    assert added.total == 16_384
    assert added.right / added.total >= 0.99
    assert added.shares[0] < 0.01
    assert len(added.shares) == 11


def test_adder_is_far_faster_than_the_plain_loop(added):
    # Fifty times is asked of an idle machine (below); a busy test machine must still show ten.
    assert added.plain_seconds / added.seconds > 10


@pytest.mark.prove
def test_adder_takes_a_fiftieth_of_the_plain_loops_time():
    assert max(run.plain_seconds / run.seconds for run in (adder.run() for _ in range(3))) >= 50


def test_adder_draws_in_the_articles_order():
    start = adder.draw_start(3)
    np.random.seed(0)
    synapse_0 = 2 * np.random.random((2, 16)) - 1
    synapse_1 = 2 * np.random.random((16, 1)) - 1
    synapse_h = 2 * np.random.random((16, 16)) - 1
    pairs = [[np.random.randint(128), np.random.randint(128)] for _ in range(3)]
    for ours, theirs in ((start.kernel, synapse_0), (start.readout, synapse_1), (start.recurrent, synapse_h)):
        np.testing.assert_array_equal(ours, theirs)
    assert np.stack([start.a, start.b], axis=1).tolist() == pairs


def test_bits_are_least_significant_first():
    assert adder.bits(np.array([6]))[0].tolist() == [0, 1, 1, 0, 0, 0, 0, 0]


# ---------------------------------------------------------------------------------------------------- letters


@pytest.fixture(scope="module")
def spelt() -> letters.LettersResult:
    return letters.run()


def test_letters_reach_accuracy_one(spelt):
    assert spelt.accuracy == 1.0
    assert len(spelt.history["loss"]) == len(spelt.history["accuracy"]) == 100
    assert spelt.history["loss"][-1] < spelt.history["loss"][0]


def test_letters_answers_are_written_as_in_the_article(spelt):
    text = letters.describe(spelt)
    for line in ("a——>b", "b——>c", "c——>d", "d——>e", "e——>a"):
        assert line in text.splitlines()
    assert "47" in text  # the summary's total of parameters


@pytest.fixture
def conversation(spelt):
    def hold(*lines: str) -> tuple[int, list[str], list[str]]:
        waiting, asked, shown = list(lines), [], []

        def ask(prompt: str) -> str:
            asked.append(prompt)
            if not waiting:
                raise EOFError
            return waiting.pop(0)

        return letters.chat(spelt.net, ask, shown.append), asked, shown

    return hold


def test_chat_asks_as_the_article_does(conversation):
    answered, asked, shown = conversation("2", "a", "e")
    assert asked == ["input the number of test alphabet:"] + 2 * ["input test alphabet:"]
    assert shown == ["a——>b", "e——>a"]
    assert answered == 2


@pytest.mark.parametrize("wrong", ["z", "", "ab", "A", "1", "é"])
def test_chat_gives_another_try_for_what_is_no_letter(conversation, wrong):
    answered, _, shown = conversation("1", wrong, "c")
    assert answered == 1
    assert repr(wrong) in shown[0]
    assert "a, b, c, d, e" in shown[0]
    assert shown[1] == "c——>d"


@pytest.mark.parametrize("wrong", ["many", "", "-1", "1.5", "²", "9" * 30])
def test_chat_gives_another_try_for_what_is_no_number(conversation, wrong):
    answered, _, shown = conversation(wrong, "1", "d")
    assert answered == 1
    assert repr(wrong) in shown[0]
    assert shown[1] == "d——>e"


@pytest.mark.parametrize("lines", [(), ("3",), ("3", "a")])
def test_chat_ends_where_the_input_ends(conversation, lines):
    answered, _, shown = conversation(*lines)
    assert answered == max(0, len(lines) - 1)
    assert "No more input" in shown[-1]


# ----------------------------------------------------------------------------------------------------- points


def test_points_weights_are_drawn_in_the_articles_order():
    theirs = article_points.draw(seed=0)
    ours = points.build().weights
    np.testing.assert_array_equal(ours["0.kernel"], theirs.hidden_weights)
    np.testing.assert_array_equal(ours["0.recurrent_kernel"], theirs.rnn_weights)
    np.testing.assert_array_equal(ours["1.kernel"], theirs.output_weights)
    np.testing.assert_array_equal(ours["0.bias"], np.full(4, theirs.hidden_bias))
    np.testing.assert_array_equal(ours["1.bias"], np.full(2, theirs.output_bias))


def test_points_follow_the_articles_arithmetic_at_every_epoch():
    net, theirs = points.build(), article_points.draw(seed=0)
    losses = points.train_as_article(net)
    np.testing.assert_allclose(losses, theirs.run(), rtol=1e-10, atol=0)
    np.testing.assert_allclose(net.weights["0.kernel"], theirs.hidden_weights, rtol=1e-10)
    np.testing.assert_allclose(net.weights["1.kernel"], theirs.output_weights, rtol=1e-10)
    np.testing.assert_array_equal(net.weights["0.recurrent_kernel"], theirs.rnn_weights)
    np.testing.assert_array_equal(net.weights["0.bias"], np.full(4, theirs.hidden_bias))


def test_points_trains_everything_in_the_second_run():
    net, start = points.build(), points.build()
    losses = points.train_everything(net)
    assert losses.shape == (1000,)
    assert losses[-1] < 0.07 < losses[0]
    for name in net.weights:
        assert (net.weights[name] != start.weights[name]).all(), name


def test_points_result():
    result = points.run()
    assert result.article_losses[-1] == pytest.approx(0.080594, abs=1e-6)
    assert result.full_losses[-1] < result.article_losses[-1]
    assert (result.article_right, result.full_right) == (4, 4)
    text = points.describe(result)
    assert f"{result.article_losses[-1]:.6f}" in text
    assert f"{result.full_losses[-1]:.6f}" in text


# --------------------------------------------------------------------------------------------------- gradient


@pytest.fixture(scope="module")
def checked() -> gradient.GradientResult:
    return gradient.run()


def test_first_state_has_the_articles_digits(checked):
    assert [f"{value:.8e}" for value in checked.states[1]] == ["8.47915158e-05", "0.00000000e+00"]
    assert checked.first_state_matches


def test_second_state_is_not_the_articles_derivative(checked):
    assert [f"{value:.4e}" for value in checked.states[2]] == ["1.4618e-04", "0.0000e+00"]


def test_articles_four_lines_agree(checked):
    assert [(entry.i, entry.j) for entry in checked.entries] == [(0, 0), (0, 1), (1, 0), (1, 1)]
    for entry in checked.entries:
        assert entry.actual == pytest.approx(entry.expected, rel=1e-7)
        assert abs(entry.actual) > 1e-6
    # With ones as cotangent and two steps, w(i,j) is the first state's unit j, whatever i.
    assert checked.entries[0].actual == checked.entries[2].actual


def test_entry_is_written_as_in_the_article():
    assert str(gradient.Entry(0, 1, -1.51e-4, -1.51e-4)) == "w(0,1): expected -0.000151 - actual -0.000151"


def test_update_moves_the_recurrent_weights_alone_by_rate_times_gradient(checked):
    moved = (checked.recurrent_before - checked.recurrent_after) / gradient.RATE
    np.testing.assert_allclose(moved.ravel(), [entry.actual for entry in checked.entries], rtol=1e-9)


def test_reset_starts_again(checked):
    np.testing.assert_array_equal(checked.first_step, checked.first_step_again)


def test_every_activation_passes_where_the_articles_code_fails(checked):
    assert set(checked.errors) == set(support.ACTIVATIONS)
    assert checked.ok
    assert checked.worst <= support.GRADIENT_TOLERANCE
    by_steps = dict(zip(gradient.STEPS, checked.article_errors, strict=True))
    assert by_steps[2] < 1e-12
    assert all(by_steps[count] > 0.5 for count in (3, 10, 100))


def test_articles_code_is_transcribed_rightly():
    # Three steps, weights of 1e-4: it gives about one where about 1e-4 is right, as the article's code does.
    random = np.random.default_rng(0)
    u, w = random.uniform(-1e-4, 1e-4, (2, 3)), random.uniform(-1e-4, 1e-4, (2, 2))
    inputs = np.array([[1.0, 2, 3], [2, 3, 4], [3, 4, 5]])
    assert gradient.article_gradient(u, w, inputs) == pytest.approx(np.ones((2, 2)), abs=1e-2)


def test_gradient_description_tells_all(checked):
    text = gradient.describe(checked)
    for part in (
        "inputSize = 3, outputSize = 2, ita = 0.001000",
        "stateTable",
        "U =",
        "W =",
        "1.4618e-04",
        "reset",
    ):
        assert part in text
    assert f"{checked.worst:.1e}" in text.strip().splitlines()[-1]


# ----------------------------------------------------------------------------------------------------- digits


@pytest.fixture(scope="module")
def digit_run() -> digits.DigitsResult:
    return digits.run()


def test_digits_are_split_four_to_one():
    data = digits.load()
    assert (data.train_x.shape, data.test_x.shape) == ((1437, 8, 8), (360, 8, 8))
    assert data.train_x.min() == 0.0
    assert data.train_x.max() == 1.0


def test_digits_accuracy(digit_run):
    assert digit_run.accuracy >= 0.97
    assert digit_run.accuracy == (digit_run.expected == digit_run.predicted).mean()


def test_streamed_digit(digit_run):
    assert digit_run.running.shape == (8, 10)
    np.testing.assert_allclose(digit_run.running.sum(axis=1), 1.0, rtol=1e-5)
    assert digit_run.same_bits
    assert digit_run.running[-1].argmax() == digit_run.label
    assert digit_run.hidden.shape == (8, digits.HIDDEN)


def test_digit_changes_its_mind_while_it_is_read(digit_run):
    assert len(set(digit_run.running.argmax(axis=1).tolist())) > 1


# -------------------------------------------------------------------------------------------------------- all


def test_every_demo_is_listed():
    assert demos.NAMES == ("points", "gradient", "adder", "letters", "digits", "eeg", "anaesthesia")
    for name in demos.NAMES:
        assert demos.get(name, quick=True).name == name


def test_unknown_demo():
    with pytest.raises(ValueError, match=r"there is no demo 'eegg', expected one of points, .* or all"):
        demos.get("eegg")


def test_playing_without_a_folder_says_that_nothing_was_drawn(spelt):
    shown: list[str] = []
    (outcome,) = demos.play(["letters"], shown.append)
    assert outcome.pictures == ()
    assert "Nothing was drawn" in shown[-1]
    assert outcome.headline == letters.headline(spelt)


@pytest.mark.parametrize("name", ["adder", "letters", "gradient", "digits"])
def test_pictures(name, request, tmp_path):
    pytest.importorskip("matplotlib")
    fixture = {"adder": "added", "letters": "spelt", "gradient": "checked", "digits": "digit_run"}[name]
    pictures = demos.get(name).draw(request.getfixturevalue(fixture), tmp_path)
    assert pictures
    for picture in pictures:
        assert picture.parent == tmp_path
        assert picture.read_bytes().startswith(b"\x89PNG")


def test_demo_networks_are_public_api():
    assert isinstance(points.build(), elman.Network)


# ------------------------------------------------------------------------------------------------------- eeg


@pytest.fixture(scope="module")
def judged() -> eeg.EegResult:
    return eeg.run(quick=True)


def test_eeg_is_told_apart_and_compared_in_the_same_folds(judged):
    own, plain = judged.scores
    assert own.recipe.startswith("Elman")
    assert plain.recipe.startswith("logistic regression")
    assert own.accuracy == pytest.approx((judged.expected == judged.predicted).mean())  # folds of one size
    assert own.accuracy >= 0.8
    assert judged.shares.shape == (30, 3)
    ictal = judged.expected == "ictal"
    assert own.sensitivity == (judged.predicted[ictal] == "ictal").mean()
    assert own.specificity == (judged.predicted[~ictal] != "ictal").mean()


def test_eeg_streams_what_the_batch_says(judged):
    assert judged.difference <= 1e-6
    assert judged.ends[[0, 1]].tolist() == [511, 575]
    assert len(judged.running) == len(judged.ends) == (len(judged.signal) - 512) // 64 + 1
    np.testing.assert_allclose(judged.running.sum(axis=1), 1.0)


def test_eeg_has_amplitudes_of_an_electrode():
    """The picture's axis says µV: tens to hundreds of them, not the 12,000 of a cell's membrane."""
    X, y, _, _ = eeg.load(None, quick=True)
    largest = {kind: max(np.abs(X[i]).max() for i in np.flatnonzero(y == kind)) for kind in eeg.KINDS}
    assert 50.0 < largest["healthy"] < 200.0
    assert 800.0 < largest["ictal"] < 1200.0
    assert largest["interictal"] < 1300.0


def test_eeg_draws_a_seizure_in_seconds_and_microvolts(judged, tmp_path, monkeypatch):
    pytest.importorskip("matplotlib")
    drawn = []
    monkeypatch.setattr(eeg.style, "save", lambda figure, _: drawn.append(figure))
    eeg.draw(judged, tmp_path)
    above, below = drawn[1].axes
    assert (above.get_ylabel(), below.get_xlabel()) == ("EEG, µV", "time, s")
    assert np.abs(above.get_ylim()).max() < 1500.0
    assert float(below.get_xticklabels()[-1].get_text()) == 7  # of 8 s at 173.61 Hz
    assert below.get_xticks()[-1] == pytest.approx(7 * 173.61)
    assert np.isnan(below.lines[0].get_ydata()[: judged.ends[0]]).all()
    assert {text.get_text() for text in below.get_legend().get_texts()} == set(eeg.KINDS)


def test_eeg_takes_files(tmp_path):
    wave = np.random.default_rng(0).normal(size=(60, 4097))
    tones = np.sin(np.arange(4097) * np.repeat([0.2, 0.5, 0.9], 20)[:, None])
    names = [f"{letter}{i:03}" for letter in "ZFS" for i in range(1, 21)]
    X = (50 * (wave + tones)).astype(np.int16)
    np.savez(tmp_path / "bonn.npz", X=X, set=np.repeat(list("ADE"), 20), id=names, fs=173.61)
    X, y, fs, source = eeg.load(tmp_path / "bonn.npz", quick=True)
    assert (len(X), fs) == (60, 173.61)
    assert sorted(set(y.tolist())) == ["healthy", "ictal", "interictal"]
    assert y[[0, 20, 40]].tolist() == ["healthy", "interictal", "ictal"]
    assert "Bonn" in source


def test_data_belong_to_the_demos_that_take_them(tmp_path):
    with pytest.raises(ValueError, match="--data belongs to the demo eeg or anaesthesia, not to digits"):
        demos.get("digits", tmp_path)


def test_kernel_ridge_is_least_squares_on_the_classes():
    X = np.random.default_rng(1).normal(size=(30, 2))
    y = np.array(["a", "b", "c"])[np.arange(30) % 3]
    X[y == "b", 0] += 6.0
    X[y == "c", 1] += 6.0
    model = eeg_recipes.KernelRidgeClassifier(0.1, kernel="rbf", gamma=0.5).fit(X, y)
    K = np.exp(-0.5 * ((X[:, None] - X[None]) ** 2).sum(axis=2))
    targets = np.where(y[:, None] == np.array(["a", "b", "c"]), 1.0, -1.0)
    np.testing.assert_allclose(model.decision_function(X), K @ np.linalg.solve(K + 0.1 * np.eye(30), targets))
    assert (model.predict(X) == y).mean() == model.score(X, y) > 0.9


def test_recipes_see_a_segment_on_one_side_of_a_fold_alone():
    """A model that remembers its training rows knows nothing of labels that are noise."""
    y = np.random.default_rng(2).permutation(["a", "b"] * 50)
    recipe = eeg_recipes.Recipe("memory", FunctionTransformer(), KNeighborsClassifier(1))
    X = np.random.default_rng(3).normal(size=(100, 5))
    result = eeg_recipes.cross_validate(recipe, X, y, folds(y), n_jobs=2)
    assert 0.3 < result.accuracy.mean() < 0.7
    assert result.accuracy.shape == (10,)
    train, test = folds(y)[4]
    own = KNeighborsClassifier(1).fit(X[train], y[train])
    assert (result.predicted[test] == own.predict(X[test])).all()
