"""`missing_label="auto"`: every step has a label; what often stands for none is refused with its place."""

import numpy as np
import pytest
from sklearn.pipeline import make_pipeline

import elman
from elman import RNNTagger, Sequences
from elman.features import Frames
from helpers.support import assert_same_bits

RNG = np.random.default_rng(4)
STATES = [RNG.integers(-1, 2, 12) for _ in range(6)]  # -1 is a class
X = [(states + 0.3 * RNG.normal(size=12))[:, None] for states in STATES]
NAN = float("nan")


def tagger(**options):
    return RNNTagger(**{"hidden_layer_sizes": 4, "max_iter": 2, "random_state": 0} | options)


def with_label(labels, label):
    y = [[labels[i % 2] for i in range(12)] for _ in X]
    y[2][5] = label
    return y


EITHER = (
    "at step 5, expected missing_label={0} if it means that the step has no label, or missing_label=None if"
)
ALONE = "at step 5, expected missing_label={0} if it means that the step has no label"
MARKERS = [
    (with_label([0, 1], -1), EITHER.format(-1)),
    ([np.array(row) for row in with_label([0, 1], -1)], EITHER.format(-1)),
    ([np.array(row, float) for row in with_label([0, 1], -1)], EITHER.format(-1.0)),
    ([np.array(row, object) for row in with_label([3, 7], -1)], EITHER.format(-1)),
    (with_label([False, True], -1), EITHER.format(-1)),
    (np.array(with_label([0, 1], -1)), EITHER.format(-1)),
    (with_label([0.5, 1.5], NAN), ALONE.format("nan")),
    (with_label(["a", "b"], NAN), ALONE.format("nan")),
    (with_label(["a", "b"], None), ALONE.format("None")),
    (with_label(["a", "b"], ""), EITHER.format("''")),
    ([np.array(row) for row in with_label(["a", "b"], "")], EITHER.format("''")),
]


@pytest.mark.parametrize(("y", "said"), MARKERS)
def test_what_often_stands_for_none_is_refused_with_its_place(y, said):
    each = tagger()
    assert each.missing_label == "auto"
    fitted = tagger().fit(X, [[0, 1] * 6] * 6)
    for call in (each.fit, each.partial_fit, fitted.fit, fitted.score):
        with pytest.raises(ValueError, match="has the label") as raised:
            call(X, y)
        assert str(raised.value).startswith("y[2] has the label ")
        assert said in str(raised.value)
    assert not hasattr(each, "classes_")


def test_sequences_validation_data_and_pipelines_refuse_it_too():
    parts = Sequences(np.concatenate(STATES), np.arange(0, 73, 12))
    with pytest.raises(ValueError, match=r"y\[\d\] has the label -1 at step"):
        tagger().fit(X, parts)
    good = [np.abs(states) for states in STATES]
    with pytest.raises(ValueError, match=r"validation_data cannot be used: y\[\d\] has the label -1 at step"):
        tagger().fit(X, good, validation_data=(X, STATES))
    with pytest.raises(ValueError, match=r"y\[\d\] has the label -1 at step"):
        make_pipeline(Frames(1), tagger()).fit(X, STATES)


def test_the_remedies_of_the_message_work():
    """As a class it is learnt and scored; as the missing label it counts as nothing, as it always has."""
    gone = tagger(missing_label=-1, max_iter=20, learning_rate_init=0.05).fit(X, STATES)
    assert gone.classes_.tolist() == [0, 1]
    given = np.concatenate(STATES) >= 0
    right = np.concatenate(gone.predict(X)) == np.concatenate(STATES)
    assert gone.score(X, STATES) == pytest.approx(right[given].mean())
    known = tagger(missing_label=None, max_iter=20, learning_rate_init=0.05).fit(X, STATES)
    assert known.classes_.tolist() == [-1, 0, 1]
    right = np.concatenate(known.predict(X)) == np.concatenate(STATES)
    assert known.score(X, STATES) == pytest.approx(right.mean())
    texts = [np.where(states < 0, "", "x") for states in STATES]
    assert tagger(missing_label=None).fit(X, texts).classes_.tolist() == ["", "x"]


@pytest.mark.parametrize("names", [[-1, 0.5], [-2, 1], ["-1", "auto"], [-1.5, 2.0], [True, False]], ids=str)
def test_other_labels_are_classes(names):
    y = [[names[i % 2] for i in range(12)] for _ in X]
    each = tagger().fit(X, y)
    assert each.classes_.tolist() == sorted(names)
    told = tagger(missing_label=99).fit(X, y)
    assert_same_bits(each.network_.parameters, told.network_.parameters)


@pytest.mark.parametrize("given", [np.zeros((2, 3, 1)), [1], {}, b"x", 1j], ids=lambda v: type(v).__name__)
def test_a_missing_label_that_is_none(given):
    itself = []
    itself.append(itself)
    for bad in (given, itself):
        with pytest.raises(TypeError, match=r"missing_label is .*, expected int, float, str or None"):
            tagger(missing_label=bad).fit(X, [["a", "b"] * 6] * 6)
    fitted = tagger().fit(X, [["a", "b"] * 6] * 6).set_params(missing_label=given)
    with pytest.raises(TypeError, match=r"missing_label is .*, expected int, float, str or None"):
        fitted.score(X, [["a", "b"] * 6] * 6)


@pytest.mark.parametrize("missing", ["auto", -1, None])
def test_a_saved_tagger_keeps_it(missing, tmp_path):
    y = [np.abs(states) for states in STATES]
    tagger(missing_label=missing).fit(X, y).save(tmp_path / "t.elman")
    assert elman.load(tmp_path / "t.elman").missing_label == missing
