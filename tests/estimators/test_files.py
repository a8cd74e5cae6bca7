"""A fitted estimator comes back from its file whole: answers, parameters, and the way on."""

import datetime
import fractions
import json
import math
import pickle

import numpy as np
import pytest
from safetensors import safe_open

import elman
from elman import RNNClassifier
from elman.model import file
from helpers.estimators import KINDS, Problem
from helpers.support import assert_same_bits, stack

RNG = np.random.default_rng(31)
LENGTHS = [5, 1, 7, 3, 4, 2, 6, 5, 3, 2, 4, 6]
X = [RNG.normal(size=(n, 2)) * [1.0, 50.0] + 3.0 for n in LENGTHS]
CLASSES = ["a", "b", "c"] * 4
NUMBERS = np.array([[x.sum(), x[0, 0]] for x in X])
LABELS = [np.where(x[:, 0] > 3.0, "up", "down") for x in X]
STEP_NUMBERS = [x[:, 0] * 7.0 for x in X]


PROBLEM = Problem(
    X,
    {"classifier": CLASSES, "regressor": NUMBERS, "step_regressor": STEP_NUMBERS, "tagger": LABELS},
    {"hidden_layer_sizes": 4, "max_iter": 3, "batch_size": 5, "random_state": 0},
)
model, fitted = PROBLEM.model, PROBLEM.fitted


@pytest.fixture
def kept(tmp_path):
    """Save and load."""

    def keep(estimator):
        estimator.save(tmp_path / "model.elman")
        return elman.load(tmp_path / "model.elman")

    return keep


def assert_alike(mine, theirs, rows=X):
    assert type(mine) is type(theirs)
    assert set(vars(mine)) - {"validation_rows_"} == set(vars(theirs)) - {"validation_rows_"}
    for name in ("predict", "predict_proba"):
        if hasattr(mine, name):
            assert_same_bits(stack(getattr(mine, name)(rows)), stack(getattr(theirs, name)(rows)), name)
    one, two = mine.stream(), theirs.stream()
    for step in np.asarray(rows[2]).reshape(len(rows[2]), -1):
        assert_same_bits(one.step(step), two.step(step), "stream")


OPTIONS = [
    {},
    {"dtype": "float32"},
    {"dtype": np.float32},
    {"hidden_layer_sizes": (3, 2)},
    {"hidden_layer_sizes": [4]},
    {"hidden_layer_sizes": np.array([4])},
    {"standardize": False, "cell": "gru"},
    {"early_stopping": True, "validation_fraction": 0.3},
    {"learning_rate": "onecycle", "solver": "sgd", "alpha": 0.25, "clip_norm": None},
    {"learning_rate": "cosine", "input_noise": 0.125, "shuffle": False, "verbose": 0},
    {"truncation": 2, "tol": 0.0, "n_jobs": -1, "cell": "lstm"},
    {"max_iter": np.int64(3), "learning_rate_init": np.float32(0.5), "shuffle": np.bool_(True)},
]


@pytest.mark.parametrize("options", OPTIONS, ids=str)
@pytest.mark.parametrize("kind", KINDS)
def test_what_was_saved_comes_back(kind, options, kept):
    each = fitted(kind, **options)
    other = kept(each)
    assert_alike(each, other)
    for name, value in each.get_params().items():
        if name == "hidden_layer_sizes" and not isinstance(value, int):
            value = tuple(value)
        if name == "dtype" and value is not None:
            value = np.dtype(value).name
        assert other.get_params()[name] == value, name
        assert type(other.get_params()[name]) in (type(None), str, int, float, bool, tuple)
    for name in vars(each):
        if name in ("n_iter_", "loss_", "loss_curve_") or name.startswith(("n_features", "best")):
            assert getattr(each, name) == getattr(other, name), name
    assert each.network_.dtype == other.network_.dtype
    assert other.network_.history.history == each.network_.history.history


