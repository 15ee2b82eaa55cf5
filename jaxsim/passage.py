"""First passages: the generation at which each replicate first does something, run until all have done it."""

from collections.abc import Callable, Iterator, Sequence
from functools import lru_cache
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import xarray as xr
from jax import lax
from jax.sharding import PartitionSpec as P

from jaxsim import blocks, summary
from jaxsim.prepare import prepared
from jaxsim.random import generation_key, stream_key
from jaxsim.schedule import gaussians, require_gaussian_numbers
from jaxsim.setting import Engine, Precision, chosen_devices, provenance, require_sound
from jaxsim.summary import Summary, Tally
from theory.discrete_source import Categorical, Poisson
from theory.loop import Loop, LoopError, Replace, require_numbers
from theory.loop_file import loop_hash
from theory.observable import passages

HALF = -np.log(2.0)
STRETCH = 1024  # generations between two looks at who is still under way
BATCH = 64  # blocks a device walks at once: what memory holds


def first_passage(
    loop: Loop,
    seeds: int,
    *,
    observable: str = "half_life",
    seed: int = 0,
    engine: Engine = "exact",
    max_generations: int = 10**6,
    devices: int | Sequence[jax.Device] | None = None,
    progress: Callable[[int, int], None] | None = None,
    precision: Precision | None = None,
) -> xr.Dataset:
    """The first generation at which something has happened, replicate by replicate.

    `half_life`: the variance is at most half the source's. `first_loss_time`: there are fewer categories than
    model 0 has; `collapse_time`: there is at most one.

    Runs until every replicate has passed, or `max_generations`; replicates draw what they draw in `simulate`.

    Args:
        loop: a Gaussian loop on the line under replacement, or a categorical or Poisson one.
        seeds: replicates.
        observable: the name of a passage.
        seed: the master seed.
        engine: `exact` or `literal`.
        max_generations: where to stop; who has not passed by then is censored.
        devices: how many local devices, or which; None takes all.
        progress: called with (replicates done, replicates in all).
        precision: as in `jaxsim.simulate.simulate`.

    Returns:
        The observable, [statistic], its attribute `censored` the replicates that did not pass; with any of
        them every statistic but the count is nan.

    Raises:
        LoopError: for a request or a loop that cannot be served, in one sentence.
    """
    require_sound(seeds, seed, engine, "summary", precision)
    if isinstance(max_generations, bool) or not isinstance(max_generations, int) or max_generations < 1:
        raise LoopError("max_generations", max_generations, "a whole number of at least 1 is needed")
    devices = chosen_devices(devices)
    walk = Walk(loop, observable, engine, seed, max_generations, precision)
    total, censored, stretch = Tally(), 0, BATCH * len(devices) * walk.block
    for begin in range(0, seeds, stretch):
        times = walk(begin, min(seeds - begin, stretch), devices)
        censored += int((times == 0).sum())
        for part in in_blocks(times, walk.block):
            total.add(part)
        if progress is not None:
            progress(begin + len(times), seeds)
    return xr.Dataset(
        {observable: ("statistic", statistics(total.sum(), censored), {"censored": censored})},
        {"statistic": list(summary.STATISTICS)},
        provenance(loop, seeds, seed, engine, walk.precision, devices) | {"max_generations": max_generations},
    )


def in_blocks(times: np.ndarray, block: int) -> Iterator[Summary]:
    """The summary of each block's times, the censored left out; added by `jaxsim.summary.Tally` in order."""
    for begin in range(0, len(times), block):
        part = times[begin : begin + block]
        yield summary.of(part[part > 0].astype(float))


def statistics(total: Summary, censored: int | np.ndarray) -> np.ndarray:
    """The rows of `jaxsim.summary.STATISTICS`; with any replicate censored all but the count are nan."""
    found = total.statistics()
    found[0] += censored
    found[1:] = np.where(np.asarray(censored) > 0, np.nan, found[1:])
    return found


