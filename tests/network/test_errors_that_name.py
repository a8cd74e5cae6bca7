"""Errors that used to name nothing: each says which argument, file or sequence, and leaks no warning."""

import re
import subprocess
import sys
import zipfile

import numpy as np
import pandas as pd
import pytest

import elman
from elman import GRU, LSTM, Dense, Embedding, Network, RNNClassifier, RNNRegressor, RNNTagger, SimpleRNN
from helpers import support

X = np.random.default_rng(0).normal(size=(12, 6, 2))
Y = [0, 1] * 6
WORDS = [["a", "b"] * 3] * 12
LONG = np.longdouble("1e4000") if np.finfo(np.longdouble).maxexp > 14000 else None
ITSELF: list = []
ITSELF.append(ITSELF)

needs_long = pytest.mark.skipif(LONG is None, reason="its long double is a double")


def net(cell=SimpleRNN, **options):
    return Network([cell(4), Dense(2, "softmax")], input_size=2, **({"seed": 0} | options))


def number():
    return Network([SimpleRNN(2), Dense(1)], input_size=2, seed=0)


# ----------------------------------------------------------------------------------------------- files (npz)


@pytest.mark.parametrize("shape", ["(True, True, True)", "(1,) * 65", "(True, 1, 1)", "(1, 1, False)"])
@pytest.mark.parametrize("key", ["X", "y"])
def test_a_shape_in_an_npz_file(tmp_path, shape, key):
    path = tmp_path / "x.npz"

    def npy(shape):
        head = repr({"descr": "<f8", "fortran_order": False, "shape": shape}).encode() + b"\n"
        size = 8 * int(np.prod([int(n) for n in shape[:3]]))
        return b"\x93NUMPY\x01\x00" + len(head).to_bytes(2, "little") + head + bytes(size)

    with zipfile.ZipFile(path, "w") as file:
        if key != "X":
            file.writestr("X.npy", npy((1, 1, 1)))
        file.writestr(f"{key}.npy", npy(eval(shape)))
    with pytest.raises(ValueError, match=r"of shape .* expected at most 32 integers") as raised:
        elman.read_sequences(path)
    assert f"{str(path)!r}, {key!r} claims" in str(raised.value)
    assert shape[:5] in str(raised.value) or "(1, 1, 1" in str(raised.value)


# ------------------------------------------------------------------------------------------- gradient checks


@pytest.mark.parametrize("epsilon", [1e-30, 1e-18, 1e308])
@pytest.mark.parametrize("y", [None, Y])
def test_an_epsilon_that_changes_nothing(epsilon, y):
    network = net() if y is not None else number()
    said = re.escape(f"epsilon is {epsilon:g}, expected a number below 1e+100 that changes the weight ")
    with pytest.raises(ValueError, match=f"^{said}"):
        elman.check_gradient(network, X, y, epsilon=epsilon)


@pytest.mark.parametrize("epsilon", [1e-13, 1e-12, 1e-9, 1e-2])
def test_a_small_epsilon_still_measures(epsilon):
    assert elman.check_gradient(number(), X, None, epsilon=epsilon).rows


# ----------------------------------------------------------------------------------------------------- labels


@pytest.mark.parametrize(
    "missing",
    [np.zeros((2, 3, 1)), pd.Series([1]), ITSELF, [-1], {}, pd.NA, -1j],
    ids=lambda m: type(m).__name__,
)
def test_a_missing_label_that_is_no_label(missing):
    with pytest.raises(TypeError, match=r"^missing_label is .*, expected int, float, str or None$"):
        RNNTagger(2, max_iter=1, missing_label=missing).fit(X, WORDS)


@pytest.mark.parametrize("missing", [-1, 7, 0.5, float("nan"), "none", None, np.int8(3), np.str_("x")])
def test_a_missing_label_of_any_plain_type(missing):
    model = RNNTagger(2, max_iter=1, missing_label=missing).fit(X, WORDS)
    assert model.classes_.tolist() == ["a", "b"]


# ----------------------------------------------------------------------------------------------------- states

FRAME = pd.DataFrame({"a": [1.0, 2.0]})


