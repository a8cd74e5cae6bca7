"""The work of the commands: functions of paths and plain values that return plain values.

Nothing here uses a terminal: notes go to a function that the caller gives.
"""

from __future__ import annotations

from collections.abc import Callable

Say = Callable[[str], None]
