"""Levenberg-Marquardt and L-BFGS: exact derivatives, the promises of fit, and what they are for."""

import itertools

import numpy as np
import pytest

import reference
from elman import (
    GRU,
    LBFGS,
    LSTM,
    SGD,
    Adam,
    Dense,
    DivergenceError,
    LevenbergMarquardt,
    MeanPool,
    Network,
    SimpleRNN,
    load,
)
from elman.nn import losses
from elman.training.plan import make_plan, read_training_data, training_data
from elman.training.second_order import Objective, jacobian
from helpers import networks, runs, support

LENGTHS = [3, 7, 1, 5, 12]
BOTH = [LevenbergMarquardt(), LBFGS()]
NAMES = ["lm", "lbfgs"]


def problem(shape, cell, loss, dtype="float64", missing=0.3):
    rng = np.random.default_rng(len(shape) + len(cell))
    layers = networks.build(shape, cell, loss)
    net = support.network(layers, 2, dtype, networks.lively_weights(layers, 2, rng))
    X = support.ragged(rng, LENGTHS, 2, dtype)
    answers = support.random_answers(rng, layers, net.output_size, LENGTHS, loss, missing)
    return net, layers, X, answers, rng.uniform(0.5, 2.0, len(X))


def curvature(net, X, y, loss, *, way=0, threads=1, weights=None):
    """The matrix and the gradient, undivided."""
    data = read_training_data(net.model, X, y, weights, loss)
    P = len(net.parameters)
    matrix, gradient = np.empty((P, P), net.dtype), np.empty(P, net.dtype)
    net.model.native.gauss_newton(
        data.data, data.targets, losses.CODES[loss], data.weights, way, matrix, gradient, threads
    )
    return matrix, gradient


def whole(layers):
    """Whether a layer needs whole sequences, which tangents do not have."""
    pools = any(type(layer).__name__ in ("MeanPool", "MaxPool") for layer in layers)
    return pools or any(getattr(layer, "bidirectional", False) for layer in layers)


# ------------------------------------------------------------------------------------- exact derivatives


@pytest.mark.parametrize("cell", list(networks.CELLS))
@pytest.mark.parametrize(("shape", "loss"), networks.cases())
def test_both_ways_and_the_reference_agree(shape, cell, loss):
    """Forward in time, backward in time, and plain NumPy: derivatives, matrix and gradient."""
    net, layers, X, answers, weights = problem(shape, cell, loss)
    y = support.as_y(layers, answers)
    expected = reference.gauss_newton(layers, support.weights_of(net), X, answers, loss, weights)
    J = reference.jacobian(layers, support.weights_of(net), X)
    for way in ("reverse",) if whole(layers) else ("reverse", "tangents", "auto"):
        support.assert_near(jacobian(net, X, way=way), J, "float64", f"J, {way}")
        code = {"auto": 0, "tangents": 1, "reverse": 2}[way]
        G, g = curvature(net, X, y, loss, way=code, weights=weights)
        support.assert_near(G, expected[0], "float64", f"G, {way}")
        support.assert_near(g, support.flat(expected[1]), "float64", f"g, {way}")
        assert np.array_equal(G, G.T)
    _, gradient = net.loss_and_gradient(X, y, loss=loss, reduction="sum", sample_weight=weights)
    support.assert_near(g, gradient, "float64", "the gradient of backpropagation")


@pytest.mark.parametrize("cell", [cell for cell in networks.CELLS if cell != "relu"])  # which has kinks
def test_derivatives_are_those_of_differences(cell):
    net, _, X, _, _ = problem("three_steps", cell, "squared_error")
    J = jacobian(net, X, way="tangents")
    start = net.parameters.copy()

    def outputs(i, e):
        net.parameters[:] = start
        net.parameters[i] += e
        return support.stack(net.predict(X))

    def difference(i, e):
        return (outputs(i, e) - outputs(i, -e)) / (2.0 * e)

    for i in range(0, len(start), 3):
        four_points = (4.0 * difference(i, 5e-4) - difference(i, 1e-3)) / 3.0
        assert np.abs(J[:, :, i] - four_points).max() < 1e-6 * max(1.0, np.abs(J).max())


