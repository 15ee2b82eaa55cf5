"""What a fit is, and who is refused: a closed form is for the loops it names."""

from itertools import pairwise

import pytest
import sympy as sp
from every_policy import ONE_OF_EACH

from theory import bounds, gaussian, law
from theory.estimator import KernelDensity
from theory.loop import Gaussian, Loop, MaximumLikelihood, Replace, Sampler, UnavailableError, Unbiased
from theory.replace import brownian_limit as diffusion_limit
from theory.replace import schedules
from theory.replace.first_passage import mean_half_life
from theory.replace.fits import Fit, fit, runs
from theory.replace.limits import limits, threshold
from theory.replace.median import asymptotic_median
from theory.replace.perpetuity import limit_tail
from theory.selection import TopFraction
from theory.wishart.statistics import ratio_of_expectations

LINE, PLANE = Gaussian(0.0, 1.0), Gaussian([0.0, 0.0], 1.0)
POLICIES = tuple(policy for policy in ONE_OF_EACH if not isinstance(policy, Replace))

READERS = {
    "cdf": lambda loop: law.cdf(loop, "variance", 3, 0.5),
    "quantile": lambda loop: law.quantile(loop, "mean_error", 3, 0.5),
    "expectation": lambda loop: gaussian.expectation(loop, "variance", 3),
    "half life": mean_half_life,
    "limits": lambda loop: limits(loop, ["variance"]),
    "threshold": threshold,
    "scheduled limit": lambda loop: schedules.limit(loop, "variance"),
    "collapses": schedules.collapses,
    "median": lambda loop: asymptotic_median(loop, 10),
    "diffusion": lambda loop: diffusion_limit.limiting_moment(loop, 1.0, 0.5),
    "log diffusion": lambda loop: diffusion_limit.limiting_log_variance(loop, 0.5),
    "tail": limit_tail,
    "bound": lambda loop: bounds.moment_bound(loop, 3, 0.5, 1.0),
    "Suresh": lambda loop: bounds.BOUNDS[0].value(loop, 3, 0.5),
}
SPACE_READERS = {
    "ratio": lambda loop: ratio_of_expectations(loop, [3]),
}


@pytest.mark.parametrize("reader", READERS)
@pytest.mark.parametrize("policy", POLICIES, ids=lambda policy: policy.policy)
def test_other_policies_are_refused(reader, policy):
    with pytest.raises(UnavailableError, match="this closed form is for") as refusal:
        READERS[reader](Loop(LINE, policy))
    assert refusal.value.key == "data.policy"
    assert "\n" not in str(refusal.value)


@pytest.mark.parametrize("reader", SPACE_READERS)
@pytest.mark.parametrize("policy", POLICIES, ids=lambda policy: policy.policy)
def test_other_policies_are_refused_in_space(reader, policy):
    with pytest.raises(UnavailableError, match="this closed form is for"):
        SPACE_READERS[reader](Loop(PLANE, policy))


@pytest.mark.parametrize("reader", sorted(READERS.keys() - {"collapses", "scheduled limit"}))
def test_other_estimators_are_refused(reader):
    with pytest.raises(UnavailableError, match="this closed form is for") as refusal:
        READERS[reader](Loop(LINE, Replace(10), KernelDensity(0.1)))
    assert refusal.value.key == "estimator.name"


@pytest.mark.parametrize("reader", SPACE_READERS)
def test_other_estimators_are_refused_in_space(reader):
    with pytest.raises(UnavailableError, match="this closed form is for"):
        SPACE_READERS[reader](Loop(PLANE, Replace(10), KernelDensity(0.1)))


@pytest.mark.parametrize("reader", READERS)
def test_a_selection_is_refused(reader):
    with pytest.raises(UnavailableError, match="keep every point"):
        READERS[reader](Loop(LINE, Replace(10), selection=TopFraction(0.5, "linear")))


def test_a_growing_schedule_asks_for_its_estimator():
    with pytest.raises(UnavailableError, match="estimator"):
        schedules.limit(Loop(LINE, Replace("5 * t ** 2"), KernelDensity(0.1)), "variance")


def test_one_fit_in_numbers_and_symbols():
    loop = Loop(LINE, Replace(9), Unbiased(), Sampler(bias=0.5))
    assert (fit(loop, 1, 9), fit(loop, 2, 9)) == (Fit(9, 8, 1.0, None), Fit(9, 8, 0.5, None))
    assert fit(loop.with_(start=Gaussian(1, 1)), 1, 9).factor == 0.5
    assert fit(loop.with_(sampler=Sampler(bias=0.5, applies_to_source=True)), 1, 9).factor == 0.5
    assert fit(loop.with_(sampler=Sampler(temperature=0.25)), 3, 9).factor == 0.25
    assert fit(loop.with_(sampler=Sampler(truncate=2)), 3, 9) == Fit(9, 8, 1.0, 2.0)
    n, b = sp.symbols("n b", positive=True)
    symbolic = Loop(LINE, Replace(n), MaximumLikelihood(), Sampler(bias=b))
    assert fit(symbolic, 2, n) == Fit(n, n, b, None)
    assert list(runs(symbolic, 4)) == [(Fit(n, n, 1.0, None), 1), (Fit(n, n, b, None), 3)]


@pytest.mark.parametrize("sampler", [Sampler(), Sampler(bias=0.5), Sampler(truncate=1.0)])
@pytest.mark.parametrize("start", [None, Gaussian(1.0, 1.0)])
@pytest.mark.parametrize("n", [7, [7, 7, 7, 9, 9, 7], "7 + floor(t / 3)"])
@pytest.mark.parametrize("last", [0, 1, 2, 6])
def test_runs_spell_out_every_fit(sampler, start, n, last):
    loop = Loop(LINE, Replace(n), sampler=sampler, start=start)
    found = list(runs(loop, last))
    sizes = [7 if n == 7 else n[t - 1] if isinstance(n, list) else 7 + t // 3 for t in range(1, last + 1)]
    assert [one for one, count in found for _ in range(count)] == [
        fit(loop, t, size) for t, size in enumerate(sizes, 1)
    ]
    assert all(one != other for (one, _), (other, _) in pairwise(found))
