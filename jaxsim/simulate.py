"""Monte Carlo of a loop: thousands of replicates, summarised at the generations asked for."""

from collections.abc import Callable, Sequence
from itertools import pairwise
from typing import Any

import jax
import numpy as np
import xarray as xr

from jaxsim import blocks, summary
from jaxsim.random import stream_key
from jaxsim.schedule import require_numbers, schedule
from jaxsim.setting import (
    Engine,
    Keep,
    Precision,
    Setting,
    chosen_devices,
    chosen_precision,
    prepare,
    provenance,
    require_sound,
)
from theory.loop import Loop, LoopError
from theory.loop_file import loop_hash
from theory.observable import AXES


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
        precision: float32, or float64 (the same run, rounded less); None takes float32 where n_1 <= 10^6, but
            float64 for the literal engine in d dimensions.

    Returns:
        A variable per observable with dimensions (statistic or replicate, generation, ...), in float64.

    Raises:
        LoopError: for a request or a loop the engine cannot serve, in one sentence.
    """
    marks = _generations(generations)
    require_sound(seeds, seed, engine, keep, precision)
    require_numbers(loop)
    plan = schedule(loop, int(marks[-1]))
    precision = precision or chosen_precision(loop, plan, engine)
    chosen = chosen_devices(devices)
    with jax.enable_x64(True):  # float32 arrays stay float32: every array here states its precision
        setting = prepare(loop, plan, engine, np.dtype(precision))
        names = _names(observables, setting)
        axes = tuple(_axes(name, loop) for name in names)
        kernel = setting.kernel._replace(names=names, axes=axes, keep=keep)
        dense = len(marks) > 1 and bool(np.array_equal(marks, np.arange(1, len(marks) + 1)))
        key = stream_key(seed, loop_hash(loop), engine)
        request = blocks.Request(setting.fixed, setting.steps, key, marks.astype(np.int32), np.int64(seeds))
        values = _collect(kernel, dense, request, chosen, setting, marks, progress)
    data = {name: (_dimensions(name, loop, keep), value) for name, value in values.items()}
    coordinates: dict[str, Any] = {"generation": marks}
    if keep == "summary":
        coordinates["statistic"] = list(summary.STATISTICS)
    return xr.Dataset(data, coordinates, provenance(loop, seeds, seed, engine, precision, chosen))


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
    capacity = blocks.capacity(kernel, request)
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
                samples = np.concatenate(found) * factor + _spread(shift, found[0][0])
            values[name] = np.where(np.isnan(samples), np.inf, samples)  # beyond the range
        else:
            values[name] = found[0].scaled(factor, _spread(shift, found[0].mean)).statistics()
    return values


def _spread(shift: np.ndarray, like: np.ndarray) -> np.ndarray:
    return shift.reshape(shift.shape + (1,) * (like.ndim - shift.ndim))


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
    if any(later <= earlier for earlier, later in pairwise(listed)):
        raise LoopError("generations", listed, "they must increase")
    return np.array(listed, np.int64)


def _names(observables: Sequence[str] | None, setting: Setting) -> tuple[str, ...]:
    if observables is None:
        return setting.default
    for name in observables:
        if name not in setting.available:
            raise LoopError("observables", name, f"available here: {', '.join(setting.available)}")
    return tuple(dict.fromkeys(observables))


def _axes(name: str, loop: Loop) -> tuple[int, ...]:
    return () if loop.source.is_scalar else (loop.source.dimension,) * len(AXES.get(name, ()))


def _dimensions(name: str, loop: Loop, keep: str) -> tuple[str, ...]:
    trailing = () if loop.source.is_scalar else AXES.get(name, ())
    return ("statistic" if keep == "summary" else "replicate", "generation", *trailing)
