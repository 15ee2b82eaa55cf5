"""The verifier's own rules, on samples made up so that each verdict is known beforehand."""

from dataclasses import replace

import numpy as np
import pytest
import xarray as xr
from scipy import stats
from two_samples import agree_in_law

from autophagy.asymptotics import OfLimit, OfMedian
from autophagy.confrontation import LEVELS, RESOLUTION, OfBound, OfLaw, OfMoments, Outcome, Wanted
from autophagy.inequality import OfInequality
from autophagy.verification import TOOTHLESS, _row
from jaxsim.agreement import Sample, Theory, agree
from jaxsim.law_agreement import agree_on_probability
from jaxsim.summary import STATISTICS
from jaxsim.verdict import AGREES, DISAGREES, FALSE_ALARM, NOT_TESTABLE, alarm_threshold
from theory.claim import Case, Claim, Experiment

WANTED = Wanted(Experiment("normal"), "x", (), "summary")
FAMILY = 100
ENOUGH = int(OfMoments(WANTED, Theory(0.0, 1.0, 0.0, 3.0)).replicates(FAMILY, 2**40))


def summary(mean=0.0, variance=1.0, count=ENOUGH):
    """A standard normal sample's summary, its mean and variance as given."""
    values = [count, mean, variance, 0.0, 3 * variance**2, np.sqrt(variance / count)]
    return xr.DataArray(np.array(values), {"statistic": list(STATISTICS)}, ["statistic"])


def replicates(values):
    return xr.DataArray(np.reshape(values, (-1, 1)), dims=["replicate", "generation"])


def alarm(scale=1.0):
    """The smallest error of a mean that raises an alarm."""
    return alarm_threshold(FAMILY) * scale / np.sqrt(ENOUGH)


MOMENTS = OfMoments(WANTED, Theory(np.array(0.0), np.array(1.0), np.array(0.0), np.array(3.0)))


@pytest.mark.parametrize("sign", [1, -1])
def test_an_alarm_is_raised_beyond_the_threshold_and_not_before(sign):
    assert MOMENTS.judge(summary(sign * 0.99 * alarm()), FAMILY).disagreements == 0
    assert MOMENTS.judge(summary(sign * 1.01 * alarm()), FAMILY).disagreements == 1


@pytest.mark.parametrize("sign", [1, -1])
def test_a_variance_alone_can_disagree(sign):
    spread = np.sqrt(2.0)  # of a squared standard normal
    assert MOMENTS.judge(summary(variance=1 + sign * 0.99 * alarm(spread)), FAMILY).disagreements == 0
    assert MOMENTS.judge(summary(variance=1 + sign * 1.01 * alarm(spread)), FAMILY).disagreements == 1


def test_a_control_missed_on_one_side_is_missed():
    few = ENOUGH // 4
    outcome = MOMENTS.judge(summary(0.0, count=few), FAMILY)
    assert (outcome.disagreements, outcome.missed > 0) == (0, True)
    found = agree(
        Sample(ENOUGH, RESOLUTION / 2, 1.0, 0.0, 3.0), Theory(0.0, 1.0, 0.0, 3.0), comparisons=FAMILY
    )
    assert found.mean.verdict == AGREES
    assert not found.mean.rejects(RESOLUTION)  # the far one is caught, the near one is not


def outcome(**changes):
    return Outcome(2, 2, 0, 0, 0, 1000, 1.0)._replace(**changes)


CLAIM = Claim("gaussian.X", "x", "exact", "x", "own derivation", "", "moments", (Case(WANTED.loop),))


@pytest.mark.parametrize(
    ("outcomes", "verdict"),
    [
        ([outcome(), outcome()], AGREES),
        ([outcome(), outcome(disagreements=1)], DISAGREES),
        ([outcome(), outcome(missed=1)], TOOTHLESS),
        ([outcome(), outcome(untestable=1)], NOT_TESTABLE),
        ([outcome(untestable=1), outcome(disagreements=1)], DISAGREES),
        ([outcome(missed=1), outcome(untestable=1)], NOT_TESTABLE),
        ([outcome(tested=0)], NOT_TESTABLE),
        ([outcome(tested=0), outcome()], AGREES),
    ],
)
def test_the_worst_case_decides_a_claim(outcomes, verdict):
    row = _row(CLAIM, outcomes, FAMILY)
    assert row.verdict == verdict
    assert row.control == (not any(one.missed for one in outcomes))


