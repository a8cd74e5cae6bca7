"""The estimators in scikit-learn's own eyes: every check of check_estimator passes, and its tools work."""

import copy
import inspect
import pickle
import threading

import joblib
import numpy as np
import pytest
import sklearn
from sklearn.base import BaseEstimator, TransformerMixin, clone, is_classifier, is_regressor
from sklearn.calibration import CalibratedClassifierCV
from sklearn.compose import TransformedTargetRegressor
from sklearn.ensemble import VotingClassifier
from sklearn.model_selection import (
    GridSearchCV,
    KFold,
    cross_val_predict,
    cross_val_score,
    cross_validate,
    learning_curve,
)
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.utils.estimator_checks import check_estimator

from elman import RNNClassifier, RNNRegressor, RNNTagger, Sequences
from helpers.support import assert_same_bits, stack

RNG = np.random.default_rng(5)
N = 30
LENGTHS = RNG.integers(2, 8, size=N)
CLASSES = np.array(["left", "right"])[np.arange(N) % 2]
SIDES = np.where(CLASSES == "left", 2.0, -2.0)
RAGGED = [RNG.normal(size=(n, 2)) + side for n, side in zip(LENGTHS, SIDES, strict=True)]
CUBE = RNG.normal(size=(N, 5, 2)) + SIDES[:, None, None]
TABLE = CUBE[:, :, 0]
FORMS = {"list": RAGGED, "cube": CUBE, "table": TABLE}
ESTIMATORS = [RNNClassifier, RNNRegressor, RNNTagger]


def quick(kind=RNNClassifier, **options):
    own = {"hidden_layer_sizes": 4, "max_iter": 15, "learning_rate_init": 0.02, "random_state": 0}
    return kind(**own | options)


# ---------------------------------------------------------------------------------------- check_estimator

# Those that pass as they are. What does not is not for these checks: with early_stopping some of their data
# cannot be split by class; warm_start does not begin anew; partial_fit refuses rates that end; and that
# weights act as repeated rows is checked to nine digits after 200 epochs, which float32, minibatches and
# noise cannot keep. One check of regressors sets alpha to 0.01: too much for the many weights of gated cells.
VARIANTS = [
    {"pooling": "max"},
    {"hidden_layer_sizes": (8, 4)},
    {"solver": "sgd"},
    {"standardize": False},
    {"activation": "relu"},
    {"truncation": 2},
    {"clip_norm": None},
    {"alpha": 0.01},
    {"n_jobs": 1},
    {"shuffle": False},
]


def check(estimator):
    """With an empty list of expected failures; none is skipped by us."""
    results = check_estimator(estimator, expected_failed_checks={}, on_fail=None, on_skip=None)
    failed = {r["check_name"]: r["exception"] for r in results if r["status"] == "failed"}
    assert not failed
    skipped = {r["check_name"] for r in results if r["status"] != "passed"}
    assert skipped <= {"check_array_api_input"}  # which needs SCIPY_ARRAY_API=1
    assert len(results) > 50


@pytest.mark.filterwarnings("ignore")  # the checks warn of much that is theirs
@pytest.mark.parametrize(
    "estimator",
    [
        RNNClassifier(),
        RNNRegressor(),
        RNNClassifier((8, 4), pooling="max", class_weight="balanced"),
        RNNRegressor((8, 4), alpha=0.01, clip_norm=None),
    ],
    ids=repr,
)
def test_check_estimator(estimator):
    check(estimator)


@pytest.mark.prove
@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize(
    "estimator",
    [kind(**options) for options in VARIANTS for kind in (RNNClassifier, RNNRegressor)]
    + [RNNClassifier(cell="gru"), RNNClassifier(cell="lstm"), RNNClassifier(class_weight="balanced")],
    ids=repr,
)
def test_check_estimator_with_other_parameters(estimator):
    check(estimator)


def test_what_they_say_they_are():
    assert is_classifier(RNNClassifier()) and is_regressor(RNNRegressor())
    assert not is_classifier(RNNTagger()) and not is_regressor(RNNTagger())


