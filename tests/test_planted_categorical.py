"""Wrong theories of categorical loops, planted where they would be made, must disagree on the claims' cases.

Every loop is simulated once; the right theory and each wrong one are held against the same replicates.
"""

from dataclasses import replace
from fractions import Fraction

import numpy as np
import pytest

import theory.categorical.passage as passages
import theory.categorical.poisson as poisson
import theory.categorical.reading as reading
from autophagy.shared_runs import judged, plan
from autophagy.verification import QUICK_WORK
from theory.categorical import wright_fisher as chain
from theory.categorical.chain_passage import collapse_time
from theory.claims.categorical import CATEGORICAL

pytestmark = pytest.mark.slow


def claim_of(entry, observable, place=0):
    return [
        claim for claim in CATEGORICAL if (claim.id, claim.observable) == (f"mixture.{entry}", observable)
    ][place]


def changed(monkeypatch, module, name, wrong):
    """Replace a function by `wrong(original, *arguments)`."""
    original = getattr(module, name)
    monkeypatch.setattr(module, name, lambda *arguments, **more: wrong(original, *arguments, **more))


def later(original, course, name, generations, highest=2):
    """The moments of a generation too late."""
    return original(course, name, [g + 1 for g in generations], highest)


def wrong_size(original, loop):
    """A fit that divides as if one point were missing."""
    made = original(loop)
    return replace(made, step=lambda t: made.step(t)._replace(synthetic=made.step(t).synthetic - 1))


def one_category_too_many(original, course, name, generations, highest=2):
    """K in the place of K - 1."""
    found = original(course, name, generations, highest)
    found[0] *= len(course.source) / (len(course.source) - 1)
    return found


def folklore(original, n, shares, generations):
    """(1 - p)^n whatever the generation."""
    found = original(n, shares, [1])
    return np.repeat(found, len(generations), axis=0)


def halved_exponent(original, generations):
    """1/t in the place of a_t."""
    return 1 / np.asarray(generations, float)


def next_exponent(original, generations):
    """a_{t+1} in the place of a_t."""
    return original([g + 1 for g in generations])


def extinct_one_too_late(original, n, shares, generations):
    return original(n, shares, [g + 1 for g in generations])


def weighted_twice(original, n, shares, generations):
    """x^2 in the place of x before the logarithm."""
    share = np.arange(n + 1) / n
    return chain.expectations(n, shares, -np.log(np.maximum(share, 1 / n)) * share**2, generations).sum(1)


def pseudo_counts_beside_n(original, loop):
    """m = A/n instead of A/(n + A)."""
    made = original(loop)
    m = Fraction(4, 30)
    return replace(
        made,
        step=lambda t: made.step(t)._replace(shrink=0 if t == 1 else m),
        shrink=lambda t: 0 if t == 0 else m,
    )


def split_as_iid(original, loop):
    """Every point real with probability m, where exactly m n are."""
    made = original(loop)

    def step(t):
        plain = made.step(t)
        n = plain.real + plain.synthetic
        return plain._replace(real=0, synthetic=n, shrink=Fraction(plain.real, n))

    return replace(made, step=step)


def real_as_synthetic(original, loop):
    """Real points that pull nothing back."""
    made = original(loop)
    return replace(made, step=lambda t: made.step(t)._replace(real=0, synthetic=made.step(t).total))


def forgotten_first_batch(original, loop):
    """A pool that starts with the second batch."""
    made = original(loop)
    return replace(
        made, step=lambda t: made.step(t)._replace(kept=max(made.step(t).kept - made.step(1).total, 0))
    )


def spared_first(original, loop):
    """The sampler spares the first draw, where it acts on it."""
    return original(loop)._replace(biased_from=2)


def inverse_temperature(original, loop):
    """p^T in the place of p^(1/T)."""
    seen = original(loop)

    def response(x):
        t = loop.sampler.temperature
        return x**t / (x**t + (1 - x) ** t)

    return seen._replace(response=response)


