"""Kernel densities fitted to their own samples."""
