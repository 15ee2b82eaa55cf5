"""Timing two peers in turns, so that both see the same machine."""

import os
import platform
import time
from collections.abc import Callable
from importlib.metadata import version
from typing import Any


def cores() -> int:
    """Processor cores this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def first_call(run: Callable[[], Any]) -> float:
    """Seconds of the first call, compilation included."""
    begin = time.perf_counter()
    run()
    return time.perf_counter() - begin


def in_turns(*runs: Callable[[], Any], rounds: int = 10) -> list[float]:
    """The best time of each, in seconds; they take turns."""
    best = [float("inf")] * len(runs)
    for _ in range(rounds):
        for k, run in enumerate(runs):
            begin = time.perf_counter()
            run()
            best[k] = min(best[k], time.perf_counter() - begin)
    return best


def machine() -> dict[str, Any]:
    """What the numbers were measured on."""
    import jax

    packages = {name: version(name) for name in ("jax", "jaxlib", "numpy")}
    device = jax.local_devices()[0].device_kind
    return {
        "python": platform.python_version(),
        **packages,
        "architecture": platform.machine(),
        "cores": cores(),
        "device": device,
        "devices": jax.local_device_count(),
    }
