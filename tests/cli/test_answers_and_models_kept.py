"""Commands that give no wrong answer: NaN, a closed standard output, a finished model of other data."""

from __future__ import annotations

import os
import shutil
import sys
from pathlib import Path

import numpy as np
import pytest

pytest.importorskip("typer")
pytest.importorskip("rich")

import elman
from helpers.command_files import command, content, process, walks, write_all, write_long
from helpers.processes import one_line

MODELS = ("classify", "tag", "regress", "steps", "network", "network_steps")


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    """Models whose states grow by a factor of three each step, and a file with one long sequence."""
    folder = tmp_path_factory.mktemp("made")
    write_all(folder)
    for name in MODELS:
        model = elman.load(folder / f"{name}.elman")
        net = model if isinstance(model, elman.Network) else model.network_
        layers = [elman.SimpleRNN(net.layers[0].units, "relu", return_sequences=net.per_step), net.layers[-1]]
        other = elman.Network(layers, input_size=2, seed=0)
        other.weights["0.recurrent_kernel"][:] = 3 * np.eye(net.layers[0].units)
        if isinstance(model, elman.Network):
            model = other
        else:
            model.network_, model.activation = other, "relu"
        model.save(folder / f"{name}.elman")
        X = [*walks(2), np.ones((400, 2))]
        label = {"classify": "up", "tag": "high", "network": 0}.get(name, 1.5)
        write_long(folder / f"{name}.csv", X, lambda x, t, label=label: label, names=lambda i: "abz"[i])
    return folder


@pytest.fixture
def folder(made, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    for path in made.iterdir():
        shutil.copy(path, tmp_path)
    return tmp_path


@pytest.mark.parametrize("name", MODELS)
def test_predict_names_the_sequence_by_its_id(folder, name):
    for more in ((), ("--json",), ("--output", "out.csv")):
        said = command("predict", f"{name}.elman", f"{name}.csv", *more).sentence()
        assert said.startswith(f"'{name}.csv', sequence z: the model has the output ")
        assert "expected finite numbers" in said
    assert not Path("out.csv").exists()


@pytest.mark.parametrize("name", MODELS[:5])
def test_evaluate_names_the_sequence_by_its_id(folder, name):
    for more in ((), ("--json",)):
        said = command("evaluate", f"{name}.elman", f"{name}.csv", "--no-picture", *more).sentence()
        assert said.startswith(f"'{name}.csv', sequence z: the model has the output ")


@pytest.mark.parametrize("name", MODELS)
def test_a_stream_names_the_line(folder, name):
    lines = b"1,-1\n" * 3 + b"\n" + b"1,1\n" * 400
    for more in ((), ("--json",)):
        answer = command("predict", f"{name}.elman", "-", "--stream", *more, stdin=lines)
        assert answer.code == 2
        assert answer.err.startswith("elman: line ")
        said = one_line(answer.err).strip()
        line, step = int(said.split()[2].rstrip(":")), int(said.removesuffix(" (from 0)").rpartition(" ")[2])
        assert "the sequence so far led to the answer " in said
        assert line == step + 5  # three steps and an empty line before
        assert "nan" not in answer.out.lower()
        assert answer.out.count("\n") >= line - 2


# ------------------------------------------------------------------------------------------- standard output


@pytest.mark.skipif(os.name != "posix", reason="file descriptors")
@pytest.mark.parametrize(
    "arguments",
    [
        ("info",),
        ("--help",),
        ("predict", "network.elman", "short.csv"),
        ("predict", "network.elman", "short.csv", "--json"),
        ("evaluate", "classify.elman", "short.csv", "--json", "--no-picture"),
        ("train", "train.csv", "--model", "m.elman"),
        ("check",),
    ],
)
def test_a_closed_standard_output_is_an_error(folder, arguments):
    write_long(folder / "short.csv", walks(3), lambda x, t: "up")
    before = sorted(path.name for path in folder.iterdir())
    child = process(*arguments, cwd=folder, preexec_fn=lambda: os.close(1))
    err = child.communicate(timeout=120)[1].decode()
    assert child.returncode == 2
    assert one_line(err).startswith("elman: standard output is closed, expected a place for the answers")
    assert sorted(path.name for path in folder.iterdir()) == before


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="there is no full disk")
def test_a_full_standard_output_is_an_error(folder):
    with Path("/dev/full").open("w") as full:
        child = process("info", cwd=folder)
        child.communicate(timeout=120)
        assert child.returncode == 0
        from subprocess import PIPE, Popen

        child = Popen([sys.executable, "-m", "elman", "info"], stdout=full, stderr=PIPE)
        err = child.communicate(timeout=120)[1].decode()
    assert child.returncode == 2
    assert "No space left" in one_line(err)


