"""Every bad input has its own sentence: argument, what was expected, what came; and nothing has changed."""

import pickle
import re

import numpy as np
import pytest

from elman import Dense, MeanPool, Network, Sequences, SimpleRNN
from elman.errors import ArgumentTypeError, ArgumentValueError, Mention, MentionError

NAN, INF = float("nan"), float("inf")


def classifier(**options):
    return Network([SimpleRNN(4), Dense(3, "softmax")], input_size=2, seed=0, **options)


def tagger(activation="softmax", outputs=3):
    return Network([SimpleRNN(4, return_sequences=True), Dense(outputs, activation)], input_size=2, seed=0)


def regressor(outputs=1):
    return Network([SimpleRNN(4), Dense(outputs)], input_size=2, seed=0)


X = np.zeros((4, 5, 2))
RAGGED = [np.zeros((t, 2)) for t in (5, 1, 3, 2)]
Y = [0, 1, 2, 0]


def spoil(value, place, dtype=float):
    bad = np.zeros((4, 5, 2), dtype)
    bad[place] = value
    return bad


BAD_X = [
    (np.zeros((4, 5, 3)), ValueError, "X has 3 features, expected 2 (the network's input_size)"),
    (
        [*RAGGED[:3], np.zeros((2, 5))],
        ValueError,
        "X[3] has 5 features, expected 2 (the network's input_size)",
    ),
    (Sequences(np.zeros((5, 3)), [0, 5]), ValueError, "X has 3 features, expected 2"),
    (np.zeros((4, 2)), ValueError, "X has shape (4, 2), expected three dimensions"),
    (np.zeros(3), ValueError, "X has shape (3,)"),
    (np.zeros((0, 5, 2)), ValueError, "X has no sequences"),
    ([], ValueError, "X has no sequences"),
    (Sequences(np.zeros((0, 2)), [0]), ValueError, "X has no sequences"),
    (np.zeros((4, 0, 2)), ValueError, "X has sequences of 0 steps"),
    ([RAGGED[0], np.zeros((0, 2))], ValueError, "X[1] is empty (0 steps)"),
    (Sequences(np.zeros((5, 2)), [0, 5, 5]), ValueError, "X[1] is empty (0 steps)"),
    ([np.zeros(5)], ValueError, "X[0] has shape (5,), expected two dimensions (steps, features)"),
    (spoil(NAN, (3, 1, 0)), ValueError, "X[3] has nan at step 1, feature 0"),
    (spoil(INF, (0, 4, 1)), ValueError, "X[0] has inf at step 4, feature 1"),
    (spoil(-INF, (2, 0, 1), np.float32), ValueError, "X[2] has -inf at step 0, feature 1"),
    (spoil(1e300, (2, 2, 0)), ValueError, "X[2] has 1e+300 at step 2, feature 0"),
    ([RAGGED[0], np.full((1, 2), NAN)], ValueError, "X[1] has nan at step 0"),
    (np.zeros((4, 5, 2), complex), TypeError, "X has dtype complex128, expected real numbers"),
    (np.zeros((4, 5, 2), object), TypeError, "X has dtype object"),
    (np.full((4, 5, 2), "a"), TypeError, "X has dtype <U1"),
    ([np.full((5, 2), "a")], TypeError, "X[0] has dtype <U1"),
    ("letters", TypeError, "X is 'letters' (a str)"),
    (None, TypeError, "X is None"),
    (3.0, TypeError, "X is 3.0 (a float)"),
    (np.ma.zeros((4, 5, 2)), TypeError, "X is a masked array"),
    ([None], TypeError, "X[0] has dtype object, expected real numbers"),
    ([[[0.0, 1.0], [2.0]]], ValueError, "X[0] is not one array of numbers"),
]


@pytest.mark.parametrize(("bad", "error", "message"), BAD_X, ids=[case[2] for case in BAD_X])
@pytest.mark.parametrize("method", ["predict", "states", "record", "fit", "evaluate", "loss_and_gradient"])
def test_bad_x(bad, error, message, method):
    net = classifier()
    before = net.parameters.copy()
    answers = [] if method in ("predict", "states", "record") else [Y]
    quiet = {"verbose": False} if method == "fit" else {}
    with np.errstate(all="raise"), pytest.raises(error) as raised:
        getattr(net, method)(bad, *answers, **quiet)
    assert message in str(raised.value)
    np.testing.assert_array_equal(net.parameters, before)


