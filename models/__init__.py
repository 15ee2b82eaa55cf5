"""Real data and real generators, seen as loops."""