@pytest.mark.parametrize(
    "options",
    [
        {"class_weight": {"a": 2.0, "b": 0.5}},
        {"class_weight": "balanced"},
        {"pooling": "mean"},
        {"pooling": "max", "hidden_layer_sizes": (4, 3)},
    ],
    ids=str,
)
def test_what_a_classifier_was_told_comes_back(options, kept):
    each = fitted(**options)
    other = kept(each)
    assert_alike(each, other)
    assert other.get_params() == each.get_params()


@pytest.mark.parametrize("missing", [-1, 0, "", "?", None, -1.5, math.nan, math.inf, -math.inf, True])
def test_what_stands_for_no_label_comes_back(missing, kept):
    other = kept(fitted("tagger", missing_label=missing))
    assert type(other.missing_label) is type(missing)
    assert repr(other.missing_label) == repr(missing)


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        (None, None),
        (5, 5),
        (np.uint8(5), 5),
        (2**64 - 1, 2**64 - 1),
        (np.random.RandomState(0), None),
        (np.random.default_rng(0), None),
    ],
    ids=str,
)
def test_a_seed_comes_back_and_a_generator_does_not(given, expected, kept):
    each = fitted(random_state=given)
    other = kept(each)
    assert other.random_state == expected
    assert other.network_.seed == each.network_.seed


CLASSES_OF = {
    "text": np.array(["x", "longer text", "\N{SNOWMAN}é"]),
    "objects": np.array(["x", "y", "zz"], object),
    "ints": np.array([3, -7, 10**12]),
    "uint8": np.array([0, 200, 255], np.uint8),
    "bools": np.array([True, False]),
    "whole_floats": np.array([0.0, 1.0, -2.0]),
    "float32": np.array([0.0, 1.0, -2.0], np.float32),
}


@pytest.mark.parametrize("classes", CLASSES_OF.values(), ids=CLASSES_OF)
def test_classes_of_every_type_come_back(classes, kept):
    y = classes[np.arange(12) % len(classes)]
    each = model("classifier")[0].fit(X, y)
    other = kept(each)
    assert other.classes_.dtype == each.classes_.dtype
    assert other.classes_.tolist() == each.classes_.tolist()
    assert [type(v) for v in other.classes_.tolist()] == [type(v) for v in each.classes_.tolist()]
    assert other.predict(X).tolist() == each.predict(X).tolist()


PAIRS = [[0.1, 1e300], [0.30000000000000004, -0.0], [1, 2.5], ["a", "b"], [True, False]]


@pytest.mark.parametrize("labels", PAIRS)
def test_labels_of_steps_come_back(labels, kept):
    y = [[labels[int(v > 3.0)] for v in x[:, 0]] for x in X]
    each = model("tagger")[0].fit(X, y)
    other = kept(each)
    assert other.classes_.dtype == each.classes_.dtype
    assert other.classes_.tolist() == each.classes_.tolist()
    assert [row.tolist() for row in other.predict(X)] == [row.tolist() for row in each.predict(X)]


def test_the_form_of_the_input_and_the_names_of_columns_come_back(kept):
    generator = np.random.default_rng(1)
    pandas = pytest.importorskip("pandas")
    frame = pandas.DataFrame(generator.normal(size=(12, 4)), columns=["t0", "t1", "time 2", "ü"])
    each = model("classifier")[0].fit(frame, CLASSES)
    other = kept(each)
    assert other.feature_names_in_.tolist() == each.feature_names_in_.tolist()
    assert other.feature_names_in_.dtype == each.feature_names_in_.dtype
    assert_same_bits(other.predict_proba(frame), each.predict_proba(frame))
    with pytest.raises(ValueError, match="feature names should match"):
        other.predict(frame.iloc[:, ::-1])
    table = kept(model("classifier")[0].fit(frame.to_numpy(), CLASSES))
    assert table.n_features_in_ == 4 and table.feature_names_in_ is None
    with pytest.raises(ValueError, match="X has 3 features, but RNNClassifier is expecting 4 features"):
        table.predict(frame.to_numpy()[:, :3])
    with pytest.raises(ValueError, match="2-D"):
        table.predict(X)


