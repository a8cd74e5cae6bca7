"""Concentrations and effects against the figures that the papers give, and against another solver."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.integrate import solve_ivp

from elman.anaesthesia import pharmacology
from elman.anaesthesia.pharmacology import Compartments, Patient, bis, minto, schnider

OLDER = Patient(age=70, weight=60, height=160, male=False)


def test_lean_body_mass():
    assert Patient(40, 80, 180, male=True).lean_body_mass == pytest.approx(62.716, abs=1e-3)
    assert Patient(40, 60, 160, male=False).lean_body_mass == pytest.approx(43.388, abs=1e-3)


def test_schnider_at_the_center_of_its_covariates():
    # Schnider et al. 1998, table 2; James' formula gives this height and weight 60.48 kg, not the table's 59.
    model = schnider(Patient(53, 77, 177, male=True))
    assert (model.v1, model.v2, model.v3) == (4.27, 18.9, 238.0)
    assert (model.cl2, model.cl3) == (1.29, 0.836)
    assert model.cl1 == pytest.approx(1.89 - 0.0681 * 1.478, abs=1e-3)


def test_a_bolus_of_propofol_peaks_in_the_brain_after_a_minute_and_a_half():
    # Schnider et al. 1999: the largest effect on the EEG was seen 1.6 min after a bolus.
    rate = np.zeros(300)
    rate[0] = 6000.0  # 100 mg in one second
    effect = schnider(Patient()).concentrations(rate, seconds=1.0)[:, 3]
    assert effect.argmax() / 60 == pytest.approx(1.6, abs=0.1)


def test_minto_falls_with_age_as_the_paper_says():
    # Minto et al. 1997, abstract: from 20 to 85 years V1 and Cl1 fall by 25 % and 33 %, ke0 by about half.
    def at(age):
        lean = {"weight": 66.0, "height": 170.0}
        return minto(Patient(age, **lean))

    young, old = at(20), at(85)
    assert old.v1 / young.v1 == pytest.approx(0.75, abs=0.03)
    assert old.cl1 / young.cl1 == pytest.approx(0.67, abs=0.04)
    assert old.ke0 / young.ke0 == pytest.approx(0.5, abs=0.15)
    # The paper's model without covariates: V1 4.98 l, Cl1 2.46 l/min, at the volunteers' mean age.
    assert at(45).cl1 == pytest.approx(2.46, rel=0.1)
    assert at(45).v1 == pytest.approx(4.98, rel=0.1)


@pytest.mark.parametrize("model", [schnider(Patient()), schnider(OLDER), minto(Patient()), minto(OLDER)])
def test_a_steady_state_is_rate_by_clearance(model):
    states = model.concentrations(np.full(4000, 7.0), seconds=600.0)
    np.testing.assert_allclose(states[-1], 7.0 / model.cl1, rtol=1e-6)
    # And what was given is what is there and what was cleared.
    short = model.concentrations(np.full(60, 7.0), seconds=10.0)
    inside = short[-1, :3] @ [model.v1, model.v2, model.v3]
    fine = model.concentrations(np.full(6000, 7.0), seconds=0.1)
    cleared = model.cl1 * fine[:, 0].sum() * 0.1 / 60
    assert inside + cleared == pytest.approx(70.0, rel=1e-3)


def test_steps_are_exact_however_long():
    model, rate = schnider(OLDER), np.repeat([12.0, 0.0, 3.0], 20)

    def slope(_, s, u):
        c1, c2, c3, e = s
        to_2, to_3 = model.cl2 * (c1 - c2), model.cl3 * (c1 - c3)
        d1 = (u - model.cl1 * c1 - to_2 - to_3) / model.v1
        return [d1, to_2 / model.v2, to_3 / model.v3, model.ke0 * (c1 - e)]

    state = np.zeros(4)
    for u in (12.0, 0.0, 3.0):
        state = solve_ivp(slope, (0, 20 / 6), state, args=(u,), rtol=1e-10, atol=1e-12).y[:, -1]
    np.testing.assert_allclose(model.concentrations(rate)[-1], state, rtol=1e-7)
    np.testing.assert_allclose(
        model.concentrations(np.repeat(rate, 10), 1.0)[9::10], model.concentrations(rate)
    )


def test_the_surface_of_bouillon():
    assert bis(0.0, 0.0) == 97.4
    assert bis(4.47, 0.0) == pytest.approx(97.4 / 2)
    assert bis(0.0, 19.3) == pytest.approx(97.4 / 2)
    assert bis(4.47 / 4, 19.3 * 3 / 4) == pytest.approx(97.4 / 2)  # no interaction beyond the sum
    # BIS is 50 where U^1.43 = 97.4 / 50 - 1: with 4 ng/ml of remifentanil at 3.38 µg/ml of propofol.
    assert bis(4.47 * (0.948 ** (1 / 1.43) - 4 / 19.3), 4.0) == pytest.approx(50.0)
    steps = bis(np.linspace(0, 10, 50), 3.0)
    assert (np.diff(steps) < 0).all()


def test_what_is_no_patient_and_no_rate_is_named():
    with pytest.raises(ValueError, match=r"weight is 0\.0, expected a finite number above 0"):
        Patient(weight=0)
    with pytest.raises(TypeError, match="male is 'm'"):
        Patient(male="m")
    with pytest.raises(ValueError, match=r"v2 is .*, expected above 0: no model for such a patient"):
        schnider(Patient(age=110))
    with pytest.raises(ValueError, match="rate has values below 0"):
        schnider(Patient()).concentrations([1.0, -1.0])
    with pytest.raises(ValueError, match=r"rate has shape \(1, 1\)"):
        schnider(Patient()).concentrations([[1.0]])
    assert isinstance(pharmacology.minto(OLDER), Compartments)
