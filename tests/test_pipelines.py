"""Pipelines of features and an estimator: saved, loaded, streamed, and given to the commands."""

from __future__ import annotations

import copy

import numpy as np
import pytest
from sklearn.pipeline import Pipeline, make_pipeline
from sklearn.preprocessing import StandardScaler

import elman
from elman import RNNClassifier, RNNRegressor, RNNTagger, saving
from elman.features import BandPower, FillMissing, Frames, LogSpectrum
from elman.jobs import models

RNG = np.random.default_rng(0)
X = [RNG.normal(size=(steps, 2)) for steps in RNG.integers(80, 140, size=10)]
HOLES = [np.where(RNG.random(x.shape) < 0.1, np.nan, x) for x in X]
Y = np.array(["healthy", "ictal"] * 5)
SMALL = {"hidden_layer_sizes": (3,), "max_iter": 1, "random_state": 0}
BANDS = {"low": (1.0, 8.0), "high": (8.0, 30.0)}


def spectra():
    return make_pipeline(
        FillMissing(flags=False), LogSpectrum(fs=100.0, window=32, hop=8, max_hz=30), RNNClassifier(**SMALL)
    ).fit(HOLES, Y)


def bands():
    powers = BandPower(fs=100.0, bands=BANDS, window=32)
    return make_pipeline("passthrough", powers, RNNRegressor(**SMALL)).fit(X, np.arange(10.0))


def frames():
    labels = [np.arange(len(Frames(width=16, hop=4).fit([x]).transform([x])[0])) % 3 for x in X]
    return make_pipeline(Frames(width=16, hop=4), RNNTagger(**SMALL)).fit(X, labels)


def table():
    data = np.stack([x[:50, 0] for x in X])
    return make_pipeline(Frames(width=4, hop=2), RNNClassifier(**SMALL)).fit(data, Y)


def answers(model, data):
    return model.predict_proba(data) if hasattr(model, "predict_proba") else model.predict(data)


@pytest.mark.parametrize("made", [spectra, bands, frames], ids=lambda made: made.__name__)
def test_what_was_saved_predicts_the_same_bits(made, tmp_path):
    model = made()
    elman.save(model, tmp_path / "m.elman")
    again = elman.load(tmp_path / "m.elman")
    assert isinstance(again, Pipeline)
    for mine, yours in zip(answers(model, X), answers(again, X), strict=True):
        np.testing.assert_array_equal(mine, yours)
    kept = [step for step in model.steps if step[1] != "passthrough"]
    assert [name for name, _ in again.steps] == [name for name, _ in kept]
    for (_, mine), (_, yours) in zip(kept, again.steps, strict=True):
        assert repr(mine) == repr(yours)
    np.testing.assert_array_equal(elman.stream(model).step(X[0]), elman.stream(again).step(X[0]))


def test_what_a_step_learned_is_kept(tmp_path):
    model = spectra()
    elman.save(model, tmp_path / "m.elman")
    again = elman.load(tmp_path / "m.elman")
    assert model[0].before_.any()
    np.testing.assert_array_equal(again[0].before_, model[0].before_)
    opened = models.load(str(tmp_path / "m.elman"))
    assert (opened.kind, opened.task, opened.features) == ("Pipeline", "classify", 2)
    assert (opened.rate, opened.takes_missing) == (100.0, True)
    np.testing.assert_array_equal(again.predict(HOLES), model.predict(HOLES))


def test_a_table_stays_a_table(tmp_path):
    model = table()
    elman.save(model, tmp_path / "m.elman")
    data = np.stack([x[:50, 1] for x in X])
    again = elman.load(tmp_path / "m.elman")
    np.testing.assert_array_equal(again.predict_proba(data), model.predict_proba(data))
    opened = models.load(str(tmp_path / "m.elman"))
    assert (opened.features, opened.table, opened.takes_missing) == (1, True, False)


