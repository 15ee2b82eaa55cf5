"""Loops of kernel densities on the line, at linear cost: a sample is a point of the model's plus noise.

No density is evaluated in the loop, and never all pairs of points. The points lie in pairs, a complex number
each, so that both normals of a Box-Muller pair serve and nothing is put together; a pool is one array, of
which a generation writes its own stretch. Lengths are in the source's standard deviations from its mean.

Up to 256 points, one word gives two parents and an angle, digit by digit in base n: a pair of parents has its
probability to within a factor 1 +- 2^-16, and the angle is one of 2^16 at least, evenly spaced, so that the
moments of the noise keep theirs. Beyond, parents have words of their own.
"""

from collections.abc import Callable
from functools import lru_cache
from typing import Any, NamedTuple

import jax.numpy as jnp
import numpy as np
from jax import lax
from jaxtyping import Array

from jaxsim.mixture.labels import ELSEWHERE
from jaxsim.mixture.model import Model
from jaxsim.random import Key, below, below_large, normal_pair, threefry

FEW = 256  # points


class Fixed(NamedTuple):
    """What does not depend on the generation.

    Attributes:
        source, first: what real points, and those of generation 1, are drawn from.
        width: h; by the rule of thumb c.
        turn: 2^32, in the precision of the run.
    """

    source: Model
    first: Model
    width: Any
    turn: Any


class Step(NamedTuple):
    """Numbers of each generation, [generation].

    Attributes:
        before: points of the model that is sampled.
        kept: points that stay where they are.
        real: real points, next to them.
        size: points of the new model.
        share: probability of a real point among the others.
        real_factor, model_factor: the sampler's factor on variances.
        first: whether it is generation 1, which samples model 0.
    """

    before: Any
    kept: Any
    real: Any
    size: Any
    share: Any
    real_factor: Any
    model_factor: Any
    first: Any


class Shape(NamedTuple):
    """All that fixes a compiled program; hashable.

    Attributes:
        pairs: of points that are kept in all.
        window: pairs that a generation may write.
        real, mixed: whether there are real points after generation 1, and whether a coin decides.
        rule: whether the bandwidth follows the rule of thumb.
        biased: whether samples shrink towards the mean.
    """

    pairs: int
    window: int
    real: bool
    mixed: bool
    rule: bool
    biased: bool


@lru_cache(maxsize=64)
def starter(pairs: int) -> Callable:
    """(fixed) -> the state of generation 0, which holds no points: a complex number a pair."""

    def begin(fixed: Fixed) -> Array:
        zero = jnp.zeros(pairs, fixed.turn.dtype)
        return lax.complex(zero, zero)

    return begin


