"""Wrong theories of mixtures and kernels, planted one by one: each must be seen on the claims' own cases."""

from dataclasses import replace

import numpy as np
import pytest

from autophagy.confrontation import OfMoments
from autophagy.shared_runs import Run, plan
from jaxsim.agreement import Theory
from theory.claim import Claim
from theory.claims.kernel_density import FEW, KERNELS, MODES, THUMB
from theory.claims.kernel_density import REPLACE as POINTS
from theory.claims.mixture import HARD, KEEPING, MIXTURES, SHRUNK, SPLIT
from theory.kernel_density import moments as kernel_density_moments
from theory.kernel_density.error import mean_squared_error
from theory.mixture import counts as mixture_counts
from theory.mixture import reading as mixture
from theory.mixture import total_variance as mixture_total

FAMILY = 2000
WORK = 10**6
pytestmark = pytest.mark.slow


def case_of(claims: tuple[Claim, ...], entry: str, observable: str, loop) -> tuple[Claim, object]:
    return next(
        (claim, case)
        for claim in claims
        if (claim.id, claim.observable) == (f"mixture.{entry}", observable)
        for case in claim.cases
        if case.loop == loop
    )


_measured: dict = {}


def judged(claim: Claim, case, wrong: OfMoments):
    """The verdict of one simulation on a theory, and on a wrong one."""
    right = plan(claim, case)
    key = (claim.id, claim.observable, case.loop, case.generations)
    if key not in _measured:
        trials = (right,)
        run = Run(case.loop, right.wanted.keep, (claim.observable,), case.generations, trials)
        seen = {}

        def keep(trial, measured, family):
            seen["measured"] = measured
            return OfMoments.judge(trial, measured, family)

        spy = replace(run, trials=(Spy(right, keep),))
        spy.outcomes(FAMILY, WORK, 0)
        _measured[key] = seen["measured"]
    measured = _measured[key]
    return right.judge(measured, FAMILY), wrong.judge(measured, FAMILY)


class Spy:
    """A confrontation that shows what it is judged by."""

    def __init__(self, trial: OfMoments, judge):
        self.trial, self._judge = trial, judge
        self.wanted, self.comparisons = trial.wanted, trial.comparisons

    def replicates(self, family, work):
        return self.trial.replicates(family, work)

    def judge(self, measured, family):
        return self._judge(self.trial, measured, family)


def moved(claim, case, change):
    """The claim's theory with its means changed."""
    right = plan(claim, case)
    mean = change(np.array(right.expected.mean))
    return replace(right, expected=Theory(mean))


def from_reading(case, name, generations=None):
    steps = list(case.generations if generations is None else generations)
    return mixture.statistics(case.loop, [name], steps)[name].mean


def nothing_lost(count, factor, unbiased):
    return np.where(count > 0, 1.0, 0.0)


def single_points_spread(count, factor, unbiased):
    return np.where(count > 1, (count - 1) / np.maximum(count, 1), count * 1.0)


def single_points_do_not(count, factor, unbiased):
    return np.where(count > 1, 1.0, 0.0)


PATCHED = {
    "the divisor N - 1": ("G3a", HARD, nothing_lost),
    "a single point keeps a variance": ("G3a", SHRUNK, single_points_spread),
    "keeping is forgotten": ("G3b", KEEPING, single_points_do_not),
}


@pytest.mark.parametrize("error", PATCHED)
def test_a_wrong_fit_of_a_component(error, monkeypatch):
    entry, loop, planted = PATCHED[error]
    claim, case = case_of(MIXTURES, entry, "within", loop)
    monkeypatch.setattr(mixture_counts, "_fitted", planted)
    wrong = from_reading(case, "within")
    monkeypatch.undo()
    right, found = judged(claim, case, moved(claim, case, lambda _: wrong))
    assert right.disagreements == 0
    assert found.disagreements > 0


def late(case, name):
    return from_reading(case, name, [g + 1 for g in case.generations])