@pytest.mark.parametrize("cell", ["tanh", *support.OTHER_CELLS])
@pytest.mark.parametrize("shape", ["last", "two_last", "three_steps"])
def test_float32_is_near(shape, cell):
    found = {}
    for dtype in support.DTYPES:
        net, layers, X, answers, weights = problem(shape, cell, "cross_entropy", dtype)
        y = support.as_y(layers, answers)
        found[dtype] = curvature(net, X, y, "cross_entropy", weights=weights)
        assert found[dtype][0].dtype == dtype
    assert support.error(found["float32"][0], found["float64"][0]) < 1e-4


@pytest.mark.parametrize("dtype", support.DTYPES)
@pytest.mark.parametrize("way", [1, 2])
@pytest.mark.parametrize("rows", [1, 40])
def test_any_number_of_threads_gives_the_same_bits(rows, way, dtype):
    rng = np.random.default_rng(3)
    head = Dense(3, "softmax")
    net = Network([SimpleRNN(9, return_sequences=True), GRU(7, return_sequences=True), head], 2, dtype, 1)
    X = support.ragged(rng, [40 + i % 7 for i in range(rows)], 2, dtype)
    y = [rng.integers(-1, 3, len(x)) for x in X]
    one = curvature(net, X, y, "cross_entropy", way=way)
    for threads in (2, 3, 5):
        for a, b in zip(curvature(net, X, y, "cross_entropy", way=way, threads=threads), one, strict=True):
            support.assert_same_bits(a, b)


def test_more_threads_than_the_columns_of_one_row_have_slices_for():
    rng = np.random.default_rng(3)
    net = Network([SimpleRNN(17, return_sequences=True), Dense(2, "softmax")], 3, "float32", 1)
    X, y = [rng.standard_normal((400, 3))], [rng.integers(-1, 2, 400)]
    for a, b in zip(*(curvature(net, X, y, "cross_entropy", way=1, threads=n) for n in (1, 6)), strict=True):
        support.assert_same_bits(a, b)


def test_class_weights_count_as_repeated_answers():
    rng = np.random.default_rng(5)
    net = Network([SimpleRNN(4), Dense(3, "softmax")], 2, "float64", seed=0)
    X, y = support.ragged(rng, [4, 6, 5], 2), np.array([0, 1, 2])
    batch, data = net.model.batch(X)
    train = training_data(net.model, batch, data, y, None, class_weight=np.array([1.0, 2.0, 3.0]))
    plan = make_plan(net.model, train, None, optimizer=LevenbergMarquardt(), epochs=1, verbose=False)
    found = Objective(net.model, plan).curvature()
    rows = [0, 1, 1, 2, 2, 2]
    G, g = curvature(net, [X[i] for i in rows], y[rows], "cross_entropy")
    support.assert_near(found.matrix, G / 6.0, "float64")
    support.assert_near(found.gradient, g / 6.0, "float64")


# --------------------------------------------------------------------------------------------- training


def mackey_glass(n=501, delay=170, discard=500):
    """The series of Mackey and Glass (1977), Euler steps of 0.1, at whole times, standardized."""
    x = np.full((n + discard) * 10 + delay, 1.2)
    for t in range(delay, len(x)):
        a, b = x[t - 1], x[t - delay]
        x[t] = a + 0.1 * (0.2 * b / (1.0 + b**10) - 0.1 * a)
    series = x[delay::10][discard : discard + n]
    return (series - series.mean()) / series.std()


def test_levenberg_marquardt_learns_mackey_glass():
    """The mean squared error falls below 1e-6 for at least 8 of 10 seeds."""
    series = mackey_glass()
    X, y = series[None, :-1, None], series[None, 1:]
    reached = []
    for seed in range(10):
        net = Network([SimpleRNN(8, return_sequences=True), Dense(1)], 1, "float64", seed)
        done = [lambda net, epoch, logs: logs["mean_squared_error"] < 1e-6]
        net.fit(X, y, optimizer=LevenbergMarquardt(), epochs=60, callbacks=done, verbose=False)
        reached.append(net.evaluate(X, y)["mean_squared_error"] < 1e-6)
    assert sum(reached) >= 8, reached


