"""A fit that was cut off goes on from its file and ends with the bits of one that never was."""

import fractions

import numpy as np
import pytest

import elman
from elman import DivergenceError, RNNTagger
from elman.estimators.early_stopping import Patience
from elman.model import file
from elman.training import checkpoint
from helpers.estimators import KINDS, Problem
from helpers.support import assert_same_bits, stack

RNG = np.random.default_rng(41)
LENGTHS = RNG.integers(1, 8, size=20)
X = [RNG.normal(size=(n, 2)) * 3.0 + 1.0 for n in LENGTHS]
CLASSES = np.array(["a", "b"])[(np.arange(20) % 4 == 0).astype(int)]
NUMBERS = np.array([x[-1].sum() for x in X])
LABELS = [np.where(x[:, 0] > 1.0, "up", "down") for x in X]
STEP_NUMBERS = [x[:, 0] * 7.0 for x in X]
WEIGHTS = RNG.integers(0, 4, size=20)


PROBLEM = Problem(
    X,
    {"classifier": CLASSES, "regressor": NUMBERS, "step_regressor": STEP_NUMBERS, "tagger": LABELS},
    {"hidden_layer_sizes": 4, "max_iter": 6, "batch_size": 6, "random_state": 0},
)
model = PROBLEM.model


class CutError(Exception):
    """Stands for the end of the process."""


@pytest.fixture
def path(tmp_path):
    return tmp_path / "run.elman"


@pytest.fixture
def cut_off(monkeypatch):
    """Fit until so many epochs are in the file, and no further."""

    def fit(each, y, path, epochs, rows=X, **arguments):
        written = 0
        real = checkpoint.Checkpoint.write

        def write(self, stopped):
            nonlocal written
            real(self, stopped)
            written += 1
            if written == epochs + 1:  # the first one is the start
                raise CutError

        with monkeypatch.context() as patch:
            patch.setattr(checkpoint.Checkpoint, "write", write)
            with pytest.raises(CutError):
                each.fit(rows, y, checkpoint=path, **arguments)

    return fit


def assert_alike(mine, theirs):
    assert_same_bits(mine.network_.parameters, theirs.network_.parameters)
    for name in ("n_iter_", "loss_", "loss_curve_", "validation_scores_", "best_validation_score_"):
        assert getattr(mine, name, None) == getattr(theirs, name, None), name
    assert mine.network_.seed == theirs.network_.seed
    for name in ("predict", "predict_proba"):
        if hasattr(mine, name):
            assert_same_bits(stack(getattr(mine, name)(X)), stack(getattr(theirs, name)(X)))


OPTIONS = [
    {},
    {"dtype": "float32"},
    {"solver": "sgd", "clip_norm": None},
    {"learning_rate": "cosine", "learning_rate_init": 0.05},
    {"learning_rate": "onecycle", "truncation": 2},
    {"input_noise": 0.5},
    {"shuffle": False, "alpha": 0.1, "cell": "lstm"},
    {"standardize": False, "cell": "gru"},
    {"early_stopping": True, "validation_fraction": 0.3, "learning_rate_init": 0.1, "max_iter": 30},
    {"early_stopping": True, "input_noise": 0.3, "n_iter_no_change": 3, "max_iter": 30},
    {"learning_rate_init": 1e-9, "n_iter_no_change": 4, "max_iter": 30},
]


@pytest.mark.parametrize("options", OPTIONS, ids=str)
@pytest.mark.parametrize("kind", KINDS)
def test_a_resumed_run_ends_with_the_bits_of_one_that_was_not_cut_off(kind, options, path, cut_off):
    whole, y = model(kind, **options)
    whole.fit(X, y)
    for epochs in (0, 1, 3, 5):
        path.unlink(missing_ok=True)
        cut_off(model(kind, **options)[0], y, path, min(epochs, whole.n_iter_ - 1))
        resumed, _ = model(kind, **options)
        resumed.fit(X, y, checkpoint=path, resume=True)
        assert_alike(resumed, whole)


@pytest.mark.parametrize("kind", ["classifier", "tagger"])
@pytest.mark.parametrize("balance", ["balanced", {}])
def test_weights_are_resumed_with(kind, balance, path, cut_off):
    balance = balance or {"a": 2.0, "b": 0.5, "up": 3.0}
    if isinstance(balance, dict):
        names = ("a", "b") if kind == "classifier" else ("up",)
        balance = {name: balance[name] for name in names}
    options = {"class_weight": balance, "early_stopping": True, "validation_fraction": 0.4}
    whole, y = model(kind, **options)
    whole.fit(X, y, sample_weight=WEIGHTS)
    cut_off(model(kind, **options)[0], y, path, 2, sample_weight=WEIGHTS)
    resumed, _ = model(kind, **options)
    resumed.fit(X, y, sample_weight=WEIGHTS, checkpoint=path, resume=True)
    assert_alike(resumed, whole)


