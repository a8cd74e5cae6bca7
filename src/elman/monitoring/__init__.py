"""Live monitoring: a stream of samples becomes answers, alarms and a record of what was missing.

`Monitor` knows neither clock, network nor terminal. Around it: `lsl`, the only module that imports pylsl,
`view` and `drawing` for the terminal, `record` for the CSV, `replay` for the other end of the line.
"""

from elman.monitoring.latency import Latencies
from elman.monitoring.monitor import Alarm, Answer, Event, Monitor
from elman.monitoring.windowed_stream import Answering, LastSeconds

__all__ = ["Alarm", "Answer", "Answering", "Event", "LastSeconds", "Latencies", "Monitor"]
