"""A weight for each step: so many repeated answers, 0 for none; all else stays as it was, to the bit."""

from __future__ import annotations

import numpy as np
import pytest

import elman
import reference as ref
from elman import GRU, LSTM, SGD, Adam, Dense, MeanPool, Network, Sequences, SimpleRNN
from elman.nn import losses
from elman.training.plan import read_training_data
from helpers.networks import C, build, cases, lively_weights
from helpers.support import (
    LOSSES,
    OUTPUT_OF,
    as_y,
    assert_near,
    assert_same_bits,
    flat,
    network,
    ragged,
    random_answers,
    weights_of,
)

F = 3
LENGTHS = [4, 9, 1, 6, 2, 9, 3]
CELLS = ["tanh", "gru", "lstm"]
STEPS = [(shape, loss) for shape, loss in cases() if ref.has_time_axis(build(shape, "tanh", loss))]


def step_weights(generator, lengths=LENGTHS):
    """Weights of all sizes, a quarter of them 0; one row has nothing but zeros."""
    weights = [generator.uniform(0.1, 3.0, n) * (generator.uniform(size=n) > 0.25) for n in lengths]
    weights[2][:] = 0.0
    return weights


def whole(layers):
    return any(getattr(layer, "bidirectional", False) for layer in layers)


@pytest.fixture(params=STEPS, ids=lambda case: "-".join(case))
def problem(request, dtype):
    """For every network with one answer a step: rows, answers with some missing, weights."""
    shape, loss = request.param
    generator = np.random.default_rng(len(shape))
    layers = build(shape, CELLS[len(shape) % 3], loss)
    net = network(layers, F, dtype, lively_weights(layers, F, generator))
    X = ragged(generator, LENGTHS, F, dtype)
    answers = random_answers(generator, layers, net.output_size, LENGTHS, loss, missing=0.3)
    return layers, net, X, answers, loss, step_weights(generator)


@pytest.mark.parametrize("reduction", ["mean", "sum"])
def test_loss_and_gradient_are_the_reference(problem, dtype, reduction):
    layers, net, X, answers, loss, weights = problem
    options = {"reduction": reduction, "sample_weight": weights, "l2": 0.01}
    expected = ref.minibatch(layers, weights_of(net), X, answers, loss, **options)
    found, gradient = net.loss_and_gradient(X, answers, loss=loss, **options)
    assert_near(found, expected.loss, dtype, "loss")
    assert_near(gradient, flat(expected.gradient), dtype, "gradient")


def test_reports_are_the_reference(problem, dtype):
    layers, net, X, answers, loss, weights = problem
    expected = ref.evaluate(layers, weights_of(net), X, answers, loss, sample_weight=weights)
    found = net.evaluate(X, answers, loss=loss, sample_weight=weights)
    assert set(found) == set(expected)
    for name, value in expected.items():
        assert_near(found[name], value, dtype, name)


@pytest.mark.parametrize(
    "cut", [{}, {"truncation": 2}, {"stateful": True}, {"truncation": 3, "stateful": True}], ids=str
)
def test_training_is_the_reference(problem, dtype, cut):
    layers, net, X, answers, loss, weights = problem
    if cut and whole(layers):
        pytest.skip("needs whole sequences")
    optimizer = SGD(0.05, momentum=0.9)
    options = {"loss": loss, "sample_weight": weights, "l2": 0.01, "clip_norm": 1.0, **cut}
    trainer = ref.Trainer(layers, weights_of(net), optimizer, **options)
    expected = trainer.fit(X, answers, epochs=4, batch_size=4)
    fit = {"optimizer": optimizer, "epochs": 4, "batch_size": 4, "shuffle": False, "verbose": False}
    history = net.fit(X, answers, **fit, **options).history
    for name in expected[0]:
        assert_near(history[name], [logs[name] for logs in expected], dtype, name)
    assert_near(net.parameters, flat(trainer.weights), dtype, "weights")


