"""Every bad input has its own sentence: argument, what was expected, what came; and nothing has changed."""

import numpy as np
import pytest

from elman import RNNClassifier, RNNRegressor, RNNTagger, Sequences

X = np.zeros((4, 5, 2))
RAGGED = [np.zeros((t, 2)) for t in (5, 1, 3, 2)]
Y = [0, 1, 0, 1]
NAN, INF = float("nan"), float("inf")


def spoilt(value, place):
    bad = X.copy()
    bad[place] = value
    return bad


BAD_X = [
    ([*RAGGED[:3], np.zeros((2, 5))], ValueError, "X[3] has 5 features, expected 2 (as "),
    (spoilt(NAN, (3, 1, 0)), ValueError, "X[3] has nan at step 1, feature 0"),
    (spoilt(-INF, (0, 4, 1)), ValueError, "X[0] has -inf at step 4, feature 1"),
    ([*RAGGED[:2], np.full((3, 2), NAN), RAGGED[3]], ValueError, "X[2] has nan at step 0, feature 0"),
    (Sequences(np.full((4, 2), INF), [0, 1, 2, 3, 4]), ValueError, "X[0] has inf at step 0, feature 0"),
    ([], ValueError, "X has no sequences, expected at least one"),
    (np.zeros((0, 5, 2)), ValueError, "X has no sequences, expected at least one"),
    (Sequences(np.zeros((0, 2)), [0]), ValueError, "X has no sequences, expected at least one"),
    (np.zeros((4, 0, 2)), ValueError, "X has sequences of 0 steps, expected at least one step"),
    ([*RAGGED[:3], np.zeros((0, 2))], ValueError, "X[3] is empty (0 steps), expected at least one step"),
    ([np.zeros(())] * 4, ValueError, "X[0] has shape (), expected two dimensions (steps, features)"),
    ([np.zeros((2, 2, 2))] * 4, ValueError, "X[0] has shape (2, 2, 2), expected two dimensions"),
    (["abc"] * 4, TypeError, "X[0] has dtype <U3, expected real numbers"),
    ([None] * 4, TypeError, "X[0] has dtype object, expected real numbers"),
    (X.astype(complex), TypeError, "X has dtype complex128, expected real numbers"),
    (X.astype(object), TypeError, "X has dtype object, expected real numbers"),
    (np.ma.masked_array(X), TypeError, "X is a masked array, expected a plain one"),
    (None, TypeError, "X is None (a NoneType), expected an array (n, T, F), a list of arrays (T, F)"),
    ("letters", TypeError, "X is 'letters' (a str), expected an array (n, T, F)"),
    (3.0, TypeError, "X is 3.0 (a float), expected an array (n, T, F)"),
    ({"a": 1}, TypeError, "X is {'a': 1} (a dict), expected an array (n, T, F)"),
    ((x for x in RAGGED), TypeError, "(a generator), expected an array (n, T, F)"),
    # 2-D, in scikit-learn's own words
    (np.full((4, 5), NAN), ValueError, "Input X contains NaN"),
    (np.full((4, 5), INF), ValueError, "Input X contains infinity"),
    (np.zeros((0, 5)), ValueError, "Found array with 0 sample(s)"),
    (np.zeros((4, 0)), ValueError, "0 feature(s)"),
    (np.zeros(4), ValueError, "Expected 2D array, got 1D array instead"),
    (np.zeros((2, 2, 2, 2)), ValueError, "dim 4"),
    (np.full((4, 5), "a"), ValueError, "could not convert string to float"),
]


@pytest.mark.parametrize("kind", [RNNClassifier, RNNRegressor, RNNTagger])
@pytest.mark.parametrize(("bad", "error", "said"), BAD_X, ids=[case[2] for case in BAD_X])
def test_bad_x_has_its_sentence(kind, bad, error, said):
    y = [np.arange(len(x)) % 2 for x in RAGGED] if kind is RNNTagger else Y
    model = kind(3, max_iter=1)
    with pytest.raises(error) as raised:
        model.fit(bad, y)
    assert said in str(raised.value)
    assert not [name for name in vars(model) if name.endswith("_")]
    table = isinstance(bad, np.ndarray) and bad.ndim == 2
    if kind is RNNTagger and table:
        y = [np.arange(5) % 2] * 4
    fitted = kind(3, max_iter=1).fit(np.zeros((4, 5)) if table else RAGGED, y)
    before = fitted.network_.parameters.copy()
    with pytest.raises((ValueError, TypeError)):
        fitted.predict(bad)
    np.testing.assert_array_equal(fitted.network_.parameters, before)


