"""Lyapunov exponents: those of known systems, of the reference and of nolds; as features and in streams."""

from pathlib import Path

import numpy as np
import pytest
from sklearn.utils.estimator_checks import check_estimator

import reference
from elman import Sequences
from elman.features import LyapunovExponents, lyapunov

RNG = np.random.default_rng(3)


def logistic(n):
    x = np.full(n, 0.3)
    for t in range(n - 1):
        x[t + 1] = 4.0 * x[t] * (1.0 - x[t])
    return x


def henon(n):
    x = np.zeros(n + 1)
    for t in range(1, n):
        x[t + 1] = 1.0 - 1.4 * x[t] ** 2 + 0.3 * x[t - 1]
    return x[1:]


def lorenz(n, step=0.01, discard=500):
    def slope(s):
        return np.array([10 * (s[1] - s[0]), s[0] * (28 - s[2]) - s[1], s[0] * s[1] - 8 / 3 * s[2]])

    s, x = np.array([1.0, 1.0, 20.0]), np.empty(n + discard)
    for t in range(len(x)):
        a = slope(s)
        b = slope(s + step / 2 * a)
        c = slope(s + step / 2 * b)
        s = s + step / 6 * (a + 2 * b + 2 * c + slope(s + step * c))
        x[t] = s[0]
    return x[discard:]


def whole(x, fs=1.0, **parameters):
    """The five numbers of one sequence as one window."""
    return LyapunovExponents(fs, None, **parameters).fit_transform([x])[0]


MAP = {"dimension": 2, "delay": 1, "separation": 1}


@pytest.mark.parametrize(
    ("name", "x", "fs", "parameters", "known"),
    [
        ("logistic map", logistic(1000), 1.0, {**MAP, "horizon": 5}, np.log(2.0)),
        ("Hénon map", henon(2000), 1.0, {**MAP, "horizon": 9}, 0.419),
        ("Lorenz system", lorenz(5000), 100.0, {"dimension": 3, "delay": 11, "horizon": 300}, 0.906),
    ],
    ids=["logistic map", "Hénon map", "Lorenz system"],
)
def test_systems_whose_exponent_is_known(name, x, fs, parameters, known):
    """Their exponents, and that docs/lyapunov.md shows these and no others."""
    found = whole(x, fs, **parameters)[0]
    assert found == pytest.approx(known, rel=0.03)
    page = (Path(__file__).parents[2] / "docs" / "lyapunov.md").read_text(encoding="utf-8")
    (row,) = [line.split(" | ") for line in page.splitlines() if line.startswith(f"| {name}, ")]
    assert row[1].split()[0] == f"{known:.3f}" and row[2] == f"{found:.3f}"


@pytest.mark.parametrize(
    ("x", "m", "lag", "tsep", "steps", "nolds"),
    [
        (logistic(500), 2, 1, 1, 6, 0.6925627216617445),
        (henon(500), 2, 1, 1, 9, 0.4020106441108924),
        (lorenz(600), 5, 4, 40, 30, 0.03401563670103069),
        (np.random.RandomState(0).randint(0, 12, 300), 3, 2, 10, 12, 0.09111838376770504),
    ],
)
def test_the_largest_is_what_nolds_gives(x, m, lag, tsep, steps, nolds):
    """From nolds 0.6.3: lyap_r(x, emb_dim=m, lag=lag, min_tsep=tsep, trajectory_len=steps, fit="poly")."""
    ours = whole(x, dimension=m, delay=lag, separation=tsep, horizon=steps - 1)
    assert ours[0] == pytest.approx(nolds, rel=1e-9)


@pytest.mark.parametrize("separation", [None, 9])
def test_all_five_are_the_references_window_by_window(separation):
    x = [np.cumsum(RNG.normal(size=(120, 2)), axis=0), RNG.normal(size=(75, 2)).round(1)]  # the last has ties
    features = LyapunovExponents(50.0, 60, 15, dimension=3, delay=2, horizon=8, separation=separation)
    for made, each in zip(features.fit_transform(x), x, strict=True):
        rows = [
            np.concatenate([reference.lyapunov(w[:, c], 50.0, 3, 2, 8, separation) for c in range(2)])
            for w in reference.windows(each, 60, 15)
        ]
        np.testing.assert_allclose(made, rows, rtol=1e-9, atol=1e-9)


