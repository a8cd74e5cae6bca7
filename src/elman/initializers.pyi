from elman.nn.initializers import *  # noqa: F403