def test_a_step_keeps_a_fair_part_of_its_promise():
    """By the quadratic model at its start. A step that saturates all units may lower the loss a little."""
    r, y = np.random.default_rng(2), np.repeat([0, 1, 2], 50)
    X = 0.3 * r.normal(size=(150, 16, 5))
    X += np.array([-1, 0, 1])[y][:, None, None] * np.array([0, 0, 0, 0.3, 1.5])
    layers = [SimpleRNN(10, return_sequences=True), MeanPool(), Dense(3, "softmax")]
    net = Network(layers, 5, "float64", 0)
    train = read_training_data(net.model, X, y, None, None)
    for _ in range(12):
        plan = make_plan(
            net.model, train, None, optimizer=LevenbergMarquardt(), epochs=1, l2=1e-2, verbose=False
        )
        start, now = net.parameters.copy(), Objective(net.model, plan).curvature()
        net.fit(X, y, optimizer=LevenbergMarquardt(), l2=1e-2, verbose=False)
        step = net.parameters - start
        promised = -(now.gradient @ step + 0.5 * step @ now.matrix @ step)
        assert now.loss - Objective(net.model, plan).loss() >= 0.149 * promised > 0.0
    assert net.evaluate(X, y)["accuracy"] == 1.0


def small(dtype="float64", seed=0):
    return Network([SimpleRNN(4), Dense(3, "softmax")], 2, dtype, seed)


def fit(net, optimizer, epochs, **options):
    options = {"l2": 0.01, "verbose": False} | options
    return net.fit(runs.X, runs.Y, optimizer=optimizer, epochs=epochs, **options)


@pytest.mark.parametrize("dtype", support.DTYPES)
@pytest.mark.parametrize("optimizer", BOTH, ids=NAMES)
def test_the_loss_falls_in_every_epoch(optimizer, dtype):
    net = small(dtype)
    before = net.evaluate(runs.X, runs.Y)
    history = fit(net, optimizer, 20, l2=0.0).history
    losses = history["loss"]
    assert losses[0] == pytest.approx(before["loss"]) and history["accuracy"][0] == before["accuracy"]
    assert all(b < a for a, b in itertools.pairwise(losses))
    assert losses[-1] < 0.5 * losses[0]


@pytest.mark.parametrize("loss", support.LOSSES)
@pytest.mark.parametrize("optimizer", BOTH, ids=NAMES)
def test_they_reach_a_minimum(optimizer, loss):
    """The gradient of the update's loss, l2 included, vanishes."""
    rng = np.random.default_rng(1)
    net = Network([SimpleRNN(3), Dense(2, support.OUTPUT_OF[loss])], 2, "float64", seed=0)
    y = {
        "cross_entropy": rng.integers(0, 2, 10),
        "binary_cross_entropy": rng.integers(0, 2, (10, 2)).astype(float),
        "squared_error": rng.normal(size=(10, 2)),
    }[loss]
    weights = rng.uniform(0.5, 2.0, 10)
    net.fit(runs.X, y, optimizer=optimizer, epochs=3000, l2=0.1, sample_weight=weights, verbose=False)
    _, gradient = net.loss_and_gradient(runs.X, y, l2=0.1, sample_weight=weights)
    assert np.abs(gradient).max() < 1e-5


@pytest.mark.parametrize("dtype", support.DTYPES)
@pytest.mark.parametrize("optimizer", BOTH, ids=NAMES)
def test_a_second_fit_goes_on_to_the_bit(optimizer, dtype, tmp_path):
    whole, halves = small(dtype), small(dtype)
    fit(whole, optimizer, 9)
    fit(halves, optimizer, 4)
    halves.save(tmp_path / "half")
    loaded = load(tmp_path / "half")
    for net in (halves, loaded):
        fit(net, optimizer, 5)
        support.assert_same_bits(net.parameters, whole.parameters)


@pytest.mark.parametrize("optimizer", BOTH, ids=NAMES)
def test_a_checkpoint_goes_on_to_the_bit(optimizer, tmp_path):
    whole = small()
    fit(whole, optimizer, 8, checkpoint=tmp_path / "whole")
    fit(small(), optimizer, 3, checkpoint=tmp_path / "run")
    resumed = small()
    fit(resumed, optimizer, 8, checkpoint=tmp_path / "run", resume=True)
    runs.assert_equal(whole, resumed)


@pytest.mark.parametrize("optimizer", BOTH, ids=NAMES)
def test_frozen_parameters_stay(optimizer):
    net = small()
    net.freeze("0.recurrent_kernel", "1.bias")
    before = {name: w.copy() for name, w in net.weights.items()}
    fit(net, optimizer, 5)
    assert [name for name in before if not np.array_equal(before[name], net.weights[name])] == [
        "0.kernel",
        "0.bias",
        "1.kernel",
    ]


def change(method, *patterns, after):
    """A callback that freezes or unfreezes parameters after one epoch."""

    def callback(net, epoch, logs):
        if epoch == after:
            getattr(net, method)(*patterns)

    return callback


