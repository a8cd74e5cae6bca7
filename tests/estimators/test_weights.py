"""A weight is so many repeated rows, everywhere; a row of weight 0 is as one that was never given."""

import numpy as np
import pytest

from elman import RNNClassifier
from helpers.estimators import KINDS, Problem
from helpers.support import assert_same_bits, stack

RNG = np.random.default_rng(3)
LENGTHS = [4, 1, 6, 3, 2, 5, 4, 3, 6, 2, 5, 1]
X = [RNG.normal(size=(n, 2)) * 2.0 + 1.0 for n in LENGTHS]
REPEATS = np.array([2, 0, 1, 3, 1, 2, 0, 1, 1, 4, 2, 1])
CLASSES = np.array(["a", "b", "b", "c", "a", "b", "b", "b", "c", "a", "c", "b"])
NUMBERS = RNG.normal(size=(len(X), 2)) * [1.0, 50.0]
STEP_NUMBERS = [np.where(RNG.uniform(size=n) < 0.2, np.nan, RNG.normal(size=n)) for n in LENGTHS]
LABELS = [RNG.choice(["u", "v", "v", ""], size=n) for n in LENGTHS]
LABELS[0][:2] = ["u", "v"]  # both classes in a row that is kept


PROBLEM = Problem(
    X,
    {"classifier": CLASSES, "regressor": NUMBERS, "step_regressor": STEP_NUMBERS, "tagger": LABELS},
    {"hidden_layer_sizes": 5, "batch_size": 1000, "max_iter": 8, "random_state": 0},
)


def model(kind, **options):
    return PROBLEM.model(kind, **({"missing_label": ""} if kind == "tagger" else {}), **options)


def repeated(rows, times=REPEATS):
    return [row for row, count in zip(rows, times, strict=True) for _ in range(count)]


OPTIONS = [
    {},
    {"standardize": False},
    {"solver": "sgd", "alpha": 0.1},
    {"hidden_layer_sizes": (4, 3), "clip_norm": 0.01},
    {"truncation": 2},
    {"cell": "lstm"},
]
BALANCES = [
    ("classifier", {"class_weight": "balanced"}),
    ("classifier", {"class_weight": {"a": 2.0, "b": 0.5, "c": 7.0}}),
    ("classifier", {"class_weight": {"a": 3}}),
    ("classifier", {"pooling": "max", "class_weight": "balanced"}),
    ("tagger", {"class_weight": "balanced"}),
    ("tagger", {"class_weight": {"u": 3.0, "v": 0.25}}),
]


@pytest.mark.parametrize(("kind", "options"), [(kind, o) for kind in KINDS for o in OPTIONS] + BALANCES)
def test_a_weight_is_so_many_repeated_rows(kind, options):
    weighted, y = model(kind, **options)
    weighted.fit(X, y, sample_weight=REPEATS)
    rows, _ = model(kind, **options)
    rows.fit(repeated(X), repeated(y))
    np.testing.assert_allclose(weighted.loss_curve_, rows.loss_curve_, rtol=1e-11)
    np.testing.assert_allclose(weighted.scaler_.mean, rows.scaler_.mean, rtol=1e-12, atol=1e-14)
    np.testing.assert_allclose(weighted.scaler_.scale, rows.scaler_.scale, rtol=1e-12)
    predict = "predict" if kind.endswith("regressor") else "predict_proba"
    found, expected = (stack(getattr(each, predict)(X)) for each in (weighted, rows))
    np.testing.assert_allclose(found, expected, rtol=1e-9, atol=1e-11)


@pytest.mark.parametrize("kind", KINDS)
def test_a_score_counts_a_weight_as_repeated_rows(kind):
    each, y = model(kind)
    each.fit(X, y)
    assert each.score(X, y, sample_weight=REPEATS) == pytest.approx(each.score(repeated(X), repeated(y)))


ZEROS = [
    {},
    {"early_stopping": True, "validation_fraction": 0.4},
    {"input_noise": 0.5},
    {"dtype": "float32"},
]


@pytest.mark.parametrize(
    ("kind", "options"),
    [(kind, o) for kind in KINDS for o in ZEROS]
    + [(kind, {"class_weight": "balanced"}) for kind in ("classifier", "tagger")],
)
def test_rows_of_weight_0_are_as_absent_to_the_bit(kind, options):
    weights = np.where(REPEATS == 0, 0.0, 1.0)
    kept = np.flatnonzero(weights)
    with_zeros, y = model(kind, batch_size=3, **options)
    with_zeros.fit(X, y, sample_weight=weights * 2.0)
    without, _ = model(kind, batch_size=3, **options)
    without.fit([X[i] for i in kept], [y[i] for i in kept], sample_weight=np.full(len(kept), 2.0))
    assert with_zeros.loss_curve_ == without.loss_curve_
    assert_same_bits(with_zeros.network_.parameters, without.network_.parameters)
    assert_same_bits(with_zeros.scaler_.mean, without.scaler_.mean)
    assert_same_bits(stack(with_zeros.predict(X)), stack(without.predict(X)))


def test_a_class_of_weight_0_alone_is_no_class():
    each = RNNClassifier(3, max_iter=1).fit(X, CLASSES, sample_weight=CLASSES != "c")
    assert each.classes_.tolist() == ["a", "b"]


