"""Fixtures with named ids."""

from __future__ import annotations

import os
import signal
import zlib

import pytest

import support

LARGE = {"test_laws", "test_bits", "test_truncation", "test_layer_options", "test_embedding"}
LARGE |= {"test_memory", "test_reference"}

collect_ignore_glob = ["golden/*"]  # scripts that need PyTorch: pytest would import them for their examples


def pytest_configure(config: pytest.Config) -> None:
    """Let Ctrl-C be heard: a shell has programs that it starts in the background ignore it."""
    if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
        signal.signal(signal.SIGINT, signal.default_int_handler)


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Of the largest families `make test` runs an eighth, chosen by name; ELMAN_LAWS=1 (`make prove`) all."""
    share = int(os.environ.get("ELMAN_LAWS", "8"))
    if share == 1 or any("::" in argument for argument in config.args):
        return
    kept, left = [], []
    for item in items:
        sampled = item.path.stem in LARGE and "[" in item.name
        (left if sampled and zlib.crc32(item.name.encode()) % share else kept).append(item)
    items[:] = kept
    config.hook.pytest_deselected(items=left)


@pytest.fixture(params=support.DTYPES)
def dtype(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture(params=support.ACTIVATIONS + support.OTHER_CELLS)
def cell(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture(params=support.LOSSES)
def loss(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture(params=[1, 2, 3, 4], ids=lambda n: f"{n}_threads")
def n_threads(request: pytest.FixtureRequest) -> int:
    return int(request.param)


@pytest.fixture(params=support.GOLDEN, ids=lambda path: path.stem)
def golden(request: pytest.FixtureRequest) -> support.Golden:
    return support.load_golden(request.param)


@pytest.fixture(scope="session")
def available_isas() -> list[str]:
    """What this machine can run, best first."""
    from elman import _engine

    return list(_engine.available_isas())


@pytest.fixture
def run_with_isa():
    return support.run_with_isa
