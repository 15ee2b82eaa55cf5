"""Mixtures in theory, against enumeration in exact fractions, quadrature and recursions written elsewhere."""

from fractions import Fraction
from math import comb, factorial, pi

import numpy as np
import pytest
from scipy import integrate, stats

from theory.estimator import MaximumLikelihood, Unbiased
from theory.loop import Loop, Replace
from theory.mixture import reading as mixture
from theory.mixture.counts import LARGEST_CHAIN, one_step
from theory.mixture.parts import Parts, parts
from theory.mixture.selection import kept, nearest_of_pool
from theory.mixture.total_variance import floored, share_moments, split_stationary
from theory.policy import Accumulate, Fixed, Fresh, Window
from theory.predict import predict
from theory.sampler import Sampler
from theory.source import Mixture

ROUNDING = 1e-12  # sums of fewer than a thousand products of float64 numbers, 1e-16 each

WEIGHTS = Fraction(1, 2), Fraction(1, 3), Fraction(1, 6)
MEANS = Fraction(-2), Fraction(1), Fraction(4)
SPREADS = Fraction(1), Fraction(1, 2), Fraction(2)
SOURCE = Mixture(tuple(map(float, WEIGHTS)), tuple(map(float, MEANS)), tuple(map(float, SPREADS)))
EM = MaximumLikelihood(fit="em", iterations=4)


def compositions(n, parts):
    """All counts of n points in `parts` places."""
    if parts == 1:
        yield (n,)
        return
    for first in range(n + 1):
        for rest in compositions(n - first, parts - 1):
            yield (first, *rest)


def multinomial(counts, shares):
    chance = Fraction(factorial(sum(counts)))
    for count, share in zip(counts, shares, strict=True):
        chance *= Fraction(share) ** count / factorial(count)
    return chance


def enumerated(sizes, factors, unbiased=False):
    """E W, E B, E (m - m_0)^2 and the law of the number alive, over every path of count vectors."""
    centre = sum(w * m for w, m in zip(WEIGHTS, MEANS, strict=True))
    offsets = [m - centre for m in MEANS]
    totals = {"within": Fraction(0), "between": Fraction(0), "square": Fraction(0)}
    alive = [Fraction(0)] * (len(WEIGHTS) + 1)

    def walk(step, chance, shares, spread, moved):
        """`moved`: variances of the components' means about where they began."""
        if step == len(sizes):
            second = sum(w * (o * o + m) for w, o, m in zip(shares, offsets, moved, strict=True))
            mean = sum(w * o for w, o in zip(shares, offsets, strict=True))
            noise = sum(w * w * m for w, m in zip(shares, moved, strict=True))
            totals["within"] += chance * sum(w * s for w, s in zip(shares, spread, strict=True))
            totals["square"] += chance * (mean * mean + noise)
            totals["between"] += chance * (second - mean * mean - noise)
            alive[sum(w > 0 for w in shares)] += chance
            return
        n, factor = sizes[step], factors[step]
        for counts in compositions(n, len(shares)):
            one = multinomial(counts, shares)
            if one == 0:
                continue
            fitted, drifted = [], []
            for count, s, m in zip(counts, spread, moved, strict=True):
                if count == 0:
                    fitted.append(Fraction(0))
                    drifted.append(m)
                    continue
                drawn = factor * s
                if unbiased:
                    fitted.append(s if count == 1 else drawn)
                else:
                    fitted.append(drawn * (count - 1) / count)
                drifted.append(m + drawn / count)
            walk(step + 1, chance * one, [Fraction(c, n) for c in counts], fitted, drifted)

    walk(0, Fraction(1), list(WEIGHTS), list(SPREADS), [Fraction(0)] * len(WEIGHTS))
    return totals, alive


