"""What early stopping holds out is not learned from; scores, errors and classes are scikit-learn's."""

import numpy as np
import pytest
from sklearn.neural_network import MLPClassifier

import elman
from elman import RNNClassifier, RNNRegressor, RNNTagger
from helpers.estimators import KINDS, Problem
from helpers.support import assert_same_bits

RNG = np.random.default_rng(7)
LENGTHS = RNG.integers(2, 7, size=24)
X = [RNG.normal(size=(n, 2)) for n in LENGTHS]
CLASSES = np.array([0] * 16 + [1] * 8)
NUMBERS = RNG.normal(size=24)
LABELS = [RNG.integers(0, 2, size=n) for n in LENGTHS]
STEP_NUMBERS = [RNG.normal(size=n) for n in LENGTHS]
PROBLEM = Problem(
    X,
    {"classifier": CLASSES, "regressor": NUMBERS, "step_regressor": STEP_NUMBERS, "tagger": LABELS},
    {"hidden_layer_sizes": 4, "max_iter": 3, "random_state": 0, "validation_fraction": 0.25},
)
model = PROBLEM.model
HELD = {"early_stopping": True}


def rest(each):
    return np.setdiff1d(np.arange(24), each.validation_rows_)


def taken(y, rows):
    return y[rows] if isinstance(y, np.ndarray) else [y[i] for i in rows]


# ------------------------------------------------------------------------------ what is held out stays unseen


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("options", [{}, {"input_noise": 0.3}], ids=str)
def test_nothing_is_learned_from_what_is_held_out(kind, options):
    """A million in the held-out rows, in X and in targets, changes no bit of the weights."""
    whole, y = model(kind, **HELD, **options)
    whole.fit(X, y)
    held = whole.validation_rows_
    far = [x + 1e6 if i in held else x for i, x in enumerate(X)]
    numbers = kind.endswith("regressor")
    far_y = y if not numbers else [t + 1e6 if i in held else t for i, t in enumerate(y)]
    other, _ = model(kind, **HELD, **options)
    other.fit(far, far_y)
    rows = rest(whole)
    steps = np.concatenate([X[i] for i in rows])
    np.testing.assert_allclose(other.scaler_.mean, steps.mean(axis=0), rtol=1e-12)
    np.testing.assert_allclose(other.scaler_.scale, steps.std(axis=0), rtol=1e-12)
    assert other.loss_curve_ == whole.loss_curve_
    if numbers:
        targets = np.hstack(taken(y, rows))
        assert other.targets_.scaler.mean == pytest.approx(targets.mean(), rel=1e-12)
        assert other.targets_.scaler.scale == pytest.approx(targets.std(), rel=1e-12)


@pytest.mark.parametrize("kind", ["classifier", "tagger"])
@pytest.mark.parametrize("weighted", [False, True])
def test_balanced_weights_balance_what_is_trained_on(kind, weighted):
    """As a dict of the training part's own balance does, in both parts."""
    weights = RNG.integers(1, 5, size=24).astype(float) if weighted else None
    each, y = model(kind, class_weight="balanced", **HELD)
    each.fit(X, y, weights)
    rows = rest(each)
    w = np.ones(24) if weights is None else weights
    per_answer = np.repeat(w[rows], LENGTHS[rows]) if kind == "tagger" else w[rows]
    sums = np.bincount(np.hstack(taken(y, rows)), per_answer)
    balance = {c: sums.sum() / (2 * s) for c, s in enumerate(sums)}
    other, _ = model(kind, class_weight=balance, **HELD)
    other.fit(X, y, weights)
    assert other.loss_curve_ == each.loss_curve_
    assert other.validation_scores_ == each.validation_scores_


def test_without_early_stopping_all_rows_are_learned_from():
    each, y = model("classifier")
    each.fit(X, y, validation_data=([x + 1e6 for x in X[:5]], y[:5]))
    np.testing.assert_allclose(each.scaler_.mean, np.concatenate(X).mean(axis=0), rtol=1e-12)


