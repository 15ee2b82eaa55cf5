"""The exact engine: draws the sufficient statistics of each fit, so its cost does not depend on n.

On the line n normal points have a mean that is normal and a sum of squares that is chi-square with
nu = n - 1 degrees of freedom, independent of it (Cochran 1934, doi:10.1017/S0305004100016595).
"""

from __future__ import annotations

import jax.numpy as jnp
from jaxtyping import Array, UInt32

from jaxsim import line
from jaxsim.chi_square import deviation
from jaxsim.random import Key, normal_pair, threefry


def line_step(
    fixed: line.Fixed, step: line.Step, key: Key, replicate: UInt32[Array, ""], state: line.State
) -> line.State:
    """One generation of one replicate: one hash, a pair of normals, a fit."""
    z, x = normal_pair(threefry(key, (replicate, jnp.uint32(0))), fixed.turn)
    return line.advance(state, step.log_noise, z, deviation(fixed.rows[step.kind], x))
