"""Article 000's rule in elman's terms equals the article's arithmetic, epoch by epoch."""

from __future__ import annotations

import numpy as np
import pytest

import elman
import reference as ref
from helpers.article_points import EPOCHS, HIDDEN, LEARNING_RATE, TEST_X, TEST_Y, TRAIN_X, TRAIN_Y, draw

TOLERANCE = 1e-10
FROZEN = ("0.recurrent_kernel", "0.bias", "1.bias")


def named_weights(article):
    return {
        "0.kernel": article.hidden_weights.copy(),
        "0.recurrent_kernel": article.rnn_weights.copy(),
        "0.bias": np.full(HIDDEN, article.hidden_bias),
        "1.kernel": article.output_weights.copy(),
        "1.bias": np.full(2, article.output_bias),
    }


@pytest.mark.parametrize("seed", [0, 1, 2])
def test_reference_follows_the_article(seed):
    article = draw(seed)
    layers = [ref.SimpleRNN(HIDDEN, "sigmoid", return_sequences=True), ref.Dense(2, "softmax")]
    trainer = ref.Trainer(
        layers,
        named_weights(article),
        ref.SGD(LEARNING_RATE),
        loss="cross_entropy",
        truncation=1,
        stateful=True,
        frozen=FROZEN,
    )
    curve = []
    for _ in range(200):
        trainer.fit([TRAIN_X], [TRAIN_Y], 1)
        curve.append(len(TEST_X) * trainer.evaluate([TEST_X], [TEST_Y])["loss"])
    np.testing.assert_allclose(curve, article.run(200), rtol=0, atol=TOLERANCE)
    np.testing.assert_allclose(trainer.weights["0.kernel"], article.hidden_weights, rtol=0, atol=TOLERANCE)


@pytest.mark.parametrize("seed", [0, 1, 2])
def test_network_follows_the_article(seed):
    article = draw(seed)
    net = elman.Network(
        [elman.SimpleRNN(HIDDEN, "sigmoid", return_sequences=True), elman.Dense(2, activation="softmax")],
        input_size=2,
        dtype="float64",
        seed=seed,
    )
    for name, w in named_weights(article).items():
        net.weights[name][...] = w
    for name in FROZEN:
        net.freeze(name)
    curve = []
    for _ in range(EPOCHS):
        net.fit(
            TRAIN_X[None],
            TRAIN_Y[None],
            optimizer=elman.SGD(LEARNING_RATE),
            truncation=1,
            stateful=True,
            epochs=1,
            batch_size=1,
            verbose=False,
        )
        curve.append(len(TEST_X) * net.evaluate(TEST_X[None], TEST_Y[None], stateful=True)["loss"])
    expected = article.run()
    np.testing.assert_allclose(curve, expected, rtol=0, atol=TOLERANCE)
    np.testing.assert_allclose(net.weights["0.kernel"], article.hidden_weights, rtol=0, atol=TOLERANCE)
    np.testing.assert_allclose(net.weights["1.kernel"], article.output_weights, rtol=0, atol=TOLERANCE)
    for name in FROZEN:
        np.testing.assert_array_equal(net.weights[name], named_weights(article)[name])
    assert expected[-1] < expected[0] / 2
