"""The reference itself proven, without the engine: central differences and PyTorch's golden runs."""

from __future__ import annotations

from functools import partial

import numpy as np
import pytest

import reference as ref
from helpers import support
from reference import GRU, LSTM, SGD, Adam, Dense, MaxPool, MeanPool, SimpleRNN

pytestmark = pytest.mark.large

DIFFERENCE_TOLERANCE = 1e-8  # of the four-point central difference, relative
GOLDEN_TOLERANCE = 1e-12  # two float64 computations of one thing, norm-wise
EXACT = 1e-13

CELLS = {
    **{name: partial(SimpleRNN, activation=name) for name in ("tanh", "relu", "sigmoid", "identity")},
    "leaky": partial(SimpleRNN, leak=0.3),
    "gru": GRU,
    "gru_before": partial(GRU, reset_after=False),
    "lstm": LSTM,
}
HEADS = {
    "cross_entropy": Dense(3, "softmax"),
    "binary_cross_entropy": Dense(3, "sigmoid"),
    "squared_error": Dense(3, "identity"),
}


def four_point(f, w, entry, epsilon=1e-3):
    """The derivative of f by one entry of w, which is changed in place and put back."""

    def difference(e):
        kept = w[entry]
        w[entry] = kept + e
        above = f()
        w[entry] = kept - e
        below = f()
        w[entry] = kept
        return (above - below) / (2 * e)

    return (4 * difference(epsilon / 2) - difference(epsilon)) / 3


def assert_gradient(f, weights, gradient):
    for name, w in weights.items():
        expected = np.array([four_point(f, w, entry) for entry in np.ndindex(w.shape)]).reshape(w.shape)
        scale = max(np.abs(expected).max(), 1e-3)
        assert np.abs(gradient[name] - expected).max() <= DIFFERENCE_TOLERANCE * scale, name


def problem(layers, loss, seed=0, lengths=(5, 1, 3), F=2):
    generator = np.random.default_rng(seed)
    weights = ref.random_weights(layers, F, generator)
    X = [generator.normal(size=(T, F)) for T in lengths]
    C = layers[-1].units
    Y = []
    for x in X:
        shape = (len(x), C) if ref.has_time_axis(layers) else (C,)
        y = generator.uniform(0.1, 0.9, size=shape)
        Y.append(y / y.sum(axis=-1, keepdims=True) if loss == "cross_entropy" else y)
    return weights, X, Y


@pytest.mark.parametrize("loss", HEADS)
@pytest.mark.parametrize("cell", CELLS)
@pytest.mark.parametrize("per_step", [False, True], ids=["last", "per_step"])
def test_gradient_is_the_central_difference(cell, loss, per_step):
    layers = [
        CELLS[cell](3, return_sequences=True),
        CELLS[cell](4, return_sequences=per_step),
        HEADS[loss],
    ]
    weights, X, Y = problem(layers, loss)
    if per_step and loss == "cross_entropy":
        Y[0][1] = np.nan
    elif per_step:
        Y[0][1, 0] = np.nan
    options = {"sample_weight": np.array([1.0, 0.3, 2.0]), "l2": 0.1}
    of_steps = [np.linspace(0.0, 2.0, len(x)) for x in X]  # the first step of each row has no answer
    for sample_weight in (options["sample_weight"], *([of_steps] if per_step else [])):
        options["sample_weight"] = sample_weight
        done = ref.minibatch(layers, weights, X, Y, loss, **options)
        assert_gradient(
            lambda: ref.minibatch(layers, weights, X, Y, loss, **options).loss, weights, done.gradient
        )


@pytest.mark.parametrize("pool", [MeanPool(), MaxPool()], ids=ref.kind)
@pytest.mark.parametrize("head", ["softmax", "sigmoid", "tanh", "relu", "identity"])
def test_pools_and_heads_have_the_central_difference(pool, head):
    layers = [SimpleRNN(3, return_sequences=True), pool, Dense(3, head)]
    weights, X, Y = problem(layers, "squared_error")
    done = ref.minibatch(layers, weights, X, Y, "squared_error")
    assert_gradient(
        lambda: ref.minibatch(layers, weights, X, Y, "squared_error").loss, weights, done.gradient
    )


