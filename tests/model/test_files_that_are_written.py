"""Saving follows no link into a file of the user's, loses none of his files, and waits for nobody."""

import errno
import os
import signal
import stat
import sys
import time
from pathlib import Path

import numpy as np
import pytest

import elman
from elman import Dense, Network, RNNClassifier, SimpleRNN
from elman.model import atomic_write
from helpers import support

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="links, FIFOs and modes as POSIX has them")


def net(seed=0):
    return Network([SimpleRNN(4), Dense(2, "softmax")], input_size=2, seed=seed)


def fit(network, path, **options):
    return network.fit([[[0, 0]]], [0], checkpoint=path, verbose=False, **options)


@pytest.fixture
def folder(tmp_path, monkeypatch):
    """An empty folder; whatever hangs there is ended, and fails."""
    monkeypatch.chdir(tmp_path)

    def late(*_):
        raise AssertionError("it hangs")

    before = signal.signal(signal.SIGALRM, late)
    signal.alarm(20)
    yield tmp_path
    signal.alarm(0)
    signal.signal(signal.SIGALRM, before)


@pytest.mark.parametrize("save", [lambda: net().save("a.elman"), lambda: fit(net(), "a.elman")])
@pytest.mark.parametrize(
    "make", [lambda name: Path(name).symlink_to("text.txt"), os.mkfifo, lambda name: Path(name).mkdir()]
)
def test_what_is_no_regular_file_is_in_the_way(folder, save, make):
    Path("text.txt").write_text("precious")
    make("a.elman.partial")
    before = os.lstat("a.elman.partial")
    with pytest.raises(OSError, match="Not a regular file") as raised:
        save()
    assert raised.value.filename == "a.elman.partial"
    assert os.path.samestat(os.lstat("a.elman.partial"), before)
    assert Path("text.txt").read_text() == "precious"
    assert not Path("a.elman").exists()


def test_a_file_of_the_users_beside_is_kept(folder):
    for text in ("my notes", ""):
        Path("b.elman.partial").write_text(text)
        Path("b.elman.1.partial").write_text("more notes")
        net().save("b.elman")
        assert Path("b.elman.partial").read_text() == text
        assert Path("b.elman.1.partial").read_text() == "more notes"
        assert len(list(folder.iterdir())) == 3
        support.assert_same_bits(elman.load("b.elman").parameters, net().parameters)


@pytest.mark.parametrize(
    "use",
    [
        elman.load,
        lambda path: fit(net(), path, resume=True),
        lambda path: fit(net(), path),
        lambda path: net().save(path),
        lambda path: RNNClassifier(2, max_iter=1).fit(
            [[[0.0]], [[1.0]]], [0, 1], checkpoint=path, resume=True
        ),
    ],
)
def test_a_fifo_is_refused_and_not_waited_for(folder, use):
    os.mkfifo("d.elman")
    with pytest.raises(OSError, match="Not a regular file") as raised:
        use("d.elman")
    assert raised.value.filename == "d.elman"


def test_devices_and_folders_are_refused_as_before(folder):
    with pytest.raises(ValueError, match="'/dev/null' is not an elman file"):
        elman.load("/dev/null")
    with pytest.raises(OSError, match="Not a regular file"):
        net().save("/dev/null")
    with pytest.raises(IsADirectoryError):
        elman.load(folder)


def test_a_link_stays_and_what_it_leads_to_is_replaced(folder):
    Path("models").mkdir()
    net(1).save("models/v1.elman")
    Path("latest.elman").symlink_to("models/v1.elman")
    Path("again.elman").symlink_to("latest.elman")
    net(2).save("again.elman")
    assert Path("latest.elman").is_symlink()
    assert Path("again.elman").is_symlink()
    assert elman.load("models/v1.elman").seed == 2
    assert [path.name for path in Path("models").iterdir()] == ["v1.elman"]
    Path("new.elman").symlink_to("models/v2.elman")  # leads to no file yet
    fit(net(3), "new.elman")
    assert elman.load("models/v2.elman").seed == 3


def test_a_link_that_leads_to_itself_or_to_a_device_is_refused(folder):
    Path("loop.elman").symlink_to("loop.elman")
    Path("null.elman").symlink_to("/dev/null")
    for name, code in (("loop.elman", errno.ELOOP), ("null.elman", errno.EINVAL)):
        with pytest.raises(OSError, match=name) as raised:
            net().save(name)
        assert raised.value.errno == code
        assert Path(name).is_symlink()


