"""Lab Streaming Layer in the tests: on the loopback alone, and each test run in a session of its own."""

from __future__ import annotations

import os
import subprocess
import sys
import uuid
from pathlib import Path

import pytest

CONFIG = """
[ports]
IPv6 = disable
[multicast]
ResolveScope = machine
ListenAddress = 127.0.0.1
[lab]
KnownPeers = {{127.0.0.1}}
SessionID = {session}
"""

PROBE = """
import pylsl, sys
outlet = pylsl.StreamOutlet(pylsl.StreamInfo("probe", "EEG", 1, 100.0, "float32", "probe"))
found = pylsl.resolve_byprop("name", "probe", 1, 20.0)
if found:
    inlet = pylsl.StreamInlet(found[0], recover=False)
    inlet.open_stream(20.0)
    outlet.push_sample([1.0])
    sys.exit(0 if inlet.pull_sample(20.0)[0] == [1.0] else 3)
sys.exit(2)
"""


def set_up(folder: Path) -> str:
    """Write a configuration of liblsl and return its path; skip where no stream can be found with it."""
    pytest.importorskip("pylsl", reason="Lab Streaming Layer needs pylsl", exc_type=ImportError)
    path = folder / "lsl_api.cfg"
    path.write_text(CONFIG.format(session=uuid.uuid4().hex))
    environment = {**os.environ, "LSLAPICFG": str(path)}
    try:
        probe = [sys.executable, "-c", PROBE]
        done = subprocess.run(probe, env=environment, capture_output=True, timeout=120)
    except subprocess.TimeoutExpired:
        pytest.skip("Lab Streaming Layer does not answer on this machine's loopback")
    if done.returncode:
        pytest.skip(f"no Lab Streaming Layer on this machine's loopback: {done.stderr.decode()[-300:]}")
    return str(path)
