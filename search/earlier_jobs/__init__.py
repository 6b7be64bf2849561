"""Jobs that ended before: their trials as prior data, and their weights as the start of trainings."""
