"""Equilibria, urns, sharpening and Zipf tails: closed forms against recursion, enumeration, quadrature."""

import itertools
import math
from fractions import Fraction
from math import comb, inf

import enumerated_categories as enumerated
import mpmath
import numpy as np
import pytest
import sympy as sp

from theory.categorical import mixing, pair, sharpening, urn, zipf
from theory.categorical import wright_fisher as chain
from theory.categorical.derivation import N, P, T, derivation, heterozygosity
from theory.categorical.extinction_exponent import immigration_exponents, immigration_limit
from theory.categorical.reading import statistics
from theory.discrete_source import Categorical
from theory.estimator import Smoothed
from theory.loop import Loop
from theory.metrics import vendi as metrics_vendi
from theory.policy import Fixed, Fresh, Replace

SHARES = (0.5, 0.3, 0.2)
SOURCE = Categorical(SHARES)
PI = sum(p * p for p in SHARES)


def identity_recursion(step, generations=20_000):
    """F = E sum p^2 iterated from the source, by the probability that two points are of one category."""
    f = PI
    for _ in range(generations):
        f = step(f)
    return f


@pytest.mark.parametrize(("n", "pseudo"), [(5, 0.5), (30, 4.0), (1000, 2.0)])
def test_smoothing_equilibrium(n, pseudo):
    m = pseudo / (n + pseudo)
    expected = mixing.equilibrium(mixing.smoothed_concentration(n, pseudo), PI)
    assert abs(mixing.smoothed_concentration(n, pseudo) - n * ((1 - m) ** -2 - 1)) < 1e-9 * n

    def step(f):
        # E p' p' over two draws: each from the counts with probability 1 - m; counts match as one point does
        return (1 - m) ** 2 * (f + (1 - f) / n) + 2 * m * (1 - m) * PI + m * m * PI

    assert abs(identity_recursion(step) - expected) < 1e-12
    found = statistics(Loop(SOURCE, Replace(n), Smoothed(pseudo)), ["heterozygosity"], (inf,))
    assert abs(found["heterozygosity"].mean[0] - (1 - expected)) < 1e-12


@pytest.mark.parametrize(("real", "synthetic"), [(1, 3), (3, 27), (50, 50)])
def test_mixing_equilibria(real, synthetic):
    n = real + synthetic
    m = Fraction(real, n)
    split = mixing.equilibrium(mixing.split_concentration(n, float(m)), PI)
    found = statistics(Loop(SOURCE, Fresh(real, synthetic)), ["heterozygosity"], (inf,))
    assert abs(found["heterozygosity"].mean[0] - (1 - split)) < 1e-12

    def step(f):
        # two of n points: the same one, two real, two synthetic, one of each
        same = real * PI * (real - 1) + 2 * real * synthetic * PI + synthetic * (synthetic - 1) * f
        return (n + same) / n**2

    assert abs(identity_recursion(step) - split) < 1e-12
    mixed = mixing.equilibrium(mixing.iid_concentration(n, float(m)), PI)
    found = statistics(Loop(SOURCE, Fresh(real, synthetic, "iid")), ["heterozygosity"], (inf,))
    assert abs(found["heterozygosity"].mean[0] - (1 - mixed)) < 1e-12


def test_a_dirichlet_has_this_mean_square():
    theta, shares = sp.Symbol("theta", positive=True), sp.symbols("a b", positive=True)
    # E p_i^2 of Dirichlet(theta pi) is pi_i (theta pi_i + 1) / (theta + 1)
    square = sum(share * (theta * share + 1) / (theta + 1) for share in shares)
    form = (1 + theta * sum(share**2 for share in shares)) / (1 + theta)
    assert sp.simplify((square - form).subs(shares[1], 1 - shares[0])) == 0


