"""What is measured of a machine and of a network on it: the fastest numerics, latency, energy, zero-cost proxies."""
