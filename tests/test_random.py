"""Words against published vectors, normals and chi-squares against their laws.

Laws are compared by the Dvoretzky-Kiefer-Wolfowitz-Massart inequality (Massart 1990): a distance above
sqrt(log(2 / alpha) / 2N) has probability alpha at most, at any law. The number of draws is such that the
negative control, whose distance is known, passes with probability 1e-6 at most.
"""

import jax
import jax.numpy as jnp
import mpmath
import numpy as np
import pytest
from jax.extend.random import threefry_2x32
from scipy import stats
from scipy.special import polygamma

from jaxsim import chi_square
from jaxsim.random import LARGEST_NORMAL, generation_key, normal_pair, stream_key, threefry, truncated_normal

RATE = 1e-6
DEGREES = [*range(1, 13), 19, 99, 999, 9999, 10**6, 10**9]
DRAWS = 500_000
GRID = np.linspace(0.002, 0.998, 499)


def band(draws, rate=RATE):
    return np.sqrt(np.log(2 / rate) / (2 * draws))


def words(draws, address):
    key = stream_key(0, address, "exact")
    counter = (jnp.arange(draws, dtype=jnp.uint32), jnp.uint32(0))
    return threefry((key[0], key[1]), counter)


def distance(samples, quantiles):
    """sup |F_N - F| over the grid; `quantiles` are those of F there."""
    found = np.searchsorted(np.sort(samples), quantiles, side="right") / len(samples)
    return np.abs(found - GRID).max()


@pytest.mark.parametrize(
    ("counter", "key", "expected"),
    [
        ((0, 0), (0, 0), (0x6B200159, 0x99BA4EFE)),
        ((0xFFFFFFFF, 0xFFFFFFFF), (0xFFFFFFFF, 0xFFFFFFFF), (0x1CB996FC, 0xBB002BE7)),
        ((0x243F6A88, 0x85A308D3), (0x13198A2E, 0x03707344), (0xC4923A9C, 0x483DF7A0)),
    ],
)
def test_threefry_gives_the_known_answers_of_random123(counter, key, expected):
    found = threefry(tuple(map(jnp.uint32, key)), tuple(map(jnp.uint32, counter)))
    assert tuple(map(int, found)) == expected


def test_threefry_is_that_of_jax():
    rng = np.random.default_rng(1)
    key, counter = rng.integers(0, 2**32, (2,), np.uint32), rng.integers(0, 2**32, (2, 1000), np.uint32)
    found = threefry((key[0], key[1]), (jnp.asarray(counter[0]), jnp.asarray(counter[1])))
    np.testing.assert_array_equal(
        jnp.concatenate(found), threefry_2x32(jnp.asarray(key), jnp.asarray(counter.ravel()))
    )


def test_streams_are_pinned_and_distinct():
    """These words must never change: results on disk name them by seed and loop."""
    keys = [stream_key(s, h, e) for s in (0, 1, 2**63) for h in (0, 2**64 - 1) for e in ("exact", "literal")]
    assert len({tuple(map(int, key)) for key in keys}) == len(keys)
    assert [hex(word) for word in stream_key(0, 0, "exact")] == ["0xa0d6e4a4", "0xe5b62047"]
    key = jnp.asarray(stream_key(7, 11, "literal"))
    found = threefry(generation_key(key, jnp.uint32(3)), (jnp.uint32(5), jnp.uint32(9)))
    assert [hex(int(word)) for word in found] == ["0x3a0ce90f", "0xa6a009ac"]


def test_normal_pairs_are_box_muller_to_rounding():
    found = words(100_000, 1)
    with jax.enable_x64(True):
        turn = {name: jnp.asarray(2.0**32, name) for name in ("float32", "float64")}
        single, double = (np.stack(normal_pair(found, t)).astype(float) for t in turn.values())
    u, v = (np.asarray(word).astype(float) for word in found)
    radius, angle = np.sqrt(-2 * np.log((u + 0.5) / 2**32)), 2 * np.pi * v / 2**32
    exact = radius * np.stack([np.cos(angle), np.sin(angle)])
    assert np.abs(double - exact).max() < 1e-12
    # about ten roundings of a number below the radius, and 2^-24 of u, near 1 half as much of r^2
    assert (np.abs(single - exact) < 16 * 2.0**-24 * (radius + 1 / radius)).all()
    assert np.abs(exact).max() < LARGEST_NORMAL


def test_normals_have_their_law_and_one_of_another_width_has_not():
    quantiles = stats.norm.ppf(GRID)
    wrong = np.abs(stats.norm.cdf(quantiles / 1.03) - GRID).max()
    assert 2 * band(2 * DRAWS) < wrong
    pair = np.stack(normal_pair(words(DRAWS, 2), jnp.float32(2**32)))
    assert distance(pair.ravel(), quantiles) < band(2 * DRAWS)
    assert distance(1.03 * pair.ravel(), quantiles) > band(2 * DRAWS)
    z = pair.prod(0).mean() * np.sqrt(DRAWS)
    assert abs(z) < stats.norm.isf(RATE / 2)


