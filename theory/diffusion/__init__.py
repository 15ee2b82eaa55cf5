"""Diffusion samplers as maps of the variance, and the loops around them."""
