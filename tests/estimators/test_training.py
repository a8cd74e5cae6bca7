"""How the estimators train: the network's own fit on scaled sequences, and everything around it."""

import contextlib
import inspect

import numpy as np
import pytest
from sklearn.utils import get_tags

import elman
from elman import (
    GRU,
    SGD,
    Adam,
    CosineDecay,
    Dense,
    DivergenceError,
    MaxPool,
    MeanPool,
    Network,
    OneCycle,
    RNNClassifier,
    RNNRegressor,
    RNNTagger,
    Sequences,
    SimpleRNN,
)
from elman.errors import NonFiniteError
from elman.estimators import fitting
from elman.estimators.early_stopping import Patience
from helpers.estimators import KINDS, Problem
from helpers.support import assert_same_bits, stack

RNG = np.random.default_rng(11)
N = 24
LENGTHS = RNG.integers(1, 9, size=N)
X = [RNG.normal(size=(n, 2)) * 3.0 + 5.0 for n in LENGTHS]
Y = np.arange(N) % 3
CLASSES = np.array(["c", "a", "b"])[Y]
NUMBERS = np.array([x[-1].sum() for x in X]) * 100.0
STEP_NUMBERS = [x[:, 0] * 10.0 for x in X]
LABELS = [np.where(x[:, 0] > 5.0, "up", "down") for x in X]


PROBLEM = Problem(
    X,
    {"classifier": CLASSES, "regressor": NUMBERS, "step_regressor": STEP_NUMBERS, "tagger": LABELS},
    {"hidden_layer_sizes": 6, "max_iter": 5, "batch_size": 7, "random_state": 0},
)
model, fitted = PROBLEM.model, PROBLEM.fitted


@pytest.fixture
def planned(monkeypatch):
    """What the estimators hand to the planner of fit: one (train, validation, arguments) per fit."""
    calls = []
    real = fitting.make_plan

    def plan(network, train, validation, **arguments):
        calls.append((train, validation, arguments))
        return real(network, train, validation, **arguments)

    monkeypatch.setattr(fitting, "make_plan", plan)
    return calls


def rows_of(data):
    return list(Sequences(data.batch.values, data.batch.offsets))


# ---------------------------------------------------------------------------------------- the network's fit

UPDATES = 5 * 4  # epochs times minibatches
SAME = [
    ({}, {"optimizer": Adam(0.001)}),
    ({"solver": "sgd", "learning_rate_init": 0.1}, {"optimizer": SGD(0.1, 0.9, nesterov=True)}),
    ({"learning_rate": "cosine"}, {"optimizer": Adam(CosineDecay(0.001, UPDATES))}),
    ({"learning_rate": "onecycle", "learning_rate_init": 0.1}, {"optimizer": Adam(OneCycle(0.1, UPDATES))}),
    (
        {"solver": "sgd", "learning_rate": "cosine"},
        {"optimizer": SGD(CosineDecay(0.001, UPDATES), 0.9, nesterov=True)},
    ),
    ({"alpha": 0.5}, {"l2": 0.5}),
    ({"clip_norm": None}, {"clip_norm": None}),
    ({"clip_norm": 0.01}, {"clip_norm": 0.01}),
    ({"shuffle": False}, {"shuffle": False}),
    ({"batch_size": 1000}, {"batch_size": 1000}),
    ({"truncation": 3}, {"truncation": 3}),
    ({"dtype": "float32"}, {}),
    ({"activation": "relu"}, {}),
]


@pytest.mark.parametrize(("options", "arguments"), SAME, ids=[str(case[0]) for case in SAME])
@pytest.mark.parametrize("kind", KINDS)
def test_training_is_the_networks_own_fit_on_scaled_sequences(kind, options, arguments):
    estimator = fitted(kind, **options)
    steps = np.concatenate(X)
    scaled = [(x - steps.mean(0)) / steps.std(0) for x in X]
    per_step = kind in ("step_regressor", "tagger")
    rnn = SimpleRNN(6, options.get("activation", "tanh"), return_sequences=per_step)
    if kind == "classifier":
        last, y = Dense(3, "softmax"), np.searchsorted(["a", "b", "c"], CLASSES)
    elif kind == "tagger":
        last, y = Dense(2, "softmax"), [(labels == "up").astype(int) for labels in LABELS]
    else:
        y = STEP_NUMBERS if per_step else [[v] for v in NUMBERS]
        mean, scale = np.concatenate(y).mean(), np.concatenate(y).std()
        last, y = Dense(1), [(np.asarray(v) - mean) / scale for v in y]
        y = y if per_step else np.array(y)
    net = Network([rnn, last], 2, options.get("dtype", "float64"), seed=0)
    arguments = {"optimizer": Adam(0.001), "clip_norm": 1.0, "batch_size": 7} | arguments
    history = net.fit(scaled, y, epochs=5, verbose=False, **arguments)
    tolerance = 1e-4 if "dtype" in options else 1e-11
    np.testing.assert_allclose(estimator.loss_curve_, history.history["loss"], rtol=tolerance)
    np.testing.assert_allclose(estimator.network_.parameters, net.parameters, rtol=tolerance, atol=tolerance)


