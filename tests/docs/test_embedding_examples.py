"""The examples with characters and with two choices run, in a small size."""

import pathlib
import re
import runpy
import sys

import numpy as np
import pytest

ROOT = pathlib.Path(__file__).parents[2]


def run(name, arguments, capsys, monkeypatch):
    monkeypatch.setattr(sys, "argv", [name, *map(str, arguments)])
    made = runpy.run_path(str(ROOT / "examples" / name), run_name="__main__")
    return capsys.readouterr().out, made


def test_characters(tmp_path, capsys, monkeypatch):
    rng = np.random.default_rng(0)
    lines = [f"{a} times {b} is {a * b}.\n" for a, b in rng.integers(2, 10, size=(1000, 2))]
    text = tmp_path / "products.txt"
    text.write_text("".join(lines), encoding="utf-8")
    said, _ = run(
        "characters.py",
        [text, "--units", 32, "--epochs", 15, "--length", 150, "--start", "7 times"],
        capsys,
        monkeypatch,
    )
    found, plain = (
        float(line.split(":")[1].split()[0])
        for line in said.splitlines()
        if line.startswith(("bits a character", "without"))
    )
    assert found < plain - 2.0
    written = said[said.index("\n7 times") + 1 :].removesuffix("\n")
    assert len(written) == len("7 times") + 150
    sentences = written.split("\n")[:-1]
    assert (
        sum(bool(re.fullmatch(r"\d times \d is \d+\.", each)) for each in sentences)
        >= 0.8 * len(sentences)
        > 0
    )


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--start", "\u2603"], "--start has ['\u2603'], which the text has not"),
        (["--steps", 10**6], "expected more than"),
    ],
)
def test_characters_refuses(arguments, message, capsys, monkeypatch):
    with pytest.raises(SystemExit):
        run("characters.py", [ROOT / "README.md", *arguments], capsys, monkeypatch)
    assert message in capsys.readouterr().err


def test_two_choices(tmp_path, capsys, monkeypatch):
    pytest.importorskip("matplotlib")
    picture = tmp_path / "choices.png"
    said, made = run(
        "two_choice.py", ["--trials", 2000, "--epochs", 15, "--picture", picture], capsys, monkeypatch
    )
    rows = np.array([line.split() for line in said.splitlines()[2:8]], float)
    assert rows[:, 0].tolist() == made["COHERENCES"].tolist()
    network, ideal, early, late = rows[:, 1:].T
    assert network[-1] > 0.95 and abs(network[0] - 0.5) < 0.1
    assert (network > ideal - 0.06).all()
    assert late[3:5].sum() > early[3:5].sum()  # more evidence, more often right
    assert float(said.split("agree in ")[1].split()[0]) > 0.85
    assert picture.stat().st_size > 10_000
    net = made["excitatory_inhibitory"](10, seed=1)
    net.fit(*made["trials"](50, seed=3)[:2], epochs=2, verbose=False)
    recurrent = net.weights["0.recurrent_kernel"]
    assert (recurrent[4::5] <= 0.0).all() and (np.delete(recurrent, [4, 9], axis=0) >= 0.0).all()
    assert not np.diagonal(recurrent).any()
