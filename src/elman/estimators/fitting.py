"""One run of an estimator's training: its network, its plan, and what a checkpoint must agree with."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from elman import _engine
from elman._validation import integer
from elman.data.sequences import Batch
from elman.estimators.data import EstimatorData
from elman.estimators.early_stopping import Patience
from elman.estimators.noise import InputNoise
from elman.estimators.options import Options, read_dtype
from elman.model.model import LARGEST_SEED
from elman.nn.layers import Layer
from elman.training import loop
from elman.training.checkpoint import network_spec, peek
from elman.training.plan import Plan, TrainingData, make_plan

if TYPE_CHECKING:
    from elman.network.network import Network


def check_network(network: Network, stack: list[Layer], data: EstimatorData, dtype: Any) -> None:
    """Raise ValueError where the parameters ask for another network than that of an earlier fit."""
    asked = read_dtype(dtype, data.batch.values.dtype)
    if tuple(stack) != network.layers or (dtype is not None and asked != network.dtype):
        raise ValueError(
            f"the parameters ask for {stack} in {asked}, expected {list(network.layers)} in "
            f"{network.dtype}: the network of the fit before, which warm_start and partial_fit go on with"
        )


def read_seed(given: Any, resumed: Any) -> int | None:
    """Return the network's seed from ``random_state``; None takes that of the file that is resumed."""
    if given is None:
        spec = None if resumed is None else peek(resumed)
        seed = None if spec is None else network_spec(spec, repr(resumed)).get("seed")
        return None if seed is None else integer("seed", seed, maximum=LARGEST_SEED)
    if isinstance(given, np.random.RandomState):
        return int(given.randint(2**31 - 1))
    if isinstance(given, np.random.Generator):
        return int(given.integers(2**31 - 1))
    return integer("random_state", given, maximum=LARGEST_SEED)


def plan(
    network: Network,
    data: TrainingData,
    validation: TrainingData | None,
    options: Options,
    patience: Patience,
) -> Plan:
    """Return the plan of one run, checked."""
    prepare = None
    if options.input_noise > 0.0:
        prepare = InputNoise(data.batch.values, options.input_noise, network.seed)
    return make_plan(
        network.model,
        data,
        validation,
        optimizer=options.optimizer(_updates(network, data.batch, options)),
        epochs=options.epochs,
        batch_size=options.batch_size,
        l2=options.alpha,
        shuffle=options.shuffle,
        truncation=options.truncation,
        clip_norm=options.clip_norm,
        callbacks=[patience] if patience.watches else [],
        verbose=options.verbose,
        n_threads=options.n_threads,
        prepare=prepare,
    )


def _updates(network: Network, batch: Batch, options: Options) -> int:
    """Return the number of updates of the run, at whose end a changing rate arrives."""
    truncation = 0 if options.constant_rate else options.truncation or 0  # a constant rate has no end
    model, lengths, updates, order = network.model, batch.lengths(), 0, np.arange(batch.n)
    for epoch in range(model.epoch, model.epoch + options.epochs):
        if options.shuffle and truncation:
            order = _engine.shuffle(model.shuffle_key, epoch, 1, batch.n)
        updates += loop.count_updates(lengths, order[None], options.batch_size, truncation, model.per_step)
    return updates


def settings(parameters: dict[str, Any], from_part: bool, learned: Any) -> dict[str, Any]:
    """Return, for a checkpoint, what the network's own settings do not show of the parameters.

    ``from_part``: scales and class weights were learned from the training part alone, which elman 0.1 did
    not do. ``learned``: the classes as an array, or what else was learned from the answers.
    """
    names = ("early_stopping", "validation_fraction", "tol", "n_iter_no_change", "input_noise", "standardize")
    found = {name: repr(parameters[name]) for name in names}
    found["class_weight"] = repr(parameters.get("class_weight"))  # a regressor has none
    if from_part and (parameters["standardize"] or parameters.get("class_weight") is not None):
        found["scales"] = "those of the training part"
    if "missing_label" in parameters:
        found["missing_label"] = repr(parameters["missing_label"])
    if isinstance(learned, np.ndarray):
        found["classes"] = repr(learned.tolist())
    return found