@pytest.mark.parametrize("kind", KINDS)
def test_validation_data_are_resumed_with(kind, path, cut_off):
    whole, y = model(kind, max_iter=20)
    arguments = {"validation_data": (X[:5], y[:5])}
    whole.fit(X[5:], y[5:], **arguments)
    cut_off(model(kind, max_iter=20)[0], y[5:], path, 3, rows=X[5:], **arguments)
    resumed, _ = model(kind, max_iter=20)
    resumed.fit(X[5:], y[5:], checkpoint=path, resume=True, **arguments)
    assert_alike(resumed, whole)
    other, _ = model(kind, max_iter=20)
    with pytest.raises(ValueError, match="was written by another run"):
        other.fit(X[5:], y[5:], checkpoint=path, resume=True, validation_data=(X[1:6], y[1:6]))


@pytest.mark.parametrize("kind", KINDS)
def test_a_seed_that_was_not_given_is_the_files(kind, path, cut_off):
    for _ in range(4):  # seeds are drawn from all of 64 bits
        path.unlink(missing_ok=True)
        first, y = model(kind, random_state=None, early_stopping=True, input_noise=0.2)
        cut_off(first, y, path, 2)
        seed = elman.load(path).network_.seed
        resumed, _ = model(kind, random_state=None, early_stopping=True, input_noise=0.2)
        resumed.fit(X, y, checkpoint=path, resume=True)
        whole, _ = model(kind, random_state=seed, early_stopping=True, input_noise=0.2)
        assert_alike(resumed, whole.fit(X, y))


def test_more_epochs_of_a_constant_rate_go_on(path):
    whole, y = model("classifier", max_iter=9, tol=0.0)
    whole.fit(X, y)
    parts, _ = model("classifier", max_iter=4, tol=0.0)
    parts.fit(X, y, checkpoint=path)
    assert parts.n_iter_ == 4
    parts.set_params(max_iter=9).fit(X, y, checkpoint=path, resume=True)
    assert_alike(parts, whole)


def test_a_run_that_is_done_trains_nothing(path, monkeypatch):
    for options in ({}, {"early_stopping": True, "n_iter_no_change": 2, "max_iter": 50, "tol": 10.0}):
        path.unlink(missing_ok=True)
        whole, y = model("classifier", **options)
        whole.fit(X, y, checkpoint=path)
        before = path.read_bytes()
        again, _ = model("classifier", **options)
        with monkeypatch.context() as patch:
            patch.setattr(Patience, "__call__", None)
            again.fit(X, y, checkpoint=path, resume=True)
        assert_alike(again, whole)
        assert path.read_bytes() == before


def test_a_checkpoint_changes_nothing_of_the_fit(path):
    for kind in KINDS:
        path.unlink(missing_ok=True)
        plain, y = model(kind)
        with_file, _ = model(kind)
        assert_alike(plain.fit(X, y), with_file.fit(X, y, checkpoint=path))


def test_without_resume_a_file_is_begun_anew(path):
    first, y = model("classifier", max_iter=2)
    first.fit(X, y, checkpoint=path)
    other, _ = model("classifier", random_state=1)
    other.fit(X, y, checkpoint=path)
    assert_alike(elman.load(path), other)


def test_without_a_file_a_run_starts_afresh(path):
    each, y = model("classifier")
    each.fit(X, y, checkpoint=path, resume=True)
    assert_alike(each, model("classifier")[0].fit(X, y))
    assert path.exists()


def test_no_file_is_left_beside_it(path, cut_off):
    each, y = model("classifier")
    cut_off(each, y, path, 2)
    assert [p.name for p in path.parent.iterdir()] == ["run.elman"]


@pytest.mark.parametrize("warm_start", [False, True])
def test_a_warm_start_is_resumed(warm_start, path, cut_off):
    """The second of two fits is cut off; the first is there again, from its own file."""
    options = {"warm_start": True, "tol": 0.0}
    whole, y = model("classifier", **options)
    whole.fit(X, y).fit(X, y)
    first, _ = model("classifier", **options)
    first.fit(X, y).save(path.with_suffix(".first"))
    cut_off(first, y, path, 3)
    again = elman.load(path.with_suffix(".first"))
    again.fit(X, y, checkpoint=path, resume=True)
    assert_same_bits(again.network_.parameters, whole.network_.parameters)
    assert again.loss_curve_ == whole.loss_curve_ and again.n_iter_ == whole.n_iter_


# ---------------------------------------------------------------------------------------- another run

