"""A fit that ends before it has converged gives scikit-learn's warning; no other fit does."""

import subprocess
import sys
import warnings

import numpy as np
import pytest
from sklearn.exceptions import ConvergenceWarning
from sklearn.pipeline import make_pipeline

import elman
from elman import RNNClassifier
from elman.anaesthesia import DepthForecaster, simulate_anaesthesia
from elman.estimators import convergence
from elman.features import FillMissing
from helpers.estimators import KINDS, Problem
from helpers.support import assert_same_bits

RNG = np.random.default_rng(3)
X = RNG.normal(size=(20, 5, 2)) + np.array([-1.0, 1.0] * 10)[:, None, None]
PROBLEM = Problem(
    X,
    {
        "classifier": np.array([0, 1] * 10),
        "regressor": X[:, -1].sum(axis=1),
        "step_regressor": X.sum(axis=2),
        "tagger": (X[..., 0] > 0.0).astype(int),
    },
    {"hidden_layer_sizes": 4, "random_state": 0},
)
model = PROBLEM.model
STILL = r"^max_iter={} ended the training while .* still falling \(by more than tol=1e-09 in the last {}\)"


def fitted(each, y, **arguments):
    """The sentences of a fit's warnings; each of them points at this file."""
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        each.fit(X, y, **arguments)
    assert all(w.category is ConvergenceWarning and w.filename == __file__ for w in caught)
    return [str(w.message) for w in caught]


@pytest.mark.parametrize("solver", ["adam", "sgd", "lbfgs", "lm"])
@pytest.mark.parametrize("kind", KINDS)
def test_every_solver_says_that_max_iter_ended_it(kind, solver):
    for epochs, last in ((1, "epoch"), (2, "epoch"), (12, "2 epochs")):
        each, y = model(kind, solver=solver, max_iter=epochs, learning_rate_init=0.01, tol=1e-9)
        with warnings.catch_warnings():
            warnings.simplefilter("always")
            with pytest.warns(ConvergenceWarning, match=STILL.format(epochs, last)):
                each.fit(X, y)
        assert each.n_iter_ == epochs


@pytest.mark.parametrize(
    ("options", "epochs"),
    [
        ({"learning_rate_init": 1e-9}, 11),  # tol ends it
        ({"learning_rate_init": 1e-9, "max_iter": 5}, 5),  # max_iter ends a loss that is flat
        ({"learning_rate_init": 1e-9, "max_iter": 5, "learning_rate": "cosine"}, 5),  # as planned
        ({"solver": "lbfgs", "alpha": 0.1}, None),
        ({"solver": "lm", "alpha": 0.1}, None),
        ({"learning_rate_init": 0.05, "max_iter": 8, "tol": 0.5}, 8),
    ],
    ids=str,
)
def test_what_has_converged_says_nothing(options, epochs):
    each, y = model("classifier", **options)
    assert fitted(each, y) == []
    assert epochs in (each.n_iter_, None) and each.n_iter_ < 200


def test_a_schedule_that_ends_while_the_loss_falls_says_so():
    each, y = model("classifier", learning_rate="onecycle", learning_rate_init=0.01, max_iter=10)
    assert len(fitted(each, y)) == 1


@pytest.mark.parametrize("given", [False, True])
def test_with_held_out_sequences_their_loss_is_watched(given):
    """The loss on what is trained on falls for ever; what counts is whether more epochs might help."""
    options = {"max_iter": 6, "learning_rate_init": 0.01, "n_iter_no_change": 50}
    each, y = model("classifier", early_stopping=not given, validation_fraction=0.3, **options)
    noise = {"validation_data": (X, 1 - y)} if given else {}
    held = fitted(each, y, **noise)
    losses = each.network_.history.history
    assert losses["loss"][-1] < losses["loss"][-2] - 1e-4
    if given:  # of others, whose loss rises
        assert losses["val_loss"][-1] > losses["val_loss"][-2] and held == []
    else:
        assert len(held) == 1 and "the loss on held-out sequences was still falling" in held[0]


def test_the_last_epoch_alone_does_not_decide():
    assert convergence.fall(
        [5.0, 4.0, 3.0, 2.9, 2.8, 2.7, 2.6, 2.5, 2.4, 2.3, 2.2, 2.0, 9.0]
    ) == pytest.approx(0.2)
    assert convergence.fall([1.0, *[2.0] * 20]) == -1.0


def test_partial_fit_has_no_end_and_says_nothing():
    each, y = model("classifier")
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        each.partial_fit(X, y).partial_fit(X, y)


