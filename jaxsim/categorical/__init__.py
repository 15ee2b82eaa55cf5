"""Categorical and Poisson loops on the device."""