@pytest.mark.parametrize("cell", [LSTM, SimpleRNN, GRU])
def test_a_data_frame_as_a_state(cell):
    name = r"initial_state\[0\]"
    what = r"must be the pair \(h, c\) of an LSTM" if cell is LSTM else r"has shape \(2, 1\), expected \(4,\)"
    with pytest.raises(ValueError, match=f"^{name} {what}"):
        net(cell).stream(initial_state=[FRAME])
    stream = net(cell).stream()
    with pytest.raises(ValueError, match=rf"^state\[0\] {what}"):
        stream.state = [FRAME]
    for given in (FRAME, FRAME.to_dict(), "ab"):
        with pytest.raises(ValueError, match=r"^state: expected a list of 1 entries"):
            stream.state = given
        with pytest.raises(ValueError, match=r"^initial_state: expected a list of 1 entries"):
            net(cell).stream(initial_state=given)
    with pytest.raises((TypeError, ValueError), match=f"^{name}"):
        net(cell).predict(X, initial_state=[FRAME])
    with pytest.raises((TypeError, ValueError), match=r"^initial_state"):
        net(cell).predict(X, initial_state=FRAME)
    learner = net(cell).online("sgd")
    with pytest.raises(ValueError, match=r"^state"):
        learner.state = [FRAME]


def test_states_in_lists_tuples_and_arrays_are_taken():
    for cell in (LSTM, SimpleRNN):
        stream = net(cell).stream()
        stream.step([1.0, 2.0])
        (state,) = stream.state
        after = stream.step([1.0, 2.0])
        for given in ([state], (state,), np.array([state]), [np.array(state)], [list(state)]):
            stream.state = given
            support.assert_same_bits(stream.step([1.0, 2.0]), after)


@pytest.mark.parametrize("given", [[[1.0], [2.0, 3.0]], [[1.0, 2.0], 3.0]])
def test_what_is_no_array_is_named(given):
    for call in (net().stream().step, net().stream().steps):
        with pytest.raises(ValueError, match=r"^x is not one array of numbers: "):
            call(given)
    symbols = Network([Embedding(3), SimpleRNN(2)], seed=0).stream()
    with pytest.raises(ValueError, match=r"^x is not one array of numbers: "):
        symbols.steps(given)
    with pytest.raises(ValueError, match=r"^state\[0\] is not one array of numbers: "):
        net().stream().state = [given]


# ------------------------------------------------------------------------------------------ numbers too large


@pytest.mark.parametrize("size", [10**5000, -(10**5000)], ids=["large", "small"])
@pytest.mark.parametrize(
    ("name", "call"),
    [
        ("seed", lambda n: net(seed=n)),
        ("units", lambda n: SimpleRNN(n)),
        ("epochs", lambda n: net().fit(X, Y, epochs=n, verbose=False)),
        ("batch_size", lambda n: net().fit(X, Y, batch_size=n, verbose=False)),
        ("n_threads", lambda n: net().predict(X, n_threads=n)),
        ("rows", lambda n: net().stream(n)),
        ("steps", lambda n: elman.generate(net(), np.zeros((1, 2)), n)),
        ("max_entries", lambda n: elman.check_gradient(net(), X, Y, max_entries=n)),
        ("learning_rate", lambda n: elman.SGD(n)),
        ("epsilon", lambda n: elman.check_gradient(net(), X, Y, epsilon=n)),
        ("l2", lambda n: net().fit(X, Y, l2=n, verbose=False)),
        ("memory", lambda n: net().fit(X, Y, memory=n, verbose=False)),
        ("shuffle", lambda n: net().fit(X, Y, shuffle=n, verbose=False)),
        ("loss", lambda n: net().fit(X, Y, loss=n, verbose=False)),
        ("hidden_layer_sizes", lambda n: RNNClassifier(n).fit(X, Y)),
        ("random_state", lambda n: RNNClassifier(2, random_state=n).fit(X, Y)),
        ("checkpoint", lambda n: net().fit(X, Y, checkpoint=n, verbose=False)),
    ],
)
def test_an_integer_that_python_does_not_write_is_named(name, call, size):
    with pytest.raises((TypeError, ValueError)) as raised:
        call(size)
    error = raised.value
    assert getattr(error, "argument", name) == name
    assert str(error).startswith(name)
    assert "Exceeds the limit" not in str(error)
    assert len(str(error)) < 200


def test_the_largest_seed_can_be_shown_and_saved(tmp_path):
    seed = 10**4300 - 1
    network = net(seed=seed)
    assert "Network" in repr(network)
    network.save(tmp_path / "s.elman")
    assert elman.load(tmp_path / "s.elman").seed == seed


@pytest.mark.parametrize("y", [[9e307, -9e307] * 6, [1e308] * 6 + [-1e308] * 6, [1e308] * 12, [1e200, 0] * 6])
def test_answers_that_cannot_be_standardized(y):
    with pytest.raises(ValueError, match=r"^y has numbers too large to be standardized in column 0"):
        RNNRegressor(2, max_iter=1).fit(X, y)


