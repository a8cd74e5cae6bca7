"""Learning one step at a time: gradients are those of whole sequences, and files go on to the bit."""

import numpy as np
import pytest

import reference
from elman import (
    LSTM,
    SGD,
    Adam,
    AdamW,
    CosineDecay,
    Dense,
    LevenbergMarquardt,
    MeanPool,
    Network,
    RMSprop,
    SimpleRNN,
    load,
)
from helpers import networks, support

RULES = ["bptt", "rtrl"]
T = 70  # longer than the room that a learner begins with


def depth(cell, layers, head=None):
    stack = networks.steps(cell, *[5, 4, 6][:layers])
    return stack if head is None else [*stack, Dense(3, head)]


def made(layers, dtype="float64", seed=0, steps=T):
    rng = np.random.default_rng(seed)
    net = support.network(layers, 2, dtype, networks.lively_weights(layers, 2, rng))
    return net, support.ragged(rng, [steps], 2, dtype)[0], rng


def answers(rng, net, loss, steps=T):
    """One a step, some missing."""
    if loss == "cross_entropy":
        return np.where(rng.uniform(size=steps) < 0.2, -1, rng.integers(0, net.output_size, steps))
    y = rng.normal(size=(steps, net.output_size))
    if loss == "binary_cross_entropy":
        y = (y > 0).astype(float)
    y[rng.uniform(size=y.shape) < 0.2] = np.nan
    return y


def learner(net, rule, optimizer=None, **options):
    options = {"truncation": T if rule == "bptt" else None} | options
    return net.online(optimizer or SGD(0.0), rule=rule, **options)


@pytest.mark.parametrize("rule", RULES)
@pytest.mark.parametrize("layers", [1, 2, 3])
@pytest.mark.parametrize("cell", list(networks.CELLS))
@pytest.mark.parametrize("loss", support.LOSSES)
def test_the_gradients_of_all_steps_are_the_sequences(loss, cell, layers, rule):
    net, x, rng = made(depth(cell, layers, support.OUTPUT_OF[loss]))
    y = answers(rng, net, loss)
    each = learner(net, rule)
    total = np.zeros_like(net.parameters)
    for x_t, y_t in zip(x, y, strict=True):
        each.step(x_t, y_t)
        total += each.gradient
    _, expected = net.loss_and_gradient([x], [y], reduction="sum")
    assert np.abs(total - expected).max() <= 1e-10 * np.abs(expected).max()


@pytest.mark.parametrize("rule", RULES)
@pytest.mark.parametrize("dtype", support.DTYPES)
@pytest.mark.parametrize("shape", ["steps", "dense_between", "no_bias", "bare_two_steps", "tanh_head"])
@pytest.mark.parametrize("cell", ["tanh", "leaky", "gru_before", "lstm"])
def test_every_shape_of_network(cell, shape, dtype, rule):
    net, x, rng = made(networks.build(shape, cell, "squared_error"), dtype)
    y = answers(rng, net, "squared_error")
    each = learner(net, rule)
    total = np.zeros(len(net.parameters))
    for x_t, y_t in zip(x, y, strict=True):
        each.step(x_t, y_t)
        total += each.gradient
    _, expected = net.loss_and_gradient([x], [y], reduction="sum")
    assert support.error(total, expected) < {"float64": 1e-10, "float32": 1e-4}[dtype]


@pytest.mark.parametrize("rule", RULES)
@pytest.mark.parametrize("shape", ["last", "two_last", "bare_last"])
def test_a_network_of_last_steps_answers_in_every_step(shape, rule):
    """The gradient of step t is that of the first t steps as a sequence of their own."""
    net, x, _ = made(networks.build(shape, "tanh", "squared_error"), steps=12)
    each = learner(net, rule)
    target = np.arange(net.output_size) / 3.0
    for t in range(12):
        each.step(x[t], target)
        _, expected = net.loss_and_gradient([x[: t + 1]], [target], loss="squared_error", reduction="sum")
        support.assert_near(each.gradient, expected, "float64", f"step {t}")


@pytest.mark.parametrize("k", [1, 2, 5])
@pytest.mark.parametrize("cell", ["tanh", "leaky", "gru", "lstm"])
def test_truncation_goes_back_k_steps(cell, k):
    """As the gradient of the last k steps from the state before them, which is a number."""
    layers = depth(cell, 2, "identity")
    net, x, rng = made(layers, steps=20)
    y = rng.normal(size=(20, 3))
    each = learner(net, "bptt", truncation=k)
    weights = support.weights_of(net)
    states = [reference.zero_state(layers)]
    for t in range(20):
        each.step(x[t], y[t])
        first = max(0, t + 1 - k)
        missing = np.full((t + 1 - first, 3), np.nan)
        missing[-1] = y[t]
        rows = [x[first : t + 1]]
        done = reference.minibatch(
            layers, weights, rows, [missing], "squared_error", reduction="sum", starts=[states[first]]
        )
        support.assert_near(each.gradient, support.flat(done.gradient), "float64", f"step {t}")
        states.append(reference.final_state(reference.forward(layers, weights, x[t : t + 1], states[t])))


