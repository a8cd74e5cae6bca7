"""Evaluation: splits without leaks, scores by event, calibration, alarms, signal quality."""

from elman.evaluation.calibration import Reliability, TemperatureScaling, reliability
from elman.evaluation.events import Event, EventScores, event_scores, events
from elman.evaluation.hysteresis import Hysteresis
from elman.evaluation.quality import SignalFault, signal_quality
from elman.evaluation.splits import Chunks, check_no_leak, chunk, folds

__all__ = [
    "Chunks",
    "Event",
    "EventScores",
    "Hysteresis",
    "Reliability",
    "SignalFault",
    "TemperatureScaling",
    "check_no_leak",
    "chunk",
    "event_scores",
    "events",
    "folds",
    "reliability",
    "signal_quality",
]
