"""The verdicts: their arithmetic, and what they say of samples whose law is known here."""

import numpy as np
import pytest
from scipy import stats
from two_samples import agree_in_law, two_samples_agree, two_samples_agree_in_law

from jaxsim.agreement import (
    AGREES,
    DISAGREES,
    NOT_TESTABLE,
    Sample,
    Theory,
    agree,
    alarm_threshold,
    replicates_for,
    replicates_needed,
    smallest_discrepancy,
)
from jaxsim.law_agreement import agree_on_probability
from jaxsim.tail import replicates_for_normal_tail, square_of_pearson

NORMAL = Theory(0.0, 1.0, 0.0, 3.0)


def moments(law) -> Theory:
    mean, variance, skewness, excess = (float(m) for m in law.stats("mvsk"))
    return Theory(mean, variance, skewness * variance**1.5, (excess + 3) * variance**2)


def test_the_smallest_discrepancy_inverts_the_replicates_needed():
    for resolution, comparisons in [(0.1, 1), (0.003, 40)]:
        count = replicates_needed(resolution, 2.0, comparisons)
        assert smallest_discrepancy(count, 2.0, comparisons) <= resolution
        assert smallest_discrepancy(count - 1, 2.0, comparisons) > resolution


def test_the_error_rates_are_those_designed():
    """At loose rates both can be seen: 40,000 families, each confidence interval at 1e-6."""
    comparisons, alarm, miss, families = 4, 0.05, 0.1, 40_000
    resolution = 0.25
    count = replicates_needed(resolution, 1.0, comparisons, alarm, miss)
    # The mean of `count` normals is drawn as such.
    z = np.random.default_rng(1).normal(size=(families, comparisons))
    sample = Sample(count, z / np.sqrt(count), 1.0)

    def verdicts(mean):
        theory = Theory(mean, 1.0, 0.0, 3.0)
        return agree(sample, theory, comparisons=comparisons, false_alarm=alarm, false_pass=miss).mean.verdict

    families_alarmed = int((verdicts(0.0) == DISAGREES).any(1).sum())
    exact = 1 - (1 - alarm / comparisons) ** comparisons
    assert agree_on_probability(families_alarmed, families, exact).holds
    passed = int((verdicts(resolution) == AGREES).sum())
    # `count` is rounded up, so that the rate of false passes lies just below its design
    reach = alarm_threshold(comparisons, alarm) - resolution * np.sqrt(count)
    exact = stats.norm.cdf(reach)
    assert miss - 0.01 < exact <= miss
    assert agree_on_probability(passed, families * comparisons, exact).holds


@pytest.mark.parametrize("shape", [0.5, 1, 2, 10])
@pytest.mark.parametrize("comparisons", [1, 1000])
def test_a_normal_tail_is_trusted_only_where_it_is_true(shape, comparisons):
    """A mean of gammas is a gamma: its tail is known exactly."""
    z = alarm_threshold(comparisons)
    count = replicates_for_normal_tail(2 / np.sqrt(shape), 6 / shape, z)

    def distortion(count):
        total = stats.gamma(shape * count)
        beyond = total.sf(total.mean() + z * total.std()) + total.cdf(total.mean() - z * total.std())
        return beyond / (2 * stats.norm.sf(z))

    assert distortion(count) <= 2
    assert distortion(count / 16) > 2


def test_one_jump_is_as_rare_as_the_alarm():
    """Log-normal and power-law tails, where Cramer's series does not converge."""
    z = alarm_threshold(100)
    for law in [stats.lognorm(1.0), stats.lognorm(1.5), stats.invgamma(4.5), stats.invgamma(7)]:
        mean, variance, skewness, excess = (float(m) for m in law.stats("mvsk"))
        count = replicates_for_normal_tail(skewness, excess, z)
        assert count * law.sf(mean + z * np.sqrt(variance * count)) <= stats.norm.sf(z)


def test_squares_of_pearson_laws():
    """For laws of Pearson's family the moments of the square are those of the law itself."""
    inverse = stats.invgamma(12)
    # SciPy integrates these; they are 1/((a - 1) ... (a - j))
    inverse_moments = np.cumprod([1.0, *(1 / (12.0 - j) for j in range(1, 9))])
    for law in [stats.norm(), stats.gamma(2), stats.beta(2, 3), stats.uniform(), inverse]:
        mean, variance, skewness, excess = (float(m) for m in law.stats("mvsk"))
        raw = inverse_moments if law is inverse else [float(law.moment(j)) for j in range(9)]
        central = [
            sum(stats.binom(j, 0.5).pmf(i) * 2**j * raw[i] * (-mean) ** (j - i) for i in range(j + 1))
            / variance ** (j / 2)
            for j in range(9)
        ]
        square = central[4] - 1
        third = central[6] - 3 * central[4] + 2
        fourth = central[8] - 4 * central[6] + 6 * central[4] - 3
        expected = (third / square**1.5, fourth / square**2 - 3)
        assert square_of_pearson(skewness, excess) == pytest.approx(expected, rel=1e-6)
    assert np.isinf(square_of_pearson(*stats.invgamma(5).stats("sk"))).all()