@pytest.mark.parametrize(
    "options", [{"truncation": 3}, {"truncation": 2, "shuffle": False}, {"batch_size": 5}], ids=str
)
@pytest.mark.parametrize("schedule", ["cosine", "onecycle"])
@pytest.mark.parametrize("kind", KINDS)
def test_a_schedule_ends_with_the_last_update(kind, schedule, options, planned):
    each = fitted(kind, learning_rate=schedule, **options)
    assert planned[0][2]["optimizer"].learning_rate.updates == each.network_.model.updates > 15
    each.set_params(warm_start=True)
    for epochs in (1, 2, 1, 3):  # each has orders, and so updates, of its own
        each.set_params(max_iter=epochs).fit(X, model(kind)[1])
        assert planned[-1][2]["optimizer"].learning_rate.updates == each.network_.model.updates


@pytest.mark.parametrize(("pooling", "pool"), [("mean", MeanPool), ("max", MaxPool)])
def test_the_network_is_what_the_parameters_say(pooling, pool):
    network = fitted(hidden_layer_sizes=(5, 4), pooling=pooling, activation="sigmoid").network_
    assert network.layers == (
        SimpleRNN(5, "sigmoid", return_sequences=True),
        SimpleRNN(4, "sigmoid", return_sequences=True),
        pool(),
        Dense(3, "softmax"),
    )
    for cell, layer in (("gru", elman.GRU), ("lstm", elman.LSTM)):
        network = fitted(hidden_layer_sizes=(5, 4), cell=cell, pooling=pooling).network_
        assert network.layers[:2] == (layer(5, return_sequences=True), layer(4, return_sequences=True))
    last = fitted(hidden_layer_sizes=[5, 4]).network_
    assert last.layers == (SimpleRNN(5, return_sequences=True), SimpleRNN(4), Dense(3, "softmax"))
    assert fitted("tagger", hidden_layer_sizes=np.int64(5)).network_.layers[0].return_sequences
    assert (last.seed, last.input_size) == (0, 2)


def test_the_attributes_say_what_happened():
    for kind in KINDS:
        each = fitted(kind)
        assert each.n_iter_ == 5 and each.n_features_in_ == 2
        assert each.loss_curve_ == each.network_.history.history["loss"]
        assert len(each.loss_curve_) == 5 and each.loss_ == each.loss_curve_[-1]
        assert type(each.n_iter_) is int and type(each.loss_) is float
        assert each.validation_scores_ is None and each.best_validation_score_ is None
    assert fitted().classes_.tolist() == ["a", "b", "c"]
    assert fitted("tagger").classes_.tolist() == ["down", "up"]


@pytest.mark.parametrize("kind", KINDS)
def test_standardization_is_one_mean_and_scale_a_feature_over_all_steps(kind, planned):
    fitted(kind)
    given = planned[0][0].batch.values
    np.testing.assert_allclose(given.mean(0), 0.0, atol=1e-12)
    np.testing.assert_allclose(given.std(0), 1.0, rtol=1e-12)
    fitted(kind, standardize=False)
    assert_same_bits(planned[1][0].batch.values, np.concatenate(X))


def test_a_constant_feature_is_brought_to_zero(planned):
    spoilt = [np.column_stack([x, np.full(len(x), 7.0)]) for x in X]
    each = RNNClassifier(4, max_iter=1).fit(spoilt, Y)
    assert (planned[0][0].batch.values[:, 2] == 0.0).all()
    assert np.isfinite(each.predict_proba([np.full((3, 3), 8.0)])).all()


# ---------------------------------------------------------------------------------------- going on