@pytest.mark.parametrize("unbiased", [False, True])
@pytest.mark.parametrize("bias", [Fraction(1), Fraction(4, 5)])
@pytest.mark.parametrize("sizes", [(2,), (3, 2), (3, 3, 2)])
def test_the_count_chain_is_the_sum_over_all_paths(sizes, bias, unbiased):
    totals, alive = enumerated(sizes, [bias] * len(sizes), unbiased)
    loop = Loop(
        SOURCE,
        Replace(list(sizes)),
        Unbiased() if unbiased else MaximumLikelihood(),
        Sampler(bias=float(bias), applies_to_source=True),
    )
    found = mixture.statistics(
        loop,
        ["within", "between", "variance", "mean_error_squared", "components_alive"],
        [len(sizes)],
        4,
    )
    assert found["within"].mean[0] == pytest.approx(float(totals["within"]), rel=ROUNDING)
    assert found["between"].mean[0] == pytest.approx(float(totals["between"]), rel=ROUNDING)
    assert found["variance"].mean[0] == pytest.approx(
        float(totals["within"] + totals["between"]), rel=ROUNDING
    )
    assert found["mean_error_squared"].mean[0] == pytest.approx(float(totals["square"]), rel=ROUNDING)
    mean = sum(k * p for k, p in enumerate(alive))
    central = [float(sum((k - mean) ** r * p for k, p in enumerate(alive))) for r in (2, 3, 4)]
    moments = found["components_alive"].central_moments()[:, 0]
    np.testing.assert_allclose(moments, [float(mean), *central], rtol=ROUNDING, atol=ROUNDING)


def test_a_bias_that_spares_the_source_begins_at_generation_two():
    totals, _ = enumerated((3, 3), [Fraction(1), Fraction(4, 5)])
    loop = Loop(SOURCE, Replace(3), sampler=Sampler(bias=0.8))
    found = mixture.statistics(loop, ["within"], [2])["within"]
    assert found.mean[0] == pytest.approx(float(totals["within"]), rel=ROUNDING)


@pytest.mark.parametrize("n", [2, 3, 5])
def test_one_step_is_the_sum_over_counts(n):
    totals, _ = enumerated((n,), [Fraction(1)])
    p = parts(SOURCE)
    found = one_step(p.weights, p.variances[:, 0], float(p.between[0, 0]), n)
    expected = (float(totals["within"]), float(totals["between"]))
    np.testing.assert_allclose(found, expected, rtol=ROUNDING)


def test_shares_have_the_moments_of_all_paths():
    p, sizes = Fraction(1, 3), (4, 3)
    law = {}
    for a in range(5):
        first = comb(4, a) * p**a * (1 - p) ** (4 - a)
        for b in range(4):
            x = Fraction(a, 4)
            law[Fraction(b, 3)] = law.get(Fraction(b, 3), 0) + first * comb(3, b) * x**b * (1 - x) ** (3 - b)
    mean = sum(x * chance for x, chance in law.items())
    central = [sum((x - mean) ** r * chance for x, chance in law.items()) for r in (2, 3, 4)]
    found = share_moments(float(p), sizes)[-1]
    np.testing.assert_allclose(found, [float(mean), *map(float, central)], rtol=ROUNDING)


@pytest.mark.parametrize("estimator", [MaximumLikelihood(), EM])
def test_one_law_of_the_total_variance(estimator):
    variance = float(parts(SOURCE).covariance[0, 0])
    found = mixture.statistics(Loop(SOURCE, Replace(30), estimator), ["variance"], [1, 6])["variance"]
    np.testing.assert_allclose(found.mean, variance * (1 - 1 / 30) ** np.array([1, 6]), rtol=ROUNDING)
    pool = mixture.statistics(Loop(SOURCE, Accumulate(20), estimator), ["variance"], [7])["variance"]
    expected = variance * np.prod([1 - 1 / (20 * k * k) for k in range(1, 8)])
    assert pool.mean[0] == pytest.approx(expected, rel=ROUNDING)