@pytest.mark.parametrize("options", [{}, {"dtype": "float32"}, {"solver": "sgd"}, {"input_noise": 0.5}])
@pytest.mark.parametrize("kind", KINDS)
def test_a_loaded_one_goes_on_as_the_saved_one(kind, options, kept):
    each, y = model(kind, warm_start=True, **options)
    each.fit(X, y)
    other = kept(each)
    for both in (each, other):
        both.fit(X, y)
    assert each.loss_curve_ == other.loss_curve_ and each.n_iter_ == other.n_iter_
    assert_alike(each, other)
    for both in (each, other):
        both.partial_fit(X, y)
    assert_alike(each, other)
    for both in (each, other):
        both.set_params(warm_start=False, random_state=9).fit(X, y)
    assert_alike(each, other)
    assert_alike(each, pickle.loads(pickle.dumps(other)))


def test_a_parameter_changed_after_the_fit_does_not_spoil_the_file(kept):
    each = fitted("regressor").set_params(return_sequences=True, hidden_layer_sizes=(9, 9))
    assert_same_bits(kept(each).predict(X), each.predict(X))
    steps = fitted("step_regressor").set_params(return_sequences=False)
    assert_same_bits(stack(kept(steps).predict(X)), stack(steps.predict(X)))


# ---------------------------------------------------------------------------------------- what cannot be kept


def test_labels_without_a_plain_form_are_a_type_error(tmp_path):
    halves = [fractions.Fraction(1, 2), fractions.Fraction(1, 3)]
    tagger = model("tagger")[0].fit(X, [np.array([halves[t % 2] for t in range(n)], object) for n in LENGTHS])
    days = np.array([datetime.date(2020, 1, 1 + i % 3) for i in range(12)], "M8[D]")
    for each in (tagger, model("classifier")[0].fit(X, days)):
        with pytest.raises(TypeError, match=r"classes_ has .*, expected labels that are str, int, float or"):
            each.save(tmp_path / "model")
    assert not list(tmp_path.iterdir())


def test_a_parameter_without_a_plain_form_is_a_type_error(tmp_path):
    each = fitted().set_params(class_weight={"a": fractions.Fraction(1, 2)})
    with pytest.raises(TypeError, match=r"class_weight is Fraction\(1, 2\) .*no plain form"):
        each.save(tmp_path / "model")


class OfOnesOwn(RNNClassifier):
    """A class that `elman.load` cannot know."""


def test_a_class_of_ones_own_is_a_type_error(tmp_path):
    each = OfOnesOwn(4, max_iter=1).fit(X, CLASSES)
    with pytest.raises(TypeError, match="OfOnesOwn is a class of its own"):
        each.save(tmp_path / "model")
    assert_alike(each, pickle.loads(pickle.dumps(each)))


def test_a_refused_save_leaves_the_file_before(tmp_path):
    path = tmp_path / "model"
    each = fitted()
    each.save(path)
    expected = each.predict_proba(X)
    with pytest.raises(TypeError):
        fitted(random_state=5).set_params(class_weight={"a": fractions.Fraction(1, 2)}).save(path)
    assert_same_bits(elman.load(path).predict_proba(X), expected)
    fitted(random_state=5).save(path)
    assert elman.load(path).random_state == 5
    assert [p.name for p in tmp_path.iterdir()] == ["model"]


# ---------------------------------------------------------------------------------------- the file


def test_the_file_is_plain_safetensors(tmp_path):
    each = fitted(class_weight={"a": 2.0})
    each.save(str(tmp_path / "model"))
    with safe_open(tmp_path / "model", "numpy") as file:
        spec = json.loads(file.metadata()["elman_spec"])
        assert_same_bits(file.get_tensor("parameters"), each.network_.parameters)
        assert_same_bits(file.get_tensor("scaler.mean"), each.scaler_.mean)
        assert set(file.keys()) >= {"scaler.scale", "loss_curve"}
    assert spec["kind"] == "RNNClassifier"
    assert spec["estimator"]["classes"]["labels"] == ["a", "b", "c"]
    assert spec["estimator"]["parameters"]["max_iter"] == 3


