"""The commands read columns and channels by name, say what they converted, and refuse what is unknown."""

import json

import numpy as np
import pytest

pytest.importorskip("typer")
pytest.importorskip("rich")

from sklearn.pipeline import make_pipeline

import elman
from elman import Dense, Network, RNNClassifier, Sequences, SimpleRNN
from elman.anaesthesia import DepthForecaster, simulate_anaesthesia
from elman.features import BandPower
from helpers.command_files import command, process

TRAIN = ("train", "train.csv", "-m", "m.elman", "--epochs", 40, "--rate", 0.01, "--hidden", 8)
TRAIN += ("--no-curves", "-q")
RENAMED = (
    "'renamed.csv' has the features 'hr', 'spo2', expected 'hr', 'bp' ({}): "
    "'bp' is missing, 'spo2' is unknown"
)


def write(name, columns, seed, header=True):
    """Sequences whose class is in bp."""
    rng = np.random.default_rng(seed)
    lines = [f"id,time,{columns},label"] if header else []
    for i in range(60):
        for t in range(8):
            cells = {"hr": 60 + 5 * rng.normal(), "bp": 80 + 15 * (i % 2) + 5 * rng.normal(), "spo2": 97}
            values = ",".join(str(cells[each]) for each in columns.split(","))
            lines.append(f"{i},{t},{values},{'awake' if i % 2 else 'asleep'}")
    name.write_text("\n".join(lines) + "\n")


@pytest.fixture
def folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    for name, columns in ("train", "hr,bp"), ("same", "hr,bp"), ("swapped", "bp,hr"), ("renamed", "hr,spo2"):
        write(tmp_path / f"{name}.csv", columns, name == "train")
    return tmp_path


def test_a_file_is_read_by_name(folder):
    assert command(*TRAIN).code == 0
    found = {
        f: command("evaluate", "m.elman", f"{f}.csv", "--no-picture", "--json") for f in ("same", "swapped")
    }
    assert [each.document["accuracy"] for each in found.values()] == [1.0, 1.0]
    assert found["swapped"].err == ""
    answers = [command("predict", "m.elman", f"{f}.csv") for f in ("same", "swapped")]
    assert answers[0].out == answers[1].out != ""
    trained = RENAMED.format("as 'm.elman' was trained")
    for arguments in (["evaluate"], ["predict"], ["check", "--entries", 10]):
        assert command(arguments[0], "m.elman", "renamed.csv", *arguments[1:]).sentence() == trained


def test_watched_and_resumed_files_are_read_by_name(folder):
    plain = command(*TRAIN, "--valid", "same.csv", "--json").document
    other = command(*TRAIN, "--valid", "swapped.csv", "--json").document
    assert other["history"] == plain["history"] and other["validation"]["accuracy"] == 1.0
    found = command(*TRAIN, "--valid", "renamed.csv").sentence()
    assert found == RENAMED.format("as in 'train.csv'")
    model, X, y = RNNClassifier(8, max_iter=2), *elman.read_sequences("train.csv")
    model.fit(X, y, checkpoint="m.elman.checkpoint")
    (folder / "train.csv").write_text((folder / "renamed.csv").read_text())
    found = command(*TRAIN, "--resume").sentence()
    assert "'train.csv' has the features 'hr', 'spo2'" in found
    assert "as in the run 'm.elman.checkpoint'): 'bp' is missing" in found


def test_names_on_one_side_only_are_noted(folder):
    X, y = elman.read_sequences("same.csv")
    np.savez("bare.npz", X=np.stack(X), y=y)
    assert command(*TRAIN).code == 0
    note = "bare.npz names no features: they are read as 'hr', 'bp' (as 'm.elman' was trained)\n"
    assert command("evaluate", "m.elman", "bare.npz", "--no-picture").err == note
    RNNClassifier(8, max_iter=1).fit(np.stack(X), y).save("bare.elman")
    found = command("predict", "bare.elman", "same.csv")
    assert found.code == 0 and found.err == (
        "same.csv: nothing is known of the features (as 'bare.elman' was trained): "
        "'hr', 'bp' are read in this order\n"
    )


