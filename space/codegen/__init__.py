"""The text of `model.py`: readable code with the state dict of `space.build`."""
