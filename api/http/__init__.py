"""What every route shares: bodies, errors, limits and the event stream."""
