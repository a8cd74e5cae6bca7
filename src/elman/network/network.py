"""Network: the class that users train and ask. Each method is one call into the modules below."""

from __future__ import annotations

import os
from collections.abc import Sequence
from typing import Any, Literal

import numpy as np  # noqa: F401 - the examples of the docstrings use it
from numpy.typing import ArrayLike

from elman._validation import DType, choice, flag, number
from elman.data import signal_limits
from elman.data.input_types import (
    InitialState,
    SequenceInput,
    TargetInput,
    ValidationData,
    WeightInput,
)
from elman.data.sequences import Array
from elman.model import file
from elman.model.history import History
from elman.model.model import Callback, Model
from elman.network.outputs import NetworkOutputs, read_seed
from elman.nn import losses, optimizers
from elman.nn.layers import Layer
from elman.nn.losses import Loss, Reduction
from elman.nn.optimizers import FirstOrderName, OptimizerName
from elman.nn.stack import check_stack
from elman.training import loop
from elman.training.checkpoint import open_run, take_up_features
from elman.training.online import Learner, Rule
from elman.training.plan import (
    BATCH_SIZE,
    make_plan,
    read_training_data,
    read_validation_data,
)


class Network(NetworkOutputs):
    """A recurrent network: layers over sequences of ``input_size`` features, trained by the native engine.

    Shapes (n sequences, T steps, F = input_size, C outputs): X is (n, T, F), a list of (T_i, F), or
    `Sequences`; the output is (n, C), or has a time axis where the last layers keep one.

    Parameters
    ----------
    layers : list of Embedding, SimpleRNN, GRU, LSTM, Dense, MeanPool, MaxPool
        From the input upwards.
    input_size : int or None
        F, at least 1; None is for networks that begin with an Embedding, whose X holds integers (n, T).
    dtype : {"float32", "float64"}
        Of parameters, states and results.
    seed : int or None
        Initial weights and shuffling follow from it; None takes a fresh one and keeps it in ``net.seed``.

    Raises
    ------
    TypeError, ValueError
        If an argument has a wrong type or value. The error names it.

    >>> from elman import Dense, Network, SimpleRNN
    >>> net = Network([SimpleRNN(3), Dense(5, activation="softmax")], input_size=5, seed=123)
    >>> net.predict(np.zeros((2, 7, 5))).shape
    (2, 5)
    """

    def __init__(
        self,
        layers: Sequence[Layer],
        input_size: int | None = None,
        dtype: DType = "float32",
        seed: int | None = None,
    ) -> None:
        self.model = Model(check_stack(layers), input_size, dtype, seed)
        self.model.draw()

    # learning

    def fit(
        self,
        X: SequenceInput,
        y: TargetInput,
        *,
        loss: Loss | None = None,
        optimizer: OptimizerName | optimizers.Optimizer = "adam",
        epochs: int = 1,
        batch_size: int = BATCH_SIZE,
        validation_data: ValidationData | None = None,
        sample_weight: WeightInput | None = None,
        l2: float = 0.0,
        shuffle: bool = True,
        truncation: int | None = None,
        stateful: bool = False,
        initial_state: InitialState | None = None,
        clip_norm: float | None = None,
        reduction: Reduction = "mean",
        callbacks: Sequence[Callback] = (),
        checkpoint: str | os.PathLike[str] | None = None,
        resume: bool = False,
        memory: Literal["auto"] | int = "auto",
        verbose: bool | int = True,
        n_threads: int | None = None,
    ) -> History:
        """Train, and return the loss and the metrics of each epoch.

        Shapes: y (n,) or (n, C); per step (n, T), (n, T, C) or a list of (T_i,) or (T_i, C). A missing
        answer, only possible per step, is -1 (index), NaN (value) or a row of NaN (probabilities).

        Parameters
        ----------
        loss : {"cross_entropy", "binary_cross_entropy", "squared_error"} or None
            None chooses by the last activation: softmax, sigmoid, any other.
        optimizer : {"adam", "adamw", "rmsprop", "sgd"} or an optimizer
            If it equals that of the fit before, its state continues; otherwise it starts with none.
        epochs, batch_size : int, at least 1
            Passes over the data, and sequences per update.
        validation_data : (X, y) or (X, y, sample_weight)
            Evaluated after each epoch, under ``val_`` keys.
        sample_weight : (n,), at least 0
            Weights of the sequences. With one answer per step also weights of the steps: a list of (T_i,),
            (n, T), or `Sequences`. An answer of weight 2 counts as two answers; a step of weight 0 is one
            without an answer. The state passes through it.
        l2 : float, at least 0
            Adds l2/2 times the sum of squares of kernels and recurrent kernels to each update's loss.
        shuffle : bool
            A new order each epoch. It depends on ``net.seed`` and the number of epochs ever trained.
        truncation : int or None
            Truncated backpropagation through time: sequences are cut into chunks of this many steps, with an
            update after each.
        stateful : bool
            The state at the end of a sequence is the initial state of the same sequence in the next epoch.
        initial_state : list or None
            The states before the first step, as for `predict`, in every epoch; not with ``stateful``.
        clip_norm : float or None
            Gradients with a larger norm are scaled to it.
        reduction : {"mean", "sum"}
            Whether the loss of an update is divided by its number of answers (the sum of their weights).
        callbacks : list of callables (net, epoch, logs)
            Called after each epoch, counted from 0; returning True stops.
        checkpoint : path or None
            After each epoch the run is written to this file and flushed to the disk (about 10 ms).
            `elman.load` reads it too. An existing file is overwritten after the first epoch, unless
            ``resume`` continues it.
        resume : bool
            Continue the run in ``checkpoint``, or begin it if there is no file. The result has the same bits
            as a run that was never interrupted, and at most one epoch is lost. ``epochs``, the epoch passed
            to callbacks and the history count the whole run. A run that is complete, or that a callback
            stopped, is not trained further. A seed that was not given is taken from the file. Other X, y,
            weights, validation data or initial states are another run. A callback with the methods ``state()
            -> (values, arrays)`` and ``restore(values, arrays)``, dicts of JSON values and of arrays by name,
            is saved in the file too.
        memory : "auto" or int
            Bytes that the gradient of an update may use. If all steps at once would need more, only the
            states of some steps are kept, and the steps between are computed again: about a third more time,
            the same bits. "auto" is 1 GiB. What grows with sequences and steps is counted, X is not.
            ValueError, with the least possible number, if a minibatch of the longest sequences needs more.
            Bidirectional layers need whole sequences, and all steps at once.
        verbose : bool or int
            A progress bar; 0 is silent.
        n_threads : int or None
            None takes the CPUs of this process, bounded by OMP_NUM_THREADS. Results do not depend on it.

        Raises
        ------
        TypeError, ValueError
            If an argument has a wrong type or value; the error names it, and nothing has changed. Also if the
            checkpoint is damaged or of another run; each difference is named.
        OSError
            If the checkpoint cannot be written; the file before is intact. This is tried before training.
        DivergenceError
            If the loss, or that of ``validation_data``, becomes NaN or infinite. The weights are those of the
            last good epoch.
        RuntimeError
            If another thread uses the network: fit is exclusive.
        KeyboardInterrupt
            After Ctrl-C. ``net.history`` has the finished epochs; the weights are those of the last update.

        >>> from elman import Adam, Dense, Network, SimpleRNN
        >>> net = Network([SimpleRNN(4), Dense(2, "softmax")], input_size=1, seed=0)
        >>> X = [np.full((5, 1), v) for v in (0.0, 1.0)]
        >>> net.fit(X, [0, 1], optimizer=Adam(0.05), epochs=50, verbose=False).history["accuracy"][-1]
        1.0
        """
        with self.model.lock.writing("fit"), self.model.keeping_features():
            take_up_features(self.model, checkpoint, resume)
            train = read_training_data(self.model, X, y, sample_weight, loss, adopt=True)
            validation = read_validation_data(self.model, validation_data, train.loss)
            plan = make_plan(
                self.model,
                train,
                validation,
                optimizer=optimizer,
                epochs=epochs,
                batch_size=batch_size,
                l2=l2,
                shuffle=shuffle,
                truncation=truncation,
                stateful=stateful,
                clip_norm=clip_norm,
                reduction=reduction,
                callbacks=callbacks,
                verbose=verbose,
                n_threads=n_threads,
                initial_state=initial_state,
                memory=memory,
            )
            point = open_run(self.model, plan, checkpoint, resume)
            signal_limits.keep(self.model, train.batch, fresh=False)
            return loop.fit(self.model, self, plan, point)

    def update(
        self,
        gradient: ArrayLike,
        optimizer: FirstOrderName | optimizers.FirstOrder,
        clip_norm: float | None = None,
    ) -> None:
        """Apply one step of an optimizer to a gradient (P,): fit has the same bits as gradient plus update.

        Errors: TypeError and ValueError for a gradient of another shape or not finite.

        >>> from elman import SGD, Network, SimpleRNN
        >>> net = Network([SimpleRNN(1)], input_size=1, seed=0)
        >>> net.parameters[:] = 1.0
        >>> net.update([1.0, 2.0, 3.0], SGD(0.5))
        >>> net.parameters
        array([ 0.5,  0. , -0.5], dtype=float32)
        """
        with self.model.lock.writing("update"):
            loop.update(self.model, gradient, optimizer, clip_norm)

    def evaluate(
        self,
        X: SequenceInput,
        y: TargetInput,
        *,
        loss: Loss | None = None,
        sample_weight: WeightInput | None = None,
        stateful: bool = False,
        n_threads: int | None = None,
    ) -> dict[str, float]:
        """Return the mean loss per answer, without l2, and the metrics.

        Keys: "loss" and "accuracy", or "loss", "mean_squared_error" and "mean_absolute_error" for
        squared_error; NaN if there is no answer. Arguments and errors as for `fit`; ``stateful=True`` reads
        and writes the carried states.

        >>> from elman import Dense, Network, SimpleRNN
        >>> net = Network([SimpleRNN(4), Dense(2, "softmax")], input_size=1, seed=0)
        >>> sorted(net.evaluate(np.zeros((2, 5, 1)), [0, 1]))
        ['accuracy', 'loss']
        """
        lock, writes = self.model.lock, flag("stateful", stateful)
        with lock.writing("evaluate(stateful=True)") if writes else lock.reading():
            return loop.evaluate(self.model, X, y, loss, sample_weight, stateful, n_threads)

    def loss_and_gradient(
        self,
        X: SequenceInput,
        y: TargetInput,
        *,
        loss: Loss | None = None,
        reduction: Reduction = "mean",
        sample_weight: WeightInput | None = None,
        l2: float = 0.0,
        initial_state: InitialState | None = None,
        memory: Literal["auto"] | int = "auto",
        seed: int | None = None,
    ) -> tuple[float, Array]:
        """Return the loss of X as one update, and its exact gradient (P,), frozen parameters included.

        Arguments and errors as for `fit`. The gradient of very long sequences is exact too, whatever
        ``memory``. ``seed``: an integer turns dropout on, with masks that depend on it; None turns it off.

        >>> from elman import Network, SimpleRNN
        >>> net = Network([SimpleRNN(2)], input_size=1, seed=0)
        >>> loss, gradient = net.loss_and_gradient(np.zeros((1, 5, 1)), [[0.0, 0.0]])
        >>> loss, gradient.shape
        (0.0, (8,))
        """
        mean = choice("reduction", reduction, losses.REDUCTIONS) == "mean"
        with self.model.lock.reading():
            return loop.loss_and_gradient(
                self.model,
                X,
                y,
                loss,
                mean,
                sample_weight,
                number("l2", l2),
                initial_state,
                memory,
                read_seed(seed),
            )

    def online(
        self,
        optimizer: FirstOrderName | optimizers.FirstOrder,
        *,
        rule: Rule = "bptt",
        truncation: int | None = None,
        loss: Loss | None = None,
        clip_norm: float | None = None,
    ) -> Learner:
        """Return a learner: one step of a sequence at a time, with an update after each answer.

        Shapes: ``step(x, y=None)`` x (F,) (an integer, for an Embedding) -> output (C,), before the update.
        ``rule`` "bptt" goes back through the last ``truncation`` steps (None: 10), "rtrl" is exact and never
        goes back. Optimizer state and update count are those of the network, as in `fit`. Errors: ValueError
        for networks with pools, bidirectional layers, dropout or constraints. See `elman.Learner`.

        >>> from elman import SGD, Network, SimpleRNN
        >>> net = Network([SimpleRNN(4)], input_size=2, seed=0)
        >>> net.online(SGD(0.1), truncation=5).step(np.zeros(2), np.ones(4)).shape
        (4,)
        """
        return Learner(self, optimizer, rule, truncation, loss, clip_norm)


def unpack(spec: dict[str, Any], arrays: dict[str, Array], name: str) -> Network:
    """Return the network that a file holds; ValueError where spec and arrays do not belong together."""
    net = Network.__new__(Network)
    net.model = file.unpack(spec, arrays, name)
    return net
