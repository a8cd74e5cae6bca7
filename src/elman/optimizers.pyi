from elman.nn.optimizers import *  # noqa: F403
