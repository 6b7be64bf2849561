"""Toy spaces with a known optimum and a search without Ray: for tests and benchmarks."""