BAD_Y = [
    (classifier, X, [0, 1, 2], ValueError, "y has 3 answers, expected 4 (one for each sequence of X)"),
    (classifier, X, [0, 1, 2, 3], ValueError, "y[3] is 3, expected a class index from 0 to 2"),
    (classifier, X, [0, -1, 2, 0], ValueError, "y[1] is -1, expected a class index from 0 to 2 (the"),
    (classifier, X, np.array([0, 1, 2, 2**63], np.uint64), ValueError, "y[3] is 9223372036854775808"),
    (classifier, X, [0.0, 1.0, 2.0, 0.0], TypeError, "y has dtype float64, expected class indices"),
    (classifier, X, [True] * 4, TypeError, "y has dtype bool, expected class indices as integers"),
    (classifier, X, list("abca"), TypeError, "y has dtype <U1, expected numbers (other labels belong"),
    (classifier, X, [[1, 0]] * 4, ValueError, "y has 2 values an answer, expected 3"),
    (classifier, X, [[1.0, 1.0, 0.0]] * 4, ValueError, "y[0] has probabilities that sum to 2, expected 1"),
    (classifier, X, [[1.5, -0.5, 0.0]] * 4, ValueError, "y[0] is -0.5 (output 1), expected a probability"),
    (classifier, X, [[NAN] * 3] * 4, ValueError, "y[0] is nan (output 0), expected a probability"),
    (classifier, X, np.zeros((4, 5, 3)), ValueError, "y has shape (4, 5, 3), expected (n,) or (n, C)"),
    (classifier, X, [[0], [1, 2], [0], [0]], ValueError, "y is not one array of numbers"),
    (classifier, X, None, TypeError, "y is None (a NoneType), expected an array or a list of numbers"),
    (classifier, X, iter(Y), TypeError, "y is <list_iterator"),
    (classifier, X, [10**30, 0, 1, 2], TypeError, "y has dtype object, expected numbers"),
    (classifier, X, Sequences(np.zeros((4, 1)), [0, 4]), TypeError, "y is elman.Sequences"),
    (regressor, X, [0, 1, NAN, 0], ValueError, "y[2] is nan (output 0), expected a finite number"),
    (regressor, X, [0, 1, INF, 0], ValueError, "y[2] is inf (output 0), expected a finite number"),
    (regressor, X, [0, 1, 1e300, 0], ValueError, "y[2] is inf (output 0), expected a finite number"),
    (lambda: regressor(2), X, [0, 1, 2, 0], ValueError, "y has one number an answer, expected 2"),
    (tagger, X, np.zeros((4, 6), int), ValueError, "y[0] has 6 steps, expected 5 (as X[0])"),
    (tagger, RAGGED, np.zeros((4, 5), int), ValueError, "y[1] has 5 steps, expected 1 (as X[1])"),
    (tagger, X, np.zeros((3, 5), int), ValueError, "y has 3 sequences, expected 4 (as X)"),
    (tagger, X, np.zeros(4, int), ValueError, "y has shape (4,), expected (n, T) or (n, T, C)"),
    (tagger, RAGGED, [np.zeros(5, int)] * 3, ValueError, "y has 3 sequences, expected 4 (as X)"),
    (tagger, RAGGED, [np.zeros(5, int)] * 4, ValueError, "y[1] has 5 steps, expected 1 (as X[1])"),
    (tagger, X, np.full((4, 5), -2), ValueError, "y[0] at step 0 is -2, expected a class index"),
    (tagger, X, np.full((4, 5, 3), [NAN, 0.5, 0.5]), ValueError, "(a missing answer is a row of NaN alone)"),
    (tagger, X, 3, TypeError, "y is 3 (a int), expected an array or a list"),
    (lambda: tagger("sigmoid", 1), X, np.full((4, 5), 2.0), ValueError, "y[0] at step 0 is 2.0 (output 0)"),
    (lambda: tagger("sigmoid", 1), X, np.full((4, 5), -1), ValueError, "y[0] at step 0 is -1.0"),
    (lambda: tagger("identity", 1), X, np.full((4, 5), INF), ValueError, "or NaN for no answer"),
]


@pytest.mark.parametrize(
    ("make", "inputs", "bad", "error", "message"), BAD_Y, ids=[case[4] for case in BAD_Y]
)
@pytest.mark.parametrize("method", ["fit", "evaluate", "loss_and_gradient"])
def test_bad_y(make, inputs, bad, error, message, method):
    net = make()
    before = net.parameters.copy()
    with pytest.raises(error) as raised:
        getattr(net, method)(inputs, bad, **({"verbose": False} if method == "fit" else {}))
    assert message in str(raised.value)
    np.testing.assert_array_equal(net.parameters, before)


