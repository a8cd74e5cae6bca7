"""The unit of the signal does not matter: volts, tesla and ampere give the answers of microvolts."""

import numpy as np
import pytest
from sklearn.pipeline import make_pipeline

import elman
from elman import RNNClassifier, RNNRegressor
from elman.features import BandPower, LogSpectrum, Reservoirs
from elman.model import file

pytestmark = pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")

R = np.random.default_rng(0)
FS = 200.0
T = np.arange(1000) / FS
Y = np.arange(60) % 2
TWO = np.stack([np.sin(2 * np.pi * (14 if c else 9) * T + R.uniform(0, 6)) for c in Y])
X = (TWO + R.normal(size=TWO.shape))[:, :, None]
KINDS = [
    LogSpectrum(FS, 200, 100),
    LogSpectrum(FS, 200, 100, 30.0),
    BandPower(FS, window=200, hop=100),
    BandPower(FS, window=None),
]
UNITS = [1e-6, 1e-13, 1e-15, 1e6]


def network(cls=RNNClassifier, **options):
    return cls(16, max_iter=40, learning_rate_init=0.01, random_state=0, **options)


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("unit", UNITS)
@pytest.mark.parametrize("features", KINDS, ids=str)
def test_another_unit_shifts_the_logarithms_and_nothing_else(features, unit, dtype):
    base = np.array(features.fit_transform(X.astype(dtype)))
    other = np.array(features.fit_transform((unit * X).astype(dtype)))
    near = {"float32": 1e-3, "float64": 1e-9}[dtype]  # of bins with hardly any power
    np.testing.assert_allclose(other, base + 2 * np.log(unit), atol=near, rtol=0)


@pytest.mark.parametrize("unit", [1.0, 1e-6, 1e-13])
@pytest.mark.parametrize("kind", [BandPower, LogSpectrum])
def test_a_pipeline_learns_in_every_unit(kind, unit):
    Z = (unit * X).astype("float32")
    model = make_pipeline(kind(FS, window=200, hop=100), network(pooling="mean"))
    assert model.fit(Z[:40], Y[:40]).score(Z[40:], Y[40:]) == 1.0


def test_channels_of_different_units():
    mixed = np.concatenate([1e-13 * X, 1e3 * X], axis=2)
    made = np.array(LogSpectrum(FS, 200, 100).fit_transform(mixed))
    np.testing.assert_allclose(made[..., :100] - made[..., 100:], 2 * np.log(1e-16), atol=1e-6)


@pytest.mark.parametrize("features", KINDS[:3], ids=str)
@pytest.mark.parametrize("channels", [1, 2])
def test_streams_and_files_have_the_bits_of_the_batch(features, channels, tmp_path):
    Z = np.concatenate([1e-13 * X, X], axis=2)[..., :channels]
    model = make_pipeline(features, network(pooling="mean")).fit(Z[:40], Y[:40])
    elman.save(model, tmp_path / "m.elman")
    loaded = elman.load(tmp_path / "m.elman")
    np.testing.assert_array_equal(loaded[0].floor_, model[0].floor_)
    assert model[0].floor_.shape == (channels,)
    np.testing.assert_array_equal(loaded.predict_proba(Z), model.predict_proba(Z))
    np.testing.assert_array_equal(elman.stream(loaded).steps(Z[50])[-1], model.predict_proba(Z)[50])
    stream = loaded[0].stream()
    rows = [row for sample in Z[50] if (row := stream.step(sample)) is not None]
    np.testing.assert_array_equal(rows, model[0].transform(Z)[50])


def test_a_given_floor_is_as_before(tmp_path):
    """So are the files of earlier versions, which have a floor among the parameters and no array."""
    model = make_pipeline(LogSpectrum(FS, 200, 100, floor=1e-20), network()).fit(X[:8], Y[:8])
    assert not hasattr(model[0], "floor_")
    elman.save(model, tmp_path / "m.elman")
    spec, arrays = file.read(tmp_path / "m.elman")
    assert spec["steps"][0]["parameters"]["floor"] == 1e-20 and "step.0.floor_" not in arrays
    made = LogSpectrum(FS, 200, 100, floor=1e-30).fit_transform(X)
    power = np.exp(made) - 1e-30
    np.testing.assert_allclose(elman.load(tmp_path / "m.elman")[0].transform(X), np.log(power + 1e-20))


@pytest.mark.parametrize("wrong", [np.zeros(1), np.array([np.inf]), np.ones(2), np.ones(1, np.float32)])
def test_a_damaged_floor_is_refused(wrong, tmp_path):
    model = make_pipeline(LogSpectrum(FS, 200, 100), network()).fit(X[:8], Y[:8])
    elman.save(model, tmp_path / "m.elman")
    spec, arrays = file.read(tmp_path / "m.elman")
    arrays["step.0.floor_"] = wrong
    file.write(tmp_path / "m.elman", spec, arrays)
    with pytest.raises(ValueError, match="holds no pipeline that can be read: floor_ is not"):
        elman.load(tmp_path / "m.elman")


