"""Live comparison with ONNX Runtime's RNN, GRU (both forms) and LSTM over rows of unequal lengths. Run by
`make oracles`."""

from __future__ import annotations

import numpy as np
import pytest

from elman import GRU, LSTM
from networks import rnn
from reference import random_weights
from support import assert_near, network, proofs, ragged

pytestmark = pytest.mark.oracle

# Our gates in ONNX's order: GRU z, r, h; LSTM i, o, f, c.
ORDER = {"SimpleRNN": [0], "GRU": [1, 0, 2], "LSTM": [0, 3, 1, 2]}


def gates(w, order):
    """(K, G H) or (G H,) in another order of gates, gates first: (G H, K) or (G H,)."""
    parts = np.split(w, len(order), axis=-1)
    return np.concatenate([parts[g] for g in order], axis=-1).T.astype(np.float32)


def session(layer, F, weights):
    """A model of one node: X (T, B, F) and lengths (B,) -> all states (T, 1, B, H), the last h (1, B, H)."""
    onnx, runtime = pytest.importorskip("onnx"), pytest.importorskip("onnxruntime")
    H, order = layer.units, ORDER[type(layer).__name__]
    bias = gates(weights["0.bias"], order)
    recurrent_bias = gates(weights["0.recurrent_bias"], order) if "0.recurrent_bias" in weights else 0 * bias
    constants = {
        "W": gates(weights["0.kernel"], order)[None],
        "R": gates(weights["0.recurrent_kernel"], order)[None],
        "B": np.concatenate([bias, recurrent_bias])[None],
    }
    options = {"hidden_size": H}
    if isinstance(layer, GRU):
        options["linear_before_reset"] = int(layer.reset_after)
    elif not isinstance(layer, LSTM):
        options["activations"] = [{"tanh": "Tanh", "relu": "Relu", "sigmoid": "Sigmoid"}[layer.activation]]
    kind = "RNN" if type(layer).__name__ == "SimpleRNN" else type(layer).__name__
    helper, FLOAT, INT = onnx.helper, onnx.TensorProto.FLOAT, onnx.TensorProto.INT32
    node = helper.make_node(kind, ["X", "W", "R", "B", "lengths"], ["Y", "Y_h"], **options)
    graph = helper.make_graph(
        [node], "one",
        [
            helper.make_tensor_value_info("X", FLOAT, [None, None, F]),
            helper.make_tensor_value_info("lengths", INT, [None]),
        ],
        [helper.make_tensor_value_info(name, FLOAT, None) for name in ("Y", "Y_h")],
        [onnx.numpy_helper.from_array(value, name) for name, value in constants.items()],
    )  # fmt: skip
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 14)], ir_version=8)
    return runtime.InferenceSession(model.SerializeToString(), providers=["CPUExecutionProvider"])


@pytest.mark.parametrize("seed", range(proofs(20)))
@pytest.mark.parametrize("cell", ["tanh", "relu", "sigmoid", "gru", "gru_before", "lstm"])
def test_layers_are_onnx_runtimes(cell, seed):
    generator = np.random.default_rng(seed)
    F, H, n = (int(size) for size in generator.integers(1, 40, size=3))
    layer = rnn(H, cell, steps=True)
    net = network([layer], F, "float32", random_weights([layer], F, generator))
    lengths = generator.integers(1, 30, size=n)
    X = ragged(generator, lengths, F, "float32")
    padded = np.zeros((max(lengths), n, F), np.float32)
    for row, x in enumerate(X):
        padded[: len(x), row] = x
    Y, Y_h = session(layer, F, net.weights).run(None, {"X": padded, "lengths": lengths.astype(np.int32)})
    found = net.predict(X)
    for row, T in enumerate(lengths):
        assert_near(found[row], Y[:T, 0, row], "float32", f"states of row {row}")
        assert_near(found[row][-1], Y_h[0, row], "float32", f"last state of row {row}")
