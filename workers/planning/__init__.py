"""The plan of a running job: measured at its start, followed by its phases, revised as trials tell what they cost."""
