"""solver="lm" and "lbfgs": the whole batch in each iteration; what contradicts that is refused."""

import itertools

import numpy as np
import pytest

import elman
from helpers.estimators import Problem
from helpers.support import assert_same_bits, ragged

RNG = np.random.default_rng(2)
X = ragged(RNG, [5 + i % 4 for i in range(40)], 2)
MEANS = np.array([x.mean() for x in X])
PROBLEM = Problem(
    X,
    {
        "classifier": np.where(MEANS > 0, "up", "down"),
        "regressor": MEANS,
        "tagger": [np.where(x[:, 0] > 0, 1, 0) for x in X],
    },
    {"hidden_layer_sizes": (4,), "random_state": 0, "max_iter": 40},
)
model = PROBLEM.model
SOLVERS = ["lm", "lbfgs"]


@pytest.mark.parametrize("solver", SOLVERS)
@pytest.mark.parametrize("kind", PROBLEM.answers)
def test_they_learn(kind, solver):
    each, y = model(kind, solver=solver)
    each.fit(X, y)
    losses = each.loss_curve_
    assert all(b <= a for a, b in itertools.pairwise(losses))
    assert each.score(X, y) > 0.9 and each.n_iter_ == len(losses) <= 40


@pytest.mark.parametrize("solver", SOLVERS)
def test_rates_clipping_batches_and_shuffling_mean_nothing(solver):
    plain, y = model("classifier", solver=solver)
    other, _ = model(
        "classifier",
        solver=solver,
        learning_rate_init=7.0,
        learning_rate="onecycle",
        clip_norm=1e-9,
        batch_size=3,
        shuffle=False,
    )
    assert_same_bits(plain.fit(X, y).network_.parameters, other.fit(X, y).network_.parameters)


@pytest.mark.parametrize("solver", SOLVERS)
@pytest.mark.parametrize(("name", "value"), [("truncation", 3), ("input_noise", 0.1)])
def test_what_changes_the_data_is_refused(solver, name, value):
    each, y = model("classifier", **{"solver": solver, name: value})
    with pytest.raises(ValueError, match=f"^{name} is {value}, expected .* with solver '{solver}'"):
        each.fit(X, y)


@pytest.mark.parametrize("solver", SOLVERS)
def test_tol_ends_the_run(solver):
    each, y = model("regressor", solver=solver, max_iter=500, tol=1e-3, n_iter_no_change=3)
    each.fit(X, y)
    assert each.n_iter_ < 500


@pytest.mark.parametrize("solver", SOLVERS)
def test_early_stopping_puts_the_best_weights_back(solver):
    each, y = model("classifier", solver=solver, early_stopping=True, n_iter_no_change=4)
    each.fit(X, y)
    assert len(each.validation_scores_) == each.n_iter_
    assert each.best_validation_score_ == max(each.validation_scores_)


@pytest.mark.parametrize("solver", SOLVERS)
def test_warm_start_and_files_go_on(solver, tmp_path):
    options = {"solver": solver, "standardize": False, "tol": 0.0}
    whole, y = model("regressor", **options, max_iter=6)
    parts, _ = model("regressor", **options, max_iter=1, warm_start=True)
    whole.fit(X, y)
    for i in range(6):
        parts.fit(X, y)
        if i == 2:
            parts.save(tmp_path / "half")
            parts = elman.load(tmp_path / "half")
    assert_same_bits(parts.network_.parameters, whole.network_.parameters)


@pytest.mark.parametrize("kind", PROBLEM.answers)
@pytest.mark.parametrize("solver", SOLVERS)
def test_partial_fit_is_for_solvers_that_learn_batch_after_batch(kind, solver):
    """As `sklearn.neural_network.MLPClassifier` has it: the attribute is absent, and the reason is told."""
    each, y = model(kind, solver=solver)
    assert not hasattr(each, "partial_fit")
    with pytest.raises(AttributeError, match="has no attribute 'partial_fit'") as raised:
        each.partial_fit(X, y)
    reason = f"partial_fit is only available for stochastic optimizers. {solver} is not stochastic."
    assert str(raised.value.__cause__) == reason
    assert hasattr(each.set_params(solver="adam"), "partial_fit")
    assert type(each).partial_fit.__doc__.startswith("Train one epoch more")