@pytest.mark.parametrize("cut", [0.1, 1.0, 4.0, 9.0])
def test_truncated_normals_have_their_law(cut):
    law = stats.truncnorm(-cut, cut)
    mass = jnp.float32(stats.norm.cdf(cut) - stats.norm.cdf(-cut))
    samples = np.concatenate([truncated_normal(word, mass) for word in words(DRAWS, 3)])
    assert np.isfinite(samples).all()
    assert np.abs(samples).max() <= np.float32(cut)
    assert distance(samples, law.ppf(GRID)) < band(len(samples))
    assert distance(1.03 * samples, law.ppf(GRID)) > band(len(samples))


def deviations(nu, x):
    table = chi_square.fit(np.array([nu]))
    with jax.enable_x64(True):
        return np.asarray(chi_square.deviation(jnp.asarray(table.rows[0]), jnp.asarray(x))), table.centre[0]


@pytest.mark.parametrize("nu", [*(nu for nu in DEGREES if nu < 10**5), 18, 39, 40, 98, 1000, 49_999, 50_001])
def test_chi_square_polynomials_keep_their_error(nu):
    x = np.linspace(-LARGEST_NORMAL, LARGEST_NORMAL, 4001)
    error = np.abs(deviations(nu, x)[0] - chi_square.quantile(np.array(float(nu)), x)).max()
    # the rounding of SciPy's quantile, which is near 1
    assert error < chi_square.FIT_ERROR * np.sqrt(polygamma(1, nu / 2)) + 1e-13


@pytest.mark.parametrize("nu", [50_001, 10**6, 10**9, 2**53])
def test_large_chi_squares_keep_their_error_against_temme(nu):
    """SciPy fails beyond 4.5 deviations here; Temme (1979, doi:10.1137/0510071) with two terms does not.

    Q(a, a lam) = erfc(eta sqrt(a/2)) / 2 + R, eta^2/2 = lam - 1 - log lam.
    """
    x = np.array([-6.7, -5.0, -3.0, 0.5, 2.0, 4.0, 6.7])
    found, centre = deviations(nu, x)
    with mpmath.workdps(60):
        a = mpmath.mpf(nu) / 2
        for normal, log_ratio in zip(x, found, strict=True):
            w = mpmath.mpf(log_ratio) + mpmath.mpf(centre)
            v = mpmath.expm1(w)
            eta = mpmath.sign(w) * mpmath.sqrt(2 * (v - w))
            terms = 1 / v - 1 / eta, 1 / eta**3 - 1 / v**3 - 1 / v**2 - 1 / (12 * v)
            rest = mpmath.exp(-a * eta**2 / 2) / mpmath.sqrt(2 * mpmath.pi * a) * (terms[0] + terms[1] / a)
            tail = mpmath.erfc(abs(eta) * mpmath.sqrt(a / 2)) / 2 + mpmath.sign(eta) * rest
            exact = mpmath.findroot(
                lambda y, tail=tail: mpmath.log(mpmath.erfc(y / mpmath.sqrt(2)) / 2) - mpmath.log(tail),
                abs(normal),
            )
            assert abs(exact - abs(normal)) < chi_square.FIT_ERROR


def test_chi_square_polynomials_are_the_same_in_company():
    """A row fitted among others differs by leading zeros and repeated pieces only."""
    together = chi_square.fit(np.array(DEGREES))
    x = jnp.linspace(-6, 6, 1001, dtype=jnp.float32)
    for nu, row in zip(DEGREES, together.rows, strict=True):
        alone = chi_square.fit(np.array([nu])).rows[0]
        both = (chi_square.deviation(jnp.asarray(r, jnp.float32), x) for r in (row, alone))
        np.testing.assert_array_equal(*both)


@pytest.mark.parametrize("nu", DEGREES)
def test_log_chi_squares_have_their_law_and_moments_and_another_nu_has_not(nu):
    other = max(nu + 1, round(1.1 * nu))
    table = chi_square.fit(np.array([nu, other]))
    x = jnp.concatenate(normal_pair(words(DRAWS // 2, nu), jnp.float32(2**32)))
    spread = np.sqrt(polygamma(1, nu / 2))
    # standardised by this nu's mean and spread, from quantiles that SciPy finds through chi2.ppf
    quantiles = (np.log(stats.chi2.ppf(GRID, nu) / nu) - table.centre[0]) / spread
    right, wrong = (
        np.asarray(chi_square.deviation(jnp.asarray(row, jnp.float32), x)).astype(float) for row in table.rows
    )
    right = right / spread
    # the other law is compared at its own centre: its width alone gives it away
    wrong = wrong / spread
    width = np.sqrt(polygamma(1, other / 2)) / spread
    assert 2 * band(DRAWS) < np.abs(stats.norm.cdf(stats.norm.ppf(GRID) * width) - GRID).max()
    assert distance(right, quantiles) < band(DRAWS)
    assert distance(wrong, quantiles) > band(DRAWS)

    kurtosis = 3 + polygamma(3, nu / 2) / spread**4
    threshold = stats.norm.isf(RATE / 4)

    def scores(samples):
        moments = np.array([samples.mean(), (samples**2).mean() - 1])
        return np.abs(moments) * np.sqrt(DRAWS) / np.array([1, np.sqrt(kurtosis - 1)])

    assert (scores(right) < threshold).all()
    assert scores(wrong)[1] > threshold
