"""Measurements that can be repeated: `python -m benchmarks.NAME --help`."""