def too_large(original, n, shares, highest=2):
    """An effective size a third too large."""
    return collapse_time(4 * n // 3, shares, highest)


PLANTED = {
    ("C1", "heterozygosity", 0, 0): [(reading, "central_moments", later), (reading, "course", wrong_size)],
    ("C1", "chi_squared", 0, 0): [(reading, "central_moments", one_category_too_many)],
    ("C3", "extinct", 0, 0): [(chain, "extinction", folklore), (chain, "extinction", extinct_one_too_late)],
    ("C3", "extinct", 1, 0): [(poisson, "exponents", halved_exponent), (poisson, "exponents", next_exponent)],
    ("C5", "support", 0, 0): [(chain, "extinction", folklore)],
    ("C6", "entropy", 0, 0): [(chain, "entropy", weighted_twice)],
    ("C7", "heterozygosity", 0, 0): [
        (reading, "course", pseudo_counts_beside_n),
        (reading, "central_moments", later),
    ],
    ("C8", "heterozygosity", 1, 0): [
        (reading, "course", split_as_iid),
        (reading, "course", real_as_synthetic),
    ],
    ("C9", "heterozygosity", 1, 0): [
        (reading, "sampled", spared_first),
        (reading, "sampled", inverse_temperature),
    ],
    ("C10", "heterozygosity", 0, 0): [
        (reading, "course", forgotten_first_batch),
        (reading, "central_moments", later),
    ],
}
"""(entry, observable, which of several, case): where each wrong theory sits, and what it says."""


@pytest.mark.parametrize("key", PLANTED, ids=lambda key: "-".join(map(str, key)))
def test_planted_errors_disagree(key, monkeypatch):
    entry, observable, place, number = key
    claim = claim_of(entry, observable, place)
    case = claim.cases[number]
    trials = [plan(claim, case)]
    for module, name, wrong in PLANTED[key]:
        with monkeypatch.context() as patch:
            changed(patch, module, name, wrong)
            trials.append(plan(claim, case))
        assert not np.allclose(trials[-1].expected.mean, trials[0].expected.mean, equal_nan=True)
    family = sum(trial.comparisons for trial in trials)
    outcomes = judged(trials, family, QUICK_WORK, seed=0)
    right, *wrong = [outcomes[id(trial)] for trial in trials]
    assert right.disagreements == 0
    assert right.missed == 0
    for outcome, planted in zip(wrong, PLANTED[key], strict=True):
        assert outcome.disagreements, planted[2].__name__


def test_a_planted_passage_disagrees(monkeypatch):
    claim = claim_of("C4", "collapse_time")
    case = claim.cases[1]
    honest = plan(claim, case)
    changed(monkeypatch, passages.passage, "collapse_time", too_large)
    planted = plan(claim, case)
    outcomes = judged([honest, planted], 2, QUICK_WORK, seed=0)
    assert outcomes[id(honest)].disagreements == 0
    assert outcomes[id(planted)].disagreements


def test_a_bound_stated_too_tight_disagrees(monkeypatch):
    """exp(-n p a_t / 0.9): a little less than what is true."""
    claim = next(c for c in CATEGORICAL if c.id == "mixture.C3" and c.check == "bound")
    case = claim.cases[0]
    tight = replace(
        claim,
        expected=lambda case: np.where(
            np.arange(4)[:, None, None] == 0, claim.expected(case) ** (1 / 0.9), claim.expected(case)
        ),
    )
    trials = [plan(claim, case), plan(tight, case)]
    outcomes = judged(trials, sum(trial.comparisons for trial in trials), QUICK_WORK, seed=0)
    assert outcomes[id(trials[0])].disagreements == 0
    assert outcomes[id(trials[1])].disagreements


@pytest.mark.parametrize(
    "claim", CATEGORICAL, ids=lambda claim: f"{claim.id}-{claim.observable}-{claim.check}"
)
def test_every_claim_can_be_planned(claim):
    for case in claim.cases[:1]:
        trial = plan(claim, case)
        assert trial.comparisons > 0
        assert trial.wanted.observable == claim.observable
