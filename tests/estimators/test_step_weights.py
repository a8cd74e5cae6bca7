"""Weights of steps in the tagger and the regressor with one answer a step: they weigh answers, not inputs."""

import numpy as np
import pytest

from elman import RNNClassifier, RNNRegressor, RNNTagger, Sequences
from helpers.estimators import make
from helpers.support import assert_same_bits, stack

RNG = np.random.default_rng(8)
LENGTHS = [4, 1, 6, 3, 2, 5, 4, 3, 6, 2, 5, 3]
X = [RNG.normal(size=(n, 2)) * 2.0 + 1.0 for n in LENGTHS]
LABELS = [np.where(x[:, 0] > 1.0, "u", "v") for x in X]
NUMBERS = [3.0 * x[:, 0] - x[:, 1] + 10.0 for x in X]
WEIGHTS = [RNG.uniform(0.2, 3.0, n) * (RNG.uniform(size=n) > 0.3) for n in LENGTHS]
WEIGHTS[3][:] = 0.0
KINDS = {"tagger": (LABELS, ""), "step_regressor": (NUMBERS, np.nan)}
COMMON = {"hidden_layer_sizes": 4, "max_iter": 6, "batch_size": 3, "random_state": 0}


def model(kind, **options):
    return make(kind, **COMMON, **({"missing_label": ""} if kind == "tagger" else {}), **options)


def without(y, gone):
    """Answers of weight 0 taken away."""
    return [np.where(w == 0.0, gone, row) for row, w in zip(y, WEIGHTS, strict=True)]


OPTIONS = [
    {},
    {"standardize": False},
    {"truncation": 2},
    {"dtype": "float32"},
    {"early_stopping": True, "validation_fraction": 0.4},
    {"solver": "lbfgs"},
]
ALL = [(kind, o) for kind in KINDS for o in OPTIONS]
ALL += [("tagger", {"class_weight": "balanced"}), ("tagger", {"class_weight": {"u": 3.0, "v": 0.5}})]


@pytest.mark.parametrize(("kind", "options"), ALL)
def test_a_step_of_weight_0_is_one_without_an_answer(kind, options):
    y, gone = KINDS[kind]
    found = model(kind, **options).fit(X, y, sample_weight=WEIGHTS)
    ones = [np.where(w == 0.0, 1.0, w) for w in WEIGHTS]
    expected = model(kind, **options).fit(X, without(y, gone), sample_weight=ones)
    assert found.loss_curve_ == expected.loss_curve_
    assert_same_bits(found.network_.parameters, expected.network_.parameters)
    assert_same_bits(found.scaler_.mean, expected.scaler_.mean)
    assert found.score(X, y, WEIGHTS) == expected.score(X, without(y, gone), ones)
    zeros = [(w > 0.0) * 1.0 for w in WEIGHTS]
    found = model(kind, **options).fit(X, y, sample_weight=zeros)
    expected = model(kind, **options).fit(X, without(y, gone))
    assert_same_bits(found.network_.parameters, expected.network_.parameters)
    assert found.score(X, y, zeros) == expected.score(X, without(y, gone))


@pytest.mark.parametrize("kind", KINDS)
def test_the_scale_of_the_input_is_that_of_all_steps(kind):
    """Weights of steps are about answers, and a missing answer does not remove its step either."""
    y, _ = KINDS[kind]
    found = model(kind).fit(X, y, sample_weight=WEIGHTS).scaler_
    plain = model(kind).fit(X, y).scaler_
    assert_same_bits(found.mean, plain.mean)
    assert_same_bits(found.scale, plain.scale)


def test_the_scale_of_the_targets_is_that_of_the_weighted_answers():
    each = model("step_regressor").fit(X, NUMBERS, sample_weight=WEIGHTS)
    y, w = np.concatenate(NUMBERS), np.concatenate(WEIGHTS)
    mean = np.average(y, weights=w)
    assert each.targets_.scaler.mean == pytest.approx([mean], rel=1e-12)
    assert each.targets_.scaler.scale == pytest.approx([np.sqrt(np.average((y - mean) ** 2, weights=w))])


def test_scores_count_a_weight_as_so_many_steps():
    times = [np.array(w, int) for w in np.split(RNG.integers(0, 3, sum(LENGTHS)), np.cumsum(LENGTHS)[:-1])]
    tagger = model("tagger").fit(X, LABELS)
    right = stack(tagger.predict(X)) == np.concatenate(LABELS)
    assert tagger.score(X, LABELS, times) == pytest.approx(np.repeat(right, np.concatenate(times)).mean())
    each = model("step_regressor").fit(X, NUMBERS)
    y, p = (np.repeat(stack(rows).ravel(), np.concatenate(times)) for rows in (NUMBERS, each.predict(X)))
    expected = 1.0 - ((y - p) ** 2).sum() / ((y - y.mean()) ** 2).sum()
    assert each.score(X, NUMBERS, times) == pytest.approx(expected)