@pytest.mark.parametrize(("shape", "loss"), STEPS, ids="-".join)
def test_second_derivatives_are_the_reference(shape, loss):
    generator = np.random.default_rng(5)
    layers = build(shape, "tanh", loss)
    net = network(layers, F, "float64", lively_weights(layers, F, generator))
    X = ragged(generator, LENGTHS, F)
    answers = random_answers(generator, layers, net.output_size, LENGTHS, loss, missing=0.2)
    weights = step_weights(generator)
    expected = ref.gauss_newton(layers, weights_of(net), X, answers, loss, weights)
    data = read_training_data(net.model, X, answers, weights, loss)
    P = len(net.parameters)
    for way in (2,) if whole(layers) else (1, 2):
        G, g = np.empty((P, P)), np.empty(P)
        code = losses.CODES[loss]
        net.model.native.gauss_newton(data.data, data.targets, code, data.weights, way, G, g, 1)
        assert_near(G, expected[0], "float64", "matrix")
        assert_near(g, flat(expected[1]), "float64", "gradient")


# ------------------------------------------------------------------------------------------------------ laws


def made(loss, dtype="float32", cell=SimpleRNN, seed=3):
    generator = np.random.default_rng(seed)
    layers = [cell(5, return_sequences=True), Dense(C, OUTPUT_OF[loss])]
    X = ragged(generator, LENGTHS, F, dtype)
    answers = random_answers(generator, layers, C, LENGTHS, loss, missing=0.2)
    return lambda: Network(layers, F, dtype, seed=0), X, answers, generator


FITS = [
    {"optimizer": Adam(0.01)},
    {"optimizer": SGD(0.1), "truncation": 2, "reduction": "sum"},
    {"optimizer": Adam(0.01), "stateful": True, "clip_norm": 0.1},
    {"optimizer": "lbfgs"},
    {"optimizer": "lm"},
]


def fitted(new, X, y, weights, **options):
    """Everything that a fit gives: history, parameters, and how many updates there were."""
    size = {} if options["optimizer"] in ("lbfgs", "lm") else {"batch_size": 3}
    net, common = new(), {"epochs": 3, "verbose": False, "validation_data": (X, y, weights)}
    history = net.fit(X, y, sample_weight=weights, **common, **size, **options).history
    report = net.evaluate(X, y, sample_weight=weights)
    return history, net.parameters.copy(), net.model.updates, report


def assert_equal(found, expected):
    assert found[0] == expected[0] and found[2:] == expected[2:]
    assert_same_bits(found[1], expected[1])


def gone(y, loss):
    return -1 if loss == "cross_entropy" and y.dtype.kind == "i" else np.nan


@pytest.mark.parametrize("options", FITS, ids=str)
@pytest.mark.parametrize("loss", LOSSES)
def test_a_step_of_weight_0_is_one_without_an_answer(loss, options, dtype):
    new, X, answers, generator = made(loss, dtype)
    weights = step_weights(generator)
    without = [y.copy() for y in answers]
    for y, w in zip(without, weights, strict=True):
        y[w == 0.0] = gone(y, loss)
    ones = [np.where(w == 0.0, 1.0, w) for w in weights]
    assert_equal(fitted(new, X, answers, weights, **options), fitted(new, X, without, ones, **options))
    zeros = [(w > 0.0) * 1.0 for w in weights]  # and weights of 1 are none at all
    assert_equal(fitted(new, X, answers, zeros, **options), fitted(new, X, without, None, **options))


@pytest.mark.parametrize("options", FITS, ids=str)
@pytest.mark.parametrize("loss", LOSSES)
def test_equal_weights_in_each_sequence_are_the_sequences_weights(loss, options, dtype):
    """To the bit where no sum of weights is rounded."""
    new, X, answers, _ = made(loss, dtype)
    of_rows = np.array([1.0, 2.0, 0.5, 4.0, 0.0, 1.0, 0.25])
    weights = [np.full(n, w) for n, w in zip(LENGTHS, of_rows, strict=True)]
    found, expected = (fitted(new, X, answers, w, **options) for w in (weights, of_rows))
    assert_equal(found, expected)


