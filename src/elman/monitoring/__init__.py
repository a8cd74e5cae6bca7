"""Live monitoring: a stream of samples becomes answers, alarms and events such as gaps.

`Monitor` uses no clock, network or terminal. `lsl`, the only module that imports pylsl, reads and makes
streams of the Lab Streaming Layer; `replay` plays a recording at its rate. The screen and the CSV of
``elman monitor`` belong to the command line.
"""

from elman.monitoring.alarm import Alarm
from elman.monitoring.latency import Latencies
from elman.monitoring.monitor import Answer, Event, Monitor
from elman.monitoring.windowed_stream import ChunkedStream, SlidingStream

__all__ = ["Alarm", "Answer", "ChunkedStream", "Event", "Latencies", "Monitor", "SlidingStream"]
