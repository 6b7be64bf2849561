"""The HTTP interface, the dispatcher of jobs and the supervisor of all processes."""