def test_twice_the_weights_change_nothing_in_a_mean():
    new, X, answers, generator = made("cross_entropy")
    weights = step_weights(generator)
    twice = [2.0 * w for w in weights]
    found, expected = (fitted(new, X, answers, w, optimizer=Adam(0.01)) for w in (twice, weights))
    assert_equal(found, expected)


@pytest.mark.parametrize("loss", LOSSES)
def test_a_whole_weight_is_so_many_repeated_answers(loss):
    """Losses and gradients add up: those of a weight 3 are three times those of the answer alone."""
    new, X, answers, generator = made(loss, "float64", GRU)
    net = new()
    weights = [generator.integers(0, 4, n) for n in LENGTHS]
    value, gradient = net.loss_and_gradient(X, answers, sample_weight=weights, reduction="sum")
    expected, total, count = np.zeros_like(gradient), 0.0, 0.0
    for i, w in enumerate(weights):
        for t, times in enumerate(w):
            one = [np.zeros(n) for n in LENGTHS]
            one[i][t] = 1.0
            alone, by = net.loss_and_gradient(X, answers, sample_weight=one, reduction="sum")
            expected += times * by
            total += times * alone
            known = answers[i][t] != gone(answers[i], loss)
            count += times * (np.any(~np.isnan(answers[i][t])) if loss != "cross_entropy" else known)
    assert value == pytest.approx(total, rel=1e-12)
    np.testing.assert_allclose(gradient, expected, rtol=1e-10, atol=1e-12)
    mean, by_mean = net.loss_and_gradient(X, answers, sample_weight=weights)
    assert mean == pytest.approx(total / count, rel=1e-12)
    np.testing.assert_allclose(by_mean, expected / count, rtol=1e-10, atol=1e-12)
    assert net.evaluate(X, answers, sample_weight=weights)["loss"] == pytest.approx(mean, rel=1e-12)


@pytest.mark.parametrize("cell", [SimpleRNN, GRU, LSTM])
def test_threads_and_memory_change_no_bit(cell, dtype):
    generator = np.random.default_rng(2)
    lengths = [300, 7, 160, 1, *[40] * 30]
    layers = [cell(4, return_sequences=True), Dense(C, "softmax")]
    X = ragged(generator, lengths, F, dtype)
    y = random_answers(generator, layers, C, lengths, "cross_entropy", missing=0.2)
    weights = step_weights(generator, lengths)
    net = Network(layers, F, dtype, seed=0)
    value, gradient = net.loss_and_gradient(X, y, sample_weight=weights)
    with pytest.raises(ValueError, match="expected at least") as raised:
        net.loss_and_gradient(X, y, sample_weight=weights, memory=1)
    least = int(str(raised.value).partition("expected at least ")[2].split()[0])
    found, bits = net.loss_and_gradient(X, y, sample_weight=weights, memory=least)
    assert found == value
    assert_same_bits(bits, gradient)
    one = net.evaluate(X, y, sample_weight=weights, n_threads=1)
    assert net.evaluate(X, y, sample_weight=weights, n_threads=5) == one