BAD_OPTIONS = [
    ({"loss": "hinge"}, ValueError, "loss is 'hinge', expected one of 'cross_entropy'"),
    ({"loss": "binary_cross_entropy"}, ValueError, "needs a Dense layer with activation 'sigmoid' last"),
    ({"loss": 3}, TypeError, "loss is 3"),
    ({"optimizer": "adagrad"}, ValueError, "optimizer is 'adagrad'"),
    ({"optimizer": None}, TypeError, "optimizer is None"),
    ({"epochs": 0}, ValueError, "epochs is 0, expected an integer of at least 1"),
    ({"epochs": 1.0}, TypeError, "epochs is 1.0 (a float)"),
    ({"epochs": True}, TypeError, "epochs is True (a bool)"),
    ({"batch_size": 0}, ValueError, "batch_size is 0"),
    ({"batch_size": None}, TypeError, "batch_size is None"),
    ({"l2": -1.0}, ValueError, "l2 is -1.0"),
    ({"l2": NAN}, ValueError, "l2 is nan"),
    ({"shuffle": "yes"}, TypeError, "shuffle is 'yes'"),
    ({"truncation": 0}, ValueError, "truncation is 0"),
    ({"truncation": 2.5}, TypeError, "truncation is 2.5"),
    ({"stateful": 1}, TypeError, "stateful is 1"),
    ({"clip_norm": 0.0}, ValueError, "clip_norm is 0.0, expected a finite number above 0"),
    ({"clip_norm": -1.0}, ValueError, "clip_norm is -1.0"),
    ({"reduction": "max"}, ValueError, "reduction is 'max', expected one of 'mean', 'sum'"),
    ({"callbacks": print}, TypeError, "callbacks is"),
    ({"callbacks": [3]}, TypeError, "callbacks[0] is 3 (a int), expected a callable"),
    ({"verbose": -1}, ValueError, "verbose is -1, expected an integer of at least 0"),
    ({"verbose": "no"}, TypeError, "verbose is 'no' (a str), expected True, False or an integer of at least"),
    ({"n_threads": 0}, ValueError, "n_threads is 0"),
    ({"n_threads": 2**31}, ValueError, "n_threads is 2147483648 (a int), expected an integer of at most"),
    ({"truncation": 10**30}, ValueError, "truncation is 1000000000000000000000000000000 (a int), expected"),
    ({"validation_data": X}, TypeError, "validation_data is"),
    ({"validation_data": (X,)}, TypeError, "validation_data is (array([[[0., 0.], [0., 0.], [0., 0.], [0"),
    ({"validation_data": (X, [0])}, ValueError, "validation_data[1] has 1 answers, expected 4"),
    ({"validation_data": (X[..., :1], Y)}, ValueError, "validation_data[0] has 1 features, expected 2"),
    ({"sample_weight": [1.0]}, ValueError, "sample_weight has shape (1,), expected (4,)"),
    ({"sample_weight": [1, 1, -1, 1]}, ValueError, "sample_weight[2] is -1.0"),
    ({"sample_weight": [1, 1, NAN, 1]}, ValueError, "sample_weight[2] is nan"),
    ({"sample_weight": [0, 0, 0, 0]}, ValueError, "sample_weight is zero everywhere"),
    ({"sample_weight": [1e-320] * 4}, ValueError, "sample_weight is zero everywhere"),
    ({"sample_weight": [1e308] * 4}, ValueError, "sample_weight has a sum of inf, expected at most 1e+300"),
    ({"sample_weight": list("abcd")}, TypeError, "sample_weight has dtype <U1"),
    ({"initial_state": 0}, TypeError, "initial_state is 0 (a int), expected a list with one entry"),
    ({"initial_state": []}, ValueError, "initial_state has 0 entries, expected 1 (one a recurrent layer)"),
    ({"initial_state": [np.zeros((4, 3))]}, ValueError, "initial_state[0] has shape (4, 3), expected (4, 4)"),
    ({"initial_state": [np.full((4, 4), NAN)]}, ValueError, "initial_state[0] has nan in row 0, expected"),
    ({"initial_state": [None], "stateful": True}, ValueError, "initial_state is given, expected None where"),
    ({"checkpoint": 3}, TypeError, "checkpoint is 3 (a int), expected a path"),
    ({"checkpoint": b"run"}, TypeError, "checkpoint is b'run' (a bytes), expected a path"),
    ({"resume": True}, ValueError, "resume is True without a checkpoint, expected the path of one"),
    ({"resume": "yes"}, TypeError, "resume is 'yes' (a str), expected True or False"),
    ({"memory": "low"}, ValueError, "memory is 'low', expected 'auto' or an integer of bytes"),
    ({"memory": 1e6}, TypeError, "memory is 1000000.0 (a float), expected 'auto' or an integer of bytes"),
    ({"memory": True}, TypeError, "memory is True (a bool), expected 'auto' or an integer of bytes"),
    ({"memory": 0}, ValueError, "memory is 0, expected an integer of at least 1"),
    ({"memory": 1000}, ValueError, "memory is 1000, expected at least "),
]


