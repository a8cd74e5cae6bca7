"""Simulated operations, features and forecasts of depth: what is promised of each, in a small size."""

from __future__ import annotations

import copy
import pickle

import numpy as np
import pytest
from sklearn.base import clone
from sklearn.metrics import balanced_accuracy_score

from elman import demos
from elman.anaesthesia import (
    DepthFeatures,
    DepthForecaster,
    future,
    load_vitals,
    repeated,
    score,
    simulate_anaesthesia,
    simulator,
)
from elman.anaesthesia.depths import EDGES, depth, depth_shares, median
from elman.anaesthesia.features import NAMES
from elman.anaesthesia.pharmacology import Patient, minto, schnider
from elman.demos import anaesthesia as demo

NAN = np.nan
BIS = 2


@pytest.fixture(scope="module")
def data():
    return simulate_anaesthesia(6, seed=3, minutes=(30, 45))


@pytest.fixture(scope="module")
def model(data):
    return DepthForecaster(data.description.channels, cells=("rnn", "gru"), hidden=12, epochs=2).fit(data.X)


# ------------------------------------------------------------------------------------------------ simulator


def test_the_same_seed_gives_the_same_operations_however_many(data):
    again = simulate_anaesthesia(2, seed=3, minutes=(30, 45))
    for i in range(2):
        np.testing.assert_array_equal(again.X[i], data.X[i])
    other = simulate_anaesthesia(1, seed=4, minutes=(30, 45))
    assert len(other.X[0]) != len(data.X[0]) or not np.array_equal(other.X[0], data.X[0], equal_nan=True)