def test_every_form_gives_the_same_bits():
    new, X, answers, generator = made("squared_error")
    cube = np.stack([x[:1] for x in X])
    y, w = np.stack([a[:1] for a in answers]), generator.uniform(size=(len(X), 1))
    forms = [w, w.tolist(), list(w), Sequences(w.ravel(), np.arange(len(X) + 1)), w.astype("f4").astype("f8")]
    forms[-1] = np.array(w, order="F")
    objects = np.empty(len(X), object)
    objects[:] = list(w)
    bits = [new().loss_and_gradient(cube, y, sample_weight=form)[1] for form in (*forms, objects)]
    for other in bits[1:]:
        assert_same_bits(other, bits[0])
    assert not np.array_equal(bits[0], new().loss_and_gradient(cube, y)[1])
    weights = [generator.uniform(size=n) for n in LENGTHS]
    packed = Sequences(np.concatenate(weights), np.cumsum([0, *LENGTHS]))
    for form in (weights, [each.tolist() for each in weights], tuple(weights), packed):
        assert new().evaluate(X, answers, sample_weight=form) == new().evaluate(
            X, answers, sample_weight=weights
        )


@pytest.mark.parametrize("size", [1e-300, 1e297])
def test_weights_may_be_very_small_and_very_large(size, dtype):
    """Beyond what float32 holds: the mean is as with other units."""
    new, X, answers, generator = made("cross_entropy", dtype)
    weights = [2.0 ** generator.integers(-3, 3, n) for n in LENGTHS]
    plain = new().loss_and_gradient(X, answers, sample_weight=weights)
    scaled = new().loss_and_gradient(X, answers, sample_weight=[size * w for w in weights])
    assert scaled[0] == pytest.approx(plain[0], rel=1e-12)
    assert_near(scaled[1], plain[1], dtype)


def test_what_overflowed_at_a_step_of_weight_0_is_not_seen():
    net = Network([SimpleRNN(1, activation="relu", return_sequences=True)], 1, "float32", seed=0)
    net.weights["0.kernel"][:] = net.weights["0.recurrent_kernel"][:] = 1e20
    X, y = np.ones((1, 3, 1)), np.zeros((1, 3, 1))
    found = net.evaluate(X, y, sample_weight=[[1e-3, 0, 0]])
    assert found["loss"] == pytest.approx(0.5e40, rel=1e-3)


def test_networks_trained_together_and_resumed_runs_have_them_too(tmp_path):
    new, X, answers, generator = made("cross_entropy")
    weights = step_weights(generator)
    options = {"epochs": 4, "verbose": False, "batch_size": 3, "sample_weight": weights}
    alone = new()
    alone.fit(X, answers, **options)
    many = [new(), new()]
    elman.fit_many(many, X, answers, **options)
    assert_same_bits(many[1].parameters, alone.parameters)
    path = tmp_path / "run"
    cut = new()
    cut.fit(X, answers, **{**options, "epochs": 2}, checkpoint=path)
    cut = new()
    cut.fit(X, answers, **options, checkpoint=path, resume=True)
    assert_same_bits(cut.parameters, alone.parameters)
    with pytest.raises(ValueError, match="sample_weight is given for steps there, None here"):
        new().fit(X, answers, **{**options, "sample_weight": None}, checkpoint=path, resume=True)


def with_weight(value, i=1, t=3):
    weights = [np.ones(n) for n in LENGTHS]
    weights[i][t] = value
    return weights


BAD = [
    (
        with_weight(np.nan),
        ValueError,
        "sample_weight[1] at step 3 is nan, expected a finite number of at least 0",
    ),
    (
        with_weight(-1.0),
        ValueError,
        "sample_weight[1] at step 3 is -1.0, expected a finite number",
    ),
    (with_weight(np.inf), ValueError, "sample_weight[1] at step 3 is inf, expected a finite number"),
    (
        [np.ones(n + (n == 6)) for n in LENGTHS],
        ValueError,
        "sample_weight[3] has 7 steps, expected 6",
    ),
    ([np.ones(n) for n in LENGTHS[:5]], ValueError, "sample_weight has 5 sequences, expected 7 (as X)"),
    (
        [np.ones((n, 2)) for n in LENGTHS],
        ValueError,
        "sample_weight has 2 values a step",
    ),
    (np.ones((7, 4)), ValueError, "sample_weight[1] has 4 steps, expected 9 (as X[1])"),
    ([np.zeros(n) for n in LENGTHS], ValueError, "sample_weight is zero everywhere, expected at least one"),
    (
        [np.full(n, 1e308) for n in LENGTHS],
        ValueError,
        "sample_weight has a sum of inf",
    ),
    ([np.full(n, "a") for n in LENGTHS], TypeError, "sample_weight[0] has dtype <U1, expected numbers"),
    ([1.0, *[[1.0] * n for n in LENGTHS[1:]]], ValueError, "sample_weight[0] has shape (), expected (T,)"),
    (Sequences(np.ones(34), [0, 34]), ValueError, "sample_weight has 1 sequences, expected 7 (as X)"),
    (np.ma.ones((7, 4)), TypeError, "sample_weight is a masked array"),
]