@pytest.mark.parametrize("kind", ESTIMATORS)
def test_the_parameters_are_those_that_were_agreed(kind):
    expected = {
        "hidden_layer_sizes": (64,),
        "cell": "rnn",
        "activation": "tanh",
        "bidirectional": False,
        "pooling": "last",
        "solver": "adam",
        "alpha": 0.0,
        "batch_size": 32,
        "learning_rate_init": 1e-3,
        "learning_rate": "constant",
        "max_iter": 200,
        "shuffle": True,
        "random_state": None,
        "tol": 1e-4,
        "verbose": False,
        "warm_start": False,
        "clip_norm": 1.0,
        "early_stopping": False,
        "validation_fraction": 0.1,
        "n_iter_no_change": 10,
        "class_weight": None,
        "truncation": None,
        "dropout": 0.0,
        "input_noise": 0.0,
        "dtype": None,
        "standardize": True,
        "n_jobs": None,
    }
    if kind is RNNTagger:
        del expected["pooling"]
        expected["missing_label"] = "auto"
    if kind is RNNRegressor:
        del expected["class_weight"]
        expected["return_sequences"] = False
    assert kind().get_params() == expected
    first = next(iter(inspect.signature(kind).parameters.values()))
    assert (first.name, first.kind) == ("hidden_layer_sizes", first.POSITIONAL_OR_KEYWORD)
    assert kind((8, 4)).hidden_layer_sizes == (8, 4)


@pytest.mark.parametrize("kind", ESTIMATORS)
def test_init_stores_what_it_is_given_and_checks_nothing(kind):
    strange = {name: object() for name in kind().get_params()}
    each = kind(**strange)
    assert each.get_params() == strange
    assert each.set_params(alpha=3, cell="gru").get_params() == strange | {"alpha": 3, "cell": "gru"}
    with pytest.raises(ValueError, match="Invalid parameter 'units'"):
        each.set_params(units=3)


@pytest.mark.parametrize("kind", ESTIMATORS)
def test_a_fit_leaves_the_parameters_alone(kind):
    each = quick(kind, hidden_layer_sizes=[4, 3], max_iter=1)
    before = copy.deepcopy(each.get_params())
    y = [np.where(x[:, 0] > 0, 1, 0) for x in RAGGED] if kind is RNNTagger else np.arange(N) % 2
    assert each.fit(RAGGED, y) is each
    assert each.get_params() == before
    new = clone(each)
    assert not hasattr(new, "network_") and new.get_params() == before


# ---------------------------------------------------------------------------------------- tools


def answers(kind, X):
    if kind is RNNClassifier:
        return CLASSES
    if kind is RNNRegressor:
        return np.array([x.sum() for x in X])
    labels = [np.where(x.reshape(len(x), -1)[:, 0] > 0.0, 7, 3) for x in X]
    return labels if isinstance(X, list) else np.stack(labels)


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("kind", ESTIMATORS)
def test_cross_validation_and_search(kind, form):
    X = FORMS[form]
    y = answers(kind, X)
    scores = cross_val_score(quick(kind), X, y, cv=3)
    assert scores.shape == (3,) and scores.min() > 0.5
    grid = {"hidden_layer_sizes": [(1,), (6,)], "alpha": [0.0, 5.0]}
    search = GridSearchCV(quick(kind, max_iter=40), grid, cv=2).fit(X, y)
    assert search.best_params_["alpha"] == 0.0
    assert search.best_estimator_.score(X, y) == search.score(X, y)
    assert len(search.predict(X)) == N
    halves = {"train_sizes": [0.5, 1.0], "shuffle": True, "random_state": 0}
    sizes, train, test = learning_curve(quick(kind), X, y, cv=2, **halves)
    assert sizes.tolist() == [7, 15] and train.shape == test.shape == (2, 2)


