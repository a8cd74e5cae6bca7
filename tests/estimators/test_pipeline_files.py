"""A pipeline of features and an estimator in one file: it comes back, streams, and the commands use it."""

import json

import numpy as np
import pytest
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import Pipeline, make_pipeline
from sklearn.preprocessing import StandardScaler

import elman
from elman import Dense, Network, RNNClassifier, RNNRegressor, RNNTagger, SimpleRNN
from elman.cli.commands import loaded_model
from elman.cli.commands.check import check
from elman.cli.commands.evaluate import evaluate
from elman.cli.commands.predict import predict
from elman.cli.commands.stream import answers
from elman.features import BandPower, FillMissing, Frames, LogSpectrum, Reservoirs
from elman.model import file

RNG = np.random.default_rng(11)
FS = 100.0
X = [RNG.normal(0.0, 1.0, (n, 2)) + np.array([0.0, 30.0]) for n in (60, 71, 99, 64)]
HOLED = [np.where(RNG.random(x.shape) < 0.3, np.nan, x) for x in X]
Y = ["up", "down", "up", "down"]
QUICK = {"hidden_layer_sizes": 4, "max_iter": 2, "random_state": 0}
EVERY = [
    [Frames(np.int64(4), 2)],
    [LogSpectrum(FS, window=32, hop=8, max_hz=40.0)],
    [BandPower(FS, {"slow": (0, 20.0), "fast": [20, 50]}, 32)],
    [FillMissing(before=-1.0, flags=False), BandPower(FS, [(0, 20.0), (30, 40)], 32)],
    [Reservoirs(3, 4, window=10, input_scaling=0.02, random_state=0)],
    [Reservoirs(2, 3, window=np.int64(5), random_state=1), Reservoirs(1, 5, window=2, random_state=2)],
    ["passthrough", FillMissing(), LogSpectrum(FS, window=32)],
]


@pytest.mark.parametrize("chain", EVERY, ids=str)
def test_a_pipeline_comes_back(chain, tmp_path):
    data = HOLED if any(isinstance(part, FillMissing) for part in chain) else X
    for last, y in [(RNNClassifier(**QUICK), Y), (RNNRegressor(**QUICK), np.arange(4.0))]:
        model = make_pipeline(*chain, last).fit(data, y)
        elman.save(model, tmp_path / "m.elman")
        other = elman.load(tmp_path / "m.elman")
        assert isinstance(other, Pipeline)
        assert [name for name, _ in other.steps] == [name for name, _ in model.steps]
        assert np.array_equal(model.predict(data), other.predict(data))
        one, two = elman.stream(model), elman.stream(other)
        assert np.array_equal(one.steps(data[2]), two.steps(data[2]))
        again = other.fit(data, y)  # and it learns again
        assert np.array_equal(again.predict(data), model.predict(data))
        names = model[:-1].get_feature_names_out()
        assert other[:-1].get_feature_names_out().tolist() == names.tolist()


def test_one_fitted_on_a_table_comes_back(tmp_path):
    pandas = pytest.importorskip("pandas")
    table = pandas.DataFrame(np.stack([x[:60, 0] for x in X]), columns=[f"t{i}" for i in range(60)])
    model = make_pipeline(Frames(6), RNNClassifier(**QUICK)).fit(table, Y)
    elman.save(model, tmp_path / "m.elman")
    other = elman.load(tmp_path / "m.elman")
    assert np.array_equal(model.predict_proba(table), other.predict_proba(table))
    assert other[0].feature_names_in_.tolist() == list(table.columns)
    with pytest.raises(ValueError, match="collection of sequences, expected 2-D"):
        other.predict(X)


@pytest.mark.parametrize(
    "whole", [BandPower(FS, [(0, 20.0), (30, 40)], None), Reservoirs(2, 3, random_state=0)], ids=str
)
def test_one_of_whole_sequences_comes_back(whole, tmp_path):
    """Each number that it has of a sequence is a step to the network: odd, but it is what was fitted."""
    model = make_pipeline(whole, RNNClassifier(**QUICK)).fit(X, Y)
    elman.save(model, tmp_path / "m.elman")
    other = elman.load(tmp_path / "m.elman")
    assert np.array_equal(model.predict_proba(X), other.predict_proba(X))


def test_reservoirs_without_a_seed_come_back(tmp_path):
    random = np.random.default_rng(0)
    features = Reservoirs(2, 3, window=10, difference=True, random_state=random)
    model = make_pipeline(features, RNNClassifier(**QUICK)).fit(X, Y)
    elman.save(model, tmp_path / "m.elman")
    other = elman.load(tmp_path / "m.elman")
    assert other[0].random_state is None
    assert np.array_equal(model.predict_proba(X), other.predict_proba(X))


def test_save_takes_whatever_load_gives_back(tmp_path):
    path = tmp_path / "m.elman"
    net = Network([SimpleRNN(3), Dense(2)], input_size=2, seed=0)
    elman.save(net, path)
    assert np.array_equal(elman.load(path).predict(X), net.predict(X))
    classifier = RNNClassifier(**QUICK).fit(X, Y)
    elman.save(classifier, path)
    assert np.array_equal(elman.load(path).predict_proba(X), classifier.predict_proba(X))
    elman.save(net.online(elman.SGD(0.1)), path)
    assert isinstance(elman.load(path), elman.Learner)


