"""Monte Carlo of a loop: thousands of replicates, summarised at the generations asked for."""

from collections.abc import Callable, Sequence
from itertools import pairwise
from typing import Any

import jax
import numpy as np
import xarray as xr

from jaxsim.measure import measurement
from jaxsim.setting import Engine, Keep, Precision, chosen_devices, provenance, require_sound
from jaxsim.summary import STATISTICS
from theory.loop import Loop, LoopError
from theory.observable import axes, numbered


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
        loop: numbers throughout; what an engine cannot do, it says.
        generations: the generation measured, or an increasing sequence of them.
        seeds: replicates. Replicate i is the same whatever their number.
        seed: the master seed, 0 to 2^64 - 1.
        engine: `exact` draws sufficient statistics, `literal` every sample.
        observables: names of `theory.observable`; None gives all that exist and are cheap.
        keep: `summary` (count, mean, central moments) or every replicate.
        devices: how many local devices, or which; None takes all. The numbers do not depend on it.
        progress: called with (replicates done, replicates in all) between calls.
        precision: float32, or float64 (the same run, rounded less); None takes float32 under replacement
            where n_1 <= 10^6, but float64 for the literal engine in d dimensions.

    Returns:
        A variable per observable with dimensions (statistic or replicate, generation, ...), in float64.

    Raises:
        LoopError: for a request or a loop the engine cannot serve, in one sentence.
    """
    marks = marked(generations)
    require_sound(seeds, seed, engine, keep, precision)
    chosen = chosen_devices(devices)
    ready = measurement(loop, marks, seed=seed, engine=engine, observables=observables, precision=precision)
    told = None if progress is None else lambda done: progress(done, seeds)
    if keep == "summary":
        values = ready.summary(0, seeds, chosen, told).statistics()
    else:
        values = ready.replicates(0, seeds, chosen, told)
    data = {name: (_dimensions(name, loop, keep), value) for name, value in ready.split(values).items()}
    coordinates: dict[str, Any] = {"generation": marks}
    if keep == "summary":
        coordinates["statistic"] = list(STATISTICS)
    attributes = provenance(loop, seeds, seed, engine, ready.precision, chosen)
    return numbered(xr.Dataset(data, coordinates, attributes))


def marked(generations: int | Sequence[int]) -> np.ndarray:
    """The generations meant, as an array.

    Raises:
        LoopError: unless they are whole, positive and increasing.
    """
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


def _dimensions(name: str, loop: Loop, keep: str) -> tuple[str, ...]:
    return ("statistic" if keep == "summary" else "replicate", "generation", *axes(loop, name))
