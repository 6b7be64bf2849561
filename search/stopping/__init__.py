"""When a trial goes on no longer, and when the whole search is over."""