@pytest.mark.parametrize("rule", RULES)
@pytest.mark.parametrize("dtype", support.DTYPES)
def test_outputs_are_those_of_a_stream(dtype, rule):
    net, x, _ = made([*networks.steps("gru", 4), LSTM(5), Dense(3, "softmax")], dtype)
    each, stream = learner(net, rule), net.stream()
    for x_t in x:
        support.assert_same_bits(each.step(x_t), stream.step(x_t))
    for mine, theirs in zip(each.state, stream.state, strict=True):
        support.assert_same_bits(np.concatenate([mine]), np.concatenate([theirs]))
        assert isinstance(mine, tuple) == isinstance(theirs, tuple)
    assert not each.gradient.any()


@pytest.mark.parametrize("rule", RULES)
@pytest.mark.parametrize(
    "optimizer", [SGD(0.05, momentum=0.9), RMSprop(0.01), Adam(CosineDecay(0.01, 50)), AdamW(0.01)], ids=str
)
def test_it_goes_on_from_a_file_to_the_bit(optimizer, rule, tmp_path):
    def start():
        net, x, rng = made(depth("leaky", 2, "softmax"), "float32")
        net.freeze("1.bias")
        return learner(net, rule, optimizer, truncation=7 if rule == "bptt" else None, clip_norm=0.5), x, rng

    whole, x, rng = start()
    y = answers(rng, whole.network, "cross_entropy")
    halves, _, _ = start()
    for t in range(T):
        for each in (whole, halves):
            out = each.step(x[t], y[t])
        support.assert_same_bits(halves.network.parameters, whole.network.parameters, f"step {t}")
        if t in (3, 40):
            halves.save(tmp_path / "half")
            halves = load(tmp_path / "half")
            assert repr(halves) == repr(whole)
    assert np.isfinite(out).all()
    support.assert_same_bits(halves.gradient, whole.gradient)
    assert not np.array_equal(whole.network.parameters, start()[0].network.parameters)


@pytest.mark.parametrize("rule", RULES)
def test_an_update_is_the_optimizers(rule):
    net, x, rng = made(depth("tanh", 1, "identity"))
    twin, _, _ = made(depth("tanh", 1, "identity"))
    each = learner(net, rule, Adam(0.01), clip_norm=0.1)
    for t in range(20):
        each.step(x[t], rng.normal(size=3))
        twin.update(each.gradient, Adam(0.01), clip_norm=0.1)
        support.assert_same_bits(net.parameters, twin.parameters)


@pytest.mark.parametrize("rule", RULES)
def test_it_learns(rule):
    rng = np.random.default_rng(0)
    net = Network([SimpleRNN(8), Dense(1)], 1, "float64", seed=0)
    each = net.online(Adam(0.01), rule=rule)
    x = rng.normal(size=2000)
    y = 0.5 * np.roll(x, 1)  # of the input before
    errors = [float(each.step([x[t]], y[t])[0] - y[t]) ** 2 for t in range(len(x))]
    assert np.mean(errors[-300:]) < 0.3 * np.mean(errors[:300])


@pytest.mark.parametrize("rule", RULES)
def test_reset_and_state(rule):
    net, x, rng = made(depth("lstm", 1, "identity"))
    y = rng.normal(size=(T, 3))
    each, fresh = learner(net, rule), learner(net, rule)
    for t in range(9):
        each.step(x[t], y[t])
    kept = each.state
    each.reset()
    for t in range(5):
        support.assert_same_bits(each.step(x[t], y[t]), fresh.step(x[t], y[t]))
        support.assert_same_bits(each.gradient, fresh.gradient)
    each.state = kept  # a number: what led to it is forgotten
    assert all(np.array_equal(a, b) for a, b in zip(each.state[0], kept[0], strict=True))
    each.step(x[9], y[9])
    only = np.concatenate([np.full((0, 3), np.nan), y[9:10]])
    done = reference.minibatch(
        list(net.layers),
        support.weights_of(net),
        [x[9:10]],
        [only],
        "squared_error",
        reduction="sum",
        starts=[kept],
    )
    support.assert_near(each.gradient, support.flat(done.gradient), "float64")


WRONG = [
    (([0.0], None), ValueError, r"x has shape \(1,\), expected \(2,\)"),
    (([0.0, np.nan], None), ValueError, r"x\[1\] is nan"),
    (([0.0, 1e300], None), ValueError, r"x\[1\] is 1e\+300, expected a number that is finite in float32"),
    ((["a", "b"], None), TypeError, "x has dtype"),
    (([0.0, 0.0], 3), ValueError, "y is 3, expected a class from 0 to 2"),
    (([0.0, 0.0], 1.5), TypeError, "expected a class index, or 3 probabilities"),
    (([0.0, 0.0], "1"), TypeError, "expected numbers"),
    (([0.0, 0.0], [0.5, 0.5]), ValueError, r"y has shape \(2,\), expected \(3,\)"),
    (([0.0, 0.0], [0.5, 0.6, 0.5]), ValueError, "probabilities that sum to 1"),
    (([0.0, 0.0], [0.5, np.nan, 0.5]), ValueError, "probabilities that sum to 1"),
    (([0.0, 0.0], [1.5, -0.5, 0.0]), ValueError, "numbers from 0 to 1"),
]


