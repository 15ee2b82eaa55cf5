"""The exact step of `jaxsim.replace.space` for a block of replicates at once, in few dimensions.

Every entry of a matrix is a vector over the replicates, which lie last. Normals are made where they are used,
row by row below the diagonal, and only what is not zero is multiplied. The scales are products,

    e^(h_k - h_j) = prod_(j < l <= k) e^(h_l - h_(l-1)),

so that a matrix takes d exponentials rather than d^2. Random numbers are those of `jaxsim.replace.exact`.
"""

from functools import cache
from typing import Any

import jax.numpy as jnp
import numpy as np
from jax import lax
from jaxtyping import Array, Complex, Float, UInt32

from jaxsim.chi_square import deviation
from jaxsim.random import Key, normal_pair, packed, threefry, unpacked
from jaxsim.replace.space import Fixed, State, Step
from jaxsim.triangular import lower_product

LARGEST = 32  # dimensions; beyond, the code written out is long, and a product of matrices fast by itself

Columns = Float[Array, "d r"]
Matrices = Float[Array, "d d r"]


def block(d: int) -> int:
    """Replicates a block: what a generation touches, some 4 d^2 numbers of each, stays in the cache."""
    fitting = 2**15 // d**2
    return int(np.clip(2 ** (fitting.bit_length() - 1), 16, 512))


@cache
def ahead(d: int) -> Any:
    """(key, replicates) -> the words of one generation: d pairs, then what is below the diagonal."""
    pairs = np.arange(d + (d * (d - 1) // 2 + 1) // 2, dtype=np.uint32)[:, None]

    def words(key: Key, replicates: UInt32[Array, " r"]) -> Complex[Array, "pairs r"]:
        return packed(threefry(key, (replicates, pairs)))

    return words


def step(fixed: Fixed, step: Step, words: Complex[Array, "pairs r"], replicates: Any, state: State) -> State:
    """One generation of all replicates."""
    del replicates
    d = len(fixed.offset)
    row, step = lax.optimization_barrier((fixed.rows[step.kind][:, None], step))
    z, x = normal_pair(unpacked(words[:d]), fixed.turn)
    normals = jnp.concatenate(normal_pair(unpacked(words[d:]), fixed.turn))
    log_pivot = deviation(row, x)
    living, alive = step.living[:, None], step.alive[:, None]
    h = step.before[:, None] + state.deviation / 2
    ratio = jnp.where(living[1:], jnp.exp(h[1:] - h[:-1]), 0)
    # columns that are lost stay as they are; nothing reads them
    reciprocal = jnp.where(alive, jnp.exp(-(step.log_pivot[:, None] + log_pivot) / 2), 0)
    below = _below(*lax.optimization_barrier((normals, ratio, reciprocal)))
    shape = state.shape + lower_product(state.shape, below)
    push = jnp.where(living, jnp.exp(h + step.log_noise) * z, 0)
    u = state.u + sum(state.shape[:, k] * push[k] for k in range(d))
    return State(u, shape, state.deviation + jnp.where(alive, log_pivot, 0))


def _below(normals: Float[Array, "k r"], ratio: Array, reciprocal: Columns) -> Matrices:
    """B_kj = e^(h_k - h_j) A_kj / A_jj below the diagonal, 0 elsewhere.

    Args:
        normals: A below the diagonal, row by row.
        ratio: e^(h_k - h_(k-1)).
        reciprocal: 1 / A_jj.
    """
    zero = jnp.zeros_like(reciprocal)
    scale, pieces = zero[:0], [zero]
    for k in range(1, len(zero)):
        scale = jnp.concatenate([scale, reciprocal[k - 1 : k]]) * ratio[k - 1]
        pieces += [normals[k * (k - 1) // 2 : k * (k + 1) // 2] * scale, zero[k:]]
    return lax.optimization_barrier(jnp.concatenate(pieces)).reshape(len(zero), *zero.shape)
