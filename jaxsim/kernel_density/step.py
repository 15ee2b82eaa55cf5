"""Loops of kernel densities on the line, at linear cost: a sample is a point of the model's plus noise.

No density is evaluated in the loop, and never all pairs of points. The points lie in pairs, which share the
two normals of a Box-Muller pair: point number i is state[i % 2, i // 2]. The replicates of a block lie last,
side by side. A pool is one array, of which a generation writes its own stretch. Lengths are in the source's
standard deviations from its mean.

Up to 256 points, one word gives two parents and an angle, digit by digit in base n: a pair of parents has its
probability to within a factor 1 +- 2^-16, and the angle is one of 2^16 at least, evenly spaced, so that the
moments of the noise keep theirs. Beyond, parents have words of their own.
"""

from collections.abc import Callable, Iterable
from functools import lru_cache
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jax import lax
from jaxtyping import Array

from jaxsim.mixture.labels import ELSEWHERE
from jaxsim.mixture.model import Model
from jaxsim.random import Key, below, below_large, normal_pair, packed, threefry, unpacked

FEW = 256  # points, up to which one word gives two parents and an angle
STRETCH = 1024  # numbers that are summed one after the other
NARROW = 2**16  # points, up to which a parent is half a word


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
    """(fixed) -> the state of generation 0, which holds no points: [side, pair]."""
    return lambda fixed: jnp.zeros((2, pairs), fixed.turn.dtype)


@lru_cache(maxsize=64)
def ahead(shape: Shape) -> Callable:
    """(key, replicates) -> the key of a generation and its words, arrays [pair, replicate]."""

    def words(key: Key, replicates: Array) -> tuple[Key, tuple[Array, ...]]:
        pair = jnp.arange(shape.window, dtype=jnp.uint32)[:, None]
        counters = [2 * pair]
        if 2 * shape.pairs > FEW:
            counters.append(2 * pair + 1)
        if 2 * shape.pairs > NARROW:
            counters.append(pair + jnp.uint32(2**31))
        return key, tuple(packed(threefry(key, (replicates, counter))) for counter in counters)

    return words


def _drawn(shape: Shape, step: Step, words: tuple[Array, ...], turn: Any) -> tuple[Array, Array]:
    """Normals, a complex number a pair, and the numbers of both parents in one word: [pair, replicate]."""
    radius, rest = unpacked(words[0])
    if 2 * shape.pairs <= FEW:
        first, rest = below(rest, step.before), rest * step.before
        second, rest = below(rest, step.before), rest * step.before
        return lax.complex(*normal_pair((radius, rest), turn)), first | (second << 16)
    z = lax.complex(*normal_pair((radius, rest), turn))
    own = unpacked(words[1])
    if 2 * shape.pairs <= NARROW:
        return z, below(own[0], step.before) | (below(own[1], step.before) << 16)
    first, second = (below_large(w, step.before) for w in zip(own, unpacked(words[2]), strict=True))
    return z, first.astype(jnp.uint64) | (second.astype(jnp.uint64) << np.uint64(32))


@lru_cache(maxsize=64)
def stepper(shape: Shape) -> Callable:
    """(fixed, step, (key, words), replicates, state) -> state: one generation of a block of replicates."""
    bits = 16 if 2 * shape.pairs <= NARROW else 32

    def step(fixed: Fixed, step: Step, drawn: Any, replicates: Array, state: Array) -> Array:
        key, words = drawn
        width, mean = _kernel(shape, fixed, step, state)
        # A loop of one turn, known to the device only: XLA would draw inside the loops that gather, which
        # cannot use vector instructions.
        once = (step.size > 0).astype(jnp.int32)
        one = jax.eval_shape(lambda: _drawn(shape, step, words, fixed.turn))
        nothing = jax.tree.map(lambda like: jnp.zeros(like.shape, like.dtype), one)
        both, word = lax.fori_loop(0, once, lambda _, c: _drawn(shape, step, words, fixed.turn), nothing)
        z = both.real, both.imag
        parents = word & word.dtype.type(2**bits - 1), word >> word.dtype.type(bits)
        fresh = _sides(
            _noisy(shape, step, _points(state, parent), width * noise, mean)
            for parent, noise in zip(parents, z, strict=True)
        )

        def with_real(fresh: Array) -> Array:
            return _with_real(shape, fixed, step, key, replicates, z, fresh)

        if shape.real or shape.mixed:
            fresh = with_real(fresh)
        else:
            fresh = lax.cond(step.first, with_real, lambda fresh: fresh, fresh)
        return _kept(shape, step, state, fresh)

    return step