@pytest.mark.parametrize("kind", ["step_regressor", "tagger"])
def test_a_training_part_without_an_answer_is_refused(kind):
    each, y = model(kind, **HELD)
    held = each.fit(X, y).validation_rows_
    none = np.nan if kind == "step_regressor" else -1
    missing = {} if kind == "step_regressor" else {"missing_label": -1}
    alone = [np.where(i in held, t, none) for i, t in enumerate(y)]
    with pytest.raises(ValueError, match=r"^early_stopping leaves no (answer|label) to train on") as raised:
        model(kind, **HELD, **missing)[0].fit(X, alone)
    assert raised.value.argument == "early_stopping"


# ------------------------------------------------------------------------------------------------- the scores


@pytest.mark.parametrize("kind", KINDS)
def test_scores_are_none_where_nothing_is_held_out(kind, tmp_path):
    each, y = model(kind)
    assert each.fit(X, y).validation_scores_ is None and each.best_validation_score_ is None
    each.save(tmp_path / "model")
    loaded = elman.load(tmp_path / "model")
    assert loaded.validation_scores_ is None and loaded.best_validation_score_ is None
    each.partial_fit(X, y)
    assert each.validation_scores_ is None
    mlp = MLPClassifier(3, max_iter=200, tol=1.0).fit(np.zeros((4, 1)), [0, 1, 0, 1])
    assert mlp.validation_scores_ is None and mlp.best_validation_score_ is None


@pytest.mark.parametrize("held", [[3.0], [3.0, 3.0, 3.0]], ids=len)
def test_held_out_answers_without_an_r2_are_measured_by_the_targets_that_are_trained_on(held):
    y = np.arange(8.0)
    each = RNNRegressor(8, max_iter=20, random_state=0)
    each.fit(X[:8], y, validation_data=(X[8 : 8 + len(held)], held))
    errors = np.array(each.network_.history.history["val_mean_squared_error"])
    np.testing.assert_allclose(
        each.validation_scores_, 1.0 - errors, rtol=1e-12
    )  # the targets' variance is 1
    assert len({*each.validation_scores_}) > 10
    found = np.mean((each.predict(X[8 : 8 + len(held)]) - held) ** 2)
    assert each.best_validation_score_ == pytest.approx(1.0 - found / y.var(), rel=1e-9)


def test_one_sequence_held_out_has_a_score():
    each = RNNRegressor(8, early_stopping=True, max_iter=50, random_state=0).fit(X[:8], np.arange(8.0))
    assert len(each.validation_rows_) == 1
    assert len({*each.validation_scores_}) > 10
    two = RNNRegressor(8, early_stopping=True, max_iter=5, random_state=0).fit(X[:8], RNG.normal(size=(8, 2)))
    assert len({*two.validation_scores_}) == two.n_iter_
    steps = RNNRegressor(8, return_sequences=True, early_stopping=True, max_iter=5, random_state=0)
    steps.fit(X[:8], STEP_NUMBERS[:8])
    row = steps.validation_rows_
    assert steps.score(taken(X, row), taken(STEP_NUMBERS, row)) == pytest.approx(steps.best_validation_score_)


# ------------------------------------------------------------------------------------------------- the errors


@pytest.mark.parametrize(
    ("fit", "count"),
    [
        (lambda: RNNTagger(4, early_stopping=True).fit(X[:1], LABELS[:1]), "1 sequence"),
        (lambda: RNNRegressor(4, early_stopping=True).fit(X[:1], [1.0]), "1 sequence"),
        (lambda: RNNClassifier(4, early_stopping=True).fit(X[:3], [0, 1, 1]), "3 sequences"),
    ],
)
def test_a_split_that_cannot_be_names_the_remedy(fit, count):
    with pytest.raises(ValueError, match=rf"^early_stopping cannot hold out 0.1 of {count} \(") as raised:
        fit()
    assert "aforementioned" not in str(raised.value)
    remedy = "more sequences (elman.evaluation.chunk cuts long ones into several), or validation_data="
    assert str(raised.value).endswith(f", expected {remedy}")


