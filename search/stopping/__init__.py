"""When a trial is stopped early, and when the whole search ends."""
