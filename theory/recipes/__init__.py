"""Gaussian loops under any data policy: second moments by provenance, higher ones by closure, limits."""
