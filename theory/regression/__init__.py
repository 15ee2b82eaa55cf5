"""Linear regression trained on its own labels."""