@pytest.mark.parametrize("kind", KINDS)
def test_a_damaged_file_is_refused(kind, tmp_path):
    generator = np.random.default_rng(1)
    path, bad = tmp_path / "model", tmp_path / "bad"
    fitted(kind).save(path)
    content = path.read_bytes()
    for i in generator.integers(0, len(content), size=60):
        flipped = content[i] ^ (1 << int(generator.integers(8)))
        bad.write_bytes(content[:i] + bytes([flipped]) + content[i + 1 :])
        with pytest.raises(ValueError, match="bad"):
            elman.load(bad)
    for i in (0, 7, 100, len(content) // 2, len(content) - 1):
        bad.write_bytes(content[:i])
        with pytest.raises(ValueError, match="bad"):
            elman.load(bad)
    with pytest.raises(FileNotFoundError):
        elman.load(tmp_path / "nowhere")


def _without(table, name):
    del table[name]


SPOILT = {
    "no classes": lambda own, arrays: _without(own, "classes"),
    "too few classes": lambda own, arrays: own["classes"]["labels"].pop(),
    "a class twice": lambda own, arrays: own["classes"].update(labels=["a", "a", "b"]),
    "classes cut short": lambda own, arrays: own["classes"].update(labels=["a", "b", "cc"]),
    "classes of another type": lambda own, arrays: own["classes"].update(dtype="<i8"),
    "classes that are lists": lambda own, arrays: own["classes"].update(labels=[["a"], ["b"], ["c"]]),
    "classes of no type": lambda own, arrays: own["classes"].update(dtype="spam"),
    "classes of any size": lambda own, arrays: own["classes"].update(dtype=f"<U{2**31 - 1}"),
    "an unknown parameter": lambda own, arrays: own["parameters"].update(spam=1),
    "a parameter of no form": lambda own, arrays: own["parameters"].update(alpha={"spam": 1}),
    "a parameter of two forms": lambda own, arrays: own["parameters"].update(alpha={"a": 1, "b": 2}),
    "parameters in a list": lambda own, arrays: own.update(parameters=[1]),
    "a table": lambda own, arrays: own.update(table=True),
    "a table that is a number": lambda own, arrays: own.update(table=1),
    "other features": lambda own, arrays: own.update(features=3),
    "negative features": lambda own, arrays: own.update(features=-2),
    "names of features": lambda own, arrays: own.update(feature_names=["a"]),
    "names that are numbers": lambda own, arrays: own.update(feature_names=[1, 2]),
    "epochs in words": lambda own, arrays: own.update(epochs="three"),
    "no scaler": lambda own, arrays: _without(arrays, "scaler.mean"),
    "a scaler of another width": lambda own, arrays: arrays.update({"scaler.mean": np.zeros(3)}),
    "a scale of 0": lambda own, arrays: arrays.update({"scaler.scale": np.zeros(2)}),
    "a mean that is NaN": lambda own, arrays: arrays.update({"scaler.mean": np.full(2, np.nan)}),
    "a scaler in float32": lambda own, arrays: arrays.update({"scaler.mean": np.zeros(2, "f4")}),
    "no curve": lambda own, arrays: _without(arrays, "loss_curve"),
    "a curve of two axes": lambda own, arrays: arrays.update(loss_curve=np.zeros((2, 2))),
    "no parameters": lambda own, arrays: _without(arrays, "parameters"),
}


@pytest.mark.parametrize("spoil", SPOILT.values(), ids=SPOILT)
def test_a_file_that_says_strange_things_is_refused(spoil, tmp_path):
    """With the right checksum: somebody made it so."""
    path = tmp_path / "model"
    fitted().save(path)
    spec, arrays = file.read(path)
    spoil(spec["estimator"], arrays)
    file.write(path, spec, arrays)
    with pytest.raises(ValueError, match="model"):
        elman.load(path)


def test_one_kind_is_not_another(tmp_path):
    path = tmp_path / "model"
    others = {"classifier": "RNNTagger", "tagger": "RNNClassifier", "regressor": "RNNClassifier"}
    for kind, name in others.items():
        fitted(kind).save(path)
        spec, arrays = file.read(path)
        file.write(path, spec | {"kind": name}, arrays)
        with pytest.raises(ValueError, match="model"):
            elman.load(path)
