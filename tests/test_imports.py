"""Imports go one way, one file touches the native module, one folder nanobind, the front door is light."""

import ast
import re
import subprocess
import sys
from pathlib import Path

import pytest

import elman

ROOT = Path(__file__).resolve().parent.parent
PACKAGE = ROOT / "src" / "elman"

# From the bottom up; a module imports only from rows above its own, or earlier in its own row.
ORDER = [
    ["errors", "arguments", "initializers", "layers", "losses", "optimisers", "sequences", "targets"],
    ["_engine"],
    ["history", "constraints", "model", "memory", "starts"],
    ["disk", "saving", "checkpoint"],
    ["second_order"],
    ["planning", "training", "recording", "online", "checks", "summary"],
    ["network"],
    ["sensitivity", "callbacks"],
]
RANK = {name: i for i, name in enumerate(name for row in ORDER for name in row)}
SAME = {name: row[1:] for row in ORDER[5:6] for name in row}  # these know planning alone
AT_CALL = {("history", "plotting")}  # History shows itself: the one import of plotting from below, at call


def module_name(path):
    parts = path.relative_to(PACKAGE).with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


MODULES = {module_name(path): path for path in sorted(PACKAGE.rglob("*.py"))}


def imports(name):
    """The package's modules that a module imports, inside functions too, but not for type checkers alone."""
    tree = ast.parse(MODULES[name].read_text())
    hidden = {
        id(node)
        for block in ast.walk(tree)
        if isinstance(block, ast.If) and "TYPE_CHECKING" in ast.unparse(block.test)
        for child in block.body
        for node in ast.walk(child)
    }
    found = set()
    for node in ast.walk(tree):
        if id(node) in hidden:
            continue
        if isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{name} has a relative import"
            if node.module == "elman" or (node.module or "").startswith("elman."):
                base = node.module.removeprefix("elman").removeprefix(".")
                for alias in node.names:
                    full = f"{base}.{alias.name}".removeprefix(".")
                    found.add(full if full in MODULES or full == "_core" else base)
        elif isinstance(node, ast.Import):
            found |= {
                a.name.removeprefix("elman").removeprefix(".")
                for a in node.names
                if a.name.split(".")[0] == "elman"
            }
    return found - {name}


def test_every_module_below_the_network_has_its_place():
    below, waiting = set(), {"network", "checks", "sensitivity", "callbacks"}
    while waiting:
        name = waiting.pop()
        below.add(name)
        waiting |= {m for m in imports(name) if (name, m) not in AT_CALL and m != "_core"} - below
    assert below == set(RANK), "put new modules below Network into ORDER"


@pytest.mark.parametrize("name", list(RANK))
def test_imports_go_down(name):
    for imported in imports(name):
        if (name, imported) in AT_CALL or imported == "_core":
            continue
        assert imported in RANK, f"{name} imports {imported}, which lies above the network"
        assert RANK[imported] < RANK[name], f"{name} imports {imported} upward"
        assert imported not in SAME.get(name, []), f"{name} imports its neighbour {imported}"


def test_no_cycle_anywhere():
    graph = {
        name: {m for m in imports(name) if m in MODULES and (name, m) not in AT_CALL and m}
        for name in MODULES
    }
    done, path = set(), []

    def visit(name):
        assert name not in path, f"cycle: {' -> '.join([*path, name])}"
        if name not in done:
            path.append(name)
            for imported in graph[name]:
                visit(imported)
            path.pop()
            done.add(name)

    for name in graph:
        visit(name)


def test_one_file_imports_the_native_module():
    assert [name for name in MODULES if "_core" in imports(name)] == ["_engine"]


def test_one_file_imports_lab_streaming_layer():
    texts = {name: path.read_text() for name, path in MODULES.items()}
    found = [n for n, text in texts.items() if re.search(r"^\s*(import|from) pylsl", text, re.MULTILINE)]
    assert found == ["monitoring.lsl"]


def test_nanobind_stays_in_the_bindings():
    sources = [p for p in (ROOT / "engine").rglob("*") if p.suffix in {".h", ".cpp", ".hpp", ".cc"}]
    assert sources
    outside = [p for p in sources if "bindings" not in p.parts and "nanobind/" in p.read_text()]
    assert outside == []


def test_import_elman_is_light():
    heavy = ["sklearn", "scipy", "matplotlib", "tqdm", "safetensors", "pandas", "pyarrow", "typer", "rich"]
    heavy += ["edfio", "pylsl"]
    script = f"import elman, sys; print([m for m in {heavy} if m in sys.modules])"
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


def test_import_elman_is_quick():
    """Time of this process's own work, so that a busy machine does not matter; NumPy is most of it."""
    script = "import time; a = time.thread_time(); import elman; print(time.thread_time() - a)"
    command = [sys.executable, "-c", script]
    runs = [float(subprocess.run(command, capture_output=True, check=True).stdout) for _ in range(5)]
    assert min(runs) < 0.3


def test_the_front_door_shows_every_name():
    assert set(elman.__all__) <= set(dir(elman))
    assert "plotting" in dir(elman)
    assert elman.__version__.count(".") >= 1
    with pytest.raises(AttributeError, match="module 'elman' has no attribute 'Transformer'"):
        elman.Transformer  # noqa: B018


def test_a_missing_engine_says_how_to_build_it(tmp_path):
    (tmp_path / "elman").mkdir()
    for path in PACKAGE.glob("*.py"):
        (tmp_path / "elman" / path.name).write_text(path.read_text())
    done = subprocess.run(
        [sys.executable, "-I", "-c", f"import sys; sys.path[:0] = ['{tmp_path}']; from elman import load"],
        capture_output=True,
        text=True,
    )
    assert done.returncode != 0
    assert "pip install ." in done.stderr.splitlines()[-1]
