"""Forks, threads of the caller, and Ctrl-C."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
import time
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest

import elman
from helpers.support import assert_same_bits, environment, run_script

needs_fork = pytest.mark.skipif(not hasattr(os, "fork"), reason="this system has no fork")

FORK = """
import os, sys, warnings
warnings.simplefilter("ignore", DeprecationWarning)  # Python's own, of forks in processes with threads
import numpy as np, elman

def fitted(seed):
    net = elman.Network([elman.SimpleRNN(128), elman.Dense(4, activation="softmax")], input_size=6, seed=seed)
    X, y = np.random.default_rng(0).normal(size=(64, 30, 6)), np.arange(64) % 4
    net.fit(X, y, epochs=2, verbose=False, n_threads=4)
    return net.parameters.tobytes()

parents = fitted(0)
for _ in range(3):
    child = os.fork()
    if child == 0:
        os._exit(0 if fitted(0) == parents else 3)
    _, status = os.waitpid(child, 0)
    assert os.waitstatus_to_exitcode(status) == 0, status
    assert fitted(0) == parents
"""


@needs_fork
def test_a_process_forked_after_a_fit_can_fit():
    run_script(FORK, timeout=60)


def problem(n=32, T=40, H=64):
    net = elman.Network([elman.SimpleRNN(H), elman.Dense(4, activation="softmax")], input_size=6, seed=0)
    return net, np.random.default_rng(0).normal(size=(n, T, 6)), np.arange(n) % 4


def test_ten_threads_predict_with_one_network():
    net, X, _ = problem()
    expected = net.predict(X)

    def work(index):
        for repeat in range(20):
            rows = X[index % 3 :: 1 + repeat % 4]
            assert_same_bits(
                net.predict(rows, n_threads=1 + repeat % 3), expected[index % 3 :: 1 + repeat % 4]
            )
            net.states(rows[:2])
            net.stream().step(X[0, 0])

    with ThreadPoolExecutor(10) as pool:
        list(pool.map(work, range(10)))


def test_one_fit_at_a_time():
    """A second fit, while one runs in another thread, is refused in words and does not disturb the first."""
    net, X, y = problem(n=64, T=100, H=128)
    alone = problem(n=64, T=100, H=128)[0]
    started, refused = threading.Event(), []

    def second(network, epoch, logs):
        started.set()

    worker = threading.Thread(
        target=net.fit, args=(X, y), kwargs={"epochs": 40, "verbose": False, "callbacks": [second]}
    )
    worker.start()
    assert started.wait(60)
    while worker.is_alive() and not refused:
        try:
            net.fit(X[:1], y[:1], verbose=False)
        except RuntimeError as error:
            refused.append(str(error))
    worker.join()
    assert refused and "fit" in refused[0]
    alone.fit(X, y, epochs=40, verbose=False)
    assert_same_bits(net.parameters, alone.parameters)


INTERRUPTED = """
import sys, time
import numpy as np, elman
shape = (256, 400, 32)
layers = [elman.SimpleRNN(512, return_sequences=True), elman.SimpleRNN(512)]
layers += [elman.Dense(4, activation="softmax")]
net = elman.Network(layers, input_size=32, seed=0)
X, y = np.random.default_rng(0).normal(size=shape).astype("float32"), np.arange(shape[0]) % 4
net.fit(X[:8, :10], y[:8], epochs=2, verbose=False)
before = net.parameters.copy()
times = {"fit": 3, "predict": 8, "gradient": 3}[sys.argv[1]]
X, y = np.concatenate([X] * times), np.concatenate([y] * times)
call = {
    "fit": lambda: net.fit(X, y, epochs=1, batch_size=1024, verbose=False, n_threads=2),
    "predict": lambda: net.predict(X, n_threads=2),
    "gradient": lambda: net.loss_and_gradient(X, y),
}[sys.argv[1]]
print("ready", flush=True)
start = time.perf_counter()
try:
    call()
except KeyboardInterrupt:
    print("interrupted", time.time(), time.perf_counter() - start, flush=True)
else:
    print("finished", time.perf_counter() - start, flush=True)
assert np.array_equal(net.parameters, before), "the weights are those of the last whole update"
assert len(net.history.history["loss"]) in (0, 2), net.history.history
net.fit(X[:8, :10], y[:8], epochs=2, verbose=False)
assert np.isfinite(net.predict(X[:2, :10])).all()
print("usable", flush=True)
"""


@pytest.mark.skipif(sys.platform == "win32", reason="SIGINT cannot be sent to one process there")
@pytest.mark.parametrize("what", ["fit", "predict", "gradient"])
def test_ctrl_c_returns_within_a_second(what):
    """In the middle of one call of seconds (one minibatch, for fit)."""
    with subprocess.Popen(
        [sys.executable, "-c", INTERRUPTED, what],
        env=environment(),
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    ) as process:
        assert process.stdout.readline().strip() == "ready", process.stderr.read()
        time.sleep(0.6)
        sent = time.time()
        process.send_signal(signal.SIGINT)
        said, complaint = process.communicate(timeout=60)
    assert process.returncode == 0, said + complaint
    words = said.split()
    assert words[0] == "interrupted", f"{said}: too short to be interrupted"
    assert float(words[1]) - sent < 1.0
    assert words[-1] == "usable"


FINISHED_EPOCHS = """
import os, signal
import numpy as np, elman
net = elman.Network([elman.SimpleRNN(8), elman.Dense(2, activation="softmax")], input_size=2, seed=0)
twin = elman.Network([elman.SimpleRNN(8), elman.Dense(2, activation="softmax")], input_size=2, seed=0)
X, y = np.random.default_rng(0).normal(size=(20, 5, 2)), np.arange(20) % 2

def at_three(network, epoch, logs):
    if epoch == 2:
        raise KeyboardInterrupt

try:
    net.fit(X, y, epochs=10, batch_size=4, verbose=False, callbacks=[at_three])
except KeyboardInterrupt:
    pass
else:
    raise SystemExit("not raised again")
history = twin.fit(X, y, epochs=3, batch_size=4, verbose=False)
assert net.history.history == history.history, (net.history.history, history.history)
assert np.array_equal(net.parameters, twin.parameters)
"""


def test_the_history_holds_the_finished_epochs():
    run_script(FINISHED_EPOCHS)
