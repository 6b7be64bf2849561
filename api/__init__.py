"""How people reach the search: HTTP, the dispatcher and the supervisor."""
