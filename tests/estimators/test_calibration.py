"""Calibrated models: one temperature in the weights; saved, streamed and monitored like any other."""

import numpy as np
import pytest
from sklearn.base import clone
from sklearn.exceptions import ConvergenceWarning, NotFittedError
from sklearn.metrics import log_loss
from sklearn.pipeline import make_pipeline

import elman
from elman.cli import main
from elman.evaluation import TemperatureScaling
from elman.features import Frames
from elman.monitoring import Alarm, Answer, ChunkedStream, Monitor

pytestmark = pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")  # of training

R = np.random.default_rng(0)
N = 160
LEVELS = R.choice([-1.0, 0.0, 1.0], N)
X = [np.full((12, 1), level) + 0.3 * R.normal(size=(12, 1)) for level in LEVELS]
RIGHT = np.array(["down", "rest", "up"])[LEVELS.astype(int) + 1]
Y = np.where(R.random(N) < 0.25, R.permutation(RIGHT), RIGHT)  # a sixth is wrong: nobody can be sure
TRAIN, HELD, TEST = X[:60], X[60:110], X[110:]


def network(cls=elman.RNNClassifier, **options):
    return cls(12, max_iter=80, learning_rate_init=0.03, random_state=0, **options)


@pytest.fixture(scope="module", params=["float64", "float32"])
def model(request):
    return network(pooling="mean", dtype=request.param).fit(TRAIN, Y[:60])


@pytest.fixture(scope="module")
def calibrated(model):
    return elman.calibrate(model, HELD, Y[60:110])


def test_it_is_temperature_scaling(model, calibrated):
    P = model.predict_proba(HELD)
    scaling = TemperatureScaling(classes=model.classes_).fit(P, Y[60:110])
    near = {"float64": 1e-6, "float32": 1e-4}[model.network_.dtype.name]
    assert calibrated.temperature_ == pytest.approx(scaling.temperature_, rel=near)
    assert calibrated.temperature_ > 1.2
    expected = scaling.predict_proba(model.predict_proba(TEST))
    np.testing.assert_allclose(calibrated.predict_proba(TEST), expected, atol=near)


def test_it_is_better_calibrated_and_as_accurate(model, calibrated):
    y = Y[110:]
    assert log_loss(y, calibrated.predict_proba(TEST)) < log_loss(y, model.predict_proba(TEST)) - 0.05
    assert calibrated.predict(TEST).tolist() == model.predict(TEST).tolist()
    assert calibrated.score(TEST, y) == model.score(TEST, y)


def test_the_model_is_left_as_it_is(model, calibrated):
    before = model.predict_proba(TEST)
    elman.calibrate(model, HELD, Y[60:110])
    assert not hasattr(model, "temperature_") and calibrated.network_ is not model.network_
    np.testing.assert_array_equal(model.predict_proba(TEST), before)


def test_it_is_saved_and_streamed(calibrated, tmp_path):
    elman.save(calibrated, tmp_path / "c.elman")
    loaded = elman.load(tmp_path / "c.elman")
    P = calibrated.predict_proba(TEST)
    assert loaded.temperature_ == calibrated.temperature_
    np.testing.assert_array_equal(loaded.predict_proba(TEST), P)
    for stream in (elman.stream(loaded), loaded.stream()):
        for x, p in zip(TEST[:5], P, strict=False):
            stream.reset()
            np.testing.assert_array_equal([stream.step(row) for row in x][-1], p)


def test_a_model_without_it_has_the_same_file_as_before(tmp_path):
    model = network().fit(TRAIN[:4], Y[:4])
    model.save(tmp_path / "a.elman")
    assert b"temperature" not in (tmp_path / "a.elman").read_bytes()


def test_a_pipeline(tmp_path):
    pipeline = make_pipeline(Frames(4, 2), network()).fit(TRAIN, Y[:60])
    calibrated = elman.calibrate(pipeline, HELD, Y[60:110])
    assert calibrated[-1].temperature_ > 1.0 and not hasattr(pipeline[-1], "temperature_")
    elman.save(calibrated, tmp_path / "c.elman")
    loaded = elman.load(tmp_path / "c.elman")
    assert loaded[-1].temperature_ == calibrated[-1].temperature_
    np.testing.assert_array_equal(loaded.predict_proba(TEST), calibrated.predict_proba(TEST))
    np.testing.assert_array_equal(elman.stream(loaded).steps(TEST[0])[-1], loaded.predict_proba(TEST)[0])


@pytest.mark.parametrize("form", ["list", "array", "sequences"])
def test_a_tagger(form):
    labels = [np.where(R.random(12) < 0.25, -1, (x[:, 0] > 0).astype(int)) for x in X]
    for y in labels:  # a sixth is wrong
        flip = (y >= 0) & (R.random(12) < 1 / 6)
        y[flip] = 1 - y[flip]
    tagger = network(elman.RNNTagger, missing_label=-1).fit(TRAIN, labels[:60])
    offsets = np.arange(51) * 12
    held, y = {
        "list": (HELD, labels[60:110]),
        "array": (np.stack(HELD), np.stack(labels[60:110])),
        "sequences": (
            elman.Sequences(np.concatenate(HELD), offsets),
            elman.Sequences(np.concatenate(labels[60:110])[:, None], offsets),
        ),
    }[form]
    calibrated = elman.calibrate(tagger, held, y)
    flat = np.concatenate(labels[60:110])
    P = np.concatenate(tagger.predict_proba(HELD))
    scaling = TemperatureScaling(classes=[0, 1]).fit(P[flat >= 0], flat[flat >= 0])
    assert calibrated.temperature_ == pytest.approx(scaling.temperature_, rel=1e-6)
    expected = scaling.predict_proba(tagger.predict_proba(TEST)[0])
    np.testing.assert_allclose(calibrated.predict_proba(TEST)[0], expected, atol=1e-6)


