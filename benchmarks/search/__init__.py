"""Controllers measured on tables of trained architectures: thousands of searches in minutes, see `__main__.py`."""
