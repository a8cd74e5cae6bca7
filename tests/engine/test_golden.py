"""The engine, through the public API, against what PyTorch computed (golden/make_golden.py)."""

from __future__ import annotations

import numpy as np
import pytest

import elman
from helpers.support import GOLDEN, as_y, assert_near, load_golden, network, stack

RUNS = list(load_golden(GOLDEN[0]).spec["runs"])


@pytest.fixture
def net(golden, dtype):
    return network(golden.layers(elman), golden.spec["F"], dtype, golden.named("w"))


def answers(golden):
    return as_y(golden.layers(elman), golden.Y)


def stacked(results):
    return stack(results) if isinstance(results, list) else results


def test_outputs_and_states(golden, dtype, net):
    assert_near(stacked(net.predict(golden.X)), golden.arrays["outputs"], dtype, "outputs")
    tape = net.record(golden.X)
    assert_near(stacked(tape.outputs), golden.arrays["outputs"], dtype, "outputs of the tape")
    for states in (net.states(golden.X), tape.states):
        assert len(states) == sum(name.startswith("states/") for name in golden.arrays)
        for layer, each in enumerate(states):
            assert_near(stack(each), golden.arrays[f"states/{layer}"], dtype, f"states {layer}")


def test_loss_and_gradient(golden, dtype, net):
    loss, gradient = net.loss_and_gradient(golden.X, answers(golden), loss=golden.spec["loss"])
    assert isinstance(loss, float) and gradient.dtype == dtype
    assert_near(loss, golden.arrays["loss"], dtype, "loss")
    assert_near(
        gradient, np.concatenate([g.ravel() for g in golden.named("g").values()]), dtype, "the whole gradient"
    )
    begin = 0
    for name, g in golden.named("g").items():
        assert_near(gradient[begin : begin + g.size].reshape(g.shape), g, dtype, name)
        begin += g.size


def test_vector_jacobian_product(golden, dtype, net):
    tape = net.record(golden.X)
    cotangent = golden.arrays["cotangent"].astype(dtype)
    per_step = isinstance(tape.outputs, list)
    gradients = tape.backward(np.split(cotangent, np.cumsum(golden.lengths)[:-1]) if per_step else cotangent)
    expected = golden.named("v")
    assert_near(
        gradients.parameters, np.concatenate([v.ravel() for v in expected.values()]), dtype, "parameters"
    )
    assert list(gradients.weights) == list(expected)
    for name, v in expected.items():
        assert_near(gradients.weights[name], v, dtype, name)
    if "v/X" in golden.arrays:
        assert_near(stack(gradients.inputs), golden.arrays["v/X"], dtype, "inputs")
    else:  # integers
        assert gradients.inputs is None


@pytest.mark.parametrize("run", RUNS)
def test_ten_training_losses(golden, dtype, net, run):
    optimizer, options = golden.run(elman, run)
    history = net.fit(
        golden.X,
        answers(golden),
        loss=golden.spec["loss"],
        optimizer=optimizer,
        epochs=golden.spec["epochs"],
        shuffle=False,
        verbose=False,
        **options,
    )
    assert_near(history.history["loss"], golden.arrays[f"{run}/losses"], dtype, "losses")
    for name, w in golden.named(run).items():
        assert_near(net.weights[name], w, dtype, name)
