"""ONNX Runtime: a graph of one RNN step and its readout; the state is an input and an output."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import onnxruntime
from onnx import TensorProto, helper, numpy_helper

from benchmarks.cases import Case


def versions() -> dict[str, str]:
    """ONNX Runtime's version."""
    return {"onnxruntime": onnxruntime.__version__}


def stepper(case: Case) -> Callable[[Any], Any]:
    """Return one streamed step."""
    kernel, recurrent, bias, readout, offset = case.weights().values()
    constants = {
        "W": kernel.T[None],
        "R": recurrent.T[None],
        "B": np.concatenate([bias, 0 * bias])[None],
        "V": readout,
        "c": offset,
        "axis": np.array([0]),
    }
    nodes = [
        helper.make_node("RNN", ["x", "W", "R", "B", "", "h"], ["", "next"], hidden_size=case.units),
        helper.make_node("Squeeze", ["next", "axis"], ["flat"]),
        helper.make_node("Gemm", ["flat", "V", "c"], ["z"]),
        helper.make_node("Softmax", ["z"], ["y"], axis=1),
    ]
    real, state = TensorProto.FLOAT, [1, 1, case.units]
    graph = helper.make_graph(
        nodes,
        "step",
        [
            helper.make_tensor_value_info("x", real, [1, 1, case.features]),
            helper.make_tensor_value_info("h", real, state),
        ],
        [
            helper.make_tensor_value_info("y", real, [1, case.outputs]),
            helper.make_tensor_value_info("next", real, state),
        ],
        [numpy_helper.from_array(np.ascontiguousarray(value), name) for name, value in constants.items()],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 14)], ir_version=8)
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = options.inter_op_num_threads = 1
    run = onnxruntime.InferenceSession(
        model.SerializeToString(), options, providers=["CPUExecutionProvider"]
    ).run
    h = np.zeros(state, np.float32)

    def step(x: np.ndarray) -> np.ndarray:
        nonlocal h
        y, h = run(None, {"x": x[None, None], "h": h})
        return y[0]

    return step
