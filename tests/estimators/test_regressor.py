"""Numbers a sequence or a step: several outputs, gaps, large scales, R2 over what was answered."""

import numpy as np
import pytest
from sklearn.metrics import r2_score

from elman import RNNRegressor
from helpers.support import assert_same_bits

RNG = np.random.default_rng(8)
LENGTHS = [4, 6, 1, 3, 5, 2, 6, 4, 3, 5]
X = [RNG.normal(size=(n, 2)) for n in LENGTHS]
Y = np.array([x[-1] @ [1.0, -2.0] for x in X])
STEPS = [np.cumsum(x, axis=0) for x in X]
NAN = float("nan")


def regressor(**options):
    return RNNRegressor(**{"hidden_layer_sizes": 6, "max_iter": 4, "random_state": 0} | options)


def learner(**options):
    return regressor(**{"max_iter": 300, "learning_rate_init": 0.02, "tol": 0.0} | options)


def test_several_outputs_are_learnt_together():
    y = np.column_stack([Y, 1000.0 * Y + 5.0, -Y])
    each = learner().fit(X, y)
    found = each.predict(X)
    assert found.shape == (10, 3) and each.network_.output_size == 3
    assert each.score(X, y) > 0.95
    assert each.score(X, y) == pytest.approx(np.mean([r2_score(y[:, k], found[:, k]) for k in range(3)]))


def test_the_answers_shape_is_that_of_y():
    assert regressor().fit(X, Y).predict(X).shape == (10,)
    assert regressor().fit(X, Y[:, None]).predict(X).shape == (10, 1)
    assert regressor().fit(X, Y.tolist()).predict(X).shape == (10,)
    steps = regressor(return_sequences=True)
    for y in (STEPS, [y[:, :1] for y in STEPS], [y[:, 0] for y in STEPS]):
        assert [row.shape for row in steps.fit(X, y).predict(X)] == [row.shape for row in y]


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("per_step", [False, True])
def test_targets_of_any_scale_are_learnt_alike(per_step, dtype):
    y = [s[:, 0] for s in STEPS] if per_step else Y
    plain = learner(return_sequences=per_step, dtype=dtype).fit(X, y)
    for scale, shift in [(1e-6, 0.0), (1e6, 0.0), (1.0, 1e6), (1e-3, -50.0)]:
        moved = [v * scale + shift for v in y]
        each = learner(return_sequences=per_step, dtype=dtype).fit(X, moved)
        np.testing.assert_allclose(each.loss_curve_[:20], plain.loss_curve_[:20], rtol=1e-3)
        assert each.score(X, moved) > 0.9


def test_constant_targets_are_answered():
    for value in (0.0, 7.0, -1e9):
        each = learner(max_iter=100).fit(X, np.full(10, value))
        np.testing.assert_allclose(each.predict(X), value, atol=0.1)
    y = np.column_stack([Y, np.full(10, 3.0)])
    found = learner().fit(X, y).predict(X)
    np.testing.assert_allclose(found[:, 1], 3.0, atol=0.1)


def test_without_standardization_targets_are_taken_as_they_are():
    each = regressor(standardize=False, max_iter=1, batch_size=100, learning_rate_init=1e-12).fit(X, Y)
    assert each.loss_ == pytest.approx(0.5 * np.mean((each.predict(X) - Y) ** 2), rel=1e-9)
    assert_same_bits(each.network_.predict(X)[:, 0], each.predict(X))


# ---------------------------------------------------------------------------------------- answers a step


def gaps():
    y = [s.copy() for s in STEPS]
    y[0][1, 0] = y[0][2] = y[3][:, 1] = y[4][:] = NAN
    return y


def test_missing_numbers_add_nothing_element_by_element():
    each = regressor(return_sequences=True, max_iter=1, batch_size=100, learning_rate_init=1e-12)
    each.fit(X, gaps())
    y, found = np.concatenate(gaps()), np.concatenate(each.predict(X))
    given = ~np.isnan(y)
    mean, scale = np.nanmean(y, axis=0), np.nanstd(y, axis=0)
    squares = np.where(given, ((found - y) / scale) ** 2, 0.0)
    answered = given.any(axis=1).sum()  # a step with one number of two is an answer
    assert each.loss_ == pytest.approx(0.5 * squares.sum() / answered, rel=1e-9)
    np.testing.assert_allclose(each.targets_.scaler.mean, mean, rtol=1e-12)
    np.testing.assert_allclose(each.targets_.scaler.scale, scale, rtol=1e-12)


def test_a_row_without_answers_is_read_but_not_learnt_from():
    keep = [i for i in range(10) if i != 4]
    whole = regressor(return_sequences=True, standardize=False, batch_size=100).fit(X, gaps())
    less = regressor(return_sequences=True, standardize=False, batch_size=100)
    less.fit([X[i] for i in keep], [gaps()[i] for i in keep])
    np.testing.assert_allclose(whole.loss_curve_, less.loss_curve_, rtol=1e-12)


