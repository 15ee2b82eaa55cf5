"""Mixtures of Gaussians: one total variance, and how it splits."""
