"""Gaussian loops in which only some of the points generated are kept."""