def test_an_archive_holds_names_units_and_rate(folder):
    X, y = elman.read_sequences("same.csv")
    values = np.stack(X)
    kind = {"feature_names": ["hr", "bp"], "fs": 2.0}
    np.savez("a.npz", X=values, y=y, feature_units=["1/min", "mV"], **kind)
    np.savez(
        "b.npz",
        X=(values * [1, 1e3])[..., ::-1],
        y=y,
        feature_units=["uV", ""],
        **kind | {"feature_names": ["bp", "hr"]},
    )
    np.savez("c.npz", X=values, y=y, **kind | {"fs": 4.0})
    read = elman.read_sequences("a.npz")[0][0]
    assert (read.feature_names, read.feature_units, read.rate) == (("hr", "bp"), ("1/min", "mV"), 2.0)
    command("train", "a.npz", *TRAIN[2:])
    plain, other = (command("predict", "m.elman", f"{name}.npz") for name in "ab")
    assert other.err == "'b.npz' was converted: 'bp' from uV to mV (as 'm.elman' was trained)\n"
    for one, two in zip(plain.out.splitlines()[1:], other.out.splitlines()[1:], strict=True):
        np.testing.assert_allclose(
            [float(v) for v in one.split(",")[2:]], [float(v) for v in two.split(",")[2:]]
        )
    assert "'c.npz' has 4 Hz, expected 2 Hz" in command("predict", "m.elman", "c.npz").sentence()
    np.savez("d.npz", X=values, y=y, feature_names=["hr"])
    found = command("predict", "m.elman", "d.npz").sentence()
    assert found.startswith("'d.npz', 'feature_names' has shape (1,)") and found.endswith(
        "expected 2 strings"
    )


def test_channels_before_steps_are_told_in_one_line(folder):
    np.savez("turned.npz", X=np.random.default_rng(0).normal(size=(20, 3, 200)), y=np.arange(20) % 2)
    child = process("train", "turned.npz", *TRAIN[2:6], cwd=folder)
    _, err = child.communicate(timeout=240)
    lines = [line for line in err.decode().splitlines() if "time is axis 1" in line]
    assert child.returncode == 0 and len(lines) == 1 and lines[0].startswith("elman: X has 20 sequences of 3")
    assert "UserWarning" not in err.decode()


def test_info_says_what_a_model_is(folder):
    rng = np.random.default_rng(0)
    X = Sequences(
        rng.normal(size=(2048, 2)),
        np.arange(9) * 256,
        feature_names=["Fp1", "Fp2"],
        feature_units=["uV", "uV"],
        rate=128.0,
    )
    y = ["rest", "seizure"] * 4
    RNNClassifier(8, max_iter=2, random_state=0).fit(X, y).save("m.elman")
    elman.save(make_pipeline(BandPower(128.0), RNNClassifier(4, max_iter=1)).fit(X, y), "p.elman")
    net = Network([SimpleRNN(3), Dense(1)], 2, seed=0)
    net.save("n.elman")
    net.online("sgd").save("l.elman")
    operations, _, description = simulate_anaesthesia(4, minutes=(15, 20))
    DepthForecaster(description.channels, cells=("rnn",), hidden=4, epochs=1).fit(operations).save("d.elman")

    found = command("info", "m.elman").out
    assert "Fp1 (uV), Fp2 (uV)" in found and "128 Hz" in found and "'rest', 'seizure'" in found
    assert "SimpleRNN(units=8)" in found and "RNNClassifier, one answer a sequence" in found
    told = command("info", "m.elman", "--json").document
    assert (told["feature_names"], told["feature_units"], told["rate"]) == (
        ["Fp1", "Fp2"],
        ["uV", "uV"],
        128.0,
    )
    assert told["classes"] == ["rest", "seizure"] and told["epochs"] == 2 and told["features"] == 2
    assert told["bytes"] == (folder / "m.elman").stat().st_size and told["parameters"] == 106
    pipeline = command("info", "p.elman", "--json").document
    assert pipeline["steps"] == ["BandPower(fs=128.0)"] and pipeline["feature_names"] == ["Fp1", "Fp2"]
    for name, kind, features in ("n", "Network", 2), ("l", "Learner", 2), ("d", "DepthForecaster", 5):
        told = command("info", f"{name}.elman", "--json").document
        assert (told["kind"], told["features"]) == (kind, features)
        assert command("info", f"{name}.elman").code == 0
    assert "Solar8000/ART_MBP" in command("info", "d.elman").out
    assert command("info", "train.csv").sentence().startswith("'train.csv' is neither a model of elman nor")
    assert json.loads(command("info", "--json").out)["elman"] == elman.__version__