def test_a_given_floor_above_the_signal_is_said():
    tesla = [np.random.default_rng(i).normal(size=(800, 2)) * 1e-12 for i in range(3)]
    for features in (BandPower, LogSpectrum):
        with pytest.warns(UserWarning, match="floor is 1e-20, more than the mean power of each channel"):
            features(FS, window=200, floor=1e-20).fit(tesla)
        features(FS, window=200, floor=1e-32).fit(tesla)
        features(FS, window=200, floor=1e-20).fit([x * [0.0, 1e12] for x in tesla])


def test_silence_has_the_floor():
    """A channel that is 0 in training, or later: far below the signal, and finite."""
    silent = np.concatenate([X, 0 * X], axis=2)
    features = LogSpectrum(FS, 200, 100).fit(silent)
    assert features.floor_[0] == features.floor_[1]
    np.testing.assert_allclose(features.transform(silent)[..., 100:], np.log(features.floor_[1]))
    low = features.transform(0 * silent).max()
    assert low < features.transform(silent)[..., :100].min() - 10


def test_another_fit_learns_another_floor():
    features = BandPower(FS, window=200).fit(np.concatenate([X, 1e-3 * X], axis=2))
    first = features.floor_
    features.fit(1e-13 * X)
    assert features.floor_.shape == (1,) and features.floor_[0] < 1e-20 * first[0]
    assert not hasattr(BandPower(FS, window=200, log=False).fit(X), "floor_")


def test_ragged_sequences_count_step_by_step():
    """The floor is that of all steps, around the mean of each sequence, whatever the blocks."""
    parts = [
        c + s * R.normal(size=(n, 1))
        for n, s, c in ((40_000, 1.0, 9.0), (210, 3.0, -5.0), (70_000, 2.0, 0.0))
    ]
    floor = BandPower(FS, window=200).fit(parts).floor_
    squares = sum(((part - part.mean()) ** 2).sum() for part in parts) / sum(map(len, parts))
    assert floor[0] == pytest.approx(1e-15 * squares, rel=1e-5)


@pytest.mark.parametrize("kind", [LogSpectrum, BandPower])
def test_numbers_without_power_are_refused(kind):
    with pytest.raises(ValueError, match=r"^X has numbers too small for their power in feature 0, at most"):
        kind(FS, window=200).fit(1e-160 * X)
    with pytest.raises(ValueError, match=r"^X has numbers too small for their power"):
        BandPower(FS, window=200, log=False).fit(1e-160 * X)


# siblings: features and scales with other absolute limits


def test_reservoirs_warn_of_an_input_that_they_hardly_read():
    volts = 1e-6 * X
    with pytest.warns(
        UserWarning, match=r"^X has numbers of about 1e-06, and input_scaling is 1: the net"
    ) as w:
        Reservoirs(2, 3, random_state=0).fit(volts)
    assert w[0].filename == __file__
    with pytest.warns(
        UserWarning, match=r"^X has differences of about .* \(input_scaling=\de\+0\d\), or stand"
    ):
        Reservoirs(2, 3, difference=True, random_state=0).fit(volts)
    Reservoirs(2, 3, standardize=True, random_state=0).fit(volts)
    Reservoirs(2, 3, input_scaling=1e6, random_state=0).fit(volts)
    Reservoirs(2, 3, random_state=0).fit(0 * volts)


@pytest.mark.parametrize("steps", [20, 2000])
def test_a_spread_without_squares_is_named(steps):
    """In one block of numbers and in several."""
    Z = R.normal(size=(100, steps, 1))
    v = Z.mean(axis=(1, 2))
    with pytest.warns(
        UserWarning, match=r"^X has numbers too small to be standardized in column 0, from .*e-163"
    ):
        network().set_params(max_iter=1).fit(1e-163 * Z, v > 0)
    with pytest.warns(UserWarning, match=r"^y has numbers too small to be standardized in column 0"):
        network(RNNRegressor).set_params(max_iter=1).fit(Z, 1e-163 * v)
    for power in (160, 300):  # the first counted as constant, the second was refused
        with pytest.raises(ValueError, match=r"^X has numbers too large to be standardized in column 0"):
            network().fit(10.0**power * Z, v > 0)
        with pytest.raises(ValueError, match=r"^y has numbers too large to be standardized in column 0"):
            network(RNNRegressor).fit(Z, 10.0**power * v)
    constant = np.concatenate([Z, np.full_like(Z, 1e-170)], axis=2)
    network().set_params(max_iter=1).fit(constant, v > 0)  # no warning: it is one


def test_small_spreads_that_have_squares_learn_as_before():
    Z = R.normal(size=(100, 20, 1))
    v = Z.mean(axis=(1, 2)) > 0
    assert network().fit(1e-140 * Z, v).score(1e-140 * Z, v) == network().fit(Z, v).score(Z, v) > 0.9