def test_r2_is_over_answered_steps():
    generator = np.random.default_rng(1)
    each = learner(return_sequences=True, max_iter=30).fit(X, gaps())
    y, found = np.concatenate(gaps()), np.concatenate(each.predict(X))
    expected = [r2_score(y[g, k], found[g, k]) for k, g in enumerate((~np.isnan(y)).T)]
    assert each.score(X, gaps()) == pytest.approx(np.mean(expected), rel=1e-12)
    weights = generator.uniform(0.1, 2.0, size=10)
    w = np.repeat(weights, LENGTHS)
    expected = [r2_score(y[g, k], found[g, k], sample_weight=w[g]) for k, g in enumerate((~np.isnan(y)).T)]
    assert each.score(X, gaps(), weights) == pytest.approx(np.mean(expected), rel=1e-12)


def test_early_stopping_watches_r2_over_answered_steps():
    y = [s[:, 0].copy() for s in STEPS]
    y[1][2] = y[6][:3] = NAN
    each = learner(return_sequences=True, max_iter=60, early_stopping=True)
    each.fit(X[4:], y[4:], validation_data=(X[:4], y[:4]))
    assert each.score(X[:4], y[:4]) == pytest.approx(each.best_validation_score_, rel=1e-9)
    weights = [1.0, 0.0, 3.0, 0.5]
    each.fit(X[4:], y[4:], validation_data=(X[:4], y[:4], weights))
    assert each.score(X[:4], y[:4], weights) == pytest.approx(each.best_validation_score_, rel=1e-9)


def test_a_parameter_that_is_changed_after_the_fit_waits_for_the_next():
    each = regressor().fit(X, Y)
    expected, score = each.predict(X), each.score(X, Y)
    each.set_params(return_sequences=True)
    assert_same_bits(each.predict(X), expected)
    assert each.score(X, Y) == score
    steps = regressor(return_sequences=True).fit(X, STEPS)
    rows = steps.predict(X)
    steps.set_params(return_sequences=False)
    for mine, theirs in zip(steps.predict(X), rows, strict=True):
        assert_same_bits(mine, theirs)


BAD = [
    (False, Y[:3], ValueError, "y has 3 answers, expected 10 (one for each sequence of X)"),
    (False, np.where(Y > 0, NAN, Y), ValueError, "Input y contains NaN"),
    (False, np.where(Y > 0, np.inf, Y), ValueError, "Input y contains infinity"),
    (False, list("abcdefghij"), ValueError, "y has answers that are no numbers"),
    (False, STEPS, ValueError, "y has answers of several lengths, expected one answer a sequence; one"),
    (False, np.zeros((10, 2, 2)), ValueError, "dim 3"),
    (False, None, ValueError, "y is None, expected one answer a sequence"),
    (True, Y, ValueError, "y has shape (10,), expected (n, T) or (n, T, C)"),
    (True, STEPS[:3], ValueError, "y has 3 sequences, expected 10 (as X)"),
    (True, [STEPS[1], *STEPS[1:]], ValueError, "y[0] has 6 steps, expected 4 (as X[0])"),
    (True, [s * np.inf for s in STEPS], ValueError, "y has infinite answers, expected finite numbers, or"),
    (True, [s * NAN for s in STEPS], ValueError, "y has no answer in output 0, expected some that are not"),
    (True, [s * [1.0, NAN] for s in STEPS], ValueError, "y has no answer in output 1"),
    (True, None, TypeError, "y is None"),
    (True, [STEPS[0][:, :1], *STEPS[1:]], ValueError, "y[1] has shape (6, 2), expected (T, ...) as y[0]"),
]


@pytest.mark.parametrize(("per_step", "y", "error", "said"), BAD, ids=[case[3] for case in BAD])
def test_bad_numbers_have_their_sentence(per_step, y, error, said):
    each = regressor(return_sequences=per_step)
    with np.errstate(invalid="ignore"), pytest.raises(error) as raised:
        each.fit(X, y)
    assert said in str(raised.value)
    assert not hasattr(each, "network_")


def test_a_pool_has_no_answers_a_step():
    with pytest.raises(ValueError, match="pooling is 'mean', expected 'last' where every step has an answer"):
        regressor(return_sequences=True, pooling="mean").fit(X, STEPS)


def test_another_number_of_outputs_cannot_go_on():
    each = regressor(warm_start=True).fit(X, Y)
    for go_on in (each.fit, each.partial_fit):
        with pytest.raises(ValueError, match=r"y has 2 outputs, expected 1 \(as before\)"):
            go_on(X, np.column_stack([Y, Y]))
    steps = regressor(return_sequences=True).fit(X, STEPS)
    with pytest.raises(ValueError, match="y has 1 values a step, expected 2"):
        steps.score(X, [y[:, 0] for y in STEPS])


def test_numbers_too_large_to_be_standardized_are_refused():
    with pytest.raises(ValueError, match="y has numbers too large to be standardized in column 0"):
        regressor().fit(X, Y * 1e200)
    with pytest.raises(ValueError, match="X has numbers too large to be standardized in column 1"):
        regressor().fit([x * [1.0, 1e200] for x in X], Y)


def test_single_precision_loses_no_digits_of_targets_far_from_zero():
    X = [np.full((3, 1), value, np.float32) for value in np.linspace(-1.0, 1.0, 40)]
    y = 1e7 + np.linspace(-0.1, 0.1, 40)  # float32 holds whole numbers alone there
    each = RNNRegressor(8, learning_rate_init=0.02, max_iter=150, random_state=0).fit(X, y)
    assert each.network_.dtype == np.float32
    assert each.score(X, y) > 0.95
