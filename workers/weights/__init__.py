"""Weights carried from one network to another."""