@pytest.mark.parametrize("options", [{}, {"input_noise": 0.3}, {"solver": "sgd"}, {"truncation": 2}])
@pytest.mark.parametrize("kind", KINDS)
def test_a_warm_start_goes_on_where_the_fit_before_ended(kind, options):
    whole, y = model(kind, max_iter=7, tol=0.0, **options)
    whole.fit(X, y)
    parts, _ = model(kind, max_iter=3, tol=0.0, warm_start=True, **options)
    first = parts.fit(X, y).network_
    parts.set_params(max_iter=4).fit(X, y)
    assert parts.network_ is first
    assert_same_bits(parts.network_.parameters, whole.network_.parameters)
    assert parts.loss_curve_ == whole.loss_curve_
    assert parts.n_iter_ == 4  # of the last fit, as in scikit-learn
    assert_same_bits(stack(parts.predict(X)), stack(whole.predict(X)))


@pytest.mark.parametrize("kind", KINDS)
def test_so_many_partial_fits_are_one_fit_of_so_many_epochs(kind):
    whole, y = model(kind, tol=0.0)
    whole.fit(X, y)
    parts, _ = model(kind)
    for epoch in range(5):
        assert parts.partial_fit(X, y) is parts
        assert parts.n_iter_ == epoch + 1 and len(parts.loss_curve_) == epoch + 1
    assert_same_bits(parts.network_.parameters, whole.network_.parameters)
    assert parts.loss_curve_ == whole.loss_curve_


@pytest.mark.parametrize("schedule", ["cosine", "onecycle"])
def test_a_warm_start_begins_a_new_cycle_of_the_rate(schedule):
    each = fitted(learning_rate=schedule, warm_start=True)
    before = each.network_.parameters.copy()
    each.fit(X, CLASSES)
    assert each.network_.model.updates == UPDATES  # counted from the beginning of the cycle
    assert np.abs(each.network_.parameters - before).max() > 1e-3


def test_partial_fit_goes_on_from_a_fit():
    each = fitted()
    each.partial_fit(X, CLASSES)
    assert each.n_iter_ == 6 and len(each.loss_curve_) == 6
    assert each.loss_curve_ == fitted(max_iter=6, tol=0.0).loss_curve_


def test_partial_fit_is_told_all_classes_at_first():
    some = Y != 2
    each, _ = model("classifier")
    each.partial_fit([X[i] for i in np.flatnonzero(some)], CLASSES[some], classes=["a", "b", "c"])
    assert each.classes_.tolist() == ["a", "b", "c"]
    assert each.predict_proba(X).shape == (N, 3)
    each.partial_fit(X, CLASSES).partial_fit(X, CLASSES, classes=["c", "b", "a"])
    with pytest.raises(ValueError, match=r"classes is .* expected .*'a', 'b', 'c'"):
        each.partial_fit(X, CLASSES, classes=["a", "b"])
    with pytest.raises(ValueError, match=r"y has the label 'z', expected one of the classes \['a', 'b',"):
        each.partial_fit(X, ["z", *CLASSES[1:]])
    tagger = RNNTagger(3).partial_fit(X[:1], [["up"] * len(X[0])], classes=["down", "up"])
    assert tagger.classes_.tolist() == ["down", "up"]


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"early_stopping": True}, "early_stopping is True, expected False with partial_fit"),
        ({"learning_rate": "cosine"}, "learning_rate is 'cosine', expected 'constant' with partial_fit"),
    ],
)
def test_partial_fit_has_no_end(options, said):
    each, y = model("classifier", **options)
    with pytest.raises(ValueError, match=said):
        each.partial_fit(X, y)


CHANGES = [
    {"hidden_layer_sizes": 7},
    {"hidden_layer_sizes": (6, 6)},
    {"activation": "relu"},
    {"dtype": "float32"},
]


@pytest.mark.parametrize("change", [*CHANGES, {"pooling": "mean"}], ids=str)
def test_another_network_cannot_go_on(change):
    each = fitted(warm_start=True)
    before, curve = each.predict_proba(X), each.loss_curve_
    each.set_params(**change)
    for go_on in (each.fit, each.partial_fit):
        with pytest.raises(ValueError, match="warm_start and partial_fit go on with"):
            go_on(X, CLASSES)
    assert each.loss_curve_ == curve
    assert_same_bits(each.predict_proba(X), before)


def test_a_warm_start_keeps_classes_width_and_scales():
    each = fitted(warm_start=True)
    mean = each.scaler_.mean
    each.fit([x * 100.0 for x in X], CLASSES)
    assert each.scaler_.mean is mean
    with pytest.raises(ValueError, match="expected 2"):
        each.fit([x[:, :1] for x in X], CLASSES)
    with pytest.raises(ValueError, match="2-D"):
        each.fit(np.zeros((N, 2)), CLASSES)