def test_split_real_by_its_own_recursion():
    real, synthetic, v0 = 5, 25, Fraction(46025, 10000)
    n = real + synthetic
    m = Fraction(real, n)
    v, d = v0 * (1 - Fraction(1, n)), v0 / n
    source = Mixture((0.6, 0.3, 0.1), (-2.0, 0.5, 4.0), (1.0, 0.5, 2.0))
    loop = Loop(source, Fresh(real, synthetic))
    found = mixture.statistics(loop, ["variance", "mean_error_squared"], [1, 2, 5, 10, np.inf])
    for g in range(1, 11):
        if g in (1, 2, 5, 10):
            place = [1, 2, 5, 10].index(g)
            assert found["variance"].mean[place] == pytest.approx(float(v), rel=ROUNDING)
            assert found["mean_error_squared"].mean[place] == pytest.approx(float(d), rel=ROUNDING)
        mixed = m * v0 + (1 - m) * v
        v, d = mixed * (1 - Fraction(1, n)) + m * (1 - m) * d, (1 - m) ** 2 * d + mixed / n
    limit = split_stationary(float(v0), real, synthetic)
    # the limit is a solution of two linear equations
    assert found["variance"].mean[-1] == pytest.approx(limit[0], rel=1e-10)
    assert found["mean_error_squared"].mean[-1] == pytest.approx(limit[1], rel=1e-10)


@pytest.mark.parametrize(
    "data", [Replace(12), Accumulate(9), Fresh(4, 11), Fresh(4, 11, "iid"), Fixed(8, 7), Window(6, 3)]
)
def test_what_variance_loses_the_error_gains(data):
    names = ["variance", "mean_error_squared"]
    found = mixture.statistics(Loop(SOURCE, data, EM), names, [1, 2, 9])
    total = sum(found[name].mean for name in names)
    np.testing.assert_allclose(total, float(parts(SOURCE).covariance[0, 0]), rtol=ROUNDING)


def test_several_dimensions_are_their_coordinates_apart():
    plane = Mixture((0.6, 0.4), ((-2.0, 0.0), (1.0, 1.0)), ((1.0, 0.5), ((2.0, 0.5), (0.5, 1.0))))
    lines = [
        Mixture((0.6, 0.4), (-2.0, 1.0), (1.0, 2.0)),
        Mixture((0.6, 0.4), (0.0, 1.0), (0.5, 1.0)),
    ]
    for names in (["within", "between"], ["variance", "mean_error_squared"]):
        whole = mixture.statistics(Loop(plane, Replace(9)), names, [1, 3])
        apart = [mixture.statistics(Loop(line, Replace(9)), names, [1, 3]) for line in lines]
        for name in names:
            np.testing.assert_allclose(whole[name].mean, sum(a[name].mean for a in apart), rtol=ROUNDING)


def test_a_spherical_fit_shares_the_first_fit_of_its_coordinates():
    plane = Mixture((0.6, 0.4), ((-2.0, 0.0), (1.0, 1.0)), ((1.0, 0.5), (2.0, 1.0)))
    free = mixture.statistics(Loop(plane, Replace(9)), ["within"], [1, 4])["within"]
    round_ = Loop(plane, Replace(9), MaximumLikelihood(covariance="spherical"))
    # averages of what falls by one factor fall by that factor, whatever the coordinate
    np.testing.assert_allclose(
        mixture.statistics(round_, ["within"], [1, 4])["within"].mean, free.mean, rtol=ROUNDING
    )


def test_a_floor_saturates():
    v, n, floor = Fraction(3), 25, Fraction(1, 20)
    for t in range(1, 7):
        v = v * (1 - Fraction(1, n)) + floor
        assert floored(3.0, n, 0.05, t) == pytest.approx(float(v), rel=ROUNDING)


