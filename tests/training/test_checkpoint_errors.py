"""Checkpoints of other runs are refused by name, and what goes wrong leaves the file before."""

import errno
import os
import re
import signal
import subprocess
import sys
import threading

import numpy as np
import pytest

import elman
from elman import SGD, Adam, CosineDecay, Dense, DivergenceError, Embedding, Network, Sequences, SimpleRNN
from elman.model import atomic_write, file
from helpers import support
from helpers.kills import Waiting
from helpers.runs import X, Y, fit, network, refuses


@pytest.fixture
def path(tmp_path):
    return tmp_path / "run.elman"


# -------------------------------------------------------------------------------------------------- refusals

OTHERS = [
    ({"batch_size": 5}, "batch_size is 4 there, 5 here"),
    ({"optimizer": "sgd"}, "optimizer is Adam(learning_rate=0.001, beta_1=0.9, beta_2=0.999, epsilon=1e-08)"),
    ({"optimizer": Adam(lambda u: 0.1)}, "there, Adam(learning_rate=a function, beta_1=0.9, "),
    ({"optimizer": Adam(CosineDecay(0.1, 5))}, "learning_rate=CosineDecay(rate=0.1, updates=5), beta_1"),
    ({"l2": 0.5}, "l2 is 0.0 there, 0.5 here"),
    ({"shuffle": False}, "shuffle is True there, False here"),
    ({"truncation": 2}, "truncation is None there, 2 here"),
    ({"stateful": True}, "stateful is False there, True here"),
    ({"clip_norm": 1.0}, "clip_norm is None there, 1.0 here"),
    ({"reduction": "sum"}, "reduction is mean there, sum here"),
    ({"sample_weight": np.ones(10)}, "sample_weight is None there, given here"),
    ({"validation_data": (X, Y)}, "validation_data is None there, 10 sequences (60 steps) here"),
    ({"callbacks": [Waiting(3)]}, "callbacks with a state is none there, Waiting here"),
    (
        {"batch_size": 2, "l2": 1.0},
        "'run.elman' was written by another run: batch_size is 4 there, 2 here; l2 is 0.0 there, 1.0 here",
    ),
]


@pytest.mark.parametrize(("options", "message"), OTHERS, ids=[case[1] for case in OTHERS])
def test_another_run_is_refused_by_name(path, options, message):
    fit(network(), 3, checkpoint=path)
    net = network()
    before, history = net.parameters.copy(), net.history
    refuses(path, lambda: fit(net, 5, checkpoint=path, resume=True, **options), message)
    support.assert_same_bits(net.parameters, before)
    assert net.history is history
    assert (net.model.epoch, net.model.optimizer, net.model.began) == (0, None, None)


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: network(seed=1), "seed is 0 there, 1 here"),
        (lambda: network("float64"), "dtype is float32 there, float64 here"),
        (
            lambda: Network([SimpleRNN(5), Dense(3, "softmax")], 2, seed=0),
            "layers[0] is SimpleRNN(units=4, activation='tanh'",
        ),
        (
            lambda: Network([SimpleRNN(4), Dense(4), Dense(3, "softmax")], 2, seed=0),
            "layers[2] is None there, Dense(units=3, activation='softmax'",
        ),
    ],
)
def test_another_network_is_refused_by_name(path, make, message):
    fit(network(), 3, checkpoint=path)
    refuses(path, lambda: fit(make(), 5, checkpoint=path, resume=True), message)


def test_other_data_are_refused_by_their_size(path):
    net = network()
    options = {"verbose": False, "checkpoint": path, "resume": True, "validation_data": (X[:3], Y[:3])}
    net.fit(X, Y, **options)
    message = "X is 10 sequences (60 steps) there, 9 sequences (54 steps) here"
    refuses(path, lambda: network().fit(X[:9], Y[:9], **options), message)
    message = "X is 10 sequences (60 steps) there, 10 sequences (50 steps) here"
    refuses(path, lambda: network().fit(X[:, 1:], Y, **options), message)
    message = "validation_data is 3 sequences (18 steps) there, 2 sequences (12 steps) here"
    refuses(path, lambda: network().fit(X, Y, **(options | {"validation_data": (X[:2], Y[:2])})), message)


def states(value):
    return {"initial_state": [np.full((10, 4), value)]}


