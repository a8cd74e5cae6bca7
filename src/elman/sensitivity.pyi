from elman.network.sensitivity import *  # noqa: F403
