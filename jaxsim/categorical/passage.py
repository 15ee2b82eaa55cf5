"""First passages of categories: `first_loss_time`, when one is lost; `collapse_time`, when one alone is left.

Under any data policy whose kernel does not grow with the generations; `jaxsim.passage` walks with it.
"""

from collections.abc import Callable
from functools import lru_cache
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jax import lax
from jax.sharding import PartitionSpec as P

from jaxsim import blocks
from jaxsim.random import generation_key, stream_key
from jaxsim.setting import Engine, Precision, prepared
from theory.loop import Loop, LoopError, require_numbers
from theory.loop_file import loop_hash
from theory.observable import passages

STRETCH = 1024  # generations between two looks at who is still under way


def _most_left(loop: Loop, observable: str) -> float:
    """With so many categories, or fewer, a replicate has passed."""
    if observable == "collapse_time":
        return 1.0
    model = loop.first_model
    return float(np.count_nonzero(getattr(model, "rates", None) or model.shares) - 1)


class Walk:
    """A loop made ready for stretches of generations; called with a range of replicates.

    Raises:
        LoopError: for a passage that does not exist, or a loop the engine cannot serve.
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
        self.loop, self.engine, self.limit = loop, engine, limit
        self.most_left = np.float64(_most_left(loop, observable))
        self.precision: Precision = precision or "float64"
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
            while done < self.limit and bool(np.any(np.asarray(times) == 0)):
                kernel, fixed, steps, length = self.stretch(done)
                arguments = (fixed, steps, self.key, np.int32(done), np.int32(length), self.most_left)
                state, times = _program(kernel, devices)(arguments, numbers.astype(np.uint32), state, times)
                done += length
        return np.asarray(times).reshape(-1)[:count]


@lru_cache(maxsize=16)
def _program(kernel: blocks.Kernel, devices: tuple[jax.Device, ...]) -> Callable:
    """The compiled walk of a stretch: (arguments, block numbers, states, times) -> (states, times)."""

    def walk(arguments: Any, block: Any, state: Any, times: Any) -> tuple[Any, Any]:
        fixed, steps, key, done, length, most_left = arguments
        replicates = block * np.uint32(kernel.block) + jnp.arange(kernel.block, dtype=jnp.uint32)

        def move(carry: tuple[Any, Any, Any]) -> tuple[Any, Any, Any]:
            k, state, times = carry
            hashed = generation_key(key, (done + k + 1).astype(jnp.uint32))
            step = jax.tree.map(lambda leaf: leaf[k], steps)
            state = jax.vmap(lambda i, s: kernel.step(fixed, step, hashed, i, s))(replicates, state)
            left = jax.vmap(lambda s: kernel.observe("support", fixed, step, s))(state)
            return k + 1, state, jnp.where((times == 0) & (left <= most_left), done + k + 1, times)

        wanted = lambda carry: (carry[0] < length) & jnp.any(carry[2] == 0)  # noqa: E731
        _, state, times = lax.while_loop(wanted, move, (jnp.int32(0), state, times))
        return state, times

    def local(arguments: Any, numbers: Any, state: Any, times: Any) -> tuple[Any, Any]:
        return lax.map(lambda each: walk(arguments, *each), (numbers, state, times))

    mesh = jax.make_mesh((len(devices),), ("device",), (jax.sharding.AxisType.Auto,), devices=devices)
    split = P("device")
    inputs = (P(), split, split, split)
    return jax.jit(jax.shard_map(local, mesh=mesh, in_specs=inputs, out_specs=split, check_vma=False))
