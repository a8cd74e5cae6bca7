"""Runs that are killed: forks a training process, kills it with SIGKILL at a random moment, and goes on.

It runs in a process of its own, which has imported elman once, and nothing of it has run there: each
child is as a fresh process, without the time that importing takes.
"""

from __future__ import annotations

import collections
import json
import os
import pathlib
import select
import signal
import time
import traceback
import warnings

import numpy as np

import elman


class Waiting:
    """A rule that stops after so many epochs without a better loss, and remembers the best weights."""

    def __init__(self, most):
        self.most, self.waited, self.low, self.best, self.seen = most, 0, np.inf, None, []

    def __call__(self, net, epoch, logs):
        self.seen.append(epoch)
        self.waited += 1
        if logs["val_loss"] < self.low:
            self.waited, self.low, self.best = 0, logs["val_loss"], net.parameters.copy()
        return self.waited >= self.most

    def state(self):
        arrays = {"low": np.array([self.low])}
        if self.best is not None:
            arrays["best"] = self.best
        return {"waited": self.waited, "seen": self.seen}, arrays

    def restore(self, values, arrays):
        self.waited, self.seen, self.low = values["waited"], list(values["seen"]), float(arrays["low"][0])
        self.best = arrays["best"].copy() if "best" in arrays else None


class Task:
    """One training, drawn from a seed: its network, its data and its options are made anew for each call."""

    KINDS = ("plain", "stateful", "truncated", "validated", "all", "own rate", "stopped")

    def __init__(self, rng, number):
        self.kind = self.KINDS[number % len(self.KINDS)]
        self.dtype = ("float32", "float64")[int(rng.integers(2))]
        self.seed, self.units, self.steps = (int(rng.integers(high)) for high in (10**6, 40, 80))
        self.epochs, self.n_threads = int(rng.integers(8, 16)), int(rng.integers(1, 3))

    def train(self, callbacks, **keep):
        """Return the network and the rule after all epochs."""
        kind, n = self.kind, 48
        rng = np.random.default_rng(self.seed)
        X, y = rng.normal(size=(n, 20 + self.steps, 3)), rng.integers(0, 4, n)
        layers = [elman.SimpleRNN(24 + self.units), elman.Dense(4, activation="softmax")]
        net = elman.Network(layers, input_size=3, dtype=self.dtype, seed=self.seed)
        rule = Waiting(2)
        options = {"optimizer": elman.Adam(0.01), "callbacks": list(callbacks)}
        if kind in ("stateful", "all"):
            options["stateful"] = True
        if kind in ("truncated", "all"):
            options |= {"truncation": 15, "clip_norm": 1.0}
        if kind in ("validated", "all", "stopped"):
            options |= {
                "validation_data": (X[:8] + 0.1, y[:8]),
                "optimizer": elman.Adam(elman.CosineDecay(0.02, 40)),
            }
        if kind == "own rate":
            options["optimizer"] = elman.SGD(lambda update: 0.1 / (1 + update), momentum=0.9)
        if kind == "stopped":
            options |= {"optimizer": elman.Adam(0.1), "callbacks": [*callbacks, rule]}
        net.fit(X, y, epochs=self.epochs, verbose=False, n_threads=self.n_threads, **options, **keep)
        return net, rule

    def result(self, path, callbacks=(), **keep):
        """Train, and write down all that a network knows afterwards."""
        net, rule = self.train(callbacks, **keep)
        model = net.model
        arrays = {f"history.{key}": np.array(values) for key, values in net.history.history.items()}
        arrays |= {f"moment.{i}": moment for i, moment in enumerate(model.moments)}
        arrays |= {f"carry.{i}": carried for i, carried in enumerate(model.carry or ())}
        arrays |= {"counts": np.array([model.epoch, model.updates]), "seen": np.array(rule.seen)}
        np.savez(path, parameters=net.parameters, **arrays)


def fork(work, *arguments, **options):
    """Start a process that does some work; returns its number."""
    child = os.fork()
    if child == 0:
        try:
            work(*arguments, **options)
        except BaseException:
            traceback.print_exc()
            os._exit(1)
        os._exit(0)
    return child


