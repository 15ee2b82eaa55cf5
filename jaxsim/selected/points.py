"""Points that a selection keeps, drawn by its own law at a cost known beforehand.

In the model's standardised coordinates z, with a the unit vector along which a linear score grows:

* **best fraction q, population**: the upper tail p of the score is q u, u uniform, and the score its
  quantile. A linear score is a z, the rest of z is untouched; typicality is -|z|^2, its direction untouched.
* **best n of m, pool**: the same with p the k-th smallest of m uniforms, one after another (Renyi 1953,
  doi:10.1007/BF02127580): 1 - p_k = (1 - p_{k-1}) u^(1 / (m - k + 1)).
* **best of K**, **Bradley-Terry** among K: the candidates are drawn and one is chosen, in the second case
  the greatest score + Gumbel noise, which is the choice with probability proportional to e^score.
* **tilt**: exp(beta u x) moves the mean by beta Sigma u; exp(-beta |x - c|^2 / 2) adds beta to the
  precision, Sigma' = (Sigma^-1 + beta)^-1, and mu' = mu + beta Sigma' (c - mu).
* **verifier** on the line: the distribution function inverted between its values at the ends of the band.

Nothing is rejected. Own derivations but for the pool.
"""

from typing import Any, NamedTuple

import jax.numpy as jnp
import numpy as np
from jax import lax
from jax.scipy.special import log_ndtr, ndtri
from jaxtyping import Array, Float, UInt32

from jaxsim.chi_square import deviation
from jaxsim.random import Key, normal_pair, threefry
from jaxsim.triangular import solve_lower, trapezoid

NORMALS, WORDS = np.uint32(0), np.uint32(1)


class Rule(NamedTuple):
    """What fixes a compiled program; hashable.

    Attributes:
        name: of the rule, "pool" for a best fraction of a pool.
        typical: whether the score is typicality.
        quadratic: whether a tilt's reward is.
        candidates: K.
        real: whether real points are selected too.
    """

    name: str
    typical: bool
    quadratic: bool
    candidates: int
    real: bool


class Numbers(NamedTuple):
    """The numbers of a rule; lengths in units of the source's, from its mean.

    Attributes:
        fraction: q.
        direction: 1 or -1, or a unit vector.
        strength: beta.
        centre, radius: of what is rewarded or believed in.
        row: polynomial of log chi-square, d degrees of freedom.
        log_scale: E log chi2_d.
        drawn: ceil(k / q), [k], for a pool of random size.
    """

    fraction: Any
    direction: Any
    strength: Any
    centre: Any
    radius: Any
    row: Any
    log_scale: Any
    drawn: Any


class Law(NamedTuple):
    """What points are drawn from, and what their score looks at.

    Attributes:
        mean: a number, or a vector.
        root: the standard deviation, or F with covariance F F^T.
        along: the score's direction in the coordinates of z.
    """

    mean: Any
    root: Any
    along: Any


class Stream(NamedTuple):
    """Two points' random numbers, as many as are asked for.

    Attributes:
        key: of the pair of points.
        turn: 2^32, in the precision of the run.
        dimension: 0 on the line.
    """

    key: Key
    turn: Any
    dimension: int

    def normals(self, number: Any) -> Array:
        """Normals [2], or [2, d], by number."""
        if self.dimension == 0:
            return jnp.stack(normal_pair(threefry(self.key, (jnp.uint32(number), NORMALS)), self.turn))
        place = jnp.uint32(number) * np.uint32(self.dimension) + np.arange(self.dimension, dtype=np.uint32)
        return jnp.stack(normal_pair(threefry(self.key, (place, NORMALS)), self.turn))

    def words(self, number: Any) -> UInt32[Array, "2"]:
        """Words by number."""
        return jnp.stack(threefry(self.key, (jnp.uint32(number), WORDS)))

    def uniforms(self, number: Any) -> Float[Array, "2"]:
        """Uniform numbers between 0 and 1, neither included."""
        return uniform(self.words(number), self.turn.dtype)


def uniform(words: Array, dtype: Any) -> Array:
    """Uniform numbers between 0 and 1; in float32 the greatest is 1 - 2^-24."""
    inside = dtype.type(1 - np.finfo(dtype).epsneg)
    return jnp.minimum((words.astype(dtype) + dtype.type(0.5)) * dtype.type(2.0**-32), inside)


def law_of(rule: Rule, numbers: Numbers, mean: Any, root: Any) -> Law:
    """What the rule makes of a model of this mean and root."""
    if mean.ndim == 0:
        law = Law(mean, root, numbers.direction)
        return law if rule.name != "tilt" else _tilted_line(rule, numbers, law)
    if rule.name != "tilt":
        seen = numbers.direction @ root
        return Law(mean, root, seen / jnp.sqrt(jnp.sum(seen * seen)))
    return _tilted_space(rule, numbers, mean, root)


def _tilted_line(rule: Rule, numbers: Numbers, law: Law) -> Law:
    gain = numbers.strength * law.root**2
    if not rule.quadratic:
        return law._replace(mean=law.mean + numbers.direction * gain)
    mean = law.mean + (numbers.centre - law.mean) * gain / (1 + gain)
    return law._replace(mean=mean, root=law.root / jnp.sqrt(1 + gain))


def _tilted_space(rule: Rule, numbers: Numbers, mean: Any, root: Any) -> Law:
    if not rule.quadratic:
        shift = numbers.strength * (root @ (numbers.direction @ root))
        return Law(mean + shift, root, numbers.direction)
    d = len(mean)
    whole = jnp.eye(d, dtype=root.dtype) + numbers.strength * (root.T @ root)
    lower = trapezoid(whole, jnp.ones(d, bool))
    turned = root @ solve_lower(lower, jnp.eye(d, dtype=root.dtype)).T
    pull = numbers.strength * (turned @ (turned.T @ (numbers.centre - mean)))
    return Law(mean + pull, turned, numbers.direction)