class Walk:
    """A loop made ready for stretches of generations; called with a range of replicates.

    Raises:
        LoopError: for a passage that does not exist, or is not simulated.
    """

    def __init__(
        self,
        loop: Loop,
        observable: str,
        engine: Engine,
        seed: int,
        limit: int,
        precision: Precision | None = None,
    ):
        require_numbers(loop)
        if observable not in passages(loop):
            known = ", ".join(passages(loop)) or "none"
            raise LoopError("observables", observable, f"first passages here: {known}")
        self.passed, self.threshold = _passed(loop, observable)
        self.loop, self.engine, self.limit = loop, engine, limit
        with jax.enable_x64(True):
            self.precision = prepared(loop, 1, engine, precision)[1]
        self.key = stream_key(seed, loop_hash(loop), engine)
        self.stretches: dict[int, tuple[blocks.Kernel, Any, Any, int]] = {}
        self.block = self.stretch(0)[0].block

    def stretch(self, done: int) -> tuple[blocks.Kernel, Any, Any, int]:
        """(kernel, fixed, steps, length) of the generations after `done`, `steps` padded to `STRETCH`."""
        if done not in self.stretches:
            end = min(done + STRETCH, self.limit)
            sizes = getattr(self.loop.data, "n", None)
            if isinstance(sizes, tuple):
                end = min(end, max(len(sizes), done + 1))  # perhaps nobody needs what is after the list's end
            with jax.enable_x64(True):
                setting, _ = prepared(self.loop, end, self.engine, self.precision)
            if done and setting.kernel != self.stretches[0][0]:
                raise LoopError(
                    "data.policy", self.loop.data.policy, "what it keeps grows: take the exact engine"
                )
            pad = STRETCH - (end - done)
            steps = jax.tree.map(
                lambda leaf: np.pad(leaf[done:], [(0, pad)] + [(0, 0)] * (leaf.ndim - 1), "edge"),
                setting.steps,
            )
            self.stretches[done] = (setting.kernel, setting.fixed, steps, end - done)
        return self.stretches[done]

    def __call__(self, begin: int, count: int, devices: tuple[jax.Device, ...]) -> np.ndarray:
        """Passage times of replicates begin, ..., begin + count - 1; 0 for the censored."""
        share = -(-count // (self.block * len(devices)))
        numbers = begin // self.block + np.arange(share * len(devices))
        times = np.zeros((len(numbers), self.block), np.int32)
        times.reshape(-1)[count:] = -1  # none of the replicates asked for
        kernel, fixed, _, _ = self.stretch(0)
        done = 0
        with jax.enable_x64(True):
            first = kernel.start(jax.tree.map(jnp.asarray, fixed))
            state = jax.tree.map(lambda leaf: jnp.broadcast_to(leaf, (*times.shape, *leaf.shape)), first)
            if kernel.together:
                state = jax.tree.map(lambda leaf: jnp.moveaxis(leaf, 1, -1), state)
            while done < self.limit and bool(np.any(np.asarray(times) == 0)):
                kernel, fixed, steps, length = self.stretch(done)
                arguments = (fixed, steps, self.key, np.int32(done), np.int32(length), self.threshold)
                program = _program(kernel, self.passed, devices)
                state, times = program(arguments, numbers.astype(np.uint32), state, times)
                done += length
        return np.asarray(times).reshape(-1)[:count]


def _passed(loop: Loop, observable: str) -> tuple[Callable, np.float64]:
    """Whether a state has passed, (kernel, fixed, step, state, threshold) -> bool, and the threshold.

    Raises:
        LoopError: for a loop whose first passages are not simulated.
    """
    if isinstance(loop.source, Categorical | Poisson):
        if observable == "collapse_time":
            return _few_left, np.float64(1)
        model: Any = loop.first_model
        return _few_left, np.float64(np.count_nonzero(getattr(model, "rates", None) or model.shares) - 1)
    require_gaussian_numbers(loop)
    if not isinstance(loop.data, Replace):
        raise LoopError("data.policy", loop.data.policy, "first passages are simulated under replace alone")
    if not gaussians(loop)[0].is_scalar:
        raise LoopError("source.mean", gaussians(loop)[0].mean, "a first passage is for a source on the line")
    return _halved, np.float64(HALF)


def _few_left(kernel: blocks.Kernel, fixed: Any, step: Any, state: Any, threshold: Any) -> Any:
    return kernel.observe("support", fixed, step, state) <= threshold


def _halved(kernel: blocks.Kernel, fixed: Any, step: Any, state: Any, threshold: Any) -> Any:
    deviation = kernel.observe("log_variance", fixed, step, state)
    return deviation + step.log_variance <= threshold


@lru_cache(maxsize=16)
def _program(kernel: blocks.Kernel, is_past: Callable, devices: tuple[jax.Device, ...]) -> Callable:
    """The compiled walk of a stretch: (arguments, block numbers, states, times) -> (states, times)."""

    def walk(arguments: Any, block: Any, state: Any, times: Any) -> tuple[Any, Any]:
        fixed, steps, key, done, length, threshold = arguments
        replicates = block * np.uint32(kernel.block) + jnp.arange(kernel.block, dtype=jnp.uint32)

        def words(k: Any) -> Any:
            hashed = generation_key(key, (done + k + 1).astype(jnp.uint32))
            return (
                hashed if kernel.ahead is None else kernel.each(lambda i: kernel.ahead(hashed, i))(replicates)
            )

        def move(carry: tuple[Any, ...]) -> tuple[Any, ...]:
            k, state, drawn, times = carry
            # the state that came in is looked at: it lies in memory
            times = passed(k, state, times)
            step = jax.tree.map(lambda leaf: leaf[k], steps)
            if kernel.ahead is None:
                moved = kernel.each(lambda i, s: kernel.step(fixed, step, drawn, i, s))(replicates, state)
            else:
                advance = kernel.each(lambda w, i, s: kernel.step(fixed, step, w, i, s))
                moved = advance(drawn, replicates, state)
            return k + 1, moved, words(k + 1), times

        def passed(k: Any, state: Any, times: Any) -> Any:
            step = jax.tree.map(lambda leaf: leaf[jnp.maximum(k - 1, 0)], steps)
            past = kernel.each(lambda s: is_past(kernel, fixed, step, s, threshold))(state)
            return jnp.where((k > 0) & (times == 0) & past, done + k, times)

        wanted = lambda carry: (carry[0] < length) & jnp.any(carry[-1] == 0)  # noqa: E731
        begin = jnp.int32(0), state, words(jnp.int32(0)), times
        k, state, _, times = lax.while_loop(wanted, move, begin)
        return state, passed(k, state, times)

    def local(arguments: Any, numbers: Any, state: Any, times: Any) -> tuple[Any, Any]:
        return lax.map(lambda each: walk(arguments, *each), (numbers, state, times))

    mesh = jax.make_mesh((len(devices),), ("device",), (jax.sharding.AxisType.Auto,), devices=devices)
    split = P("device")
    inputs = (P(), split, split, split)
    return jax.jit(jax.shard_map(local, mesh=mesh, in_specs=inputs, out_specs=split, check_vma=False))