def test_simulated_operations_look_like_recorded_ones(data):
    X, y, description = data
    assert description.channels == simulator.TRACKS
    assert description.fs == 0.1
    assert len(set(description.ids)) == len(X) == 6
    assert X.values.dtype == np.float32
    for x, bis in zip(X, y, strict=True):
        np.testing.assert_array_equal(bis, x[:, BIS])
        given = bis[~np.isnan(bis)]
        assert ((given >= 1) & (given <= 98)).all()
        assert np.median(given[:10]) > 85  # awake
        middle = x[len(x) // 3 : len(x) // 2, BIS]
        assert 25 < np.nanmedian(middle) < 65  # asleep
        assert np.nanmedian(given[-15:]) > np.nanmedian(middle) + 8  # and awake again
        assert 0.005 < np.isnan(bis[len(x) // 4 :]).mean() < 0.25
    # A minute changes BIS about as much as in an operating theatre (4.5 in recorded ones).
    errors = np.concatenate(future(X, description.channels)) - np.concatenate(
        repeated(X, description.channels)
    )
    assert 3.5 < np.nanmean(np.abs(errors)) < 6.5


def test_without_gaps_every_value_is_there():
    assert not np.isnan(simulate_anaesthesia(1, gaps=False, minutes=(10, 10)).X.values).any()


def test_a_body_is_the_published_model_with_constants_around_it():
    bodies = [simulator._Body(np.random.default_rng(i), Patient()) for i in range(300)]
    c50 = np.array([body.c50 for body in bodies])
    assert np.median(c50[:, 0]) == pytest.approx(4.47, rel=0.05)
    assert np.std(np.log(c50[:, 0])) == pytest.approx(np.sqrt(np.log(1 + 0.182**2)), rel=0.15)
    # Without a stimulus, at its own C50, a body's index is half of what it is awake.
    body = bodies[0]
    assert body.bis(np.array([body.c50[0], 0.0]), 0.0) == pytest.approx(body.awake / 2)
    assert body.bis(np.array([0.0, 0.0]), 0.0) == body.awake
    asleep = [body.bis(np.array([4.0, remifentanil]), 1.0) for remifentanil in (0.0, 4.0)]
    assert body.awake > asleep[0] > asleep[1]


@pytest.mark.parametrize("kind", [schnider, minto])
def test_a_pump_brings_its_models_plasma_to_the_target(kind):
    pump = simulator._Pump(kind(Patient()), 20.0)
    for _ in range(30):
        pump.give(pump.rate(3.0))
    assert pump.state[0] == pytest.approx(3.0, abs=0.02)
    assert 0 < pump.rate(3.0) < simulator.PUMP == pump.rate(1e6)
    assert pump.rate(0.0) == 0.0


@pytest.mark.parametrize(
    ("arguments", "kind", "sentence"),
    [
        ({"n": 0}, ValueError, "n is 0, expected an integer of at least 1"),
        ({"seed": -1}, ValueError, "seed is -1"),
        ({"minutes": (20, 10)}, ValueError, "expected the shortest time first"),
        ({"minutes": (5, 10)}, ValueError, r"minutes\[0\] is 5.0, expected a finite number of at least 10"),
        ({"minutes": 30}, TypeError, "minutes is 30, expected"),
    ],
)
def test_what_cannot_be_simulated_is_named(arguments, kind, sentence):
    with pytest.raises(kind, match=sentence):
        simulate_anaesthesia(**arguments)


# ------------------------------------------------------------------------------------------------- features


def test_features_are_what_they_are_called():
    tracks = ("BIS/BIS", "Orchestra/PPF20_RATE", "Orchestra/RFTN20_RATE", "Solar8000/PLETH_HR")
    x = np.array([[NAN, NAN, 0, 70], [90, 60, 0, NAN], [0, 60, 12, 72], [80, 0, 12, 300]], float)
    rows = DepthFeatures(tracks).fit_transform([x])[0]
    assert rows.shape == (4, 53) == (4, len(NAMES))
    named = dict(zip(NAMES, rows.T, strict=True))
    assert named["bis"].tolist() == [93, 90, 90, 80]
    assert named["bis_known"].tolist() == [0, 1, 0, 1]  # 0 is no reading
    assert named["bis_change_1"].tolist() == [0, -3, 0, -10]
    assert named["bis_change_3"].tolist() == [0, -3, -3, -13]
    np.testing.assert_allclose(np.expm1(named["bis_since"]), [360, 0, 1, 0])
    np.testing.assert_allclose(np.expm1(named["propofol_rate"]), [0, 60, 60, 0])
    assert named["propofol_missing"].tolist() == [1, 0, 0, 0]
    np.testing.assert_allclose(np.expm1(named["propofol_off_for"]), [1, 0, 0, 1])
    np.testing.assert_allclose(np.expm1(named["propofol_dose"]), [0, 1 / 6, 1 / 3, 1 / 3])
    assert named["pulse"].tolist() == [70, 70, 72, 72]  # 300 is a sensor that fell off
    assert (named["pressure"] == 85).all()  # a track that is not there
    assert (named["pressure_known"] == 0).all()
    # Effect-site concentrations are the model's, and so is what they will be in a minute.
    patient = Patient(57, 62, 163)
    rate = np.array([0, 20, 20, 0, 0, 0, 0, 0, 0, 0], float)
    states = schnider(patient).concentrations(rate)[:, 3]
    np.testing.assert_allclose(np.exp(named["propofol_effect"]) - 0.3, states[:4], atol=1e-12)
    change = np.log((states[9] + 0.3) / (states[3] + 0.3))
    assert named["propofol_effect_change"][3] == pytest.approx(change)


def test_means_forget_from_the_first_value_on():
    bis, mean = np.array([90.0, 60.0, 60.0, 40.0]), 90.0
    rows = DepthFeatures(("BIS", "PPF20_RATE", "RFTN20_RATE")).fit_transform([np.c_[bis, bis, bis]])[0]
    for x, row in zip(bis, rows, strict=True):
        mean += (x - mean) * (1 - np.exp(-1 / 6))
        assert row[NAMES.index("bis_from_mean_6")] == pytest.approx(x - mean)


def test_features_stream_to_the_bit_however_they_are_cut(data):
    features = DepthFeatures(data.description.channels).fit(data.X)
    whole, stream, random = features.transform(data.X)[0], features.stream(), np.random.default_rng(0)
    for _ in range(2):
        made, at = [], 0
        while at < len(data.X[0]):
            size = int(random.integers(0, 9))
            made.append(stream.steps(data.X[0][at : at + size]))
            at += size
        np.testing.assert_array_equal(np.concatenate(made), whole)
        stream.reset()


def test_features_know_nothing_of_the_future(data):
    features = DepthFeatures(data.description.channels).fit(data.X)
    x = data.X[0].copy()
    before = features.transform([x])[0][:100]
    x[100:] = 50.0
    np.testing.assert_array_equal(features.transform([x])[0][:100], before)


def test_undone_steps_leave_no_trace(data):
    stream = DepthFeatures(data.description.channels).fit(data.X).stream()
    stream.steps(data.X[0][:50])
    expected = copy.deepcopy(stream).steps(data.X[0][50:60])
    stream.advance(data.X[1][:7])
    stream.undo()
    np.testing.assert_array_equal(stream.steps(data.X[0][50:60]), expected)


@pytest.mark.parametrize(
    ("tracks", "sentence"),
    [
        (("BIS", "PPF20_RATE"), "expected Orchestra/RFTN20_RATE among them"),
        (("PPF20_RATE", "RFTN20_RATE"), "expected BIS/BIS among them"),
    ],
)
def test_tracks_that_are_needed_are_asked_for(tracks, sentence):
    with pytest.raises(ValueError, match=sentence):
        DepthFeatures(tracks).fit([np.ones((3, 2))])
    with pytest.raises(TypeError, match="expected names of tracks"):
        DepthFeatures("BIS").fit([np.ones((3, 3))])
    with pytest.raises(ValueError, match=r"X has 2 features, expected 5 \(as tracks\)"):
        DepthFeatures().fit([np.ones((3, 2))])
    with pytest.raises(TypeError, match="expected a Patient"):
        DepthFeatures(patient=3).fit([np.ones((3, 5))])


# ------------------------------------------------------------------------------------------------- forecasts


def test_a_distribution_in_one_bin_is_told_where_it_lies():
    shares = np.zeros((3, len(EDGES) - 1))
    places = np.searchsorted(EDGES, [0.0, -12.0, 30.0])
    shares[range(3), places] = 1.0
    last = np.array([50.0, 45.0, 58.0])
    expected = last + (EDGES[places] + EDGES[places + 1]) / 2
    np.testing.assert_allclose(median(shares, last), np.minimum(expected, 98))
    chances = depth_shares(shares, last)
    np.testing.assert_allclose(chances.sum(axis=1), 1.0)
    np.testing.assert_allclose(chances, np.eye(3)[[1, 0, 2]])


def test_median_and_depths_are_those_of_a_sample():
    random = np.random.default_rng(0)
    change = random.normal(2.0, 9.0, 200_000)
    counts = np.histogram(change, EDGES)[0]
    shares = (counts / counts.sum())[None]
    assert median(shares, np.array([50.0]))[0] == pytest.approx(52.0, abs=0.1)
    bis = 50.0 + change
    expected = [(bis < 40).mean(), ((bis >= 40) & (bis <= 60)).mean(), (bis > 60).mean()]
    np.testing.assert_allclose(depth_shares(shares, np.array([50.0]))[0], expected, atol=5e-3)


def test_answers_lie_ahead_and_zero_is_none():
    x = np.array([[50.0], [0.0], [NAN], [70.0], [80.0]])
    np.testing.assert_array_equal(future([x], ["BIS"], 2)[0], [NAN, 70, 80, NAN, NAN])
    np.testing.assert_array_equal(future([x[:1]], ["BIS"], 2)[0], [NAN])
    np.testing.assert_array_equal(repeated([x], ["BIS"])[0], [50, 50, 50, 70, 80])
    np.testing.assert_array_equal(repeated([x[1:]], ["BIS"])[0], [93, 93, 70, 80])
    assert depth([0, 39.9, 40, 60, 60.1]).tolist() == [0, 0, 1, 1, 2]


def test_scores_are_scikit_learns():
    random = np.random.default_rng(0)
    answers = [random.uniform(20, 90, n) for n in (50, 70)]
    bis = [a + random.normal(0, 8, len(a)) for a in answers]
    answers[0][::7] = NAN
    found = score(answers, bis)
    flat, told = np.concatenate(answers), np.concatenate(bis)
    given = ~np.isnan(flat)
    assert found.error == pytest.approx(np.abs(flat - told)[given].mean())
    assert found.balanced_accuracy == pytest.approx(
        balanced_accuracy_score(depth(flat[given]), depth(told[given]))
    )
    assert found.by_case[1] == pytest.approx(np.abs(answers[1] - bis[1]).mean())
    assert found.steps == given.sum() == found.confusion.sum()
    with pytest.raises(ValueError, match="answers has no number"):
        score([np.array([NAN])], [np.array([1.0])])


def test_a_forecaster_streams_what_it_predicts(model, data):
    stream, X = model.stream(), [data.X[1][:80]]
    steps = [stream.step(row) for row in X[0]]
    np.testing.assert_allclose([step.bis for step in steps], model.predict(X)[0], atol=1e-6)
    np.testing.assert_array_equal([step.depth for step in steps], model.predict_depth(X)[0])
    probabilities = model.predict_depth_proba(X)[0]
    np.testing.assert_allclose([step.probabilities for step in steps], probabilities, atol=1e-6)
    np.testing.assert_allclose(probabilities.sum(axis=1), 1.0)
    stream.reset()
    assert stream.step(X[0][0]).bis == steps[0].bis
    with pytest.raises(ValueError, match=r"row has shape \(2, 5\), expected \(F,\): one step"):
        stream.step(X[0][:2])


def test_a_forecaster_is_its_networks_mean_and_its_seeds_are_theirs(model, data):
    alone = [
        DepthForecaster(data.description.channels, cells=(cell,), hidden=12, epochs=2, random_state=i).fit(
            data.X
        )
        for i, cell in enumerate(("rnn", "gru"))
    ]
    shares = [one.predict_change_proba(data.X)[0] for one in alone]
    np.testing.assert_allclose(model.predict_change_proba(data.X)[0], np.mean(shares, axis=0), atol=1e-12)
    again = pickle.loads(pickle.dumps(model))
    np.testing.assert_array_equal(again.predict(data.X)[0], model.predict(data.X)[0])
    assert clone(model).get_params() == model.get_params()


def test_the_depth_is_the_likeliest_for_its_share(model, data):
    answers = np.concatenate(future(data.X, data.description.channels))
    kinds = depth(answers[~np.isnan(answers)])
    np.testing.assert_allclose(model.shares_, np.bincount(kinds, minlength=3) / len(kinds))
    chances = model.predict_depth_proba(data.X)[0]
    np.testing.assert_array_equal(model.predict_depth(data.X)[0], (chances / model.shares_).argmax(axis=1))
    assert (model.predict_depth(data.X)[0] != chances.argmax(axis=1)).any()


def test_what_a_forecaster_cannot_learn_from_is_named(data):
    with pytest.raises(ValueError, match="cells is 'rnn', expected one cell or more"):
        DepthForecaster(cells="rnn").fit(data.X)
    with pytest.raises(ValueError, match="X has no BIS reading 6 steps ahead"):
        DepthForecaster().fit([np.full((20, 5), NAN)])


# ----------------------------------------------------------------------------------------------------- demo


@pytest.fixture(scope="module")
def shown():
    return demo.run(quick=True)


def test_the_demo_beats_repeating_and_streams(shown):
    assert shown.network.error < 0.95 * shown.repeating.error
    assert shown.network.balanced_accuracy > 0.7
    assert shown.streamed
    assert shown.counts == demo.QUICK
    assert "Elman network" in demo.describe(shown)


def test_the_demo_draws(shown, tmp_path):
    pytest.importorskip("matplotlib")
    assert [path.stat().st_size > 10_000 for path in demo.draw(shown, tmp_path)] == [True, True]


def test_the_demo_reads_files_and_folders_and_splits_whole_operations(data, tmp_path):
    def write(name, rows, first=0):
        cases = {f"case_{first + i}": data.X[row] for i, row in enumerate(rows)}
        np.savez(tmp_path / name, tracks=np.array(data.description.channels), **cases)

    write("one.npz", range(6))
    train, test = demo.load(tmp_path / "one.npz", quick=False)
    assert (len(train.X), len(test.X)) == (5, 1)
    assert set(train.description.ids).isdisjoint(test.description.ids)
    whole = load_vitals(tmp_path / "one.npz")
    at = whole.description.ids.index(test.description.ids[0])
    np.testing.assert_array_equal(test.X[0], whole.X[at])
    write("train.npz", range(4))
    with pytest.raises(ValueError, match=r"has no valid.npz or valid.csv"):
        demo.load(tmp_path, quick=False)
    write("valid.npz", range(4, 6))
    with pytest.raises(ValueError, match="train and valid both have the operation 'case_0'"):
        demo.load(tmp_path, quick=False)
    write("valid.npz", range(4, 6), first=10)
    assert [len(part.X) for part in demo.load(tmp_path, quick=False)] == [4, 2]
    write("single.npz", [0])
    with pytest.raises(ValueError, match="has one operation, expected two at least"):
        demo.load(tmp_path / "single.npz", quick=False)
    with pytest.raises(ValueError, match="--data belongs to the demo eeg or anaesthesia"):
        demos.get("adder", tmp_path)
