from elman.evaluation.hysteresis import *  # noqa: F403
