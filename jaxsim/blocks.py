"""Replicates in blocks of a fixed size: scanned over generations, looped over blocks, spread over devices.

XLA compiles another program, with other last bits, for another local shape, and for a mesh of several devices
(partitioning reorders instructions, and fusion with them). So a block's shape never changes, and every device
runs a program of its own that knows of no other: the numbers are the same for any number of devices, of
replicates, and for any split into calls. Generations are padded to the next rung of a ladder, so that one
program serves many lengths. Reductions over blocks happen on the host, in block order (`jaxsim.summary`).
"""

from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from functools import lru_cache
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jax import lax

from jaxsim import summary
from jaxsim.random import generation_key

CALL_BYTES = 2**25  # what one device hands back in one call, at most
CALL_BLOCKS = 16
OPTIONS = {"cpu": {"xla_cpu_prefer_vector_width": 512}}  # XLA's own choice is 256 bits where there are 512
WORTH = 2**23  # replicates times generations that are worth compiling for another device


class Kernel(NamedTuple):
    """What one replicate does; hashable, so that equal kernels share a compiled program.

    Attributes:
        start: (fixed) -> state, model 0.
        step: (fixed, step, key, replicate, state) -> state, one generation.
        observe: (name, fixed, step, state) -> value.
        names: what is observed.
        axes: the trailing shape of each.
        block: replicates in a block.
        keep: "summary", "replicates" or "histogram".
        bins: for a histogram, the number of edges for each name.
        ahead: (key, replicate) -> random words of one generation, which `step` then takes in the key's place.
            They are made a generation before they are used: XLA would hash in the same loop that uses them,
            or in several, and a hash is a chain of operations that only a loop of its own can interleave.
        draw: (fixed, step, words) -> what `step` takes instead of the words, made a generation ahead for the
            same reason: what several loops read would be computed again in each of them.
        together: whether `step`, `observe`, `ahead` and `draw` are functions of all replicates of a block,
            which lie on the last axis of what they take and give; else they are functions of one.
        cost: of a generation of a replicate, in those of a loop on the line.
    """

    start: Callable
    step: Callable
    observe: Callable
    names: tuple[str, ...]
    axes: tuple[tuple[int, ...], ...]
    block: int
    keep: str
    bins: tuple[int, ...] = ()
    ahead: Callable | None = None
    draw: Callable | None = None
    together: bool = False
    cost: int = 1

    def each(self, function: Callable) -> Callable:
        """A function of one replicate as one of a block."""
        return function if self.together else jax.vmap(function)

    def words(self, key: Any, replicate: Any) -> Any:
        """The random words of a generation, or its key."""
        return key if self.ahead is None else self.ahead(key, replicate)

    def shapes(self, generations: int) -> list[tuple[int, ...]]:
        """What one block hands back, per observable."""
        depth = {"summary": summary.PARTIALS, "replicates": self.block}.get(self.keep)
        depths = self.bins if depth is None else (depth,) * len(self.axes)
        return [(generations, depth, *axes) for depth, axes in zip(depths, self.axes, strict=True)]


class Request(NamedTuple):
    """The arguments of a run, all arrays.

    Attributes:
        fixed: what does not depend on the generation.
        steps: per-generation parameters, [generation] in front.
        key: the stream's key.
        marks: generations observed, increasing.
        seeds: replicates in all.
        levels: for a histogram, the edges of each name [mark, edge, ...], in float64.
    """

    fixed: Any
    steps: Any
    key: Any
    marks: Any
    seeds: Any
    levels: Any = ()


def _at(steps: Any, generation: Any) -> Any:
    return jax.tree.map(lambda leaf: leaf[generation - 1], steps)


def _block(kernel: Kernel, request: Request, block: Any) -> tuple[Any, ...]:
    """All requested generations of one block: per observable [generation, 6 or block, ...]."""
    replicates = block * np.uint32(kernel.block) + jnp.arange(kernel.block, dtype=jnp.uint32)
    kept = replicates < request.seeds

    # of all generations at once: within the loop each would be hashed again beside every replicate
    last = len(jax.tree.leaves(request.steps)[0])
    keys = generation_key(request.key, jnp.arange(last + 3, dtype=jnp.uint32))

    def words(generation: Any) -> Any:
        key = keys[0][generation], keys[1][generation]
        return key if kernel.ahead is None else kernel.each(lambda i: kernel.ahead(key, i))(replicates)

    def queue(generation: Any, hashed: Any = None) -> tuple[Any, ...]:
        """What is made before `generation`: what its step takes, and the words of the next one."""
        if kernel.draw is None:
            return (words(generation),)
        step = _at(request.steps, generation)
        draw = kernel.each(lambda w: kernel.draw(request.fixed, step, w))
        return draw(words(generation) if hashed is None else hashed), words(generation + 1)

    def move(generation: Any, carry: Any) -> Any:
        step = _at(request.steps, generation)
        if kernel.ahead is None:
            key = words(generation)
            return kernel.each(lambda i, s: kernel.step(request.fixed, step, key, i, s))(replicates, carry)
        state, drawn, *later = carry
        advance = kernel.each(lambda w, i, s: kernel.step(request.fixed, step, w, i, s))
        return advance(drawn, replicates, state), *queue(generation + 1, *later)

    def look(generation: Any, state: Any) -> tuple[Any, ...]:
        step = _at(request.steps, generation)
        seen = (
            kernel.each(lambda s, n=n: kernel.observe(n, request.fixed, step, s))(state) for n in kernel.names
        )
        if kernel.together:
            seen = (jnp.moveaxis(y, -1, 0) for y in seen)
        if kernel.keep == "histogram":
            mark = jnp.searchsorted(request.marks, generation)
            return tuple(_below(y, kept, edges[mark]) for y, edges in zip(seen, request.levels, strict=True))
        return tuple(summary.partial(y, kept) if kernel.keep == "summary" else y for y in seen)

    def stretch(carry: tuple[Any, Any], mark: Any) -> tuple[Any, Any]:
        generation, moved = carry
        # a loop of its own, if only of one step: what is observed, and when, then changes no bit of the state
        moved = lax.fori_loop(generation + 1, mark + 1, move, moved)
        return (mark, moved), look(mark, moved if kernel.ahead is None else moved[0])

    first = jax.tree.map(
        lambda leaf: jnp.broadcast_to(leaf, (kernel.block, *leaf.shape)), kernel.start(request.fixed)
    )
    if kernel.together:
        first = jax.tree.map(lambda leaf: jnp.moveaxis(leaf, 0, -1), first)
    begin = first if kernel.ahead is None else (first, *queue(jnp.int32(1)))
    return lax.scan(stretch, (jnp.int32(0), begin), request.marks)[1]