def test_twice_is_once_and_a_fit_forgets_it(calibrated):
    again = elman.calibrate(calibrated, HELD, Y[60:110])
    assert again.temperature_ == pytest.approx(calibrated.temperature_, rel=1e-3)
    again.partial_fit(TRAIN, Y[:60])
    assert not hasattr(again, "temperature_")
    assert not hasattr(clone(calibrated), "temperature_")


def test_a_damaged_temperature_is_refused(calibrated, tmp_path):
    from elman.estimators import files
    from elman.model import file

    spec, arrays = files.pack_fitted(calibrated)
    for wrong in (0.0, -1.0, "2", None, True):
        spec["estimator"]["temperature"] = wrong
        file.write(tmp_path / "c.elman", spec, arrays)
        with pytest.raises(ValueError, match="holds no estimator that can be read: temperature is"):
            elman.load(tmp_path / "c.elman")


def test_alarms_are_on_calibrated_probabilities(model, calibrated, tmp_path):
    """A threshold that the overconfident model passes and the calibrated one does not."""
    index = list(model.classes_).index("up")
    x = np.concatenate([x for x, level in zip(TEST, LEVELS[110:], strict=True) if level == 1.0])
    both = []
    for name, one in (("a", model), ("c", calibrated)):
        elman.save(one, tmp_path / name)
        loaded = elman.load(tmp_path / name)
        alarm = Alarm("up", index=index, on=0.93, off=0.5)
        monitor = Monitor(
            ChunkedStream(lambda loaded=loaded: elman.stream(loaded), 1, 1),
            features=1,
            rate=10.0,
            alarm=alarm,
        )
        happened = monitor.feed(x, np.arange(len(x)) / 10.0)
        answers = np.array([what.values for what in happened if isinstance(what, Answer)])
        np.testing.assert_array_equal(answers, elman.stream(one).steps(x))
        both.append([what.kind for what in happened if not isinstance(what, Answer)])
    assert "alarm" in both[0] and "alarm" not in both[1]


def test_the_commands_read_it(calibrated, tmp_path, capsys):
    pytest.importorskip("typer")
    calibrated.save(tmp_path / "c.elman")
    np.savez(tmp_path / "t.npz", X=np.stack(TEST), y=Y[110:])
    assert main.main(["predict", str(tmp_path / "c.elman"), str(tmp_path / "t.npz")]) == 0
    cells = capsys.readouterr().out.splitlines()[1].split(",")
    assert [float(cell) for cell in cells[2:]] == calibrated.predict_proba(TEST)[0].tolist()


def test_what_cannot_be_calibrated():
    model = network().fit(TRAIN, Y[:60])
    regressor = elman.RNNRegressor(2, max_iter=1).fit(TRAIN, LEVELS[:60])
    for wrong in (regressor, make_pipeline(Frames(4, 2), regressor), model.network_, None):
        with pytest.raises(
            TypeError, match=r"^model is .* expected a fitted RNNClassifier or RNNTagger, or a"
        ):
            elman.calibrate(wrong, HELD, Y[60:110])
    with pytest.raises(NotFittedError):
        elman.calibrate(network(), HELD, Y[60:110])
    with pytest.raises(ValueError, match=r"^y\[0\] is 'left', expected one of \['down', 'rest', 'up'\]"):
        elman.calibrate(model, HELD, ["left"] * 50)
    with pytest.raises(ValueError, match=r"^y has 49"):
        elman.calibrate(model, HELD, Y[60:109])
    tagger = network(elman.RNNTagger).fit(TRAIN, [(x[:, 0] > 0).astype(int) for x in TRAIN])
    with pytest.raises(ValueError, match=r"^y\[1\] has shape \(11,\), expected \(12,\): a label a step$"):
        elman.calibrate(tagger, HELD[:2], [np.zeros(12, int), np.zeros(11, int)])
    with pytest.raises(ValueError, match=r"^y has the labels of 1 sequences, expected 2 as X$"):
        elman.calibrate(tagger, HELD[:2], [np.zeros(12, int)])
    with pytest.raises(TypeError, match=r"^y is None"):
        elman.calibrate(tagger, HELD[:2], None)


def test_the_warning_points_at_the_caller():
    model = network().fit(TRAIN, RIGHT[:60])
    clear = [np.full((12, 1), level) for level in (-1.0, 0.0, 1.0)]
    with pytest.warns(ConvergenceWarning, match="at or beyond 0.05") as caught:
        elman.calibrate(model, clear, ["down", "rest", "up"])
    assert caught[0].filename == __file__


def test_save_names_the_way():
    with pytest.raises(TypeError, match=r"\(elman.calibrate\(model, X, y\) gives a calibrated model, which"):
        elman.save(TemperatureScaling(), "t.elman")