# ---------------------------------------------------------------------------------- a model of other data

RUN = ("--epochs", 2, "--no-curves", "--hidden", 3)


def write_two(folder):
    for name, column in (("a", 0), ("b", 1)):
        X = [x[:, [column]] for x in walks(24)]
        write_long(folder / f"{name}.csv", X, lambda x, t, name=name: f"{name}{int(x.sum() > 0)}")


def train(name, *more):
    return command("train", f"{name}.csv", "-m", "m.elman", *RUN, *more)


def test_a_finished_model_of_other_data_is_not_replaced_unasked(folder):
    write_two(folder)
    assert train("a").code == 0
    kept = content("m.elman")
    said = train("b").sentence()
    assert said == (
        "'m.elman' is a finished model of other data: --restart replaces it, another --model keeps it"
    )
    assert train("b", "--resume").sentence() == said  # there is no run to go on with
    assert content("m.elman") == kept
    assert not Path("m.elman.checkpoint").exists()
    again = train("a")  # its own data: nothing is lost
    assert (again.code, content("m.elman")) == (0, kept)
    assert "replaced" not in again.err
    answer = train("b", "--restart")
    assert answer.code == 0
    assert "m.elman is a finished model of other data: it is replaced" in answer.err
    assert elman.load("m.elman").classes_.tolist() == ["b0", "b1"]


def test_labels_and_a_single_number_are_other_data(folder):
    write_two(folder)
    assert train("a", "-q").code == 0
    text = Path("a.csv").read_text()
    lines = text.splitlines()
    cells = lines[1].split(",")
    cells[2] = str(float(cells[2]) + 1)
    for other in (text.replace("a1", "a2"), "\n".join([lines[0], ",".join(cells), *lines[2:]]) + "\n"):
        Path("b.csv").write_text(other)
        assert "other data" in train("b", "-q").sentence()


def test_features_of_other_names_are_other_data(folder):
    write_two(folder)
    assert train("a", "-q").code == 0
    first, rest = Path("a.csv").read_text().split("\n", 1)
    names = first.split(",")
    Path("b.csv").write_text(",".join([*names[:2], "renamed", *names[3:]]) + "\n" + rest)
    assert "other data" in train("b", "-q").sentence()


def test_labels_that_only_the_model_takes_for_none_are_told(folder):
    """The file has a class -1 and no empty cell; the model learned from a file with empty cells."""
    X = walks(24)
    write_long(folder / "a.csv", X, lambda x, t: "" if t == 0 else int(x[t, 0] > 0))
    write_long(folder / "b.csv", X, lambda x, t: 1 if x[t, 0] > 0 else -1)
    assert train("a", "-q").code == 0
    minus = sum(int((x[:, 0] <= 0).sum()) for x in X)
    answer = command("evaluate", "m.elman", "b.csv", "--no-picture")
    assert f"b.csv has {minus} steps of the label -1, which m.elman takes for no label" in answer.err
    assert "takes for no label" not in command("evaluate", "m.elman", "a.csv", "--no-picture").err


def test_the_same_file_for_another_task_is_the_same_data(folder):
    X = walks(24)
    write_long(folder / "a.csv", X, lambda x, t: int(x[:, 0].sum() > 0))
    assert train("a", "-q").code == 0
    assert train("a", "-q", "--task", "regress").code == 0
    assert isinstance(elman.load("m.elman"), elman.RNNRegressor)


def test_what_is_no_model_of_this_command_is_not_replaced_unasked(folder):
    write_two(folder)
    cases = {
        "is a finished model that does not say of which data": Path("network.elman").read_bytes(),
        "is no model of elman's": b"my notes",
    }
    for what, before in cases.items():
        Path("m.elman").write_bytes(before)
        assert train("a").sentence().startswith(f"'m.elman' {what}: --restart replaces it")
        assert Path("m.elman").read_bytes() == before
        answer = train("a", "--restart")
        assert answer.code == 0
        assert f"m.elman {what}: it is replaced" in answer.err
    Path("m.elman").write_bytes(b"")  # as of mktemp
    assert train("a").code == 0


def test_a_restarted_run_that_was_interrupted_goes_on(folder, monkeypatch):
    from elman.training import loop

    write_two(folder)
    assert train("a").code == 0
    schedule = loop._Run.schedule

    def interrupted(self, wanted, bar):
        if self.done == 1:
            raise KeyboardInterrupt
        schedule(self, wanted, bar)

    with monkeypatch.context() as patch:
        patch.setattr(loop._Run, "schedule", interrupted)
        assert train("b", "--restart").code == 130
    assert elman.load("m.elman").classes_.tolist() == ["a0", "a1"]
    assert train("b", "--resume").code == 0
    assert elman.load("m.elman").classes_.tolist() == ["b0", "b1"]
