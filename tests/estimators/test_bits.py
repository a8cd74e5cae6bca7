"""A row's answer is its own: the same bits alone, in any company, in any form and one step at a time."""

import copy
import pickle

import numpy as np
import pytest

from elman import RNNClassifier, Sequences
from helpers.estimators import make
from helpers.support import assert_same_bits, stack

F = 3
LENGTHS = [1, 2, 3, 4, 5, 7, 8, 15, 16, 17, 31, 64, 100, 177, 255, 256, 333, 499, 500]


def rows(dtype, lengths=LENGTHS, seed=0):
    generator = np.random.default_rng(seed)
    return [(generator.normal(size=(n, F)) * 3.0 + 1.0).astype(dtype) for n in lengths]


def labels(X, classes=("a", "b", "c")):
    return np.array(classes)[np.arange(len(X)) % len(classes)]


def fitted(kind, dtype, pooling="last", **options):
    X = rows(dtype, [4, 9, 2, 7, 1, 12])
    options = {"hidden_layer_sizes": (9,), "max_iter": 2, "random_state": 1} | options
    answers = {
        "classifier": labels(X),
        "regressor": [x[:2].sum() * np.array([1e3, 1.0]) for x in X],
        "step_regressor": [x[:, 0] * 1e3 + 7.0 for x in X],
        "tagger": [np.where(x[:, 0] > 0, "up", "down") for x in X],
    }
    pools = {"pooling": pooling} if kind in ("classifier", "regressor") else {}
    return make(kind, **pools, **options).fit(X, answers[kind])


KINDS = [
    *[(kind, pooling) for kind in ("classifier", "regressor") for pooling in ("last", "mean", "max")],
    ("step_regressor", "last"),
    ("tagger", "last"),
]


def methods(model):
    return [getattr(model, name) for name in ("predict", "predict_proba") if hasattr(model, name)]


@pytest.mark.parametrize(("kind", "pooling"), KINDS)
def test_rows_of_1_to_500_steps_answer_alone_as_in_company(kind, pooling, dtype):
    model = fitted(kind, dtype, pooling)
    X = rows(dtype, seed=5)
    for predict in methods(model):
        together = predict(X)
        for i, x in enumerate(X):
            assert_same_bits(predict([x])[0], together[i], f"row {i} of {len(x)} steps")
        offsets = np.cumsum([0, *LENGTHS])
        assert_same_bits(stack(predict(Sequences(np.concatenate(X), offsets))), stack(together))


@pytest.mark.parametrize("kind", ["classifier", "regressor", "tagger"])
def test_every_length_from_1_to_500_answers_alone_as_in_company(kind, dtype):
    """All five hundred; each row alone."""
    model = fitted(kind, dtype)
    X = rows(dtype, range(1, 501), seed=6)
    order = np.random.default_rng(2).permutation(500)
    predict = model.predict if kind == "regressor" else model.predict_proba
    together = predict([X[i] for i in order])
    for place, i in enumerate(order):
        assert_same_bits(predict([X[i]])[0], together[place], f"{i + 1} steps")


@pytest.mark.parametrize("n_jobs", [1, 2, -1])
def test_threads_do_not_change_a_bit(n_jobs, dtype):
    X = rows(dtype)
    y = labels(X)
    plain = RNNClassifier(16, max_iter=3, random_state=0).fit(X, y)
    model = RNNClassifier(16, max_iter=3, random_state=0, n_jobs=n_jobs).fit(X, y)
    assert_same_bits(model.network_.parameters, plain.network_.parameters)
    assert_same_bits(model.predict_proba(X), plain.predict_proba(X))
    assert model.loss_curve_ == plain.loss_curve_


STACKS = [
    {"hidden_layer_sizes": (9,)},
    {"hidden_layer_sizes": (5, 4)},
    {"hidden_layer_sizes": (9,), "cell": "gru"},
    {"hidden_layer_sizes": (5, 4), "cell": "lstm"},
]


@pytest.mark.parametrize("options", STACKS, ids=str)
@pytest.mark.parametrize(("kind", "pooling"), KINDS)
def test_a_stream_answers_as_predict_on_the_steps_so_far(kind, pooling, options, dtype):
    model = fitted(kind, dtype, pooling, **options)
    x = rows(dtype, [30], seed=7)[0]
    predict = methods(model)[-1]
    stream = model.stream()
    for t in range(len(x)):
        expected = predict([x[: t + 1]])[0]
        if kind in ("step_regressor", "tagger"):
            expected = np.atleast_1d(expected[-1])
        assert_same_bits(stream.step(x[t]), expected, f"after step {t}")