def test_without_warm_start_a_fit_begins_anew():
    each = fitted()
    first = each.network_.parameters.copy()
    each.fit([x[:, :1] for x in X], Y)
    assert each.classes_.tolist() == [0, 1, 2] and each.n_features_in_ == 1
    each.fit(X, CLASSES)
    assert_same_bits(each.network_.parameters, first)
    assert len(each.loss_curve_) == 5


# ---------------------------------------------------------------------------------------- early stopping


@pytest.mark.parametrize("kind", KINDS)
def test_held_out_sequences_are_whole_stratified_seeded_and_not_trained_on(kind, planned):
    options = {"early_stopping": True, "validation_fraction": 0.25, "standardize": False}
    fitted(kind, **options)
    fitted(kind, **options)
    fitted(kind, **options, random_state=1)
    splits = []
    for training, validation, _ in planned:
        train = {x.tobytes() for x in rows_of(training)}
        held_out = {x.tobytes() for x in rows_of(validation)}
        assert not train & held_out and len(held_out) == 6
        assert train | held_out == {x.tobytes() for x in X}
        splits.append(held_out)
    assert splits[0] == splits[1] != splits[2]
    if kind == "classifier":
        assert sorted(planned[0][1].answers.indices) == [0, 0, 1, 1, 2, 2]


@pytest.mark.parametrize("kind", KINDS)
def test_held_out_sequences_keep_their_weights(kind, planned):
    each, y = model(kind, early_stopping=True, validation_fraction=0.25, standardize=False)
    weights = np.arange(1.0, N + 1.0)
    if kind == "tagger":
        each.set_params(class_weight={"up": 3.0, "down": 1.0})
    each.fit(X, y, weights)
    for data in planned[0][:2]:
        which = [next(i for i in range(N) if np.array_equal(x, X[i])) for x in rows_of(data)]
        assert data.weights.tolist() == weights[which].tolist()
        if kind == "tagger":
            assert data.answers.class_weight.tolist() == [1.0, 3.0]
    assert each.validation_rows_.tolist() == which


@pytest.mark.parametrize("kind", KINDS)
def test_the_best_weights_are_put_back(kind, planned):
    generator = np.random.default_rng(1)
    options = {"early_stopping": True, "validation_fraction": 0.25, "standardize": False}
    options |= {"learning_rate_init": 0.1, "solver": "sgd"}
    rows = [(x - 5.0) / 3.0 for x in X]
    each, y = model(kind, max_iter=80, **options)
    if kind.endswith("regressor"):
        # can only be learned by heart
        y = [generator.normal(size=() if kind == "regressor" else len(x)) for x in X]
    each.fit(rows, y)
    assert len(each.validation_scores_) == each.n_iter_ == len(each.loss_curve_)
    assert each.best_validation_score_ == max(each.validation_scores_)
    held_out = rows_of(planned[0][1])
    which = [next(i for i in range(N) if np.array_equal(x, rows[i])) for x in held_out]
    found = each.score(held_out, [y[i] for i in which])
    assert found == pytest.approx(each.best_validation_score_, abs=1e-12)
    assert each.n_iter_ < 80 and np.argmax(each.validation_scores_) < each.n_iter_ - 1


def test_early_stopping_waits_so_many_epochs():
    for wait in (1, 3, 8):
        each = fitted(early_stopping=True, max_iter=500, n_iter_no_change=wait, tol=10.0)
        assert each.n_iter_ == 1 + wait  # the first epoch is always better than none


@pytest.mark.parametrize("kind", ["classifier", "tagger"])
def test_the_score_that_is_watched_weighs_classes_as_training_does(kind):
    balance = {"a": 1.0, "b": 1.0, "c": 5.0} if kind == "classifier" else {"up": 5.0, "down": 1.0}
    each, y = model(kind, class_weight=balance, max_iter=9)
    each.fit(X[6:], y[6:], validation_data=(X[:6], y[:6]))
    labels, found = np.hstack(y[:6]), np.hstack(each.predict(X[:6]))
    weights = np.where(np.isin(labels, ["c", "up"]), 5.0, 1.0)
    expected = np.average(found == labels, weights=weights)
    assert each.best_validation_score_ == pytest.approx(expected, rel=1e-12)


