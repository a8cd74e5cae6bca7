"""A fitted forecaster of depth comes back from its file whole, and a file that cannot be one is refused."""

import numpy as np
import pytest
from sklearn.exceptions import NotFittedError

import elman
from elman.anaesthesia import DepthForecaster, simulate_anaesthesia
from elman.anaesthesia.pharmacology import Patient
from elman.cli.commands import loaded_model
from elman.model import file

X, _, DESCRIPTION = simulate_anaesthesia(3, seed=5, minutes=(15, 20))


@pytest.fixture(scope="module")
def model():
    patient = Patient(age=40.0, weight=90.0)
    options = {"cells": ("rnn", "lstm"), "hidden": 5, "epochs": 1, "patient": patient, "random_state": 7}
    return DepthForecaster(list(DESCRIPTION.channels), **options).fit(X)


@pytest.mark.parametrize("keep", [elman.save, DepthForecaster.save], ids=["elman.save", "save"])
def test_a_forecaster_comes_back(keep, model, tmp_path):
    path = tmp_path / "m.elman"
    keep(model, path)
    other = elman.load(path)
    assert type(other) is DepthForecaster
    assert other.get_params() == model.get_params() | {"tracks": tuple(DESCRIPTION.channels)}
    for name in ("predict", "predict_depth", "predict_depth_proba", "predict_change_proba"):
        for one, two in zip(getattr(model, name)(X), getattr(other, name)(X), strict=True):
            np.testing.assert_array_equal(one, two, strict=True)
    streams = (model.stream(), other.stream())
    for row in X[0][:40]:
        one, two = (stream.step(row) for stream in streams)
        assert (one.bis, one.depth, one.probabilities.tolist()) == (
            two.bis,
            two.depth,
            two.probabilities.tolist(),
        )
    other.save(tmp_path / "again.elman")
    (spec, arrays), (again, same) = file.read(path), file.read(tmp_path / "again.elman")
    assert again == spec
    assert {name: a.tobytes() for name, a in same.items()} == {n: a.tobytes() for n, a in arrays.items()}
    np.testing.assert_array_equal(other.fit(X).predict(X).values, model.predict(X).values)  # and it learns


def test_what_was_fitted_is_kept_beside_parameters_that_changed(model, tmp_path):
    changed = elman.load(_kept(model, tmp_path)).set_params(ahead=3, patient=None, hidden=9)
    changed.save(tmp_path / "m.elman")
    other = elman.load(tmp_path / "m.elman")
    assert (other.ahead, other.patient, other.hidden) == (3, None, 9)
    np.testing.assert_array_equal(other.predict(X).values, model.predict(X).values)


def test_what_cannot_be_saved_is_named(model, tmp_path):
    class Mine(DepthForecaster):
        pass

    path = tmp_path / "m.elman"
    with pytest.raises(NotFittedError):
        DepthForecaster().save(path)
    mine = Mine(cells=("rnn",), hidden=2, epochs=1).fit(X)
    with pytest.raises(TypeError, match=r"Mine is a class of its own, which elman\.load does not know"):
        elman.save(mine, path)
    assert not path.exists()


def test_commands_say_that_they_do_not_take_one(model, tmp_path):
    with pytest.raises(ValueError, match=r"holds a DepthForecaster, which only elman\.load in Python reads"):
        loaded_model.load(str(_kept(model, tmp_path)))
    net = elman.Network([elman.SimpleRNN(3)], input_size=2, seed=0)
    net.online(elman.SGD(0.1)).save(tmp_path / "learner.elman")
    with pytest.raises(ValueError, match=r"holds a Learner, which only elman\.load in Python reads"):
        loaded_model.load(str(tmp_path / "learner.elman"))


def test_a_damaged_file_is_refused(model, tmp_path):
    content, bad = _kept(model, tmp_path).read_bytes(), tmp_path / "bad.elman"
    random = np.random.default_rng(0)
    for place in random.integers(0, len(content), 60):
        damaged = bytearray(content)
        damaged[place] ^= 1 << int(random.integers(8))
        bad.write_bytes(damaged)
        with pytest.raises(ValueError, match=r"bad\.elman"):
            elman.load(bad)
        bad.write_bytes(content[:place])
        with pytest.raises(ValueError, match=r"bad\.elman"):
            elman.load(bad)


def _bins(spec):
    """The labels of the first network."""
    return spec["networks"][0]["estimator"]["classes"]["labels"]


