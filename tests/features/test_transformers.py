"""Features: what the reference says, in every form and in scikit-learn's tools; what is wrong is named."""

import pickle

import numpy as np
import pytest
from scipy import signal
from sklearn.base import clone
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import GridSearchCV, cross_val_score
from sklearn.pipeline import make_pipeline
from sklearn.utils.estimator_checks import check_estimator

import reference
from elman import RNNClassifier, RNNTagger, Sequences
from elman.features import EEG_BANDS, BandPower, FillMissing, Frames, LogSpectrum

RNG = np.random.default_rng(7)
FS = 100.0
LENGTHS = [64, 97, 80, 150, 64, 201]
RAGGED = [RNG.normal(size=(n, 3)) * [1.0, 50.0, 1e-6] + [0.0, 1e3, 0.0] for n in LENGTHS]
BANDS = [(0.0, 4.0), (4.0, 8.5), (30.0, 50.0)]


def holes(x):
    x = x.copy()
    x[RNG.random(x.shape) < 0.4] = np.nan
    return x


HOLED = [holes(x) for x in RAGGED]
HOLED[1][:5] = np.nan  # before the first value
EVERY = [
    Frames(7, hop=3),
    Frames(16),
    LogSpectrum(FS, window=64, hop=16, max_hz=30.0),
    LogSpectrum(FS, window=25, hop=40),
    BandPower(FS, BANDS, window=50, hop=9),
    FillMissing(),
]


def close(actual, expected):
    np.testing.assert_allclose(actual, expected, rtol=1e-9, atol=1e-9)


# ------------------------------------------------------------------------------------------ what they compute


@pytest.mark.parametrize(("width", "hop"), [(1, 1), (7, 3), (16, None), (5, 11)])
def test_frames_are_those_of_the_reference(width, hop):
    for made, x in zip(Frames(width, hop).fit_transform(RAGGED), RAGGED, strict=True):
        assert np.array_equal(made, reference.frames(x, width, hop or width))


