"""Reservoirs: what plain NumPy says of their units; whole sequences, windows and streams agree."""

import pickle

import numpy as np
import pytest
from sklearn.base import clone
from sklearn.utils.estimator_checks import check_estimator

import elman
from elman.features import Reservoirs, reservoirs

RNG = np.random.default_rng(3)
LENGTHS = [40, 97, 40, 61]
RAGGED = [RNG.normal(size=(n, 2)) * [1.0, 30.0] + [0.0, 200.0] for n in LENGTHS]
SMALL = {"networks": 3, "units": 4, "random_state": 5}


def plain(net, x, window):
    """Return the statistics of each window in float64, one step at a time; the states run through."""
    (layer,) = net.layers
    W, U, c = (net.weights[f"0.{name}"].astype(float) for name in ("kernel", "recurrent_kernel", "bias"))
    states = [np.zeros(layer.units)]
    for row in x:
        h = states[-1]
        states.append((1 - layer.leak) * h + layer.leak * np.tanh(row @ W + h @ U + c))
    rows = []
    for end in range(window, len(x) + 1, window):
        h = np.array(states[end - window : end + 1])
        change = np.abs(np.diff(h, axis=0)).mean(axis=0)
        h = h[1:]
        rows.append([h.mean(0), np.log(h.var(0) + 1e-8), (h > 0).mean(0), np.log(change + 1e-6)])
    return np.array(rows).reshape(len(rows), -1)


def read(x, difference, standardize):
    if difference:
        x = np.diff(x, axis=0, prepend=x[:1])
    return (x - x.mean(0)) / x.std(0) if standardize else x


@pytest.mark.parametrize("difference", [False, True])
@pytest.mark.parametrize("standardize", [False, True])
@pytest.mark.parametrize("window", [None, 13])
def test_statistics_are_those_of_plain_numpy(difference, standardize, window):
    features = Reservoirs(
        **SMALL, input_scaling=0.02, difference=difference, standardize=standardize, window=window
    )
    made = features.fit_transform(RAGGED)
    for rows, x in zip(made, RAGGED, strict=True):
        x = read(x, difference, standardize)
        expected = np.hstack([plain(net, x, window or len(x)) for net in features.networks_])
        np.testing.assert_allclose(np.atleast_2d(rows), expected, rtol=2e-5, atol=2e-5)
    assert features.get_feature_names_out()[:5].tolist() == [
        "network0_unit0_mean",
        "network0_unit1_mean",
        "network0_unit2_mean",
        "network0_unit3_mean",
        "network0_unit0_log_variance",
    ]


def test_weights_are_drawn_as_said():
    features = Reservoirs(
        40, 6, spectral_radius=0.7, leak=(0.1, 0.4), input_scaling=0.02, bias_scaling=0.3, random_state=1
    ).fit(RAGGED)
    leaks = [net.layers[0].leak for net in features.networks_]
    assert 0.1 <= min(leaks) < 0.14
    assert 0.3 < max(leaks) <= 0.4
    for net in features.networks_:
        radius = np.abs(np.linalg.eigvals(net.weights["0.recurrent_kernel"])).max()
        assert radius == pytest.approx(0.7, abs=1e-5)
    kernels, biases = (
        np.abs([net.weights[name] for net in features.networks_]).max() for name in ("0.kernel", "0.bias")
    )
    assert 0.018 < kernels <= 0.02
    assert 0.28 < biases <= 0.3


def test_leaks_are_as_often_short_as_long():
    """Log-uniform: as many in each decade."""
    features = Reservoirs(400, 1, leak=(0.001, 1.0), random_state=2).fit(RAGGED)
    leaks = [net.layers[0].leak for net in features.networks_]
    shares = np.histogram(np.log10(leaks), [-3, -2, -1, 0])[0] / 400
    assert np.abs(shares - 1 / 3).max() < 0.08  # three standard deviations are 0.07


def test_a_unit_at_rest_is_not_positive():
    made = Reservoirs(2, 3, bias_scaling=0.0, random_state=0).fit_transform([np.zeros((20, 1))])
    expected = {"mean": 0.0, "log_variance": np.log(1e-8), "share_positive": 0.0, "log_change": np.log(1e-6)}
    np.testing.assert_allclose(made.reshape(2, 4, 3)[0, :, 0], list(expected.values()), rtol=1e-6)


@pytest.mark.parametrize("difference", [False, True])
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_streams_have_the_bits_of_the_batch(difference, dtype):
    x = RAGGED[1].astype(dtype)
    features = Reservoirs(**SMALL, input_scaling=0.02, difference=difference, window=10).fit([x])
    expected = features.transform([x])[0]
    assert expected.shape == (9, 48)
    assert expected.dtype == dtype
    for cuts in ([], [1], range(1, 97), [30, 35, 80], [10, 10, 20]):
        stream = elman.stream(features)
        parts = [stream.steps(part) for part in np.split(x, list(cuts))]
        assert np.array_equal(np.concatenate(parts), expected)
    assert features.ends(97).tolist() == list(range(9, 90, 10))