def test_validation_data_are_watched_instead_of_held_out_sequences(planned):
    each, y = model("classifier", max_iter=100, learning_rate_init=0.05)
    each.fit(X[6:], y[6:], validation_data=(X[:6], y[:6]))
    assert planned[0][0].batch.n == N - 6
    assert not hasattr(each, "validation_rows_")
    assert each.best_validation_score_ == each.score(X[:6], y[:6]) == max(each.validation_scores_)
    weights = [1.0, 2.0, 0.0, 1.0, 5.0, 1.0]
    each.fit(X[6:], y[6:], validation_data=(X[:6], y[:6], weights))
    assert each.best_validation_score_ == pytest.approx(each.score(X[:6], y[:6], weights))


def test_validation_data_of_another_kind_are_refused():
    each, y = model("classifier")
    for given, error, said in [
        ((X, ["z"] * N), ValueError, "validation_data cannot be used: y has the label 'z'"),
        (([x[:, :1] for x in X], y), ValueError, r"validation_data cannot be used: X\[0\] has 1 features"),
        ((X, y[:3]), ValueError, "validation_data cannot be used: y has 3 answers"),
        (X, TypeError, "validation_data is .* expected"),
        (7, TypeError, "validation_data is 7"),
    ]:
        with pytest.raises(error, match=said):
            each.fit(X, y, validation_data=given)
        assert not hasattr(each, "network_")


def test_scores_of_a_fit_before_do_not_stay():
    each = fitted(early_stopping=True, validation_fraction=0.25)
    assert len(each.validation_scores_) == 5
    each.set_params(early_stopping=False).fit(X, CLASSES)
    assert each.validation_scores_ is None and each.best_validation_score_ is None


def test_what_cannot_be_held_out_is_said():
    with pytest.raises(
        ValueError, match=r"early_stopping cannot hold out 0.1 of 4 sequences \(.* only 1 member"
    ):
        RNNClassifier(3, early_stopping=True).fit(X[:4], [0, 1, 2, 2])
    unlabeled = [np.full(len(x), -1) for x in X]
    unlabeled[0] = np.arange(len(X[0])) % 2
    with pytest.raises(ValueError, match="held out sequences without any label"):
        RNNTagger(3, early_stopping=True, random_state=0, missing_label=-1).fit(X, unlabeled)


# ---------------------------------------------------------------------------------------- the end of training


def test_training_ends_when_nothing_improves():
    assert fitted(max_iter=500, learning_rate_init=1e-9).n_iter_ == 11  # the first, and n_iter_no_change
    assert fitted(max_iter=500, learning_rate_init=1e-9, n_iter_no_change=3).n_iter_ == 4
    assert fitted(max_iter=40, learning_rate_init=0.01, tol=0.0, n_iter_no_change=40).n_iter_ == 40


@pytest.mark.parametrize("schedule", ["cosine", "onecycle"])
def test_a_schedule_is_not_cut_short_by_tol(schedule):
    assert fitted(max_iter=50, learning_rate_init=1e-9, learning_rate=schedule).n_iter_ == 50


def test_patience_counts_epochs_in_a_row():
    for losses in ([9.0, 8.0, 7.8, 7.4], [9.0, 9.0, 8.0, 8.1, 8.2], [1.0, 2.0, 3.0]):
        patience = Patience(0.5, 2)
        stops = [patience(None, epoch, {"loss": loss}) for epoch, loss in enumerate(losses)]
        assert stops == [False] * (len(losses) - 1) + [True]


def test_the_best_epoch_has_the_highest_score_then_the_lowest_loss():
    class Net:
        parameters = np.zeros(1)

    net, patience = Net(), Patience(0.0, 10, score=lambda logs: logs["score"])
    reports = [(0.5, 1.0), (0.7, 3.0), (0.7, 2.0), (0.7, 2.0), (0.6, 0.1), (0.7, 2.5)]
    for epoch, (score, loss) in enumerate(reports):
        net.parameters = np.array([float(epoch)])
        assert not patience(net, epoch, {"score": score, "val_loss": loss})
    assert patience.best.tolist() == [2.0]  # the first of equals
    assert patience.scores == [score for score, _ in reports]


# ---------------------------------------------------------------------------------------- noise