@pytest.mark.parametrize(("options", "error", "message"), BAD_OPTIONS, ids=[case[2] for case in BAD_OPTIONS])
def test_bad_options_change_nothing(options, error, message):
    net = classifier()
    net.fit(X, Y, epochs=2, verbose=False)
    before, history = net.parameters.copy(), net.history
    counters = (net.model.epoch, net.model.updates, net.model.optimizer)
    with pytest.raises(error) as raised:
        net.fit(X, Y, **({"verbose": False} | options))
    assert message in str(raised.value)
    np.testing.assert_array_equal(net.parameters, before)
    assert net.history is history
    assert counters == (net.model.epoch, net.model.updates, net.model.optimizer)


def test_truncation_needs_no_pool():
    net = Network([SimpleRNN(4, return_sequences=True), MeanPool(), Dense(3, "softmax")], 2, seed=0)
    with pytest.raises(ValueError, match=r"truncation is 2, expected None: layers\[1\] \(MeanPool\)"):
        net.fit(X, Y, truncation=2, verbose=False)


@pytest.mark.parametrize(
    ("gradient", "error", "message"),
    [
        (np.zeros(3), ValueError, "gradient has shape (3,)"),
        (list("ab"), TypeError, "gradient has dtype <U1"),
        (np.full(43, NAN), ValueError, "gradient[0] is nan"),
    ],
)
def test_update_checks_its_gradient(gradient, error, message):
    net = classifier()
    assert net.parameters.size == 43
    with pytest.raises(error) as raised:
        net.update(gradient, "sgd")
    assert message in str(raised.value)


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: SimpleRNN(2**20 + 1), "units is 1048577 (a int), expected an integer of at most 1048576"),
        (lambda: Dense(10**30), "units is 1000000000000000000000000000000 (a int), expected an integer of"),
        (lambda: Network([SimpleRNN(4)], 2**62), "input_size is 4611686018427387904 (a int), expected an"),
        (lambda: classifier().stream(rows=10**30), "rows is 1000000000000000000000000000000 (a int), exp"),
    ],
)
def test_sizes_beyond_the_engine_are_refused_by_name(make, message):
    with pytest.raises(ValueError, match=re.escape(message)):
        make()


def test_one_feature_is_asked_for_by_example():
    net = Network([SimpleRNN(4)], input_size=1, seed=0)
    with pytest.raises(ValueError, match=re.escape("a univariate one is X[1][:, None]")):
        net.predict([np.zeros((5, 1)), np.zeros(5)])


def test_streams_refuse_what_is_no_step():
    stream = classifier().stream()
    with pytest.raises(ValueError, match=r"."):
        stream.step([1.0, 2.0, 3.0])
    with pytest.raises(ValueError, match=r"."):
        stream.step([1.0, NAN])
    with pytest.raises(ValueError, match="rows is 0"):
        classifier().stream(rows=0)


def test_answers_may_be_missing_per_step():
    y = np.full((4, 5), -1)
    y[0, 0] = 2
    assert tagger().evaluate(X, y)["loss"] == pytest.approx(
        tagger().evaluate(X[:1, :1], y[:1, :1])["loss"], rel=1e-6
    )
    nothing = tagger().evaluate(X, np.full((4, 5), -1))
    assert np.isnan(nothing["loss"])
    net = tagger()
    before = net.parameters.copy()
    net.fit(X, np.full((4, 5), -1), verbose=False)
    np.testing.assert_array_equal(net.parameters, before)
    assert net.model.updates == 0


def test_errors_that_carry_their_argument_can_be_pickled():
    mentions = MentionError("'a=.csv' has no column 'x' (", Mention("features[1]"), ")")
    value = ArgumentValueError("X[3]", "has 5 features", "6")
    for error in (mentions, value, ArgumentTypeError("units", "is '3'", "an integer")):
        again = pickle.loads(pickle.dumps(error))
        assert (type(again), str(again), again.argument) == (type(error), str(error), error.argument)
    assert (mentions.argument, value.argument) == ("features", "X")


def test_only_the_mention_is_spelled_anew():
    error = MentionError(
        "'label=.csv' (label=): is it ", Mention("header", True), " or ", Mention("fs", bare=True)
    )
    assert str(error) == "'label=.csv' (label=): is it header=True or fs"
    assert (
        error.spelled(lambda mention: f"<{mention.name}>") == "'label=.csv' (label=): is it <header> or <fs>"
    )
