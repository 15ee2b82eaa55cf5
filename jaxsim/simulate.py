"""Monte Carlo of a loop: thousands of replicates, summarised at the generations asked for."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial
from importlib.metadata import version
from typing import Any, Literal, NamedTuple

import jax
import numpy as np
import xarray as xr

from jaxsim import blocks, exact, line, literal, summary
from jaxsim.random import stream_key
from jaxsim.schedule import Schedule, require_numbers, schedule
from theory.loop import Loop, LoopError
from theory.loop_file import loop_hash, to_json
from theory.observable import AXES, LINE

Engine = Literal["exact", "literal"]
Keep = Literal["summary", "replicates"]
Precision = Literal["float32", "float64"]

LARGEST_SEEDS = 2**32
LARGEST_LITERAL = 2**31
LARGEST_SINGLE = 10**6  # beyond this n the rounding of float32 nears the spread of one fit
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


def simulate(
    loop: Loop,
    generations: int | Sequence[int],
    seeds: int,
    *,
    seed: int = 0,
    engine: Engine = "exact",
    observables: Sequence[str] | None = None,
    keep: Keep = "summary",
    devices: int | Sequence[jax.Device] | None = None,
    progress: Callable[[int, int], None] | None = None,
    precision: Precision | None = None,
) -> xr.Dataset:
    """Run `seeds` independent replicates of a loop and measure them.

    Args:
        loop: a Gaussian loop under replacement.
        generations: the generation measured, or an increasing sequence of them.
        seeds: replicates. Replicate i is the same whatever their number.
        seed: the master seed, 0 to 2^64 - 1.
        engine: `exact` draws sufficient statistics, `literal` every sample.
        observables: names of `theory.observable`; None gives all that exist and are cheap.
        keep: `summary` (count, mean, central moments) or every replicate.
        devices: how many local devices, or which; None takes all. The numbers do not depend on it.
        progress: called with (replicates done, replicates in all) between calls.
        precision: float32, or float64 (the same run, rounded less); None takes float32 up to n = 10^6.

    Returns:
        A variable per observable with dimensions (statistic, generation, ...) or (replicate, generation, ...),
        in float64 on the host.

    Raises:
        LoopError: for a request or a loop the engine cannot serve, in one sentence.
    """
    marks = _generations(generations)
    _check(seeds, seed, engine, keep, precision)
    require_numbers(loop)
    plan = schedule(loop, int(marks[-1]))
    precision = precision or _precision(plan)
    chosen = _devices(devices)
    with jax.enable_x64(True):  # float32 arrays stay float32: every array here states its precision
        setting = prepare(loop, plan, engine, np.dtype(precision))
        names = _names(observables, setting)
        kernel = setting.kernel._replace(names=names, keep=keep)
        dense = len(marks) > 1 and bool(np.array_equal(marks, np.arange(1, len(marks) + 1)))
        key = stream_key(seed, loop_hash(loop), engine)
        request = blocks.Request(setting.fixed, setting.steps, key, marks.astype(np.int32), np.int64(seeds))
        values = _collect(kernel, dense, request, chosen, setting, marks, progress)
    data = {name: (_dimensions(name, loop, keep), value) for name, value in values.items()}
    coordinates: dict[str, Any] = {"generation": marks}
    if keep == "summary":
        coordinates["statistic"] = list(summary.STATISTICS)
    return xr.Dataset(data, coordinates, _provenance(loop, seeds, seed, engine, precision, chosen))


def _collect(
    kernel: blocks.Kernel,
    dense: bool,
    request: blocks.Request,
    devices: tuple[jax.Device, ...],
    setting: Setting,
    marks: np.ndarray,
    progress: Callable[[int, int], None] | None,
) -> dict[str, np.ndarray]:
    seeds, done = int(request.seeds), 0
    capacity = blocks.capacity(kernel, dense, request)
    parts: list[list[Any]] = [[] for _ in kernel.names]
    for counts, arrays in blocks.run(kernel, dense, request, capacity, devices):
        for found, array in zip(parts, arrays, strict=True):
            if kernel.keep == "replicates":
                replicates = np.moveaxis(array, 1, 2).reshape(-1, len(marks), *array.shape[3:])
                found.append(replicates[: counts.sum()].astype(float))
            else:
                # one running summary: block order is kept and memory does not grow with seeds
                found[:] = [summary.merge(array, counts, *found)]
        done += int(counts.sum())
        if progress is not None:
            progress(done, seeds)
    values = {}
    for name, found in zip(kernel.names, parts, strict=True):
        shift, factor = setting.unit(name)
        shift = shift[marks]
        if kernel.keep == "replicates":
            with np.errstate(over="ignore"):
                values[name] = np.concatenate(found) * factor + _spread(shift, found[0][0])
        else:
            values[name] = found[0].scaled(factor, _spread(shift, found[0].mean)).statistics()
    return values


def _spread(shift: np.ndarray, like: np.ndarray) -> np.ndarray:
    return shift.reshape(shift.shape + (1,) * (like.ndim - shift.ndim))


def prepare(loop: Loop, plan: Schedule, engine: Engine, dtype: np.dtype) -> Setting:
    """The kernel of a loop and its arguments, in one precision.

    Raises:
        LoopError: for what the engine cannot do.
    """
    if engine == "exact" and plan.truncated.any():
        raise LoopError(
            "sampler.truncate",
            loop.sampler.truncate,
            "truncated samples have no finite sufficient statistic; use the literal engine",
        )
    if engine == "literal" and plan.sizes.max() > LARGEST_LITERAL:
        raise LoopError(
            "data.n", int(plan.sizes.max()), f"the literal engine draws every sample, up to {LARGEST_LITERAL}"
        )
    if not loop.source.is_scalar:
        raise LoopError("source", None, "vectors are not available yet")
    fixed, steps = line.parameters(loop, plan, dtype)
    if engine == "exact":
        step, block = exact.line_step, 1024
    else:
        step, block = _literal_line(bool(plan.truncated.any())), 512
    kernel = blocks.Kernel(line.start, step, _observe_line, (), block, "summary")
    return Setting(kernel, fixed, steps, LINE, LINE, partial(line.unit, loop=loop, plan=plan))


def _observe_line(name: str, fixed: Any, step: Any, state: Any) -> Any:
    return line.observe(name, fixed, step.log_variance, state)


_LITERAL_LINE = {
    truncating: partial(literal.line_step, truncating=truncating) for truncating in (False, True)
}


def _literal_line(truncating: bool) -> Callable:
    return _LITERAL_LINE[truncating]  # one object each, so that compiled programs are found again


def _generations(generations: int | Sequence[int]) -> np.ndarray:
    single = isinstance(generations, int | np.integer)
    listed = [generations] if single else list(np.asarray(generations).ravel().tolist())
    if not listed:
        raise LoopError("generations", listed, "at least one is needed")
    for value in listed:
        if isinstance(value, bool) or not isinstance(value, int | np.integer) or value < 1:
            raise LoopError("generations", value, "a generation is a whole number of at least 1")
        if value >= 2**31:
            raise LoopError("generations", value, f"at most {2**31 - 1} can be simulated")
    if any(later <= earlier for earlier, later in zip(listed, listed[1:], strict=False)):
        raise LoopError("generations", listed, "they must increase")
    return np.array(listed, np.int64)


def _check(seeds: object, seed: object, engine: str, keep: str, precision: str | None) -> None:
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


def _precision(plan: Schedule) -> Precision:
    return "float64" if plan.sizes.max() > LARGEST_SINGLE or plan.drift.max() > 40 else "float32"


def _names(observables: Sequence[str] | None, setting: Setting) -> tuple[str, ...]:
    if observables is None:
        return setting.default
    for name in observables:
        if name not in setting.available:
            raise LoopError("observables", name, f"available here: {', '.join(setting.available)}")
    return tuple(dict.fromkeys(observables))


def _devices(devices: int | Sequence[jax.Device] | None) -> tuple[jax.Device, ...]:
    local = jax.local_devices()
    if devices is None:
        return tuple(local)
    if not isinstance(devices, int):
        return tuple(devices)
    if not 1 <= devices <= len(local):
        raise LoopError("devices", devices, f"there are {len(local)} local devices")
    return tuple(local[:devices])


def _dimensions(name: str, loop: Loop, keep: str) -> tuple[str, ...]:
    trailing = () if loop.source.is_scalar else AXES.get(name, ())
    return ("statistic" if keep == "summary" else "replicate", "generation", *trailing)


def _provenance(
    loop: Loop, seeds: int, seed: int, engine: str, precision: str, devices: tuple[jax.Device, ...]
) -> dict[str, Any]:
    packages = {name: version(name) for name in ("jax", "jaxlib", "numpy")}
    return {
        "loop": to_json(loop),
        "seeds": int(seeds),
        "seed": seed if seed < 2**63 else str(seed),
        "engine": engine,
        "precision": precision,
        "versions": ", ".join(f"{name} {number}" for name, number in packages.items()),
        "device": devices[0].device_kind,
    }