def test_noise_is_fresh_each_epoch_gaussian_and_seeded(planned):
    generator = np.random.default_rng(1)
    big = [generator.normal(size=(500, 2)) for _ in range(20)]
    for seed in (0, 0, 1):
        RNNClassifier(2, max_iter=1, input_noise=0.25, standardize=False, random_state=seed).fit(big, Y[:20])
    noises = []
    for given, _, arguments in planned:
        for epoch in (0, 1):
            arguments["prepare"](epoch)
            noises.append(given.batch.values - np.concatenate(big))
    for noise in noises:
        assert abs(noise.mean()) < 0.01 and noise.std() == pytest.approx(0.25, rel=0.02)
        assert abs(np.mean(noise[1:] * noise[:-1])) < 0.01 * 0.25
    assert np.abs(np.corrcoef([noise.ravel() for noise in noises])[0, [1, 4, 5]]).max() < 0.05
    np.testing.assert_array_equal(noises[0], noises[2])  # the same seed
    np.testing.assert_array_equal(noises[1], noises[3])


@pytest.mark.parametrize("kind", KINDS)
def test_noise_acts_in_training_alone(kind, planned):
    noisy, clean = fitted(kind, input_noise=0.5), fitted(kind)
    assert noisy.loss_curve_ != clean.loss_curve_
    assert_same_bits(noisy.scaler_.mean, clean.scaler_.mean)
    assert_same_bits(stack(noisy.predict(X)), stack(noisy.predict(X)))
    options = {"early_stopping": True, "validation_fraction": 0.25, "max_iter": 3}
    fitted(kind, input_noise=0.5, **options)
    fitted(kind, **options)
    held_out = [call[1].batch.values for call in planned[2:]]
    assert_same_bits(held_out[0], held_out[1])


def test_noise_leaves_the_callers_data_alone():
    generator = np.random.default_rng(1)
    cube = generator.normal(size=(N, 4, 2))
    before = cube.copy()
    RNNClassifier(3, max_iter=2, input_noise=1.0, standardize=False).fit(cube, Y)
    assert_same_bits(cube, before)


# ---------------------------------------------------------------------------------------- seeds and talk


def test_the_same_seed_gives_the_same_bits():
    assert_same_bits(fitted(random_state=3).network_.parameters, fitted(random_state=3).network_.parameters)
    assert (fitted(random_state=4).network_.parameters != fitted(random_state=3).network_.parameters).any()
    one, two = (fitted(random_state=np.random.RandomState(0)).network_ for _ in range(2))
    assert_same_bits(one.parameters, two.parameters)
    one, two = (fitted(random_state=np.random.default_rng(0)).network_ for _ in range(2))
    assert_same_bits(one.parameters, two.parameters)
    assert fitted(random_state=np.int32(3)).network_.seed == 3


def test_a_generator_goes_on_and_none_is_fresh():
    generator = np.random.RandomState(0)
    each, y = model("classifier", random_state=generator)
    seeds = [each.fit(X, y).network_.seed for _ in range(2)]
    assert seeds[0] != seeds[1]
    each, y = model("classifier", random_state=None)
    seeds = [each.fit(X, y).network_.seed for _ in range(2)]
    assert seeds[0] != seeds[1]
    again = fitted(random_state=seeds[1])
    assert_same_bits(again.network_.parameters, each.network_.parameters)


def test_silent_by_default_and_a_bar_where_it_is_wanted(capfd):
    fitted()
    fitted(learning_rate="cosine")
    fitted(early_stopping=True)
    assert capfd.readouterr() == ("", "")
    for verbose in (True, 1, 10):
        fitted(verbose=verbose)
        out, err = capfd.readouterr()
        assert out == "" and "5/5" in err and "loss" in err
    fitted(verbose=0)
    assert capfd.readouterr() == ("", "")


# ---------------------------------------------------------------------------------------- cut off


@pytest.mark.parametrize("kind", KINDS)
def test_divergence_leaves_the_last_good_weights(kind):
    each, y = model(kind, solver="sgd", activation="identity", clip_norm=None, learning_rate_init=1e4)
    each.set_params(max_iter=300, batch_size=100, tol=0.0, n_iter_no_change=300)
    with pytest.raises(DivergenceError, match="epoch"):
        each.fit(X, y)
    assert np.isfinite(each.network_.parameters).all()
    assert each.n_iter_ == len(each.loss_curve_) == len(each.network_.history.history["loss"])
    finished = each.n_iter_
    with contextlib.suppress(NonFiniteError):  # finite weights may be so large that the states overflow
        assert len(each.predict(X[:2])) == 2
    whole, _ = model(kind, solver="sgd", activation="identity", clip_norm=None, learning_rate_init=1e4)
    if finished:
        whole.set_params(max_iter=finished, batch_size=100, tol=0.0, n_iter_no_change=300).fit(X, y)
        assert_same_bits(each.network_.parameters, whole.network_.parameters)
    each.set_params(learning_rate_init=1e-3, clip_norm=1.0, max_iter=2).fit(X, y)
    assert each.n_iter_ == 2


