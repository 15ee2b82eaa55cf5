"""The exact engine: draws the sufficient statistics of each fit, so its cost does not depend on n.

On the line n normal points have a mean that is normal and a sum of squares that is chi-square with
nu = n - 1 degrees of freedom, independent of it (Cochran 1934, doi:10.1017/S0305004100016595). In d
dimensions the scatter matrix is Wishart, A A^T with A lower trapezoidal: normals below the diagonal,
A_jj^2 chi-square with nu - j degrees of freedom, j = 0, 1, ... (Bartlett 1933), for n <= d as well.
"""

from collections.abc import Callable
from functools import cache
from typing import Any

import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Complex, Float, UInt32

from jaxsim.chi_square import deviation
from jaxsim.random import Key, normal_pair, packed, threefry, unpacked
from jaxsim.replace import line, space


def line_ahead(key: Key, replicate: UInt32[Array, ""]) -> Complex[Array, ""]:
    """The words of one generation: one hash."""
    return packed(threefry(key, (replicate, jnp.uint32(0))))


def line_step(
    fixed: line.Fixed, step: line.Step, words: Complex[Array, ""], replicate: Any, state: line.State
) -> line.State:
    """One generation of one replicate: a pair of normals, a fit."""
    del replicate
    z, x = normal_pair(unpacked(words), fixed.turn)
    return line.advance(state, step.log_noise, z, deviation(fixed.rows[step.kind], x))


@cache
def space_ahead(d: int) -> Callable:
    """(key, replicate) -> the words of one generation: d pairs, then what is below the diagonal."""
    pairs = np.arange(d + (d * (d - 1) // 2 + 1) // 2, dtype=np.uint32)

    def ahead(key: Key, replicate: UInt32[Array, ""]) -> Complex[Array, " pairs"]:
        return packed(threefry(key, (replicate, pairs)))

    return ahead


def space_step(
    fixed: space.Fixed, step: space.Step, words: Complex[Array, " pairs"], replicate: Any, state: space.State
) -> space.State:
    """One generation of one replicate: d pairs for mean and pivots, then the normals below the diagonal."""
    del replicate
    d = len(fixed.offset)
    z, x = normal_pair(unpacked(words[:d]), fixed.turn)
    normals = jnp.concatenate(normal_pair(unpacked(words[d:]), fixed.turn))
    return space.advance(step, state, z, deviation(fixed.rows[step.kind], x), _below(normals, d))


def _below(normals: Float[Array, " k"], d: int) -> Float[Array, "d d"]:
    """The first d (d - 1) / 2 of `normals`, row by row below the diagonal; elsewhere anything."""
    row, column = np.indices((d, d))
    place = np.where(column < row, row * (row - 1) // 2 + column, 0)
    return normals[place] if d > 1 else jnp.zeros((1, 1), normals.dtype)
