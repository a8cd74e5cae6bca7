"""The committed stub of the native module is the one that the module itself makes."""

import pathlib

import pytest

import elman
from elman import _core


def test_the_stub_is_the_modules_own() -> None:
    stubgen = pytest.importorskip(
        "nanobind.stubgen", reason="nanobind, which makes the stub, is not installed"
    )
    generator = stubgen.StubGen(_core)
    generator.put(_core)
    committed = (pathlib.Path(elman.__file__).parent / "_core.pyi").read_text(encoding="utf-8")
    remedy = "python -m nanobind.stubgen -m elman._core -o src/elman/_core.pyi"
    assert generator.get() == committed, f"run: {remedy}"
