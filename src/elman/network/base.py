"""What a network is and has: its layers, sizes, parameters and history, and the file that keeps them."""

from __future__ import annotations

import os
from typing import Any

import numpy as np
from numpy.typing import ArrayLike

from elman.data.sequences import Array
from elman.model import file, summary
from elman.model.history import History
from elman.model.model import Model
from elman.model.weights import Weights
from elman.nn.layers import Layer


class BaseNetwork:
    """The part of `Network` that neither trains nor computes outputs."""

    model: Model

    @property
    def layers(self) -> tuple[Layer, ...]:
        """The layers, from the input upwards."""
        return self.model.layers

    @property
    def input_size(self) -> int:
        """F, the number of input features; 1 where X holds the integers of an Embedding."""
        return self.model.input_size

    @property
    def output_size(self) -> int:
        """C, the number of outputs."""
        return self.model.outputs

    @property
    def per_step(self) -> bool:
        """Whether the output has a time axis: one answer per step instead of one per sequence."""
        return self.model.per_step

    @property
    def dtype(self) -> np.dtype[Any]:
        """float32 or float64."""
        return self.model.dtype

    @property
    def seed(self) -> int:
        """The seed of weights, shuffling and dropout, given or fresh."""
        return self.model.seed

    @property
    def weights(self) -> Weights:
        """The parameters by name ("0.kernel", ...), as writable views of ``parameters``.

        ``net.weights["0.kernel"] = values`` and ``net.weights.update({name: values, ...})`` write into them.
        """
        return self.model.weights

    @weights.setter
    def weights(self, _: object) -> None:
        raise AttributeError(
            "net.weights cannot be replaced, only written into: net.weights['0.kernel'][:] = values"
        )

    @property
    def parameters(self) -> Array:
        """All parameters as one writable view (P,), in the order of ``weights``."""
        return self.model.parameters

    @parameters.setter
    def parameters(self, value: object) -> None:
        if value is self.parameters:  # the end of net.parameters *= 2: the view has been written already
            return
        raise AttributeError(
            "net.parameters cannot be replaced, only written into: net.parameters[:] = values"
        )

    @property
    def history(self) -> History:
        """The history of the latest fit, even if it was interrupted."""
        return self.model.history

    @property
    def feature_names_in_(self) -> Array | None:
        """The names of the input features since the first fit, (F,) of str; None where they are unknown.

        With names, later X are put in this order by their own names.
        """
        names = self.model.features.names
        return None if names is None else np.array(names, object)

    @property
    def feature_units_(self) -> tuple[str, ...] | None:
        """The units of the input features, "" where one is unknown; None where all are."""
        return self.model.features.units

    @property
    def rate_(self) -> float | None:
        """The sampling rate of the sequences of the first fit, in Hz; None where it is unknown."""
        return self.model.features.rate

    @property
    def frozen(self) -> tuple[str, ...]:
        """The names of the frozen parameters, which fit does not change, in the order of ``weights``."""
        return tuple(name for name in self.model.weights if name in self.model.frozen)

    @property
    def constrained(self) -> tuple[str, ...]:
        """The names of the constrained parameters, in the order of ``weights``."""
        return tuple(name for name in self.model.weights if name in self.model.constraints)

    def summary(self) -> str:
        """Return a table: layer, output shape, parameters, and their total.

        >>> from elman import Dense, Network, SimpleRNN
        >>> print(Network([SimpleRNN(3), Dense(5, activation="softmax")], input_size=5, seed=0).summary())
        layer          output shape  parameters
        ---------------------------------------
        0 SimpleRNN    (n, 3)                27
        1 Dense        (n, 5)                20
        ---------------------------------------
        total                                47
        """
        return summary.table(self.model)

    def __repr__(self) -> str:
        m = self.model
        return f"Network({list(m.layers)}, input_size={m.input_size}, dtype={m.dtype.name!r}, seed={m.seed})"

    def reset_optimizer(self) -> None:
        """Forget the optimizer's moments and its update count: the next fit starts it anew."""
        with self.model.lock.writing("reset_optimizer"):
            self.model.reset_optimizer()

    def reset_state(self) -> None:
        """Forget the states that ``stateful=True`` carries from one pass to the next."""
        with self.model.lock.writing("reset_state"):
            self.model.reset_carry()

    def freeze(self, *patterns: str) -> None:
        """Exclude parameters from training, by name or `fnmatch` pattern.

        A callback of fit may call it: it applies from the next epoch on. Errors: ValueError for a pattern
        without a match; RuntimeError while another thread uses the network.

        >>> from elman import Network, SimpleRNN
        >>> net = Network([SimpleRNN(2)], input_size=1, seed=0)
        >>> net.freeze("*.recurrent_kernel")
        >>> net.frozen
        ('0.recurrent_kernel',)
        """
        with self.model.lock.writing_in_callback("freeze"):
            self.model.frozen |= self.model.match(patterns)

    def unfreeze(self, *patterns: str) -> None:
        """Include parameters in training again, by name or `fnmatch` pattern. Errors as for `freeze`."""
        with self.model.lock.writing_in_callback("unfreeze"):
            self.model.frozen -= self.model.match(patterns)

    def constrain(self, *patterns: str, mask: ArrayLike | None = None, sign: ArrayLike | None = None) -> None:
        """Constrain parameters, by name or `fnmatch` pattern, now and after every update, exactly.

        ``mask``, of the parameter's shape: False (0) where a weight stays 0, for sparse networks. ``sign``:
        1, -1 or 0 (free) for each row, (rows,), or each entry: Dale's law, since row i of a recurrent kernel
        holds the connections from unit i. Weights that stay 0 do not count in the gradient's norm and in
        moments. A second call replaces the first; one without mask and sign removes the constraint. Errors:
        ValueError for another shape, other values, or a pattern without a match; RuntimeError in a callback
        of fit, and while another thread uses the network.

        >>> from elman import Network, SimpleRNN
        >>> net = Network([SimpleRNN(2)], input_size=1, seed=0)
        >>> net.constrain("0.recurrent_kernel", sign=[1, -1], mask=[[0, 1], [1, 0]])
        >>> (net.weights["0.recurrent_kernel"] * [[1], [-1]] >= 0).all()
        np.True_
        """
        with self.model.lock.writing("constrain"):
            self.model.constrain(patterns, mask, sign)

    def save(self, path: str | os.PathLike[str]) -> None:
        """Write the network into one safetensors file that `elman.load` reads; no pickle.

        The file has layers, parameters, dtype, seed, frozen names, constraints, optimizer state, epoch count
        and history, but not the states carried by ``stateful``. Equal networks give equal bytes. A file of
        that name is replaced in one step. Errors: OSError where it cannot be written; the file before is
        intact then.
        """
        with self.model.lock.reading():
            file.write(path, *file.pack(self.model))

    def __getstate__(self) -> dict[str, Any]:
        with self.model.lock.reading():
            return file.state(self.model)

    def __setstate__(self, state: dict[str, Any]) -> None:
        self.model = file.restore(state)
