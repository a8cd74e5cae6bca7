"""Gradients by distance: against differences, in every form of X, also where rounding would lose them."""

from __future__ import annotations

import numpy as np
import pytest

from elman import Dense, MeanPool, Network, Sequences, SimpleRNN
from elman.network import sensitivity
from elman.network.sensitivity import gradient_norms
from helpers import networks, support

F = 2
LENGTHS = (4, 1, 6)
EPSILON = 1e-3
CASES = [(shape, loss) for shape, loss in networks.cases() if shape != "no_bias"]


def prepared(shape, loss, dtype="float64"):
    """A lively network, ragged sequences and answers, all of which are there."""
    rng = np.random.default_rng(sum(map(ord, shape + loss)))
    layers = networks.build(shape, "tanh", loss)
    net = support.network(layers, F, dtype, networks.lively_weights(layers, F, rng))
    X = support.ragged(rng, LENGTHS, F)
    return net, X, support.random_answers(rng, layers, net.output_size, LENGTHS, loss)


def norms_by_differences(measure, x):
    """|| dL/dx_{T - k} || for each k, by four-point differences."""
    gradient = np.empty_like(x)
    for place in np.ndindex(x.shape):
        d = {}
        for e in (EPSILON, EPSILON / 2):
            high, low = x.copy(), x.copy()
            high[place] += e
            low[place] -= e
            d[e] = (measure(high) - measure(low)) / (2 * e)
        gradient[place] = (4 * d[EPSILON / 2] - d[EPSILON]) / 3
    return np.linalg.norm(gradient, axis=1)[::-1]


def only_last(answer, loss, per_step):
    """The answer of one row in which, of one a step, the last alone is there."""
    if not per_step:
        return answer
    alone = np.full_like(answer, -1 if loss == "cross_entropy" else np.nan)
    alone[-1] = answer[-1]
    return alone


@pytest.mark.parametrize(("shape", "loss"), CASES)
def test_norms_are_those_of_differences_of_each_answers_loss(shape, loss):
    net, X, answers = prepared(shape, loss)
    found = gradient_norms(net, X, support.as_y(list(net.layers), answers), loss=loss)
    for norms, x, answer in zip(found, X, answers, strict=True):
        y = [only_last(answer, loss, net.per_step)]

        def measure(row, y=y):
            return net.loss_and_gradient([row], y, loss=loss, reduction="sum")[0]

        expected = norms_by_differences(measure, x)
        assert norms.shape == (len(x),)
        np.testing.assert_allclose(norms, expected, rtol=1e-7, atol=1e-9 * expected.max())


@pytest.mark.parametrize("shape", ["last", "steps", "mean", "max", "bare_two_steps"])
def test_without_answers_it_is_the_sum_of_the_last_outputs(shape):
    net, X, _ = prepared(shape, "squared_error")
    for norms, x in zip(gradient_norms(net, X), X, strict=True):

        def measure(row):
            out = net.predict([row])[0]
            return float(np.sum(out[-1] if net.per_step else out))

        np.testing.assert_allclose(norms, norms_by_differences(measure, x), rtol=1e-7, atol=1e-9)


def test_place_k_is_k_steps_before_the_answer():
    net = Network([SimpleRNN(1, "identity")], input_size=1, dtype="float64", seed=0)
    net.parameters[:] = 3.0, 0.5, 0.0
    expected = 3.0 * 0.5 ** np.arange(5)
    np.testing.assert_allclose(gradient_norms(net, np.zeros((2, 5, 1))), [expected, expected], rtol=1e-15)


@pytest.mark.parametrize("decay", [1e-200, 1e200])
def test_norms_whose_squares_are_no_numbers(decay):
    net = Network([SimpleRNN(1, "identity")], input_size=2, dtype="float64", seed=0)
    net.parameters[:] = 3.0, 4.0, decay, 0.0
    np.testing.assert_allclose(gradient_norms(net, np.zeros((1, 2, 2))), [[5.0, 5.0 * decay]], rtol=1e-14)


def test_a_gradient_that_overflows_is_infinite():
    net = Network([SimpleRNN(2, "identity")], input_size=1, dtype="float64", seed=0)
    net.parameters[:] = 0.0
    net.weights["0.kernel"][:] = 1.0, -1.0
    net.weights["0.recurrent_kernel"][:] = 1e200 * np.eye(2)  # infinity minus infinity, from the third on
    net.weights["0.kernel"][0, 1] = -0.5
    np.testing.assert_array_equal(gradient_norms(net, np.zeros((1, 4, 1))), [[0.5, 5e199, np.inf, np.inf]])


def test_the_form_follows_x():
    net, X, _ = prepared("last", "squared_error")
    listed = gradient_norms(net, X)
    assert [norms.shape for norms in listed] == [(T,) for T in LENGTHS]
    joined = gradient_norms(net, Sequences(np.concatenate(X), np.cumsum([0, *LENGTHS])))
    for a, b in zip(listed, joined, strict=True):
        support.assert_same_bits(a, b)
    array = gradient_norms(net, X[0][None])
    assert array.shape == (1, LENGTHS[0])
    support.assert_same_bits(array[0], listed[0])


