"""First passages: the generation at which something first happens to a replicate.

A run does not know beforehand how long it must be. It starts over, four times as long, until every
replicate has passed: the streams are addressed by generation, so the numbers are those of one long run.
"""

from collections.abc import Callable
from functools import lru_cache, partial
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
import xarray as xr
from jaxtyping import Array, Bool, Int

from jaxsim import blocks, line, summary
from jaxsim.random import stream_key
from jaxsim.schedule import require_numbers, schedule
from jaxsim.simulate import Engine, _check, _devices, _precision, _provenance, prepare
from theory.loop import Loop, LoopError
from theory.loop_file import loop_hash
from theory.observable import PASSAGES

FIRST_HORIZON = 64
LONGER = 4


class Walk(NamedTuple):
    """A replicate on its way.

    Attributes:
        model: the state of its model.
        time: fits until it passed, or so far.
        passed: whether it has.
    """

    model: line.State
    time: Int[Array, "*replicates"]
    passed: Bool[Array, "*replicates"]


def first_passage(
    loop: Loop,
    seeds: int,
    *,
    observable: str = "half_life",
    seed: int = 0,
    engine: Engine = "exact",
    max_generations: int = 10**6,
    devices: int | None = None,
) -> xr.Dataset:
    """The first generation g >= 1 at which the variance is at most half the source's.

    Args:
        loop: a Gaussian loop on the line.
        seeds: replicates.
        observable: `half_life`.
        seed: the master seed.
        engine: `exact` or `literal`.
        max_generations: where a replicate that has not passed is given up.
        devices: as in `jaxsim.simulate.simulate`.

    Returns:
        The observable with dimension (statistic,), its attribute `censored` the replicates given up; with
        any censored the moments are nan, because they would be those of another question.

    Raises:
        LoopError: for what cannot be simulated, in one sentence.
    """
    _check(seeds, seed, engine, "replicates", None)
    require_numbers(loop)
    if observable not in PASSAGES:
        raise LoopError("observables", observable, f"first passages are: {', '.join(PASSAGES)}")
    if isinstance(max_generations, bool) or not isinstance(max_generations, int) or max_generations < 1:
        raise LoopError("max_generations", max_generations, "a whole number of at least 1 is needed")
    if not loop.source.is_scalar:
        raise LoopError("source.mean", loop.source.mean, "a half-life is measured on the line only")
    chosen = _devices(devices)
    for horizon in _horizons(loop, max_generations):
        times, passed, precision = _times(loop, horizon, seeds, seed, engine, chosen)
        if passed.all():
            break
    statistics = _statistics(times, passed)
    attributes = _provenance(loop, seeds, seed, engine, precision, chosen)
    return xr.Dataset(
        {observable: (("statistic",), statistics, {"censored": int((~passed).sum())})},
        {"statistic": list(summary.STATISTICS)},
        attributes,
    )


def _horizons(loop: Loop, most: int) -> list[int]:
    """The lengths tried, the last one the longest there may be."""
    if isinstance(loop.data.n, tuple):
        most = min(most, len(loop.data.n))
    lengths = [FIRST_HORIZON]
    while lengths[-1] < most:
        lengths.append(lengths[-1] * LONGER)
    return [min(length, most) for length in lengths]


def _times(
    loop: Loop, horizon: int, seeds: int, seed: int, engine: Engine, devices: tuple[jax.Device, ...]
) -> tuple[np.ndarray, np.ndarray, str]:
    """For each replicate the fits until it passed, or `horizon`, and whether it passed."""
    plan = schedule(loop, horizon)
    precision = _precision(loop, plan, engine)
    with jax.enable_x64(True):  # as in simulate: every array here states its precision
        setting = prepare(loop, plan, engine, np.dtype(precision))
        kernel = _passing(setting.kernel)
        marks = np.array([horizon], np.int32)
        key = stream_key(seed, loop_hash(loop), engine)
        request = blocks.Request(setting.fixed, setting.steps, key, marks, np.int64(seeds))
        capacity = blocks.capacity(kernel, False, request)
        parts = [
            [array[:, 0].reshape(-1)[: counts.sum()] for array in arrays]
            for counts, arrays in blocks.run(kernel, False, request, capacity, devices)
        ]
    times, passed = (np.concatenate(part) for part in zip(*parts, strict=True))
    return times, passed, precision


@lru_cache(maxsize=16)
def _passing(kernel: blocks.Kernel) -> blocks.Kernel:
    """The same loop, each replicate with a clock that stops when it passes."""
    return blocks.Kernel(
        _start, partial(_step, kernel.step), _observe, ("time", "passed"), kernel.block, "replicates"
    )


def _start(fixed: line.Fixed) -> Walk:
    return Walk(line.start(fixed), jnp.int32(0), jnp.bool_(False))


def _step(inner: Callable, fixed: Any, step: Any, key: Any, replicate: Any, walk: Walk) -> Walk:
    model = inner(fixed, step, key, replicate, walk.model)
    low = step.log_variance + model.imag <= -np.log(2.0)
    return Walk(model, walk.time + ~walk.passed, walk.passed | low)


def _observe(name: str, fixed: Any, step: Any, walk: Walk) -> Array:
    return getattr(walk, name)


def _statistics(times: np.ndarray, passed: np.ndarray) -> np.ndarray:
    """Count, mean and the other statistics of a summary; nan where a replicate was given up."""
    if not passed.all():
        return np.array([len(times)] + [np.nan] * (len(summary.STATISTICS) - 1), float)
    mean = times.mean(dtype=float)
    second, third, fourth = (np.mean((times - mean) ** k) for k in (2, 3, 4))
    variance = second * len(times) / max(len(times) - 1, 1)
    return np.array([len(times), mean, variance, third, fourth, np.sqrt(variance / len(times))])
