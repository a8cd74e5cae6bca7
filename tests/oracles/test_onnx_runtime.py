"""Live comparison with ONNX Runtime's RNN, GRU (both forms) and LSTM over rows of unequal lengths. Run by
`make oracles`."""

from __future__ import annotations

import numpy as np
import pytest

from elman import GRU, LSTM
from helpers.networks import rnn
from helpers.support import assert_near, network, proofs, ragged
from reference import random_weights

pytestmark = pytest.mark.oracle

# Our gates in ONNX's order: GRU z, r, h; LSTM i, o, f, c.
ORDER = {"SimpleRNN": [0], "GRU": [1, 0, 2], "LSTM": [0, 3, 1, 2]}


def gates(w, order):
    """(K, G H) or (G H,) in another order of gates, gates first: (G H, K) or (G H,)."""
    parts = np.split(w, len(order), axis=-1)
    return np.concatenate([parts[g] for g in order], axis=-1).T.astype(np.float32)


def constants_of(layer, weights):
    """W (D, G H, F), R (D, G H, H) and B (D, 2 G H)."""
    order = ORDER[type(layer).__name__]
    halves = []
    for half in ("0.", "0.reverse.")[: 1 + layer.bidirectional]:
        bias = gates(weights[f"{half}bias"], order)
        second = weights.get(f"{half}recurrent_bias")
        both = np.concatenate([bias, 0 * bias if second is None else gates(second, order)])
        kernels = [gates(weights[f"{half}{name}"], order) for name in ("kernel", "recurrent_kernel")]
        halves.append([*kernels, both])
    return {name: np.stack(parts) for name, parts in zip("WRB", zip(*halves, strict=True), strict=True)}


def session(layer, F, weights):
    """A model of one node: X (T, B, F), lengths (B,), h and c (D, B, H) -> states (T, D, B, H), the last."""
    onnx, runtime = pytest.importorskip("onnx"), pytest.importorskip("onnxruntime")
    constants = constants_of(layer, weights)
    options = {"hidden_size": layer.units, "direction": "bidirectional" if layer.bidirectional else "forward"}
    if isinstance(layer, GRU):
        options["linear_before_reset"] = int(layer.reset_after)
    elif not isinstance(layer, LSTM):
        options["activations"] = [layer.activation.capitalize()] * (1 + layer.bidirectional)
    kind = "RNN" if type(layer).__name__ == "SimpleRNN" else type(layer).__name__
    helper, FLOAT, INT = onnx.helper, onnx.TensorProto.FLOAT, onnx.TensorProto.INT32
    starts = ["h", "c"] if isinstance(layer, LSTM) else ["h"]
    node = helper.make_node(kind, ["X", "W", "R", "B", "lengths", *starts], ["Y", "Y_h"], **options)
    graph = helper.make_graph(
        [node],
        "one",
        [
            helper.make_tensor_value_info("X", FLOAT, [None, None, F]),
            helper.make_tensor_value_info("lengths", INT, [None]),
            *(helper.make_tensor_value_info(name, FLOAT, [None, None, layer.units]) for name in starts),
        ],
        [helper.make_tensor_value_info(name, FLOAT, None) for name in ("Y", "Y_h")],
        [onnx.numpy_helper.from_array(value, name) for name, value in constants.items()],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 14)], ir_version=8)
    return runtime.InferenceSession(model.SerializeToString(), providers=["CPUExecutionProvider"])


@pytest.mark.parametrize("seed", range(proofs(20)))
@pytest.mark.parametrize("cell", ["tanh", "relu", "sigmoid", "gru", "gru_before", "lstm"])
@pytest.mark.parametrize("bidirectional", [False, True], ids=["forward", "both"])
def test_layers_are_onnx_runtimes(cell, bidirectional, seed):
    generator = np.random.default_rng(seed)
    F, H, n = (int(size) for size in generator.integers(1, 40, size=3))
    layer = rnn(H, cell, steps=True, bidirectional=bidirectional)
    net = network([layer], F, "float32", random_weights([layer], F, generator))
    lengths = generator.integers(1, 30, size=n)
    X = ragged(generator, lengths, F, "float32")
    padded = np.zeros((max(lengths), n, F), np.float32)
    for row, x in enumerate(X):
        padded[: len(x), row] = x
    D, names = 1 + bidirectional, ["h", "c"] if cell == "lstm" else ["h"]
    starts = {name: generator.normal(size=(D, n, H)).astype(np.float32) for name in names}
    feeds = {"X": padded, "lengths": lengths.astype(np.int32)} | starts
    Y, Y_h = session(layer, F, net.weights).run(None, feeds)
    given = [start.transpose(1, 0, 2).reshape(n, D * H) for start in starts.values()]
    initial_state = [tuple(given) if cell == "lstm" else given[0]]
    found = net.predict(X, initial_state=initial_state)
    last = network([rnn(H, cell, bidirectional=bidirectional)], F, "float32", dict(net.weights))
    ends = last.predict(X, initial_state=initial_state)
    for row, T in enumerate(lengths):
        assert_near(found[row], Y[:T, :, row].reshape(T, D * H), "float32", f"states of row {row}")
        assert_near(ends[row], Y_h[:, row].ravel(), "float32", f"last states of row {row}")