def test_gradient_of_the_inputs_and_of_a_start_in_the_middle():
    layers = [SimpleRNN(3, return_sequences=True), Dense(2, "tanh")]
    weights, X, _ = problem(layers, "squared_error")
    start = [(np.array([0.3, -0.2, 0.5]),)]
    cotangent = np.random.default_rng(1).normal(size=(5, 2))
    traces = ref.forward(layers, weights, X[0], start)
    gradient, dx, _ = ref.backward(layers, weights, traces, cotangent)

    def value():
        return float((ref.output(layers, weights, X[0], start) * cotangent).sum())

    assert_gradient(value, weights | {"x": X[0]}, gradient | {"x": dx})


def assert_golden(actual, expected, what):
    found = support.error(actual, expected)
    assert found <= GOLDEN_TOLERANCE, f"{what}: {found:.3g}"


def test_golden_forward_and_gradients(golden):
    layers, weights, X = golden.layers(ref), golden.named("w"), golden.X
    outputs = np.concatenate([np.atleast_2d(ref.output(layers, weights, x)) for x in X])
    assert_golden(outputs, golden.arrays["outputs"], "outputs")
    for layer, states in enumerate(zip(*[ref.hidden_states(layers, weights, x) for x in X], strict=True)):
        assert_golden(np.concatenate(states), golden.arrays[f"states/{layer}"], f"states {layer}")
    done = ref.minibatch(layers, weights, X, golden.Y, golden.spec["loss"])
    assert_golden(done.loss, golden.arrays["loss"], "loss")
    for name, g in golden.named("g").items():
        assert_golden(done.gradient[name], g, name)


def test_golden_vector_jacobian_products(golden):
    layers, weights, X = golden.layers(ref), golden.named("w"), golden.X
    cotangents = golden.rows("cotangent") if ref.has_time_axis(layers) else golden.arrays["cotangent"]
    results = [
        ref.backward(layers, weights, ref.forward(layers, weights, x), dy)
        for x, dy in zip(X, cotangents, strict=True)
    ]
    if "v/X" in golden.arrays:
        assert_golden(np.concatenate([dx for _, dx, _ in results]), golden.arrays["v/X"], "inputs")
    for name, v in golden.named("v").items():
        assert_golden(sum(gradient[name] for gradient, *_ in results), v, name)


def test_golden_training(golden):
    for run in golden.spec["runs"]:
        optimizer, options = golden.run(ref, run)
        batch_size = options.pop("batch_size")
        trainer = ref.Trainer(
            golden.layers(ref), golden.named("w"), optimizer, loss=golden.spec["loss"], **options
        )
        history = trainer.fit(golden.X, golden.Y, golden.spec["epochs"], batch_size)
        assert_golden([logs["loss"] for logs in history], golden.arrays[f"{run}/losses"], f"{run}: losses")
        for name, w in golden.named(run).items():
            assert_golden(trainer.weights[name], w, f"{run}: {name}")


def test_losses_have_their_textbook_values():
    z = np.array([0.5, -1.0, 2.0])
    weights = {"0.kernel": np.eye(3)}
    p = np.exp(z) / np.exp(z).sum()
    softmax = ref.minibatch(
        [Dense(3, "softmax", use_bias=False)], weights, [z[None]], [np.array([2])], "cross_entropy"
    )
    assert softmax.loss == pytest.approx(-np.log(p[2]), rel=EXACT)
    y = np.array([[1.0, 0.0, 1.0]])
    q = 1 / (1 + np.exp(-z))
    binary = ref.minibatch(
        [Dense(3, "sigmoid", use_bias=False)], weights, [z[None]], [y], "binary_cross_entropy"
    )
    assert binary.loss == pytest.approx(-np.log(q[0]) - np.log(1 - q[1]) - np.log(q[2]), rel=EXACT)
    squared = ref.minibatch([Dense(3, use_bias=False)], weights, [z[None]], [y], "squared_error")
    assert squared.loss == pytest.approx(0.5 * (0.25 + 1.0 + 1.0), rel=EXACT)


