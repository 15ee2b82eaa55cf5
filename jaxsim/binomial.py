"""Exact binomial and Poisson variates from counter-based words, in float64.

Below a mean of `SMALL` by inversion of one 53-bit uniform, stepping through the probabilities from 0; from
there on by transformed rejection with squeeze, about 1.2 pairs of words a variate at any n: algorithms BTRS
(Hörmann 1993, "The generation of binomial random variates", J. Stat. Comput. Simul. 46) and PTRS (Hörmann
1993, "The transformed rejection method for generating Poisson random variables", Insurance: Mathematics and
Economics 12), the hat of the latter raised to where it does lie above. Written for one variate; `jax.vmap`
makes vectors, which step in unison until the last of them has been accepted.

What "exact" means. An inversion resolves probabilities to 2^-53. A rejection sampler proposes on a grid of
2^-32 turns, below 1e-4 of one standard deviation at the largest n, and compares logarithms of probabilities
whose rounding errors stay below 1e-6 at n = 2^31 and 1e-9 at n = 10^6.
"""

from collections.abc import Callable
from typing import Any

import jax.numpy as jnp
import numpy as np
from jax import lax

from jaxsim.random import Key, threefry, unit

SMALL = 10.0  # Hörmann's constants hold from this mean on
LARGEST = 2**31  # sample size
HIGHER = (
    1.006  # PTRS's published hat dips below the probabilities by up to 0.57 % (mean 15.7), its squeeze too
)

# log k! - (k + 1/2) log(k + 1) + (k + 1) - log(2 pi) / 2 for k = 0, ..., 9
_STIRLING = np.array(
    [
        0.08106146679532726,
        0.04134069595540929,
        0.02767792568499834,
        0.02079067210376509,
        0.01664469118982119,
        0.01387612882307075,
        0.01189670994589177,
        0.01041126526197209,
        0.009255462182712733,
        0.008330563433362871,
    ]
)


def binomial(key: Key, address: Any, n: Any, p: Any) -> Any:
    """A binomial variate.

    Args:
        key: two words.
        address: the first word of the counter; the second numbers the attempts.
        n: trials, a whole number up to `LARGEST` in float64.
        p: the probability of success, float64 in [0, 1].

    Returns:
        Successes, a whole number in float64.
    """
    n, p = jnp.asarray(n, jnp.float64), jnp.asarray(p, jnp.float64)
    flipped = p > 0.5
    share = jnp.where(flipped, 1 - p, p)
    mean = n * share
    small = mean < SMALL
    few = _inverted(key, address, jnp.where(small, n, 0.0), share)
    many = _rejected(key, address, ~small, lambda u, v: _btrs(u, v, n, jnp.where(small, 0.5, share)))
    found = jnp.where(small, few, many)
    return jnp.where(flipped, n - found, found)


def poisson(key: Key, address: Any, mean: Any) -> Any:
    """A Poisson variate of this mean, which is at least 0; arguments as those of `binomial`."""
    mean = jnp.asarray(mean, jnp.float64)
    small = mean < SMALL
    few = _inverted_poisson(key, address, jnp.where(small, mean, 0.0))
    many = _rejected(key, address, ~small, lambda u, v: _ptrs(u, v, jnp.where(small, SMALL, mean)))
    return jnp.where(small, few, many)


def _inverted(key: Key, address: Any, n: Any, p: Any) -> Any:
    return inverse(unit(threefry(key, (address, np.uint32(0)))), n, p)


def inverse(uniform: Any, n: Any, p: Any) -> Any:
    """The least k with `uniform` < P(X <= k), X binomial, by stepping through the probabilities from 0."""
    odds = p / (1 - p)

    def more(carry: Any) -> Any:
        k, rest, probability = carry
        return (rest >= probability) & (k < n)

    def step(carry: Any) -> Any:
        k, rest, probability = carry
        return k + 1, rest - probability, probability * odds * ((n - k) / (k + 1))

    return lax.while_loop(more, step, (jnp.zeros_like(uniform), uniform, jnp.exp(n * jnp.log1p(-p))))[0]


def _inverted_poisson(key: Key, address: Any, mean: Any) -> Any:
    return inverse_poisson(unit(threefry(key, (address, np.uint32(0)))), mean)


def inverse_poisson(uniform: Any, mean: Any) -> Any:
    """The least k with `uniform` < P(X <= k), X Poisson."""

    def more(carry: Any) -> Any:
        _, rest, probability = carry
        # beyond 2^-60 the sum of what was subtracted no longer moves
        return (rest >= probability) & (probability > 2.0**-60)

    def step(carry: Any) -> Any:
        k, rest, probability = carry
        return k + 1, rest - probability, probability * mean / (k + 1)

    return lax.while_loop(more, step, (jnp.zeros_like(uniform), uniform, jnp.exp(-mean)))[0]


