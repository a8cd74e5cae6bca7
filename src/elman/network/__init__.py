"""The class Network and what works on whole networks."""
