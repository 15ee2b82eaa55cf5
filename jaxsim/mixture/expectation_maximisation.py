"""Soft EM: a mixture fitted to points by a stated number of iterations, started from the model they are from.

Points lie in pieces, each with a mask: what is drawn in pairs is never put together, and a stored set is one
more piece. On the line a piece is [row, lane]: sums run over rows, lanes beside each other, which a vector
unit does without reordering. Moments are taken about the component's mean before the iteration, so that a
narrow component far from the origin loses no digits.

The densities of a component without variance are those of one with the least positive number as its
variance; the variance that is kept stays what it is.
"""

from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jax import lax
from jaxtyping import Array

from jaxsim.mixture.model import Model, factor, shaped
from jaxsim.triangular import solve_lower


class Piece(NamedTuple):
    """Points [row, lane] on the line, else [point, coordinate], and which of them count (None: all)."""

    points: Any
    kept: Any


class Sums(NamedTuple):
    """Of the responsibilities r_k, times 1, x - mu_k, and its (outer) square."""

    zeroth: Any
    first: Any
    second: Any


def fit(
    pieces: tuple[Piece, ...],
    total: Any,
    model: Model,
    iterations: int,
    covariance: str,
    *,
    floor: float = 0.0,
) -> Model:
    """The model after so many EM steps on `total` points, `floor` being added to every variance fitted."""
    line = model.means.shape[1] == 1
    moments = _line_sums if line else _space_sums

    def iterate(_: Array, model: Model) -> Model:
        sums = None
        for piece in pieces:
            found = moments(piece, model)
            sums = found if sums is None else jax.tree.map(jnp.add, sums, found)
        return _maximised(sums, total, model, covariance, floor)

    return lax.fori_loop(0, iterations, iterate, model)


def _maximised(sums: Sums, total: Any, model: Model, covariance: str, floor: float) -> Model:
    """The M-step."""
    zeroth = sums.zeroth
    alive = zeroth > 0
    safe = jnp.where(alive, zeroth, 1)
    shift = sums.first / safe[:, None]
    matrices = sums.second / safe[:, None, None] - shift[:, :, None] * shift[:, None, :]
    matrices = shaped(matrices, jnp.where(alive, zeroth, 0), covariance)
    d = shift.shape[1]
    if floor:
        matrices = matrices + floor * jnp.eye(d, dtype=matrices.dtype)
    factors = jax.vmap(lambda matrix: factor(matrix, jnp.ones(d, bool)))(matrices)
    return Model(
        zeroth / total,
        model.means + jnp.where(alive[:, None], shift, 0),
        jnp.where(alive[:, None, None], factors, 0),
    )


def _line_sums(piece: Piece, model: Model) -> Sums:
    x = piece.points
    dtype = x.dtype
    count = len(model.weights)
    least = jnp.finfo(dtype).tiny
    spread = jnp.maximum(model.factors[:, 0, 0] ** 2, least)
    height = jnp.log(model.weights) - jnp.log(spread) / 2
    slope = 0.5 / spread
    gaps = [x - model.means[k, 0] for k in range(count)]
    bound = jnp.finfo(dtype).max / 4
    logs = [height[k] - jnp.minimum(gaps[k] * gaps[k] * slope[k], bound) for k in range(count)]
    shares = _shares(logs, dtype)
    if piece.kept is not None:
        shares = [share * piece.kept for share in shares]
    add = lambda values: jnp.stack([jnp.sum(jnp.sum(v, axis=0)) for v in values])  # noqa: E731
    first = [share * gap for share, gap in zip(shares, gaps, strict=True)]
    second = [f * gap for f, gap in zip(first, gaps, strict=True)]
    return Sums(add(shares), add(first)[:, None], add(second)[:, None, None])


def _shares(logs: list[Array], dtype: Any) -> list[Array]:
    """Responsibilities from log densities: a logistic function of two, a softmax of more."""
    if len(logs) == 1:
        return [jnp.ones_like(logs[0])]
    # a share below the root of the least positive number is 0: neither it nor its moments lose digits
    least = float(np.log(jnp.finfo(dtype).tiny) / 2)
    if len(logs) == 2:
        gap = logs[1] - logs[0]
        odds = jnp.exp(jnp.clip(gap, least, -least))
        share = 1 / (1 + odds)
        first, second = jnp.where(gap < -least, share, 0), jnp.where(gap > least, odds * share, 0)
        return [first, second]
    top = logs[0]
    for log in logs[1:]:
        top = jnp.maximum(top, log)
    odds = [jnp.where(log - top > least, jnp.exp(log - top), 0) for log in logs]
    total = odds[0]
    for part in odds[1:]:
        total = total + part
    inverse = 1 / total
    return [part * inverse for part in odds]


def _space_sums(piece: Piece, model: Model) -> Sums:
    x = piece.points
    d = x.shape[1]
    least = jnp.finfo(x.dtype).tiny ** 0.5
    gap = x - model.means[:, None, :]  # [component, point, coordinate]
    pivots = jnp.maximum(jnp.diagonal(model.factors, axis1=1, axis2=2), least)
    solid = model.factors * (1 - jnp.eye(d, dtype=x.dtype)) + pivots[:, :, None] * jnp.eye(d, dtype=x.dtype)
    white = jax.vmap(lambda lower, right: solve_lower(lower, right.T))(solid, gap)
    square = jnp.minimum(jnp.sum(white**2, axis=1) / 2, jnp.finfo(x.dtype).max / 4)
    logs = (jnp.log(model.weights) - jnp.sum(jnp.log(pivots), axis=1))[:, None] - square
    shares = jnp.stack(_shares(list(logs), x.dtype))
    if piece.kept is not None:
        shares = shares * piece.kept
    return Sums(
        jnp.sum(shares, axis=1),
        jnp.einsum("kn,kni->ki", shares, gap),
        jnp.einsum("kn,kni,knj->kij", shares, gap, gap),
    )