def test_a_fixed_real_set():
    loop = Loop(SOURCE, Fixed(6, 14))
    generations = (1, 2, 5, 40, inf)
    found = statistics(loop, ["l2_squared"], generations)["l2_squared"].mean
    first = (1 - PI) / 6
    for place, g in enumerate(generations):
        moved = mixing.anchored_equilibrium(6, 14, PI) if g == inf else mixing.anchored_distance(6, 14, PI, g)
        assert abs(found[place] - first - moved) < 1e-14  # the two errors are uncorrelated
    history = enumerated.history(
        enumerated.exact(SHARES), 3, enumerated.fixed(enumerated.exact(SHARES), 3, 2)
    )
    for g, law in enumerate(history, 1):
        apart = sum(
            probability * sum((i - Fraction(j, 3)) ** 2 for i, j in zip(model, anchor, strict=True))
            for (model, anchor), probability in law.items()
        )
        assert abs(mixing.anchored_distance(3, 2, PI, g) - float(apart)) < 1e-14
        one = enumerated.expectation(law, lambda x: sum(abs(i - j) for i, j in zip(x, SHARES, strict=True)))
        square = enumerated.expectation(law, enumerated.observables(enumerated.exact(SHARES))["l2_squared"])
        assert float(one) <= mixing.l1_bound(3, float(square))


def test_accumulating_with_fresh_real_points():
    source = enumerated.exact(SHARES)
    history = enumerated.history(source, 3, enumerated.web(source, 3, 1, 2))
    error = None
    for g, law in enumerate(history, 1):
        if g == 1:
            error = (1 - PI) / 3
        else:
            error = mixing.accumulated_error_step(error, 1 - PI, 3 * (g - 1), 1, 2)
        exact = enumerated.expectation(law, enumerated.observables(source)["l2_squared"])
        assert abs(error - float(exact)) < 1e-14


@pytest.mark.parametrize("real", [1, 2, 8])
def test_the_rate_of_a_refreshed_web(real):
    """D_t t^min(2r,1) levels off (r = 1/2 has a logarithm and is left out).

    What decays faster is t^-1 against t^-2r, or the other way round: the slope over a decade is off by a
    multiple of t^-|1-2r|, the power to the nearest half.
    """
    error, pool, seen = 0.5, 10, {}
    for t in range(1, 2_000_001):
        error = mixing.accumulated_error_step(error, 0.6, pool, real, 10 - real)
        pool += 10
        if t in (20_000, 200_000, 2_000_000):
            seen[t] = math.log10(error)
    rate = mixing.decay_rate(real / 10)
    off, beyond = (seen[t] - seen[10 * t] - rate for t in (20_000, 200_000))
    assert abs(math.log10(off / beyond) - abs(1 - 2 * real / 10)) < 1 / 4