@pytest.mark.parametrize(("weights", "error", "said"), BAD, ids=[case[2] for case in BAD])
def test_bad_weights_of_steps_have_their_sentence(weights, error, said):
    new, X, answers, _ = made("cross_entropy")
    net = new()
    before = net.parameters.copy()
    for call in (
        lambda: net.fit(X, answers, sample_weight=weights, verbose=False),
        lambda: net.evaluate(X, answers, sample_weight=weights),
        lambda: net.loss_and_gradient(X, answers, sample_weight=weights),
    ):
        with pytest.raises(error) as raised:
            call()
        assert said in str(raised.value)
    with pytest.raises(error) as raised:
        net.fit(X, answers, validation_data=(X, answers, weights), verbose=False)
    assert said.replace("sample_weight", "validation_data[2]") in str(raised.value)
    assert_same_bits(net.parameters, before)


@pytest.mark.parametrize("layers", [[SimpleRNN(3)], [SimpleRNN(3, return_sequences=True), MeanPool()]])
def test_one_answer_a_sequence_has_no_weights_of_steps(layers):
    net = Network(layers, 1, seed=0)
    X, y = np.zeros((2, 4, 1)), np.zeros((2, 3))
    expected = "expected (2,): one for each sequence of X, as there is one answer a sequence"
    for weights, came in (
        ([[1.0] * 4] * 2, "has weights of steps"),
        (np.ones((2, 4)), "has shape (2, 4)"),
        (Sequences(np.ones(8), [0, 4, 8]), "has weights of steps"),
    ):
        with pytest.raises(ValueError, match="sample_weight has") as raised:
            net.fit(X, y, sample_weight=weights, verbose=False)
        assert str(raised.value) == f"sample_weight {came}, {expected}"


def test_weights_of_sequences_are_as_before():
    """With one weight a sequence, also where each has one step."""
    net = Network([SimpleRNN(3, return_sequences=True)], 1, seed=0)
    X, y = np.ones((4, 1, 1)), np.ones((4, 1, 3))
    data = read_training_data(net.model, X, y, [1.0, 2.0, 3.0, 4.0], None)
    assert data.answers.row_weight is None and data.weights.tolist() == [1.0, 2.0, 3.0, 4.0]
    assert as_y(net.layers, y) is y


def test_a_run_is_not_resumed_with_other_weights_of_steps(tmp_path):
    layers = [elman.SimpleRNN(3, return_sequences=True), elman.Dense(2, "softmax")]
    X, y = np.ones((4, 5, 1)), np.zeros((4, 5), int)
    weights = np.arange(20.0).reshape(4, 5)

    def run(weights, epochs, resume=False):
        net = elman.Network(layers, input_size=1, seed=0)
        options = {"checkpoint": tmp_path / "run.elman", "resume": resume, "verbose": False}
        return net.fit(X, y, sample_weight=weights, epochs=epochs, **options)

    run(weights, 2)
    with pytest.raises(ValueError, match="sample_weight has other values"):
        run(weights[::-1], 3, resume=True)
    assert len(run(weights.tolist(), 3, resume=True).history["loss"]) == 3