def _below(values: Any, kept: Any, edges: Any) -> Any:
    """How many of the kept values [block, ...] lie below each edge [edge, ...], as a number of their kind."""
    kept = kept.reshape(1, -1, *(1 for _ in values.shape[1:]))
    below = (values[None] < edges.astype(values.dtype)[:, None]) & kept
    return jnp.sum(below, axis=1, dtype=values.dtype)


def rung(length: int) -> int:
    """The least of 2, 3, 4, 6, 8, 12, 16, ... that is not below `length`."""
    power = 1 << max(length - 1, 1).bit_length()
    return 3 * power // 4 if power > 2 and length <= 3 * power // 4 else power


def padded(request: Request) -> Request:
    """A request whose generations and marks are as many as a rung says, the last ones repeated."""

    def longer(array: Any) -> Any:
        array = np.asarray(array)
        return np.concatenate([array, np.repeat(array[-1:], rung(len(array)) - len(array), axis=0)])

    return request._replace(
        steps=jax.tree.map(longer, request.steps),
        marks=longer(request.marks),
        levels=jax.tree.map(longer, request.levels),
    )


@lru_cache(maxsize=64)
def program(kernel: Kernel, capacity: int) -> Callable:
    """The compiled run of up to `capacity` blocks, on the device its arguments lie on.

    It takes (request, first block, blocks wanted) and returns per observable [capacity, generation, ...];
    rows beyond the wanted are zero. One compilation a device serves all seeds, keys, sample sizes and numbers
    of blocks.
    """

    def local(request: Request, first: Any, wanted: Any) -> tuple[Any, ...]:
        shapes = kernel.shapes(len(request.marks))
        empty = tuple(jnp.zeros((capacity, *shape), request.fixed.turn.dtype) for shape in shapes)

        def one(k: Any, filled: Any) -> Any:
            fresh = _block(kernel, request, first + k.astype(jnp.uint32))
            return jax.tree.map(lambda all_, new: all_.at[k].set(new), filled, fresh)

        return lax.fori_loop(0, wanted, one, empty)

    return jax.jit(local, compiler_options=OPTIONS.get(jax.default_backend()))


def run(
    kernel: Kernel,
    request: Request,
    capacity: int,
    devices: tuple[jax.Device, ...],
    start: int = 0,
) -> Iterator[tuple[np.ndarray, tuple[np.ndarray, ...]]]:
    """Call by call, in block order: (replicates of each block, per observable [block, generation, ...]).

    The first block is number `start`, the last the one that holds replicate `seeds` - 1. A run too small to
    be worth another compilation takes fewer devices than it is offered.
    """
    seeds, marks = int(request.seeds), len(request.marks)
    blocks = -(-seeds // kernel.block)
    work = (blocks - start) * kernel.block * int(request.marks[-1]) * kernel.cost
    devices = devices[: max(1, min(blocks - start, work // WORTH + 1))]
    compiled, request = program(kernel, capacity), padded(request)
    with jax.enable_x64(True):
        local = [jax.device_put(request, device) for device in devices]

    def call(place: int, first: int, share: int) -> tuple[np.ndarray, ...]:
        with jax.enable_x64(True):  # which holds for one thread
            numbers = jax.device_put((np.uint32(first), np.int32(share)), devices[place])
            return tuple(np.asarray(array)[:share, :marks] for array in compiled(local[place], *numbers))

    with ThreadPoolExecutor(len(devices)) as pool:
        for begin in range(start, blocks, capacity * len(devices)):
            shares = _shares(min(blocks - begin, capacity * len(devices)), len(devices))
            first = begin + np.cumsum([0, *shares[:-1]])
            wanted = [(place, *pair) for place, pair in enumerate(zip(first, shares, strict=True)) if pair[1]]
            parts = list(pool.map(lambda each: call(*each), wanted))
            counts = np.minimum(kernel.block, seeds - (begin + np.arange(sum(shares))) * kernel.block)
            yield counts, tuple(np.concatenate(columns) for columns in zip(*parts, strict=True))


def _shares(blocks: int, devices: int) -> list[int]:
    return [blocks // devices + (d < blocks % devices) for d in range(devices)]


def capacity(kernel: Kernel, request: Request) -> int:
    """Blocks a device takes in one call, so that what comes back stays below `CALL_BYTES`."""
    numbers = sum(int(np.prod(shape)) for shape in kernel.shapes(rung(len(request.marks))))
    return int(np.clip(CALL_BYTES // max(numbers * request.fixed.turn.dtype.itemsize, 1), 1, CALL_BLOCKS))
