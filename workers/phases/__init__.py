"""The phases of a job after its search: random arm, final trainings, bundle; compression of an earlier winner."""
