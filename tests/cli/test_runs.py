"""elman train that is killed, interrupted and resumed; commands without packages that they can spare."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

pytest.importorskip("typer")
pytest.importorskip("rich")

import elman
from elman.cli.commands import kept_model
from elman.training import checkpoint, loop
from helpers.command_files import command, content, process, rising, walks, write_long
from helpers.processes import BLOCKED, one_line

RUN = ("train", "train.csv", "--model", "m.elman", "--hidden", 6, "--rate", 0.02, "--patience", 1000)
MANY = (*RUN, "--epochs", 100_000, "--no-curves")  # nobody waits for its end


@pytest.fixture
def folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    write_long(tmp_path / "train.csv", walks(120), lambda x, t: rising(x))
    return tmp_path


def epochs_in(path):
    """How many finished epochs a checkpoint holds; -1 where there is none yet."""
    spec = checkpoint.peek(path)
    return -1 if spec is None else spec["network"]["epoch"]


def wait_for(path, epochs, child):
    deadline = time.monotonic() + 60
    while epochs_in(path) < epochs:
        assert child.poll() is None, child.communicate()
        assert time.monotonic() < deadline
        time.sleep(0.01)


def stop_after(monkeypatch, epochs, error=KeyboardInterrupt):
    """Let the process be interrupted while it trains the epoch after so many."""
    schedule = loop._Run.schedule

    def interrupted(self, wanted, bar):
        if self.done == epochs:
            raise error
        schedule(self, wanted, bar)

    monkeypatch.setattr(loop._Run, "schedule", interrupted)


@pytest.mark.skipif(os.name != "posix", reason="signals")
def test_a_killed_run_goes_on_to_the_same_bits(folder):
    child = process(*MANY)
    wait_for("m.elman.checkpoint", 5, child)
    child.kill()
    child.communicate()
    done = epochs_in("m.elman.checkpoint")
    assert not Path("m.elman").exists()

    total = ("--epochs", done + 20, "--no-curves")
    answer = command(*RUN, *total, "--resume", "--json")
    assert answer.code == 0
    assert f"\ngoing on after epoch {done}\n" in answer.err
    assert (answer.document["resumed_after"], answer.document["epochs"]) == (done, done + 20)
    assert sorted(path.name for path in folder.iterdir()) == ["m.elman", "train.csv"]
    resumed = content("m.elman")
    whole = command(*RUN, *total, "-q", "--json").document
    assert content("m.elman") == resumed
    assert whole["history"] == answer.document["history"]


@pytest.mark.skipif(os.name != "posix", reason="signals")
def test_ctrl_c_says_in_one_line_how_to_go_on(folder):
    # A shell lets its background jobs ignore Ctrl-C, and their children with them.
    child = process(*MANY, "-q", preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL))
    wait_for("m.elman.checkpoint", 3, child)
    child.send_signal(signal.SIGINT)
    out, err = child.communicate(timeout=60)
    assert (child.returncode, out) == (130, b"")
    done = epochs_in("m.elman.checkpoint")
    assert err.decode().strip() == (
        f"elman: stopped after {done} epochs; the same command with --resume goes on"
    )


def test_an_interrupted_run_goes_on_to_the_same_bits(folder, monkeypatch):
    options = (*RUN, "--epochs", 12, "--no-curves", "-q", "--noise", 0.1, "--schedule", "onecycle")
    assert command(*options).code == 0
    whole = content("m.elman")
    Path("m.elman").unlink()
    with monkeypatch.context() as patch:
        stop_after(patch, 7)
        answer = command(*options)
    assert (answer.code, answer.out) == (130, "")
    assert answer.err == "\nelman: stopped after 7 epochs; the same command with --resume goes on\n"
    assert command(*options, "--resume").code == 0
    assert content("m.elman") == whole


def test_a_run_that_ended_but_was_not_saved_is_saved(folder, monkeypatch):
    """The power fails between the last epoch and the end: nothing is trained again."""
    options = (*RUN, "--epochs", 4, "--no-curves", "-q")
    with monkeypatch.context() as patch:
        patch.setattr(kept_model, "save", lambda *_: (_ for _ in ()).throw(OSError("no power")))
        assert command(*options).sentence() == "no power"
    assert epochs_in("m.elman.checkpoint") == 4
    with monkeypatch.context() as patch:
        stop_after(patch, 4, AssertionError)
        assert command(*options, "--resume").code == 0
    assert elman.load("m.elman").n_iter_ == 4
    assert not Path("m.elman.checkpoint").exists()


def test_an_unfinished_run_is_not_overwritten_unasked(folder, monkeypatch):
    options = (*RUN, "--epochs", 6, "--no-curves", "-q")
    with monkeypatch.context() as patch:
        stop_after(patch, 2)
        command(*options)
    before = Path("m.elman.checkpoint").read_bytes()
    assert command(*options).sentence() == (
        "'m.elman.checkpoint' holds an unfinished run of 2 epochs: --resume goes on with it, "
        "--restart begins anew"
    )
    other = command(*options, "--rate", 0.1, "--resume").sentence()
    assert other.startswith(
        "'m.elman.checkpoint' was written by another run: optimizer is Adam(learning_rate=0.02"
    )
    assert "learning_rate=0.1" in other
    other = command(*options, "--patience", 3, "--resume").sentence()
    assert other.startswith(
        "'m.elman.checkpoint' was written by another run: --patience is 1000 there, 3 here"
    )
    assert command(*options, "--batch-size", 0, "--restart").sentence().startswith("--batch-size is 0")
    assert Path("m.elman.checkpoint").read_bytes() == before
    with monkeypatch.context() as patch:
        stop_after(patch, 0)
        answer = command(*options, "--rate", 0.1, "--restart")
    assert (answer.code, answer.err) == (130, "\nelman: stopped\n")
    assert epochs_in("m.elman.checkpoint") == 0  # not the other run's: this can be resumed
    assert command(*options, "--rate", 0.1, "--resume").code == 0
    with monkeypatch.context() as patch:
        stop_after(patch, 2)
        command(*options)
    answer = command(*options, "--rate", 0.1, "--restart", "--json")
    assert (answer.document["epochs"], answer.document["resumed_after"]) == (6, 0)
    assert not Path("m.elman.checkpoint").exists()


def test_resume_without_a_checkpoint_begins_anew(folder):
    answer = command(*RUN, "--epochs", 2, "--no-curves", "--resume")
    assert answer.code == 0
    assert "there is no run in m.elman.checkpoint: beginning anew\n" in answer.err
    assert elman.load("m.elman").n_iter_ == 2


def test_a_damaged_checkpoint_is_said(folder):
    Path("m.elman.checkpoint").write_bytes(b"not a checkpoint")
    for resume in ((), ("--resume",)):
        sentence = command(*RUN, "--epochs", 2, *resume).sentence()
        assert sentence.startswith("'m.elman.checkpoint' is not an elman file, or damaged")
    assert command(*RUN, "--epochs", 2, "--no-curves", "-q", "--restart").code == 0


def test_divergence_is_one_line(folder):
    answer = command(*RUN, "--rate", 1e30, "--clip-norm", 0, "--activation", "identity", "--no-curves", "-q")
    assert "the loss became" in answer.sentence()
    assert not Path("m.elman").exists()


# ------------------------------------------------------------------------------- what is not installed


def without(names, *arguments, cwd):
    code = BLOCKED.format(names=set(names), arguments=[str(argument) for argument in arguments])
    path = str(Path(elman.__file__).parents[1])
    return subprocess.run(
        [sys.executable, "-c", code],
        capture_output=True,
        text=True,
        timeout=300,
        cwd=cwd,
        env={**os.environ, "PYTHONPATH": os.pathsep.join([path, os.environ.get("PYTHONPATH", "")])},
        check=False,
    )


def test_without_matplotlib_all_is_done_and_nothing_drawn(folder):
    blocked = ["matplotlib", "pyarrow", "pandas"]
    done = without(blocked, *RUN, "--epochs", 2, "--json", cwd=folder)
    assert '"curves": null' in done.stdout
    said = 'nothing was drawn: matplotlib is not installed (pip install "elman[plot]")'
    assert done.returncode == 0 and done.stderr.count(said) == 1
    assert sorted(path.name for path in folder.iterdir()) == ["m.elman", "train.csv"]
    asked = without(blocked, *RUN, "--epochs", 2, "--curves", "c.png", "-q", cwd=folder)
    assert (asked.returncode, asked.stderr) == (0, said + "\n")


@pytest.mark.parametrize("missing", ["typer", "rich"])
@pytest.mark.parametrize("name", ["train", "check"])
def test_without_the_extra_one_line_says_which(missing, name, tmp_path):
    result = without([missing], name, "a", "--model", "b", cwd=tmp_path)
    assert (result.returncode, result.stdout) == (2, "")
    assert 'pip install "elman[cli]"' in one_line(result.stderr) and missing in result.stderr


def test_the_jobs_know_nothing_of_terminals(tmp_path):
    """They can be called from Python without the extra."""
    write_long(tmp_path / "train.csv", walks(30), lambda x, t: rising(x))
    code = (
        "import sys\n"
        "from elman.cli.commands import check, evaluate, predict, stream, train\n"
        "done = train.train('train.csv', 'm.elman', train.Recipe(epochs=1), columns={}, draw=False)\n"
        "assert evaluate.evaluate('train.csv', 'm.elman', columns={}, draw=False).answers == 30\n"
        "assert check.check('m.elman', columns={}).ok\n"
        "assert list(predict.predict('train.csv', 'm.elman', options={}).csv())\n"
        "print([name for name in ('typer', 'elman.cli.console', 'matplotlib') if name in sys.modules])\n"
    )
    path = os.pathsep.join([str(Path(elman.__file__).parents[1]), os.environ.get("PYTHONPATH", "")])
    done = subprocess.run(
        [sys.executable, "-c", code],
        capture_output=True,
        text=True,
        timeout=300,
        cwd=tmp_path,
        env={**os.environ, "PYTHONPATH": path},
        check=True,
    )
    assert done.stdout.strip() == "[]"


def test_info_lists_what_each_extra_brings():
    lines = command("info").out.splitlines()
    told = dict(line.split(maxsplit=1) for line in lines)
    assert "pyarrow" in told and "matplotlib" in told
    done = without(["pyarrow"], "info", cwd=None)
    assert done.returncode == 0
