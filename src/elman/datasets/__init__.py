"""Data sets: readers of published recordings, and simulators that need no download."""

from elman.datasets.bonn import load_bonn
from elman.datasets.dataset import Annotation, Dataset, Description
from elman.datasets.edf import load_edf
from elman.datasets.edf_info import EdfInfo, edf_info
from elman.datasets.simulated_eeg import simulate_eeg, simulate_seizure
from elman.datasets.uci import load_uci_seizure

__all__ = [
    "Annotation",
    "Dataset",
    "Description",
    "EdfInfo",
    "edf_info",
    "load_bonn",
    "load_edf",
    "load_uci_seizure",
    "simulate_eeg",
    "simulate_seizure",
]
