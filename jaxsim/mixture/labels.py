"""Hard labels: every point knows its component, and a fit takes each component's own points.

Of every component its number of points, their mean and their scatter are enough, so what is drawn is reduced
to these and added. The literal engine draws every point, in coordinates in which its component is standard
normal. The exact one draws multinomial counts, and then for a component of N points a normal mean and a
Wishart scatter with N - 1 degrees of freedom (Bartlett 1933; on the line a chi-square): the same law.
"""

from collections.abc import Callable
from functools import lru_cache
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
from jax import lax
from jaxtyping import Array

from jaxsim.chi_square import deviation
from jaxsim.mixture.menu import Menu, Slots
from jaxsim.mixture.model import Model, factor, shaped
from jaxsim.multinomial import halved
from jaxsim.random import Key, normal_pair, threefry

ROWS = 64  # points drawn at a time
ELSEWHERE = 2**32 - 1  # a counter that no draw has


class Tally(NamedTuple):
    """Points of each component.

    Attributes:
        count: [component].
        mean: [component, coordinate].
        scatter: about that mean, [component, coordinate, coordinate].
    """

    count: Any
    mean: Any
    scatter: Any


class State(NamedTuple):
    """The model, the pool, and the fixed real set."""

    model: Model
    pool: Tally
    anchor: Tally


class Fixed(NamedTuple):
    """What does not depend on the generation.

    Attributes:
        source, first: models; factors in the place of covariances.
        whole: the factor of the source's total covariance.
        turn: 2^32, in the precision of the run.
        rows: polynomials of log chi-square with 1, 2, ... degrees of freedom; empty for the literal engine.
        centre: what they are added to.
    """

    source: Model
    first: Model
    whole: Any
    turn: Any
    rows: Any
    centre: Any


def start(fixed: Fixed) -> State:
    """Generation 0."""
    nothing = empty(fixed.source)
    return State(Model(*map(jnp.asarray, fixed.first)), nothing, nothing)


def empty(model: Model) -> Tally:
    """No points."""
    return Tally(*(jnp.zeros_like(jnp.asarray(part)) for part in model))


def merged(a: Tally, b: Tally) -> Tally:
    """Both (Chan, Golub and LeVeque 1979)."""
    count = a.count + b.count
    share = b.count / jnp.maximum(count, 1)
    gap = b.mean - a.mean
    between = gap[:, :, None] * gap[:, None, :]
    return Tally(
        count,
        jnp.where(a.count[:, None] > 0, a.mean + share[:, None] * gap, b.mean),
        a.scatter + b.scatter + (a.count * share)[:, None, None] * between,
    )


@lru_cache(maxsize=64)
def stepper(slots: Slots, engine: str, covariance: str, unbiased: bool) -> Callable:
    """(fixed, step, key, replicate, state) -> state: one generation of one replicate."""
    drawn = _exact if engine == "exact" else _literal

    def step(fixed: Fixed, step: Menu, key: Key, replicate: Any, state: State) -> State:
        def draw(place: int, count: Any, model: Model, scale: Any) -> Tally:
            own = threefry(key, (jnp.uint32(place), jnp.uint32(ELSEWHERE)))
            stretched = model._replace(factors=jnp.sqrt(scale) * model.factors)
            return drawn(fixed, own, replicate, count, stretched)

        pool, anchor = state.pool, state.anchor
        if slots.anchor:
            anchor = merged(anchor, draw(0, step.anchor, fixed.source, step.real_factor))
        if slots.pool_real:
            pool = merged(pool, draw(1, step.pool_real, fixed.source, step.real_factor))
        if slots.pool_model:
            pool = merged(pool, draw(2, step.pool_model, state.model, step.model_factor))
        eaten = merged(pool, anchor) if slots.anchor else pool
        if slots.real:
            eaten = merged(eaten, draw(3, step.real, fixed.source, step.real_factor))
        if slots.model and slots.mixed:
            both = _either(fixed, step, state.model)
            real, generated = _parted(draw(4, step.model, both, jnp.ones_like(step.share)))
            eaten = merged(merged(eaten, real), generated)
        elif slots.model:
            eaten = merged(eaten, draw(4, step.model, state.model, step.model_factor))
        return State(fitted(eaten, state.model, covariance, unbiased), pool, anchor)

    return step


def _either(fixed: Fixed, step: Menu, model: Model) -> Model:
    """The source with probability `share`, else the model, as one mixture."""
    source = fixed.source
    return Model(
        jnp.concatenate([step.share * source.weights, (1 - step.share) * model.weights]),
        jnp.concatenate([source.means, model.means]),
        jnp.concatenate(
            [jnp.sqrt(step.real_factor) * source.factors, jnp.sqrt(step.model_factor) * model.factors]
        ),
    )


def _parted(tally: Tally) -> tuple[Tally, Tally]:
    half = len(tally.count) // 2
    return Tally(*(part[:half] for part in tally)), Tally(*(part[half:] for part in tally))


