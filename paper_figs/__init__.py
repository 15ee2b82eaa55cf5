"""Figures: one module each, `collect()` for the rows and `draw(rows)` for the picture."""
