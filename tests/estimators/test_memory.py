"""The estimators read X once, look for NaN once and copy X once; their scale is that of all steps."""

import gc
import tracemalloc

import numpy as np
import pytest
from sklearn.preprocessing import StandardScaler

from elman import RNNClassifier, RNNRegressor, RNNTagger, Sequences, _engine
from elman.estimators import scaling
from helpers.support import assert_same_bits

MOST = 1.5  # times X, beyond X itself
OPTIONS = {"max_iter": 1, "batch_size": 256, "random_state": 0}


def extra(fit, warm):
    """The most memory beyond what is there before, in bytes."""
    warm()  # what is imported and kept for good
    gc.collect()
    tracemalloc.start()
    try:
        before = tracemalloc.get_traced_memory()[0]
        fit()
        return tracemalloc.get_traced_memory()[1] - before
    finally:
        tracemalloc.stop()


def cube(n, steps, features, seed=0):
    return np.random.default_rng(seed).normal(size=(n, steps, features)).astype(np.float32)


def problem(kind, n, steps, features, form):
    X, many = cube(n, steps, features), np.arange(n) % 2
    given = {"array": X, "list": list(X), "table": X[:, :, 0].copy()}[form]
    if kind is RNNTagger:
        names = np.array(["wake", "rem", "deep"] if form == "array" else [1, 2, 3])
        y = [names[np.arange(steps) % 3] for _ in range(n)]
        return given, np.stack(y) if form == "table" else y
    return given, many.astype(float) if kind is RNNRegressor else many


CASES = [
    (RNNClassifier, "array", {}),
    (RNNClassifier, "list", {}),
    (RNNClassifier, "table", {}),
    (RNNClassifier, "array", {"early_stopping": True}),
    (RNNClassifier, "array", {"standardize": False}),
    (RNNClassifier, "array", {"class_weight": "balanced"}),
    (RNNRegressor, "array", {}),
    (RNNRegressor, "array", {"early_stopping": True}),
    (RNNTagger, "array", {}),
    (RNNTagger, "list", {}),
    (RNNTagger, "array", {"early_stopping": True}),
]


@pytest.mark.parametrize(("kind", "form", "options"), CASES)
def test_a_fit_copies_x_once(kind, form, options):
    features = 1 if form == "table" else 4 if kind is not RNNTagger else 16
    X, y = problem(kind, 400, 4000 if form == "table" else 1000, features, form)
    size = sum(x.nbytes for x in X) if form == "list" else X.nbytes
    small = problem(kind, 20, 30, features, form)
    found = extra(
        lambda: kind(2, **OPTIONS, **options).fit(X, y),
        lambda: kind(2, **OPTIONS, **options).fit(*small),
    )
    assert found < MOST * size, f"{found / size:.2f} times X"


@pytest.mark.parametrize("weights", [np.arange(400) % 5, 1.0 + np.arange(400)])
def test_weights_do_not_copy_x(weights):
    X, y = problem(RNNClassifier, 400, 1000, 4, "array")
    small = problem(RNNClassifier, 20, 30, 4, "array")
    found = extra(
        lambda: RNNClassifier(2, **OPTIONS).fit(X, y, sample_weight=weights),
        lambda: RNNClassifier(2, **OPTIONS).fit(*small, sample_weight=np.ones(20)),
    )
    assert found < MOST * X.nbytes


def test_noise_needs_one_copy_more():
    X, y = problem(RNNClassifier, 400, 1000, 4, "array")
    small = problem(RNNClassifier, 20, 30, 4, "array")
    found = extra(
        lambda: RNNClassifier(2, input_noise=0.1, **OPTIONS).fit(X, y),
        lambda: RNNClassifier(2, input_noise=0.1, **OPTIONS).fit(*small),
    )
    assert found < (1.0 + MOST) * X.nbytes