EVERY = [*BOTH, Adam(0.05)]
EVERY_NAME = [*NAMES, "adam"]


@pytest.mark.parametrize("dtype", support.DTYPES)
@pytest.mark.parametrize("optimizer", EVERY, ids=EVERY_NAME)
def test_what_a_callback_freezes_stays(optimizer, dtype):
    """From the next epoch on, as if it had been frozen between two fits."""
    net, two_fits, seen = small(dtype), small(dtype), []
    fit(
        net,
        optimizer,
        8,
        callbacks=[
            change("freeze", "0.kernel", "1.bias", after=2),
            lambda net, epoch, logs: seen.append(net.parameters.copy()),
        ],
    )
    fit(two_fits, optimizer, 3)
    support.assert_same_bits(two_fits.parameters, seen[2])
    two_fits.freeze("0.kernel", "1.bias")
    fit(two_fits, optimizer, 5)
    support.assert_same_bits(net.parameters, two_fits.parameters)
    at_two = small(dtype)
    at_two.parameters[:] = seen[2]
    moved = [name for name, w in net.weights.items() if not np.array_equal(w, at_two.weights[name])]
    assert moved == ["0.recurrent_kernel", "0.bias", "1.kernel"]


@pytest.mark.parametrize("optimizer", EVERY, ids=EVERY_NAME)
def test_what_a_callback_unfreezes_is_trained_again(optimizer):
    net, two_fits = small(), small()
    for each in (net, two_fits):
        each.freeze("0.*")
    before = net.weights["0.kernel"].copy()
    fit(net, optimizer, 8, callbacks=[change("unfreeze", "0.kernel", after=3)])
    assert net.frozen == ("0.recurrent_kernel", "0.bias")
    assert not np.array_equal(net.weights["0.kernel"], before)
    fit(two_fits, optimizer, 4)
    np.testing.assert_array_equal(two_fits.weights["0.kernel"], before)
    two_fits.unfreeze("0.kernel")
    fit(two_fits, optimizer, 4)
    support.assert_same_bits(net.parameters, two_fits.parameters)


@pytest.mark.parametrize("optimizer", EVERY, ids=EVERY_NAME)
def test_what_a_callback_froze_stays_in_a_resumed_run(optimizer, tmp_path):
    callbacks = [change("freeze", "0.*", after=1), change("unfreeze", "0.bias", after=4)]
    whole = small()
    fit(whole, optimizer, 9, callbacks=callbacks)
    for epochs in (2, 3, 5, 9):
        net = small()
        fit(net, optimizer, epochs, callbacks=callbacks, checkpoint=tmp_path / "run", resume=True)
    runs.assert_equal(net, whole)


@pytest.mark.parametrize("optimizer", EVERY, ids=EVERY_NAME)
def test_a_callback_may_freeze_all(optimizer):
    net, seen = small(), []
    callbacks = [change("freeze", "*", after=1), lambda net, *_: seen.append(net.parameters.copy())]
    fit(net, optimizer, 6, callbacks=callbacks)
    for parameters in seen[2:]:
        support.assert_same_bits(parameters, seen[1])


def test_a_callback_that_unfreezes_too_many_is_told():
    net = Network([SimpleRNN(70)], 2, seed=0)
    net.freeze("0.recurrent_kernel")
    with pytest.raises(ValueError, match="5110 parameters to train, expected at most 5000"):
        net.fit(
            runs.X,
            np.zeros((10, 70)),
            optimizer=LevenbergMarquardt(),
            epochs=3,
            callbacks=[change("unfreeze", "*", after=0)],
            verbose=False,
        )
    assert net.history.epoch == 1


@pytest.mark.parametrize("optimizer", BOTH, ids=NAMES)
@pytest.mark.parametrize(
    ("name", "value"),
    [("batch_size", 4), ("shuffle", False), ("clip_norm", 1.0), ("truncation", 3), ("stateful", True)],
)
def test_what_has_no_meaning_is_refused(optimizer, name, value):
    net = small()
    before = net.parameters.copy()
    with pytest.raises(ValueError, match=rf"^{name} is {value}, expected .* with {type(optimizer).__name__}"):
        fit(net, optimizer, 1, **{name: value})
    support.assert_same_bits(net.parameters, before)


@pytest.mark.parametrize("optimizer", BOTH, ids=NAMES)
def test_update_needs_another_optimizer(optimizer):
    net = small()
    with pytest.raises(ValueError, match="expected one of SGD, RMSprop, Adam, AdamW"):
        net.update(np.zeros_like(net.parameters), optimizer)


