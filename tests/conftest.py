"""Fixtures with named ids."""

from __future__ import annotations

import signal

import pytest

from helpers import support
from helpers.sampling import pytest_collection_modifyitems  # noqa: F401  pytest looks for it here

collect_ignore_glob = ["golden/*"]  # scripts that need PyTorch: pytest would import them for their examples


def pytest_configure(config: pytest.Config) -> None:
    """Let Ctrl-C be heard: a shell has programs that it starts in the background ignore it."""
    if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
        signal.signal(signal.SIGINT, signal.default_int_handler)


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