def test_a_true_theorem_with_a_heavy_tail_is_not_rejected():
    """A product of unit-mean chi-squares has mean 1, and no sample says so; its logarithm behaves."""
    degrees, factors, count = 9, 200, 20_000
    logs = np.random.default_rng(2).chisquare(degrees, (factors, count))
    logs = np.log(logs / degrees).sum(0)
    products = np.exp(logs)
    scale = np.array([1 + 2 / degrees, (1 + 2 / degrees) * (1 + 4 / degrees)])
    fourth = scale[1] * (1 + 6 / degrees)
    second, third, fourth = scale[0] ** factors, scale[1] ** factors, fourth**factors
    theory = Theory(1.0, second - 1, third - 3 * second + 2, fourth - 4 * third + 6 * second - 3)
    verdicts = agree(Sample.of(products), theory)
    assert verdicts.mean.verdict == NOT_TESTABLE
    assert verdicts.variance.verdict == NOT_TESTABLE
    assert not verdicts.disagrees
    assert not verdicts.holds
    naive = (products.mean() - 1) * np.sqrt(count) / products.std()
    assert naive < -alarm_threshold(1)

    from scipy.special import digamma, polygamma

    cumulants = [factors * polygamma(order, degrees / 2) for order in (1, 2, 3)]
    mean = factors * (digamma(degrees / 2) + np.log(2 / degrees))
    log_theory = Theory(mean, cumulants[0], cumulants[1], cumulants[2] + 3 * cumulants[0] ** 2)
    assert agree(Sample.of(logs), log_theory).mean.holds


def test_means_and_variances_are_both_judged():
    values = np.random.default_rng(3).normal(size=(100_000, 2, 3))
    theory = Theory(np.zeros((2, 3)), 1.0, 0.0, 3.0)
    verdicts = agree(Sample.of(values), theory)
    assert verdicts.holds
    assert verdicts.mean.rates[0] == 12
    assert verdicts.mean.rejects(0.1).all()
    assert verdicts.variance.rejects(0.1).all()
    assert not verdicts.mean.rejects(1e-4).any()
    wrong_mean = agree(Sample.of(values), theory._replace(mean=np.full((2, 3), 0.1)))
    assert (wrong_mean.mean.verdict == DISAGREES).all()
    assert wrong_mean.variance.holds
    wrong_variance = agree(Sample.of(values), Theory(np.zeros((2, 3)), 1.1, 0.0, 3.0 * 1.1**2))
    assert wrong_variance.mean.holds
    assert (wrong_variance.variance.verdict == DISAGREES).all()


def test_replicates_are_planned_for_power_and_tail():
    light, heavy = stats.norm(), stats.gamma(0.1)
    for_mean, for_variance = replicates_for(moments(light), 0.1, 10)
    assert for_mean == replicates_needed(0.1, 1, 10)
    assert for_variance > for_mean
    for_mean, _ = replicates_for(moments(heavy), 0.1, 10)
    z = alarm_threshold(10)
    assert for_mean == replicates_for_normal_tail(2 / np.sqrt(0.1), 60, z) > replicates_needed(0.1, 1, 10)
    assert replicates_for(Theory(2.0, 0.0, 0.0, 0.0), 0.1, 10)[0] == 1
    assert np.isinf(replicates_for(Theory(2.0, np.inf, np.inf, np.inf), 0.1, 10)[0])
    assert np.isnan(replicates_for(Theory(np.nan), 0.1, 10)[0])


def test_what_does_not_vary_is_compared_to_rounding():
    theory = Theory(np.array([3.0, 0.0]), 0.0, 0.0, 0.0)
    assert agree(Sample(10, np.array([3.0, 0.0]), 0.0, 0.0, 0.0), theory).mean.holds
    exact = agree(Sample(10, np.array([3.0 * (1 + 1e-15), 0.0]), 0.0, 0.0, 0.0), theory)
    assert exact.mean.holds
    assert exact.mean.rejects(0.1).all()
    assert agree(Sample(10, np.array([3.0 + 1e-9, 1e-300]), 0.0, 0.0, 0.0), theory).disagrees


def test_a_zero_that_does_not_vary_has_a_negative_control():
    """It has no size of its own: theory moved by three roundings of 1 is what a sample of zeros rejects."""
    verdicts = agree(Sample(10, 0.0, 0.0, 0.0, 0.0), Theory(0.0, 0.0, 0.0, 0.0)).mean
    assert verdicts.holds
    assert verdicts.rejects(0.1)
    # a zero that varies is moved in scales, as anything else
    varying = agree(Sample(10, 0.0, 1.0, 0.0, 3.0), NORMAL).mean
    assert not varying.rejects(0.1)
    assert varying.rejects(2 * float(varying.smallest_discrepancy))