def test_too_many_parameters_are_refused():
    net = Network([SimpleRNN(70)], 2, seed=0)
    with pytest.raises(ValueError, match="5110 parameters to train, expected at most 5000"):
        net.fit(runs.X, np.zeros((10, 70)), optimizer=LevenbergMarquardt(), verbose=False)
    net.freeze("0.recurrent_kernel")
    net.fit(runs.X, np.zeros((10, 70)), optimizer=LevenbergMarquardt(), verbose=False)


@pytest.mark.parametrize("optimizer", BOTH, ids=NAMES)
def test_a_run_ends_where_nothing_helps(optimizer):
    net = Network([SimpleRNN(1, "identity")], 1, "float64", seed=0)
    X, y = np.ones((2, 3, 1)), [[1.0], [1.0]]
    history = net.fit(X, y, optimizer=optimizer, epochs=500, verbose=False)
    assert history.epoch < 500
    assert net.evaluate(X, y)["loss"] == history.history["loss"][-1] < 1e-20
    assert net.fit(X, y, optimizer=optimizer, epochs=500, verbose=False).epoch <= 3


@pytest.mark.parametrize("optimizer", BOTH, ids=NAMES)
def test_callbacks_and_validation(optimizer):
    seen = []
    net = small()
    history = fit(
        net,
        optimizer,
        9,
        validation_data=(runs.X, runs.Y),
        callbacks=[lambda net, epoch, logs: seen.append(epoch) or epoch == 3],
    )
    assert seen == [0, 1, 2, 3] and history.epoch == 4
    losses = history.history
    assert losses["val_loss"][:-1] == pytest.approx(losses["loss"][1:])


@pytest.mark.parametrize("optimizer", BOTH, ids=NAMES)
def test_a_spoiled_loss_diverges(optimizer):
    net = small()
    net.parameters[:] = np.nan
    with pytest.raises(DivergenceError):
        fit(net, optimizer, 2)
    layers = [SimpleRNN(2, "identity", return_sequences=True)]
    net = Network(layers, 1, "float64", seed=0)
    net.parameters[:] = 1e200
    before = net.parameters.copy()
    with pytest.raises(DivergenceError):
        net.fit(np.ones((1, 9, 1)), np.zeros((1, 9, 2)), optimizer=optimizer, verbose=False)
    support.assert_same_bits(net.parameters, before)


@pytest.mark.parametrize("optimizer", BOTH, ids=NAMES)
def test_an_interrupt_leaves_the_last_whole_step(optimizer):
    net, weights = small(), []

    def interrupt(net, epoch, logs):
        weights.append(net.parameters.copy())
        if epoch == 2:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        fit(net, optimizer, 9, callbacks=[interrupt])
    assert net.history.epoch == 3
    support.assert_same_bits(net.parameters, weights[-1])


def test_every_answer_missing_changes_nothing():
    for optimizer in BOTH:
        net = Network([LSTM(2, return_sequences=True)], 1, "float64", seed=0)
        before = net.parameters.copy()
        net.fit(np.ones((1, 4, 1)), np.full((1, 4, 2), np.nan), optimizer=optimizer, epochs=3, verbose=False)
        support.assert_same_bits(net.parameters, before)


def test_pools_learn_too():
    net = Network([GRU(3, return_sequences=True), MeanPool(), Dense(3, "softmax")], 2, "float64", seed=0)
    losses = net.fit(runs.X, runs.Y, optimizer="lm", epochs=30, verbose=False).history["loss"]
    assert losses[-1] < 0.6 * losses[0]


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: LevenbergMarquardt(0.0), "damping is 0.0, expected a finite number above 0"),
        (lambda: LevenbergMarquardt(increase=1.0), "increase is 1.0, expected a number above 1"),
        (lambda: LevenbergMarquardt(1.0, damping_limit=0.1), "expected at most damping_limit"),
        (lambda: LBFGS(0), "memory is 0"),
        (lambda: LBFGS(line_search=0), "line_search is 0"),
    ],
)
def test_a_bad_optimizer_names_its_argument(make, message):
    with pytest.raises(ValueError, match=message):
        make()


def test_another_optimizer_starts_anew():
    net = small()
    fit(net, LBFGS(), 3)
    fit(net, Adam(0.01), 1)
    assert len(net.model.moments) == 2
    fit(net, SGD(0.01), 1)
    assert net.model.moments == []