def test_size_and_offset_of_a_signal_do_not_matter():
    x = RNG.normal(size=400)
    np.testing.assert_allclose(whole(1e-4 * x + 3.0, 10.0), whole(x, 10.0), rtol=1e-6)


def test_order_has_smaller_exponents_than_noise():
    t = np.arange(2000) / 173.61
    sine = np.sin(2 * np.pi * 5.0 * t) + 1e-4 * RNG.normal(size=2000)
    noise = RNG.normal(size=2000)
    exact = np.sin(2 * np.pi * 5.0 * t)
    assert abs(whole(exact, 173.61)[0]) < 0.5
    assert whole(sine, 173.61)[0] < 0.6 * whole(noise, 173.61)[0]


def test_windows_where_no_states_part_have_zeros():
    square = np.tile([0.0, 0.0, 1.0, 1.0], 64)
    made = LyapunovExponents(1.0, 64, dimension=2, delay=1, horizon=4, separation=3).fit_transform(
        [np.stack([np.full(256, 7.5), square, RNG.normal(size=256)], axis=1)]
    )[0]
    assert not made[:, :10].any()
    assert made[:, 10:].all()


def test_many_states_are_compared_block_by_block(monkeypatch):
    x = RNG.normal(size=500)
    at_once = whole(x)
    monkeypatch.setattr(lyapunov, "_BLOCK", 5000)
    np.testing.assert_array_equal(whole(x), at_once)


# as features


def test_check_estimator():
    """All of scikit-learn's checks pass, but for those whose rows have two samples: no window is so short."""
    features = LyapunovExponents(1.0, 3, dimension=1, delay=1, horizon=1, separation=0)
    results = check_estimator(features, on_fail=None, on_skip=None)
    failed = [str(r["exception"]) for r in results if r["status"] == "failed"]
    assert all("with 2 feature(s)" in text and "minimum of 3 is required" in text for text in failed)
    assert len(failed) < 10 < len(results) - 30


def test_forms_names_and_dtypes():
    x = [RNG.normal(size=(n, 2)) for n in (200, 300)]
    features = LyapunovExponents(100.0, 100, 50, horizon=10).fit(x)
    made = features.transform(x)
    assert [m.shape for m in made] == [(3, 10), (5, 10)]
    both = features.transform(Sequences(np.concatenate(x), [0, 200, 500]))
    assert isinstance(both, Sequences)
    np.testing.assert_array_equal(both.values, np.concatenate(made))
    single = features.transform([each.astype(np.float32) for each in x])
    assert single[0].dtype == np.float32
    assert features.get_feature_names_out(["Fz", "Cz"]).tolist()[:6] == [
        "Fz_lyapunov_largest",
        "Fz_lyapunov_mean",
        "Fz_lyapunov_std",
        "Fz_lyapunov_min",
        "Fz_lyapunov_max",
        "Cz_lyapunov_largest",
    ]


def test_a_stream_gives_the_same():
    x = RNG.normal(size=(700, 2))
    features = LyapunovExponents(173.61, 128, 40).fit([x])
    expected = features.transform([x])[0]
    stream = features.stream()
    cuts = np.split(x, [1, 100, 128, 131, 500])
    made = np.concatenate([stream.steps(part) for part in cuts])
    np.testing.assert_array_equal(made, expected)


@pytest.mark.parametrize(
    ("parameters", "error", "words"),
    [
        ({"fs": 0.0}, ValueError, "fs is 0.0"),
        ({"window": 1}, ValueError, "window is 1"),
        ({"window": None, "hop": 5}, ValueError, "hop is 5 .* expected None with window None"),
        ({"dimension": 0}, ValueError, "dimension is 0"),
        ({"delay": 1.5}, TypeError, "delay is 1.5"),
        ({"horizon": 0}, ValueError, "horizon is 0"),
        ({"separation": -1}, ValueError, "separation is -1"),
        ({"window": 35}, ValueError, "a window of 35 samples has 3 states .* expected at least 4"),
        ({"separation": 120}, ValueError, "has 224 states .* expected at least 242"),
        (
            {"window": None, "horizon": 800},
            ValueError,
            r"X\[0\] has 300 steps: a window of 300 samples has 0",
        ),
    ],
)
def test_wrong_parameters(parameters, error, words):
    features = LyapunovExponents(**{"fs": 1.0, **parameters})
    with pytest.raises(error, match=words):
        features.fit([np.zeros(300)]).transform([np.zeros(300)])
