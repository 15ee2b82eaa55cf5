"""The machinery measured on the simulator: its error rates at a loose 5%, and what its design promised.

5,000 keys are 5,000 disjoint sets of replicates of one run: replicates are independent, whatever their
number. With 5,000 families a rate of 5% has a standard error of 0.31%, so that the bands from 3.5% to 6.5%
are 4.9 of them wide: a machine that keeps its rate leaves them with probability 1e-6.
"""

import numpy as np
import pytest
from scipy.special import digamma, polygamma

from jaxsim.agreement import AGREES, DISAGREES, Sample, Theory, agree, replicates_needed
from jaxsim.simulate import simulate
from theory.loop import Gaussian, Loop, Replace

KEYS = 5_000
LOOSE = 0.05
N = 10
LOOP = Loop(Gaussian(0.0, 1.0), Replace(N))


def log_variance(generations, drift=1.0, n=N):
    """Exact cumulants of log sigma_t^2 at the maximum-likelihood divisor, the drift multiplied by `drift`."""
    t = np.asarray(generations, float)
    nu = n - 1
    cumulant = [t * polygamma(order, nu / 2) for order in (1, 2, 3)]
    mean = t * (digamma(nu / 2) + np.log(2 / n)) * drift
    return Theory(mean, cumulant[0], cumulant[1], cumulant[2] + 3 * cumulant[0] ** 2)


def split(values, keys):
    """Moments of `keys` disjoint sets of replicates: axes key, generation."""
    blocks = values.reshape(keys, -1, *values.shape[1:])
    count = blocks.shape[1]
    mean = blocks.mean(1)
    error = blocks - mean[:, None]
    variance = (error**2).sum(1) / (count - 1)
    return Sample(count, mean, variance, (error**3).mean(1), (error**4).mean(1))


@pytest.fixture(scope="module")
def runs():
    """log sigma_t^2 of 5,000 keys x 100 replicates at generations 1, 2, 5, 20."""
    dataset = simulate(LOOP, [1, 2, 5, 20], 100 * KEYS, observables=["log_variance"], keep="replicates")
    return dataset.log_variance.transpose("replicate", "generation").values


def test_one_comparison_raises_false_alarms_at_its_rate(runs):
    sample = split(runs[:, 2:3], KEYS)
    verdicts = agree(sample, log_variance([5]), comparisons=1, false_alarm=LOOSE).mean.verdict
    assert (verdicts != "not testable").all()
    assert 0.035 < (verdicts == DISAGREES).mean() < 0.065


def test_a_family_shares_its_rate(runs):
    """Eight comparisons of one run: correlated, so that Bonferroni keeps below its rate."""
    sample = split(runs, KEYS)
    agreement = agree(sample, log_variance([1, 2, 5, 20]), comparisons=8, false_alarm=LOOSE)
    alarms = (agreement.mean.verdict == DISAGREES) | (agreement.variance.verdict == DISAGREES)
    assert (agreement.mean.verdict != "not testable").all()
    assert 0 < alarms.any(1).mean() <= 0.065


@pytest.mark.slow
def test_a_drift_wrong_by_a_hundredth_is_caught():
    """In at least 99% of 200 runs at the replicates the design computed, and the right drift in none."""
    n, generation, runs = 5, 20, 200
    loop = Loop(Gaussian(0.0, 1.0), Replace(n))
    right, wrong = log_variance([generation], n=n), log_variance([generation], 1.01, n)
    resolution = np.abs(wrong.mean - right.mean)
    count = int(replicates_needed(resolution, np.sqrt(right.variance), 1)[0])
    caught = passed = 0
    for seed in range(runs):
        dataset = simulate(loop, [generation], count, seed=seed, observables=["log_variance"])
        part = {s: dataset.log_variance.sel(statistic=s).values for s in dataset.statistic.values}
        sample = Sample(*(part[s] for s in ("count", "mean", "variance", "third", "fourth")))
        caught += int(agree(sample, wrong, comparisons=1).mean.verdict[0] == DISAGREES)
        passed += int(agree(sample, right, comparisons=1).mean.verdict[0] == AGREES)
    assert caught >= 0.99 * runs
    assert passed == runs
