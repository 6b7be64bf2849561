"""The policy over decisions that policy-gradient controllers share, and its pretraining."""