@pytest.mark.parametrize(("window", "hop", "max_hz"), [(64, 16, 30.0), (64, None, None), (25, 40, 12.0)])
def test_log_spectra_are_those_of_the_reference(window, hop, max_hz):
    made = LogSpectrum(FS, window, hop, max_hz, floor=1e-9).fit_transform(RAGGED)
    for rows, x in zip(made, RAGGED, strict=True):
        close(rows, reference.log_spectrum(x, FS, window, hop or window // 2, max_hz or FS / 2, 1e-9))


@pytest.mark.parametrize(("window", "max_hz"), [(64, 30.0), (256, 50.0), (255, 50.0)])
def test_log_spectra_are_scipys_spectrogram(window, max_hz):
    """By a product, where bins are few, and by a transform."""
    x = RNG.normal(size=(1000, 3)) * [1.0, 50.0, 1e-6] + [0.0, 1e3, 0.0]
    hz, _, power = signal.spectrogram(x.T, FS, "hann", window, window - 16)  # (F, K, windows)
    kept = (hz > 0) & (hz <= max_hz)
    features = LogSpectrum(FS, window, 16, max_hz).fit([x])
    close(features.frequencies(), hz[kept])
    expected = np.log(power[:, kept] + features.floor_[:, None, None]).transpose(2, 0, 1)
    close(features.transform([x])[0], expected.reshape(len(expected), -1))


def test_the_highest_frequency_is_one_of_them():
    features = LogSpectrum(100.0, window=30, max_hz=10.0).fit([np.zeros((30, 1))])
    assert features.frequencies().tolist() == [100 / 30, 200 / 30, 10.0]
    assert LogSpectrum(100.0, window=30, max_hz=9.999).frequencies().tolist() == [100 / 30, 200 / 30]


@pytest.mark.parametrize("log", [True, False])
def test_band_powers_are_those_of_the_reference(log):
    made = BandPower(FS, BANDS, window=50, hop=9, log=log, floor=1e-30).fit_transform(RAGGED)
    for rows, x in zip(made, RAGGED, strict=True):
        expected = reference.band_power(x, FS, BANDS, 50, 9)
        close(rows, np.log(expected + 1e-30) if log else expected)


def test_the_power_of_whole_sequences_is_one_row_each():
    made = BandPower(FS, BANDS, window=None, log=False).fit_transform(RAGGED)
    assert made.shape == (len(RAGGED), 9)
    for row, x in zip(made, RAGGED, strict=True):
        close(row, reference.band_power(x, FS, BANDS, len(x), 1)[0])


def test_the_power_of_a_sine_is_half_the_square_of_its_amplitude():
    t = np.arange(1024) / 256.0
    for hz, name in [(2.0, "delta"), (6.0, "theta"), (10.0, "alpha"), (20.0, "beta"), (40.0, "gamma")]:
        powers = BandPower(256.0, window=256, log=False).fit_transform([3.0 * np.sin(2 * np.pi * hz * t)])[0]
        close(powers, np.tile(4.5 * (np.array(list(EEG_BANDS)) == name), (7, 1)))


def test_a_flat_channel_has_the_floor():
    flat = np.full((300, 1), 12.5)
    for window in (64, 256, 255):
        spectrum = LogSpectrum(FS, window).fit([flat])
        assert spectrum.floor_ == pytest.approx(1e-22 * 12.5**2 * 2 / FS)
        close(spectrum.transform([flat])[0], np.log(spectrum.floor_[0]))
        close(LogSpectrum(FS, window).fit_transform([0 * flat])[0], np.log(1e-20))
    close(BandPower(FS, [(0, 50)], 64, floor=1e-3).fit_transform([flat])[0], np.log(1e-3))


def test_missing_values_are_those_of_the_reference():
    known = np.concatenate(HOLED)
    features = FillMissing().fit(HOLED)
    close(features.before_, np.nanmean(known, axis=0))
    for made, x in zip(features.transform(HOLED), HOLED, strict=True):
        assert np.array_equal(made, reference.fill_missing(x, features.before_))
    plain = FillMissing(flags=False, before=-1.0).fit_transform(HOLED)
    for made, x in zip(plain, HOLED, strict=True):
        assert np.array_equal(made, reference.fill_missing(x, np.full(3, -1.0))[:, :3])


def test_a_feature_that_is_never_known_is_zero():
    made = FillMissing().fit_transform([np.full((3, 1), np.nan)])
    assert made[0].tolist() == [[0.0, 1.0]] * 3


# ----------------------------------------------------------------------------------------------------- forms


@pytest.mark.parametrize("features", EVERY, ids=repr)
def test_what_comes_out_has_the_form_of_what_went_in(features):
    X = [x[:64] for x in RAGGED]
    expected = clone(features).fit_transform(X)
    assert isinstance(expected, list)
    cube = clone(features).fit_transform(np.stack(X))
    assert isinstance(cube, np.ndarray) and np.array_equal(cube, np.stack(expected))
    flat = Sequences(np.concatenate(X), 64 * np.arange(len(X) + 1))
    same = clone(features).fit_transform(flat)
    assert isinstance(same, Sequences) and np.array_equal(np.stack(list(same)), cube)
    objects = np.empty(len(RAGGED), object)
    objects[:] = RAGGED
    ragged = clone(features).fit_transform(objects)
    assert ragged.dtype == object and ragged.shape == (len(RAGGED),)
    assert [len(x) for x in ragged] == [len(features.ends(len(x))) for x in RAGGED]


@pytest.mark.parametrize("features", EVERY, ids=repr)
def test_a_table_has_one_sequence_a_row(features):
    table = np.stack([x[:64, 0] for x in RAGGED])
    made = clone(features).fit(table)
    assert made.n_features_in_ == 64
    assert np.array_equal(made.transform(table), clone(features).fit_transform(table[:, :, None]))
    univariate = clone(features).fit_transform(list(table))
    assert np.array_equal(made.transform(table), np.stack(univariate))
    assert len(made.get_feature_names_out()) == made.transform(table).shape[-1]


@pytest.mark.parametrize("features", EVERY, ids=repr)
def test_single_precision_stays_and_is_rounded_once(features):
    X = [x.astype(np.float32) for x in RAGGED]
    made = clone(features).fit_transform(X)
    double = clone(features).fit_transform([x.astype(np.float64) for x in X])
    assert all(np.array_equal(a, b.astype(np.float32)) for a, b in zip(made, double, strict=True))
    assert made[0].dtype == np.float32
    whole = [np.round(x).astype(np.int16) for x in RAGGED]
    assert clone(features).fit_transform(whole)[0].dtype == np.float64


@pytest.mark.parametrize("features", EVERY, ids=repr)
def test_every_column_has_a_name_of_its_own(features):
    names = features.fit(RAGGED).get_feature_names_out()
    assert len(set(names)) == len(names) == features.transform(RAGGED)[0].shape[1]
    given = features.get_feature_names_out(["Fz", "Cz", "Pz"])
    assert [n.replace("x0", "Fz").replace("x1", "Cz").replace("x2", "Pz") for n in names] == given.tolist()
    with pytest.raises(ValueError, match=r"number of features \(3\), got 1"):
        features.get_feature_names_out(["Fz"])


def test_names_say_which_column_is_what():
    assert Frames(2).fit(RAGGED).get_feature_names_out().tolist() == [
        "x0_0",
        "x1_0",
        "x2_0",
        "x0_1",
        "x1_1",
        "x2_1",
    ]
    assert FillMissing().fit(RAGGED[0][:, :1][None]).get_feature_names_out().tolist() == ["x0", "x0_missing"]
    bands = BandPower(FS, {"slow": (0, 10)}, 64).fit(RAGGED)
    assert bands.get_feature_names_out().tolist() == ["x0_slow", "x1_slow", "x2_slow"]
    both = make_pipeline(FillMissing(), LogSpectrum(FS, 64, max_hz=2.0)).fit([x[:, :1] for x in RAGGED])
    assert both.get_feature_names_out(["Fz"]).tolist() == ["Fz_1.5625Hz", "Fz_missing_1.5625Hz"]


def test_the_bits_do_not_depend_on_what_is_beside():
    for features in EVERY:
        together = features.fit(RAGGED).transform(RAGGED)
        for x, rows in zip(RAGGED, together, strict=True):
            assert np.array_equal(features.transform([x])[0], rows)


def test_the_input_is_left_alone():
    for features in (*EVERY, BandPower(FS, BANDS, None)):
        X = [x.copy() for x in RAGGED]
        cube = np.stack([x[:64] for x in RAGGED])
        before = cube.copy()
        clone(features).fit_transform(X)
        clone(features).fit_transform(cube)
        assert all(np.array_equal(a, b) for a, b in zip(X, RAGGED, strict=True))
        assert np.array_equal(cube, before)


def test_ends_say_which_sample_completes_a_step():
    for features in EVERY:
        for x in RAGGED:
            ends = features.ends(len(x))
            rows = features.fit([x]).transform([x])[0]
            for row, end in zip(rows, ends, strict=True):
                assert np.array_equal(features.transform([x[: end + 1]])[0][-1], row)
    assert BandPower(FS, window=None).ends(10).tolist() == [9]


# ---------------------------------------------------------------------------------------------- scikit-learn


@pytest.mark.filterwarnings("ignore")  # the checks warn of much that is theirs
@pytest.mark.parametrize(
    "features",
    [
        Frames(1),
        Frames(2, 1),
        LogSpectrum(4.0, 2),
        LogSpectrum(4.0, 2, 3),
        BandPower(4.0, [(0, 2)], 2),
        BandPower(4.0, [(0, 2)], None),
        FillMissing(),
        FillMissing(flags=False, before=0.0),
    ],
    ids=repr,
)
def test_check_estimator(features):
    results = check_estimator(features, expected_failed_checks={}, on_fail=None, on_skip=None)
    assert {r["check_name"]: r["exception"] for r in results if r["status"] == "failed"} == {}
    assert {r["check_name"] for r in results if r["status"] != "passed"} <= {"check_array_api_input"}
    assert len(results) > 40


@pytest.mark.parametrize("features", EVERY, ids=repr)
def test_clones_and_pickles(features):
    made = clone(features)
    assert made.get_params() == features.get_params()
    made.fit(RAGGED)
    again = pickle.loads(pickle.dumps(made))
    for a, b in zip(made.transform(RAGGED), again.transform(RAGGED), strict=True):
        assert np.array_equal(a, b)
    assert made.set_output(transform="default") is made
    with pytest.raises(ValueError, match=r"transform is 'pandas' .*expected 'default'"):
        made.set_output(transform="pandas")


def test_pipelines_search_and_validate():
    t = np.arange(120) / FS
    X = [
        np.sin(2 * np.pi * hz * t[: 100 + i])[:, None] + RNG.normal(size=(100 + i, 1)) * 0.3
        for i, hz in enumerate([10.0, 20.0] * 10)
    ]
    y = np.array(["slow", "fast"] * 10)
    network = RNNClassifier(8, max_iter=60, learning_rate_init=0.02, random_state=0)
    pipeline = make_pipeline(FillMissing(), Frames(1), LogSpectrum(FS, 32, 16, 45.0), network)
    assert cross_val_score(pipeline, X, y, cv=2).min() > 0.9
    grid = {"logspectrum__hop": [8, 16], "logspectrum__max_hz": [30.0, 45.0]}
    search = GridSearchCV(pipeline, grid, cv=2).fit(X, y)
    assert search.best_score_ > 0.9
    plain = make_pipeline(BandPower(FS, window=None), LogisticRegression())
    assert cross_val_score(plain, X, y, cv=2).min() > 0.9


def test_labels_a_step_are_those_at_the_ends():
    X = [x[:, :1] for x in RAGGED]
    y = [(x[:, 0] > 0).astype(int) for x in X]
    features = Frames(4, 2)
    tagger = make_pipeline(features, RNNTagger(8, max_iter=80, learning_rate_init=0.05, random_state=0))
    wanted = [labels[features.ends(len(labels))] for labels in y]
    tagger.fit(X, wanted)
    right = np.concatenate(tagger.predict(X)) == np.concatenate(wanted)
    assert right.mean() > 0.9


# ---------------------------------------------------------------------------------------------- what is wrong


@pytest.mark.parametrize(
    ("features", "kind", "message"),
    [
        (Frames(0), ValueError, "width is 0, expected an integer of at least 1"),
        (Frames(2.5), TypeError, "width is 2.5"),
        (Frames(2, 0), ValueError, "hop is 0, expected an integer of at least 1"),
        (LogSpectrum(0.0), ValueError, "fs is 0.0, expected a finite number above 0"),
        (LogSpectrum(FS, 1), ValueError, "window is 1, expected an integer of at least 2"),
        (LogSpectrum(FS, 64, -1), ValueError, "hop is -1"),
        (LogSpectrum(FS, 64, max_hz=50.1), ValueError, "max_hz is 50.1, expected from 1.5625 .* to 50 "),
        (LogSpectrum(FS, 64, max_hz=1.0), ValueError, "max_hz is 1.0, expected from 1.5625 "),
        (LogSpectrum(FS, 64, floor=0.0), ValueError, "floor is 0.0"),
        (BandPower(FS, 7, 64), TypeError, "bands is 7 .*expected .low, high. in Hz by name"),
        (BandPower(FS, [], 64), ValueError, "bands is .*expected at least one band"),
        (BandPower(FS, {"a": 3}, 64), TypeError, r"bands\['a'\] is 3"),
        (BandPower(FS, [3.0], 64), TypeError, r"bands\[0\] is 3.0"),
        (BandPower(FS, [(0, 9), (0, 9.0)], 64), ValueError, "bands is .* none twice"),
        (BandPower(FS, {"a": (5, 4)}, 64), ValueError, r"bands\['a'\] is 5 to 4 Hz, expected low < high"),
        (BandPower(FS, {"a": (5, 51)}, 64), ValueError, "is 5 to 51 Hz"),
        (BandPower(FS, {"a": (5, 6)}, 64), ValueError, r"the band a \(5 to 6 Hz\) has no frequency"),
        (BandPower(FS, BANDS, 64, log=1), TypeError, "log is 1"),
        (BandPower(FS, BANDS, None, 3), ValueError, "hop is 3 .*expected None with window None"),
        (FillMissing(before="median"), ValueError, "before is 'median', expected 'mean' or a finite number"),
        (FillMissing(before=np.inf), ValueError, "before is inf"),
        (FillMissing(flags=0), TypeError, "flags is 0"),
    ],
)
def test_wrong_parameters_are_named_by_fit(features, kind, message):
    with pytest.raises(kind, match=message):
        features.fit(RAGGED)
    assert not hasattr(features, "n_features_in_")


@pytest.mark.parametrize("features", EVERY, ids=repr)
def test_wrong_sequences_are_named(features):
    features = clone(features).fit(RAGGED)
    bad = [x.copy() for x in RAGGED]
    bad[3][7, 1] = np.inf
    with pytest.raises(ValueError, match=r"X\[3\] has inf at step 7, feature 1"):
        features.transform(bad)
    bad[3][7, 1] = np.nan
    if not isinstance(features, FillMissing):
        with pytest.raises(ValueError, match=r"X\[3\] has nan at step 7, feature 1"):
            features.transform(bad)
        window = features.ends(999)[0] + 1
        with pytest.raises(ValueError, match=rf"X\[1\] has 6 steps, expected at least {window} \(one window"):
            features.transform([RAGGED[0], RAGGED[1][:6]])
    with pytest.raises(ValueError, match=r"X\[1\] has 2 features, expected 3 \(as in fit\)"):
        features.transform([RAGGED[0], RAGGED[1][:, :2]])
    with pytest.raises(ValueError, match="X is 2-D, expected sequences as in fit"):
        features.transform(RAGGED[0])


def test_a_fit_that_fails_changes_nothing():
    features = LogSpectrum(FS, 64).fit(RAGGED)
    with pytest.raises(ValueError, match=r"X\[0\] has 10 steps, expected at least 64 \(one window\)"):
        features.fit([np.zeros((10, 2))])
    assert features.n_features_in_ == 3
    with pytest.raises(ValueError, match=r"10 feature.s. .* a minimum of 64 is required"):
        features.fit(np.zeros((2, 10)))
    assert features.n_features_in_ == 3
    with pytest.raises(ValueError, match=r"X\[1\] has 4 steps: the band delta .* has no frequency"):
        BandPower(FS, window=None).fit([RAGGED[0], RAGGED[1][:4]])


def test_numbers_too_large_for_their_power_are_named():
    huge = [RAGGED[0], np.full((64, 3), 1e200) * RNG.normal(size=(64, 1))]
    with pytest.raises(ValueError, match=r"X\[1\] has numbers too large"):
        LogSpectrum(FS, 64).fit_transform(huge)
