"""The work behind the commands: each takes paths and plain values, and returns plain values.

Nothing here knows of a terminal: what is worth saying on the way goes to a function that the caller gives.
"""

from __future__ import annotations

from collections.abc import Callable

Say = Callable[[str], None]