@pytest.mark.parametrize("rule", RULES)
@pytest.mark.parametrize(("given", "error", "message"), WRONG, ids=[w[2] for w in WRONG])
def test_what_does_not_fit_changes_nothing(given, error, message, rule):
    net, x, _ = made(depth("tanh", 1, "softmax"), "float32")
    each = learner(net, rule, Adam(0.1))
    each.step(x[0], 1)
    before = (net.parameters.copy(), each.state[0], each.gradient)
    with pytest.raises(error, match=message):
        each.step(*given)
    for a, b in zip(before, (net.parameters, each.state[0], each.gradient), strict=True):
        support.assert_same_bits(a, b)


@pytest.mark.parametrize("y", [None, -1, np.nan, [np.nan] * 3])
def test_no_answer_advances_the_state_alone(y):
    net, x, _ = made(depth("tanh", 1, "softmax"))
    each, stream = learner(net, "rtrl", Adam(0.1)), net.stream()
    before = net.parameters.copy()
    for t in range(3):
        support.assert_same_bits(each.step(x[t], y), stream.step(x[t]))
    support.assert_same_bits(net.parameters, before)
    assert net.model.updates == 0 and not each.gradient.any()


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"rule": "hebb"}, "rule is 'hebb', expected one of 'bptt', 'rtrl'"),
        ({"truncation": 0}, "truncation is 0"),
        ({"rule": "rtrl", "truncation": 3}, "expected None with rule 'rtrl'"),
        ({"loss": "cross_entropy"}, "needs a Dense layer with activation 'softmax'"),
        ({"clip_norm": 0.0}, "clip_norm is 0.0"),
        ({"optimizer": LevenbergMarquardt()}, "expected one of SGD, RMSprop, Adam, AdamW"),
    ],
)
def test_wrong_arguments_are_named(options, message):
    net = Network([SimpleRNN(3), Dense(2)], 1, seed=0)
    with pytest.raises(ValueError, match=message):
        net.online(**({"optimizer": "sgd"} | options))


def test_pools_are_refused():
    net = Network([SimpleRNN(3, return_sequences=True), MeanPool()], 1, seed=0)
    with pytest.raises(ValueError, match=r"layers\[1\] is a MeanPool, expected a network without pools"):
        net.online("sgd")


def test_a_loss_that_is_not_finite_changes_no_weight():
    net = Network([SimpleRNN(2, "identity")], 1, "float32", seed=0)
    each = net.online(SGD(0.1))
    each.step([1.0], [0.0, 0.0])
    before = net.parameters.copy()
    each.step([3e38])
    with pytest.raises(RuntimeError, match="is NaN or infinite; the weights have not changed"):
        each.step([3e38], [-3e38, 3e38])
    support.assert_same_bits(net.parameters, before)


def test_a_network_without_recurrence_learns_too():
    net = Network([Dense(3, "tanh"), Dense(2)], 2, "float64", seed=0)
    x, y = [0.3, -0.2], [1.0, 2.0]
    for rule in RULES:
        each = learner(net, rule)
        each.step(x, y)
        _, expected = net.loss_and_gradient(np.array([[x]]), np.array([[y]]), reduction="sum")
        support.assert_near(each.gradient, expected, "float64")


def test_fit_in_between_is_noticed():
    """Another optimizer's fit forgets the learner's moments; the next step begins anew."""
    net, x, rng = made(depth("tanh", 1, "identity"))
    each = learner(net, "rtrl", Adam(0.01))
    each.step(x[0], [0.0, 0.0, 0.0])
    net.fit([x], [rng.normal(size=(T, 3))], optimizer=SGD(0.01), verbose=False)
    each.step(x[1], [0.0, 0.0, 0.0])
    assert net.model.updates == 1 and net.model.optimizer == Adam(0.01)


def test_a_damaged_learner_is_refused(tmp_path):
    from elman.model import file

    net, x, _ = made(depth("tanh", 1, "identity"))
    each = learner(net, "bptt", truncation=4)
    each.step(x[0], [0.0, 0.0, 0.0])
    each.save(tmp_path / "learner")
    spec, arrays = file.read(tmp_path / "learner")
    changes = [
        {"steps": 3},
        {"steps": 10**9},
        {"rule": "hebb"},
        {"truncation": 1},
        {"loss": "cross_entropy"},
        {"network": None},
        {"clip_norm": -1},
    ]
    for change in changes:
        file.write(tmp_path / "bad", spec | change, arrays)
        with pytest.raises(ValueError, match="bad"):
            load(tmp_path / "bad")
    for missing in ("memory", "parameters"):
        file.write(tmp_path / "bad", spec, {k: v for k, v in arrays.items() if k != missing})
        with pytest.raises(ValueError, match="bad"):
            load(tmp_path / "bad")
