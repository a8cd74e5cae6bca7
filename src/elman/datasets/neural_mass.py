"""A cortical column as a neural mass: pyramidal cells, excitatory, slow and fast inhibitory interneurons.

The model of Wendling, Bartolomei, Bellanger and Chauvel (2002), Epileptic fast activity can be explained by a
model of impaired GABAergic dendritic inhibition, Eur. J. Neurosci. 15(9), 1499-1508. It adds the fast
interneurons to the column of Jansen and Rit (1995), Biol. Cybern. 73, 357-366, and equals it for G = 0.
"""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]

# Wendling et al. (2002), table 1. Those without g, C5, C6 and C7 are Jansen and Rit's.
A_RATE, B_RATE, G_RATE = 100.0, 50.0, 500.0  # a, b, g in 1/s: excitatory, slow and fast inhibitory synapses
C = 135.0  # synapses from one population to another, on average
C1, C2, C3, C4 = C, 0.8 * C, 0.25 * C, 0.25 * C
C5, C6, C7 = 0.3 * C, 0.1 * C, 0.8 * C
E0, V0, R = 2.5, 6.0, 0.56  # half the highest rate of firing in 1/s, the potential there in mV, slope in 1/mV

# p(t) is Gaussian white noise (2002). Its standard deviation is meaningful only together with the time that a
# value is held, which is 1/512 s in the authors' program (ModelDB 97983: 512 Hz, Euler, one draw per step).
INPUT_MEAN, INPUT_SD, INPUT_RATE = 90.0, 30.0, 512.0  # pulses/s, pulses/s, Hz


def draw_input(generator: np.random.Generator, steps: int, step: float) -> Floats:
    """Return the input p (steps,) in pulses/s, each value to be held for ``step`` seconds.

    Its spectrum below 1 / (2 step) does not depend on the step, since shorter values vary more.
    """
    p: Floats = generator.normal(INPUT_MEAN, INPUT_SD / math.sqrt(INPUT_RATE * step), steps)
    return p


def integrate(A: Floats, B: Floats, G: Floats, speed: Floats, p: Floats, step: float) -> Floats:
    r"""Return the potential of the pyramidal cells, (N, n) in mV, of n columns at N steps from rest.

    With $S(v) = 2 e_0 / (1 + e^{r (v_0 - v)})$, the synaptic gains A, B, G in mV and the input p,

        y0'' = A a S(y1 - y2 - y3)      - 2a y0' - a² y0
        y1'' = A a (p + C2 S(C1 y0))    - 2a y1' - a² y1
        y2'' = B b C4 S(C3 y0)          - 2b y2' - b² y2
        y3'' = G g C7 S(C5 y0 - C6 y4)  - 2g y3' - g² y3
        y4'' = B b S(C3 y0)             - 2b y4' - b² y4

    and y1 - y2 - y3 is the potential. Of the ten equations of first order, eight are solved here, since y2 is
    C4 y4 at all times. ``speed`` multiplies all gains and rates: each synapse keeps its weight, gain over
    rate, and the rhythms become faster by that factor (David and Friston 2003, NeuroImage 20, 1743-1755). The
    equations are solved by Heun's method; p is held over each step.

    Shapes: A, B, G (n,), or (N, n) where they change in time; speed (n,); p (N, n).
    """
    steps, n = p.shape
    rate = np.stack([A_RATE * speed, A_RATE * speed, B_RATE * speed, G_RATE * speed])  # (4, n)
    unit = 2.0 * E0 * speed * rate * np.array([[1.0], [C2], [C4], [C7]])  # all cells firing, a gain of 1 mV
    # (N, 4, n): one row for all steps, or one per step
    full = unit * np.stack(np.broadcast_arrays(*np.atleast_2d(A, A, B, G)), axis=1)
    drive = A_RATE * speed**2 * np.atleast_2d(A)
    # The inputs of the four populations times -R, from y; y3 is fast inhibition, y4 is y2 / C4.
    felt = -R * np.array([[0, 1, -1, -1], [C1, 0, 0, 0], [C3, 0, 0, 0], [C5, 0, -C6 / C4, 0]])

    # A synapse y'' = f - 2k y' - k² y is two leaky integrators in series: z' = f - k z and y' = z - k y.
    state, guess = np.zeros((2, 4, n)), np.zeros((2, 4, n))  # y and z
    start, end, leak = np.empty((2, 4, n)), np.empty((2, 4, n)), np.empty((2, 4, n))
    held = np.empty(n)
    potential = np.empty((steps, n))

    def slope(now: Floats, top: Floats, into: Floats) -> None:
        force = into[1]
        np.matmul(felt, now[0], out=force)
        force += R * V0
        np.exp(force, out=force)
        force += 1.0
        np.divide(top, force, out=force)
        force[1] += held
        into[0] = now[1]
        np.multiply(rate, now, out=leak)
        into -= leak

    for t in range(steps):
        top = full[t if len(full) > 1 else 0]
        np.multiply(drive[t if len(drive) > 1 else 0], p[t], out=held)
        slope(state, top, start)
        np.multiply(start, step, out=guess)
        guess += state
        slope(guess, top, end)
        start += end
        start *= 0.5 * step
        state += start
        np.subtract(state[0, 1], state[0, 2], out=potential[t])
        potential[t] -= state[0, 3]
    return potential
