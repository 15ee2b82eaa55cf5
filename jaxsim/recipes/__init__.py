"""Gaussian loops under any data policy, on the device."""
