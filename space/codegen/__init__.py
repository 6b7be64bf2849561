"""Generated code: the text of `model.py`, with the same state dict as `space.build` gives."""