def test_what_cannot_be_saved_is_named(tmp_path):
    class Mine(Frames):
        pass

    path = tmp_path / "m.elman"
    whole = BandPower(FS, [(0, 50)], None)
    flat = np.stack([x[:60, 0] for x in X])
    cases = [
        (make_pipeline(whole, LogisticRegression()).fit(X, Y), "the step 'logisticregression' is Logistic"),
        (make_pipeline(StandardScaler(), RNNClassifier(**QUICK)).fit(flat, Y), "the step 'standardscaler'"),
        (make_pipeline(Mine(2), RNNClassifier(**QUICK)).fit(X, Y), "the step 'mine' is Mine"),
        (Frames(2), r"model is Frames\(width=2\) .*expected a network"),
    ]
    for model, message in cases:
        with pytest.raises(TypeError, match=message):
            elman.save(model, path)
    assert not path.exists()


SPOILT = {
    "no steps": lambda spec, _: spec.pop("steps"),
    "steps of no form": lambda spec, _: spec.update(steps=[3]),
    "unknown features": lambda spec, _: spec["steps"][0].update(kind="Spam"),
    "features of no kind": lambda spec, _: spec["steps"][0].update(kind=["Frames"]),
    "an unknown parameter": lambda spec, _: spec["steps"][0]["parameters"].update(spam=1),
    "a parameter of another type": lambda spec, _: spec["steps"][1]["parameters"].update(window="x"),
    "a window of 0": lambda spec, _: spec["steps"][1]["parameters"].update(window=0),
    "no sampling rate": lambda spec, _: spec["steps"][1]["parameters"].update(fs=0.0),
    "features in words": lambda spec, _: spec["steps"][0].update(features="two"),
    "a table of 1": lambda spec, _: spec["steps"][0].update(table=1),
    "names of others": lambda spec, _: spec["steps"][0].update(feature_names=["a"]),
    "a step without a name": lambda spec, _: spec["steps"][0].update(name=3),
    "a name twice": lambda spec, _: spec["steps"][0].update(name="logspectrum"),
    "another width": lambda spec, _: spec["steps"][0]["parameters"].update(flags=False),
    "a window of another width": lambda spec, _: spec["steps"][1]["parameters"].update(window=64),
    "a table behind features": lambda spec, _: spec["steps"][1].update(table=True),
    "no estimator": lambda spec, _: spec.pop("model"),
    "a network": lambda spec, _: spec.update(model=spec["model"]["network"]),
    "a pipeline in it": lambda spec, _: spec.update(model=dict(spec)),
    "nothing learned": lambda _, arrays: arrays.pop("step.0.before_"),
    "learned for another width": lambda _, arrays: arrays.update({"step.0.before_": np.zeros(3)}),
    "NaN learned": lambda _, arrays: arrays.update({"step.0.before_": np.full(2, np.nan)}),
    "no parameters": lambda _, arrays: arrays.pop("parameters"),
}


@pytest.mark.parametrize("spoil", SPOILT.values(), ids=SPOILT)
def test_a_file_that_says_strange_things_is_refused(spoil, tmp_path):
    """With the right checksum: somebody made it so."""
    path = tmp_path / "m.elman"
    elman.save(make_pipeline(FillMissing(), LogSpectrum(FS, 32), RNNClassifier(**QUICK)).fit(HOLED, Y), path)
    spec, arrays = file.read(path)
    assert spec["kind"] == "pipeline"
    spoil(spec, arrays)
    file.write(path, spec, arrays)
    with pytest.raises(ValueError, match=r"m\.elman"):
        elman.load(path)


SPOILT_RESERVOIRS = {
    "no leaks": lambda _, arrays: arrays.pop("step.0.leaks"),
    "a leak above 1": lambda _, arrays: arrays.update({"step.0.leaks": np.array([0.5, 1.5])}),
    "a leak of NaN": lambda _, arrays: arrays.update({"step.0.leaks": np.array([0.5, np.nan])}),
    "one leak": lambda _, arrays: arrays.update({"step.0.leaks": np.array([0.5])}),
    "leaks in float32": lambda _, arrays: arrays.update({"step.0.leaks": np.full(2, 0.5, "f4")}),
    "no weights": lambda _, arrays: arrays.pop("step.0.parameters"),
    "weights of NaN": lambda _, arrays: arrays["step.0.parameters"].fill(np.nan),
    "weights in float64": lambda _, arrays: arrays.update(
        {"step.0.parameters": arrays["step.0.parameters"].astype(float)}
    ),
    "more units": lambda spec, _: spec["steps"][0]["parameters"].update(units=2**40),
    "more networks": lambda spec, _: spec["steps"][0]["parameters"].update(networks=2**40),
    "another column": lambda spec, _: spec["steps"][0].update(features=3),
    "a whole sequence": lambda spec, _: spec["steps"][0]["parameters"].update(window=None),
}


