from elman.training.callbacks import *  # noqa: F403
