"""Everything that talks to Ray: a node of the cluster, a search on it, tasks on it."""