OTHER_VALUES = {
    "X": ({"X": X}, {"X": X + 5.0}),
    "y": ({"y": Y}, {"y": Y[::-1]}),
    "y, as probabilities": ({"y": np.eye(3)[Y]}, {"y": np.eye(3)[Y[::-1]]}),
    "sample_weight": ({"sample_weight": np.ones(10)}, {"sample_weight": np.arange(10.0)}),
    "validation_data": ({"validation_data": (X, Y)}, {"validation_data": (X, Y[::-1])}),
    "validation_data, its weights": (
        {"validation_data": (X, Y, np.ones(10))},
        {"validation_data": (X, Y, np.arange(10.0))},
    ),
    "initial_state": (states(0.0), states(1.0)),
}


@pytest.mark.parametrize("epochs", [3, 6])
@pytest.mark.parametrize(
    ("name", "one", "other"), [(k, *v) for k, v in OTHER_VALUES.items()], ids=[*OTHER_VALUES]
)
def test_other_values_of_the_same_shape_are_another_run(path, name, one, other, epochs):
    """Also where the run is complete, so that nothing would be trained."""

    def run(epochs, given, **more):
        net, given = network(), {"X": X, "y": Y, "verbose": False, "checkpoint": path} | given
        return net, net.fit(given.pop("X"), given.pop("y"), epochs=epochs, **given, **more)

    run(3, one)
    said = refuses(path, lambda: run(epochs, other, resume=True))
    argument = name.partition(",")[0]
    assert re.fullmatch(
        rf"'run.elman' was written by another run: {argument} has other values "
        r"\(checksum [0-9a-f]{16} there, [0-9a-f]{16} here\)",
        said,
    )
    whole, _ = run(6, one)
    run(3, one)
    resumed, _ = run(6, one, resume=True)
    support.assert_same_bits(resumed.parameters, whole.parameters)


def test_the_same_numbers_are_the_same_data_in_any_form(path, tmp_path):
    file = np.memmap(tmp_path / "x", np.float32, "w+", shape=(60, 2))
    file[:] = X.reshape(60, 2)
    single = X.astype(np.float32)
    options = {"verbose": False, "checkpoint": path, "resume": True}
    for epochs, given in enumerate(
        (
            single,
            [*single],
            single.astype(np.float64),
            Sequences(file, np.arange(0, 61, 6)),
            np.asfortranarray(single),
        )
    ):
        assert network().fit(given, Y.tolist(), epochs=epochs + 1, **options).epoch == epochs + 1


def test_the_same_steps_cut_elsewhere_are_other_data(path):
    steps = X.reshape(60, 2)
    options = {"verbose": False, "checkpoint": path, "resume": True}
    network().fit(Sequences(steps, np.arange(0, 61, 6)), Y, **options)
    cut = np.arange(0, 61, 6)
    cut[1] += 1
    message = "X has other values (checksum "
    refuses(path, lambda: network().fit(Sequences(steps, cut), Y, **options), message)


def test_symbols_are_compared_too(path):
    symbols = np.arange(20).reshape(4, 5) % 3

    def run(symbols):
        net = Network([Embedding(3, 2), SimpleRNN(4), Dense(2, "softmax")], seed=0)
        net.fit(symbols, [0, 1, 0, 1], verbose=False, checkpoint=path, resume=True)

    run(symbols)
    run(symbols.astype(np.int8))
    refuses(path, lambda: run((symbols + 1) % 3), "X has other values (checksum ")


def test_a_network_that_begins_with_other_weights_is_another_run(path):
    """A trained layer set into a network of the same seed: the run in the file began without it."""
    fit(network(), 3, checkpoint=path)
    net = network()
    net.parameters[:5] += 0.5
    message = "the weights that the run began with are not those of the network here"
    refuses(path, lambda: fit(net, 5, checkpoint=path, resume=True), message)
    net = network()
    net.parameters *= np.float32(1.0 + 1e-6)  # as another instruction set may draw them
    fit(net, 4, checkpoint=path, resume=True)
    assert fit(net, 5, checkpoint=path, resume=True).epoch == 5  # goes on, and has the weights of the fourth
    assert fit(elman.load(path), 6, checkpoint=path, resume=True).epoch == 6
    path.unlink()
    given, other = network(), network()
    for net in (given, other):
        net.parameters[:5] = 0.25
    fit(given, 3, checkpoint=path)
    assert fit(other, 4, checkpoint=path, resume=True).epoch == 4


def test_networks_of_fit_many_do_not_share_a_file(path):
    nets = [network(), network()]
    for options in ({"checkpoint": path}, {"each": [{"checkpoint": str(path)}, {"checkpoint": path}]}):
        with pytest.raises(
            ValueError, match=r"^checkpoint is .*run.elman' for nets\[0\] and nets\[1\], expected"
        ):
            elman.fit_many(nets, X, Y, verbose=False, **options)
    assert not path.exists() and nets[0].history.epoch == 0
    own = [{"checkpoint": path.with_name(f"{i}.elman")} for i in range(2)]
    elman.fit_many(nets, X, Y, verbose=False, each=own)
    assert len(list(path.parent.iterdir())) == 2


