"""Depth of anaesthesia: features of the tracks of an operation, and forecasts of BIS a minute ahead.

>>> from elman.anaesthesia import DepthForecaster, simulate_anaesthesia
>>> X, y, description = simulate_anaesthesia(4, minutes=(15, 20))
>>> model = DepthForecaster(description.channels, hidden=8, epochs=2).fit(X)
>>> len(model.predict(X)[0]) == len(y[0])
True
"""

from __future__ import annotations

from elman.anaesthesia.depths import DEPTHS, depth
from elman.anaesthesia.features import DepthFeatures
from elman.anaesthesia.forecaster import DepthForecaster, Forecast, future, repeated
from elman.anaesthesia.scores import Scores, score
from elman.anaesthesia.simulator import simulate_anaesthesia
from elman.anaesthesia.vitals import find_track, load_vitals

__all__ = [
    "DEPTHS",
    "DepthFeatures",
    "DepthForecaster",
    "Forecast",
    "Scores",
    "depth",
    "find_track",
    "future",
    "load_vitals",
    "repeated",
    "score",
    "simulate_anaesthesia",
]