def test_the_commands_take_a_pipeline(tmp_path, monkeypatch):
    pytest.importorskip("typer")
    from command_files import command

    monkeypatch.chdir(tmp_path)
    model = frames()
    elman.save(model, "m.elman")
    np.savez("x.npz", X=X[0][None])
    expected = model.predict_proba([X[0]])[0]
    found = command("predict", "m.elman", "x.npz", "--json").document["predictions"][0]["steps"]
    np.testing.assert_allclose([step["probabilities"] for step in found], expected, atol=1e-12)
    lines = "\n".join(",".join(map(repr, step)) for step in X[0].tolist()).encode()
    streamed = command("predict", "m.elman", "-", "--stream", stdin=lines).out.splitlines()
    numbers = [[float(cell) for cell in line.split(",")[1:]] for line in streamed]
    np.testing.assert_allclose(numbers, expected, atol=1e-6)
    assert command("check", "m.elman", "x.npz").code == 0


def test_networks_and_estimators_are_saved_too(tmp_path):
    net = elman.Network([elman.SimpleRNN(2)], input_size=1, seed=0)
    elman.save(net, tmp_path / "net.elman")
    np.testing.assert_array_equal(elman.load(tmp_path / "net.elman").parameters, net.parameters)
    elman.save(RNNClassifier(**SMALL).fit(X, Y), tmp_path / "m.elman")
    assert isinstance(elman.load(tmp_path / "m.elman"), RNNClassifier)


@pytest.mark.parametrize(
    ("model", "sentence"),
    [
        (make_pipeline(StandardScaler(), RNNClassifier()), "the step 'standardscaler' is Stand"),
        (make_pipeline(Frames(width=4, hop=2), StandardScaler()), "the last step 'standardscaler' is"),
        (StandardScaler(), r"model is StandardScaler\(\) \(a StandardScaler\), expected a network"),
    ],
)
def test_what_no_file_can_hold_is_refused(model, sentence, tmp_path):
    if isinstance(model, Pipeline) and isinstance(model[0], Frames):
        model[0].fit(X)
    with pytest.raises(TypeError, match=sentence):
        elman.save(model, tmp_path / "m.elman")
    assert list(tmp_path.iterdir()) == []


CHANGES = {
    "another kind": lambda spec: spec["features"][0].update(kind="EEG_BANDS"),
    "no such kind": lambda spec: spec["features"][0].update(kind="Wavelets"),
    "no parameter": lambda spec: spec["features"][1]["parameters"].update(frogs=1),
    "a wrong parameter": lambda spec: spec["features"][1]["parameters"].update(window=-1),
    "another width": lambda spec: spec["features"][1].update(features=3),
    "a text for a width": lambda spec: spec["features"][1].update(features="2"),
    "names that are none": lambda spec: spec["features"][0].update(feature_names=["a"]),
    "an array that is not there": lambda spec: spec["features"][0].update(learned={"before_": "frogs"}),
    "an array for another": lambda spec: spec["features"][0].update(learned={"fit_": "features.0.before_"}),
    "an array of another size": lambda spec: spec["features"][0].update(learned={"before_": "loss_curve"}),
    "nothing learned": lambda spec: spec["features"][0].update(learned={}),
    "a table": lambda spec: spec["features"][1].update(table=True),
    "another last step": lambda spec: spec["last"].update(kind="pipeline"),
    "no last step": lambda spec: spec.pop("last"),
    "no list of steps": lambda spec: spec.update(features=3),
    "a name that is none": lambda spec: spec.update(name=3),
    "a name twice": lambda spec: spec.update(name="logspectrum"),
}


@pytest.mark.parametrize("change", CHANGES.values(), ids=list(CHANGES))
def test_a_file_that_does_not_fit_together_is_refused(change, tmp_path):
    elman.save(spectra(), tmp_path / "m.elman")
    spec, arrays = saving.read(tmp_path / "m.elman")
    wrong = copy.deepcopy(spec)
    change(wrong)
    assert wrong != spec
    saving.write(tmp_path / "m.elman", wrong, arrays)
    with pytest.raises(ValueError, match=r"m\.elman' holds no "):
        elman.load(tmp_path / "m.elman")
