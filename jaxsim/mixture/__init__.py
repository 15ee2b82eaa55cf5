"""Mixtures on the device."""