@pytest.mark.parametrize("form", FORMS)
def test_a_search_in_two_processes_finds_the_same(form):
    X = FORMS[form]
    grid = {"hidden_layer_sizes": [2, 5], "pooling": ["last", "mean"]}
    serial = GridSearchCV(quick(max_iter=5), grid, cv=2).fit(X, CLASSES)
    parallel = GridSearchCV(quick(max_iter=5), grid, cv=2, n_jobs=2).fit(X, CLASSES)
    assert serial.best_params_ == parallel.best_params_
    assert_same_bits(serial.cv_results_["mean_test_score"], parallel.cv_results_["mean_test_score"])
    mine, theirs = (each.best_estimator_.network_.parameters for each in (serial, parallel))
    assert_same_bits(mine, theirs)


def test_threads_of_joblib_find_the_same():
    serial = cross_validate(quick(), RAGGED, CLASSES, cv=3, return_estimator=True)
    with joblib.parallel_config(backend="threading", n_jobs=2):
        threads = cross_validate(quick(), RAGGED, CLASSES, cv=3, return_estimator=True)
    assert_same_bits(serial["test_score"], threads["test_score"])
    for mine, theirs in zip(serial["estimator"], threads["estimator"], strict=True):
        assert_same_bits(mine.network_.parameters, theirs.network_.parameters)


@pytest.mark.parametrize("form", FORMS)
def test_cross_val_predict(form):
    X = FORMS[form]
    found = cross_val_predict(quick(), X, CLASSES, cv=3)
    assert found.shape == (N,) and (found == CLASSES).mean() > 0.8
    p = cross_val_predict(quick(), X, CLASSES, cv=3, method="predict_proba")
    assert p.shape == (N, 2) and np.allclose(p.sum(1), 1.0)


def test_cross_val_predict_of_every_step():
    labels = answers(RNNTagger, CUBE)
    assert cross_val_predict(quick(RNNTagger), CUBE, labels, cv=3).shape == (N, 5)
    objects, y = np.empty(N, object), np.empty(N, object)
    objects[:], y[:] = RAGGED, answers(RNNTagger, RAGGED)
    found = cross_val_predict(quick(RNNTagger), objects, y, cv=3)  # rows of several lengths: an object array
    assert [len(row) for row in found] == LENGTHS.tolist()
    assert np.mean(np.concatenate(found) == np.concatenate(y)) > 0.8


def test_sequences_can_be_split():
    X = Sequences(np.concatenate(RAGGED), np.cumsum([0, *LENGTHS]))
    found, expected = (cross_val_score(quick(), form, CLASSES, cv=3) for form in (X, RAGGED))
    assert_same_bits(found, expected)


def test_a_pipeline_of_tables():
    pandas = pytest.importorskip("pandas")
    frame = pandas.DataFrame(TABLE, columns=list("abcde"))
    pipeline = make_pipeline(StandardScaler(), quick()).set_output(transform="pandas")
    pipeline.fit(frame, CLASSES)
    assert pipeline[-1].feature_names_in_.tolist() == list("abcde")
    assert pipeline.score(frame, CLASSES) > 0.9
    plain = make_pipeline(StandardScaler(), quick()).fit(TABLE, CLASSES)
    # nearly: a frame lies in memory column by column, and so StandardScaler sums it in another order
    np.testing.assert_allclose(plain.predict_proba(TABLE), pipeline.predict_proba(frame), rtol=1e-9)
    search = GridSearchCV(pipeline, {"rnnclassifier__hidden_layer_sizes": [2, 4]}, cv=2).fit(frame, CLASSES)
    assert search.score(frame, CLASSES) > 0.9


class Differences(TransformerMixin, BaseEstimator):
    """A transformer of lists."""

    def fit(self, X, y=None):
        return self

    def transform(self, X):
        return [np.column_stack([x, np.diff(x, axis=0, prepend=x[:1])]) for x in X]


def test_a_pipeline_of_lists():
    pipeline = make_pipeline(Differences(), quick())
    assert cross_val_score(pipeline, RAGGED, CLASSES, cv=3).min() > 0.8
    assert pipeline.fit(RAGGED, CLASSES)[-1].n_features_in_ == 4