def test_rare_classes_beside_real_points():
    """Poisson immigration against the exact chain: order 1/n at n p fixed."""
    m, count = Fraction(1, 10), 2.0
    expected = np.exp(-count * immigration_exponents(float(m), [5, 60]))
    gap = []
    for n in (100, 400):
        p = count / n
        loop = Loop(Categorical((p, 1 - p)), Fresh(n // 10, n - n // 10, "iid"))
        gap.append(np.abs(statistics(loop, ["extinct"], (5, 60))["extinct"].mean[:, 0] - expected))
    # the power of n, to the nearest half
    assert (np.round(2 * np.log(gap[0] / gap[1]) / np.log(4)) == 2).all()
    assert abs(immigration_exponents(0.1, [400])[0] - immigration_limit(0.1)) < 1e-13


def test_urns_of_equal_batches():
    for first, batch in ((10, 10), (25, 10), (3, 7), (8, 1)):
        for batches in (0, 1, 40):
            expected = (1 - 1 / first) * urn.retained([batch] * batches, first)
            assert abs(urn.retained_evenly(first, batch, batches) - expected) < 1e-14
        late = urn.retained_evenly(first, batch, 10**7)
        assert abs(late - urn.retained_evenly(first, batch, inf)) < 1e-6
    for n in (2, 10, 1000):
        z = math.pi / math.sqrt(n)
        assert abs(urn.retained_evenly(n, n, inf) - math.sin(z) / z) < 1e-14
    assert abs(urn.retained_evenly(6, 1, inf) - (1 - 1 / 6) * 6 / 7) < 1e-14


def test_the_third_eigenfunction_of_an_urn():
    n, counts = 4, (3, 2)
    total = Fraction(0)
    for drawn, p in enumerated.drawn(n, enumerated.shares_of(counts)).items():
        x = Fraction(counts[0] + drawn[0], 9)
        total += p * x * (1 - x) * (1 - 2 * x)
    x = Fraction(3, 5)
    assert abs(float(total / (x * (1 - x) * (1 - 2 * x))) - urn.third_eigenfunction_factor(n, 9)) < 1e-15


def test_the_urn_of_single_points_is_polyas():
    """E p^3 of Dirichlet(N_0) against the urn's own moments, far out."""
    pool = (2, 3)
    law = {pool: 1.0}
    for _ in range(400):
        grown = {}
        for (i, j), p in law.items():
            for key, q in (((i + 1, j), i / (i + j)), ((i, j + 1), j / (i + j))):
                grown[key] = grown.get(key, 0.0) + p * q
        law = grown
    cube = sum(p * (i / (i + j)) ** 3 for (i, j), p in law.items())
    dirichlet = Fraction(2 * 3 * 4, 5 * 6 * 7)
    assert abs(cube - float(dirichlet)) < 3 / 400


def test_subsamples_keep_a_share_for_ever():
    for n in (2, 3, 10, 50):
        pool, model = urn.subsampled(n, inf)
        late = urn.subsampled(n, 20_000)
        assert abs(late[0] - pool) < 1e-4
        assert abs(late[1] - model) < 1e-4
        assert model > 0


def test_tempered_nucleus_and_top_shares_of_two():
    for x in (0.05, 0.31, 0.5, 0.77):
        assert abs(sharpening.tempered(x, 0.7) - sharpening.tempered_shares([x, 1 - x], 0.7, 1)[0]) < 1e-15
        assert abs(sharpening.nucleus(x, 0.8) - sharpening.nucleus_shares([x, 1 - x], 0.8)[0]) < 1e-15
    p = np.array([0.1, 0.4, 0.2, 0.3])
    np.testing.assert_allclose(sharpening.top_shares(p, 2), [0, 4 / 7, 0, 3 / 7])
    repeated = p
    for _ in range(5):
        repeated = sharpening.tempered_shares(repeated, 0.9, 1)
    np.testing.assert_allclose(repeated, sharpening.tempered_shares(p, 0.9, 5), rtol=1e-14)


def test_zipf_stays_zipf_under_temperature():
    rank = np.arange(1, 50)
    after = sharpening.tempered_shares(rank**-1.2 / np.sum(rank**-1.2), 0.8, 3)
    exponent = -np.diff(np.log(after)) / np.diff(np.log(rank))
    np.testing.assert_allclose(exponent, 1.2 * 0.8**-3, rtol=1e-11)


def test_nucleus_maps_against_sorting():
    shares = np.full(200, 1 / 200)
    left = 200
    for _ in range(30):
        shares = sharpening.nucleus_shares(shares, 0.9)
        left = sharpening.uniform_nucleus(left, 0.9)
        assert (shares > 0).sum() == left
    ratio = 0.97
    shares = ratio ** np.arange(400)
    shares /= shares.sum()
    left = sharpening.geometric_nucleus(ratio, 400, 0.9)
    shares = sharpening.nucleus_shares(shares, 0.9)
    for _ in range(30):
        assert (shares > 0).sum() == left
        shares = sharpening.nucleus_shares(shares, 0.9)
        left = sharpening.geometric_nucleus(ratio, left, 0.9)


def test_curation_against_enumeration():
    gap, candidates = 1.0, 4
    for x in (0.0, 0.2, 0.9):
        total = 0.0
        for points in itertools.product((True, False), repeat=candidates):
            chance = math.prod(x if good else 1 - x for good in points)
            weights = [math.exp(gap) if good else 1.0 for good in points]
            total += chance * sum(w for w, good in zip(weights, points, strict=True) if good) / sum(weights)
        assert abs(sharpening.curated(x, candidates, gap) - total) < 1e-14
        best = 1 - (1 - x) ** candidates
        assert abs(sharpening.best_of(x, candidates) - best) < 1e-14
        assert abs(sharpening.curated(x, candidates, 60.0) - best) < 1e-14
    many = sharpening.curated(0.3, 900, 0.5)
    assert abs(many - sharpening.tilted(0.3, 0.5)) < 1 / 900
    odds = sharpening.tilted(0.3, 0.5)
    assert abs(odds / (1 - odds) - 0.3 / 0.7 * math.exp(0.5)) < 1e-14


def test_the_tilted_equilibrium_is_a_fixed_point():
    for gap, m, source in ((0.5, 0.1, 0.2), (-0.7, 0.3, 0.6), (2.0, 0.9, 0.1), (0.0, 0.2, 0.4)):
        p = source
        for _ in range(5000):
            p = m * source + (1 - m) * float(sharpening.tilted(p, gap))
        assert abs(sharpening.tilted_equilibrium(gap, m, source) - p) < 1e-12


def _fixed(n, share, response):
    return pair.fixation(n, share, response)


def test_fixation_under_temperature_comes_closer():
    """At 2 n s fixed the diffusion's error is of order 1/n."""
    error = []
    for n in (50, 200):
        temperature = 1 / (1 + 2 / n)
        exact = _fixed(n, 0.4, lambda x, t=temperature: sharpening.tempered(x, t))
        error.append(abs(sharpening.tempered_fixation(n, 0.4, temperature) / exact - 1))
    assert error[1] < error[0] / 3
    hot = sharpening.tempered_fixation(100, 0.3, 1.02)
    assert abs(hot / _fixed(100, 0.3, lambda x: sharpening.tempered(x, 1.02)) - 1) < 0.02


def test_fixation_with_an_advantage_comes_closer():
    error = []
    for n in (50, 200):
        s = 2 / n
        exact = _fixed(n, 0.1, lambda x, s=s: sharpening.tilted(x, math.log1p(s)))
        error.append(abs(sharpening.kimura_fixation(n, 0.1, s) / exact - 1))
    assert error[1] < error[0] / 3
    exact = _fixed(50, 0.02, lambda x: sharpening.tilted(x, math.log(1.2)))
    assert abs(sharpening.kimura_fixation(50, 0.02, math.log(1.2)) / exact - 1) < abs(
        sharpening.kimura_fixation(50, 0.02, 0.2) / exact - 1
    )
    assert sharpening.kimura_fixation(50, 0.3, 0) == 0.3
    assert abs(pair.fixation(20, 0.3, lambda x: x) - 0.3) < 1e-14


def test_nucleus_times_and_survival_come_closer():
    """Overshoot past the boundary, of order n^-1/2."""
    times, survival = [], []
    for n in (100, 400, 1600):
        response = lambda x: sharpening.nucleus(x, 0.9)  # noqa: E731
        exact = pair.passage_time(n, 0.3, response, 1)[0]
        times.append(abs(sharpening.nucleus_time(n, 0.3, 0.9) / exact - 1))
        survival.append(abs(sharpening.nucleus_survival(0.3, 0.9) / pair.fixation(n, 0.3, response) - 1))
    for error in (times, survival):
        assert error[0] > 1.6 * error[1] > 1.6**2 * error[2]


def test_stationary_mean_under_temperature_and_real_points():
    temperature, m, source = 0.97, 0.05, 0.3
    error = []
    for scale in (1, 4):
        n = 75 * scale
        s = (1 / temperature - 1) / scale
        t, real = 1 / (1 + s), m / scale
        share = np.arange(n + 1) / n
        rows = chain.binomial_rows(n, real * source + (1 - real) * sharpening.tempered(share, t)).toarray()
        system = np.vstack([rows.T - np.eye(n + 1), np.ones(n + 1)])
        law = np.linalg.lstsq(system, np.append(np.zeros(n + 1), 1.0), rcond=None)[0]
        exact = law @ share
        error.append(abs(sharpening.tempered_stationary_mean(n, source, t, real) / exact - 1))
    assert error[1] < error[0] / 3
    neutral = sharpening.tempered_stationary_mean(100, 0.3, 1.0, 0.1)
    assert abs(neutral - 0.3) < 1e-8  # a Beta law's mean


def test_temperature_with_real_points_loses_stability_where_stated():
    m, k = 0.1, 5
    nudged = np.full(k, 1 / k) + np.array([1e-6] + [-1e-6 / (k - 1)] * (k - 1))
    source = np.full(k, 1 / k)
    limit = sharpening.stable_temperature(m)
    calm = sharpening.tempered_with_real(nudged, source, limit + 0.02, m, 3000)
    wild = sharpening.tempered_with_real(nudged, source, limit - 0.02, m, 3000)
    assert abs(calm[0] - 1 / k) < 1e-12
    assert wild[0] > 0.5
    assert abs(sharpening.dominant_equilibrium(k, limit - 0.02, m) - wild[0]) < 1e-9


RANK = np.arange(1, 31)
ZIPF = RANK**-1.4 / np.sum(RANK**-1.4)


def test_missing_mass_against_other_routes():
    found = zipf.missing_mass(ZIPF, 25, [1, 2])
    first = sum(p * (1 - p) ** 25 for p in ZIPF)
    second = sum(
        p * sum(comb(25, j) * p**j * (1 - p) ** (25 - j) * (1 - j / 25) ** 25 for j in range(26))
        for p in ZIPF
    )
    np.testing.assert_allclose(found, [first, second], rtol=1e-13)
    assert (zipf.missing_mass_by_exponent(ZIPF, 25, [1, 2]) >= found).all()


def test_the_tail_constant_against_a_sum():
    """sum p exp(-n p) over a long list, continued by its integral, as n grows: order n^(-1/b) relative."""
    b = 1.5
    c = zipf.normalisation(b)
    error = []
    for n in (10**3, 10**5):
        with mpmath.workdps(20):
            exact = mpmath.nsum(
                lambda k, n=n: c * k**-b * mpmath.exp(-n * c * k**-b), [1, 20_000]
            ) + mpmath.quad(
                lambda k, n=n: c * k**-b * mpmath.exp(-n * c * k**-b), [20_000.5, 10**6, 10**9, mpmath.inf]
            )
        error.append(abs(zipf.asymptotic_missing_mass(b, n, [1])[0] / float(exact) - 1))
    assert error[1] < max(error[0], 1e-3)
    assert error[1] < 1e-3


def test_support_of_zipf_samples():
    b, n = 2.0, 10**5
    c = zipf.normalisation(b)
    exact = float(np.sum(-np.expm1(n * np.log1p(-c * np.arange(1, 4_000_000, dtype=float) ** -b))))
    tail = n * c / 4_000_000  # those beyond are seen with probability n p
    # beyond the half, what is left out is smaller than any power of 1/n; the tail's own error is (n p)^2 / 2
    assert abs(zipf.asymptotic_support(b, n) - exact - tail) < 1e-3


def test_exogenous_contexts():
    p, n, t = Fraction(1, 5), 3, 2
    seen = 1 - (1 - p) ** n
    expected = float(p * (1 - seen**t) + (1 - p) * (1 - (1 - p**n) ** t))
    assert abs(zipf.exogenous_error([0.2, 0.8], n, t) - expected) < 1e-14
    # the growth of the asymptotic error, as an integral
    c = 1 - 1 / 1.5
    for t in (1, 7, 60):
        with mpmath.workdps(25):
            integral = mpmath.quad(
                lambda u, t=t: (1 - (1 - mpmath.exp(-u)) ** t) * u ** (c - 1), [0, 1, 5, 20, mpmath.inf]
            ) / mpmath.gamma(c)
        assert abs(zipf.exogenous_growth(1.5, t) - float(integral)) < 1e-6
    gap = [
        abs(zipf.exogenous_growth(1.5, t) / zipf.asymptotic_exogenous_growth(1.5, t) - 1)
        for t in (10, 100, 1000)
    ]
    assert gap[0] > gap[1] > gap[2]


def test_a_cut_tail():
    p, n, k = (Fraction(1, 2), Fraction(3, 10), Fraction(1, 5)), 3, 2
    head = p[0] + p[1]
    expected = sum(share * (1 - share / head) ** n for share in p[:k]) + p[2]
    assert abs(zipf.cut_error([0.5, 0.3, 0.2], n, k) - float(expected)) < 1e-15


def test_the_derivation_is_sympys():
    found = derivation(4)
    rate_3, rate_4 = found.eigenvalues[2:]
    x3 = (P * (1 - P) * (1 - 2 * P) * rate_3**T - P + 3 * (P - P * (1 - P) * found.eigenvalues[1] ** T)) / 2
    assert sp.simplify(found.moments[2] - x3) == 0
    a = (5 * N - 6) / (N - 1)
    ratio = sp.simplify(found.eigenfunctions[3] / (P * (1 - P) * (1 - a * P * (1 - P))))
    assert not ratio.has(P)
    assert rate_4 == sp.factor((N - 1) * (N - 2) * (N - 3) / N**3)
    assert sp.simplify(heterozygosity() - (1 - 1 / N) ** T) == 0
    assert r"\lambda_{3}" in found.latex()
    law = enumerated.history(enumerated.exact((0.3, 0.7)), 3, enumerated.replace([5] * 3))[-1]
    for k in range(1, 5):
        exact = enumerated.expectation(law, lambda x, k=k: x[0] ** k)
        assert found.moments[k - 1].subs({N: 5, T: 3, P: sp.Rational(3, 10)}) == sp.Rational(
            exact.numerator, exact.denominator
        )


def test_products_of_distinct_categories():
    """E prod_{i in S} p_i = lambda_|S|^t prod p_i."""
    n, t = 5, 3
    law = enumerated.history(enumerated.exact(SHARES), t, enumerated.replace([n] * t))[-1]
    exact = enumerated.expectation(law, lambda x: x[0] * x[1] * x[2])
    rate = Fraction((n - 1) * (n - 2), n * n)
    assert exact == rate**t * Fraction(1, 2) * Fraction(3, 10) * Fraction(1, 5)


def test_effective_numbers_of_modes():
    """What the effective numbers of modes are made of, at every outcome of every draw."""
    source = enumerated.exact(SHARES)
    history = enumerated.history(source, 3, enumerated.replace([5] * 3))
    squares, entropy, count = metrics_vendi.modes_in_loop(SHARES, 5, (1, 2, 3))
    for place, law in enumerate(history):

        def mean(measure, law=law):
            return float(enumerated.expectation(law, lambda x: measure([float(s) for s in x])))

        assert abs(squares[place] - mean(lambda p: sum(s * s for s in p))) < 1e-12
        assert abs(entropy[place] - mean(lambda p: -sum(s * math.log(s) for s in p if s))) < 1e-12
        assert abs(count[place] - mean(lambda p: sum(s > 0 for s in p))) < 1e-12