BAD_PARAMETERS = [
    ({"hidden_layer_sizes": ()}, ValueError, "hidden_layer_sizes is () (a tuple), expected a number of"),
    ({"hidden_layer_sizes": (4, 0)}, ValueError, "hidden_layer_sizes[1] is 0, expected an integer"),
    ({"hidden_layer_sizes": -3}, ValueError, "hidden_layer_sizes[0] is -3, expected an integer"),
    ({"hidden_layer_sizes": "64"}, TypeError, "hidden_layer_sizes is '64' (a str)"),
    ({"hidden_layer_sizes": 4.0}, TypeError, "hidden_layer_sizes is 4.0 (a float)"),
    ({"hidden_layer_sizes": (4.0,)}, TypeError, "hidden_layer_sizes[0] is 4.0 (a float)"),
    ({"hidden_layer_sizes": True}, TypeError, "hidden_layer_sizes is True (a bool)"),
    ({"cell": "transformer"}, ValueError, "cell is 'transformer', expected one of 'rnn', 'gru', 'lstm'"),
    ({"cell": None}, TypeError, "cell is None"),
    ({"activation": "softplus"}, ValueError, "activation is 'softplus', expected one of 'tanh', 'relu'"),
    ({"bidirectional": "yes"}, TypeError, "bidirectional is 'yes' (a str), expected True or False"),
    ({"solver": "newton"}, ValueError, "solver is 'newton', expected one of 'adam', 'sgd', 'lbfgs', 'lm'"),
    ({"alpha": -1.0}, ValueError, "alpha is -1.0, expected a finite number of at least 0"),
    ({"alpha": INF}, ValueError, "alpha is inf"),
    ({"batch_size": 0}, ValueError, "batch_size is 0, expected an integer of at least 1"),
    ({"batch_size": "auto"}, TypeError, "batch_size is 'auto' (a str), expected an integer"),
    ({"learning_rate_init": 0.0}, ValueError, "learning_rate_init is 0.0, expected a finite number above 0"),
    ({"learning_rate_init": "fast"}, TypeError, "learning_rate_init is 'fast'"),
    ({"learning_rate": "adaptive"}, ValueError, "learning_rate is 'adaptive', expected one of 'constant'"),
    ({"max_iter": 0}, ValueError, "max_iter is 0, expected an integer of at least 1"),
    ({"max_iter": 10.0}, TypeError, "max_iter is 10.0 (a float)"),
    ({"shuffle": 1}, TypeError, "shuffle is 1 (a int), expected True or False"),
    ({"random_state": -1}, ValueError, "random_state is -1, expected an integer of at least 0"),
    ({"random_state": "lucky"}, TypeError, "random_state is 'lucky' (a str), expected an integer"),
    ({"tol": -1.0}, ValueError, "tol is -1.0, expected a finite number of at least 0"),
    ({"tol": NAN}, ValueError, "tol is nan"),
    ({"verbose": "yes"}, TypeError, "verbose is 'yes' (a str), expected True, False or an integer"),
    ({"verbose": -1}, ValueError, "verbose is -1"),
    ({"warm_start": 1}, TypeError, "warm_start is 1 (a int), expected True or False"),
    ({"clip_norm": 0.0}, ValueError, "clip_norm is 0.0, expected a finite number above 0"),
    ({"early_stopping": None}, TypeError, "early_stopping is None"),
    ({"validation_fraction": 1.0}, ValueError, "validation_fraction is 1.0, expected"),
    ({"validation_fraction": 0.0}, ValueError, "validation_fraction is 0.0, expected"),
    ({"n_iter_no_change": 0}, ValueError, "n_iter_no_change is 0, expected an integer of at least 1"),
    ({"truncation": 0}, ValueError, "truncation is 0, expected an integer of at least 1"),
    ({"dropout": 1.0}, ValueError, "dropout is 1.0, expected a number from 0 to below 1"),
    ({"input_noise": -0.1}, ValueError, "input_noise is -0.1, expected a finite number of at least 0"),
    ({"dtype": "float16"}, ValueError, "dtype is 'float16', expected 'float32' or 'float64'"),
    ({"dtype": 3}, TypeError, "dtype is 3 (a int), expected 'float32' or 'float64'"),
    ({"standardize": "yes"}, TypeError, "standardize is 'yes' (a str), expected True or False"),
    ({"n_jobs": 0}, ValueError, "n_jobs is 0, expected None, a number of threads, or -1 for all CPUs"),
    ({"n_jobs": 1.5}, TypeError, "n_jobs is 1.5 (a float)"),
]


@pytest.mark.parametrize(("options", "error", "said"), BAD_PARAMETERS, ids=str)
@pytest.mark.parametrize("kind", [RNNClassifier, RNNRegressor, RNNTagger])
def test_a_bad_parameter_has_its_sentence_in_fit(kind, options, error, said):
    y = [np.arange(len(x)) % 2 for x in RAGGED] if kind is RNNTagger else Y
    model = kind(**options)
    with pytest.raises(error) as raised:
        model.fit(RAGGED, y)
    assert said in str(raised.value)
    assert not [name for name in vars(model) if name.endswith("_")]


def test_parameters_that_belong_to_some_alone():
    with pytest.raises(ValueError, match="pooling is 'sum', expected one of 'last', 'mean', 'max'"):
        RNNClassifier(pooling="sum").fit(RAGGED, Y)
    with pytest.raises(ValueError, match="truncation is 2, expected None with pooling 'mean'"):
        RNNRegressor(pooling="mean", truncation=2).fit(RAGGED, Y)
    with pytest.raises(ValueError, match="activation is 'relu', expected 'tanh' with cell 'gru'"):
        RNNClassifier(cell="gru", activation="relu").fit(RAGGED, Y)
    with pytest.raises(TypeError, match="return_sequences is 1"):
        RNNRegressor(return_sequences=1).fit(RAGGED, Y)


def test_one_sequence_is_not_taken_for_several():
    model = RNNClassifier(3, max_iter=1).fit(RAGGED, Y)
    with pytest.raises(ValueError, match=r"X is 2-D, expected sequences as in fit.*; one sequence is \[X\]"):
        model.predict(RAGGED[0])
    with pytest.raises(ValueError, match="X is a collection of sequences, expected 2-D input as in fit"):
        RNNClassifier(3, max_iter=1).fit(np.zeros((4, 5)), Y).predict(RAGGED)