def test_missing_answers_and_weights_count_as_defined():
    """Two answers of weights 1 and 3; the third has none: the mean is over 4."""
    layers = [Dense(1, use_bias=False)]
    weights = {"0.kernel": np.ones((1, 1))}
    X = [np.array([[1.0], [9.0]]), np.array([[2.0]])]
    Y = [np.array([[0.0], [np.nan]]), np.array([[0.0]])]
    done = ref.minibatch(layers, weights, X, Y, "squared_error", sample_weight=np.array([1.0, 3.0]))
    assert done.loss == pytest.approx((0.5 * 1 + 3 * 0.5 * 4) / 4, rel=EXACT)
    assert ref.report(done.sums, "squared_error")["mean_absolute_error"] == pytest.approx(
        (1 + 3 * 2) / 4, rel=EXACT
    )
    total = ref.minibatch(
        layers, weights, X, Y, "squared_error", sample_weight=np.array([1.0, 3.0]), reduction="sum", l2=0.2
    )
    assert total.loss == pytest.approx(0.5 + 6 + 0.1, rel=EXACT)


def test_weights_of_steps_count_as_defined():
    """Answers of weights 1, 3 and 0, the last of which is none: the mean is over 4."""
    layers = [Dense(1, use_bias=False)]
    weights = {"0.kernel": np.ones((1, 1))}
    X = [np.array([[1.0], [9.0]]), np.array([[2.0]])]
    Y = [np.array([[0.0], [0.0]]), np.array([[0.0]])]
    given = [np.array([1.0, 0.0]), np.array([3.0])]
    done = ref.minibatch(layers, weights, X, Y, "squared_error", sample_weight=given)
    assert done.loss == pytest.approx((0.5 * 1 + 3 * 0.5 * 4) / 4, rel=EXACT)
    assert ref.report(done.sums, "squared_error")["mean_absolute_error"] == pytest.approx(
        (1 + 3 * 2) / 4, rel=EXACT
    )


def test_accuracy_counts_the_right_answers():
    layers = [Dense(2, "softmax", use_bias=False)]
    X = [np.array([[1.0, 0.0], [0.0, 1.0], [3.0, 1.0], [0.0, 1.0]])]
    sums = ref.minibatch(layers, {"0.kernel": np.eye(2)}, X, [np.array([0, 0, 0, -1])], "cross_entropy").sums
    assert ref.report(sums, "cross_entropy")["accuracy"] == pytest.approx(2 / 3, rel=EXACT)


def test_binary_accuracy_counts_elements_and_takes_a_half_for_a_no():
    layers = [Dense(2, "sigmoid", use_bias=False)]
    X = [np.array([[0.0, 1.0], [0.0, -1.0]])]  # outputs 0.5, 0.73; 0.5, 0.27
    sums = ref.minibatch(
        layers, {"0.kernel": np.eye(2)}, X, [np.array([[0.0, 1.0], [1.0, np.nan]])], "binary_cross_entropy"
    ).sums
    assert ref.report(sums, "binary_cross_entropy")["accuracy"] == pytest.approx(2 / 3, rel=EXACT)


def test_one_chunk_is_the_whole():
    layers = [SimpleRNN(3), Dense(2, "softmax")]
    weights, X, Y = problem(layers, "cross_entropy")
    runs = [ref.Trainer(layers, weights, SGD(0.1), loss="cross_entropy", truncation=k) for k in (None, 5, 50)]
    losses = [run.fit(X, Y, 3) for run in runs]
    assert losses[0] == losses[1] == losses[2]


