"""Binomial, Poisson and multinomial variates: the map from words to outcomes, chi-square on what is drawn.

An inversion is enumerated at the edges of its steps. A transformed rejection proposes k = floor(G(u)), and
accepts with probability c f(k) / G'(u): its law is f whatever u and v are, if that never exceeds 1 and if
the squeeze, which accepts without looking, never accepts more. Both are checked on a fine grid.

Chi-square tests raise a false alarm with probability `RATE`, and the number of draws lets the negative
control, whose distance is known, pass with probability `RATE` at most.
"""

from fractions import Fraction
from itertools import product
from math import comb, factorial

import jax
import jax.numpy as jnp
import mpmath
import numpy as np
import pytest
from scipy import stats
from scipy.optimize import brentq

from jaxsim import binomial as module
from jaxsim.binomial import binomial, inverse, inverse_poisson, log_ratio, poisson, poisson_log_probability
from jaxsim.categorical.population import resampled, words
from jaxsim.multinomial import category_at, labels, multinomial
from jaxsim.random import below, below_large, draw_key, unit

RATE = 1e-6


def key():
    return jnp.uint32(0x5EED), jnp.uint32(0xCA7)


@pytest.fixture(autouse=True)
def double():
    with jax.enable_x64(True):
        yield


def draws_for(expected, control):
    """Draws with which chi-square at `RATE` rejects data from `control` but with probability `RATE`."""
    per_draw = ((control - expected) ** 2 / expected).sum()
    degrees = len(expected) - 1
    cut = stats.chi2.isf(RATE, degrees)
    distance = brentq(lambda x: stats.ncx2.cdf(cut, degrees, x) - RATE, 1e-3, 1e5)
    return int(np.ceil(distance / per_draw))