def test_balanced_classes_count_the_weights_of_their_steps():
    """The loss of the first epoch, counted by hand: weights of classes and of steps are multiplied."""
    each = make("tagger", **COMMON | {"max_iter": 1, "batch_size": 100, "learning_rate_init": 1e-12})
    each.set_params(class_weight="balanced").fit(X, LABELS, sample_weight=WEIGHTS)
    labels, w = np.concatenate(LABELS), np.concatenate(WEIGHTS)
    sums = {name: w[labels == name].sum() for name in "uv"}
    w = w * [sum(sums.values()) / (2.0 * sums[label]) for label in labels]
    p = np.concatenate(each.predict_proba(X))[np.arange(len(labels)), (labels == "v").astype(int)]
    assert each.loss_ == pytest.approx(-(w * np.log(p)).sum() / w.sum(), rel=1e-9)


@pytest.mark.parametrize("kind", KINDS)
def test_early_stopping_watches_a_weighted_score(kind):
    y, _ = KINDS[kind]
    each = model(kind, early_stopping=True, validation_fraction=0.4).fit(X, y, sample_weight=WEIGHTS)
    rows = each.validation_rows_
    held_out = [X[i] for i in rows], [y[i] for i in rows], [WEIGHTS[i] for i in rows]
    assert each.best_validation_score_ == pytest.approx(each.score(*held_out), rel=1e-9)
    given = model(kind).fit(X, y, sample_weight=WEIGHTS, validation_data=(X, y, WEIGHTS))
    assert given.best_validation_score_ == pytest.approx(given.score(X, y, WEIGHTS), rel=1e-9)


@pytest.mark.parametrize("kind", KINDS)
def test_forms_partial_fits_and_resumed_runs(kind, tmp_path):
    y, _ = KINDS[kind]
    plain = model(kind).fit(X, y, sample_weight=WEIGHTS)
    packed = Sequences(np.concatenate(WEIGHTS), np.cumsum([0, *LENGTHS]))
    for form in ([w.tolist() for w in WEIGHTS], tuple(WEIGHTS), packed):
        assert_same_bits(
            model(kind).fit(X, y, sample_weight=form).network_.parameters, plain.network_.parameters
        )
    cut = model(kind)
    cut.partial_fit(X, y, sample_weight=WEIGHTS)
    other = model(kind)
    other.partial_fit(X, y)
    assert not np.array_equal(cut.network_.parameters, other.network_.parameters)
    path = tmp_path / "run"
    whole = model(kind).fit(X, y, sample_weight=WEIGHTS, checkpoint=path)
    again = model(kind).fit(X, y, sample_weight=WEIGHTS, checkpoint=path, resume=True)
    assert_same_bits(again.network_.parameters, whole.network_.parameters)
    changed = [np.where(w > 1.0, 1.0, w) for w in WEIGHTS]
    with pytest.raises(ValueError, match="weight"):
        model(kind).fit(X, y, sample_weight=changed, checkpoint=path, resume=True)


def test_weights_of_sequences_are_as_before():
    """They weigh the input too; weights of steps that are equal in each sequence do not."""
    w = np.arange(1.0, 13.0)
    steps = [np.full(n, weight) for n, weight in zip(LENGTHS, w, strict=True)]
    by_rows = model("tagger", standardize=False).fit(X, LABELS, sample_weight=w)
    by_steps = model("tagger", standardize=False).fit(X, LABELS, sample_weight=steps)
    np.testing.assert_allclose(by_rows.loss_curve_, by_steps.loss_curve_, rtol=1e-12)
    assert by_rows.score(X, LABELS, w) == pytest.approx(by_rows.score(X, LABELS, steps))


def test_weights_that_do_not_fit_have_their_sentence():
    bad = [w.copy() for w in WEIGHTS]
    bad[2][4] = -1.0
    short = [*WEIGHTS[:2], WEIGHTS[2][:5], *WEIGHTS[3:]]
    for weights, said in [
        (bad, r"sample_weight\[2\] at step 4 is -1.0"),
        (short, r"sample_weight\[2\] has 5 steps, expected 6 \(as X\[2\]\)"),
        ([np.zeros(n) for n in LENGTHS], "sample_weight is zero everywhere"),
    ]:
        for kind, (y, _) in KINDS.items():
            each = model(kind)
            with pytest.raises(ValueError, match=said):
                each.fit(X, y, sample_weight=weights)
            assert not hasattr(each, "network_")
            with pytest.raises(ValueError, match=said):
                model(kind).fit(X, y).score(X, y, weights)
    y = np.arange(12) % 2
    for each in (RNNClassifier(2, max_iter=1), RNNRegressor(2, max_iter=1)):
        with pytest.raises(ValueError, match="sample_weight has weights of steps, expected"):
            each.fit(X, y, sample_weight=WEIGHTS)
    only = [(row == "u") * 1.0 for row in LABELS]
    with pytest.raises(ValueError, match="y has one class, 'u'"):
        RNNTagger(2).fit(X, LABELS, sample_weight=only)
    gone = [np.where(row == "u", "", row) for row in LABELS]
    with pytest.raises(ValueError, match="y has no label"):
        RNNTagger(2, missing_label="").fit(X, gone, sample_weight=only)