def test_the_nearer_of_two_normals():
    assert nearest_of_pool(1, 2) == pytest.approx(1 - 2 / pi, rel=1e-10)  # E min(x^2, y^2), in polar angles
    assert nearest_of_pool(7, 7) == pytest.approx(1, rel=1e-10)


@pytest.mark.parametrize("fraction", [0.3, 0.85, 0.999])
def test_a_filtered_mixture_by_quadrature(fraction):
    source = parts(Mixture((0.6, 0.3, 0.1), (-40.0, 0.0, 60.0), (1.0, 0.5, 2.0)))
    found = kept(source, fraction)
    assert found.weights.sum() == pytest.approx(1, rel=1e-12)
    for k in range(3):
        mean, sd = source.means[k, 0], source.variances[k, 0] ** 0.5
        height = np.log(source.weights[k] / (sd * np.sqrt(2 * pi)))
        inside = 2 * (height - found.log_density)
        if inside <= 0:
            assert found.weights[k] == 0
            continue
        edge = np.sqrt(inside) * sd
        density = lambda x, mean=mean, sd=sd, k=k: source.weights[k] * stats.norm.pdf(x, mean, sd)  # noqa: E731
        mass, _ = integrate.quad(density, mean - edge, mean + edge, epsabs=1e-13)
        second, _ = integrate.quad(
            lambda x, f=density, m=mean: (x - m) ** 2 * f(x), mean - edge, mean + edge, epsabs=1e-13
        )
        # the quadrature's own tolerance
        assert found.weights[k] == pytest.approx(mass / fraction, abs=1e-11)
        assert found.factors[k] == pytest.approx(second / mass / sd**2, abs=1e-10)


def test_a_filtered_mixture_in_the_plane_by_its_radial_law():
    model = Parts(
        np.array([0.7, 0.3]), np.array([[0.0, 0.0], [50.0, 0.0]]), np.stack([np.eye(2), 4 * np.eye(2)])
    )
    found = kept(model, 0.8)
    # |z|^2 / 2 is exponential: density at the edge w e^-u / (2 pi |S|^(1/2)), mass w (1 - e^-u)
    level = np.exp(found.log_density)
    edge = np.array([2 * pi * level / 0.7, 2 * pi * 4 * level / 0.3])
    u = -np.log(edge)
    assert (0.7 * (1 - edge[0]) + 0.3 * (1 - edge[1])) == pytest.approx(0.8, rel=1e-10)
    np.testing.assert_allclose(found.factors, 1 - u * edge / (1 - edge), rtol=1e-9)


def test_what_is_not_known_says_why():
    loop = Loop(SOURCE, Fresh(4, 11))
    found = predict(loop, [1, 5])
    for name in ("within", "between", "std", "w2_squared", "kl_to_source_gaussian", "components_alive"):
        assert found[name].attrs["status"] == "none"
        assert found[name].attrs["reason"]
    biased = mixture.statistics(Loop(SOURCE, Fresh(4, 11), sampler=Sampler(bias=0.9)), ["variance"], [3])
    assert "unbiased samples" in biased["variance"].reason
    large = mixture.statistics(Loop(SOURCE, Replace(LARGEST_CHAIN + 1)), ["within"], [1])["within"]
    assert str(LARGEST_CHAIN) in large.reason
    tied = Loop(SOURCE, Replace(9), MaximumLikelihood(covariance="tied"))
    assert mixture.statistics(tied, ["within"], [1])["within"].status == "none"


def test_limits_of_replacement():
    found = mixture.statistics(Loop(SOURCE, Replace(9)), ["variance", "mean_error_squared"], [np.inf])
    assert found["variance"].mean[0] == pytest.approx(0, abs=ROUNDING)
    variance = float(parts(SOURCE).covariance[0, 0])
    assert found["mean_error_squared"].mean[0] == pytest.approx(variance, rel=1e-10)


def test_enumeration_visits_every_path():
    assert sum(multinomial(counts, WEIGHTS) for counts in compositions(4, 3)) == 1
