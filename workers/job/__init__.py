"""One job under its lease, phase by phase."""
