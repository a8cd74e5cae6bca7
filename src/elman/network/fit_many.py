"""Many networks at once: independent fits on several threads, each with the same bits as alone."""

from __future__ import annotations

import os
import threading
from collections.abc import Mapping, Sequence
from concurrent.futures import FIRST_EXCEPTION, Future, ThreadPoolExecutor, wait
from pathlib import Path
from typing import Any

from elman import _engine
from elman._validation import describe, flag
from elman.data.alignment import aligned
from elman.data.input_types import SequenceInput, TargetInput
from elman.data.sequences import Sequences, as_batch
from elman.errors import ArgumentTypeError, ArgumentValueError
from elman.model.history import History
from elman.network.network import Network


def fit_many(
    nets: Sequence[Network],
    X: SequenceInput,
    y: TargetInput,
    *,
    each: Sequence[Mapping[str, Any]] | None = None,
    verbose: bool = True,
    n_threads: int | None = None,
    **options: Any,
) -> list[History]:
    """Train independent networks, as many at a time as there are threads, and return their histories.

    Every network ends with the same bits as after ``net.fit(X, y, **options)``. Shapes: X and y as for
    `Network.fit`, shared by all.

    Parameters
    ----------
    nets : list of Network
        Different objects, such as the seeds, sizes or folds of one experiment.
    each : list of dict or None
        Options of `Network.fit` for each network, "X" and "y" included; they replace the shared ones.
    verbose : bool
        Whether to show a progress bar that counts networks.
    n_threads : int or None
        Networks at a time; None takes the CPUs of this process, bounded by OMP_NUM_THREADS.
    **options
        As for `Network.fit`: epochs, optimizer, ...

    Raises
    ------
    TypeError, ValueError
        If an argument has a wrong type or value. The error names it; a note has the network's index.
    DivergenceError
        That of the first network that diverged, after the others are done.
    KeyboardInterrupt
        After Ctrl-C; every network keeps its finished epochs.

    >>> import numpy as np
    >>> from elman import Network, SimpleRNN, fit_many
    >>> nets = [Network([SimpleRNN(2)], input_size=1, seed=seed) for seed in range(3)]
    >>> histories = fit_many(nets, np.zeros((4, 5, 1)), np.zeros((4, 2)), epochs=2, verbose=False)
    >>> [history.epoch for history in histories]
    [2, 2, 2]
    """
    nets = _distinct(nets)
    given = _options(nets, X, y, each, options)
    threads = min(_engine.threads(n_threads), len(nets))
    stop = threading.Event()

    def fit(net: Network, own: dict[str, Any]) -> History:
        net.model.stop = stop
        try:
            return net.fit(**own, verbose=False, n_threads=1)
        finally:
            net.model.stop = None

    with ThreadPoolExecutor(threads, thread_name_prefix="elman-fit") as pool:
        futures: list[Future[History]] = []
        try:  # Ctrl-C may come while the first ones run and others are submitted
            futures.extend(pool.submit(fit, net, own) for net, own in zip(nets, given, strict=True))
            _follow(futures, flag("verbose", verbose))
        except BaseException:
            stop.set()
            for future in futures:
                future.cancel()
            raise
    return [_result(future, i) for i, future in enumerate(futures)]


def _distinct(nets: Any) -> list[Network]:
    if isinstance(nets, Network) or not isinstance(nets, Sequence):
        raise ArgumentTypeError("nets", f"is {describe(nets)}", "a list of networks")
    if not nets:
        raise ArgumentValueError("nets", "is empty", "at least one network")
    seen: dict[int, int] = {}
    for i, net in enumerate(nets):
        if not isinstance(net, Network):
            raise ArgumentTypeError(f"nets[{i}]", f"is {describe(net)}", "a Network")
        if id(net) in seen:
            raise ArgumentValueError(f"nets[{i}]", f"is nets[{seen[id(net)]}]", "different networks")
        seen[id(net)] = i
    return list(nets)


def _options(nets: list[Network], X: Any, y: Any, each: Any, options: dict[str, Any]) -> list[dict[str, Any]]:
    """Return the arguments of each network's fit."""
    if each is None:
        each = [{}] * len(nets)
    if isinstance(each, (str, Mapping)) or not isinstance(each, Sequence):
        raise ArgumentTypeError("each", f"is {describe(each)}", "a list of dicts, one a network")
    if len(each) != len(nets):
        raise ArgumentValueError("each", f"has {len(each)} dicts", f"{len(nets)} (one a network)")
    for i, own in enumerate(each):
        if not isinstance(own, Mapping):
            raise ArgumentTypeError(f"each[{i}]", f"is {describe(own)}", "a dict of fit's options")
        for name in ("verbose", "n_threads"):
            if name in own:
                raise ArgumentValueError(f"each[{i}]", f"has {name!r}", "it as an argument of fit_many alone")
    shared = {"X": _once(nets, X), "y": y, **options}
    given = [{**shared, **own} for own in each]
    _check_own_files([own.get("checkpoint") for own in given])
    return given


def _check_own_files(paths: list[Any]) -> None:
    """Raise ValueError where two networks would write their run into one file."""
    seen: dict[Path, int] = {}
    for i, path in enumerate(paths):
        if isinstance(path, (str, os.PathLike)):
            name = Path(path).resolve()
            if name in seen:
                raise ArgumentValueError(
                    "checkpoint",
                    f"is {os.fspath(path)!r} for nets[{seen[name]}] and nets[{i}]",
                    "a file of its own for each, in each=",
                )
            seen[name] = i


def _once(nets: list[Network], X: Any) -> Any:
    """Return a list of sequences as one buffer: it is concatenated once and not for every network."""
    sizes = {(net.input_size, net.model.symbols, net.dtype) for net in nets}
    if not isinstance(X, (list, tuple)) or len(sizes) > 1:
        return X
    if not nets[0].model.symbols:
        X, known = aligned(X)
        if known.known:
            batch = as_batch(X, nets[0].input_size, nets[0].dtype)
            return Sequences(batch.values, batch.offsets, **known.arguments())
    batch = nets[0].model.sequences(X)
    return Sequences(batch.values, batch.offsets)


def _follow(futures: list[Future[History]], verbose: bool) -> None:
    """Wait for all, for 0.1 s at a time so that Ctrl-C works; show how many are done."""
    bar = None
    if verbose:
        from tqdm.auto import tqdm

        bar = tqdm(total=len(futures), unit="net", dynamic_ncols=True)
    try:
        left = set(futures)
        while left:
            done, left = wait(left, timeout=0.1, return_when=FIRST_EXCEPTION)
            if bar is not None and done:
                bar.update(len(done))
    finally:
        if bar is not None:
            bar.close()


def _result(future: Future[History], i: int) -> History:
    try:
        return future.result()
    except Exception as error:
        error.add_note(f"This happened to nets[{i}].")
        raise
