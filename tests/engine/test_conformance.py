"""Figures that others publish in their test suites, answered by the engine and by the reference.

Keras: kernel 0.01, recurrent kernel 0.02, bias 0.03 (the LSTM's forget gate 1), x = arange. ONNX: all weights
0.1 and no bias, X = 1..6 as (time 1, batch 3, feature 2). All units of a row are equal.
"""

from __future__ import annotations

import numpy as np
import pytest

import reference as ref
from elman import GRU, LSTM, SimpleRNN
from helpers.support import network, weights_of

ONNX = 2e-7  # float32 figures
KERAS = 1e-6
ROUNDED = 6e-8  # they are printed with seven decimals

# name: (layer, shape of x, last states row by row, tolerance)
FIGURES = {
    "keras_simple_rnn": (SimpleRNN(4), (2, 3, 4), [0.405432, 0.73605347], KERAS),
    "keras_gru": (GRU(3), (3, 6, 4), [0.5217289, 0.6371659, 0.39384964], KERAS),
    "keras_lstm": (LSTM(3), (3, 6, 4), [0.6288687, 0.86899155, 0.9460773], KERAS),
    "onnx_simple_rnn_defaults": (SimpleRNN(4, use_bias=False), None, [0.2913126, 0.6043678, 0.8004990], ONNX),
    "onnx_gru_defaults": (
        GRU(5, reset_after=False, use_bias=False),
        None,
        [0.1239703, 0.2005366, 0.1999165],
        ONNX,
    ),
    "onnx_lstm_defaults": (LSTM(3, use_bias=False), None, [0.0952412, 0.2560645, 0.4032378], ONNX),
}


@pytest.mark.parametrize("name", FIGURES)
def test_published_figures(name):
    layer, shape, expected, tolerance = FIGURES[name]
    if shape is None:
        x, constants = np.arange(1.0, 7.0).reshape(3, 1, 2), (0.1, 0.1, 0.0)
    else:
        x, constants = np.arange(float(np.prod(shape))).reshape(shape), (0.01, 0.02, 0.03)
    weights = {}
    for part, size in ref.shapes([layer], x.shape[2]).items():
        which = 2 if "bias" in part else 1 if "recurrent" in part else 0
        weights[part] = np.full(size, constants[which])
    if isinstance(layer, LSTM) and layer.use_bias:
        weights["0.bias"][layer.units : 2 * layer.units] = 1.0
    net = network([layer], x.shape[2], "float64", weights)
    truth = np.outer(expected, np.ones(layer.units))
    np.testing.assert_allclose(net.predict(x), truth, rtol=tolerance, atol=ROUNDED)
    by_reference = np.array([ref.output([layer], weights_of(net), row) for row in x])
    np.testing.assert_allclose(by_reference, truth, rtol=tolerance, atol=ROUNDED)
