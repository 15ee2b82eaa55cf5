"""Closed forms: what the mathematics of a self-consuming loop says. Never imports JAX."""