def test_binomial_and_kolmogorov_tests_share_the_rate_over_a_family():
    count = 10_000
    for family in (1, 100, 10_000):
        low, high = (
            int(x)
            for x in np.ravel(agree_on_probability(np.array([5000]), count, 0.5, comparisons=family).accepted)
        )
        outside = stats.binom.cdf(low - 1, count, 0.5) + stats.binom.sf(high, count, 0.5)
        assert outside <= FALSE_ALARM / family
        wider = stats.binom.cdf(low, count, 0.5) + stats.binom.sf(high - 1, count, 0.5)
        assert wider > FALSE_ALARM / family  # the widest interval of that rate
    uniform = (np.arange(count) + 0.5) / count
    bounds = [agree_in_law(uniform, lambda x: x, comparisons=family).threshold for family in (1, 100)]
    assert bounds == sorted(bounds)
    assert bounds[1] == pytest.approx(np.sqrt(np.log(2 * 100 / FALSE_ALARM) / (2 * count)), rel=1e-12)


def law(levels=LEVELS):
    return OfLaw(replace(WANTED, keep="replicates"), stats.norm.ppf(levels)[None])


def normal(count, shift=0.0):
    return replicates(stats.norm.ppf((np.arange(count) + 0.5) / count) + shift)


def test_a_law_agrees_with_its_own_quantiles_and_not_with_moved_ones():
    trial = law()
    enough = trial.replicates(FAMILY, 1)
    assert trial.judge(normal(enough), FAMILY)[2:5] == (0, 0, 0)
    assert trial.judge(normal(enough, 0.1), FAMILY).disagreements > 0
    assert trial.judge(normal(enough // 16), FAMILY).missed > 0  # toothless


@pytest.mark.parametrize("level", range(len(LEVELS)))
def test_each_half_of_a_bound_is_held(level):
    """A bound below the truth, and a frequency beyond a bound that is above the truth it is told."""
    trial = law()
    enough = trial.replicates(FAMILY, 1)
    sample = normal(enough)
    sound = OfBound(trial, np.broadcast_to((1 - LEVELS)[:, None] * 1.01, (1, len(LEVELS), 1)).copy())
    assert sound.judge(sample, FAMILY).disagreements == 0
    low = sound.bounds.copy()
    low[0, level] *= 0.99 / 1.01
    assert OfBound(trial, low).judge(sample, FAMILY).disagreements == 1
    # the exact law it is told is wrong too, so that only the frequency can object
    told = OfBound(law(1 - (1 - LEVELS) / 2), np.broadcast_to(((1 - LEVELS) / 2)[:, None], (1, 5, 1)).copy())
    assert told.judge(sample, FAMILY).disagreements > len(LEVELS)


def limit(value, allowed, ordered=True):
    return OfLimit(MOMENTS, np.array(value), np.array(allowed), ordered)


def test_a_limit_may_err_by_what_it_states_and_no_more():
    assert limit(0.1, 0.1).judge(summary(), FAMILY).disagreements == 0
    assert limit(0.1 + 1.01 * alarm(), 0.1).judge(summary(), FAMILY).disagreements == 1
    assert limit(0.0, 0.0, ordered=False).judge(summary(), FAMILY).disagreements == 1
    assert limit(0.0, 0.0).judge(summary(count=ENOUGH // 4), FAMILY).missed == 1


def test_a_median_may_err_by_what_its_probability_says():
    def median(value, ordered=True):
        value = np.array([value])
        return OfMedian(law(), value, stats.norm.cdf(value), ordered)

    count = law().replicates(FAMILY, 1)
    assert median(0.05).judge(normal(count), FAMILY).disagreements == 0
    assert median(0.05).judge(normal(count, 0.1), FAMILY).disagreements == 1
    assert median(0.0, ordered=False).judge(normal(count), FAMILY).disagreements == 1
    assert median(0.0).judge(normal(count // 64), FAMILY).missed == 1


@pytest.mark.parametrize("sign", [1, -1])
def test_a_bound_on_a_mean_is_one_sided(sign):
    def bounded(value):
        expected = Theory(np.array(sign * value), np.array(1.0), np.array(0.0), np.array(3.0))
        return OfInequality(OfMoments(WANTED, expected), sign, np.array(np.nan))

    assert bounded(0.5).judge(summary(), FAMILY)[2:5] == (0, 0, 0)
    assert bounded(0.0).judge(summary(), FAMILY).disagreements == 0
    assert bounded(-0.99 * alarm()).judge(summary(), FAMILY).disagreements == 0
    assert bounded(-1.01 * alarm()).judge(summary(), FAMILY).disagreements == 1
    assert bounded(0.5).judge(summary(count=ENOUGH // 400), FAMILY).missed == 1
