"""The replace loop in d dimensions."""
