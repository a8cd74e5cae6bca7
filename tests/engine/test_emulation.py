"""The choice of kernels, and results, on processors that this machine is not: emulated (`make emulate`)."""

from __future__ import annotations

import os
import platform
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from elman import _core
from helpers.support import HERE, environment

pytestmark = [
    pytest.mark.prove,
    pytest.mark.skipif(
        sys.platform != "linux" or platform.machine() != "x86_64", reason="emulation starts from x86-64 Linux"
    ),
]

# A processor without AVX-512, one with AVX but without AVX2, one without AVX.
CPUS = {"Haswell": "x86-64-v3", "IvyBridge": "x86-64-v2", "Nehalem": "x86-64-v2"}

# pytest in one process: a child of an emulated program would run on the real processor.
LAWS = """
import sys, pytest
from elman import _engine
isa, *arguments = sys.argv[1:]
assert _engine.isa() == isa, _engine.isa()
assert _engine.available_isas()[0] == isa, _engine.available_isas()
sys.exit(pytest.main(["-n0", "-qx", "-p", "no:cacheprovider", *arguments]))
"""

# Without NumPy, which refuses such a processor before elman is asked.
BARE = """
import sys
sys.path.insert(0, sys.argv[1])
import _core
"""


def need(*programs: str) -> None:
    missing = [program for program in programs if shutil.which(program) is None]
    if missing:
        pytest.skip(f"{', '.join(missing)} not found; `make emulate` says how to get it")


def on_x86(cpu: str, script: str, *arguments: str, **variables: str) -> subprocess.CompletedProcess[str]:
    need("qemu-x86_64")
    plain = {name: value for name, value in environment().items() if name != "ELMAN_ISA"}
    return subprocess.run(
        ["qemu-x86_64", "-cpu", cpu, sys.executable, "-c", script, *arguments],
        env=plain | {"OPENBLAS_NUM_THREADS": "1", "ELMAN_LAWS": "97"} | variables,
        capture_output=True,
        text=True,
        check=False,
        cwd=HERE.parent,
    )


@pytest.mark.parametrize("cpu", CPUS)
def test_laws_and_golden_runs_hold_on_older_processors(cpu):
    files = [str(HERE / "engine" / f"test_{name}.py") for name in ("golden", "laws", "bits")]
    selection = (
        "(golden or outputs_and_states or loss_and_gradient or ten_training or vector_jacobian "
        "or row_is_independent or two_halves or fit_is_gradient) "
        "and not lstm3 and not gru3 and not embedding and not states_squared"
    )
    done = on_x86(cpu, LAWS, CPUS[cpu], "-k", selection, *files)
    assert done.returncode == 0, done.stdout[-4000:] + done.stderr[-2000:]
    passed = re.search(r"(\d+) passed", done.stdout)
    assert passed and int(passed[1]) > 100, done.stdout
    print(f"{cpu}: {CPUS[cpu]}, {done.stdout.splitlines()[-1]}")


def test_a_processor_without_sse4_is_refused_in_words():
    done = on_x86("core2duo", BARE, str(Path(_core.__file__).parent))
    assert done.returncode == 1, done.stderr  # not a signal
    assert "ImportError: this machine has none of the instruction sets" in done.stderr


@pytest.mark.parametrize(("cpu", "isa"), [("Haswell", "x86-64-v4"), ("IvyBridge", "x86-64-v3")])
def test_what_the_processor_lacks_cannot_be_forced(cpu, isa):
    done = on_x86(cpu, "import elman; elman.Network", ELMAN_ISA=isa)
    assert done.returncode == 1, done.stderr
    assert f"ELMAN_ISA={isa}: this machine cannot run it" in done.stderr


def smoke(preset: str) -> str:
    """The engine's own program, built if it is not there or old."""
    path = os.pathsep.join([str(Path(sys.executable).parent), os.environ["PATH"]])
    build = [["--preset", preset], ["--build", "--preset", preset, "--target", "engine_smoke"]]
    for arguments in build:
        done = subprocess.run(
            ["cmake", *arguments],
            env=os.environ | {"PATH": path},
            cwd=HERE.parent,
            capture_output=True,
            text=True,
            check=False,
        )
        assert done.returncode == 0, done.stdout[-4000:] + done.stderr[-4000:]
    return str(HERE.parent / "build" / preset / "engine_smoke")


def test_neon_and_emulated_processors_give_the_bits_of_this_one(available_isas):
    """Every cell, loss and optimizer of the smoke program: fused machines agree, and v2 with itself."""
    need("qemu-x86_64", "qemu-aarch64", "aarch64-linux-gnu-g++")
    x86, arm = smoke("smoke"), smoke("aarch64")
    runs = {isa: ([x86], isa) for isa in available_isas}
    runs |= {cpu: (["qemu-x86_64", "-cpu", cpu, x86], "") for cpu in ("Haswell", "Nehalem")}
    runs["aarch64"] = (["qemu-aarch64", arm], "")
    started = {
        name: subprocess.Popen(
            command,
            env=os.environ | {"ELMAN_ISA": isa},
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        for name, (command, isa) in runs.items()
    }
    found = {}
    for name, process in started.items():
        said, complaint = process.communicate()
        assert process.returncode == 0, f"{name}: {said}{complaint}"
        isa, _, found[name] = said.strip().partition(": ")
        assert isa == CPUS.get(name, "neon" if name == "aarch64" else name)
        print(f"{name}: {said.strip()}")
    fused = {found[name] for name in found if name not in ("x86-64-v2", "Nehalem")}
    assert len(fused) == 1, found
    assert found["Nehalem"] == found["x86-64-v2"]
    assert {found["Nehalem"]}.isdisjoint(fused)  # or the comparison would see nothing