def test_a_resumed_run_says_what_the_whole_one_says(tmp_path):
    each, y = model("classifier", max_iter=3)
    whole = fitted(each, y, checkpoint=tmp_path / "run")
    again, _ = model("classifier", max_iter=3)
    assert fitted(again, y, checkpoint=tmp_path / "run", resume=True) == whole != []
    assert_same_bits(again.network_.parameters, each.network_.parameters)


def test_where_warnings_are_errors_the_fit_is_done():
    each, y = model("classifier", max_iter=3)
    with warnings.catch_warnings():
        warnings.simplefilter("error", ConvergenceWarning)
        with pytest.raises(ConvergenceWarning):
            each.fit(X, y)
    plain, _ = model("classifier", max_iter=3)
    assert_same_bits(each.predict_proba(X), plain.fit(X, y).predict_proba(X))


def test_a_solver_that_is_stuck_on_a_slope_says_so(monkeypatch):
    """No step lowers the loss any more, and yet the gradient is large: rounding, or a loss with an edge."""
    from elman.training import second_order

    for solver, way in (("lm", second_order._Marquardt), ("lbfgs", second_order._LimitedMemory)):
        with monkeypatch.context() as patch:
            patch.setattr(
                way, "__call__", lambda self: (self.objective.sums(self.objective.plan.train)[None], False)
            )
            each, y = model("classifier", solver=solver)
            said = fitted(each, y)
        assert len(said) == 1
        assert said[0].startswith(
            "the solver ended the training after 1 iterations: no step lowers the loss any"
        )


def test_a_pipeline_says_it_too():
    pipe = make_pipeline(FillMissing(), RNNClassifier(3, max_iter=1, random_state=0))
    with warnings.catch_warnings():
        warnings.simplefilter("always")
        with pytest.warns(ConvergenceWarning, match="max_iter=1 ended"):
            pipe.fit(X, [0, 1] * 10)


def test_a_forecaster_says_it_once_and_by_its_own_name():
    cases, _, description = simulate_anaesthesia(3, seed=0)
    each = DepthForecaster(description.channels, cells=("rnn", "gru"), hidden=3, epochs=2, random_state=0)
    with warnings.catch_warnings():
        warnings.simplefilter("always")
        with pytest.warns(ConvergenceWarning) as caught:
            each.fit(cases)
    assert [w.filename for w in caught] == [__file__]
    assert str(caught[0].message).startswith(
        "epochs=2 ended the training of 2 of 2 networks while the loss was"
    )
    assert len(each.predict(cases)) == 3


def test_elman_train_says_one_plain_line(tmp_path):
    rows = [f"{i},{t},{x[t, 0]},{x[t, 1]},{'ab'[i % 2]}" for i, x in enumerate(X) for t in range(5)]
    (tmp_path / "t.csv").write_text("\n".join(["id,time,u,v,label", *rows]))
    command = [
        sys.executable,
        "-W",
        "always",
        "-m",
        "elman",
        "train",
        "t.csv",
        "-m",
        "m.elman",
        "--no-curves",
    ]
    run = subprocess.run(
        [*command, "--epochs", "2"], cwd=tmp_path, capture_output=True, text=True, check=True
    )
    note = "the loss was still falling when --epochs ended the training: more of them may help"
    assert run.stderr.count("still falling") == 1 and note in " ".join(run.stderr.split())
    assert "Warning" not in run.stderr and ".py" not in run.stderr
    assert elman.load(tmp_path / "m.elman").n_iter_ == 2


# ------------------------------------------------------------------------------------- Levenberg-Marquardt


def three_classes(seed):
    r, y = np.random.default_rng(seed), np.repeat([0, 1, 2], 50)
    shift = np.array([-1, 0, 1])[y][:, None, None] * np.array([0, 0, 0, 0.3, 1.5])
    return 0.3 * r.normal(size=(150, 16, 5)) + shift, y


@pytest.mark.parametrize("data", [0, 1, 2])
def test_levenberg_marquardt_never_ends_at_a_constant_answer(data):
    """Seed 0 of the third set did: its second step saturated every unit, and its loss was ln 3."""
    features, y = three_classes(data)
    options = {"pooling": "mean", "alpha": 1e-2, "max_iter": 30, "dtype": "float64"}
    for seed in range(3):
        each = RNNClassifier(10, solver="lm", random_state=seed, **options).fit(features, y)
        assert each.score(features, y) == 1.0 and each.loss_ < 0.1
        assert all(b <= a + 1e-9 for a, b in zip(each.loss_curve_[:3], each.loss_curve_[1:4], strict=True))
