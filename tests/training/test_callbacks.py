"""Spectral radii during training: the right numbers, at the right epochs, of the right matrices."""

from __future__ import annotations

import copy
import pickle

import numpy as np
import pytest

import elman
from elman import Dense, Network, SimpleRNN
from elman.model.weights import Weights
from elman.training.callbacks import SpectralRadius, spectral_radii

X, Y = np.random.default_rng(0).normal(size=(8, 5, 2)), np.tile([0, 1], 4)


def network():
    layers = [SimpleRNN(4, return_sequences=True), SimpleRNN(3), Dense(2, "softmax")]
    return Network(layers, input_size=2, seed=1)


def test_it_records_every_epoch_and_before():
    net = network()
    recorder, seen = SpectralRadius(net), []

    def watch(net, epoch, logs):
        kernel = net.weights["1.recurrent_kernel"].astype(float)
        seen.append(max(abs(np.linalg.eigvals(kernel))))

    net.fit(X, Y, epochs=3, optimizer=elman.Adam(0.1), callbacks=[recorder, watch], verbose=False)
    assert recorder.epochs == [0, 1, 2, 3]
    assert list(recorder.values) == ["0.recurrent_kernel", "1.recurrent_kernel"]
    np.testing.assert_allclose(recorder.values["1.recurrent_kernel"][1:], seen, rtol=1e-12)
    # Orthogonal at first, and then no more.
    assert [values[0] for values in recorder.values.values()] == pytest.approx([1.0, 1.0], rel=1e-5)
    assert len(set(seen)) == 3
    assert "4 values" in repr(recorder)


def test_without_a_network_it_begins_with_the_first_epoch_and_a_second_fit_counts_on():
    net, recorder = network(), SpectralRadius()
    for epochs in (2, 1):
        net.fit(X, Y, epochs=epochs, callbacks=[recorder], verbose=False)
    assert recorder.epochs == [1, 2, 3]
    assert all(len(values) == 3 for values in recorder.values.values())


def test_it_never_stops_a_fit():
    assert SpectralRadius()(network(), 0, {}) is None


def test_the_radius_is_the_largest_modulus_of_an_eigenvalue():
    turn = 0.9 * np.array([[0.0, -1.0], [1.0, 0.0]])  # eigenvalues 0.9 i and -0.9 i
    shear = np.array([[0.5, 100.0], [0.0, -0.7]], dtype=np.float32)  # a large norm, a small radius
    radii = spectral_radii(Weights({"0.recurrent_kernel": turn, "2.recurrent_kernel": shear}))
    assert radii == pytest.approx({"0.recurrent_kernel": 0.9, "2.recurrent_kernel": 0.7}, rel=1e-6)


def test_gates_are_taken_one_by_one():
    kernel = np.concatenate([g * np.eye(3) for g in (1.0, -2.0, 3.0)], axis=1)
    radii = spectral_radii(Weights({"0.kernel": np.zeros((2, 9)), "0.recurrent_kernel": kernel}))
    assert radii == {f"0.recurrent_kernel gate {g}": g + 1.0 for g in range(3)}


def test_a_kernel_that_is_not_finite_has_no_radius():
    kernel = np.array([[1.0, np.inf], [0.0, 1.0]])
    assert np.isnan(spectral_radii(Weights({"0.recurrent_kernel": kernel}))["0.recurrent_kernel"])


def test_a_network_without_recurrent_layer():
    with pytest.raises(
        ValueError, match=r"net has no recurrent kernel, expected one among 0\.kernel, 0\.bias"
    ):
        SpectralRadius(Network([Dense(2)], input_size=2, seed=0))


@pytest.mark.parametrize("again", [copy.deepcopy, lambda r: pickle.loads(pickle.dumps(r))])
def test_it_can_be_copied_and_pickled(again):
    recorder = SpectralRadius(network())
    assert again(recorder).values == recorder.values


def test_the_front_door_leads_here():
    assert elman.callbacks.SpectralRadius is SpectralRadius
