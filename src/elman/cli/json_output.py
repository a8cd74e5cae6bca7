"""The output of a command as one JSON document."""

from __future__ import annotations

import dataclasses
import json
import math
from collections.abc import Mapping
from typing import Any

from elman.cli.console import say


def document(value: Any) -> None:
    """Write one JSON document; NaN and infinity, which JSON does not have, become null."""
    say(json.dumps(plain(value), allow_nan=False))


def plain(value: Any) -> Any:
    """Return a value in the types of JSON.

    >>> plain({"a": (1, float("nan"))})
    {'a': [1, None]}
    """
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        value = {field.name: getattr(value, field.name) for field in dataclasses.fields(value)}
    if isinstance(value, Mapping):
        return {str(key): plain(item) for key, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [plain(item) for item in value]
    if isinstance(value, float) and not math.isfinite(value):
        return None
    return value
