"""Kernel densities on the device."""