class Pool(NamedTuple):
    """How far down a pool has been read: log(1 - p) of the last point, and the candidates below it."""

    below: Array
    left: Array


def read(pool: Pool, word: Array, taken: Array) -> tuple[Pool, Array]:
    """The pool after one more point if it is `taken`, and the upper tail p of that point."""
    dtype = pool.below.dtype
    below = pool.below + jnp.log(uniform(word, dtype)) / jnp.maximum(pool.left, 1)
    moved = Pool(jnp.where(taken, below, pool.below), jnp.where(taken, pool.left - 1, pool.left))
    return moved, -jnp.expm1(below)


def chosen(rule: Rule, numbers: Numbers, law: Law, stream: Stream, tail: Array | None) -> Array:
    """Two points that are kept, [2] or [2, d].

    Args:
        rule: what is compiled of it.
        numbers: its numbers.
        law: from `law_of`.
        stream: the pair's random numbers.
        tail: for a pool, the upper tail of each point's score, [2].
    """
    match rule.name:
        case "top-fraction":
            z = _ranked(rule, numbers, law, stream, numbers.fraction * stream.uniforms(0))
        case "pool":
            assert tail is not None
            z = _ranked(rule, numbers, law, stream, tail)
        case "verifier":
            z = _within(numbers, law, stream.uniforms(0))
        case "tilt":
            z = stream.normals(0)
        case _:
            z = _winner(rule, numbers, law, stream)
    return law.mean + (z * law.root if law.mean.ndim == 0 else z @ law.root.T)


def _ranked(rule: Rule, numbers: Numbers, law: Law, stream: Stream, tail: Array) -> Array:
    """Z of points whose scores have these upper tails."""
    line = stream.dimension == 0
    if rule.typical and line:
        size = jnp.sqrt(tail.dtype.type(2)) * lax.erf_inv(tail)
        return jnp.where(stream.words(1) & np.uint32(1) == 1, size, -size)
    if rule.typical:
        free = stream.normals(0)
        square = jnp.exp(numbers.log_scale + deviation(numbers.row, ndtri(tail)))
        return free * jnp.sqrt(square / jnp.sum(free * free, axis=-1))[:, None]
    score = -ndtri(tail)
    if line:
        return law.along * score
    free = stream.normals(0)
    return free + (score - free @ law.along)[:, None] * law.along


def _winner(rule: Rule, numbers: Numbers, law: Law, stream: Stream) -> Array:
    """Z of the best of K candidates, or of the one that is preferred."""

    def candidate(number: Any) -> tuple[Array, Array]:
        z = stream.normals(number)
        if rule.typical:
            score = -(z * z) if stream.dimension == 0 else -jnp.sum(z * z, axis=-1)
        else:
            score = z * law.along if stream.dimension == 0 else z @ law.along
        if rule.name == "bradley-terry":
            score = numbers.strength * _spread(numbers, law) * score - jnp.log(
                -jnp.log(stream.uniforms(number))
            )
        return z, score

    def better(number: Any, best: tuple[Array, Array]) -> tuple[Array, Array]:
        z, score = candidate(number)
        wins = score > best[1]
        return jnp.where(wins if z.ndim == 1 else wins[:, None], z, best[0]), jnp.maximum(score, best[1])

    return lax.fori_loop(1, rule.candidates, better, candidate(0))[0]


def _spread(numbers: Numbers, law: Law) -> Array:
    """The standard deviation of u x: |F^T u|."""
    if law.mean.ndim == 0:
        return law.root
    seen = numbers.direction @ law.root
    return jnp.sqrt(jnp.sum(seen * seen))


def _within(numbers: Numbers, law: Law, share: Array) -> Array:
    """Z of a point of the line within the band, at this share of its mass from the left.

    The band is mirrored so that its middle lies below the mean: there the distribution function, and its
    logarithm, keep their digits.
    """
    low, high = ((numbers.centre + sign * numbers.radius - law.mean) / law.root for sign in (-1, 1))
    mirrored = low + high > 0
    low, high = jnp.where(mirrored, -high, low), jnp.where(mirrored, -low, high)
    top, gap = log_ndtr(high), log_ndtr(low) - log_ndtr(high)
    z = _quantile(top + jnp.log(share + (1 - share) * jnp.exp(gap)))
    z = jnp.clip(z, low, high)
    return jnp.where(mirrored, -z, z)


def _quantile(log_probability: Array) -> Array:
    """Z with log Phi(z) given and at most about log 1/2 at the far end: beyond -80 by Newton's steps.

    log Phi is concave, so that steps from below the root rise to it; -sqrt(-2 y) is below.
    """
    near = jnp.maximum(log_probability, -80)
    far = jnp.minimum(log_probability, -80)

    def newton(_: int, z: Array) -> Array:
        value = log_ndtr(z)
        slope = jnp.exp(-z * z / 2 - value) * z.dtype.type(1 / np.sqrt(2 * np.pi))
        return z - (value - far) / slope

    deep = lax.fori_loop(0, 4, newton, -jnp.sqrt(-2 * far))
    return jnp.where(log_probability < -80, deep, ndtri(jnp.exp(near)))


def pair_stream(key: Key, replicate: Any, pair: Any, turn: Any, dimension: int) -> Stream:
    """The random numbers of points 2 `pair` and 2 `pair` + 1 of a draw whose key is given."""
    return Stream(threefry(key, (replicate, 2 * pair)), turn, dimension)
