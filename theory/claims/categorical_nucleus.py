"""Claims about categories drawn from their nucleus, C9: how long two last, how many are left of many."""

from __future__ import annotations

import numpy as np

from theory.categorical.reading import passage
from theory.categorical.sharpening import geometric_nucleus, nucleus_time, uniform_nucleus
from theory.claim import Case
from theory.claims.categorical_chain import changed, experiment, limit, mean_only
from theory.claims.categorical_forms import OWN, claim
from theory.claims.larger_cases import LONGER
from theory.discrete_source import Categorical
from theory.loop import Loop, Sampler
from theory.policy import Replace

NUCLEUS_TIME = experiment("nucleus time", quick=False, least=2**17, shares=(0.3, 0.7), n=480, nucleus=0.8)


def _time(case: Case) -> np.ndarray:
    """2 (h(p) - h(1 - P)): a time over n."""
    get = case.loop.get
    return mean_only(nucleus_time(1, get("shares")[0], get("nucleus")))


def _time_of_the_chain(case: Case) -> np.ndarray:
    get = case.loop.get
    sampler = Sampler(nucleus=get("nucleus"), applies_to_source=True)
    loop = Loop(Categorical(get("shares")), Replace(get("n")), sampler=sampler)
    return np.asarray(passage(loop, "collapse_time").mean) / get("n")


def _more_points(case: Case) -> Case:
    return changed(case, n=LONGER * case.loop.get("n"))


RATIO = 0.8
LEVEL = Loop(Categorical((0.1,) * 10), Replace(18), sampler=Sampler(nucleus=0.65, applies_to_source=True))
SLOPE = Loop(
    Categorical(tuple(RATIO**k * (1 - RATIO) / (1 - RATIO**12) for k in range(12))),
    Replace(20),
    sampler=Sampler(nucleus=0.75, applies_to_source=True),
)


def _nucleus_left(case: Case) -> np.ndarray:
    """What the nucleus leaves of K categories: of a first draw exactly, of later ones at most."""
    shares, kept = case.loop.source.shares, case.loop.sampler.nucleus
    equal = max(shares) - min(shares) < 2.0**-50
    left, found = len(shares), []
    for g in range(1, max(case.generations) + 1):
        geometric = g == 1 and not equal
        left = geometric_nucleus(RATIO, left, kept) if geometric else uniform_nucleus(left, kept)
        found.append(left)
    return mean_only([found[g - 1] for g in case.generations])


def _unknown(case: Case) -> np.ndarray:
    return np.full(len(case.generations), np.nan)


NUCLEUS = (
    limit(
        "C9", "nucleus_time",
        r"\mathbb{E}T/n = 2\bigl(h(p)-h(1-P)\bigr) + O(n^{-1/2}),\quad h(x) = -x\ln x-(1-x)\ln(1-x)", OWN,
        "nucleus P, two categories, P n whole: a diffusion between 1 - P and P, which its last step leaves"
        " behind by a share of order n^(-1/2)",
        NUCLEUS_TIME, _time, 0.5, _more_points, expected=_time, exact=_time_of_the_chain,
    ),
    claim(
        "C9", "support",
        r"K_{t+1} \le \lceil PK_t\rceil,\ \text{equality for equal shares, which }K(1-P)<1\text{ absorbs};"
        r"\quad p_i\propto r^i\colon\ k' = \bigl\lceil\tfrac{\ln(1-P(1-r^k))}{\ln r}\bigr\rceil", OWN,
        "nucleus P, any number of categories; n infinite, and a bound of the mean for every n: the likeliest"
        " ceil(P K) of K have P of the mass at least",
        (
            Case(LEVEL, (1, 3, 6), nearest=0.9, least=2**17),
            Case(SLOPE, (1, 4), nearest=0.85, least=2**17, quick=False),
        ),
        status="bound", check="bound", expected=_nucleus_left, exact=_unknown, side="below",
    ),
)  # fmt: skip