@pytest.mark.parametrize(("kind", "pooling"), KINDS)
def test_a_stream_of_several_rows_is_several_streams(kind, pooling, dtype):
    model = fitted(kind, dtype, pooling)
    X = np.stack(rows(dtype, [12] * 5, seed=8))
    several, single = model.stream(rows=5), [model.stream() for _ in range(5)]
    for t in range(12):
        found = several.step(X[:, t])
        for i in range(5):
            assert_same_bits(found[i], single[i].step(X[i, t]), f"row {i}, step {t}")


@pytest.mark.parametrize("cell", ["rnn", "gru", "lstm"])
@pytest.mark.parametrize(("kind", "pooling"), KINDS)
def test_a_streams_state_is_a_copy_and_can_be_put_back(kind, pooling, cell, dtype):
    model = fitted(kind, dtype, pooling, cell=cell)
    x = rows(dtype, [10], seed=9)[0]
    stream = model.stream()
    first = [stream.step(step) for step in x[:4]]
    state = stream.state
    rest = [stream.step(step) for step in x[4:]]
    stream.state = state
    for t, step in enumerate(x[4:]):
        assert_same_bits(stream.step(step), rest[t], "after the state was put back")
    stream.reset()
    for t, step in enumerate(x[:4]):
        assert_same_bits(stream.step(step), first[t], "after reset")
    other = model.stream()
    other.state = state
    assert_same_bits(other.step(x[4]), rest[0], "in another stream")


@pytest.mark.parametrize("bad", ["nan", "inf", "long", "short", "scalar", "text", "none"])
@pytest.mark.parametrize(("kind", "pooling"), KINDS)
def test_a_bad_step_is_refused_and_the_state_stays(kind, pooling, bad):
    model = fitted(kind, "float64", pooling)
    x = rows("float64", [3], seed=10)[0]
    stream, twin = model.stream(), model.stream()
    for each in (stream, twin):
        each.step(x[0])
    wrong = {
        "nan": [0.0, np.nan, 0.0],
        "inf": [0.0, 0.0, np.inf],
        "long": [0.0] * 4,
        "short": [0.0, 1.0],
        "scalar": 1.0,
        "text": list("abc"),
        "none": None,
    }[bad]
    with pytest.raises((ValueError, TypeError), match=r"^x(\[[0-9]\])? "):
        stream.step(wrong)
    for step in x[1:]:
        assert_same_bits(stream.step(step), twin.step(step))


def test_a_univariate_stream_takes_one_number_a_step():
    X = np.random.default_rng(3).normal(size=(8, 5))
    for form in (X, list(X)):
        model = RNNClassifier(4, max_iter=2, random_state=0).fit(form, labels(X))
        stream = model.stream()
        for t in range(5):
            found = stream.step(X[0, t : t + 1])
        assert_same_bits(found, model.predict_proba(form)[0])
        assert_same_bits(model.stream().step(X[0, 0]), model.stream().step([X[0, 0]]))


def test_a_stream_is_of_the_model_it_was_taken_from():
    X = rows("float64")
    model = RNNClassifier(4, max_iter=2, random_state=0).fit(X, labels(X))
    before, stream = model.predict_proba([X[0][:1]])[0], model.stream()
    model.set_params(random_state=5).fit([x * 100.0 for x in X], labels(X))
    assert_same_bits(stream.step(X[0][0]), before)


@pytest.mark.parametrize(("kind", "pooling"), KINDS)
@pytest.mark.parametrize("again", [copy.deepcopy, lambda model: pickle.loads(pickle.dumps(model))])
def test_copies_answer_with_the_same_bits(kind, pooling, again, dtype):
    model = fitted(kind, dtype, pooling)
    X = rows(dtype)
    for mine, theirs in zip(methods(model), methods(again(model)), strict=True):
        assert_same_bits(stack(mine(X)), stack(theirs(X)))


@pytest.mark.parametrize("kind", ["classifier", "tagger"])
def test_probabilities_sum_to_one_in_float64(kind, dtype):
    model = fitted(kind, dtype)
    p = np.concatenate([np.atleast_2d(row) for row in model.predict_proba(rows(dtype))])
    assert p.dtype == np.float64
    assert np.abs(p.sum(-1) - 1.0).max() <= 1e-15 * p.shape[1]
    assert (p >= 0.0).all()
    found = np.concatenate([np.atleast_1d(row) for row in model.predict(rows(dtype))])
    assert (model.classes_[p.argmax(-1)] == found).all()
