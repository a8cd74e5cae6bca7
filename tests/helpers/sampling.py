"""The share of the large families of cases that one run takes."""

from __future__ import annotations

import os
import zlib

import pytest


def chosen(cases: dict[str, dict[str, object]], share: int) -> list[str]:
    """One case in `share`, and the cases it takes besides to meet each value of each parameter.

    cases: the parameters of one test's cases by id, in order. Only the ids and the parameters count, so that
    a test may be renamed or moved, and the same cases run.
    """
    kept = {case for case in cases if zlib.crc32(case.encode()) % share == 0}
    met = set().union(*(values(cases[case]) for case in kept))
    for case, parameters in cases.items():
        if not values(parameters) <= met:
            kept.add(case)
            met |= values(parameters)
    return [case for case in cases if case in kept]


def values(parameters: dict[str, object]) -> set[tuple[str, str]]:
    return {(name, repr(value)) for name, value in parameters.items()}


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Leave out most cases of tests marked `large`: of eight all but one, or of ELMAN_LAWS (1: none).

    Tests that are asked for by name run whole.
    """
    share = int(os.environ.get("ELMAN_LAWS", "8"))
    if share == 1 or any("::" in argument for argument in config.args):
        return
    families: dict[str, dict[str, pytest.Item]] = {}
    for item in items:
        if hasattr(item, "callspec") and item.get_closest_marker("large"):
            families.setdefault(item.nodeid.partition("[")[0], {})[item.callspec.id] = item
    left_out = set()
    for family in families.values():
        kept = chosen({case: item.callspec.params for case, item in family.items()}, share)
        left_out |= {family[case] for case in family.keys() - set(kept)}
    config.hook.pytest_deselected(items=[item for item in items if item in left_out])
    items[:] = [item for item in items if item not in left_out]
