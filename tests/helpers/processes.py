"""The command line in a process where some packages cannot be imported."""

from __future__ import annotations

import os
import subprocess
import sys

# Run `elman` in a process of its own in which some packages cannot be imported.
BLOCKED = """
import importlib.abc, sys
class Block(importlib.abc.MetaPathFinder):
    def find_spec(self, name, path=None, target=None):
        if name.partition(".")[0] in {names!r}:
            raise ModuleNotFoundError(f"No module named {{name!r}}", name=name)
sys.meta_path.insert(0, Block())
from elman.cli.main import main
sys.exit(main({arguments!r}))
"""


def elman(*arguments: str, stdin: str = "", without: tuple[str, ...] = (), cwd=None, encoding: str = "utf-8"):
    code = BLOCKED.format(names=set(without), arguments=list(arguments))
    return subprocess.run(
        [sys.executable, "-X", "utf8=0", "-c", code],
        input=stdin,
        capture_output=True,
        text=True,
        encoding=encoding,
        timeout=300,
        cwd=cwd,
        env={**os.environ, "PYTHONIOENCODING": encoding},
        check=False,
    )


def one_line(text: str) -> str:
    assert text.startswith("elman: ")
    assert text.count("\n") == 1
    assert "Traceback" not in text
    return text
