"""Regression loops on the device."""
