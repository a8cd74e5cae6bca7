"""Training: the epoch loop in Python, a bounded run of minibatches in each native call.

Orders and learning rates of many epochs cross to the engine as arrays; each epoch's sums come back.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from elman import _engine
from elman._validation import number
from elman.data.sequences import Array, Offsets
from elman.errors import ArgumentTypeError, ArgumentValueError, DivergenceError
from elman.model.history import History, means
from elman.model.initial_states import initial_states
from elman.model.memory import check_memory
from elman.model.model import Callback, Float64, Model
from elman.nn import losses
from elman.nn.optimizers import FirstOrder, check_first_order, rate_at
from elman.training import second_order
from elman.training.checkpoint import Checkpoint
from elman.training.plan import Plan, TrainingData, check_rows_may_be_cut, read_training_data

_SPAN = 200_000  # entries of the order array, or learning rates, in one native call
_SECONDS = 0.1  # a native call returns after about this long, so that the bar moves


def evaluate(
    model: Model, X: Any, y: Any, loss: Any, sample_weight: Any, stateful: bool, n_threads: Any
) -> dict[str, float]:
    """Return the mean loss and the metrics of one pass, by name."""
    data = read_training_data(model, X, y, sample_weight, loss)
    count = _engine.threads(n_threads)
    carry = None
    if stateful:
        check_rows_may_be_cut(model, "stateful", True)
        carry = model.carry = model.carried(data.batch.n)
    keys = losses.report_keys(data.loss)
    columns = means(_sums(model, data, carry, count), len(keys))
    return {key: values[0] for key, values in zip(keys, columns, strict=True)}


def loss_and_gradient(
    model: Model,
    X: Any,
    y: Any,
    loss: Any,
    mean: bool,
    sample_weight: Any,
    l2: float,
    initial_state: Any,
    memory: Any,
    seed: int | None,
) -> tuple[float, Array]:
    """Return the loss of X as one update, and its gradient (P,)."""
    data = read_training_data(model, X, y, sample_weight, loss)
    gradient = np.empty_like(model.parameters)
    initial = initial_states(initial_state, model, data.batch.n)
    dropout = model.dropout(seed)
    batch, dropping = data.batch, dropout is not None
    limit = check_memory(memory, model, batch, data.loss, size=batch.n, dropping=dropping)
    value = model.native.gradient(
        data.data,
        data.targets,
        losses.CODES[data.loss],
        data.weights,
        mean,
        l2,
        gradient,
        _engine.threads(None),
        limit,
        initial,
        dropout,
    )
    return value, gradient


def update(model: Model, gradient: Any, optimizer: Any, clip_norm: Any) -> None:
    """Apply one step of an optimizer to a gradient (P,)."""
    optimizer = check_first_order(optimizer)
    given = np.asarray(gradient)
    if given.dtype.kind not in "fiu":
        raise ArgumentTypeError("gradient", f"has dtype {given.dtype}", "real numbers")
    if given.shape != model.parameters.shape:
        raise ArgumentValueError(
            "gradient", f"has shape {given.shape}", f"{model.parameters.shape} (as net.parameters)"
        )
    with np.errstate(over="ignore"):
        flat = np.ascontiguousarray(given, dtype=model.dtype)
    if not np.isfinite(flat).all():
        i = int(np.argmin(np.isfinite(flat)))
        raise ArgumentValueError(
            f"gradient[{i}]", f"is {given[i]}", f"numbers that are finite in {model.dtype}"
        )
    clip = 0.0 if clip_norm is None else number("clip_norm", clip_norm, positive=True)
    rate = rate_at(optimizer, model.updates if optimizer == model.optimizer else 0)
    model.begin(optimizer)
    model.native.update(
        flat, optimizer.code, rate, model.moments, model.updates, model.trainable(), clip, model.bounds()
    )
    model.updates += 1


def _sums(model: Model, data: TrainingData, carry: list[Array] | None, n_threads: int) -> Float64:
    code = losses.CODES[data.loss]
    return np.array([model.native.evaluate(data.data, data.targets, code, data.weights, carry, n_threads)])


def fit(model: Model, net: Any, plan: Plan, point: Checkpoint | None = None) -> History:
    """Train as planned; ``net`` is passed to the callbacks, ``point`` is where the run is kept.

    The caller holds the network's write access.
    """
    history = _begin(model, plan, point)
    run: _Run | second_order.Run
    if isinstance(plan.optimizer, FirstOrder):
        run = _Run(model, plan, plan.optimizer, model.carry if plan.stateful else None, history)
    else:
        run = second_order.Run(model, plan, history)
    bar = _bar(run.done, plan.epochs) if plan.verbose else None
    try:
        if plan.validation is None and not plan.callbacks and plan.prepare is None and point is None:
            while run.done < plan.epochs and not run.ended:
                run.schedule(plan.epochs - run.done, bar)
        else:
            stopped = point is not None and point.stopped
            while run.done < plan.epochs and not stopped:
                if plan.prepare is not None:
                    plan.prepare(model.epoch)
                run.schedule(1, None)
                _show(bar, history, run.done)
                stopped = _called(plan.callbacks, net, run.done - 1, history) or run.ended
                if point is not None:
                    point.write(stopped)
    finally:
        if bar is not None:
            bar.close()
    return history


def _begin(model: Model, plan: Plan, point: Checkpoint | None) -> History:
    """Go on with the run in the checkpoint, or begin a new one."""
    keys = losses.report_keys(plan.loss)
    if plan.validation is not None:
        keys += tuple(f"val_{key}" for key in keys)
    if point is None or not point.restore(plan.optimizer, keys):
        model.history = History(keys)
        model.begin(plan.optimizer)
        model.began = None if point is None else model.epoch
    if plan.stateful:
        model.carry = model.carried(plan.train.batch.n)
    if point is not None:
        point.start()
    return model.history


def _called(callbacks: tuple[Callback, ...], net: Any, epoch: int, history: History) -> bool:
    """Call every callback, and return whether one of them asks to stop."""
    stop = False
    for callback in callbacks:
        answer = callback(net, epoch, history.last())
        stop = stop or (isinstance(answer, (bool, np.bool_)) and bool(answer))
    return stop


def _bar(done: int, epochs: int) -> Any:
    from tqdm.auto import tqdm

    return tqdm(initial=done, total=max(done, epochs), unit="epoch", dynamic_ncols=True)


def _show(bar: Any, history: History, done: int) -> None:
    if bar is not None and done > bar.n:
        bar.set_postfix({key: f"{value:.4g}" for key, value in history.last().items()}, refresh=False)
        bar.update(done - bar.n)


def count_updates(lengths: Offsets, order: Offsets, batch_size: int, truncation: int, per_step: bool) -> int:
    """Return the number of updates of epochs with the sequences in ``order`` (epochs, n), all answers given.

    There is one update per minibatch. With a truncation (above 0) there is one per chunk that has an answer:
    every chunk of the longest sequence; with one answer per sequence, every chunk that is the last of some
    sequence.

    >>> lengths, order = np.array([4, 6, 1]), np.array([[0, 1, 2]])
    >>> [count_updates(lengths, order, 2, k, True) for k in (0, 1, 2)]
    [2, 7, 4]
    >>> [count_updates(lengths, order, 2, k, False) for k in (0, 1, 2)]
    [2, 3, 3]
    """
    epochs, n = order.shape
    starts = np.arange(0, n, batch_size)
    if not truncation:
        return int(epochs) * len(starts)
    chunks = (-(-lengths // truncation))[order]
    if per_step:
        return int(np.maximum.reduceat(chunks, starts, axis=1).sum())
    minibatch = np.arange(epochs)[:, None] * len(starts) + np.arange(n) // batch_size
    return len(np.unique(minibatch * (chunks.max() + 1) + chunks))


class _Run:
    """The schedules of one fit, and the bookkeeping between them."""

    ended = False  # whether no step lowers the loss any more; only second order finds that out

    def __init__(
        self, model: Model, plan: Plan, optimizer: FirstOrder, carry: list[Array] | None, history: History
    ) -> None:
        self.model, self.plan, self.carry, self.history = model, plan, carry, history
        self.optimizer = optimizer
        self.done = history.epoch  # finished epochs of this fit, also of one that was resumed
        self.n = plan.train.batch.n
        self.batches = -(-self.n // plan.batch_size)
        self.per_epoch = self._updates_an_epoch()
        self.trainer = model.native.trainer(losses.CODES[plan.loss], model.drops, plan.memory, plan.n_threads)
        self.snapshot = np.empty_like(model.parameters)
        self.before = self.snapshot  # the snapshot of the schedule before; there is none yet
        self.spoiled = False  # whether the loss of validation_data is not finite

    def _updates_an_epoch(self) -> int:
        """Return the largest number of updates of an epoch, for the length of schedules."""
        k = self.plan.truncation
        chunks = -(-int(self.plan.train.batch.lengths().max()) // k) if k else 1
        return self.batches * chunks

    def schedule(self, wanted: int, bar: Any) -> None:
        """Train as many epochs as fit into one schedule, at most ``wanted``."""
        model, plan = self.model, self.plan
        varying = callable(self.optimizer.learning_rate)
        epochs = max(1, min(wanted, _SPAN // max(self.n, self.per_epoch if varying else 1)))
        order = self._order(epochs)
        dropout = (model.dropout_key, model.epoch) if model.drops else None
        rates = self._rates(order, epochs, varying)
        settings = (
            plan.mean,
            plan.l2,
            plan.clip_norm,
            plan.truncation,
            self.optimizer.code,
            model.trainable(),
            model.bounds(),
        )
        sums = np.zeros((epochs, 5))
        progress = np.array([0, 0, 0, model.updates], dtype=np.int64)
        first, updates, recorded = 0, model.updates, 0
        status = 1
        while status == 1:
            if model.stop is not None and model.stop.is_set():
                raise KeyboardInterrupt
            try:
                status = self.trainer.train(
                    plan.train.data,
                    plan.train.targets,
                    plan.train.weights,
                    self.carry,
                    order,
                    first,
                    plan.batch_size,
                    rates,
                    settings,
                    progress,
                    sums,
                    self.snapshot,
                    model.moments,
                    _SECONDS,
                    plan.initial,
                    dropout,
                )
            finally:  # after an interrupt too: progress is that of the last whole update
                first = int(progress[0])
                model.updates = updates + int(progress[1])
                recorded = self._record(sums, recorded, first // self.batches)
            _show(bar, self.history, self.done)
        if self.spoiled:
            model.epoch -= 1
            error = self._diverged(self.batches - 1)
            error.add_note("The loss was that of validation_data, after this last batch.")
            raise error
        if status == 2:
            raise self._diverged(first % self.batches)
        self.before = self.snapshot.copy()

    def _order(self, epochs: int) -> Offsets:
        if self.plan.shuffle:
            return _engine.shuffle(self.model.shuffle_key, self.model.epoch, epochs, self.n)
        return np.tile(np.arange(self.n, dtype=np.int64), epochs)

    def _rates(self, order: Offsets, epochs: int, varying: bool) -> Float64:
        """Return the learning rate of each possible update of the schedule, or the one that all share."""
        optimizer, count = self.optimizer, self.model.updates
        if not varying:
            return np.array([rate_at(optimizer, count)])
        plan = self.plan
        updates = count_updates(
            plan.train.batch.lengths(),
            order.reshape(epochs, self.n),
            plan.batch_size,
            plan.truncation,
            self.model.per_step,
        )
        return np.array([rate_at(optimizer, count + u) for u in range(updates)])

    def _record(self, sums: Float64, recorded: int, finished: int) -> int:
        """Record the newly finished epochs of a schedule, and return how many are recorded by now."""
        if finished > recorded:
            self.model.epoch += finished - recorded  # first: an interrupt may end the validation
            validation = None
            if self.plan.validation is not None:
                validation = _sums(self.model, self.plan.validation, None, self.plan.n_threads)
                loss, weight = validation[0, :2]
                if weight > 0.0 and not np.isfinite(loss):  # without an answer NaN is right
                    self.spoiled = True
                    return finished
            self.history.append(sums[recorded:finished], validation)
            self.done += finished - recorded
        return finished

    def _diverged(self, batch: int) -> DivergenceError:
        """Restore the last good weights: those at the start of this epoch.

        A callback after the epoch before may have made them infinite or NaN. Then the weights at the start of
        that epoch are restored; they are finite, since training ends no epoch with other weights.
        """
        model = self.model
        model.parameters[:] = self.snapshot if np.isfinite(self.snapshot).all() else self.before
        model.reset_optimizer()  # its moments led here
        model.carry = None
        return DivergenceError(self.done, batch)