@pytest.mark.parametrize("kind", KINDS)
def test_ctrl_c_keeps_the_finished_epochs(kind, monkeypatch):
    each, y = model(kind, max_iter=50)
    real = Patience.__call__

    def interrupted(self, net, epoch, logs):
        if epoch == 3:
            raise KeyboardInterrupt
        return real(self, net, epoch, logs)

    monkeypatch.setattr(Patience, "__call__", interrupted)
    with pytest.raises(KeyboardInterrupt):
        each.fit(X, y)
    monkeypatch.undo()
    assert each.n_iter_ == len(each.loss_curve_) == 4
    assert_same_bits(each.network_.parameters, fitted(kind, max_iter=4).network_.parameters)
    assert_same_bits(stack(each.predict(X)), stack(fitted(kind, max_iter=4).predict(X)))
    each.set_params(max_iter=5).fit(X, y)
    assert_same_bits(each.network_.parameters, fitted(kind).network_.parameters)


def test_ctrl_c_puts_the_best_weights_back(monkeypatch):
    each, y = model("regressor", max_iter=50, early_stopping=True, learning_rate_init=0.2)
    seen = []
    real = Patience.__call__

    def interrupted(self, net, epoch, logs):
        stop = real(self, net, epoch, logs)
        seen.append((self.scores[-1], net.parameters.copy()))
        if epoch == 9:
            raise KeyboardInterrupt
        return stop

    monkeypatch.setattr(Patience, "__call__", interrupted)
    with pytest.raises(KeyboardInterrupt):
        each.fit(X, y)
    best = max(range(len(seen)), key=lambda i: seen[i][0])
    assert_same_bits(each.network_.parameters, seen[best][1])
    assert each.best_validation_score_ == seen[best][0]


REFUSALS = [
    (lambda X, y: ([x[:, :1] for x in X], y, {"solver": "newton"}), ValueError),
    (lambda X, y: ([x[:, :1] for x in X], y, {"learning_rate_init": -1.0}), ValueError),
    (lambda X, y: ([x[:, :1] for x in X], y[:5], {}), ValueError),
    (lambda X, y: ([x[:, :1] * np.nan for x in X], y, {}), ValueError),
    (lambda X, y: (np.zeros((5, 9)), y, {}), ValueError),
    (lambda X, y: ([x[:, :1] for x in X], y, {"truncation": 0}), ValueError),
    (lambda X, y: ([x[:, :1] for x in X], y, {"hidden_layer_sizes": ()}), ValueError),
    (lambda X, y: ([x[:, :1] for x in X], y, {"verbose": "yes"}), TypeError),
]


@pytest.mark.parametrize(("spoil", "error"), REFUSALS)
@pytest.mark.parametrize("kind", KINDS)
def test_a_refused_refit_changes_nothing(kind, spoil, error):
    each = fitted(kind)
    before, attributes = stack(each.predict(X)), set(vars(each))
    curve, network = list(each.loss_curve_), each.network_
    given, y, options = spoil(X, model(kind)[1])
    each.set_params(**options)
    with pytest.raises(error):
        each.fit(given, y)
    assert set(vars(each)) == attributes
    assert each.n_features_in_ == 2 and each.loss_curve_ == curve and each.network_ is network
    assert each.n_iter_ == 5
    assert_same_bits(stack(each.predict(X)), before)


def test_the_threads_of_n_jobs(planned):
    cpus = elman._engine.threads(None)
    least = max(1, cpus - 1)
    for n_jobs, expected in [(None, None), (1, 1), (3, 3), (-1, cpus), (-2, least), (-1000, 1)]:
        fitted(n_jobs=n_jobs)
        assert planned[-1][2]["n_threads"] == expected


