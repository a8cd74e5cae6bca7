"""Optimizers are checked values; schedules give the rates that their formulas say."""

import math

import pytest

from elman import SGD, Adam, AdamW, CosineDecay, OneCycle, RMSprop
from elman.nn import optimizers


@pytest.mark.parametrize(
    ("make", "error", "message"),
    [
        (lambda: SGD(-0.1), ValueError, "learning_rate is -0.1, expected a finite number of at least 0"),
        (lambda: SGD(math.nan), ValueError, "learning_rate is nan"),
        (lambda: Adam(math.inf), ValueError, "learning_rate is inf"),
        (lambda: SGD("0.1"), TypeError, "learning_rate is '0.1' (a str)"),
        (lambda: SGD(True), TypeError, "learning_rate is True (a bool)"),
        (lambda: SGD(momentum=1.0), ValueError, "momentum is 1.0, expected a number from 0 to below 1"),
        (lambda: SGD(nesterov=True), ValueError, "nesterov is True with momentum 0.0"),
        (lambda: RMSprop(rho=1.5), ValueError, "rho is 1.5"),
        (lambda: RMSprop(epsilon=0.0), ValueError, "epsilon is 0.0, expected a finite number above 0"),
        (lambda: Adam(beta_1=1.0), ValueError, "beta_1 is 1.0"),
        (lambda: Adam(beta_2=-0.5), ValueError, "beta_2 is -0.5"),
        (lambda: AdamW(weight_decay=-1.0), ValueError, "weight_decay is -1.0"),
        (lambda: CosineDecay(0.1, 0), ValueError, "updates is 0"),
        (lambda: OneCycle(-1.0, 5), ValueError, "rate is -1.0"),
        (lambda: SGD(10**400), ValueError, "learning_rate is an integer too large"),
    ],
)
def test_a_bad_optimizer_names_its_argument(make, error, message):
    with pytest.raises(error) as raised:
        make()
    assert message in str(raised.value)


def test_optimizers_are_values():
    assert Adam(1) == Adam(1.0)
    assert Adam() != AdamW()
    assert Adam(CosineDecay(0.1, 5)) == Adam(CosineDecay(0.1, 5))


@pytest.mark.parametrize("name", ["sgd", "rmsprop", "adam", "adamw"])
def test_names_mean_the_defaults(name):
    assert optimizers.check_optimizer(name) == optimizers.KINDS[name]()


def test_an_unknown_optimizer_is_named():
    with pytest.raises(ValueError, match="optimizer is 'adagrad', expected one of 'sgd'"):
        optimizers.check_optimizer("adagrad")
    with pytest.raises(TypeError, match=r"optimizer is 0\.1"):
        optimizers.check_optimizer(0.1)


def test_cosine_decay_falls_to_zero_and_stays():
    rate = CosineDecay(0.2, 100)
    assert rate(0) == 0.2
    assert rate(50) == pytest.approx(0.1)
    assert rate(100) == rate(1000) == 0.0


def test_one_cycle_is_pytorchs():
    """Figures of torch.optim.lr_scheduler.OneCycleLR(max_lr=0.1, total_steps=20), its defaults."""
    rate = OneCycle(0.1, 20)
    assert rate(0) == pytest.approx(0.004)
    assert rate(5) == pytest.approx(0.1)
    assert rate(19) == pytest.approx(0.004 / 1e4)
    assert rate(12) == pytest.approx(0.05, rel=1e-4)
    assert rate(500) == rate(19)
    assert all(0 < OneCycle(0.1, n)(u) <= 0.1 for n in (1, 2, 3, 4) for u in range(6))


@pytest.mark.parametrize("rate", [-1.0, math.nan, "fast", None])
def test_what_a_schedule_gives_is_checked(rate):
    with pytest.raises((ValueError, TypeError), match=r"learning_rate\(3\)"):
        optimizers.rate_at(SGD(lambda update: rate), 3)


@pytest.mark.parametrize(
    "optimizer", [SGD(0.1, 0.9, True), RMSprop(), Adam(CosineDecay(0.1, 9)), AdamW(OneCycle(1, 5))]
)
def test_optimizers_survive_json(optimizer):
    assert optimizers.from_dict(optimizers.to_dict(optimizer)) == optimizer


def test_a_rate_of_ones_own_has_no_json():
    assert optimizers.to_dict(SGD(lambda update: 0.1)) is None