def wait(child):
    """Whether a process ended well; False for a killed one."""
    code = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
    assert code in (0, -signal.SIGKILL), f"exit code {code}"
    return code == 0


class Lines:
    """What a process prints, one finished epoch a line."""

    def __init__(self):
        self.read, self.write = os.pipe()
        self.said = b""

    def epoch(self, net, number, logs):
        os.write(self.write, b"%d\n" % number)

    def listen(self, until, lines=10**9):
        """Listen until a moment, or until there are so many lines, or nothing will come any more."""
        while (left := until - time.monotonic()) > 0 and self.said.count(b"\n") < lines:
            if select.select([self.read], [], [], left)[0]:
                more = os.read(self.read, 4096)
                if not more:
                    break
                self.said += more

    def last(self):
        """The last finished epoch, counted from 0; -1 where there was none."""
        self.listen(time.monotonic() + 60)
        os.close(self.read)
        return int(self.said.split()[-1]) if self.said else -1


def interrupted(task, path, rng, duration):
    """Let a process train until it is killed; returns whether it was, and its last finished epoch."""
    lines = Lines()
    child = fork(
        task.result, path.with_name("killed.npz"), callbacks=[lines.epoch], checkpoint=path, resume=True
    )
    os.close(lines.write)
    if rng.random() < 0.5:  # anywhere
        lines.listen(time.monotonic() + rng.uniform(0.0, 1.2 * duration))
    else:  # at the end of an epoch, or while it is written
        lines.listen(time.monotonic() + 60, lines=int(rng.integers(1, 5)))
        time.sleep(rng.uniform(0.0, 0.015))
    os.kill(child, signal.SIGKILL)
    finished = wait(child)
    return not finished, lines.last()


def drive(seed, kills, folder):
    """Kill so many times in all; each run is then ended and compared with one that was never touched."""
    rng, folder, counts = np.random.default_rng(seed), pathlib.Path(folder), collections.Counter()
    path, partial = folder / "run.elman", folder / "run.elman.partial"
    while counts["kills"] < kills:
        path.unlink(missing_ok=True)
        partial.unlink(missing_ok=True)
        task = Task(rng, counts["runs"])
        counts["runs"] += 1
        start = time.monotonic()
        assert wait(fork(task.result, folder / "whole.npz"))
        duration = time.monotonic() - start + 0.01 * task.epochs
        done = 0
        for _ in range(int(rng.integers(1, 8))):
            killed, last = interrupted(task, path, rng, duration)
            counts["kills"] += killed
            counts["kills of resumed runs"] += killed and done > 0
            counts["kills within a write"] += partial.exists()
            if not path.exists():
                assert last == -1, f"epoch {last} is lost: there is no file"
                counts["kills before the first file"] += 1
                continue
            before, done = done, elman.load(path).history.epoch
            assert done >= before, f"{before} epochs, then {done}"
            if last >= 0:
                assert last <= done <= last + 1, f"{done} epochs in the file after epoch {last}"
                counts["epochs lost"] += last + 1 - done
            if not killed:
                break
        assert wait(fork(task.result, folder / "final.npz", checkpoint=path, resume=True))
        with np.load(folder / "whole.npz") as whole, np.load(folder / "final.npz") as final:
            assert sorted(whole.files) == sorted(final.files), task.kind
            for name in whole.files:
                assert whole[name].dtype == final[name].dtype, name
                if name != "seen":
                    assert whole[name].tobytes() == final[name].tobytes(), f"{name} differs: {task.kind}"
            assert task.kind != "stopped" or whole["seen"].tolist() == final["seen"].tolist()
            assert elman.load(path).parameters.tobytes() == whole["parameters"].tobytes()
        assert not partial.exists()
    print(json.dumps(counts))


def main(seed, kills, folder):
    warnings.simplefilter("ignore", DeprecationWarning)  # Python's own, of forks in processes with threads
    drive(int(seed), int(kills), folder)