def test_frozen_parts_and_the_begin_are_compared(path):
    fit(network(), 3, checkpoint=path)
    net = network()
    net.freeze("0.bias", "0.kernel")
    message = "frozen is nothing there, 0.kernel, 0.bias here"
    refuses(path, lambda: fit(net, 5, checkpoint=path, resume=True), message)
    net = network()
    fit(net, 2)
    message = "the epoch at which the run began is 0 there, 2 here"
    refuses(path, lambda: fit(net, 5, checkpoint=path, resume=True), message)
    assert net.history.epoch == 2


def test_another_loss_is_refused_by_name(path):
    options = {"verbose": False, "checkpoint": path, "resume": True}
    network().fit(X, np.eye(3)[Y], **options)
    message = "loss is cross_entropy there, squared_error here"
    refuses(path, lambda: network().fit(X, np.eye(3)[Y], loss="squared_error", **options), message)


def test_a_batch_of_all_rows_is_the_same_whatever_its_name(path):
    fit(network(), 1, checkpoint=path, batch_size=32)
    fit(network(), 2, checkpoint=path, resume=True, batch_size=64)


def test_what_is_no_checkpoint_is_refused(path):
    net = network()
    net.save(path)
    said = refuses(path, lambda: fit(net, 3, checkpoint=path, resume=True))
    assert said.endswith("holds no run that can be resumed, expected a file that fit(checkpoint=...) wrote")
    path.write_text("my thesis")
    refuses(path, lambda: fit(net, 3, checkpoint=path, resume=True), "is not an elman file")


def test_a_file_that_contradicts_itself_is_refused(path):
    fit(network(), 3, checkpoint=path, stateful=True, optimizer="adam")
    spec, arrays = file.read(path)

    def refused(change, message, **more):
        file.write(path, spec | change, {**arrays, **more})
        net = network()
        refuses(
            path, lambda: fit(net, 5, checkpoint=path, resume=True, stateful=True, optimizer="adam"), message
        )
        assert net.model.epoch == 0

    def run(**change):
        return {"run": spec["run"] | change}

    refused({"epoch": 9}, "epoch is 9, expected 0 and the 3 of the history")
    refused(run(began=1), "epoch is 3, expected 1")
    refused(run(stopped="no"), "stopped is 'no'")
    refused(run(updates=-1), "updates is -1")
    refused(run(kept=[{}]), "kept has 1 entries, expected 0")
    refused(run(kept=[3]), "kept[0] is 3")
    refused({"run": 3}, "holds no network that can be read")
    refused({"run": {"began": 0}}, "holds no network that can be read: it has no 'carried'")
    refused(run(given=3), "holds no run that can be resumed")
    refused(run(given={}), "holds no run that can be resumed: it has no 'weights'")
    refused(run(settings=[]), "holds no run that can be resumed")
    refused({}, "moment.1 is float32 of shape (2,)", **{"moment.1": np.zeros(2, np.float32)})
    refused({}, "X has 10 sequences, expected 3", **{"carry.0": np.zeros((3, 4), np.float32)})
    refused({}, "carry.0 is float64", **{"carry.0": np.zeros((10, 4))})
    refused({}, "parameters has NaN", parameters=np.full_like(arrays["parameters"], np.nan))
    swapped = ["accuracy", "loss"]
    refused({"history": swapped}, "has a history of ['accuracy', 'loss'], expected ['loss', 'accuracy']")


def test_a_callback_with_another_kind_of_state_is_told_so(path):
    class Odd:
        def __call__(self, *_):
            pass

        def state(self):
            return "fine"

        def restore(self, values, arrays):
            raise KeyError("low")

    with pytest.raises(TypeError, match=r"Odd.state\(\) gave 'fine' \(a str\), expected \(values, arrays\)"):
        fit(network(), 1, callbacks=[Odd()], checkpoint=path)
    Odd.state = lambda self: ({}, {})
    fit(network(), 1, callbacks=[Odd()], checkpoint=path)
    net = network()
    before = net.parameters.copy()
    options = {"callbacks": [Odd()], "checkpoint": path, "resume": True}
    refuses(path, lambda: fit(net, 2, **options), "no run that can be resumed: KeyError('low')")
    support.assert_same_bits(net.parameters, before)