@pytest.mark.parametrize("form", ["list", "array", "Sequences"])
def test_one_long_recording_is_copied_once(form):
    x = cube(1, 1_000_000, 16)[0]  # 64 MB
    X = {"list": [x], "array": x[None], "Sequences": Sequences(x, [0, len(x)])}[form]
    y = np.arange(len(x)) // 1000 % 3
    short = [x[:50]]
    found = extra(
        lambda: RNNTagger(2, truncation=100, **OPTIONS).fit(X, y[None] if form == "array" else [y]),
        lambda: RNNTagger(2, truncation=100, **OPTIONS).fit(short, [y[:50] + np.arange(50) % 2]),
    )
    assert found < MOST * x.nbytes


# ---------------------------------------------------------------------------------------- NaN


@pytest.fixture
def scans(monkeypatch):
    """Counts the native looks for NaN and infinity."""
    real, count = _engine._core.Data, [0]

    class Data(real):
        def first_bad(self, *arguments):
            count[0] += 1
            return super().first_bad(*arguments)

    monkeypatch.setattr(_engine._core, "Data", Data)
    return count


@pytest.mark.parametrize("form", ["array", "list"])
@pytest.mark.parametrize("kind", [RNNClassifier, RNNRegressor, RNNTagger])
def test_x_is_looked_through_once(kind, form, scans):
    X, y = problem(kind, 12, 300, 3, form)
    for options in ({}, {"early_stopping": True, "validation_fraction": 0.25}, {"input_noise": 0.1}):
        scans[0] = 0
        model = kind(3, **OPTIONS, **options).fit(X, y, sample_weight=np.arange(12) % 4 + 0.5)
        assert scans[0] == 1 + ("early_stopping" in options)  # what is scaled by the scale of others
        scans[0] = 0
        model.predict(X)
        assert scans[0] == 1
    scans[0] = 0
    kind(3, **OPTIONS).fit(X, y, validation_data=(X, y))
    assert scans[0] == 3  # the training data, and what is scaled by the scale of others


@pytest.mark.parametrize("standardize", [True, False])
@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf])
def test_what_is_not_finite_has_its_sentence_in_predict(value, standardize):
    X, y = problem(RNNClassifier, 6, 5, 2, "array")
    model = RNNClassifier(3, standardize=standardize, **OPTIONS).fit(X, y)
    X = X.copy()
    X[4, 3, 1] = value
    said = f"X[4] has {value} at step 3, feature 1; expected numbers that are finite in float32"
    for given in (X, list(X)):
        with pytest.raises(ValueError, match=r"^X") as raised:
            model.predict(given)
        assert str(raised.value).replace(", expected", "; expected") == said


def test_too_large_for_single_precision():
    X, y = problem(RNNClassifier, 6, 5, 2, "array")
    wide = X.astype(np.float64) * 1e300
    with pytest.raises(ValueError, match="expected numbers that are finite in float32"):
        RNNClassifier(3, dtype="float32", standardize=False, **OPTIONS).fit(wide, y)
    model = RNNClassifier(3, dtype="float32", **OPTIONS).fit(X, y)
    for refused in (lambda: model.predict(wide), lambda: model.partial_fit(wide, y)):
        with pytest.raises(ValueError, match="expected numbers that are finite in float32"):
            refused()
    constant = 1e100 + np.arange(6)[:, None, None] * np.full((6, 5, 1), 1e85)
    with pytest.raises(ValueError, match="expected numbers that are finite in float32"):
        RNNClassifier(3, dtype="float32", **OPTIONS).fit(constant, y)


def test_very_unequal_weights_are_looked_at():
    X = np.zeros((4, 1, 1))
    X[0] = 1e30
    weights = np.array([1e-200, 1.0, 1.0, 1.0])
    with pytest.raises(ValueError, match="expected numbers that are finite in float32"):
        RNNClassifier(3, dtype="float32", **OPTIONS).fit(X, [0, 1, 0, 1], sample_weight=weights)


# ---------------------------------------------------------------------------------------- the scale


def reference(values, weights=None):
    """Mean and standard deviation in extended precision, from two passes."""
    x = values.astype(np.longdouble)
    w = np.ones(len(x), np.longdouble) if weights is None else weights.astype(np.longdouble)
    given = ~np.isnan(x)
    counts = (given * w[:, None]).sum(0)
    mean = np.where(given, x * w[:, None], 0).sum(0) / counts
    squares = np.where(given, (x - mean) ** 2 * w[:, None], 0).sum(0)
    return mean.astype(float), np.sqrt(squares / counts).astype(float)


