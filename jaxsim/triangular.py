"""Small dense linear algebra in plain array operations.

XLA hands decompositions on a CPU to LAPACK through a thread pool; with several devices on one pool that was
seen to stall for ever, and its batched triangular solves are slow. What is needed here is little.
"""

import jax.numpy as jnp
from jax import lax
from jaxtyping import Array, Bool, Float

SWEEPS = 40  # a bound; ten suffice
ROWS = 4  # of a product that is written out, in one loop


def trapezoid(scatter: Float[Array, "d d"], alive: Bool[Array, " d"]) -> Float[Array, "d d"]:
    """The lower trapezoidal A with A A^T = scatter: Cholesky, the columns that are not alive being zero."""
    floor = jnp.finfo(scatter.dtype).eps ** 2 * jnp.trace(scatter)
    below = jnp.arange(len(scatter))

    def column(j: Array, carry: tuple[Array, Array]) -> tuple[Array, Array]:
        left, factor = carry
        found = left[:, j] / jnp.sqrt(jnp.maximum(left[j, j], floor))
        found = jnp.where(alive[j] & (below >= j), found, 0)
        return left - found[:, None] * found, factor.at[:, j].set(found)

    return lax.fori_loop(0, len(scatter), column, (scatter, jnp.zeros_like(scatter)))[1]


def lower_product(left: Float[Array, "d d ..."], right: Float[Array, "d d ..."]) -> Float[Array, "d d ..."]:
    """The product of two lower triangular matrices; written out where there are axes behind."""
    if left.ndim == right.ndim == 2:
        return left @ right
    behind = max(left.ndim, right.ndim)
    left, right = (a.reshape(a.shape + (1,) * (behind - a.ndim)) for a in (left, right))
    d, found = len(left), []
    for low in range(0, d, ROWS):
        high = min(low + ROWS, d)
        rows = sum(left[low:high, k, None] * right[k, :high] for k in range(high))
        found.append(jnp.pad(rows, ((0, 0), (0, d - high), *((0, 0),) * (behind - 2))))
    return jnp.concatenate(found)


def solve_unit_lower(matrix: Float[Array, "d d"], right: Float[Array, "d k"]) -> Float[Array, "d k"]:
    """Solve L x = right, L lower triangular with a unit diagonal, by forward substitution."""
    below = jnp.arange(len(matrix))[:, None]

    def column(j: Array, x: Array) -> Array:
        return x - jnp.where(below > j, matrix[:, j][:, None], 0) * x[j]

    return lax.fori_loop(0, len(matrix), column, right)


def solve_lower(matrix: Float[Array, "d d"], right: Float[Array, "d k"]) -> Float[Array, "d k"]:
    """Solve L x = right, L lower triangular."""
    pivots = jnp.diag(matrix)
    return solve_unit_lower(matrix / pivots, right) / pivots[:, None]


def solve_upper(matrix: Float[Array, "d d"], right: Float[Array, "d k"]) -> Float[Array, "d k"]:
    """Solve L^T x = right, L lower triangular: backwards, it is lower triangular."""
    return solve_lower(matrix.T[::-1, ::-1], right[::-1])[::-1]


def solve_factored(matrix: Float[Array, "d d"], right: Float[Array, " d"]) -> Float[Array, " d"]:
    """Solve L L^T x = right, L lower triangular."""
    return solve_upper(matrix, solve_lower(matrix, right[:, None]))[:, 0]


def right_rotation(matrix: Float[Array, "n d"]) -> tuple[Float[Array, " d"], Float[Array, "d d"]]:
    """Singular values S, descending, and V of matrix = U S V^T, by one-sided Jacobi rotations.

    Pairs of columns are made orthogonal, d/2 at a time in a round-robin, until all are. Accurate relative to
    each column's own scale (Demmel and Veselić 1992, doi:10.1137/0613074), which suits collapsed
    covariances; a zero column keeps its axis.
    """
    d = matrix.shape[1]
    odd = d % 2
    # rows: columns of matrix (then of the identity, rotated alike)
    stacked = jnp.concatenate([matrix, jnp.eye(d, dtype=matrix.dtype)]).T
    stacked = jnp.pad(stacked, ((0, odd), (0, 0)))
    tolerance = 4 * jnp.finfo(matrix.dtype).eps

    def rotate(_: Array, carry: tuple[Array, Array]) -> tuple[Array, Array]:
        rows, worst = carry
        top, bottom = jnp.split(rows, 2)
        p, q, r = (
            jnp.sum((a * b)[:, : len(matrix)], axis=1)
            for a, b in ((top, top), (bottom, bottom), (top, bottom))
        )
        size = jnp.sqrt(p) * jnp.sqrt(q)
        cosine = jnp.where(size > 0, jnp.abs(r) / jnp.where(size > 0, size, 1), 0)
        turning = cosine > tolerance
        slope = (q - p) / jnp.where(turning, 2 * r, 1)
        tangent = jnp.sign(slope) / (jnp.abs(slope) + jnp.sqrt(1 + slope * slope))
        tangent = jnp.where(turning, jnp.where(slope == 0, 1, tangent), 0)[:, None]
        c = lax.rsqrt(1 + tangent * tangent)
        s = c * tangent
        top, bottom = c * top - s * bottom, s * top + c * bottom
        # everyone but the first moves on by one chair
        rows = jnp.concatenate([top[:1], bottom[:1], top[1:-1], bottom[1:], top[-1:]])
        return (rows if len(top) > 1 else jnp.concatenate([top, bottom])), jnp.maximum(worst, jnp.max(cosine))

    def sweep(carry: tuple[Array, Array, Array]) -> tuple[Array, Array, Array]:
        rows, _, count = carry
        rows, worst = lax.fori_loop(0, len(stacked) - 1, rotate, (rows, jnp.zeros((), matrix.dtype)))
        return rows, worst, count + 1

    first = (stacked, jnp.ones((), matrix.dtype), jnp.int32(0))
    rows = lax.while_loop(lambda c: (c[1] > tolerance) & (c[2] < SWEEPS), sweep, first)[0][:d]
    values = jnp.sqrt(jnp.sum(rows[:, : len(matrix)] ** 2, axis=1))
    order = jnp.argsort(-values)
    return values[order], rows[order, len(matrix) :].T


def singular_values(matrix: Float[Array, "n d"]) -> Float[Array, " d"]:
    """Singular values, descending."""
    return right_rotation(matrix)[0]
