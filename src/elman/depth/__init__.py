"""Depth of anaesthesia: what is known at each step of an operation, and BIS a minute ahead.

>>> from elman.datasets import simulate_anaesthesia
>>> from elman.depth import DepthForecaster
>>> X, y, description = simulate_anaesthesia(4, minutes=(15, 20))
>>> model = DepthForecaster(description.channels, hidden=8, epochs=2).fit(X)
>>> len(model.predict(X)[0]) == len(y[0])
True
"""

from __future__ import annotations

from typing import Any

from elman.depth import files
from elman.depth.features import DepthFeatures
from elman.depth.forecaster import DEPTHS, EDGES, DepthForecaster, Forecast, future, repeated
from elman.depth.scores import Scores, score
from elman.sequences import Array

__all__ = ["DEPTHS", "DepthFeatures", "DepthForecaster", "Forecast", "Scores", "future", "repeated", "score"]


def unpack(spec: dict[str, Any], arrays: dict[str, Array], name: str) -> DepthForecaster:
    """Return the forecaster that a file holds; ValueError where spec and arrays do not belong together."""
    return files.unpack(DepthForecaster, EDGES, spec, arrays, name)