def test_a_refused_chunk_changes_nothing():
    features = Reservoirs(**SMALL, input_scaling=0.02, difference=True, window=10).fit(RAGGED)
    stream, x = elman.stream(features), RAGGED[1]
    parts = [stream.steps(x[:15])]
    with pytest.raises(ValueError, match="too large for networks in float32"):
        stream.steps(np.full((10, 2), 1e200))
    parts.append(stream.steps(x[15:]))
    assert np.array_equal(np.concatenate(parts), features.transform([x])[0])


def test_undone_samples_leave_no_trace():
    """As when what follows in a pipeline refuses the features of a chunk."""
    features = Reservoirs(**SMALL, input_scaling=0.02, difference=True, window=10).fit(RAGGED)
    stream, x = features.stream(), RAGGED[1]
    parts = [stream.steps(x[:15])]
    stream.advance(RAGGED[3][:23])
    stream.undo()
    parts.append(stream.steps(x[15:]))
    assert np.array_equal(np.concatenate(parts), features.transform([x])[0])
    stream.reset()
    assert np.array_equal(stream.steps(x), features.transform([x])[0])


def test_rows_do_not_depend_on_company_or_threads():
    features = Reservoirs(**SMALL, input_scaling=0.02, n_jobs=1).fit(RAGGED)
    together = features.transform(RAGGED)
    assert np.array_equal(together, np.vstack([features.transform([x]) for x in RAGGED]))
    assert np.array_equal(together, clone(features).set_params(n_jobs=3).fit_transform(RAGGED))
    assert np.array_equal(together, pickle.loads(pickle.dumps(features)).transform(RAGGED))
    other = clone(features).set_params(random_state=6).fit_transform(RAGGED)
    assert not np.allclose(together, other)


@pytest.mark.parametrize("window", [None, 13])
def test_blocks_leave_nothing_out(window, monkeypatch):
    features = Reservoirs(**SMALL, input_scaling=0.02, window=window).fit(RAGGED)
    whole = features.transform(RAGGED)
    for size in (1, 4 * 40, 4 * 80):  # one row, one of 40 steps, both of them at a time
        monkeypatch.setattr(reservoirs, "_BLOCK", size)
        assert all(map(np.array_equal, features.transform(RAGGED), whole))
    with pytest.raises(ValueError, match=r"X\[3\] has numbers too large"):
        features.transform([*RAGGED[:3], RAGGED[3] * 1e200])


def test_weights_follow_from_any_random_state():
    makers = (int, np.random.RandomState, np.random.default_rng)
    made = [
        Reservoirs(1, 3, random_state=make(seed)).fit(RAGGED).networks_[0].parameters
        for make in makers
        for seed in (1, 1, 2)
    ]
    for same, again, other in zip(made[::3], made[1::3], made[2::3], strict=True):
        assert np.array_equal(same, again)
        assert not np.isclose(same, other).any()


@pytest.mark.parametrize("window", [None, 2])
def test_check_estimator(window):
    features = Reservoirs(1, 2, window=window, n_jobs=1)
    results = check_estimator(features, expected_failed_checks={}, on_fail=None, on_skip=None)
    assert {r["check_name"]: r["exception"] for r in results if r["status"] == "failed"} == {}
    assert {r["check_name"] for r in results if r["status"] != "passed"} <= {"check_array_api_input"}
    assert len(results) > 40


@pytest.mark.parametrize(
    ("wrong", "kind", "words"),
    [
        ({"networks": 0}, ValueError, "networks is 0"),
        ({"units": 1.5}, TypeError, "units is"),
        ({"leak": 0.5}, TypeError, r"leak is 0.5 \(a float\), expected a pair"),
        ({"leak": (0.5, 0.1)}, ValueError, "expected lowest <= highest <= 1"),
        ({"leak": (0.5, 1.5)}, ValueError, "expected lowest <= highest <= 1"),
        ({"input_scaling": 0.0}, ValueError, "input_scaling is 0"),
        ({"spectral_radius": -1.0}, ValueError, "spectral_radius is -1"),
        ({"standardize": 1}, TypeError, "standardize is"),
        ({"window": 0}, ValueError, "window is 0"),
    ],
)
def test_what_cannot_be_is_named(wrong, kind, words):
    with pytest.raises(kind, match=words):
        Reservoirs(**wrong).fit(RAGGED)


def test_what_cannot_be_read_is_named():
    features = Reservoirs(**SMALL, window=50)
    with pytest.raises(ValueError, match=r"X\[0\] has 40 steps, expected at least 50"):
        features.fit(RAGGED)
    with pytest.raises(ValueError, match=r"X\[1\] has numbers too large for networks in float32"):
        Reservoirs(**SMALL).fit_transform([RAGGED[0], RAGGED[1] * 1e200])
    with pytest.raises(TypeError, match="window None"):
        Reservoirs(**SMALL).fit(RAGGED).stream()
    with pytest.raises(TypeError, match="standardize True"):
        Reservoirs(**SMALL, window=5, standardize=True).fit(RAGGED).stream()


def test_a_flat_signal_has_finite_features():
    made = Reservoirs(**SMALL, standardize=True).fit_transform([np.full((30, 1), 7.0)])
    assert np.isfinite(made).all()
