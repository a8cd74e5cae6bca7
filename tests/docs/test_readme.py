"""The README's Python and its commands run as they stand, and its links lead somewhere."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

import elman
from helpers import pages

ROOT = Path(__file__).parents[2]
PAGES = sorted([*ROOT.glob("*.md"), *ROOT.glob("docs/*.md"), *ROOT.glob("benchmarks/*.md")])


def blocks_of(language: str) -> list[str]:
    text = (ROOT / "README.md").read_text(encoding="utf-8")
    return re.findall(rf"```{language}\n(.*?)```", text, re.DOTALL)


def test_python_in_readme_runs(monkeypatch, tmp_path):
    """In an empty folder; the figures behind its prints are those that it prints."""
    monkeypatch.chdir(tmp_path)
    names = pages.run("README.md")
    assert names["net"].evaluate(names["X"], names["y"])["accuracy"] > 0.9


@pytest.mark.skipif(not shutil.which("sed"), reason="the commands are for a shell with sed, head and cut")
def test_commands_in_readme_run(tmp_path):
    """From Python to a confusion matrix in an empty folder, each command as it stands."""
    pytest.importorskip("typer")
    pytest.importorskip("matplotlib")
    (commands,) = blocks_of("sh")
    (made,) = [block for block in blocks_of("python") if "train.csv" in block]
    files = tmp_path / "empty"
    files.mkdir()
    path = os.pathsep.join([str(Path(elman.__file__).parents[1]), os.environ.get("PYTHONPATH", "")])
    shell = {"cwd": files, "capture_output": True, "text": True, "check": False, "timeout": 300}
    environment = {**os.environ, "PYTHONPATH": path, "PYTHONIOENCODING": "utf-8"}
    assert subprocess.run([sys.executable, "-c", made], env=environment, **shell).stderr == ""
    program = tmp_path / "bin" / "elman"  # what pip installs
    program.parent.mkdir()
    program.write_text(f'#!/bin/sh\nexec "{sys.executable}" -m elman "$@"\n')
    program.chmod(0o755)
    environment["PATH"] = f"{program.parent}{os.pathsep}{os.environ['PATH']}"
    told = ""
    for line in commands.splitlines():
        done = subprocess.run(["sh", "-c", line], env=environment, **shell)
        assert done.returncode == 0, (line, done.stderr)
        told += done.stdout
    assert {file.name for file in files.iterdir()} == {
        "train.csv",
        "test.csv",
        "answers.csv",
        "digits.elman",
        "digits.curves.png",
        "digits.confusion.png",
    }
    assert float(re.findall(r"^accuracy +([0-9.]+) \(", told, re.MULTILINE)[0]) > 0.88  # on the test file
    (shown,) = [block.text for block in pages.blocks("README.md") if block.text.startswith("accuracy ")]
    pages.assert_printed(shown, told)  # every figure of the scores and of the confusion matrix
    assert len((files / "answers.csv").read_text().splitlines()) == 298
    assert len(re.findall(r"^\d(?:,\d[^,\n]*){10}$", told, re.MULTILINE)) == 8  # one answer a step
    assert re.search(r"^ok: 2000 entries", told, re.MULTILINE)


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.relative_to(ROOT).as_posix())
def test_links_in_pages_lead_to_files(page):
    links = re.findall(r"\]\(([^)#]+)(?:#[^)]*)?\)", page.read_text(encoding="utf-8"))
    missing = [link for link in links if "://" not in link and not (page.parent / link).exists()]
    assert not missing
