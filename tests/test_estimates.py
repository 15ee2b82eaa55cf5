import numpy as np
import pytest
from scipy import stats

from paper_figs import estimates
from paper_figs.mean_and_variance import loop


@pytest.mark.parametrize("p", [0.05, 0.5, 0.95])
@pytest.mark.parametrize("count", [100, 400, 10_000])
def test_the_interval_of_a_quantile_covers_it_95_times_in_100(count, p):
    """Ranks l and u cover the p-quantile with probability P(l <= B < u), B binomial (Wilks 1948)."""
    ranks = np.arange(1.0, count + 1)  # so that the interval's ends are ranks
    _, low, high = estimates.quantile(ranks, p)
    below = stats.binom(count, p)
    assert below.cdf(high - 1) - below.cdf(low - 1) >= 0.95
    assert below.cdf(high - 2) - below.cdf(low) < 0.95  # a rank less at either end is too few


def test_a_quantile_beyond_the_samples_is_refused():
    with pytest.raises(ValueError, match="20 samples are too few"):
        estimates.quantile(np.arange(20.0), 0.05)


def test_the_interval_of_a_mean_is_the_textbook_one():
    found = estimates.mean(np.array([1.0, 2.0, 3.0, 6.0]))
    half = stats.norm.ppf(0.975) * np.sqrt(14 / 3 / 4)
    assert found == pytest.approx((3, 3 - half, 3 + half), rel=1e-12)


def test_the_interval_of_few_is_students():
    samples = np.array([1.0, 2.0, 3.0, 6.0])
    found = estimates.of_few(samples)
    half = stats.t.ppf(0.975, 3) * np.sqrt(14 / 3 / 4)
    assert found == pytest.approx((3, 3 - half, 3 + half), rel=1e-12)
    normal, divisor_n, of_one = (
        half * stats.norm.ppf(0.975) / stats.t.ppf(0.975, 3),
        half * 0.75**0.5,
        half * 2,
    )
    for wrong in (normal, divisor_n, of_one):
        assert found != pytest.approx((3, 3 - wrong, 3 + wrong), rel=0.1)
    assert estimates.of_few(samples[:1]) == (1, 1, 1)


def test_cochrans_rule_refuses_the_mean_of_a_product_of_many_factors():
    samples = np.zeros(2)  # unused where the skewness is known
    early, known = estimates.skewness(loop(100), "variance", 10, samples)
    late, _ = estimates.skewness(loop(100), "variance", 200, samples)
    assert known == "exact"
    assert estimates.mean_is_testable(early, 10_000)
    assert not estimates.mean_is_testable(late, 10_000)
    assert not estimates.mean_is_testable(2.0, 100)
    assert estimates.mean_is_testable(2.0, 101)
