"""Live monitoring: a stream of samples becomes answers, alarms and a record of what was missing.

`Monitor` uses no clock, no network and no terminal. `lsl` is the only module that imports pylsl. `replay`
plays a recording as a stream.
"""

from elman.monitoring.latency import Latencies
from elman.monitoring.monitor import Alarm, Answer, Event, Monitor
from elman.monitoring.windowed_stream import Answering, LastSeconds

__all__ = ["Alarm", "Answer", "Answering", "Event", "LastSeconds", "Latencies", "Monitor"]