def _rejected(key: Key, address: Any, wanted: Any, attempt: Callable) -> Any:
    """The first of the proposals that `attempt` accepts; 0 if none is wanted."""

    def more(carry: Any) -> Any:
        return carry[0]

    def step(carry: Any) -> Any:
        _, number, _ = carry
        words = threefry(key, (address, number))
        u, v = ((word.astype(jnp.float64) + 0.5) * 2.0**-32 for word in words)
        proposal, accepted = attempt(u - 0.5, v)
        return ~accepted, number + np.uint32(1), proposal

    start = (wanted, jnp.uint32(0) + jnp.zeros_like(address), jnp.zeros_like(wanted, jnp.float64))
    return lax.while_loop(more, step, start)[2]


def _btrs(u: Any, v: Any, n: Any, p: Any) -> tuple[Any, Any]:
    """Proposal and whether it is accepted; u on (-1/2, 1/2), v on (0, 1), p at most 1/2, n p at least 10."""
    deviation = jnp.sqrt(n * p * (1 - p))
    b = 1.15 + 2.53 * deviation
    a = -0.0873 + 0.0248 * b + 0.01 * p
    alpha = (2.83 + 5.1 / b) * deviation
    edge = 0.5 - jnp.abs(u)
    k = jnp.floor((2 * a / edge + b) * u + n * p + 0.5)
    squeezed = (edge >= 0.07) & (v <= 0.92 - 4.2 / b)
    inside = (k >= 0) & (k <= n)
    # what lies outside is replaced before its logarithms are taken
    ratio = log_ratio(jnp.where(inside, k, jnp.floor((n + 1) * p)), n, p)
    accepted = jnp.log(v * alpha / (a / (edge * edge) + b)) <= ratio
    return k, inside & (squeezed | accepted)


def log_ratio(k: Any, n: Any, p: Any) -> Any:
    """Logarithm of P(X = k) / P(X = m), m the mode; differences of large numbers by log1p."""
    mode = jnp.floor((n + 1) * p)
    odds = p / (1 - p)
    at_mode = (mode + 0.5) * jnp.log1p((mode + 1 - odds * (n - mode + 1)) / (odds * (n - mode + 1)))
    between = (n + 1) * jnp.log1p((k - mode) / (n - k + 1))
    at_k = (k + 0.5) * jnp.log1p((odds * (n - k + 1) - (k + 1)) / (k + 1))
    tails = _stirling(mode) + _stirling(n - mode) - _stirling(k) - _stirling(n - k)
    return at_mode + between + at_k + tails


def _ptrs(u: Any, v: Any, mean: Any) -> tuple[Any, Any]:
    """Proposal and whether it is accepted; arguments as of `_btrs`, the mean at least 10."""
    b = 0.931 + 2.53 * jnp.sqrt(mean)
    a = -0.059 + 0.02483 * b
    inverse_alpha = HIGHER * (1.1239 + 1.1328 / (b - 3.4))
    edge = 0.5 - jnp.abs(u)
    k = jnp.floor((2 * a / edge + b) * u + mean + 0.43)
    squeezed = (edge >= 0.07) & (v <= 0.9177 - 3.6224 / (b - 2))
    inside = k >= 0
    log_probability = poisson_log_probability(jnp.where(inside, k, 0.0), mean)
    accepted = jnp.log(v * inverse_alpha / (a / (edge * edge) + b)) <= log_probability
    return k, inside & (squeezed | accepted)


def poisson_log_probability(k: Any, mean: Any) -> Any:
    """Logarithm of P(X = k), without the cancellation of k log(mean) - mean - log k!."""
    gap = k + 1 - mean
    leading = gap - (k + 0.5) * jnp.log1p(gap / mean)
    return leading - 0.5 * jnp.log(2 * np.pi * mean) - _stirling(k)


def _stirling(k: Any) -> Any:
    """What Stirling's formula about k + 1 leaves of log k!, to 4e-11: see `_STIRLING`."""
    x = k + 1
    square = x * x
    series = (1 / 12 - (1 / 360 - (1 / 1260 - 1 / 1680 / square) / square) / square) / x
    table = jnp.asarray(_STIRLING)[jnp.clip(k, 0, len(_STIRLING) - 1).astype(jnp.int32)]
    return jnp.where(k < len(_STIRLING), table, series)