def test_what_theory_does_not_know_is_taken_from_the_sample():
    values = np.random.default_rng(4).gamma(2.0, size=(20_000,))
    sample = Sample.of(values)
    assert agree(sample, Theory(2.0, 2.0)).mean.holds
    assert agree(sample, Theory(2.0)).mean.holds
    assert agree(sample, Theory(2.1)).mean.disagrees
    assert agree(sample, Theory(2.0)).variance.verdict == ""
    # a sample with less than half of the predicted variance has not met its tail
    assert agree(sample, Theory(2.0, 5.0)).mean.verdict == NOT_TESTABLE
    assert agree(sample, Theory(np.nan)).mean.verdict == ""
    assert not agree(sample, Theory(np.nan)).holds


def test_infinities_and_nan():
    assert agree(Sample(100, 5.0, 1.0, 0.0, 3.0), Theory(np.inf, np.inf)).mean.verdict == NOT_TESTABLE
    assert agree(Sample(100, np.inf, np.nan, np.nan, np.nan), Theory(np.inf)).mean.verdict == AGREES
    assert agree(Sample(100, np.inf, np.nan, np.nan, np.nan), NORMAL).mean.verdict == DISAGREES
    assert agree(Sample(100, np.nan, np.nan, np.nan, np.nan), NORMAL).mean.verdict == DISAGREES


@pytest.mark.parametrize("p", [0.05, 0.5, 0.9])
def test_binomial_tests_are_exact(p):
    count, alarm, miss = 50, 0.05, 0.1
    every = agree_on_probability(np.arange(count + 1), count, p, comparisons=1, false_alarm=alarm)
    alarmed = every.verdict == DISAGREES
    chance = stats.binom(count, p).pmf(np.arange(count + 1))
    # each side is the largest tail within alpha/2
    lower, upper = (int(side[0]) for side in every.accepted)
    law = stats.binom(count, p)
    assert chance[alarmed].sum() <= alarm
    assert law.cdf(lower) > alarm / 2 >= law.cdf(lower - 1)
    assert law.sf(upper - 1) > alarm / 2 >= law.sf(upper)
    # and a law at the smallest discrepancy passes with exactly the rate of false passes, on its side
    verdict = agree_on_probability(0, count, p, comparisons=1, false_alarm=alarm, false_pass=miss)
    least = float(verdict.smallest_discrepancy)
    passes = [stats.binom(count, p + way * least).pmf(np.arange(lower, upper + 1)).sum()
              for way in (1, -1) if 0 <= p + way * least <= 1]  # fmt: skip
    assert max(passes) <= miss * (1 + 1e-9)


def test_impossible_events_are_noticed():
    assert not agree_on_probability(1, 1000, 0.0).holds
    assert agree_on_probability(0, 1000, 0.0).holds
    assert not agree_on_probability(999, 1000, 1.0).holds


def test_laws_are_told_apart():
    values = np.random.default_rng(5).normal(size=20_000)
    verdict = agree_in_law(values, stats.norm.cdf)
    assert verdict.holds
    assert verdict.distance == pytest.approx(stats.kstest(values, stats.norm.cdf).statistic, rel=1e-12)
    shift = 2.6 * verdict.smallest_discrepancy  # laws that far apart in sup-norm: density 0.4 at 0
    assert not agree_in_law(values, lambda x: stats.norm.cdf(x - shift)).holds
    assert not agree_in_law(np.full(100, np.nan), stats.norm.cdf).holds


def test_two_samples_are_told_apart():
    generator = np.random.default_rng(6)
    first, second = generator.gamma(2.0, size=(2, 20_000))
    assert two_samples_agree_in_law(first, second).holds
    assert two_samples_agree_in_law(first, second).distance == pytest.approx(
        stats.ks_2samp(first, second).statistic, rel=1e-12
    )
    assert not two_samples_agree_in_law(first, second * 1.2).holds
    verdict = two_samples_agree(Sample.of(first), Sample.of(second))
    assert verdict.holds
    assert verdict.rejects(2 * float(verdict.smallest_discrepancy) / float(verdict.scale))
    assert two_samples_agree(Sample.of(first), Sample.of(second + 0.2)).disagrees
    with pytest.raises(ValueError, match="458"):
        two_samples_agree_in_law(first[:100], second[:100])


def test_a_theory_with_too_wide_a_spread_is_not_believed():
    """Its own variance is the yardstick of its mean: a hundred times too large, it would forgive anything."""
    normal = np.random.default_rng(5).standard_normal(200_000)
    sample = Sample(normal.size, normal.mean(), normal.var(ddof=1), 0.0, 3.0)
    assert agree(sample, Theory(0.0, 1.0, 0.0, 3.0)).mean.verdict == "agrees"
    wide = Theory(0.1, 400.0, 0.0, 3.0 * 400.0**2)
    assert agree(sample, wide).mean.verdict == "not testable"
