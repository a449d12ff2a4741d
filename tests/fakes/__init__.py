"""The outside world in memory: each fake runs the contract suite of its port beside the real thing."""
