"""The part of `Network` that computes outputs: predictions, hidden states, tapes and streams."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any, overload

import numpy as np
from numpy.typing import ArrayLike

from elman import _engine
from elman._validation import integer
from elman.data.alignment import aligned_rows
from elman.data.feature_names import Features
from elman.data.input_types import HasArray, InitialState, SequenceInput, SequenceOutput, State
from elman.data.sequences import Array, Sequences
from elman.model import forward
from elman.model.forward import Tape
from elman.network.base import BaseNetwork
from elman.training.plan import check_rows_may_be_cut

_MOST_ROWS = 2**24  # of one stream, as the engine's


class NetworkOutputs(BaseNetwork):
    """The part of `Network` that computes outputs and does not train."""

    @overload
    def predict(
        self, X: HasArray, *, initial_state: InitialState | None = None, n_threads: int | None = None
    ) -> Array: ...
    @overload
    def predict(
        self, X: Sequences, *, initial_state: InitialState | None = None, n_threads: int | None = None
    ) -> Array | Sequences: ...
    @overload
    def predict(
        self,
        X: Sequence[ArrayLike],
        *,
        initial_state: InitialState | None = None,
        n_threads: int | None = None,
    ) -> Array | list[Array]: ...
    def predict(
        self, X: SequenceInput, *, initial_state: InitialState | None = None, n_threads: int | None = None
    ) -> SequenceOutput:
        """Return the outputs for X: (n, C), or per step in the form of X (array, list or `Sequences`).

        ``initial_state``: the states before the first step, a list with one entry per recurrent layer: (n,
        H), (n, 2H) where it is bidirectional, the pair (h, c) of an LSTM, or None for zeros.

        The result is a new array of the network's dtype. Errors: TypeError and ValueError for an X of another
        shape or type, or with values that are not finite; ValueError that names the sequence where an output
        is not finite; RuntimeError while another thread is inside fit.

        >>> from elman import Network, SimpleRNN
        >>> Network([SimpleRNN(4)], input_size=2, seed=0).predict(np.zeros((3, 5, 2))).shape
        (3, 4)
        """
        with self.model.lock.reading():
            return forward.predict(self.model, X, initial_state, n_threads)

    @overload
    def states(self, X: HasArray) -> list[Array]: ...
    @overload
    def states(self, X: Sequences) -> list[Sequences]: ...
    @overload
    def states(self, X: Sequence[ArrayLike]) -> list[list[Array]]: ...
    def states(self, X: SequenceInput) -> list[Any]:
        """Return the hidden states of each recurrent layer after every step, each in the form of X.

        >>> from elman import Network, SimpleRNN
        >>> net = Network([SimpleRNN(4, return_sequences=True), SimpleRNN(3)], input_size=2, seed=0)
        >>> [h.shape for h in net.states(np.zeros((6, 5, 2)))]
        [(6, 5, 4), (6, 5, 3)]
        """
        with self.model.lock.reading():
            return forward.states(self.model, X, _engine.threads(None))

    @overload
    def record(
        self, X: HasArray, *, initial_state: InitialState | None = None, seed: int | None = None
    ) -> Tape[Array]: ...
    @overload
    def record(
        self, X: Sequences, *, initial_state: InitialState | None = None, seed: int | None = None
    ) -> Tape[Sequences]: ...
    @overload
    def record(
        self, X: Sequence[ArrayLike], *, initial_state: InitialState | None = None, seed: int | None = None
    ) -> Tape[list[Array]]: ...
    def record(
        self, X: SequenceInput, *, initial_state: InitialState | None = None, seed: int | None = None
    ) -> Tape[Any]:
        """Return a tape of the forward pass: outputs, states, and vector-Jacobian products.

        ``initial_state`` as for `predict`; ``seed`` as for `loss_and_gradient`.

        >>> from elman import Network, SimpleRNN
        >>> tape = Network([SimpleRNN(4)], input_size=2, seed=0).record(np.zeros((6, 5, 2)))
        >>> tape.backward(np.ones((6, 4))).inputs.shape
        (6, 5, 2)
        """
        with self.model.lock.reading():
            return Tape(self.model, X, initial_state, read_seed(seed), _engine.threads(None))

    def stream(self, rows: int | None = None, *, initial_state: InitialState | None = None) -> _engine.Stream:
        """Return a stream: after t steps its output has the same bits as that of predict on these steps.

        Shapes: ``step(x, out=None)`` takes one step, (F,) -> (C,). ``steps(x)`` takes T steps at once, (T, F)
        -> (T, C), with the bits of ``step``. ``rows=k`` makes k streams: ``step`` (k, F) -> (k, C), ``steps``
        (T, k, F) -> (T, k, C). Where the network begins with an Embedding, x has integers and no axis F.

        ``state`` is a copy, one entry for each recurrent layer (of an LSTM the pair (h, c)) or pool, and can
        be set. ``initial_state`` has one entry for each recurrent layer, as in ``state``. ``reset()`` goes
        back to the beginning. Changed weights take effect at the next step.

        Errors: ValueError for bidirectional layers, which need whole sequences; ValueError for NaN or a wrong
        shape, which leaves the state unchanged; ValueError that names the step for an answer that is not
        finite, after which only ``reset()`` or a new state helps. A network that knows the names of its
        features reads x by name; ValueError for missing and unknown names.

        >>> from elman import Network, SimpleRNN
        >>> stream = Network([SimpleRNN(4)], input_size=2, seed=0).stream()
        >>> stream.step(np.zeros(2)).shape, stream.steps(np.zeros((3, 2))).shape
        ((4,), (3, 4))
        """
        check_rows_may_be_cut(self.model, "stream", rows)
        count = 0 if rows is None else integer("rows", rows, 1, _MOST_ROWS)
        native = self.model.native.stream(count, initial_state)
        known = self.model.features
        return _NamedStream(native, known, rows is None) if known.known else native


class _NamedStream:
    """A stream that reads x by the names of its features, where x has names; ``plain`` reads it as it is."""

    def __init__(self, plain: _engine.Stream, known: Features, one: bool) -> None:
        self.plain, self._known, self._one = plain, known, one
        self._step, self.reset = plain.step, plain.reset

    def step(self, x: ArrayLike, out: Array | None = None) -> Array:
        if type(x) is not np.ndarray:
            x = aligned_rows(x, self._known, "x", one=self._one)
        return self._step(x, out)

    def steps(self, x: ArrayLike) -> Array:
        if type(x) is not np.ndarray:
            x = aligned_rows(x, self._known, "x")
        return self.plain.steps(x)

    @property
    def state(self) -> State:
        return self.plain.state

    @state.setter
    def state(self, value: State) -> None:
        self.plain.state = value


def read_seed(seed: int | np.integer[Any] | None) -> int | None:
    """Return the seed of dropout as an int; None is no dropout."""
    return None if seed is None else integer("seed", seed, maximum=math.inf)
