"""Markov text retrained on itself."""