MOVED = {
    "one generation too many": ("G1a", "variance", HARD, lambda case, name: late(case, name)),
    "the split one generation late": ("G3a", "between", HARD, late),
    "between without the mean's own spread": (
        "G3a", "between", HARD,
        lambda case, name: from_reading(case, name) + from_reading(case, "mean_error_squared"),
    ),
    "lambda once too often": (
        "G3a", "within", SHRUNK, lambda case, name: 0.9 * from_reading(case, name)
    ),
    "the divisor n - 1": (
        "G1a", "variance", HARD, lambda case, name: from_reading(case, name) / (1 - 1 / 30)
    ),
    "the spread between real and generated dropped": (
        "G1c", "variance", SPLIT,
        lambda case, name: from_reading(case, name)
        - 5 / 30 * 25 / 30 * np.array([0, *from_reading(case, "mean_error_squared")[1:]]),
    ),
    "the dead are not counted out": (
        "G3e", "components_alive", HARD, lambda case, name: np.full(len(case.generations), 3.0)
    ),
}  # fmt: skip


@pytest.mark.parametrize("error", MOVED)
def test_a_wrong_law_of_a_mixture(error):
    entry, name, loop, theory = MOVED[error]
    claim, case = case_of(MIXTURES, entry, name, loop)
    right, found = judged(claim, case, moved(claim, case, lambda _: np.asarray(theory(case, name))))
    assert right.disagreements == 0
    assert found.disagreements > 0


def saturating_at_n(mean):
    t = np.array([0, 3])
    return (1 - 1 / 16) ** (t + 1) + 0.36 * 16 * (1 - (1 - 1 / 16) ** t)


KERNEL_ERRORS = {
    "it saturates at n h^2": ("K1a", "variance", FEW, saturating_at_n),
    "the kernel widens once more": ("K1a", "variance", POINTS, lambda mean: mean + 0.09),
    "the rule of thumb one generation late": (
        "K3", "variance", THUMB, lambda mean: mean * (1 - 1 / 50) * (1 + 1.06**2 * 50**-0.4)
    ),
    "nobody ever coalesces": (
        "K2", "mise", POINTS,
        lambda mean: mean - (mean - mean[0]) * 0.2,
    ),
    "one kernel too few in every difference": (
        "K2", "mise", MODES, lambda mean: np.array(
            [mean_squared_error(*_two_modes(), (31,) * g, 0.6 * np.sqrt((g + 1) / g)) for g in (1, 4)]
        )
    ),
}  # fmt: skip


def _two_modes():
    from theory.kernel_density.reading import components

    return components(MODES.source), components(MODES.source)


@pytest.mark.parametrize("error", KERNEL_ERRORS)
def test_a_wrong_law_of_kernels(error):
    entry, name, loop, change = KERNEL_ERRORS[error]
    claim, case = case_of(KERNELS, entry, name, loop)
    right, found = judged(claim, case, moved(claim, case, change))
    assert right.disagreements == 0
    assert found.disagreements > 0


def test_a_kernel_that_does_not_widen(monkeypatch):
    from theory.kernel_density import reading as kernel_density

    claim, case = case_of(KERNELS, "K1a", "variance", POINTS)
    monkeypatch.setattr(kernel_density_moments.KernelProvenance, "_widening", lambda *_: 0.0)
    wrong = kernel_density.statistics(case.loop, ["variance"], case.generations)["variance"].mean
    monkeypatch.undo()
    right, found = judged(claim, case, moved(claim, case, lambda _: wrong))
    assert right.disagreements == 0
    assert found.disagreements > 0


def test_shares_that_forget_their_second_moment(monkeypatch):
    claim, case = case_of(MIXTURES, "G1w", "weights", HARD)
    true = mixture_total.share_moments
    monkeypatch.setattr(mixture, "share_moments", lambda p, sizes: true(p, [n + 2 for n in sizes]))
    wrong = plan(claim, case)
    monkeypatch.undo()
    right, found = judged(claim, case, wrong)
    assert right.disagreements == 0
    assert found.disagreements > 0  # the variance is off by two parts in thirty