OTHERS = [
    ({"hidden_layer_sizes": 5}, "layers[0] is SimpleRNN(units=4"),
    ({"activation": "relu"}, "activation='relu'"),
    ({"random_state": 1}, "seed is 0 there, 1 here"),
    ({"dtype": "float32"}, "dtype is float64 there, float32 here"),
    ({"batch_size": 7}, "batch_size is 6 there, 7 here"),
    ({"learning_rate_init": 0.5}, "optimizer is Adam(learning_rate=0.001"),
    ({"solver": "sgd"}, "there, SGD("),
    ({"alpha": 0.5}, "l2 is 0.0 there, 0.5 here"),
    ({"shuffle": False}, "shuffle is True there, False here"),
    ({"clip_norm": 2.0}, "clip_norm is 1.0 there, 2.0 here"),
    ({"truncation": 3}, "truncation is None there, 3 here"),
    ({"tol": 0.5}, "tol is 0.0001 there, 0.5 here"),
    ({"n_iter_no_change": 3}, "n_iter_no_change is 10 there, 3 here"),
    ({"input_noise": 0.5}, "input_noise is 0.0 there, 0.5 here"),
    ({"standardize": False}, "standardize is True there, False here"),
    ({"early_stopping": True}, "early_stopping is False there, True here"),
]


@pytest.mark.parametrize(("options", "said"), OTHERS, ids=[case[1] for case in OTHERS])
@pytest.mark.parametrize("kind", KINDS)
def test_other_parameters_are_another_run(kind, options, said, path, cut_off):
    each, y = model(kind)
    cut_off(each, y, path, 2)
    before = path.read_bytes()
    other, _ = model(kind, **options)
    with pytest.raises(ValueError, match="was written by another run") as raised:
        other.fit(X, y, checkpoint=path, resume=True)
    assert said in str(raised.value)
    assert not hasattr(other, "network_")
    assert path.read_bytes() == before


def test_a_cosine_to_another_end_is_another_run(path, cut_off):
    each, y = model("classifier", learning_rate="cosine")
    cut_off(each, y, path, 2)
    with pytest.raises(ValueError, match=r"optimizer is .*CosineDecay.* there"):
        each.set_params(max_iter=9).fit(X, y, checkpoint=path, resume=True)


def _changed(rows):
    rows = [np.array(row) for row in rows]
    rows[3][0] = rows[3][0] + 1
    return rows


OTHER_DATA = {
    "fewer sequences": (lambda X, y, w: (X[:-1], y[:-1], w[:-1]), "X is 20 sequences"),
    "other lengths": (lambda X, y, w: ([X[0][:0:-1], *X[1:]], y, w), "X is 20 sequences"),
    "other numbers": (lambda X, y, w: (_changed(X), y, w), "X has other values (checksum "),
    "other answers": (lambda X, y, w: (X, y[::-1], w), "y has other values (checksum "),
    "other weights": (lambda X, y, w: (X, y, w + 1), "sample_weight has other values (checksum "),
    "no weights": (lambda X, y, w: (X, y, None), "sample_weight is given there, None here"),
    "other classes": (
        lambda X, y, w: (X, np.array(["a", "z"])[(y == "b").astype(int)], w),
        "classes is ['a', 'b'] there, ['a', 'z'] here",
    ),
}


@pytest.mark.parametrize(("change", "said"), OTHER_DATA.values(), ids=OTHER_DATA)
def test_other_data_are_another_run(change, said, path, cut_off):
    long = [np.concatenate([x, x]) for x in X]
    weights = np.arange(1.0, 21.0)
    each, y = model("classifier")
    cut_off(each, y, path, 2, rows=long, sample_weight=weights)
    rows, y, weights = change(long, y, weights)
    other, _ = model("classifier")
    with pytest.raises(ValueError, match="was written by another run") as raised:
        other.fit(rows, y, sample_weight=weights, checkpoint=path, resume=True)
    assert said in str(raised.value)


def test_another_kind_is_another_run(path, cut_off):
    each, y = model("regressor")
    cut_off(each, y, path, 2)
    with pytest.raises(ValueError, match="kind is RNNRegressor there, RNNClassifier here"):
        model("classifier")[0].fit(X, CLASSES, checkpoint=path, resume=True)


def test_a_saved_model_is_no_run(path):
    each, y = model("classifier")
    each.fit(X, y).save(path)
    with pytest.raises(ValueError, match="holds no run that can be resumed"):
        each.fit(X, y, checkpoint=path, resume=True)


