"""Propofol and remifentanil: from infusion rates to concentrations, and from concentrations to BIS.

Each drug has three compartments and an effect site, a linear system that is stepped exactly. The joint effect
on the bispectral index is a response surface. Constants are population values of published studies.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from elman._validation import flag, number
from elman.errors import ArgumentValueError

Floats = NDArray[np.float64]

# The response surface of Bouillon et al. 2004 (table 5, BIS). Its interaction term did not differ from 0, so
# the effects of the drugs add up.
BIS_AWAKE = 97.4
PROPOFOL_C50 = 4.47  # µg/ml
REMIFENTANIL_C50 = 19.3  # ng/ml
STEEPNESS = 1.43


@dataclass(frozen=True)
class Patient:
    """The covariates of the models: age in years, weight in kg, height in cm, and sex.

    >>> round(Patient(age=53, weight=77, height=177, male=True).lean_body_mass, 2)
    60.48
    """

    age: float = 53.0
    weight: float = 77.0
    height: float = 177.0
    male: bool = True

    def __post_init__(self) -> None:
        for name in ("age", "weight", "height"):
            number(name, getattr(self, name), positive=True)
        flag("male", self.male)

    @property
    def lean_body_mass(self) -> float:
        """Lean body mass in kg by the formula of James (1976), which both models use.

        1.1 w - 128 (w / h)² for men, 1.07 w - 148 (w / h)² for women. It decreases again for the very obese.
        """
        ratio = (self.weight / self.height) ** 2
        return 1.1 * self.weight - 128 * ratio if self.male else 1.07 * self.weight - 148 * ratio


@dataclass(frozen=True)
class Compartments:
    """Three compartments and an effect site: volumes in l, clearances in l/min, ke0 in 1/min.

    With the amounts per volume c1, c2, c3, the effect site e and the rate u (mass per minute):
    v1 c1' = u - cl1 c1 - cl2 (c1 - c2) - cl3 (c1 - c3), v2 c2' = cl2 (c1 - c2), v3 c3' = cl3 (c1 - c3),
    e' = ke0 (c1 - e). A steady state has c1 = e = u / cl1.
    """

    v1: float
    v2: float
    v3: float
    cl1: float
    cl2: float
    cl3: float
    ke0: float

    def __post_init__(self) -> None:
        for name in ("v1", "v2", "v3", "cl1", "cl2", "cl3", "ke0"):
            value = getattr(self, name)
            if not 0 < value < np.inf:
                raise ArgumentValueError(name, f"is {value:.3g}", "above 0: no model for such a patient")

    def step(self, seconds: float) -> tuple[Floats, Floats]:
        """Return A (4, 4) and b (4,): the state (c1, c2, c3, e) after a step is A state + b rate, exactly.

        The rate, in mass per minute, is constant during the step. One exponential of the system's matrix
        gives both.
        """
        from scipy.linalg import expm

        v1, v2, v3, ke0 = self.v1, self.v2, self.v3, self.ke0
        system = np.zeros((5, 5))  # the fifth state is the rate itself, which does not change
        system[0] = [-(self.cl1 + self.cl2 + self.cl3) / v1, self.cl2 / v1, self.cl3 / v1, 0.0, 1.0 / v1]
        system[1, :2] = [self.cl2 / v2, -self.cl2 / v2]
        system[2, [0, 2]] = [self.cl3 / v3, -self.cl3 / v3]
        system[3, [0, 3]] = [ke0, -ke0]
        moved = expm(system * (number("seconds", seconds, positive=True) / 60.0))
        return moved[:4, :4], moved[:4, 4]

    def concentrations(self, rate: ArrayLike, seconds: float = 10.0) -> Floats:
        """Return the states (T, 4) after each step: c1 (plasma), c2, c3, effect site.

        ``rate`` (T,) is in mass per minute, constant during each step of ``seconds``; mg give µg/ml, µg give
        ng/ml. The patient starts without the drug.

        >>> schnider(Patient()).concentrations(np.full(4, 10.0))[:, [0, 3]].round(2).tolist()
        [[0.36, 0.01], [0.67, 0.05], [0.94, 0.11], [1.17, 0.18]]
        """
        rates = np.asarray(rate, dtype=np.float64)
        if rates.ndim != 1:
            raise ArgumentValueError("rate", f"has shape {rates.shape}", "(T,): one rate a step")
        if not np.isfinite(rates).all() or (rates < 0).any():
            raise ArgumentValueError("rate", "has values below 0 or not finite", "rates of at least 0")
        A, b = self.step(seconds)
        states, state = np.empty((len(rates), 4)), np.zeros(4)
        for t, u in enumerate(rates):
            state = A @ state + b * u
            states[t] = state
        return states


def schnider(patient: Patient) -> Compartments:
    """Return the propofol model of a patient; rates in mg/min, concentrations in µg/ml.

    Schnider et al. 1998, Anesthesiology 88:1170-1182 (table 2); ke0 from Schnider et al. 1999, Anesthesiology
    90:1502-1516.
    """
    age, lean = patient.age - 53.0, patient.lean_body_mass - 59.0
    return Compartments(
        v1=4.27,
        v2=18.9 - 0.391 * age,
        v3=238.0,
        cl1=1.89 + 0.0456 * (patient.weight - 77.0) - 0.0681 * lean + 0.0264 * (patient.height - 177.0),
        cl2=1.29 - 0.024 * age,
        cl3=0.836,
        ke0=0.456,
    )


def minto(patient: Patient) -> Compartments:
    """Return the remifentanil model of a patient; rates in µg/min, concentrations in ng/ml.

    Minto et al. 1997, Anesthesiology 86:10-23 (the model with covariates).
    """
    age, lean = patient.age - 40.0, patient.lean_body_mass - 55.0
    return Compartments(
        v1=5.1 - 0.0201 * age + 0.072 * lean,
        v2=9.82 - 0.0811 * age + 0.108 * lean,
        v3=5.42,
        cl1=2.6 - 0.0162 * age + 0.0191 * lean,
        cl2=2.05 - 0.0301 * age,
        cl3=0.076 - 0.00113 * age,
        ke0=0.595 - 0.007 * age,
    )


def bis(
    propofol: ArrayLike,
    remifentanil: ArrayLike,
    *,
    awake: float = BIS_AWAKE,
    c50: tuple[float, float] = (PROPOFOL_C50, REMIFENTANIL_C50),
    steepness: float = STEEPNESS,
) -> Floats:
    """Return the bispectral index at effect-site concentrations: µg/ml of propofol, ng/ml of remifentanil.

    BIS = awake / (1 + U^steepness), U = propofol / c50[0] + remifentanil / c50[1]. It is half of ``awake`` if
    one drug alone is at its c50. Source: Bouillon et al. 2004, Anesthesiology 100:1353-1372.

    >>> bis([0.0, 4.47, 2.235], [0.0, 0.0, 9.65]).tolist()
    [97.4, 48.7, 48.7]
    """
    units = np.asarray(propofol, np.float64) / c50[0] + np.asarray(remifentanil, np.float64) / c50[1]
    result: Floats = awake / (1.0 + units**steepness)
    return result
