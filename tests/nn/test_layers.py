"""Layers are checked descriptions; stacks, initial weights, freezing and the summary follow from them."""

import dataclasses
import re

import numpy as np
import pytest

from elman import GRU, LSTM, Dense, MaxPool, MeanPool, Network, SimpleRNN
from elman.nn import initializers, stack


@pytest.mark.parametrize(
    ("make", "error", "message"),
    [
        (lambda: SimpleRNN(0), ValueError, "units is 0, expected an integer of at least 1"),
        (lambda: SimpleRNN(2.0), TypeError, "units is 2.0 (a float), expected an integer"),
        (lambda: SimpleRNN(True), TypeError, "units is True (a bool), expected an integer"),
        (lambda: SimpleRNN(2, "softmax"), ValueError, "activation is 'softmax', expected one of 'tanh'"),
        (lambda: Dense(2, "gelu"), ValueError, "activation is 'gelu', expected one of 'identity'"),
        (lambda: Dense(2, None), TypeError, "activation is None"),
        (lambda: Dense(2, use_bias=1), TypeError, "use_bias is 1 (a int), expected True or False"),
        (lambda: SimpleRNN(2, return_sequences="yes"), TypeError, "return_sequences is 'yes'"),
        (lambda: SimpleRNN(2, kernel_initializer="x"), ValueError, "kernel_initializer is 'x', expected one"),
    ],
)
def test_a_bad_layer_names_its_argument(make, error, message):
    with pytest.raises(error) as raised:
        make()
    assert message in str(raised.value)


def test_layers_are_values():
    assert SimpleRNN(np.int64(3)) == SimpleRNN(3)
    assert hash(Dense(2)) == hash(Dense(2))
    with pytest.raises(AttributeError):
        SimpleRNN(3).units = 4


@pytest.mark.parametrize(
    ("stack", "message"),
    [
        ([], "layers is empty"),
        ([SimpleRNN(2), SimpleRNN(2)], "layers[1] (SimpleRNN) needs a time axis, but layers[0] (SimpleRNN)"),
        ([SimpleRNN(2), MeanPool()], "set return_sequences=True there"),
        ([SimpleRNN(2, return_sequences=True), MaxPool(), MeanPool()], "pools its steps into one"),
        ([MeanPool(), Dense(2)], "layers[0] is a MeanPool"),
    ],
)
def test_a_stack_that_does_not_stand_is_refused(stack, message):
    with pytest.raises(ValueError, match=r"^layers") as raised:
        Network(stack, input_size=2)
    assert message in str(raised.value)


@pytest.mark.parametrize("stack", [SimpleRNN(2), "SimpleRNN", [SimpleRNN], [3], None])
def test_what_is_no_layer_is_a_type_error(stack):
    with pytest.raises(TypeError, match="layers"):
        Network(stack, input_size=2)


@pytest.mark.parametrize(
    ("options", "error", "message"),
    [
        ({"input_size": 0}, ValueError, "input_size is 0"),
        ({"input_size": "5"}, TypeError, "input_size is '5'"),
        ({"input_size": 1, "dtype": "float16"}, ValueError, "dtype is 'float16'"),
        ({"input_size": 1, "dtype": 32}, TypeError, "dtype is 32"),
        ({"input_size": 1, "seed": -1}, ValueError, "seed is -1"),
        ({"input_size": 1, "seed": 1.5}, TypeError, "seed is 1.5"),
    ],
)
def test_a_bad_network_names_its_argument(options, error, message):
    with pytest.raises(error) as raised:
        Network([SimpleRNN(2)], **options)
    assert message in str(raised.value)


@pytest.mark.parametrize(
    "layer", [SimpleRNN(3, "relu", use_bias=False), Dense(2, "tanh"), MeanPool(), MaxPool()]
)
def test_layers_survive_json(layer):
    assert stack.from_dict(stack.to_dict(layer)) == layer


@pytest.mark.parametrize("name", initializers.NAMES)
@pytest.mark.parametrize("shape", [(4, 4), (3, 7), (7, 3), (5,)])
def test_every_initializer_fills_every_shape(name, shape):
    values = initializers.draw(name, shape, np.random.default_rng(0))
    assert values.shape == shape
    assert values.dtype == np.float64
    assert np.isfinite(values).all()
    again = initializers.draw(name, shape, np.random.default_rng(0))
    np.testing.assert_array_equal(values, again)


@pytest.mark.parametrize("shape", [(4, 4), (3, 7), (7, 3)])
def test_orthogonal_is_orthogonal(shape):
    q = initializers.draw("orthogonal", shape, np.random.default_rng(1))
    small = q @ q.T if shape[0] <= shape[1] else q.T @ q
    np.testing.assert_allclose(small, np.eye(min(shape)), atol=1e-14)


def test_one_seed_gives_one_network_in_both_dtypes():
    stack = [SimpleRNN(5), Dense(3)]
    single, double = (Network(stack, 4, dtype=dtype, seed=7) for dtype in ("float32", np.float64))
    np.testing.assert_array_equal(single.parameters, double.parameters.astype(np.float32))
    other = Network(stack, 4, seed=8)
    assert not np.array_equal(other.parameters, single.parameters)
    assert list(single.weights) == ["0.kernel", "0.recurrent_kernel", "0.bias", "1.kernel", "1.bias"]


def test_a_fresh_seed_is_kept():
    net = Network([SimpleRNN(5)], 4)
    assert net.seed != Network([SimpleRNN(5)], 4).seed
    np.testing.assert_array_equal(net.parameters, Network([SimpleRNN(5)], 4, seed=net.seed).parameters)


