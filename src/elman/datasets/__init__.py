"""Data sets: readers of recordings that others keep, and simulators that need no download."""

from elman.datasets.anaesthesia import simulate_anaesthesia
from elman.datasets.bonn import load_bonn
from elman.datasets.dataset import Annotation, Dataset, Description
from elman.datasets.edf import load_edf
from elman.datasets.simulated_eeg import simulate_eeg, simulate_seizure
from elman.datasets.uci import load_uci_seizure
from elman.datasets.vitals import load_vitals

__all__ = [
    "Annotation",
    "Dataset",
    "Description",
    "load_bonn",
    "load_edf",
    "load_uci_seizure",
    "load_vitals",
    "simulate_anaesthesia",
    "simulate_eeg",
    "simulate_seizure",
]
