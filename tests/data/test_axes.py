"""Channels before steps, as aeon, sktime and MNE have them, are noticed; ordinary data are not."""

import warnings

import numpy as np
import pytest
from sklearn.exceptions import ConvergenceWarning

from elman import Dense, MaxPool, Network, SimpleRNN
from elman.features import Frames, LogSpectrum
from helpers.estimators import KINDS, make

RNG = np.random.default_rng(0)
TURNED = "If these are 3 channels of 200 steps, X.transpose.0, 2, 1. turns them"
CHANNELS = RNG.normal(size=(10, 3, 200))


def answers(kind, X):
    steps = (RNG.random(np.shape(X)[:2]) > 0.5).astype(int)
    steps[:, 0] = np.arange(len(X)) % 2
    return {"tagger": steps, "step_regressor": steps * 1.0}.get(kind, np.arange(len(X)) % 2)


def fit(kind, X):
    return make(kind, hidden_layer_sizes=2, max_iter=1).fit(X, answers(kind, X))


def network(X):
    net = Network([SimpleRNN(2), MaxPool(), Dense(1)][::2], np.shape(X)[2], seed=0)
    net.fit(X, np.zeros((len(X), 1)), epochs=1, verbose=False)
    return net


@pytest.mark.parametrize("kind", KINDS)
def test_an_estimator_says_which_axis_is_time(kind):
    with pytest.warns(UserWarning, match=f"X has 10 sequences of 3 steps and 200 features.*{TURNED}"):
        model = fit(kind, CHANNELS)
    assert model.n_features_in_ == 200
    with pytest.warns(UserWarning, match="of 1 step and 200 features.*If these are 1 channel of 200 steps"):
        fit(kind, CHANNELS[:, :1])
    with pytest.warns(UserWarning, match="If these are 3 channels of 200 steps, x.T of each sequence"):
        fit(kind, list(CHANNELS))
    fit(kind, CHANNELS.transpose(0, 2, 1))


def test_transformers_and_networks_too():
    with pytest.warns(UserWarning, match=TURNED):
        Frames(2).fit(CHANNELS)
    with pytest.warns(UserWarning, match=TURNED):
        net = network(CHANNELS)
    net.predict(CHANNELS)  # said once


@pytest.mark.parametrize(
    "shape", [(8, 28, 28), (8, 64, 200), (8, 1, 100), (8, 20, 80), (8, 200, 3), (8, 24, 64), (8, 100, 500)]
)
def test_ordinary_shapes_say_nothing(shape):
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        warnings.simplefilter("ignore", ConvergenceWarning)
        X = RNG.normal(size=shape)
        fit("classifier", X)
        network(X)


def test_wide_features_say_nothing():
    """Spectra of few windows, and vectors of words, have many features and few steps."""
    signal = np.cumsum(RNG.normal(size=(8, 1024, 2)), axis=1)  # as EEG, weaker in higher frequencies
    spectra = LogSpectrum(fs=128.0, window=256, hop=128).fit_transform(signal)
    words = RNG.normal(size=(50, 300))[RNG.integers(0, 50, (8, 12))] + RNG.normal(size=300)
    assert spectra.shape[1] * 4 < spectra.shape[2] > 100
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        warnings.simplefilter("ignore", ConvergenceWarning)
        for X in (spectra, list(spectra), words):
            make("classifier", hidden_layer_sizes=2, max_iter=1).fit(X, np.arange(8) % 2)


def test_features_that_were_standardized_one_by_one_say_nothing():
    """Over all sequences, also where these are many, or in each of them."""
    days = RNG.normal(size=(300, 5, 150))
    all_days = (days - days.mean((0, 1))) / days.std((0, 1))
    each = (days - days.mean(1, keepdims=True)) / days.std(1, keepdims=True)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        warnings.simplefilter("ignore", ConvergenceWarning)
        for X in (all_days, all_days.astype(np.float32), each, list(each)):
            make("classifier", hidden_layer_sizes=2, max_iter=1).fit(X, np.arange(300) % 2)
    scaled = (CHANNELS - CHANNELS.mean(2, keepdims=True)) / CHANNELS.std(2, keepdims=True)
    with pytest.warns(UserWarning, match=TURNED):
        fit("classifier", scaled)


def test_what_is_known_to_be_features_says_nothing():
    letters = np.eye(200)[RNG.integers(0, 200, (8, 5))]
    ragged = [RNG.normal(size=(steps, 200)) for steps in (3, 4, 5, 6)]
    pandas = pytest.importorskip("pandas")
    frames = [pandas.DataFrame(x, columns=[f"band {i}" for i in range(200)]) for x in CHANNELS]
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        warnings.simplefilter("ignore", ConvergenceWarning)
        for X in (letters, ragged, frames):
            make("classifier", hidden_layer_sizes=2, max_iter=1).fit(X, np.arange(len(X)) % 2)


def test_lists_of_channels_name_the_axes():
    X = [x[:, : 150 + i] for i, x in enumerate(CHANNELS)]
    hint = r"; a sequence is \(steps, features\), and x.T turns one of \(features, steps\)"
    with pytest.raises(ValueError, match=rf"X\[1\] has 151 features, expected 150 \(as X\[0\]\){hint}"):
        make("classifier").fit(X, np.arange(10) % 2)
    model = make("classifier", hidden_layer_sizes=2, max_iter=1).fit([x.T for x in X], np.arange(10) % 2)
    with pytest.raises(ValueError, match=rf"X\[0\] has 150 features, expected 3 \(as in fit\){hint}"):
        model.predict(X)
    with pytest.raises(ValueError, match=r"X has 200 features, expected 3 .as in fit.; time is axis 1"):
        model.predict(CHANNELS)
    net = Network([SimpleRNN(2)], 3, seed=0)
    with pytest.raises(ValueError, match=r"X has 200 features.*X.transpose\(0, 2, 1\) turns it"):
        net.predict(CHANNELS)
    with pytest.raises(ValueError, match=rf"X\[0\] has 150 features.*{hint}"):
        net.predict(X)