@pytest.mark.parametrize("mode", [0o600, 0o640, 0o444, 0o777])
def test_a_file_keeps_its_mode(folder, mode):
    net().save("a.elman")
    Path("a.elman").chmod(mode)
    net(1).save("a.elman")
    assert stat.S_IMODE(Path("a.elman").stat().st_mode) == mode
    fit(net(), "a.elman")
    assert stat.S_IMODE(Path("a.elman").stat().st_mode) == mode


def test_a_new_file_has_the_mode_that_the_user_gives_new_files(folder):
    before = os.umask(0o027)
    try:
        net().save("a.elman")
        assert stat.S_IMODE(Path("a.elman").stat().st_mode) == 0o640
    finally:
        os.umask(before)


def test_a_secret_file_is_secret_while_it_is_written(folder):
    net().save("a.elman")
    Path("a.elman").chmod(0o600)
    with atomic_write._beside("a.elman") as beside:
        assert stat.S_IMODE(beside.name.stat().st_mode) & 0o777 == 0o600


def test_what_a_signals_handler_raises_comes_through(folder, monkeypatch):
    class OwnError(OSError):
        pass

    net().save("a.elman")
    content = Path("a.elman").read_bytes()
    monkeypatch.setattr(atomic_write.os, "fsync", lambda _: time.sleep(10))
    for error in (TimeoutError("one second is over"), OwnError(errno.EIO, "mine")):

        def late(*_, error=error):
            raise error

        signal.signal(signal.SIGALRM, late)
        signal.setitimer(signal.ITIMER_REAL, 0.1)
        with pytest.raises(OSError) as raised:  # noqa: PT011 (compared below)
            net(1).save("a.elman")
        assert raised.value is error
        assert Path("a.elman").read_bytes() == content
        assert len(list(folder.iterdir())) == 1


@pytest.mark.parametrize(
    ("name", "call"),
    [
        ("path", lambda: elman.load("a\0b")),
        ("path", lambda: net().save("a\0b")),
        ("path", lambda: elman.save(net(), "a\0b")),
        ("checkpoint", lambda: fit(net(), "a\0b")),
        ("checkpoint", lambda: fit(net(), Path("a\0b"), resume=True)),
        ("path", lambda: elman.read_sequences("a\0b.csv")),
        ("path", lambda: elman.read_sequences("a\0b.npz")),
        ("path", lambda: elman.plotting.curves({"loss": [1.0, 0.5]}, path="a\0b.png")),
        ("path", lambda: elman.datasets.load_edf("a\0b.edf", labels="x")),
    ],
)
def test_a_path_with_a_nul_is_named(folder, name, call):
    with pytest.raises(ValueError, match="which no file can be called") as raised:
        call()
    assert str(raised.value).startswith(f"{name} is 'a\\x00b")
    assert not list(folder.iterdir())


def test_nothing_is_counted_beyond_what_a_file_can_hold(folder):
    learner = Network([SimpleRNN(2), Dense(1)], input_size=1, seed=0).online("sgd")
    learner.step([0.5], [1.0])
    learner.network.model.updates = 2**53
    for _ in range(2):
        learner.step([0.5], [1.0])
        learner.save("u.elman")
        learner = elman.load("u.elman")
        assert learner.network.model.updates == 2**53
    network = learner.network
    network.model.epoch = 2**53
    network.fit(np.zeros((1, 2, 1)), [[0.0]], epochs=2, verbose=False, checkpoint="c.elman")
    assert elman.load("c.elman").model.epoch == 2**53


@pytest.mark.skipif(sys.platform == "win32", reason="has no modes")
@pytest.mark.parametrize("most", [0o777, -1])
def test_a_file_system_that_knows_few_modes_is_written_to(tmp_path, monkeypatch, most):
    # FAT refuses the mark and takes other modes, some network file systems refuse all.
    set_mode = os.fchmod

    def of_few_modes(handle, mode):
        if mode > most:
            raise PermissionError(errno.EPERM, os.strerror(errno.EPERM))
        set_mode(handle, mode)

    path = tmp_path / "model.elman"
    path.write_bytes(b"before")
    path.chmod(0o600)
    monkeypatch.setattr(os, "fchmod", of_few_modes)
    atomic_write.replace(path, [b"now"])
    assert path.read_bytes() == b"now"
    assert list(tmp_path.iterdir()) == [path]
    if most > 0:
        assert stat.S_IMODE(path.stat().st_mode) == 0o600
