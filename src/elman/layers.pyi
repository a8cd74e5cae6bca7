from elman.nn.layers import *  # noqa: F403
