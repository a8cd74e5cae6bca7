"""Features of sequences: scikit-learn transformers that also stream, with the same result.

>>> import numpy as np
>>> from sklearn.pipeline import make_pipeline
>>> from elman import RNNClassifier
>>> from elman.features import LogSpectrum
>>> model = make_pipeline(LogSpectrum(fs=173.61, window=128, hop=32, max_hz=45), RNNClassifier(32))
"""

from elman.features.frames import Frames
from elman.features.lyapunov import LyapunovExponents
from elman.features.missing import FillMissing
from elman.features.reservoirs import Reservoirs
from elman.features.spectrum import EEG_BANDS, BandPower, LogSpectrum

__all__ = [
    "EEG_BANDS",
    "BandPower",
    "FillMissing",
    "Frames",
    "LogSpectrum",
    "LyapunovExponents",
    "Reservoirs",
]
