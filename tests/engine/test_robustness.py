"""The engine keeps its head when memory changes under it or runs out, and when numbers are huge."""

import subprocess
import sys
import threading

import numpy as np
import pytest

import elman
from elman import SGD, Dense, MeanPool, Network, SimpleRNN


def test_answers_changed_during_a_fit_do_no_harm():
    y = np.zeros(8, dtype=np.int64)
    net = Network([SimpleRNN(4), Dense(3, activation="softmax")], 2, seed=0)
    net.fit(np.ones((8, 3, 2)), y, epochs=3, verbose=False, callbacks=[lambda *_: y.fill(10**9)])
    assert np.isfinite(net.parameters).all()


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_clipping_holds_where_squares_overflow_float32(dtype):
    net = Network([SimpleRNN(3)], 2, dtype=dtype, seed=0)
    before = net.parameters.copy()
    net.update(np.full_like(before, 1e20), SGD(1.0), clip_norm=1.0)
    np.testing.assert_allclose(np.linalg.norm(net.parameters - before), 1.0, rtol=1e-6)


def test_a_gradient_without_a_norm_changes_nothing():
    net = Network([SimpleRNN(3)], 2, seed=0)
    before = net.parameters.copy()
    with pytest.raises(ValueError, match="gradient"):
        net.update(np.full_like(before, np.inf), SGD(1.0), clip_norm=1.0)
    np.testing.assert_array_equal(net.parameters, before)


def test_one_tape_serves_two_threads():
    rng = np.random.default_rng(0)
    net = Network([SimpleRNN(48, return_sequences=True)], 3, seed=0)
    tape = net.record(rng.normal(size=(16, 40, 3)))
    cotangents = [rng.normal(size=(16, 40, 48)).astype(np.float32) for _ in range(2)]
    expected = [tape.backward(d).parameters for d in cotangents]
    wrong = []

    def work(i):
        results = [tape.backward(cotangents[i]).parameters for _ in range(30)]
        wrong.extend(r for r in results if not np.array_equal(r, expected[i]))

    threads = [threading.Thread(target=work, args=(i,)) for i in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not wrong


def test_a_stream_counts_beyond_float32():
    net = Network([SimpleRNN(1, return_sequences=True), MeanPool()], 1, seed=0)
    stream = net.stream()
    state = stream.state
    state[1][:] = [0.0, 2.0**24]
    stream.state = state
    for _ in range(4):
        stream.step([1.0])
    assert stream.state[1][1] == 2.0**24 + 4
    for count in (-1.0, 0.5):
        state[1][1] = count
        with pytest.raises(ValueError, match=r"state\[1\] ends with"):
            stream.state = state


@pytest.mark.skipif(sys.platform != "linux", reason="limits its memory through Linux' resource module")
def test_memory_that_runs_out_in_a_worker_is_a_memory_error():
    script = """
import resource
import numpy as np
from elman import Network, SimpleRNN
net = Network([SimpleRNN(256, return_sequences=True)] * 8, 1, seed=0)
X = np.zeros((128, 40, 1), np.float32)
net.predict(X[:, :1], n_threads=2)
refused = 0
for megabytes in range(0, 60, 4):
    size = int(open("/proc/self/statm").read().split()[0]) * resource.getpagesize()
    resource.setrlimit(resource.RLIMIT_AS, (size + (megabytes << 20), resource.RLIM_INFINITY))
    try:
        net.predict(X, n_threads=2)
    except MemoryError:
        refused += 1
    resource.setrlimit(resource.RLIMIT_AS, (resource.RLIM_INFINITY, resource.RLIM_INFINITY))
print(refused > 0, net.predict(X[:2, :3]).shape)
"""
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, timeout=120)
    assert done.returncode == 0, done.stderr
    assert done.stdout == "True (2, 3, 256)\n"


def test_a_daemon_thread_in_the_engine_does_not_spoil_the_exit():
    script = """
import threading, time
import numpy as np
from elman import Network, SimpleRNN
net = Network([SimpleRNN(64)], 1, seed=0)
X = np.zeros((64, 3000, 1), np.float32)
def work():
    while True:
        net.predict(X)
threading.Thread(target=work, daemon=True).start()
time.sleep(0.5)
"""
    for _ in range(3):
        done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, timeout=60)
        assert done.returncode == 0, done.stderr


def test_many_threads_are_no_trouble():
    X, y = np.random.default_rng(0).normal(size=(64, 30, 1)), np.zeros(64, int)
    fitted = []
    for n_threads in (1, 500):
        net = Network([SimpleRNN(64), Dense(2, activation="softmax")], 1, seed=0)
        net.fit(X, y, verbose=False, n_threads=n_threads)
        fitted.append(net.parameters.copy())
    np.testing.assert_array_equal(*fitted)
    assert elman.check_gradient(net, X[:2, :5], y[:2]).ok