# ------------------------------------------------------------------------------------------ what goes wrong


@pytest.mark.parametrize("error", [KeyboardInterrupt, RuntimeError])
def test_a_callback_that_raises_leaves_the_file_before(path, error):
    def break_off(net, epoch, logs):
        if epoch == 3:
            raise error

    with pytest.raises(error):
        fit(network(), 9, callbacks=[break_off], checkpoint=path)
    assert elman.load(path).history.epoch == 3


@pytest.mark.parametrize(
    "what", [(atomic_write.os, "fsync"), (atomic_write.Path, "replace"), (file, "_digest")]
)
@pytest.mark.parametrize("error", [KeyboardInterrupt(), OSError(errno.ENOSPC, "No space left on device")])
def test_a_write_that_fails_leaves_the_file_before(path, monkeypatch, what, error):
    fit(network(), 3, checkpoint=path)
    content = path.read_bytes()

    def fail(*_):
        raise error

    def spoil(*_):
        monkeypatch.setattr(*what, fail)

    with pytest.raises(type(error)) as raised:
        fit(network(), 5, checkpoint=path, resume=True, callbacks=[spoil])
    monkeypatch.undo()
    assert path.read_bytes() == content
    assert list(path.parent.iterdir()) == [path]
    if what[0] is not file:
        assert str(path) in str(raised.value) or isinstance(error, KeyboardInterrupt)
    assert fit(network(), 5, checkpoint=path, resume=True).epoch == 5


FULL = """
import resource, sys
import numpy as np, elman
net = elman.Network([elman.SimpleRNN(32), elman.Dense(3, "softmax")], 2, seed=0)
X, y = np.ones((4, 3, 2)), [0, 1, 2, 0]
net.fit(X, y, epochs=3, verbose=False, checkpoint=sys.argv[1])
good = net.parameters.copy()
resource.setrlimit(resource.RLIMIT_FSIZE, (2000, 2000))
for call in (
    lambda: net.fit(X, y, epochs=5, verbose=False, checkpoint=sys.argv[1], resume=True),
    lambda: net.save(sys.argv[1]),
):
    try:
        call()
    except OSError as error:
        assert error.filename == sys.argv[1], error
    else:
        raise SystemExit("written beyond the limit")
loaded = elman.load(sys.argv[1])
assert loaded.history.epoch == 3 and (loaded.parameters == good).all()
"""


@pytest.mark.skipif(sys.platform == "win32", reason="limits the size of files as POSIX does")
def test_a_full_disk_leaves_the_file_before(path):
    support.run_script(FULL, arguments=[str(path)])
    assert list(path.parent.iterdir()) == [path]


def test_a_path_that_cannot_be_written_is_found_out_before_training(tmp_path):
    (tmp_path / "file").write_text("")
    (tmp_path / "folder").mkdir()
    cases = {
        tmp_path / "nowhere" / "run": FileNotFoundError,
        tmp_path / "file" / "run": NotADirectoryError,
        tmp_path / "folder": OSError,
    }
    for place, error in cases.items():
        for resume in (False, True):
            net = network()
            fit(net, 2, optimizer="sgd")
            before, history, optimizer = net.parameters.copy(), net.history, net.model.optimizer
            with pytest.raises(error) as raised:
                fit(net, 3, checkpoint=place, resume=resume, callbacks=[lambda *_: pytest.fail("trained")])
            assert str(place) in str(raised.value)
            support.assert_same_bits(net.parameters, before)
            assert (net.history, net.model.optimizer) == (history, optimizer)
    assert sorted(each.name for each in tmp_path.iterdir()) == ["file", "folder"]


def test_weights_that_are_not_finite_are_never_written(path):
    """The file before stays, and the rule of the last good weights holds after resuming too."""

    def spoil(net, epoch, logs):
        if epoch == 4:
            net.parameters[0] = np.inf

    def diverge(epochs, **options):
        net = network()
        with pytest.raises(DivergenceError) as raised:
            fit(net, epochs, callbacks=[spoil], **options)
        return net, (raised.value.epoch, raised.value.batch)

    whole, where = diverge(9)
    assert where[0] == 5
    kept, there = diverge(9, checkpoint=path)
    assert elman.load(path).history.epoch == 4
    again, then = diverge(9, checkpoint=path, resume=True)
    assert elman.load(path).history.epoch == 4
    assert where == there == then
    good = network()
    fit(good, 4)
    for net in (whole, kept, again):
        support.assert_same_bits(net.parameters, good.parameters)
        assert net.history.epoch == 5


