from elman.training.second_order import *  # noqa: F403