@pytest.mark.parametrize("spoil", SPOILT_RESERVOIRS.values(), ids=SPOILT_RESERVOIRS)
def test_a_file_of_strange_reservoirs_is_refused(spoil, tmp_path):
    path = tmp_path / "m.elman"
    features = Reservoirs(2, 3, window=10, random_state=0)
    elman.save(make_pipeline(features, RNNClassifier(**QUICK)).fit(X, Y), path)
    spec, arrays = file.read(path)
    arrays = {name: array.copy() for name, array in arrays.items()}
    spoil(spec, arrays)
    file.write(path, spec, arrays)
    with pytest.raises(ValueError, match=r"m\.elman"):
        elman.load(path)


def test_a_window_in_a_file_takes_no_memory(tmp_path):
    path = tmp_path / "m.elman"
    elman.save(make_pipeline(LogSpectrum(FS, 32), RNNClassifier(**QUICK)).fit(X, Y), path)
    spec, arrays = file.read(path)
    spec["steps"][0]["parameters"]["window"] = 2**52
    file.write(path, spec, arrays)
    with pytest.raises(ValueError, match="its window is 4503599627370496, expected at most 16777216"):
        elman.load(path)
    with pytest.raises(ValueError, match=r"X\[0\] has 60 steps, expected at least 4503599627370496"):
        LogSpectrum(FS, 2**52).fit(X)


# ----------------------------------------------------------------------------------------------- the commands


def write_csv(path, X, labels=None, per_step=None):
    rows = ["id,a,b" + (",label" if labels or per_step else "")]
    for i, x in enumerate(X):
        for t, (a, b) in enumerate(x.tolist()):
            cells = [str(i), "" if np.isnan(a) else repr(a), "" if np.isnan(b) else repr(b)]
            rows.append(",".join(cells + ([labels[i]] if labels else [per_step[i][t]] if per_step else [])))
    path.write_text("\n".join(rows) + "\n")
    return str(path)


@pytest.fixture
def kept(tmp_path):
    model = make_pipeline(FillMissing(), LogSpectrum(FS, 32, 8), RNNClassifier(**QUICK)).fit(HOLED, Y)
    elman.save(model, tmp_path / "m.elman")
    return model, str(tmp_path / "m.elman")


def test_predict_and_evaluate_take_it(kept, tmp_path):
    model, path = kept
    file = write_csv(tmp_path / "x.csv", HOLED, Y)
    found = predict(file, path, options={})
    assert np.array_equal(found.answers, model.predict_proba(HOLED))
    assert json.loads(json.dumps(found.document()))["estimator"] == "RNNClassifier"
    opened = loaded_model.load(path)
    assert (opened.features, opened.rate, opened.takes_missing) == (2, FS, True)
    scored = evaluate(file, path, columns={}, draw=False)
    assert scored.accuracy == np.mean(model.predict(HOLED) == np.array(Y))
    assert check(path, file, columns={}, entries=50).ok


def test_a_file_without_filling_says_what_is_missing(tmp_path):
    model = make_pipeline(LogSpectrum(FS, 32, 8), RNNClassifier(**QUICK)).fit(X, Y)
    elman.save(model, tmp_path / "m.elman")
    file = write_csv(tmp_path / "x.csv", HOLED, Y)
    with pytest.raises(ValueError, match="has no number, expected a finite number"):
        predict(file, str(tmp_path / "m.elman"), options={})
    assert check(str(tmp_path / "m.elman"), write_csv(tmp_path / "y.csv", X), columns={}, entries=50).ok


def test_answers_a_step_name_the_step_that_completed_them(tmp_path):
    labels = [np.where(x[:, 0] > 0, "up", "down") for x in X]
    features = Frames(5, 3)
    model = make_pipeline(features, RNNTagger(**QUICK | {"max_iter": 40}))
    model.fit(X, [y[features.ends(len(y))] for y in labels])
    path = str(tmp_path / "m.elman")
    elman.save(model, path)
    file = write_csv(tmp_path / "x.csv", X, per_step=[y.tolist() for y in labels])
    rows = list(predict(file, path, options={}).rows())
    steps = [row[1] for row in rows if row[0] == "1"]
    assert steps == list(range(5, 72, 3))
    assert predict(file, path, options={}).document()["predictions"][1]["at"] == steps
    scored = evaluate(file, path, columns={}, draw=False)
    expected = np.concatenate([y[features.ends(len(y))] for y in labels])
    assert scored.accuracy == np.mean(np.concatenate(model.predict(X)) == expected)


def test_lines_are_answered_when_a_window_is_complete(kept):
    model, path = kept
    opened = loaded_model.load(path)
    lines = [f"{a},{b}\n".encode() for a, b in HOLED[0].tolist()]
    found = list(answers(opened, [*lines, b"\n", *lines], False))
    expected = elman.stream(model).steps(HOLED[0])
    assert len(found) == 2 * len(expected)
    assert [float(v) for v in found[-1].split(",")[1:]] == expected[-1].tolist()
    with pytest.raises(ValueError, match="line 1 has inf, expected 2 numbers"):
        list(answers(opened, [b"inf,2\n"], False))
