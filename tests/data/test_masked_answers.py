"""Masked arrays as answers: the mask would be lost without a word, so each is a TypeError that names it."""

import numpy as np
import pytest

import elman
from elman import Dense, Network, RNNClassifier, RNNRegressor, RNNTagger, SimpleRNN
from elman.anaesthesia.depths import depth
from elman.anaesthesia.scores import score
from elman.evaluation import Hysteresis, TemperatureScaling, chunk, event_scores, folds, reliability

RNG = np.random.default_rng(0)
X = RNG.normal(size=(12, 5, 1))
Y = np.arange(12) % 3
STEPS = [RNG.integers(0, 3, 5) for _ in X]
SHARES = np.where(np.arange(3) == np.where(np.arange(12) < 3, 2, Y)[:, None], 0.5, 0.25)
MASKED = np.ma.masked_equal(Y, 2)
NUMBERS = np.ma.masked_equal(1.0 * Y, 2.0)
MASKED_STEPS = [np.ma.masked_equal(row, 1) for row in STEPS]
QUICK = {"hidden_layer_sizes": 2, "max_iter": 1, "random_state": 0}
CLASSIFIER = RNNClassifier(**QUICK).fit(X, Y)
REGRESSOR = RNNRegressor(**QUICK).fit(X, 1.0 * Y)
TAGGER = RNNTagger(**QUICK).fit(X, STEPS)
PER_STEP = RNNRegressor(**QUICK, return_sequences=True)
NET = Network([SimpleRNN(2), Dense(3, "softmax")], input_size=1, seed=0)
STEP_NET = Network([SimpleRNN(2, return_sequences=True), Dense(3, "softmax")], input_size=1, seed=0)
SCALING = TemperatureScaling().fit(SHARES, Y)

CALLS = {
    "classifier": ("y", lambda: RNNClassifier(**QUICK).fit(X, MASKED)),
    "classifier, a table": ("y", lambda: RNNClassifier(**QUICK).fit(X[:, :, 0], MASKED)),
    "classifier, a list": ("y[2]", lambda: RNNClassifier(**QUICK).fit(X, list(MASKED))),
    "classifier.score": ("y", lambda: CLASSIFIER.score(X, MASKED)),
    "classifier.score, weights": ("sample_weight", lambda: CLASSIFIER.score(X, Y, NUMBERS)),
    "classifier.partial_fit": (
        "classes",
        lambda: RNNClassifier(**QUICK).partial_fit(X, Y, classes=MASKED[:3]),
    ),
    "regressor": ("y", lambda: RNNRegressor(**QUICK).fit(X, NUMBERS)),
    "regressor, rows": ("y[0]", lambda: RNNRegressor(**QUICK).fit(X, [NUMBERS[:3]] * 12)),
    "regressor.score": ("y", lambda: REGRESSOR.score(X, NUMBERS)),
    "regressor per step": ("y[0]", lambda: PER_STEP.fit(X, MASKED_STEPS)),
    "tagger": ("y[0]", lambda: RNNTagger(**QUICK).fit(X, MASKED_STEPS)),
    "tagger, an array": ("y", lambda: RNNTagger(**QUICK).fit(X, np.ma.masked_equal(STEPS, 1))),
    "tagger.score": ("y[0]", lambda: TAGGER.score(X, MASKED_STEPS)),
    "net.fit": ("y", lambda: NET.fit(X, MASKED, verbose=False)),
    "net.evaluate": ("y[2]", lambda: NET.evaluate(X, list(MASKED))),
    "net.loss_and_gradient": ("y[0]", lambda: STEP_NET.loss_and_gradient(X, MASKED_STEPS)),
    "validation_data": (
        "validation_data[1]",
        lambda: NET.fit(X, Y, validation_data=(X, MASKED), verbose=False),
    ),
    "weights": ("sample_weight[2]", lambda: NET.fit(X, Y, sample_weight=list(NUMBERS), verbose=False)),
    "learner": ("y", lambda: NET.online("sgd").step([0.5], np.ma.array([0.5, 0.5, 0.0], mask=[0, 0, 1]))),
    "check_gradient": ("y", lambda: elman.check_gradient(NET, X, MASKED)),
    "reliability": ("y", lambda: reliability(MASKED, SHARES)),
    "reliability, probabilities": ("probabilities", lambda: reliability(Y, np.ma.array(SHARES))),
    "reliability, classes": ("classes", lambda: reliability(Y, SHARES, classes=MASKED[:3])),
    "temperature": ("y", lambda: TemperatureScaling().fit(SHARES, MASKED)),
    "temperature, probabilities": ("X", lambda: SCALING.predict_proba(np.ma.array(SHARES))),
    "folds": ("y", lambda: folds(MASKED)),
    "groups": ("groups", lambda: folds(Y, MASKED)),
    "chunk": ("y", lambda: chunk(X, MASKED, 2)),
    "chunk, steps": ("y[0]", lambda: chunk(X, MASKED_STEPS, 2)),
    "events": ("truth", lambda: event_scores(np.ma.masked_equal(Y % 2, 1), Y % 2, 1.0)),
    "hysteresis": ("p", lambda: Hysteresis(0.5).run(np.ma.masked_equal(Y / 3, 0))),
    "depth": ("bis", lambda: depth(NUMBERS)),
    "depth scores": ("answers[0]", lambda: score([NUMBERS], [NUMBERS.data])),
}


@pytest.mark.parametrize(("where", "call"), CALLS.values(), ids=CALLS)
def test_a_masked_answer_is_refused(where, call):
    with pytest.raises(TypeError) as raised:
        call()
    assert str(raised.value) == f"{where} is a masked array, expected a plain one (the mask would be lost)"


def test_plots_refuse_it_too():
    pytest.importorskip("matplotlib")
    with pytest.raises(TypeError, match="expected is a masked array"):
        elman.plotting.confusion_matrix(MASKED, Y)
    with pytest.raises(TypeError, match="y is a masked array"):
        elman.plotting.roc(MASKED, SHARES)


def test_a_mask_deep_inside_is_found_and_plain_lists_pass():
    y = [[[0.0], [1.0], [0.0], [1.0], [0.0]] for _ in X]
    net = Network([SimpleRNN(2, return_sequences=True), Dense(1)], input_size=1, seed=0)
    assert net.evaluate(X, y)["loss"] > 0
    y[3][2] = np.ma.array([1.0], mask=[1])
    with pytest.raises(TypeError, match=r"y\[3\]\[2\] is a masked array"):
        net.evaluate(X, y)
