"""``elman info``: the facts that a bug report needs."""

from __future__ import annotations

import importlib.metadata
import importlib.util
import os
import platform
from collections.abc import Iterator

import elman
from elman import _engine

PACKAGES = ("numpy", "scikit-learn", "scipy", "safetensors", "tqdm")
# The extra that brings each optional package.
OPTIONAL = {"typer": "cli", "rich": "cli", "matplotlib": "plot", "pyarrow": "parquet"}
OPTIONAL |= {"edfio": "eeg", "pylsl": "eeg"}


def facts() -> dict[str, str]:
    """Return the facts by their names."""
    return dict(_lines())


def report() -> str:
    """Aligned lines of name and value."""
    lines = list(_lines())
    width = max(len(name) for name, _ in lines)
    return "\n".join(f"{name.ljust(width)}  {value}" for name, value in lines)


def _lines() -> Iterator[tuple[str, str]]:
    yield "elman", elman.__version__
    native = importlib.util.find_spec("elman._core")
    yield "native module", str(native.origin if native else "missing")
    forced = os.environ.get("ELMAN_ISA")
    yield "instruction set", _engine.isa() + (f" (forced by ELMAN_ISA={forced})" if forced else "")
    yield "available", ", ".join(_engine.available_isas())
    yield "CPUs", _cpus()
    yield "threads", _threads()
    yield "Python", f"{platform.python_version()} ({platform.python_implementation()})"
    yield "system", f"{platform.system()} {platform.release()} {platform.machine()}"
    for package in PACKAGES:
        yield package, version(package) or "not installed"
    for package, extra in OPTIONAL.items():
        yield package, version(package) or f'not installed (pip install "elman[{extra}]")'


def _cpus() -> str:
    # A container or taskset may leave fewer CPUs than the machine has; not every system can say so.
    affinity = getattr(os, "sched_getaffinity", None)
    return f"{os.cpu_count()}" if affinity is None else f"{len(affinity(0))} usable of {os.cpu_count()}"


def _threads() -> str:
    bound = os.environ.get("OMP_NUM_THREADS")
    return f"{_engine.threads(None)}" + (f" (OMP_NUM_THREADS={bound})" if bound else "")


def version(package: str) -> str | None:
    """Return the installed version, without importing the package; None where it is missing."""
    try:
        return importlib.metadata.version(package)
    except importlib.metadata.PackageNotFoundError:
        return None
