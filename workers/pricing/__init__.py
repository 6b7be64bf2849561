"""What a job will cost, from one calibration trial."""
