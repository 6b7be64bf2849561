"""Jobs that ended before: their trials as prior data, their weights as a start."""
