"""The types of what users pass as sequences and answers, and of results in the form of the input."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Protocol, TypeVar

from numpy.typing import ArrayLike

from elman.data.sequences import Array, Sequences


class HasArray(Protocol):
    """An array, a data frame, or any other object that NumPy reads as an array."""

    def __array__(self, *args: Any, **kwargs: Any) -> Any: ...


# X: an array (n, T, F), a list with one array, list or data frame for each sequence, or `Sequences`.
SequenceInput = HasArray | Sequence[ArrayLike] | Sequences
# y: numbers or labels, one per sequence or one per step.
TargetInput = ArrayLike | Sequence[ArrayLike] | Sequences
# Weights: one per sequence or, where there is one answer per step, one per step.
WeightInput = ArrayLike | Sequence[ArrayLike] | Sequences
ValidationData = (
    tuple[SequenceInput, TargetInput]
    | tuple[SequenceInput, TargetInput, WeightInput | None]  # (X, y, weights)
)
# One entry for each recurrent layer; None is zeros, an LSTM has the pair (h, c).
InitialState = Sequence[ArrayLike | None]
State = list[Array | tuple[Array, Array]]  # what a stream returns as its state

# One result per step: an array for an array, a list for a list, `Sequences` for `Sequences`.
SequenceOutput = Array | list[Array] | Sequences
Form = TypeVar("Form", Array, list[Array], Sequences)
