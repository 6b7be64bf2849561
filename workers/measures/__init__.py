"""What is measured of a machine and of a network on it: the fastest setting, latency, energy, early guesses."""
