"""Data sets: readers of recordings that others keep, and simulators that need no download."""

from elman.datasets.dataset import Dataset, Description

__all__ = ["Dataset", "Description"]
