"""One function of one replicate, run for all of them at once.

On accelerators `vmap`. On a CPU the replicates are spread over the devices by `shard_map` and taken one after
another inside, which beat `vmap` there, and gives a replicate the same bits however many others there are.
XLA on a CPU runs convolutions inside loops many times slower than outside: `unrolled` avoids the loop.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jax.sharding import Mesh, PartitionSpec


def on_cpu() -> bool:
    """Whether JAX computes on a CPU."""
    return jax.default_backend() == "cpu"


def mapped(function: Callable[..., Any], *, unrolled: bool = False) -> Callable[..., Any]:
    """`function`, compiled for pytrees whose arrays have one more leading axis: the replicate.

    Where the devices do not divide the replicates, some are computed twice.

    Args:
        function: of pytrees of arrays of one replicate, to pytrees of arrays.
        unrolled: on a CPU, write the replicates of a device out instead of looping over them.
    """
    compiled: dict[int, Callable[..., Any]] = {}

    def call(*arguments):
        inner = partial(_unrolled if unrolled else _looped, function) if on_cpu() else jax.vmap(function)
        replicates = jax.tree.leaves(arguments)[0].shape[0]
        share = -(-replicates // min(jax.local_device_count(), replicates))
        devices = -(-replicates // share)
        if devices not in compiled:
            mesh = Mesh(np.array(jax.local_devices()[:devices]), ("replicate",))
            spec = PartitionSpec("replicate")
            compiled[devices] = jax.jit(jax.shard_map(inner, mesh=mesh, in_specs=spec, out_specs=spec))
        missing = share * devices - replicates
        if not missing:
            return compiled[devices](*arguments)
        filled = np.append(np.arange(replicates), np.zeros(missing, int))
        padded = jax.tree.map(lambda a: a[filled], arguments)
        return jax.tree.map(lambda a: a[:replicates], compiled[devices](*padded))

    return call


def _looped(function: Callable[..., Any], *arguments: Any) -> Any:
    return jax.lax.map(lambda one: function(*one), arguments)


def _unrolled(function: Callable[..., Any], *arguments: Any) -> Any:
    local = jax.tree.leaves(arguments)[0].shape[0]
    results = [function(*jax.tree.map(lambda a, i=i: a[i], arguments)) for i in range(local)]
    return jax.tree.map(lambda *parts: jnp.stack(parts), *results)
