"""The architecture as an SVG picture."""
