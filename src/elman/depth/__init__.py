"""Depth of anaesthesia: what is known at each step of an operation, and BIS a minute ahead.

>>> from elman.datasets import simulate_anaesthesia
>>> from elman.depth import DepthForecaster
>>> X, y, description = simulate_anaesthesia(4, minutes=(15, 20))
>>> model = DepthForecaster(description.channels, hidden=8, epochs=2).fit(X)
>>> len(model.predict(X)[0]) == len(y[0])
True
"""

from elman.depth.features import DepthFeatures
from elman.depth.forecaster import DEPTHS, DepthForecaster, Forecast, future, repeated
from elman.depth.scores import Scores, score

__all__ = ["DEPTHS", "DepthFeatures", "DepthForecaster", "Forecast", "Scores", "future", "repeated", "score"]
