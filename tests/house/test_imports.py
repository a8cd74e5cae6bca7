"""Folders import downward; one file touches the native module, one folder nanobind; the front is light."""

import re
import subprocess
import sys
from functools import cache

import pytest

import elman
from helpers.module_graph import MODULES, PACKAGE, ROOT, imports, room

# From the bottom up: a folder, or a loose module, imports only those listed before it. "elman" is the front.
LAYERS = [
    "errors",
    "_validation",
    "data",
    "nn",
    "_engine",
    "evaluation",
    "reading",
    "datasets",
    "plotting",
    "model",
    "training",
    "network",
    "features",
    "estimators",
    "streaming",
    "anaesthesia",
    "persistence",
    "monitoring",
    "elman",
    "demos",
    "cli",
    "__main__",
]
RANK = {name: i for i, name in enumerate(LAYERS)}
MOST_FLOORS = 14  # of modules that import each other when they are loaded
MOST_LINES = 400
MOST_LOOSE = 8


@pytest.mark.parametrize("name", list(MODULES))
def test_folders_import_downward(name):
    """Imports inside functions and for type checkers count too. The front names what lies anywhere."""
    assert room(name) in RANK, f"put {room(name)} into LAYERS"
    if name == "elman":
        return
    for other in imports(name):
        if room(other) != room(name) and other != "_core":
            assert RANK[room(other)] < RANK[room(name)], f"{name} imports {other}, which lies above it"


def depth_from(name, path=()):
    """The number of floors that a module stands on, itself included; fails on a circle."""
    assert name not in path, f"circle: {' -> '.join([*path, name])}"
    below = [other for other in imports(name, executed=True) if other in MODULES and other != "elman"]
    return 1 + max((depth_from(other, (*path, name)) for other in below), default=0)


depth_from = cache(depth_from)


def test_the_house_is_not_too_high():
    floors = {name: depth_from(name) for name in MODULES if name != "elman"}
    highest = max(floors, key=floors.get)
    assert floors[highest] <= MOST_FLOORS, f"{highest} stands on {floors[highest]} floors"


def test_no_circle_even_at_call():
    graph = {name: {m for m in imports(name) if m in MODULES and m != "elman"} for name in MODULES}
    done = set()

    def visit(name, path):
        assert name not in path, f"circle: {' -> '.join([*path, name])}"
        if name not in done and name != "elman":
            for other in graph[name]:
                visit(other, [*path, name])
            done.add(name)

    for name in graph:
        visit(name, [])


def test_few_modules_lie_loose():
    loose = sorted(path.name for path in PACKAGE.glob("*.py"))
    assert len(loose) <= MOST_LOOSE, loose


@pytest.mark.parametrize("name", list(MODULES))
def test_modules_are_short(name):
    lines = len(MODULES[name].read_text(encoding="utf-8").splitlines())
    assert lines <= LONG.get(name, MOST_LINES)


def test_long_modules_have_their_reason():
    assert all(len(MODULES[name].read_text().splitlines()) > MOST_LINES for name in LONG)


# Modules over the limit, with the lines that they may have.
LONG = {}


def test_one_file_imports_the_native_module():
    assert [name for name in MODULES if "_core" in imports(name)] == ["_engine"]


def test_one_file_imports_lab_streaming_layer():
    texts = {name: path.read_text() for name, path in MODULES.items()}
    found = [n for n, text in texts.items() if re.search(r"^\s*(import|from) pylsl", text, re.MULTILINE)]
    assert found == ["monitoring.lsl"]


# Which folders of the engine a folder may include, besides itself.
ENGINE = {
    "kernels": set(),
    "runtime": {"kernels"},
    "core": {"kernels"},
    "pass": {"core", "runtime", "kernels"},
    "second": {"pass", "core", "runtime", "kernels"},
    "train": {"second", "pass", "core", "runtime", "kernels"},
    "run": {"second", "pass", "train", "core", "runtime", "kernels"},
    "bindings": {"run", "train", "second", "pass", "core", "runtime", "kernels"},
    "smoke": {"run", "train", "second", "pass", "core", "runtime", "kernels"},
}


@pytest.mark.parametrize("folder", ENGINE)
def test_the_engine_includes_one_way(folder):
    """Outside of kernels/, only its table (and a cell's facts) may be included."""
    files = [p for p in (ROOT / "engine" / folder).iterdir() if p.suffix in {".h", ".cpp"}]
    assert files
    for file in files:
        for included in re.findall(r'#include "([^"]+)"', file.read_text(encoding="utf-8")):
            other, _, name = included.rpartition("/")
            other = other or folder
            assert other in {folder, *ENGINE[folder]}, f"{file.name} includes {included}"
            if other == "kernels" != folder:
                assert name in {"table.h", "cell_facts.h"}, f"{file.name} includes {included}"


def test_every_folder_of_the_engine_has_its_place():
    folders = {p.name for p in (ROOT / "engine").iterdir() if p.is_dir()}
    assert folders == set(ENGINE)


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


def test_the_front_shows_every_public_name_and_no_other():
    public = set(elman.__all__) | set(elman._MODULES) | {"__version__"}
    assert set(dir(elman)) == public
    assert elman.__version__.count(".") >= 1
    with pytest.raises(AttributeError, match="module 'elman' has no attribute 'Transformer'"):
        elman.Transformer  # noqa: B018


@pytest.mark.parametrize("name", sorted(elman._MODULES))
def test_public_modules_are_attributes_and_importable(name):
    """In a fresh process, one after the other: an import of another module must not be what makes it work."""
    script = (
        f"import elman; a = elman.{name}; import elman.{name} as b; from elman import {name} as c; "
        f"import sys; print(a is b is c, sys.modules['elman.{name}'] is a)"
    )
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    assert done.stdout.split() == ["True", "True"]


def test_public_modules_have_stubs_for_type_checkers():
    """A module whose short name is not its place has a stub that says where it lies."""
    stubs = {path.stem: path.read_text() for path in PACKAGE.glob("*.pyi") if path.stem != "_core"}
    homes = {name: home for name, home in elman._MODULES.items() if home != f"elman.{name}"}
    assert stubs == {name: f"from {home} import *  # noqa: F403\n" for name, home in homes.items()}


def test_a_missing_engine_says_how_to_build_it(tmp_path):
    for path in PACKAGE.rglob("*.py"):
        copy = tmp_path / "elman" / path.relative_to(PACKAGE)
        copy.parent.mkdir(parents=True, exist_ok=True)
        copy.write_text(path.read_text())
    done = subprocess.run(
        [sys.executable, "-I", "-c", f"import sys; sys.path[:0] = ['{tmp_path}']; from elman import load"],
        capture_output=True,
        text=True,
    )
    assert done.returncode != 0
    assert "pip install ." in done.stderr.splitlines()[-1]
