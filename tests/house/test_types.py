"""Types of arguments name the same choices as the checks at run time, and a user's program fits them."""

import runpy
import tomllib
from pathlib import Path
from typing import get_args

import numpy as np
import pytest

import elman
from elman import _validation
from elman.datasets import simulated_eeg
from elman.estimators import options, parameters
from elman.nn import activations, losses, optimizers
from elman.reading import columns
from elman.training import online, second_order

USER = Path(__file__).with_name("typing_user.py")

CHOICES = {
    "activation of SimpleRNN": (activations.RecurrentActivation, activations.RECURRENT_ACTIVATIONS),
    "activation of Dense": (activations.DenseActivation, activations.DENSE_ACTIVATIONS),
    "loss": (losses.Loss, losses.NAMES),
    "reduction": (losses.Reduction, losses.REDUCTIONS),
    "optimizer": (optimizers.OptimizerName, optimizers.KINDS),
    "cell": (parameters.Cell, parameters.CELLS),
    "solver": (parameters.Solver, parameters.SOLVERS),
    "learning_rate": (parameters.Schedule, parameters.SCHEDULES),
    "pooling": (parameters.Pooling, parameters.POOLINGS),
    "rule": (online.Rule, online.RULES),
    "way": (second_order.Way, second_order.WAYS),
    "layout": (columns.Layout, columns.LAYOUTS),
    "kinds": (simulated_eeg.Kind, simulated_eeg.KINDS),
}


@pytest.mark.parametrize("name", CHOICES)
def test_types_and_checks_name_the_same_choices(name):
    literal, checked = CHOICES[name]
    assert get_args(literal) == tuple(checked)


def test_names_of_choices_are_those_that_something_is_made_of():
    assert set(activations.CODES) == {*activations.RECURRENT_ACTIVATIONS, *activations.DENSE_ACTIVATIONS}
    assert set(losses.CODES) == set(losses.NAMES)
    first_order = [name for name, kind in optimizers.KINDS.items() if issubclass(kind, optimizers.FirstOrder)]
    assert get_args(optimizers.FirstOrderName) == tuple(first_order)
    for cell in parameters.CELLS:
        for pooling in parameters.POOLINGS:
            assert options.layers(parameters.Parameters(cell=cell), pooling, "softmax", 2, False)
    for solver in parameters.SOLVERS:
        for schedule in parameters.SCHEDULES:
            given = parameters.Parameters(solver=solver, learning_rate=schedule)
            assert options.read_options(given, "last").optimizer(10)


def test_dtypes_are_those_that_are_read():
    names, *kinds = get_args(_validation.DType)
    assert {_validation.real_dtype(name).name for name in get_args(names)} == {"float32", "float64"}
    for kind in (float, np.float32, np.float64):
        assert type[kind] in kinds
        assert _validation.real_dtype(kind) == kind


@pytest.mark.parametrize("function", [elman.load, elman.Network.predict, elman.RNNTagger.predict_proba])
def test_results_are_not_any(function):
    assert "Any" not in str(function.__annotations__["return"])


def test_a_users_program_runs(tmp_path):
    """`make types` checks its types; here the forms that types accept are accepted at run time too."""
    program = runpy.run_path(str(USER))
    program["networks"]()
    program["estimators"]()
    program["features_and_data"]()
    program["kept"](tmp_path / "model.elman")


def test_make_types_reads_the_users_program():
    root = USER.parents[2]
    files = tomllib.loads((root / "pyproject.toml").read_text(encoding="utf-8"))["tool"]["mypy"]["files"]
    assert USER.relative_to(root).as_posix() in files
