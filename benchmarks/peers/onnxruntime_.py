"""ONNX Runtime: a graph of the layer and its readout; of a stream, one step, whose state goes in and out."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import onnxruntime
from onnx import TensorProto, helper, numpy_helper

from benchmarks.cases import Case
from benchmarks.peers import walk

# The order of gates in ONNX, of those in elman: r z n, and i f g o.
ORDER = {"rnn": [0], "gru": [1, 0, 2], "lstm": [0, 3, 1, 2]}


def versions(threads: int) -> dict[str, str]:
    """ONNX Runtime's version."""
    return {"onnxruntime": onnxruntime.__version__}


def session(case: Case, threads: int, stream: bool = False) -> Any:
    """Make `run` of the graph x (T, B, F), of a stream with h (1, B, H), to answers (T, B, C) or (B, C)."""
    if case.dtype != "float32":
        raise NotImplementedError("its recurrent operators know float32 only")
    w = case.weights()

    def gates(name: str) -> Any:
        value = w.get(name, np.zeros_like(w["0.bias"]))
        parts = np.split(value.T, len(ORDER[case.cell]))
        return np.concatenate([parts[i] for i in ORDER[case.cell]])

    each = case.per_step and not stream
    constants = {
        "W": gates("0.kernel")[None],
        "R": gates("0.recurrent_kernel")[None],
        "B": np.concatenate([gates("0.bias"), gates("0.recurrent_bias")])[None],
        "direction": np.array([1 if each else 0]),
        "V": w["1.kernel"],
        "c": w["1.bias"],
    }
    layer = helper.make_node(
        case.cell.upper(),
        ["x", "W", "R", "B", *(["", "h"] if stream else [])],
        ["states", "last"],
        hidden_size=case.units,
        **({"linear_before_reset": 1} if case.cell == "gru" else {}),
    )
    if case.readout == "mean":
        read = helper.make_node("ReduceMean", ["states"], ["read"], axes=[0, 1], keepdims=0)
    else:
        read = helper.make_node("Squeeze", ["states" if each else "last", "direction"], ["read"])
    nodes = [
        layer,
        read,
        helper.make_node("MatMul", ["read", "V"], ["product"]),
        helper.make_node("Add", ["product", "c"], ["z"]),
        helper.make_node("Sigmoid", ["z"], ["y"])
        if case.kind == "bits"
        else helper.make_node("Softmax", ["z"], ["y"], axis=-1),
    ]

    def tensor(name: str) -> Any:
        return helper.make_tensor_value_info(name, TensorProto.FLOAT, None)

    graph = helper.make_graph(
        nodes,
        "network",
        [tensor("x"), *([tensor("h")] if stream else [])],
        [tensor("y"), *([tensor("last")] if stream else [])],
        [numpy_helper.from_array(np.ascontiguousarray(value), name) for name, value in constants.items()],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 14)], ir_version=8)
    settings = onnxruntime.SessionOptions()
    settings.intra_op_num_threads, settings.inter_op_num_threads = threads, 1
    return onnxruntime.InferenceSession(
        model.SerializeToString(), settings, providers=["CPUExecutionProvider"]
    ).run


def predictor(case: Case, threads: int) -> Callable[[], Any]:
    """Return the call that is timed: the answers, batch by batch; x lies time-major beforehand."""
    run, x = session(case, threads), case.data()[0]
    xs = [np.ascontiguousarray(b.swapaxes(0, 1)) for b in np.split(x, len(x) // case.batch)]
    axis = 1 if case.per_step else 0

    def predict() -> Any:
        answers = np.concatenate([run(None, {"x": x})[0] for x in xs], axis=axis)
        return answers.swapaxes(0, 1) if case.per_step else answers

    return predict


def stepper(case: Case, threads: int, way: str) -> Callable[[], Any]:
    """Return the steps of one stream; of several, "plain" one call a stream, or "batched" in one call."""
    run = session(case, threads, stream=True)
    rows = case.batch if way == "plain" else 1
    states = [np.zeros((1, case.batch // rows, case.units), np.float32) for _ in range(rows)]

    def step(x: np.ndarray) -> Any:
        answers = []
        for i, xi in enumerate(x):
            y, states[i] = run(None, {"x": xi, "h": states[i]})
            answers.append(y)
        return answers[0] if rows == 1 else np.concatenate(answers)

    return walk(step, [x.reshape(rows, 1, case.batch // rows, case.features) for x in case.ticks()])
