"""Data sets: readers of recordings that others keep, and simulators that need no download."""

from elman.datasets.dataset import Dataset, Description
from elman.datasets.simulated_eeg import simulate_eeg, simulate_seizure

__all__ = ["Dataset", "Description", "simulate_eeg", "simulate_seizure"]
