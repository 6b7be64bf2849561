"""Simple models: what a linear model or trees reach on simple features, to compare a search with."""
