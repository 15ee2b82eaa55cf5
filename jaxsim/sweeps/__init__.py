"""Grids of loops on disk: units, chunks, shards, resumption."""