@pytest.mark.parametrize("validated", [False, True])
def test_divergence_is_the_same_in_a_resumed_run(path, validated):
    def regressor():
        return Network([SimpleRNN(3, "identity"), Dense(1)], 2, dtype="float64", seed=0)

    target = X.sum(axis=(1, 2))
    options = {"optimizer": SGD(0.5), "batch_size": 10, "verbose": False, "epochs": 1000}
    if validated:
        options["validation_data"] = (X * 1e3, target)
    nets, places = [regressor() for _ in range(2)], []
    for net, more in zip(nets, ({}, {"checkpoint": path, "resume": True}), strict=True):
        if more:
            net.fit(X, target, **(options | {"epochs": places[0].epoch - 1}), **more)
            net = nets[1] = regressor()
        with pytest.raises(DivergenceError) as raised:
            net.fit(X, target, **options, **more)
        places.append(raised.value)
    assert (places[0].epoch, places[0].batch) == (places[1].epoch, places[1].batch)
    support.assert_same_bits(nets[0].parameters, nets[1].parameters)
    assert nets[0].history.history == nets[1].history.history
    assert len(nets[0].history.history["loss"]) == places[0].epoch
    loaded = elman.load(path)
    support.assert_same_bits(loaded.parameters, nets[0].parameters)
    assert loaded.history.history == nets[0].history.history


KILLED = """
import os, signal, sys
from elman.model import atomic_write
def pieces():
    yield b"half of a file" * 10_000
    os.kill(os.getpid(), signal.SIGKILL)
atomic_write.replace(sys.argv[1], pieces())
"""


@pytest.mark.skipif(sys.platform == "win32", reason="kills as POSIX does")
def test_a_killed_writers_file_is_no_trouble(path):
    partial = path.parent / "run.elman.partial"
    for _ in range(2):  # the second one removes what the first one left
        code = subprocess.run([sys.executable, "-c", KILLED, path], check=False, timeout=60).returncode
        assert code == -signal.SIGKILL
        assert list(path.parent.iterdir()) == [partial]
    fit(network(), 2, checkpoint=path)
    elman.load(path)
    assert list(path.parent.iterdir()) == [path]


def test_many_writers_of_one_file_never_mix_their_bytes(path):
    nets = [Network([SimpleRNN(40 + 20 * i)], 2, seed=i) for i in range(4)]
    failed = []

    def work(net):
        try:
            for _ in range(15):
                net.save(path)
                elman.load(path)
        except BaseException as error:
            failed.append(error)

    threads = [threading.Thread(target=work, args=(net,)) for net in nets]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not failed
    assert list(path.parent.iterdir()) == [path]


@pytest.mark.skipif(sys.platform == "win32", reason="files are locked as POSIX does")
def test_a_file_that_another_writer_took_for_a_left_one_is_made_again(path, monkeypatch):
    """Between making the file beside it and locking it: another process has locked and removed it by then."""
    lock, partial = atomic_write._lock, path.with_name("run.elman.partial")
    made = []

    def late(handle, unknown):
        made.append(os.fstat(handle).st_ino)
        if len(made) == 1:
            partial.unlink()
            partial.write_bytes(b"theirs")
        return lock(handle, unknown)

    monkeypatch.setattr(atomic_write, "_lock", late)
    net = network()
    net.save(path)
    support.assert_same_bits(elman.load(path).parameters, net.parameters)
    assert len(made) == 2
    assert partial.read_bytes() == b"theirs"


@pytest.mark.skipif(sys.platform == "win32", reason="files are locked as POSIX does")
def test_a_writer_that_never_ends_is_not_waited_for(path):
    net = network()
    with atomic_write._beside(path) as other:
        net.save(path)
        assert other.name.exists()
        support.assert_same_bits(elman.load(path).parameters, net.parameters)
    assert list(path.parent.iterdir()) == [path]


def test_file_systems_without_locks_and_folders_without_flush_are_fine(path, monkeypatch):
    fsync = os.fsync

    def unknown(*_):
        raise OSError(errno.ENOTSUP, "Operation not supported")

    def files_only(handle):
        if os.path.isdir(f"/proc/self/fd/{handle}"):  # noqa: PTH112
            unknown()
        fsync(handle)

    if sys.platform != "win32":
        monkeypatch.setattr(atomic_write.fcntl, "flock", unknown)
    monkeypatch.setattr(atomic_write.os, "fsync", files_only)
    network().save(path)
    elman.load(path)
    assert list(path.parent.iterdir()) == [path]