def test_a_larger_fraction_is_the_remedy_of_a_split_with_too_few_of_a_class():
    for n, classes, fraction in ((10, 2, 0.2), (7, 3, 0.43)):
        y = np.arange(n) % classes
        early = RNNClassifier(4, early_stopping=True, max_iter=2, random_state=0)
        with pytest.raises(ValueError, match=f"expected validation_fraction={fraction} or more, "):
            early.fit(X[:n], y)
        rows = early.set_params(validation_fraction=fraction).fit(X[:n], y).validation_rows_
        assert set(y[rows]) == set(range(classes))
    for early in (RNNClassifier(4, early_stopping=True), RNNRegressor(4, early_stopping=True)):
        with pytest.raises(ValueError, match="expected a smaller validation_fraction, more sequences"):
            early.set_params(validation_fraction=0.99).fit(X[:10], np.arange(10) % 2)


def test_chunks_are_the_remedy():
    long = [RNG.normal(size=(20, 1))], [np.arange(20) % 2]
    chunks = elman.evaluation.chunk(*long, 2)
    tagger = RNNTagger(4, early_stopping=True, max_iter=3, random_state=0).fit(chunks.X, [*chunks.y])
    assert len(tagger.validation_rows_) == 1


@pytest.mark.parametrize("y", [[0, 1] * 12, [0, 1, 2, 3] * 6, [5, 6, 7] * 8], ids=["fewer", "more", "others"])
def test_a_warm_start_wants_the_same_classes(y):
    """In the words of MLPClassifier; labels of texts and of steps too."""
    each = RNNClassifier(4, max_iter=2, random_state=0, warm_start=True).fit(X, [0, 1, 2] * 8)
    before = each.predict_proba(X)
    sentence = (
        "warm_start can only be used where `y` has the same classes as in the previous call to fit. "
        f"Previously got [0, 1, 2], `y` has {sorted({*y})}"
    )
    with pytest.raises(ValueError, match=r"^warm_start can only be used") as raised:
        each.fit(X, y)
    assert str(raised.value) == sentence
    with pytest.raises(
        ValueError, match="warm_start can only be used where `y` has the same classes as in the"
    ):
        MLPClassifier(3, max_iter=2000, tol=1.0, warm_start=True).fit(np.zeros((24, 1)), [0, 1, 2] * 8).fit(
            np.zeros((24, 1)), y
        )
    assert_same_bits(each.predict_proba(X), before)
    each.fit(X, [2, 1, 0] * 8)
    tagger = RNNTagger(4, max_iter=2, random_state=0, warm_start=True).fit(X, LABELS)
    with pytest.raises(ValueError, match=r"Previously got \[0, 1\], `y` has \[1\]"):
        tagger.fit(X, [np.ones(n, int) for n in LENGTHS])


def test_partial_fit_and_validation_data_may_have_fewer_classes():
    each = RNNClassifier(4, max_iter=2, random_state=0, warm_start=True).fit(X, [0, 1, 2] * 8)
    each.partial_fit(X[:2], [0, 1])
    each.fit(X, [0, 1, 2] * 8, validation_data=(X[:2], [0, 1]))
    assert len(each.validation_scores_) == 2


@pytest.mark.parametrize("weighted", [False, True])
def test_a_held_out_number_that_overflows_is_named_by_its_row_in_x(weighted):
    """By the scale of the others; rows of weight 0, which are left out, count too."""
    each, y = model("classifier", dtype="float32", **HELD)
    weights = np.r_[0.0, 0.0, np.ones(22)] if weighted else None
    row = each.fit(X, y, weights).validation_rows_[1]
    far = [x * 1e60 if i == row else x for i, x in enumerate(X)]
    with pytest.raises(
        ValueError, match=r"standardized, expected numbers that are finite in float32"
    ) as raised:
        each.fit(far, y, weights)
    assert str(raised.value).startswith(f"X[{row}] has {far[row][0, 0]} at step 0, feature 0, which is ")
