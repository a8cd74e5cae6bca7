"""The gradient check passes right gradients, finds wrong ones, and knows a kink when it sees one."""

from functools import partial

import numpy as np
import pytest

import elman
from elman import Dense, MaxPool, Network, SimpleRNN
from elman.model import gradient_check
from helpers import runs

RNG = np.random.default_rng(5)
X = RNG.normal(size=(4, 7, 2))


network = partial(runs.network, seed=1)


def test_right_gradients_pass_in_both_dtypes():
    for dtype in ("float32", "float64"):
        net = network(dtype=dtype)
        before = net.parameters.copy()
        report = elman.check_gradient(net, X, [0, 1, 2, 0])
        assert report.ok
        assert report.max_relative_error <= 1e-7
        assert len(report.rows) == net.parameters.size
        assert report.skipped == []
        np.testing.assert_array_equal(net.parameters, before)
        assert net.dtype == dtype


@pytest.mark.parametrize("y", [None, [0, 1, 2, 0]])
def test_a_wrong_gradient_is_found(monkeypatch, y):
    """One entry off by a thousandth, behind the check's back."""
    original = {name: getattr(gradient_check, name) for name in ("_output_sum", "_mean_loss")}

    def wrong(name):
        def call(*arguments):
            measure, gradient = original[name](*arguments)
            gradient[3] *= 1.001
            return measure, gradient

        return call

    for name in original:
        monkeypatch.setattr(gradient_check, name, wrong(name))
    net = Network([SimpleRNN(4), Dense(3, "softmax" if y else "identity")], input_size=2, seed=1)
    report = elman.check_gradient(net, X, y)
    assert not report.ok
    assert report.max_relative_error == pytest.approx(1e-3, rel=0.01)
    worst = max(report.rows, key=lambda row: row.relative_error)
    assert (worst.name, worst.index) == ("0.kernel", (0, 3))
    assert "NOT ok" in str(report)


def test_the_lines_read_as_the_article():
    net = Network([SimpleRNN(2, "identity", use_bias=False)], input_size=3, seed=0)
    report = elman.check_gradient(net, [[[1.0, 2.0, 3.0], [2.0, 3.0, 4.0]]])
    row = next(row for row in report.rows if row.name == "0.recurrent_kernel" and row.index == (1, 0))
    line = f"0.recurrent_kernel[1,0]: expected {row.expected:.6f} actual {row.actual:.6f}"
    assert line in str(report).splitlines()


def test_rows_unpack():
    report = elman.check_gradient(network(), X, [0, 1, 2, 0])
    for row, (name, index, expected, actual) in zip(report.rows, report.rows, strict=True):
        assert (name, index, expected, actual) == (row.name, row.index, row.expected, row.actual)


def test_what_is_no_network_is_named():
    with pytest.raises(TypeError, match=r"net is 3 \(a int\), expected an elman.Network"):
        elman.check_gradient(3, X)


def test_many_parameters_are_sampled():
    net = Network([SimpleRNN(30)], 2, seed=0)
    report = elman.check_gradient(net, X, max_entries=50, seed=1)
    assert len(report.rows) == 50
    assert report.ok
    places = [(row.name, row.index) for row in report.rows]
    assert places == [
        (row.name, row.index) for row in elman.check_gradient(net, X, max_entries=50, seed=1).rows
    ]
    assert places != [
        (row.name, row.index) for row in elman.check_gradient(net, X, max_entries=50, seed=2).rows
    ]


@pytest.mark.parametrize("offset", [0.0, 1e-5, -2e-5, 4e-5, 7e-5])
def test_a_kink_is_skipped_and_too_many_are_not_ok(offset):
    """With x = 1 and no bias the unit is relu(w + u h): its kink lies at w = 0, within the difference."""
    net = Network([SimpleRNN(1, "relu", use_bias=False)], input_size=1, dtype="float64", seed=0)
    net.weights["0.kernel"][...] = offset
    report = elman.check_gradient(net, [[[1.0]]])
    assert report.skipped == [("0.kernel", (0, 0))]
    assert not report.ok
    assert "0.kernel[0,0]: skipped, a kink" in str(report)


def test_a_max_that_changes_place_is_skipped():
    net = Network([SimpleRNN(1, return_sequences=True), MaxPool()], 1, dtype="float64", seed=0)
    net.weights["0.kernel"][...] = 1e-5
    net.weights["0.recurrent_kernel"][...] = 0.5
    report = elman.check_gradient(net, [[[1.0], [-1.0], [2.0]]])
    assert ("0.kernel", (0, 0)) in report.skipped


def test_without_influence_is_no_error():
    """The sum of softmax outputs is 1, so every gradient is rounding alone."""
    report = elman.check_gradient(network(), X)
    assert report.ok
    assert report.max_relative_error == 0.0


def test_a_trained_network_passes_too():
    """Small losses and gradients drown in rounding at epsilon: wider steps keep their digits."""
    net = network()
    y = (X.sum(axis=(1, 2)) > 0).astype(int)
    net.fit(X, y, optimizer=elman.Adam(0.1), epochs=200, verbose=False)
    assert net.history.history["loss"][-1] < 0.05
    report = elman.check_gradient(net, X, y)
    assert report.ok, report.max_relative_error


@pytest.mark.parametrize(
    ("options", "error", "message"),
    [
        ({"epsilon": 0.0}, ValueError, "epsilon is 0.0"),
        ({"max_entries": 0}, ValueError, "max_entries is 0"),
        ({"seed": -1}, ValueError, "seed is -1"),
        ({"loss": "cross_entropy"}, ValueError, "loss is 'cross_entropy' without y"),
        ({"y": [0, 1]}, ValueError, "y has 2 answers, expected 4"),
    ],
)
def test_bad_arguments_say_why(options, error, message):
    with pytest.raises(error) as raised:
        elman.check_gradient(network(), X, **options)
    assert message in str(raised.value)