@pytest.mark.parametrize(("shape", "loss"), [("last", "cross_entropy"), ("steps", "squared_error")])
def test_a_float32_network_is_seen_in_float64(shape, loss):
    net64, X, answers = prepared(shape, loss)
    net32 = prepared(shape, loss, "float32")[0]
    net64.parameters[:] = net32.parameters
    before = net32.parameters.copy()
    y = support.as_y(list(net32.layers), answers)
    for a, b in zip(gradient_norms(net32, X, y), gradient_norms(net64, X, y), strict=True):
        support.assert_same_bits(a, b)
    support.assert_same_bits(net32.parameters, before)
    assert net32.dtype == np.float32


@pytest.mark.parametrize(("activation", "wrong"), [("softmax", 1), ("sigmoid", [0.0, 1.0])])
def test_a_saturated_output_teaches_still(activation, wrong):
    """Its probability of what is right is 0 in any precision; the gradient is not."""
    net = Network([SimpleRNN(1, "identity"), Dense(2, activation)], input_size=1, dtype="float64", seed=0)
    for name, value in {"0.kernel": 1.0, "0.recurrent_kernel": 0.5, "1.kernel": [[2000.0, -2000.0]]}.items():
        net.weights[name][...] = value
    x = np.ones((1, 3, 1))
    assert net.predict(x)[0, 1] == 0.0
    # dL/dh = (y - target) V^T = (1, -1) . (2000, -2000)
    np.testing.assert_allclose(gradient_norms(net, x, [wrong]), [[4000.0, 2000.0, 1000.0]], rtol=1e-12)


def test_probabilities_as_answers():
    net, X, _ = prepared("last", "cross_entropy")
    y = np.array([2, 0, 1])
    for a, b in zip(gradient_norms(net, X, y), gradient_norms(net, X, np.eye(3)[y]), strict=True):
        support.assert_same_bits(a, b)


@pytest.mark.parametrize(("shape", "loss"), [("last", "cross_entropy"), ("steps", "binary_cross_entropy")])
def test_how_many_sequences_are_recorded_together_does_not_matter(monkeypatch, shape, loss):
    net, X, answers = prepared(shape, loss)
    y = support.as_y(list(net.layers), answers)
    together = gradient_norms(net, X, y)
    sizes = []
    record = Network.record
    monkeypatch.setattr(Network, "record", lambda self, rows: sizes.append(len(rows)) or record(self, rows))
    monkeypatch.setattr(sensitivity, "_STATES", 5 * sum(getattr(layer, "units", 0) for layer in net.layers))
    for a, b in zip(together, gradient_norms(net, X, y), strict=True):
        support.assert_same_bits(a, b)
    assert sizes == [2, 1]


def test_an_output_without_answer_adds_nothing():
    net = Network([SimpleRNN(2, "identity", return_sequences=True)], input_size=1, dtype="float64", seed=0)
    X = np.ones((1, 3, 1))
    y = np.full((1, 3, 2), np.nan)
    y[0, -1, 0] = 5.0
    expected = abs((net.predict(X)[0, -1, 0] - 5.0) * net.weights["0.kernel"][0, 0])
    np.testing.assert_allclose(gradient_norms(net, X, y)[0, 0], expected, rtol=1e-14)


@pytest.mark.parametrize(
    ("layers", "y", "loss", "sentence"),
    [
        ([SimpleRNN(3), Dense(2, "softmax")], None, None, "y is None, expected the answers"),
        ([SimpleRNN(3, return_sequences=True), Dense(2, "softmax"), MeanPool()], None, None, "y is None"),
        ([SimpleRNN(3)], None, "squared_error", "loss is 'squared_error' without y, expected y too"),
        ([SimpleRNN(3)], [[0.0] * 3] * 2, "cross_entropy", "needs a Dense layer with activation 'softmax'"),
        ([SimpleRNN(3), Dense(2, "softmax")], [0, 2], None, r"y\[1\] is 2, expected a class index"),
        (
            [SimpleRNN(3, return_sequences=True), Dense(2, "softmax")],
            [[0, 1], [1, -1]],
            None,
            r"y\[1\] has no answer at its last step, expected one",
        ),
        (
            [SimpleRNN(1, return_sequences=True)],
            [[np.nan, np.nan], [np.nan, 1.0]],
            None,
            r"y\[0\] has no answer at its last step",
        ),
    ],
)
def test_what_is_wrong_is_said(layers, y, loss, sentence):
    net = Network(layers, input_size=1, seed=0)
    with pytest.raises(ValueError, match=sentence):
        gradient_norms(net, np.zeros((2, 2, 1)), None if y is None else np.array(y), loss=loss)


def test_x_is_checked_as_everywhere():
    net = Network([SimpleRNN(1)], input_size=1, seed=0)
    with pytest.raises(ValueError, match=r"X\[1\] has nan at step 0"):
        gradient_norms(net, [np.zeros((3, 1)), np.full((1, 1), np.nan)])
    with pytest.raises(TypeError, match=r"net is 3 \(a int\), expected an elman\.Network"):
        gradient_norms(3, np.zeros((1, 1, 1)))