def test_a_damaged_file_is_refused_and_nothing_changes(path, cut_off):
    each, y = model("classifier")
    cut_off(each, y, path, 2)
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 4
    path.write_bytes(content)
    other = model("classifier")[0].fit(X, y)
    before = other.predict_proba(X)
    with pytest.raises(ValueError, match="damaged"):
        other.fit(X, y, checkpoint=path, resume=True)
    assert_same_bits(other.predict_proba(X), before)
    assert path.read_bytes() == content


@pytest.mark.parametrize(
    ("arguments", "error", "said"),
    [
        ({"resume": True}, ValueError, "resume is True without a checkpoint"),
        ({"checkpoint": 3}, TypeError, "checkpoint is 3 (a int), expected a path"),
        ({"checkpoint": "x", "resume": 1}, TypeError, "resume is 1 (a int), expected True or False"),
        ({"checkpoint": "nowhere/run"}, OSError, "nowhere"),
    ],
)
def test_bad_arguments_have_their_sentence(arguments, error, said, path, monkeypatch):
    monkeypatch.chdir(path.parent)
    each, y = model("classifier")
    with pytest.raises(error) as raised:
        each.fit(X, y, **arguments)
    assert said in str(raised.value)
    assert not hasattr(each, "network_")
    assert not list(path.parent.iterdir())


def test_what_cannot_be_saved_is_said_before_training(path, monkeypatch):
    halves = [fractions.Fraction(1, 2), fractions.Fraction(1, 3)]
    each = RNNTagger(3, random_state=0).fit(X, LABELS)
    before = stack(each.predict_proba(X))
    with pytest.raises(TypeError, match="classes_ has"):
        each.fit(X, [np.array([halves[t % 2] for t in range(n)], object) for n in LENGTHS], checkpoint=path)
    assert_same_bits(stack(each.predict_proba(X)), before)
    assert each.classes_.tolist() == ["down", "up"] and not path.exists()


# ---------------------------------------------------------------------------------------- the file in between


@pytest.mark.parametrize("kind", KINDS)
def test_a_checkpoint_is_a_usable_estimator(kind, path, cut_off):
    each, y = model(kind, early_stopping=True)
    cut_off(each, y, path, 3)
    loaded = elman.load(path)
    assert type(loaded) is type(each) and loaded.get_params() == each.get_params()
    assert loaded.n_iter_ == len(loaded.loss_curve_) == len(loaded.validation_scores_) == 3
    assert len(loaded.predict(X)) == 20 and np.isfinite(loaded.score(X, y))
    stream = loaded.stream()
    expected = (loaded.predict if kind.endswith("regressor") else loaded.predict_proba)([X[1][:1]])[0]
    assert_same_bits(stream.step(X[1][0]), np.atleast_1d(np.squeeze(expected)))
    assert_alike(loaded.fit(X, y), model(kind, early_stopping=True)[0].fit(X, y))


def test_divergence_leaves_the_last_good_epoch_in_the_file(path):
    each, y = model("regressor", solver="sgd", activation="identity", clip_norm=None)
    each.set_params(learning_rate_init=100.0, max_iter=100, tol=0.0, n_iter_no_change=100)
    with pytest.raises(DivergenceError):
        each.fit(X, y, checkpoint=path)
    loaded = elman.load(path)
    assert loaded.n_iter_ == each.n_iter_
    assert_same_bits(loaded.network_.parameters, each.network_.parameters)


@pytest.mark.parametrize("kind", KINDS)
def test_a_checkpoint_of_an_earlier_version_goes_on_with_a_warning(kind, path, cut_off):
    """It has one checksum, of another kind; with early_stopping its scales were learned from all rows."""
    for options in ({}, {"early_stopping": True}):
        path.unlink(missing_ok=True)
        each, y = model(kind, **options)
        cut_off(each, y, path, 2)
        spec, arrays = file.read(path)
        run = spec["network"]["run"]
        del run["given"]
        run["settings"].pop("scales", None)
        run["settings"]["the checksum of X, y and weights"] = "0123456789abcdef"
        file.write(path, spec, arrays)
        again, _ = model(kind, **options)
        if options:
            with pytest.raises(ValueError, match="scales is None there, those of the training part here"):
                again.fit(X, y, checkpoint=path, resume=True)
            continue
        said = "was written by an earlier version of elman, which kept no checksum of the data"
        with pytest.warns(UserWarning, match=said) as warned:
            again.fit(X, y, checkpoint=path, resume=True)
        assert [w.filename for w in warned if "earlier" in str(w.message)] == [__file__]
        assert_alike(again, model(kind)[0].fit(X, y))


def test_numbers_that_are_standardized_to_the_same_are_other_data(path, cut_off):
    each, y = model("classifier")
    cut_off(each, y, path, 2)
    with pytest.raises(ValueError, match="another run: X has other values"):
        model("classifier")[0].fit([2.0 * x for x in X], y, checkpoint=path, resume=True)