def passes(observed, expected):
    """Whether counts of outcomes are such as `expected` gives, cells below an expectation of 10 joined."""
    total = observed.sum()
    order = np.argsort(expected)
    group = np.minimum(np.cumsum(expected[order]) * total // 10, 10**6)
    cells = np.unique(group, return_inverse=True)[1]
    o, e = (np.bincount(cells, x[order]) for x in (observed, expected * total))
    if e[0] < 5:  # the rarest outcomes, together still rare
        o, e = np.append(o[2:], o[:2].sum()), np.append(e[2:], e[:2].sum())
    return stats.chi2.sf(((o - e) ** 2 / e).sum(), len(e) - 1) > RATE


def test_uniform_numbers_lie_on_the_grid():
    top = np.uint32(2**32 - 1)
    assert float(unit((jnp.uint32(0), jnp.uint32(0)))) == 0
    assert float(unit((jnp.asarray(top), jnp.asarray(top)))) == 1 - 2.0**-53
    assert float(unit((jnp.uint32(0), jnp.asarray(np.uint32(64))))) == 2.0**-53


@pytest.mark.parametrize("n", [1, 2, 3, 1000, 40_000, 2**16])
def test_a_uniform_index_is_the_high_half_of_a_product(n):
    words = np.array([0, 1, 2**16 - 1, 2**16, 2**31, 2**32 - 1, 0xDEADBEEF, 2**32 // max(n, 2)], np.uint32)
    expected = [int(w) * n >> 32 for w in words]
    assert np.asarray(below(jnp.asarray(words), np.uint32(n))).tolist() == expected
    pairs = (jnp.asarray(words), jnp.asarray(words[::-1].copy()))
    expected = [((int(a) << 32) + int(b)) * n >> 64 for a, b in zip(words, words[::-1], strict=True)]
    assert np.asarray(below_large(pairs, np.uint32(n))).tolist() == expected


def edges(probabilities):
    """Just inside and just outside every step of a distribution function, and what lies there."""
    cumulative, places, outcomes = 0, [], []
    for k, probability in enumerate(probabilities):
        cumulative += probability
        margin = (4 * k + 8) * 2.0**-53  # k subtractions of numbers below 1, products of 4 roundings
        if margin < probability and margin < 1 - float(cumulative):
            places += [float(cumulative) - margin, float(cumulative) + margin]
            outcomes += [k, k + 1]
    return np.array(places), np.array(outcomes)


@pytest.mark.parametrize(
    ("n", "p"), [(1, 0.5), (5, 0.25), (12, 0.1), (40, 0.2), (300, 0.01), (10**6, 1e-6), (2**31, 2.0**-30)]
)
def test_inversion_steps_where_the_binomial_distribution_does(n, p):
    exact = Fraction(p)
    with mpmath.workdps(60):
        probabilities = [
            float(mpmath.binomial(n, k) * mpmath.mpf(p) ** k * (1 - mpmath.mpf(p)) ** (n - k))
            if n > 1000
            else comb(n, k) * exact**k * (1 - exact) ** (n - k)
            for k in range(min(n, 40) + 1)
        ]
    places, outcomes = edges(probabilities)
    assert len(places) >= 2
    # q^n is exp of a product whose rounding is multiplied by -n log q < 10
    found = jax.vmap(lambda u: inverse(u, float(n), p))(places)
    np.testing.assert_array_equal(found, outcomes)


@pytest.mark.parametrize("mean", [1e-9, 0.5, 3.0, 9.9])
def test_inversion_steps_where_the_poisson_distribution_does(mean):
    probabilities = [float(mpmath.exp(-mean) * mpmath.mpf(mean) ** k / factorial(k)) for k in range(40)]
    places, outcomes = edges(probabilities)
    np.testing.assert_array_equal(jax.vmap(lambda u: inverse_poisson(u, mean))(places), outcomes)


REJECTED = [
    (20, 0.5),
    (100, 0.1),
    (100, 0.3),
    (1000, 0.01),
    (1000, 0.5),
    (10**6, 0.25),
    (2**31, 1e-6),
    (2**31, 0.5),
]
U = np.concatenate([np.linspace(-0.5, 0.5, 40_001)[1:-1], 0.5 - np.geomspace(1e-7, 0.1, 2000)])


@pytest.mark.parametrize(("n", "p"), REJECTED)
def test_log_probabilities_of_the_binomial_sampler(n, p):
    deviation = np.sqrt(n * p * (1 - p))
    mode = int((n + 1) * p)
    k = np.unique(np.clip(np.round(mode + deviation * np.linspace(-7, 7, 29)), 0, n))
    with mpmath.workdps(50):

        def log_probability(j):
            j, q = mpmath.mpf(j), 1 - mpmath.mpf(p)
            parts = (mpmath.loggamma(n + 1), -mpmath.loggamma(j + 1), -mpmath.loggamma(n - j + 1))
            return sum(parts) + j * mpmath.log(p) + (n - j) * mpmath.log(q)

        expected = [float(log_probability(int(j)) - log_probability(mode)) for j in k]
    # Stirling's series to 4e-11 four times; numerators of size n p rounded, over n p and times n p
    bound = 4 * 4e-11 + 8 * 2.0**-52 * n * p + 1e-13 * np.abs(expected)
    assert np.all(np.abs(np.asarray(log_ratio(k, float(n), p)) - expected) <= bound)


@pytest.mark.parametrize(("n", "p"), REJECTED)
def test_the_binomial_proposal_lies_above_and_the_squeeze_below(n, p):
    at = jax.jit(jax.vmap(lambda u, v: module._btrs(u, v, float(n), p), (0, None)))
    deviation = np.sqrt(n * p * (1 - p))
    b = 1.15 + 2.53 * deviation
    a = -0.0873 + 0.0248 * b + 0.01 * p
    edge = 0.5 - np.abs(U)
    k = np.floor((2 * a / edge + b) * U + n * p + 0.5)
    inside = (k >= 0) & (k <= n)
    ratio = stats.binom.pmf(k, n, p) / stats.binom.pmf(np.floor((n + 1) * p), n, p)
    accept = np.where(inside, ratio * (a / edge**2 + b) / ((2.83 + 5.1 / b) * deviation), 0)
    assert accept.max() <= 1
    squeeze = 0.92 - 4.2 / b
    assert accept[edge >= 0.07].min() >= squeeze
    # the code accepts there and nowhere else: just below and just above, beyond the rounding of SciPy's pmf
    for v in (0.05, 0.3, squeeze, 0.9, 0.999):
        proposal, accepted = at(U, v)
        np.testing.assert_array_equal(proposal[inside], k[inside])
        clear = np.abs(accept - v) > 1e-5
        np.testing.assert_array_equal(np.asarray(accepted)[clear], (accept > v)[clear])


@pytest.mark.parametrize("mean", [10.0, 11.5, 15.7, 30.0, 1000.0, 1e6])
def test_the_poisson_proposal_lies_above_and_the_squeeze_below(mean):
    at = jax.jit(jax.vmap(lambda u, v: module._ptrs(u, v, mean), (0, None)))
    b = 0.931 + 2.53 * np.sqrt(mean)
    a = -0.059 + 0.02483 * b
    edge = 0.5 - np.abs(U)
    k = np.floor((2 * a / edge + b) * U + mean + 0.43)
    inside = k >= 0
    accept = np.where(
        inside,
        stats.poisson.pmf(k, mean) * (a / edge**2 + b) / (module.HIGHER * (1.1239 + 1.1328 / (b - 3.4))),
        0,
    )
    assert accept.max() <= 1
    squeeze = 0.9177 - 3.6224 / (b - 2)
    assert accept[edge >= 0.07].min() >= squeeze
    logs = np.asarray(poisson_log_probability(np.maximum(k, 0), mean))[inside]
    assert np.abs(logs - stats.poisson.logpmf(k[inside], mean))[edge[inside] > 0.01].max() < 1e-8
    for v in (0.05, squeeze, 0.9):
        _, accepted = at(U, v)
        clear = np.abs(accept - v) > 1e-5
        np.testing.assert_array_equal(np.asarray(accepted)[clear], (accept > v)[clear])


DRAWN = [(7, 0.4), (50, 0.02), (50, 0.98), (100, 0.3), (1000, 0.5), (10**5, 1e-4), (400, 0.9)]


@pytest.mark.parametrize(("n", "p"), DRAWN)
def test_binomial_counts_by_chi_square(n, p):
    values = np.arange(n + 1)
    expected = stats.binom.pmf(values, n, p)
    kept = expected > 1e-9
    law = np.append(expected[kept], max(1 - expected[kept].sum(), 1e-12))
    moved = p + (0.03 if p < 0.5 else -0.03) * np.sqrt(p * (1 - p) / n)
    shifted = stats.binom.pmf(values, n, moved)[kept]
    shifted = np.append(shifted, max(1 - shifted.sum(), 1e-12))
    count = max(draws_for(law[:-1] / law[:-1].sum(), shifted[:-1] / shifted[:-1].sum()), 200_000)
    address = jnp.arange(count, dtype=jnp.uint32)
    x = np.asarray(jax.jit(jax.vmap(lambda a: binomial(key(), a, float(n), p)))(address)).astype(int)
    seen = np.bincount(x, minlength=n + 1)
    observed = np.append(seen[kept], count - seen[kept].sum())
    assert passes(observed, law)
    assert not passes(observed, shifted)


@pytest.mark.parametrize("mean", [0.3, 8.0, 12.0, 200.0])
def test_poisson_counts_by_chi_square(mean):
    values = np.arange(int(mean + 12 * np.sqrt(mean) + 20))
    law, shifted = (stats.poisson.pmf(values, m) for m in (mean, mean + 0.03 * np.sqrt(mean)))
    law, shifted = law / law.sum(), shifted / shifted.sum()
    kept = law > 1e-9
    count = max(draws_for(law[kept] / law[kept].sum(), shifted[kept] / shifted[kept].sum()), 200_000)
    address = jnp.arange(count, dtype=jnp.uint32)
    x = np.asarray(jax.jit(jax.vmap(lambda a: poisson(key(), a, mean)))(address)).astype(int)
    observed = np.bincount(x, minlength=len(values))[: len(values)]
    assert passes(observed, law)
    assert not passes(observed, shifted)


def test_degenerate_counts():
    cases = [(0, 0.3, 0), (5, 0.0, 0), (5, 1.0, 5), (2**31, 0.0, 0), (2**31, 1.0, 2**31)]
    for n, p, expected in cases:
        assert float(binomial(key(), jnp.uint32(0), jnp.float64(n), jnp.float64(p))) == expected
    assert float(poisson(key(), jnp.uint32(0), jnp.float64(0))) == 0


def test_a_rare_event_has_its_probability():
    """n p = 1e-4 at n = 2^31: the share of draws that are not 0 is 1 - (1 - p)^n, and not twice that."""
    count, n, p = 4_000_000, 2**31, 1e-4 / 2**31
    address = jnp.arange(count, dtype=jnp.uint32)
    x = np.asarray(jax.jit(jax.vmap(lambda a: binomial(key(), a, float(n), p)))(address))
    hits, mean = (x > 0).sum(), -count * np.expm1(n * np.log1p(-p))
    low, high = stats.poisson.ppf([RATE / 2, 1 - RATE / 2], mean)
    assert low <= hits <= high
    assert hits < stats.poisson.ppf(RATE / 2, 2 * mean)


COMPOSITIONS = [(4, (0.5, 0.3, 0.2)), (3, (0.25, 0.0, 0.7, 0.05)), (5, (0.0, 0.4, 0.6)), (2, (0.2,) * 5)]


@pytest.mark.parametrize("method", ["halving", "points"])
@pytest.mark.parametrize(("n", "weights"), COMPOSITIONS)
def test_all_outcomes_of_small_multinomials(n, weights, method):
    """Every composition of n against its probability; independent binomials, which miss n, are rejected."""
    k = len(weights)
    outcomes = [x for x in product(range(n + 1), repeat=k) if sum(x) == n]
    shares = [Fraction(w).limit_denominator(10**6) for w in weights]
    law = np.array(
        [
            float(factorial(n) * np.prod([s**c / factorial(c) for s, c in zip(shares, x, strict=True)]))
            for x in outcomes
        ]
    )
    possible = law > 0
    moved = np.array(weights) * (1 + 0.05 * (-1.0) ** np.arange(k))
    control = np.array([stats.multinomial.pmf(x, n, moved / moved.sum()) for x in outcomes])[possible]
    law = law[possible]
    count = max(draws_for(law, control), 50_000)
    draw = jax.jit(
        jax.vmap(
            lambda r: multinomial(draw_key(key(), 0, r), float(n), jnp.array(weights) * 3, method, n + 2)
        )
    )
    found = np.asarray(draw(jnp.arange(count, dtype=jnp.uint32))).astype(int)
    assert (found.sum(1) == n).all()
    code = found @ (n + 1) ** np.arange(k)
    codes = np.array(outcomes)[possible] @ (n + 1) ** np.arange(k)
    observed = np.array([(code == c).sum() for c in codes])
    assert observed.sum() == count
    assert passes(observed, law)
    assert not passes(observed, control / control.sum())


@pytest.mark.parametrize("method", [pytest.param("halving", marks=pytest.mark.slow), "points", "resampled"])
def test_large_multinomials_category_by_category_and_in_pairs(method):
    """Each count is binomial, and so is that of any set of categories: means and variances of 30 of them."""
    n, k, count = 1000, 300, 4000
    population = np.sort(np.random.default_rng(5).integers(0, k, n))
    weights = jnp.asarray(np.bincount(population, minlength=k) / n)
    replicates = jnp.arange(count, dtype=jnp.uint32)
    if method == "resampled":
        state = jnp.broadcast_to(jnp.asarray(population).reshape(2, -1, 1), (2, n // 2, count))
        own = jax.vmap(lambda r: draw_key(key(), 1, r))(replicates)
        found = resampled(words(own, n), n, state)
        found = np.stack([np.bincount(x, minlength=k) for x in np.asarray(found).reshape(n, count).T])
    else:
        draw = jax.jit(jax.vmap(lambda r: multinomial(draw_key(key(), 1, r), float(n), weights, method, n)))
        found = np.asarray(draw(replicates))
    assert (found.sum(1) == n).all()
    assert (found[:, np.asarray(weights) == 0] == 0).all()
    sets = np.random.default_rng(6).random((30, k)) < np.linspace(0.02, 0.98, 30)[:, None]
    share = sets @ np.asarray(weights)
    sums = found @ sets.T
    cut = stats.norm.isf(RATE / 120)
    z = (sums.mean(0) - n * share) / np.sqrt(n * share * (1 - share) / count)
    ratio = sums.var(0, ddof=1) / (n * share * (1 - share))
    spread = np.sqrt(2 / count)
    assert np.abs(z).max() < cut
    assert np.abs(ratio - 1).max() < cut * spread
    # independent counts have variance n sum w (1 - w) on a set, too much by far on a large one
    independent = np.random.default_rng(7).binomial(n, np.asarray(weights), (count, k)) @ sets.T
    ratio = independent.var(0, ddof=1) / (n * share * (1 - share))
    assert np.abs(ratio - 1).max() > cut * spread


def test_every_point_has_the_category_its_uniform_falls_on():
    weights = jnp.array([0.0, 0.25, 0.0, 0.5, 0.25, 0.0])
    uniform = jnp.array([0.0, 0.25 - 2.0**-53, 0.25, 0.75 - 2.0**-53, 0.75, 1 - 2.0**-53])
    assert category_at(uniform, jnp.cumsum(weights)).tolist() == [1, 1, 3, 3, 4, 4]
    assert set(np.asarray(labels(key(), 1000, weights)).tolist()) == {1, 3, 4}