@pytest.mark.parametrize("weights", [{"a": 2.0, "b": 0.5, "c": 7.0}, "balanced"])
def test_the_weight_of_a_class_is_that_of_its_rows(weights):
    options = {"max_iter": 5, "batch_size": 4, "random_state": 0}
    by_class = RNNClassifier(4, class_weight=weights, **options).fit(X, CLASSES)
    if isinstance(weights, str):
        weights = {label: 12 / (3 * np.sum(label == CLASSES)) for label in "abc"}
    by_row = RNNClassifier(4, **options)
    by_row.fit(X, CLASSES, sample_weight=[weights[label] for label in CLASSES])
    assert_same_bits(by_class.network_.parameters, by_row.network_.parameters)


@pytest.mark.parametrize("weights", [{"u": 3.0, "v": 0.25}, "balanced"])
def test_the_weight_of_a_taggers_class_is_that_of_each_labeled_step(weights):
    tagger, y = model("tagger", class_weight=weights, learning_rate_init=1e-12, max_iter=1)
    tagger.fit(X, y, sample_weight=REPEATS)
    labels, times = np.concatenate(y), np.repeat(REPEATS, LENGTHS)
    p, sums, total = np.concatenate(tagger.predict_proba(X)), 0.0, 0.0
    if weights == "balanced":
        counts = {label: times[label == labels].sum() for label in "uv"}
        weights = {label: sum(counts.values()) / (2 * counts[label]) for label in "uv"}
    for label, count, row in zip(labels, times, p, strict=True):
        if label:
            weight = count * weights[label]
            sums -= weight * np.log(row["uv".index(label)])
            total += weight
    assert tagger.loss_ == pytest.approx(sums / total, rel=1e-9)


@pytest.mark.parametrize("kind", ["classifier", "regressor"])
def test_weights_come_in_every_form(kind):
    plain, y = model(kind)
    plain.fit(X, y, sample_weight=REPEATS.astype(float))
    forms = [REPEATS, REPEATS.tolist(), tuple(REPEATS), REPEATS.astype("f4"), REPEATS.astype(np.uint8)]
    for form in forms:
        other, _ = model(kind)
        assert_same_bits(other.fit(X, y, sample_weight=form).network_.parameters, plain.network_.parameters)
    positional, _ = model(kind)
    assert_same_bits(positional.fit(X, y, REPEATS).network_.parameters, plain.network_.parameters)
    nothing, _ = model(kind)
    ones, _ = model(kind)
    np.testing.assert_allclose(
        nothing.fit(X, y).loss_curve_, ones.fit(X, y, sample_weight=np.ones(12)).loss_curve_, rtol=1e-12
    )


BAD = [
    (np.ones(3), ValueError, "sample_weight has shape (3,), expected (12,) (one for each sequence of X)"),
    (2.0, ValueError, "sample_weight has shape (), expected (12,)"),
    (-np.ones(12), ValueError, "sample_weight[0] is -1.0, expected a finite number of at least 0"),
    (np.full(12, np.nan), ValueError, "sample_weight[0] is nan, expected a finite number of at least 0"),
    (np.full(12, np.inf), ValueError, "sample_weight[0] is inf, expected a finite number of at least 0"),
    (np.zeros(12), ValueError, "sample_weight is zero everywhere, expected at least one weight above 0"),
    (["1"] * 12, TypeError, "sample_weight has dtype <U1, expected numbers"),
    ([[1.0], 2.0] * 6, ValueError, "sample_weight"),
]
BAD_STEPS = [  # one answer a sequence, one answer a step
    (
        np.ones((12, 1)),
        "sample_weight has shape (12, 1), expected (12,)",
        "sample_weight[0] has 1 steps, expected 4 (as X[0])",
    ),
    (LABELS, "sample_weight has weights of steps, expected (12,)", "sample_weight[0] has dtype <U1"),
]


@pytest.mark.parametrize(("weights", "error", "said"), BAD, ids=[case[2] for case in BAD])
@pytest.mark.parametrize("kind", KINDS)
def test_bad_weights_have_their_sentence(kind, weights, error, said):
    each, y = model(kind)
    with pytest.raises(error) as raised:
        each.fit(X, y, sample_weight=weights)
    assert said in str(raised.value)
    assert not hasattr(each, "network_")


@pytest.mark.parametrize(("weights", "of_rows", "of_steps"), BAD_STEPS)
@pytest.mark.parametrize("kind", KINDS)
def test_bad_weights_of_steps_have_their_sentence(kind, weights, of_rows, of_steps):
    each, y = model(kind)
    with pytest.raises((ValueError, TypeError)) as raised:
        each.fit(X, y, sample_weight=weights)
    assert (of_rows if kind in ("classifier", "regressor") else of_steps) in str(raised.value)


BAD_CLASS_WEIGHTS = [
    ("equal", ValueError, "class_weight is 'equal' (a str), expected None, 'balanced' or a dict"),
    ({"a": -1.0}, ValueError, "class_weight[0] is -1.0, expected a finite number of at least 0"),
    ({"z": 1.0}, ValueError, "class_weight"),
]


@pytest.mark.parametrize(("weights", "error", "said"), BAD_CLASS_WEIGHTS)
def test_bad_class_weights_have_their_sentence(weights, error, said):
    with pytest.raises(error) as raised:
        RNNClassifier(3, class_weight=weights).fit(X, CLASSES)
    assert said in str(raised.value)
