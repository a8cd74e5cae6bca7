"""tanh, sigmoid, exp and log of the engine have the errors that engine/kernels/math.h states."""

import numpy as np
import pytest
from numpy.typing import NDArray

from elman import _core

FUNCTIONS = {"tanh": 0, "sigmoid": 1, "exp": 2, "log": 3}
ULP = {
    ("tanh", "float32"): 5.0,
    ("sigmoid", "float32"): 3.0,
    ("exp", "float32"): 2.0,
    ("log", "float32"): 2.0,
    ("tanh", "float64"): 3.0,
    ("sigmoid", "float64"): 3.0,
    ("exp", "float64"): 2.0,
    ("log", "float64"): 2.0,
}


def arguments(name: str, dtype: str) -> NDArray[np.floating]:
    rng = np.random.default_rng(0)
    tiny = -18.0 if dtype == "float32" else -150.0
    small = 10 ** rng.uniform(tiny, 1.5, 100_000)
    both = np.concatenate([rng.uniform(-12, 12, 200_000), rng.uniform(-1, 1, 200_000), small])
    lowest = -86.0 if dtype == "float32" else -700.0
    x = {
        "tanh": both,
        "sigmoid": np.concatenate([both, rng.uniform(lowest, 40, 100_000)]),
        "exp": np.concatenate([-np.abs(both), rng.uniform(lowest, 0, 200_000)]),
        "log": np.concatenate([np.abs(both) + 1e-3, 1 + rng.uniform(-0.3, 0.42, 200_000), 1e30 * small]),
    }[name]
    return x.astype(dtype)


def truth(name: str, x: NDArray[np.floating]) -> NDArray[np.longdouble]:
    z = x.astype(np.longdouble)
    if name == "sigmoid":
        return 1 / (1 + np.exp(-z))
    return {"tanh": np.tanh, "exp": np.exp, "log": np.log}[name](z)


@pytest.mark.skipif(np.finfo(np.longdouble).eps > 1e-18, reason="this machine has no extended precision")
@pytest.mark.parametrize(("name", "dtype"), ULP)
def test_errors_are_as_stated(name: str, dtype: str) -> None:
    x = arguments(name, dtype)
    actual = x.copy()
    _core.map(FUNCTIONS[name], actual)
    expected = truth(name, x)
    ulp = np.abs(actual - expected) / np.spacing(np.abs(expected).astype(dtype))
    worst = int(ulp.argmax())
    assert ulp[worst] <= ULP[name, dtype], f"{name}({x[worst]!r}) is off by {ulp[worst]:.2f} ulp"


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_limits(dtype: str) -> None:
    x = np.array([0.0, 50.0, -50.0, np.inf, -np.inf, np.nan], dtype)
    y = x.copy()
    _core.map(FUNCTIONS["tanh"], y)
    np.testing.assert_array_equal(y, np.array([0, 1, -1, 1, -1, np.nan], dtype))
    y = np.array([0.0, 1000.0, -1000.0, np.nan], dtype)
    _core.map(FUNCTIONS["sigmoid"], y)
    np.testing.assert_array_equal(y, np.array([0.5, 1, 0, np.nan], dtype))
    y = np.array([0.0, -np.inf, -1000.0], dtype)
    _core.map(FUNCTIONS["exp"], y)
    np.testing.assert_array_equal(y, np.array([1, 0, 0], dtype))
    y = np.array([1.0], dtype)
    _core.map(FUNCTIONS["log"], y)
    assert y[0] == 0