N = 100_000
RNG = np.random.default_rng(7)
NORMAL = RNG.normal(size=(N, 3))
HARD = {
    "plain": NORMAL,
    "far from zero": NORMAL + np.array([1e6, -1e8, 1e10]),
    "small spread": NORMAL * 1e-6 + 1e3,
    "climbing": NORMAL + np.arange(N)[:, None] * np.array([1.0, 1e-3, 1e3]),
    "two levels": np.where(np.arange(N)[:, None] < N // 2, 1e8, -1e8) + NORMAL,
    "all sizes": NORMAL * np.array([1e-150, 1.0, 1e140]),
    "single precision": (NORMAL * 3.0 + 100.0).astype(np.float32),
    "integers": RNG.integers(-1000, 1000, size=(N, 3)),
    "missing": np.where(RNG.uniform(size=(N, 3)) < 0.3, np.nan, NORMAL + 5.0),
    "missing blocks": np.where(np.arange(N)[:, None] // 30_000 % 3 == [0, 1, 2], np.nan, NORMAL + 5.0),
}


@pytest.mark.parametrize("weighted", [False, True])
@pytest.mark.parametrize("name", HARD)
def test_the_scale_is_that_of_two_passes(name, weighted):
    values = HARD[name]
    weights = RNG.uniform(0.1, 5.0, N) if weighted else None
    found = scaling.learn(scaling.row_blocks(values, weights))
    mean, scale = reference(np.asarray(values, float), weights)
    np.testing.assert_allclose(found.mean, mean, rtol=1e-12, atol=1e-12 * scale.max())
    np.testing.assert_allclose(found.scale, scale, rtol=1e-11)


@pytest.mark.parametrize("weighted", [False, True])
@pytest.mark.parametrize("value", [0.0, 7.0, 1e10 / 3.0, -1e-10 / 3.0])
def test_a_constant_column_has_scale_1(value, weighted):
    values = np.column_stack([np.full(N, value), NORMAL[:, 0]])
    weights = RNG.uniform(0.1, 5.0, N) if weighted else None
    found = scaling.learn(scaling.row_blocks(values, weights))
    assert found.scale[0] == 1.0
    assert abs(found.mean[0] - value) <= 1e-12 * abs(value)


def test_few_values_have_the_scale_of_scikit_learn_to_the_bit():
    values = NORMAL[:1000] + np.array([1.0, 2.0, 1e6])
    for weights in (None, RNG.uniform(0.1, 5.0, 1000)):
        found = scaling.learn(scaling.row_blocks(values, weights))
        theirs = StandardScaler().fit(values, sample_weight=weights)
        assert_same_bits(found.mean, theirs.mean_)
        assert_same_bits(found.scale, theirs.scale_)


def test_long_rows_of_weight_0_are_as_absent_to_the_bit():
    X = [RNG.normal(size=(n, 2)) for n in (30_000, 50_000, 7, 20_000, 40_000)]
    y, weights = np.array([0, 1, 0, 1, 0]), np.array([1.0, 0.0, 2.0, 1.0, 3.0])
    kept = np.flatnonzero(weights)
    options = {"max_iter": 1, "random_state": 0, "truncation": 500}
    with_zeros = RNNClassifier(2, **options).fit(X, y, sample_weight=weights)
    without = RNNClassifier(2, **options).fit([X[i] for i in kept], y[kept], sample_weight=weights[kept])
    assert_same_bits(with_zeros.scaler_.mean, without.scaler_.mean)
    assert_same_bits(with_zeros.scaler_.scale, without.scaler_.scale)
    assert_same_bits(with_zeros.network_.parameters, without.network_.parameters)


def test_a_list_is_not_changed():
    X = [RNG.normal(size=(n, 2)) for n in (3, 4, 5)]
    before = [x.copy() for x in X]
    for given in (X, X[:1], [np.ascontiguousarray(X[0])]):
        y = [np.arange(len(x)) % 2 for x in given]
        RNNTagger(2, input_noise=1.0, **OPTIONS).fit(given, y)
    for x, copy in zip(X, before, strict=True):
        assert_same_bits(x, copy)