def test_weights_are_views_of_the_parameters():
    net = Network([SimpleRNN(2)], 1, seed=0)
    net.weights["0.bias"][:] = 5.0
    assert (net.parameters[-2:] == 5.0).all()
    net.weights["0.bias"] = [6.0, 7]
    net.weights.update({"0.kernel": np.full((1, 2), 8.0), "0.recurrent_kernel": np.eye(2, dtype=bool)})
    assert net.parameters.tolist() == [8.0, 8.0, 1.0, 0.0, 0.0, 1.0, 6.0, 7.0]
    net.weights["0.kernel"] *= 2.0
    net.weights.update({"0.recurrent_kernel": net.weights["0.recurrent_kernel"][::-1]})  # of the same memory
    assert net.parameters.tolist() == [16.0, 16.0, 0.0, 1.0, 1.0, 0.0, 6.0, 7.0]
    net.weights.update(Network([SimpleRNN(2)], 1, seed=3).weights)
    np.testing.assert_array_equal(net.parameters, Network([SimpleRNN(2)], 1, seed=3).parameters)
    with pytest.raises(AttributeError, match=r"net.parameters\[:\] = values"):
        net.parameters = np.zeros(8)
    with pytest.raises(KeyError, match=r"there are 0\.kernel"):
        net.weights["1.kernel"]


@pytest.mark.parametrize(
    ("name", "value", "error", "message"),
    [
        ("0.bias", np.zeros((1, 2)), ValueError, "weights['0.bias'] has shape (1, 2), expected (2,)"),
        ("0.bias", 0.0, ValueError, "weights['0.bias'] has shape (), expected (2,)"),
        ("0.bias", ["a", "b"], TypeError, "weights['0.bias'] has dtype <U1, expected real numbers"),
        ("0.bias", [1j, 2], TypeError, "weights['0.bias'] has dtype complex128, expected real numbers"),
        ("0.kernel", [[1.0], [2.0, 3.0]], ValueError, "weights['0.kernel'] is [[1.0], [2.0, 3.0]] (a list)"),
        (
            "1.bias",
            None,
            ValueError,
            "weights['1.bias'] is not a parameter of the network, expected one of 0.kernel, 0.rec",
        ),
    ],
)
def test_weights_that_do_not_fit_are_refused_and_none_is_written(name, value, error, message):
    net = Network([SimpleRNN(2)], 1, seed=0)
    before = net.parameters.copy()
    with pytest.raises(error, match=re.escape(message)) as raised:
        net.weights[name] = value
    assert raised.value.argument == "weights"
    with pytest.raises(error, match=re.escape(message)):
        net.weights.update({"0.recurrent_kernel": np.zeros((2, 2)), name: value})
    with pytest.raises(TypeError, match=r"weights is 3 \(a int\), expected a dict of arrays"):
        net.weights.update(3)
    np.testing.assert_array_equal(net.parameters, before)


def test_writing_weights_is_writing_into_the_views():
    """Frozen and constrained parameters too, and numbers that are not finite."""
    one, two = (Network([SimpleRNN(2)], 1, seed=0) for _ in range(2))
    for net in (one, two):
        net.freeze("0.bias")
        net.constrain("0.kernel", sign=[1])
    for name, value in (("0.bias", [np.nan, np.inf]), ("0.kernel", [[-1.0, 2.0]])):
        one.weights[name] = value
        two.weights[name][...] = value
    np.testing.assert_array_equal(one.parameters, two.parameters)


@pytest.mark.parametrize("kind", stack.KINDS.values(), ids=stack.KINDS)
def test_layers_describe_every_parameter(kind):
    """Also those that the recurrent layers share."""
    assert "RecurrentLayer" not in kind.__doc__
    for field in dataclasses.fields(kind):
        assert re.search(rf"^    (\w+, )*{field.name}(, \w+)* : ", kind.__doc__, re.MULTILINE), field.name


def test_layers_show_their_arguments_in_the_order_of_the_signature():
    shown = repr(SimpleRNN(3, "relu", leak=0.5))
    assert shown.startswith("SimpleRNN(units=3, activation='relu', use_bias=True, ")
    for layer in (SimpleRNN(3, "relu", leak=0.5), GRU(2, reset_after=False), LSTM(4, unit_forget_bias=False)):
        assert eval(repr(layer)) == layer


def test_views_outlive_the_network():
    view = Network([SimpleRNN(2)], 1, seed=0).weights["0.kernel"]
    held = view.copy()
    for seed in range(20):
        Network([SimpleRNN(2)], 1, seed=seed)
    np.testing.assert_array_equal(view, held)


def test_freeze_merges_what_is_left():
    net = Network([SimpleRNN(2), Dense(3)], 1, seed=0)
    net.freeze("0.recurrent_kernel", "1.*")
    assert net.frozen == ("0.recurrent_kernel", "1.kernel", "1.bias")
    np.testing.assert_array_equal(net.model.trainable(), [[0, 2], [6, 8]])
    net.unfreeze("*")
    np.testing.assert_array_equal(net.model.trainable(), [[0, net.parameters.size]])
    with pytest.raises(ValueError, match=r"pattern '7\.\*' matches no parameter; there are 0.kernel"):
        net.freeze("7.*")
    with pytest.raises(ValueError, match="no pattern was given"):
        net.freeze()
    with pytest.raises(TypeError, match="pattern is 0"):
        net.freeze(0)


def test_the_summary_counts_every_parameter():
    net = Network([SimpleRNN(3, return_sequences=True), MeanPool(), Dense(5)], 5, seed=0)
    lines = net.summary().splitlines()
    assert [line.split()[-1] for line in lines if line[0].isdigit()] == ["27", "0", "20"]
    assert "(n, T, 3)" in net.summary()
    assert lines[-1].split()[-1] == "47" == str(net.parameters.size)
    assert "seed=0" in repr(net)