def fitted(tally: Tally, before: Model, covariance: str, unbiased: bool) -> Model:
    """The model of a tally.

    A component without points is dead; of one with a single point the variance is 0, or for the unbiased fit
    that of the model `before`.
    """
    count = tally.count
    d = tally.mean.shape[1]
    if covariance == "tied":
        groups = jnp.sum(count > 0) if unbiased else 0
        pooled = jnp.sum(tally.scatter, axis=0) / jnp.maximum(jnp.sum(count) - groups, 1)
        matrices = jnp.broadcast_to(pooled, tally.scatter.shape)
        degrees = jnp.broadcast_to(jnp.sum(count) - jnp.sum(count > 0), count.shape)
    else:
        divisor = jnp.maximum(count - 1 if unbiased else count, 1)
        matrices = shaped(tally.scatter / divisor[:, None, None], count, covariance)
        degrees = count - 1
    full = covariance in ("full", "tied")
    known = jnp.where(full, degrees[:, None] > jnp.arange(d), degrees[:, None] > 0)
    factors = jax.vmap(factor)(matrices, known)
    if unbiased and covariance != "tied":
        factors = jnp.where((count == 1)[:, None, None], before.factors, factors)
    alive = count > 0
    return Model(
        count / jnp.maximum(jnp.sum(count), 1),
        jnp.where(alive[:, None], tally.mean, before.means),
        jnp.where(alive[:, None, None], factors, 0),
    )


def _placed(model: Model, count: Array, mean: Array, scatter: Array) -> Tally:
    """A tally in the model's coordinates, from one in those in which its components are standard normal."""
    centre = model.means + jnp.einsum("kij,kj->ki", model.factors, mean)
    moved = jnp.einsum("kil,klm,kjm->kij", model.factors, scatter, model.factors)
    return Tally(count, jnp.where(count[:, None] > 0, centre, model.means), moved)


def _literal(fixed: Fixed, key: Key, replicate: Any, count: Any, model: Model) -> Tally:
    """Every point: a label by inversion, coordinates by Box and Muller."""
    dtype = fixed.turn.dtype
    components, d = model.means.shape
    width = (d + 1) // 2
    cumulative = jnp.cumsum(model.weights)
    cumulative = cumulative[:-1] / cumulative[-1]

    def add(chunk: Array, sums: tuple[Array, Array, Array]) -> tuple[Array, Array, Array]:
        index = chunk * ROWS + jnp.arange(ROWS, dtype=jnp.uint32)
        words = threefry(key, (replicate, index * jnp.uint32(width + 1)))
        uniform = (words[0] >> 8).astype(dtype) * dtype.type(2.0**-24)
        if dtype == jnp.float64:
            uniform = uniform + words[1].astype(dtype) * dtype.type(2.0**-56)
        label = jnp.sum(uniform[:, None] >= cumulative, axis=1)
        place = index[:, None] * jnp.uint32(width + 1) + 1 + jnp.arange(width, dtype=jnp.uint32)
        z = jnp.concatenate(normal_pair(threefry(key, (replicate, place)), dtype.type(2.0**32)), axis=1)[
            :, :d
        ]
        mine = (label[:, None] == jnp.arange(components)) & (index < count)[:, None]
        mine = mine.astype(dtype)
        return (
            sums[0] + jnp.sum(mine, axis=0),
            sums[1] + mine.T @ z,
            sums[2] + jnp.einsum("rk,ri,rj->kij", mine, z, z),
        )

    begin = tuple(jnp.zeros_like(part) for part in model)
    chunks = (count.astype(jnp.uint32) + ROWS - 1) // ROWS
    found, first, second = lax.fori_loop(jnp.uint32(0), chunks, add, begin)
    mean = first / jnp.maximum(found, 1)[:, None]
    scatter = second - first[:, :, None] * mean[:, None, :]
    # the scatter of N points has rank N - 1: what rounding leaves of a single one is not a spread
    return _placed(model, found, mean, jnp.where((found > 1)[:, None, None], scatter, 0))


def _exact(fixed: Fixed, key: Key, replicate: Any, count: Any, model: Model) -> Tally:
    """Counts, a normal mean and a Bartlett factor for every component."""
    dtype = fixed.turn.dtype
    components, d = model.means.shape
    own = threefry(key, (replicate, jnp.uint32(0)))
    counts = halved(own, count.astype(jnp.float64), model.weights.astype(jnp.float64))
    place = 1 + jnp.arange(components * d, dtype=jnp.uint32).reshape(components, d)
    z, x = normal_pair(threefry(key, (replicate, place)), fixed.turn)
    degrees = counts[:, None] - 1 - jnp.arange(d)
    row = jnp.maximum(degrees, 1).astype(jnp.int32) - 1
    logarithm = jax.vmap(deviation)(
        fixed.rows[row].reshape(-1, *fixed.rows.shape[1:]), x.reshape(-1)
    ).reshape(row.shape)
    chi = jnp.where(degrees > 0, degrees.astype(dtype) * jnp.exp(logarithm + fixed.centre[row]), 0)
    lower = jnp.sqrt(chi)[:, :, None] * jnp.eye(d, dtype=dtype)
    if d > 1:
        far = 1 + components * d + jnp.arange(components * d * d, dtype=jnp.uint32)
        below = normal_pair(threefry(key, (replicate, far)), fixed.turn)[0].reshape(components, d, d)
        living = (degrees > 0)[:, None, :] & jnp.tril(jnp.ones((d, d), bool), -1)
        lower = jnp.where(living, below, lower)
    counts = counts.astype(dtype)
    mean = z / jnp.sqrt(jnp.maximum(counts, 1))[:, None]
    return _placed(model, counts, mean, jnp.einsum("kil,kjl->kij", lower, lower))
