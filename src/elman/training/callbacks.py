"""Callbacks: objects for ``fit(callbacks=[...])`` that record values during training."""

from __future__ import annotations

from typing import Any

import numpy as np

from elman.data.sequences import Array
from elman.errors import ArgumentValueError
from elman.model.weights import Weights

_KERNEL = "recurrent_kernel"


class SpectralRadius:
    """Records the spectral radius of every recurrent kernel after each epoch.

    rho(U) = max |eigenvalue of U|. Kernels of several gates, (H, G H), are recorded gate by gate.

    Parameters
    ----------
    net : Network or None
        If given, its values are recorded at once: those before training, as epoch 0.

    Attributes
    ----------
    epochs : list of int
        The number of finished epochs at each value; a second fit continues the count.
    values : dict of lists
        By the name of the kernel as in ``net.weights``, followed by the gate where there are several.

    Raises
    ------
    ValueError
        For a network without a recurrent layer.

    >>> from elman import Network, SimpleRNN
    >>> net = Network([SimpleRNN(2)], input_size=1, seed=0)
    >>> recorder = SpectralRadius(net)
    >>> _ = net.fit(np.ones((1, 3, 1)), [[1.0, 0.0]], epochs=2, callbacks=[recorder], verbose=False)
    >>> recorder.epochs, len(recorder.values["0.recurrent_kernel"])
    ([0, 1, 2], 3)
    """

    epochs: list[int]
    values: dict[str, list[float]]

    def __init__(self, net: Any = None) -> None:
        self.epochs, self.values = [], {}
        if net is not None:
            self._record(net, 0)

    def __call__(self, net: Any, epoch: int, logs: dict[str, float]) -> None:  # noqa: ARG002
        """Record the network's values; `fit` calls it."""
        self._record(net, self.epochs[-1] + 1 if self.epochs else 1)

    def _record(self, net: Any, epoch: int) -> None:
        for name, value in spectral_radii(net.weights).items():
            self.values.setdefault(name, []).append(value)
        self.epochs.append(epoch)

    def __repr__(self) -> str:
        return f"SpectralRadius({len(self.epochs)} values: {', '.join(self.values)})"


def spectral_radii(weights: Weights) -> dict[str, float]:
    """Return the spectral radius of each recurrent kernel by name; NaN where a kernel is not finite.

    Shapes: kernels (H, G H); G = 1 keeps the kernel's name, otherwise gate g is "... gate g". ValueError
    where there is no recurrent kernel.

    >>> kernel = np.array([[0.0, 2.0], [0.5, 0.0]])
    >>> spectral_radii(Weights({"0.recurrent_kernel": kernel}))
    {'0.recurrent_kernel': 1.0}
    """
    radii = {}
    for name in weights:
        if name.endswith(_KERNEL):
            gates = _gates(weights[name])
            for g, gate in enumerate(gates):
                radii[name if len(gates) == 1 else f"{name} gate {g}"] = _radius(gate)
    if not radii:
        raise ArgumentValueError("net", "has no recurrent kernel", f"one among {', '.join(weights)}")
    return radii


def _gates(kernel: Array) -> list[Array]:
    """Return the blocks (H, H) that stand side by side."""
    H = len(kernel)
    return [kernel[:, begin : begin + H] for begin in range(0, kernel.shape[1], H)]


def _radius(square: Array) -> float:
    matrix = square.astype(np.float64)
    if not np.isfinite(matrix).all():
        return float("nan")
    return float(np.abs(np.linalg.eigvals(matrix)).max())