@pytest.mark.parametrize("kind", KINDS)
def test_both_directions_and_dropout_reach_the_network(kind):
    each, y = model(kind, hidden_layer_sizes=(3, 2), cell="gru", bidirectional=True, dropout=0.3)
    each.fit(X, y)
    first, second = each.network_.layers[:2]
    assert first == GRU(3, return_sequences=True, bidirectional=True, recurrent_dropout=0.3)
    assert (second.bidirectional, second.dropout, second.recurrent_dropout) == (True, 0.3, 0.3)
    again, _ = model(kind, hidden_layer_sizes=(3, 2), cell="gru", bidirectional=True, dropout=0.3)
    assert_same_bits(again.fit(X, y).network_.parameters, each.network_.parameters)
    without, _ = model(kind, hidden_layer_sizes=(3, 2), cell="gru", bidirectional=True)
    assert (without.fit(X, y).network_.parameters != each.network_.parameters).any()
    with pytest.raises(ValueError, match="bidirectional"):
        each.stream()
    with pytest.raises(ValueError, match="bidirectional"):
        each.set_params(truncation=2).fit(X, y)


# ---------------------------------------------------------------------------------------- before training


@pytest.mark.parametrize("kind", KINDS)
def test_on_start_is_called_once_when_all_is_checked(kind, tmp_path):
    each, y = model(kind, early_stopping=True, validation_fraction=0.25)
    seen = []

    def start():
        seen.append((each.validation_rows_.copy(), each.network_.history.epoch, each.n_features_in_))

    each.fit(X, y, on_start=start, checkpoint=tmp_path / "run.elman")
    ((rows, epochs, features),) = seen
    assert (epochs, features) == (0, 2)
    assert_same_bits(rows, each.validation_rows_)
    for bad in ({"solver": "newton"}, {"verbose": "yes"}):
        other, _ = model(kind, early_stopping=True, **bad)
        with pytest.raises((TypeError, ValueError)):
            other.fit(X, y, on_start=start)
    with pytest.raises(ValueError, match=r"X\[0\] has nan"):
        each.fit([x * np.nan for x in X], y, on_start=start)
    with pytest.raises(TypeError, match=r"on_start is 3 \(a int\), expected a callable or None"):
        each.fit(X, y, on_start=3)
    assert len(seen) == 1


def test_an_error_in_on_start_ends_the_fit_before_the_first_epoch():
    each, y = model("classifier")

    def start():
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        each.fit(X, y, on_start=start)
    assert each.n_iter_ == 0 and each.loss_curve_ == []
    assert_same_bits(each.fit(X, y).network_.parameters, fitted().network_.parameters)


@pytest.mark.parametrize("kind", KINDS)
def test_validation_rows_are_rows_of_x(kind):
    each, y = model(kind, early_stopping=True, validation_fraction=0.25)
    weights = np.where(np.arange(N) % 4 == 1, 0.0, 1.0)
    each.fit(X, y, sample_weight=weights)
    rows = each.validation_rows_
    assert rows.dtype == np.int64 and len(rows) == len(set(rows)) == 5  # a quarter of 18, rounded up
    assert weights[rows].all()
    score = each.score([X[i] for i in rows], [y[i] for i in rows])
    assert score == pytest.approx(each.best_validation_score_, abs=1e-12)
    if kind == "classifier":
        counts = np.bincount(Y[rows], minlength=3)
        assert counts.max() - counts.min() <= 1
    each.set_params(early_stopping=False).fit(X, y)
    assert not hasattr(each, "validation_rows_")


# ---------------------------------------------------------------------------------------- what they are


@pytest.mark.parametrize("kind", [RNNClassifier, RNNRegressor, RNNTagger])
def test_help_documents_every_parameter(kind):
    described = inspect.getdoc(kind).partition("Parameters\n----------\n")[2].partition("\n\nAttributes")[0]
    names = [line.partition(" : ")[0] for line in described.splitlines() if not line.startswith(" ")]
    assert sorted(names) == sorted(kind().get_params())
    assert [*inspect.signature(kind).parameters][:2] == ["hidden_layer_sizes", "cell"]


def test_what_is_no_parameter_is_no_attribute():
    assert not hasattr(RNNTagger(), "pooling")
    assert not hasattr(RNNRegressor(), "class_weight")
    for name in ("return_sequences", "missing_label"):
        assert not hasattr(RNNClassifier(), name)


@pytest.mark.parametrize("kind", [RNNClassifier, RNNRegressor, RNNTagger])
def test_tags(kind):
    tags = get_tags(kind())
    assert tags.input_tags.three_d_array and tags.target_tags.required
    assert tags.target_tags.two_d_labels == (kind is RNNTagger)
    assert tags.estimator_type == {RNNClassifier: "classifier", RNNRegressor: "regressor"}.get(kind)