SPOILT = {
    "no networks": (lambda spec, _: spec.update(networks=[]), "it has no networks"),
    "networks in a table": (lambda spec, _: spec.update(networks={"a": 1}), ""),
    "networks that are numbers": (lambda spec, _: spec.update(networks=[3]), ""),
    "a network of another kind": (
        lambda spec, _: spec["networks"][0].update(kind="RNNClassifier"),
        "'RNNClassifier'.*expected 'RNNTagger'",
    ),
    "a forecaster in it": (
        lambda spec, _: spec["networks"].append({"kind": spec["kind"]}),
        "expected 'RNNTagger'",
    ),
    "a network without arrays": (lambda spec, _: spec["networks"].append(spec["networks"][0]), ""),
    "fewer columns": (
        lambda spec, _: spec["features"].update(tracks={"tuple": ["BIS", "PPF20_RATE"]}),
        "expected Orchestra/RFTN20_RATE among them",
    ),
    "other tracks": (
        lambda spec, _: spec["parameters"].update(tracks={"tuple": ["BIS", "PPF20_RATE", "RFTN20_RATE"]}),
        "its tracks are not those that it was fitted on",
    ),
    "tracks that are a number": (lambda spec, _: spec["features"].update(tracks=3), ""),
    "a year ahead": (lambda spec, _: spec["features"].update(ahead=10**9), "ahead is 1000000000"),
    "a patient of no size": (lambda spec, _: spec["features"]["patient"].update(weight=0.0), "weight is 0.0"),
    "a patient without a model": (
        lambda spec, _: spec["features"]["patient"].update(age=900.0),
        "no model for such a patient",
    ),
    "a patient that is a number": (lambda spec, _: spec["features"].update(patient=3), ""),
    "a patient of two forms": (lambda spec, _: spec["parameters"].update(patient={"a": 1, "b": 2}), ""),
    "an unknown parameter": (lambda spec, _: spec["parameters"].update(spam=1), "spam"),
    "no parameters": (lambda spec, _: spec.pop("parameters"), "parameters"),
    "no features": (lambda spec, _: spec.pop("features"), "features"),
    "no shares": (lambda _, arrays: arrays.pop("shares"), "shares"),
    "shares of four": (lambda _, arrays: arrays.update(shares=np.full(4, 0.25)), "3 numbers"),
    "shares below 0": (lambda _, arrays: arrays.update(shares=np.array([-0.5, 0.5, 1.0])), "3 numbers"),
    "shares that are NaN": (lambda _, arrays: arrays.update(shares=np.full(3, np.nan)), "3 numbers"),
    "shares of 2 in all": (lambda _, arrays: arrays.update(shares=np.array([1.0, 0.5, 0.5])), "add up to 2"),
    "no edges": (lambda _, arrays: arrays.pop("edges"), "edges"),
    "other edges": (
        lambda _, arrays: arrays.update(edges=arrays["edges"] * 2.0),
        "its bins are others than this elman's",
    ),
    "edges in float32": (lambda _, arrays: arrays.update(edges=arrays["edges"].astype("f4")), "its bins"),
    "a bin below the first": (
        lambda spec, _: _bins(spec).__setitem__(0, -1),
        "the classes of a network of it are no bins",
    ),
    "a bin above the last": (
        lambda spec, _: _bins(spec).__setitem__(-1, 46),
        "the classes of a network of it are no bins",
    ),
    "bins in words": (
        lambda spec, _: spec["networks"][0]["estimator"]["classes"].update(
            labels=[f"{i:02}" for i in _bins(spec)], dtype="<U2"
        ),
        "the classes of a network of it are no bins",
    ),
    "a scaler of another width": (
        lambda _, arrays: arrays.update({"network.1.scaler.mean": np.zeros(3)}),
        "scaler is not 53 finite numbers",
    ),
    "no weights": (lambda _, arrays: arrays.pop("network.0.parameters"), "parameters"),
}


@pytest.mark.parametrize(("spoil", "sentence"), SPOILT.values(), ids=SPOILT)
def test_a_file_that_says_strange_things_is_refused(spoil, sentence, model, tmp_path):
    """With the right checksum: somebody made it so."""
    path = _kept(model, tmp_path)
    spec, arrays = file.read(path)
    spoil(spec, arrays)
    file.write(path, spec, arrays)
    with pytest.raises(ValueError, match=rf"m\.elman' holds no .* that can be read: .*{sentence}"):
        elman.load(path)


def test_networks_of_other_features_are_refused(model, tmp_path):
    path = _kept(model, tmp_path)
    narrow = elman.RNNTagger((4,), max_iter=1, random_state=0).fit([np.ones((5, 2))], [[0, 1, 2, 1, 0]])
    narrow.save(tmp_path / "narrow.elman")
    other, own = file.read(tmp_path / "narrow.elman")
    spec, arrays = file.read(path)
    spec["networks"][0] = other
    arrays |= {f"network.0.{name}": array for name, array in own.items()}
    file.write(path, spec, arrays)
    with pytest.raises(ValueError, match="a network of it reads 2 features, expected 53"):
        elman.load(path)


def _kept(model, folder):
    model.save(folder / "m.elman")
    return folder / "m.elman"
