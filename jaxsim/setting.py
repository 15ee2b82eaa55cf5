"""What a request and a loop made ready for the device are, whatever the family; checks and provenance."""

from collections.abc import Callable, Sequence
from functools import cache
from importlib.metadata import version
from typing import Any, Literal, NamedTuple

import jax
import numpy as np

from jaxsim import blocks
from theory.loop import Loop, LoopError
from theory.loop_file import to_json

Engine = Literal["exact", "literal"]
Keep = Literal["summary", "replicates"]
Precision = Literal["float32", "float64"]

LARGEST_SEEDS = 2**32
ENGINES = ("exact", "literal")


class Setting(NamedTuple):
    """A loop made ready for the device.

    Attributes:
        kernel: without names.
        fixed, steps: its arguments.
        available: observables that exist for it, the costly ones last.
        default: those given unless asked otherwise.
        unit: name -> (shift [1 + generation, ...], factor) from the device's units.
    """

    kernel: blocks.Kernel
    fixed: Any
    steps: Any
    available: tuple[str, ...]
    default: tuple[str, ...]
    unit: Callable[[str], tuple[np.ndarray, float]]


def require_sound(seeds: object, seed: object, engine: str, keep: str, precision: str | None) -> None:
    """Refuse arguments out of their range, in one sentence."""
    for key, value, low, high in (("seeds", seeds, 1, LARGEST_SEEDS), ("seed", seed, 0, 2**64 - 1)):
        if isinstance(value, bool) or not isinstance(value, int | np.integer) or not low <= value <= high:
            raise LoopError(key, value, f"a whole number from {low} to {high} is needed")
    for key, value, choices in (
        ("engine", engine, ENGINES),
        ("keep", keep, ("summary", "replicates")),
        ("precision", precision, ("float32", "float64", None)),
    ):
        if value not in choices:
            raise LoopError(key, value, f"there are: {', '.join(filter(None, choices))}")


def chosen_devices(devices: int | Sequence[jax.Device] | None) -> tuple[jax.Device, ...]:
    """The devices meant: how many of the local ones, or which, or all."""
    local = jax.local_devices()
    if devices is None:
        return tuple(local)
    if not isinstance(devices, int):
        return tuple(devices)
    if not 1 <= devices <= len(local):
        raise LoopError("devices", devices, f"there are {len(local)} local devices")
    return tuple(local[:devices])


def provenance(
    loop: Loop, seeds: int, seed: int, engine: str, precision: str, devices: tuple[jax.Device, ...]
) -> dict[str, Any]:
    """Everything needed to make a run again."""
    return {
        "loop": to_json(loop),
        "seeds": int(seeds),
        "seed": seed if seed < 2**63 else str(seed),
        "engine": engine,
        "precision": precision,
        "versions": _versions(),
        "device": devices[0].device_kind,
    }


@cache
def _versions() -> str:
    """The packages that make the numbers; read once, from files."""
    return ", ".join(f"{name} {version(name)}" for name in ("jax", "jaxlib", "numpy"))