@pytest.mark.parametrize("form", FORMS)
def test_other_estimators_around_ours(form):
    X = FORMS[form]
    calibrated = CalibratedClassifierCV(quick(), cv=2).fit(X, CLASSES)
    assert calibrated.predict_proba(X).shape == (N, 2) and calibrated.score(X, CLASSES) > 0.8
    voting = VotingClassifier([("small", quick(hidden_layer_sizes=2)), ("large", quick())], voting="soft")
    assert voting.fit(X, CLASSES).score(X, CLASSES) > 0.8
    y = np.array([x.sum() for x in X])
    target = TransformedTargetRegressor(quick(RNNRegressor), func=np.cbrt, inverse_func=lambda v: v**3)
    assert target.fit(X, y).predict(X).shape == (N,)


@pytest.mark.parametrize("kind", ESTIMATORS)
def test_copies_and_clones_train_alike(kind):
    y = answers(kind, RAGGED)
    each = quick(kind, max_iter=3).fit(RAGGED, y)
    expected = stack(each.predict(RAGGED))
    for other in (pickle.loads(pickle.dumps(each)), copy.deepcopy(each), clone(each).fit(RAGGED, y)):
        assert_same_bits(stack(other.predict(RAGGED)), expected)
        other.partial_fit(RAGGED, y)  # is its own
        assert_same_bits(stack(each.predict(RAGGED)), expected)
    twin = pickle.loads(pickle.dumps(each))
    assert twin.partial_fit(RAGGED, y).loss_curve_ == each.partial_fit(RAGGED, y).loss_curve_


def test_weights_are_routed():
    generator = np.random.default_rng(1)
    weights = generator.uniform(0.1, 3.0, size=N)
    with sklearn.config_context(enable_metadata_routing=True):
        each = quick().set_fit_request(sample_weight=True).set_score_request(sample_weight=True)
        cv, params = KFold(2), {"sample_weight": weights}
        found = cross_validate(each, RAGGED, CLASSES, cv=cv, params=params, return_estimator=True)
    for (train, test), mine, score in zip(
        cv.split(RAGGED), found["estimator"], found["test_score"], strict=True
    ):
        plain = quick().fit([RAGGED[i] for i in train], CLASSES[train], weights[train])
        assert_same_bits(mine.network_.parameters, plain.network_.parameters)
        assert score == plain.score([RAGGED[i] for i in test], CLASSES[test], weights[test])


def test_one_estimator_answers_several_threads_at_once():
    each = quick().fit(RAGGED, CLASSES)
    expected, found = each.predict_proba(RAGGED), [None] * 4

    def predict(i):
        for _ in range(20):
            found[i] = each.predict_proba(RAGGED)

    threads = [threading.Thread(target=predict, args=(i,)) for i in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    for p in found:
        assert_same_bits(p, expected)


@pytest.mark.parametrize("kind", ESTIMATORS)
def test_an_estimator_says_what_it_is(kind):
    assert repr(kind(8, max_iter=3)) == f"{kind.__name__}(hidden_layer_sizes=8, max_iter=3)"
    assert kind.__name__ in kind(8)._repr_html_()


METHODS = ["predict", "predict_proba", "predict_log_proba", "score", "stream", "save"]


@pytest.mark.parametrize("method", METHODS)
def test_before_fit_nothing_is_answered(method, tmp_path):
    from sklearn.exceptions import NotFittedError

    arguments = {"score": (RAGGED, CLASSES), "stream": (), "save": (tmp_path / "m",)}.get(method, (RAGGED,))
    for kind in ESTIMATORS:
        if hasattr(kind, method):
            with pytest.raises(NotFittedError):
                getattr(kind(), method)(*arguments)


def test_log_probabilities_are_logarithms():
    each = quick().fit(RAGGED, CLASSES)
    np.testing.assert_array_equal(each.predict_log_proba(RAGGED), np.log(each.predict_proba(RAGGED)))
    each.network_.weights["1.bias"][:] = [-1e4, 1e4]
    assert each.predict_log_proba(RAGGED)[0].tolist() == [-np.inf, 0.0]  # without a warning