def _points(state: Array, numbers: Array) -> Array:
    """Points by number: [place, replicate], each of its own replicate."""
    row = (numbers & 1) * numbers.dtype.type(state.shape[1]) + (numbers >> 1)
    place = row.astype(jnp.int32) * state.shape[2] + jnp.arange(state.shape[2], dtype=jnp.int32)
    return state.reshape(-1).at[place].get(mode="promise_in_bounds")


def _sides(sides: Iterable[Array]) -> Array:
    """Two arrays as one, written in turn: of a concatenation every element would ask which it comes from."""
    left, right = sides
    both = lax.dynamic_update_slice(jnp.zeros((2, *left.shape), left.dtype), left[None], (0, 0, 0))
    return lax.dynamic_update_slice(both, right[None], (1, 0, 0))


def _kept(shape: Shape, step: Step, state: Array, fresh: Array) -> Array:
    """The state with a generation's stretch in it, but for the points that stay."""
    begin = (step.kept // 2).astype(jnp.int32)
    whole = shape.window == shape.pairs
    if not whole or shape.real:
        old = state if whole else lax.dynamic_slice_in_dim(state, begin, shape.window, axis=1)
        fresh = jnp.where(_position(shape, step) < step.kept, old, fresh)
    return fresh if whole else lax.dynamic_update_slice_in_dim(state, fresh, begin, 1)


def _position(shape: Shape, step: Step) -> Array:
    """The number of each point of a generation's stretch: [side, pair, 1]."""
    pair = jnp.arange(shape.window, dtype=jnp.uint32)[:, None]
    side = jnp.arange(2, dtype=jnp.uint32)[:, None, None]
    return 2 * (pair + (step.kept // 2)) + side


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
    shape: Shape, fixed: Fixed, step: Step, key: Key, replicates: Array, z: Any, fresh: Array
) -> Array:
    """`fresh`, points of the source (in generation 1 of model 0) in the place of those that are real."""
    dtype = fixed.turn.dtype
    pair = jnp.arange(shape.window, dtype=jnp.uint32)[:, None]
    own = threefry(key, (jnp.uint32(ELSEWHERE), jnp.uint32(ELSEWHERE)))
    labels = threefry(own, (replicates, 2 * pair))
    coins = threefry(own, (replicates, 2 * pair + 1))
    position = _position(shape, step)
    sides = []
    for side in (0, 1):
        real = position[side] < step.kept + step.real
        if shape.mixed:
            real = real | (_uniform(coins[side], dtype) < step.share)
        uniform = _uniform(labels[side], dtype)
        source = _sampled(fixed.source, uniform, z[side], step.real_factor)
        begun = _sampled(fixed.first, uniform, z[side], step.model_factor)
        sides.append(jnp.where(real, source, jnp.where(step.first, begun, fresh[side])))
    return _sides(sides)


def _uniform(word: Array, dtype: Any) -> Array:
    if dtype == jnp.float64:
        return word.astype(dtype) * dtype.type(2.0**-32)
    return (word >> 8).astype(dtype) * dtype.type(2.0**-24)


def _sampled(model: Model, uniform: Array, z: Array, factor: Any) -> Array:
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
    """The mean and the variance (divisor n) of the first `size` points."""
    pair = jnp.arange(state.shape[1], dtype=jnp.uint32)
    there = jnp.stack([2 * pair < size, 2 * pair + 1 < size]).reshape(-1).astype(state.dtype)
    points = state.reshape(-1, *state.shape[2:])
    count = jnp.asarray(size).astype(state.dtype)
    mean = _sum(there, points) / count
    return mean, _sum(there, (points - mean) ** 2) / count


def _sum(there: Array, values: Array) -> Array:
    """Sums of the values that are there: of few as a product, of many of rounded number in two stages.

    One number after the other, a million in float32 would be off by a thousandth.
    """
    if len(values) <= 2 * STRETCH:
        return there @ values
    kept = values * there.reshape(-1, *(1 for _ in values.shape[1:]))
    stretches = len(kept) & -len(kept)
    return jnp.sum(jnp.sum(kept.reshape(stretches, -1, *kept.shape[1:]), axis=0), axis=0)


def rounded(pairs: int) -> int:
    """So many pairs or a few more, a power of two times at most `STRETCH`."""
    power = 2 ** max((pairs - 1).bit_length() - STRETCH.bit_length() + 1, 0)
    return -(-pairs // power) * power