@pytest.mark.parametrize("scale", [1e160, 1e308])
@pytest.mark.parametrize("kind", [RNNRegressor, RNNClassifier])
@pytest.mark.parametrize("form", ["array", "list", "table"])
def test_sequences_that_cannot_be_standardized(kind, scale, form):
    large = X.copy()
    large[:, :, 0] = scale * np.where(np.arange(12) % 2, 1.0, -1.0)[:, None]
    large = {"array": large, "list": list(large), "table": large[:, :, 0]}[form]
    with pytest.raises(ValueError, match=r"^X has numbers too large to be standardized in column 0"):
        kind(2, max_iter=1).fit(large, Y)


def test_large_numbers_that_can_be_standardized_still_are():
    model = RNNRegressor(2, max_iter=1, random_state=0).fit(X, np.arange(12.0) * 1e150)
    assert np.isfinite(model.predict(X)).all()
    with pytest.raises(ValueError, match=r"Unknown label type"):
        RNNClassifier(2, max_iter=1).fit(X, [1e308, -1e308] * 6)


@needs_long
@pytest.mark.parametrize(
    ("name", "call"),
    [
        (r"x\[0\]", lambda: net().stream().step(np.array([LONG, 0]))),
        (r"x\[0, 0\]", lambda: net().stream().steps(np.array([[LONG, 0]]))),
        (r"state\[0\]", lambda: setattr(net().stream(), "state", [np.full(4, LONG)])),
        (r"x\[0\]", lambda: net().online("sgd").step(np.array([LONG, 0]))),
        (r"state\[0\]", lambda: setattr(net().online("sgd"), "state", [np.full(4, LONG)])),
        (r"state\[0\]", lambda: setattr(net().online("sgd"), "state", [np.full(4, 1e300)])),
        (r"X\[0\]", lambda: net().predict(np.full((1, 2, 2), LONG))),
        (r"initial_state\[0\]", lambda: net().predict(X[:1], initial_state=[np.full((1, 4), LONG)])),
        (r"y\[0\]", lambda: number().fit(X, np.full((12, 1), LONG), verbose=False)),
        (r"sample_weight", lambda: number().fit(X, Y, sample_weight=np.full(12, LONG), verbose=False)),
        (r"d_outputs", lambda: number().record(X).backward(np.full((12, 1), LONG))),
        (r"gradient", lambda: number().update(np.full(number().parameters.shape, LONG), "sgd")),
        (r"sample", lambda: elman.stream(net()).step(np.array([LONG, 0]))),
        (r"samples\[0\]", lambda: elman.stream(net()).steps(np.array([[LONG, 0]]))),
        (r"sample", lambda: elman.stream(RNNRegressor(2, max_iter=1).fit(X, Y)).step(np.array([LONG, 0]))),
        (r"X\[0\]", lambda: RNNRegressor(2, max_iter=1).fit(X, Y).predict(np.full((1, 2, 2), LONG))),
        (r"x\[0\]", lambda: RNNRegressor(2, max_iter=1).fit(X, Y).stream().step(np.array([LONG, 0]))),
        (r"Input y", lambda: RNNRegressor(2, max_iter=1).fit(X, np.full(12, LONG))),
        (r"sample_weight", lambda: RNNRegressor(2, max_iter=1).fit(X, Y, sample_weight=np.full(12, LONG))),
    ],
)
def test_a_long_double_is_refused_without_numpys_warning(name, call):
    """Warnings are errors in these tests."""
    with pytest.raises(ValueError, match=f"^{name}"):
        call()


# ------------------------------------------------------------------------------------------------- at the end

DAEMON = """
import sys, threading, time
import numpy as np, elman
net = elman.Network([elman.SimpleRNN(32), elman.Dense(3, "softmax")], input_size=2, seed=0)
X, y = np.zeros((64, 100, 2)), np.zeros(64, int)
stream = net.stream()
work = {
    "fit": lambda: net.fit(X, y, epochs=10**6, verbose=False),
    "predict": lambda: [net.predict(X) for _ in range(10**6)],
    "stream": lambda: [stream.steps(X[0]) for _ in range(10**6)],
}[sys.argv[1]]
threading.Thread(target=work, daemon=True).start()
time.sleep(0.3)
"""


@pytest.mark.parametrize("work", ["fit", "predict", "stream"])
def test_a_daemon_thread_at_exit_leaves_nothing_on_standard_error(work):
    done = subprocess.run(
        [sys.executable, "-c", DAEMON, work],
        capture_output=True,
        timeout=60,
        check=False,
        env=support.environment(),
    )
    assert (done.returncode, done.stdout, done.stderr) == (0, b"", b"")