@lru_cache(maxsize=64)
def stepper(shape: Shape) -> Callable:
    """(fixed, step, key, replicate, state) -> state: one generation of one replicate."""
    narrow = 2 * shape.pairs <= 2**16

    def drawn(step: Step, key: Key, replicate: Any, turn: Any) -> tuple[Array, Array]:
        """Normals, a complex number a pair, and the numbers of both parents in one word."""
        pair = jnp.arange(shape.window, dtype=jnp.uint32)
        radius, rest = threefry(key, (replicate, 2 * pair))
        if 2 * shape.pairs <= FEW:
            first, rest = below(rest, step.before), rest * step.before
            second, rest = below(rest, step.before), rest * step.before
            return lax.complex(*normal_pair((radius, rest), turn)), first | (second << 16)
        z = lax.complex(*normal_pair((radius, rest), turn))
        words = threefry(key, (replicate, 2 * pair + 1))
        if narrow:
            return z, below(words[0], step.before) | (below(words[1], step.before) << 16)
        more = threefry(key, (replicate, pair + jnp.uint32(2**31)))
        first, second = (below_large(both, step.before) for both in zip(words, more, strict=True))
        return z, first.astype(jnp.uint64) | (second.astype(jnp.uint64) << np.uint64(32))

    def step(fixed: Fixed, step: Step, key: Key, replicate: Any, state: Array) -> Array:
        width, mean = _kernel(shape, fixed, step, state)
        begin = (step.kept // 2).astype(jnp.int32)
        pair = jnp.arange(shape.window, dtype=jnp.uint32)
        # A loop of one turn, known to the device only: XLA would draw inside the loop that gathers, which
        # cannot use vector instructions.
        once = (step.size > 0).astype(jnp.int32)
        zero = jnp.zeros(shape.window, fixed.turn.dtype)
        nothing = lax.complex(zero, zero), jnp.zeros(shape.window, jnp.uint32 if narrow else jnp.uint64)
        both, word = lax.fori_loop(0, once, lambda _, c: drawn(step, key, replicate, fixed.turn), nothing)
        z = both.real, both.imag
        bits = 16 if narrow else 32
        parents = word & word.dtype.type(2**bits - 1), word >> word.dtype.type(bits)
        halves = []
        for side in (0, 1):
            couple = state.at[(parents[side] >> 1).astype(jnp.int32)].get(mode="promise_in_bounds")
            parent = jnp.where((parents[side] & 1) == 1, couple.imag, couple.real)
            halves.append(_noisy(shape, step, parent, width * z[side], mean))
        fresh = lax.complex(*halves)

        def with_real(fresh: Array) -> Array:
            return _with_real(shape, fixed, step, key, replicate, pair, z, fresh)

        if shape.real or shape.mixed:
            fresh = with_real(fresh)
        else:
            fresh = lax.cond(step.first, with_real, lambda fresh: fresh, fresh)
        if shape.window == shape.pairs:
            old = state
        else:
            old = lax.dynamic_slice_in_dim(state, begin, shape.window)
        position = 2 * (pair + (step.kept // 2))
        stay = [position < step.kept, position + 1 < step.kept]
        if shape.window < shape.pairs or shape.real:
            fresh = lax.complex(
                jnp.where(stay[0], old.real, fresh.real), jnp.where(stay[1], old.imag, fresh.imag)
            )
        if shape.window == shape.pairs:
            return fresh
        return lax.dynamic_update_slice_in_dim(state, fresh, begin, 0)

    return step


def _kernel(shape: Shape, fixed: Fixed, step: Step, state: Array) -> tuple[Array, Array | None]:
    """H of the model that is sampled, and its mean where samples shrink towards it."""
    if not shape.rule and not shape.biased:
        return fixed.width, None
    mean, variance = moments(state, step.before)
    if not shape.rule:
        return fixed.width, mean
    power = step.before.astype(fixed.turn.dtype) ** fixed.turn.dtype.type(-0.2)
    return fixed.width * power * jnp.sqrt(variance), mean


def _noisy(shape: Shape, step: Step, parent: Array, noise: Array, mean: Array | None) -> Array:
    if not shape.biased:
        return parent + noise
    return mean + jnp.sqrt(step.model_factor) * (parent - mean + noise)


def _with_real(
    shape: Shape, fixed: Fixed, step: Step, key: Key, replicate: Any, pair: Array, z: Any, fresh: Array
) -> Array:
    """`fresh`, points of the source (in generation 1 of model 0) in the place of those that are real."""
    dtype = fixed.turn.dtype
    own = threefry(key, (jnp.uint32(ELSEWHERE), jnp.uint32(ELSEWHERE)))
    labels = threefry(own, (replicate, 2 * pair))
    coins = threefry(own, (replicate, 2 * pair + 1))
    sides = []
    for side, generated in enumerate((fresh.real, fresh.imag)):
        position = 2 * (pair + step.kept // 2) + side
        real = position < step.kept + step.real
        if shape.mixed:
            real = real | (_uniform(coins[side], dtype) < step.share)
        uniform = _uniform(labels[side], dtype)
        source = _drawn(fixed.source, uniform, z[side], step.real_factor)
        begun = _drawn(fixed.first, uniform, z[side], step.model_factor)
        sides.append(jnp.where(real, source, jnp.where(step.first, begun, generated)))
    return lax.complex(*sides)


def _uniform(word: Array, dtype: Any) -> Array:
    if dtype == jnp.float64:
        return word.astype(dtype) * dtype.type(2.0**-32)
    return (word >> 8).astype(dtype) * dtype.type(2.0**-24)


def _drawn(model: Model, uniform: Array, z: Array, factor: Any) -> Array:
    """A point of a mixture on the line."""
    cumulative = jnp.cumsum(model.weights)
    mean = jnp.broadcast_to(model.means[0, 0], uniform.shape)
    spread = jnp.broadcast_to(model.factors[0, 0, 0], uniform.shape)
    for k in range(1, len(model.weights)):
        beyond = uniform >= cumulative[k - 1] / cumulative[-1]
        mean = jnp.where(beyond, model.means[k, 0], mean)
        spread = jnp.where(beyond, model.factors[k, 0, 0], spread)
    return mean + jnp.sqrt(factor) * spread * z


def moments(state: Array, size: Any) -> tuple[Array, Array]:
    """The mean and the variance (divisor n) of the first `size` points; sums as products with a vector."""
    pair = jnp.arange(len(state), dtype=jnp.uint32)
    there = [(position < size).astype(state.real.dtype) for position in (2 * pair, 2 * pair + 1)]
    count = jnp.asarray(size).astype(state.real.dtype)
    mean = (state.real @ there[0] + state.imag @ there[1]) / count
    squares = (state.real - mean) ** 2 @ there[0] + (state.imag - mean) ** 2 @ there[1]
    return mean, squares / count