def test_chunks_carry_the_state_and_let_short_rows_drop_out():
    """With a rate of 0, a truncated epoch's loss is that of the whole; updates are answered chunks."""
    layers = [SimpleRNN(3, return_sequences=True), Dense(2)]
    weights, X, Y = problem(layers, "squared_error")
    whole = ref.Trainer(layers, weights, SGD(0.0), loss="squared_error")
    cut = ref.Trainer(layers, weights, SGD(0.0), loss="squared_error", truncation=2)
    assert cut.fit(X, Y, 1)[0]["loss"] == pytest.approx(whole.fit(X, Y, 1)[0]["loss"], rel=EXACT)
    assert cut.stepper.count == 3
    last = ref.Trainer([SimpleRNN(3), Dense(2)], weights, SGD(0.0), loss="squared_error", truncation=2)
    last.fit(X, [y[-1] for y in Y], 1)  # lengths 5, 1, 3: every chunk holds the last step of one row
    assert last.stepper.count == 3
    last.fit(X[:1], [Y[0][-1]], 1)  # only the third chunk has an answer
    assert last.stepper.count == 4


def test_truncation_of_one_lets_nothing_flow_back():
    """The gradient of the recurrent kernel is h_{t-1}' dz_t alone."""
    layers = [SimpleRNN(3, return_sequences=True)]
    weights, X, Y = problem(layers, "squared_error", lengths=(2,))
    w = ref.layer_weights(weights, 0)
    h1 = np.tanh(X[0][0] @ w["kernel"] + w["bias"])
    trainer = ref.Trainer(layers, weights, SGD(0.5), loss="squared_error", truncation=1)
    trainer.fit(X, Y, 1)
    first = {"kernel": np.outer(X[0][0], (h1 - Y[0][0]) * (1 - h1**2)), "bias": (h1 - Y[0][0]) * (1 - h1**2)}
    kernel, bias = w["kernel"] - 0.5 * first["kernel"], w["bias"] - 0.5 * first["bias"]
    h2 = np.tanh(X[0][1] @ kernel + h1 @ w["recurrent_kernel"] + bias)
    expected = w["recurrent_kernel"] - 0.5 * np.outer(h1, (h2 - Y[0][1]) * (1 - h2**2))
    np.testing.assert_allclose(trainer.weights["0.recurrent_kernel"], expected, rtol=EXACT)


def test_stateful_starts_where_the_row_ended():
    layers = [SimpleRNN(3, return_sequences=True), Dense(2)]
    weights, X, Y = problem(layers, "squared_error", lengths=(6,))
    trainer = ref.Trainer(layers, weights, SGD(0.0), loss="squared_error", stateful=True)
    halves = [
        trainer.evaluate([X[0][:2]], [Y[0][:2]])["loss"],
        trainer.evaluate([X[0][2:]], [Y[0][2:]])["loss"],
    ]
    whole = ref.evaluate(layers, weights, X, Y, "squared_error")["loss"]
    assert (2 * halves[0] + 4 * halves[1]) / 6 == pytest.approx(whole, rel=EXACT)


def test_clipping_scales_by_the_global_norm():
    gradient = {"a": np.array([3.0]), "b": np.array([4.0])}
    assert ref.clip(gradient, 10.0) == gradient
    clipped = ref.clip(gradient, 1.0)
    assert clipped["a"] == pytest.approx(0.6) and clipped["b"] == pytest.approx(0.8)


def test_frozen_weights_stay_and_do_not_count_in_the_norm():
    weights = {"a": np.array([1.0]), "b": np.array([1.0])}
    stepper = ref.Stepper(SGD(1.0), frozen=("a",), clip_norm=1.0)
    after = stepper.step(weights, {"a": np.array([100.0]), "b": np.array([0.5])})
    assert after["a"] == 1.0 and after["b"] == 0.5


def test_adam_takes_its_first_step_of_one_rate():
    """Adam's first step is rate * g / (|g| + epsilon), whatever the betas."""
    stepper = ref.Stepper(Adam(0.1, epsilon=0.0))
    after = stepper.step({"w": np.array([1.0, 1.0])}, {"w": np.array([0.5, -7.0])})
    np.testing.assert_allclose(after["w"], [0.9, 1.1], rtol=EXACT)
