"""The smaller model: a trained network made smaller step by step, each step measured and behind a stop rule."""
