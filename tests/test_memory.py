"""The memory of a sweep does not grow with its seeds."""

import importlib.util
from pathlib import Path

import pytest


@pytest.mark.slow
def test_a_million_seeds_of_a_thousand_generations_fit(monkeypatch):
    folder = Path(__file__).parents[1] / "benchmarks"
    monkeypatch.setenv("PYTHONPATH", str(folder))
    described = importlib.util.spec_from_file_location("memory", folder / "memory.py")
    memory = importlib.util.module_from_spec(described)
    described.loader.exec_module(memory)
    assert memory.peak(10**6) < memory.BOUND
