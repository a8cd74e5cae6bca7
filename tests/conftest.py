"""Fixtures with named ids."""

from __future__ import annotations

import os
import signal
import zlib

import pytest

from helpers import support

LARGE = {"test_laws", "test_bits", "test_truncation", "test_layer_options", "test_embedding"}
LARGE |= {"test_memory", "test_reference"}

collect_ignore_glob = ["golden/*"]  # scripts that need PyTorch: pytest would import them for their examples


def pytest_configure(config: pytest.Config) -> None:
    """Let Ctrl-C be heard: a shell has programs that it starts in the background ignore it."""
    if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
        signal.signal(signal.SIGINT, signal.default_int_handler)


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Of the largest families `make test` runs an eighth, chosen by name, and all that it takes to meet each
    value of a parameter; ELMAN_LAWS=1 (`make prove`) all."""
    share = int(os.environ.get("ELMAN_LAWS", "8"))
    if share == 1 or any("::" in argument for argument in config.args):
        return
    large = [item for item in items if item.path.stem in LARGE and "[" in item.name]
    kept = {item for item in large if zlib.crc32(item.name.encode()) % share == 0}
    met = set().union(*map(values, kept))
    for item in large:
        if not values(item) <= met:
            kept.add(item)
            met |= values(item)
    left = [item for item in large if item not in kept]
    out = set(left)
    items[:] = [item for item in items if item not in out]
    config.hook.pytest_deselected(items=left)


def values(item: pytest.Item) -> set[tuple[str, str, str]]:
    """The values of a test's parameters, by name."""
    test = item.nodeid.partition("[")[0]
    return {(test, name, repr(value)) for name, value in item.callspec.params.items()}


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
