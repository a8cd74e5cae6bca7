"""Sequences, targets and input as the engine reads them."""
