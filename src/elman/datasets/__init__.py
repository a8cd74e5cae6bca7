"""Data sets: readers of recordings that others keep, and simulators that need no download."""

from elman.datasets.anaesthesia import simulate_anaesthesia
from elman.datasets.dataset import Dataset, Description
from elman.datasets.vitals import load_vitals

__all__ = ["Dataset", "Description", "load_vitals", "simulate_anaesthesia"]
