"""Claims about categories under replacement that no observable of a loop shows: C1 to C6, C9, C11.

Polynomials of a share, fixation, times, laws of the number of survivors, missing mass; and the limits of
what `theory.claims.categorical` states exactly. Experiments: `jaxsim.experiments.categorical`.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any

import numpy as np

from theory.categorical import chain_passage as passage
from theory.categorical import wright_fisher as chain
from theory.categorical import zipf
from theory.categorical.counts import indicator_moments
from theory.categorical.extinction_exponent import exponents
from theory.categorical.laws import ancestors
from theory.categorical.pair import fixation
from theory.categorical.sharpening import kimura_fixation, tilted
from theory.claim import Case, Claim, Experiment
from theory.claims import categorical_cases as cases
from theory.claims.categorical_forms import COUNTED, FELLER, HUTTER, KIMURA, LITTLER, OWN, RATE, claim
from theory.claims.larger_cases import LONGER, larger, longer
from theory.discrete_source import Categorical, Poisson
from theory.loop import Loop
from theory.policy import Replace


def experiment(name: str, quick: bool = True, least: int = 0, **parameters: Any) -> Case:
    """A case that is an experiment."""
    return Case(Experiment(name, tuple(parameters.items())), quick=quick, least=least)


def changed(case: Case, **parameters: Any) -> Case:
    """The same experiment with other parameters."""
    given = dict(case.loop.parameters) | parameters
    return replace(case, loop=Experiment(case.loop.name, tuple(given.items())))


def mean_only(mean: Any) -> np.ndarray:
    """A mean whose higher moments are left open."""
    mean = np.asarray(mean, float)
    return np.stack([mean, *np.full((3, *mean.shape), np.nan)])


def limit(
    entry: str, observable: str, statement: str, source: str, validity: str, tested: Case,
    value: Callable[[Case], Any], order: float, grown: Callable[[Case], Case], **more: Any,
) -> Claim:  # fmt: skip
    """An asymptotic formula beside an exact mean, its error falling at that order."""
    expected = more.pop("expected", None) or cases.held_against(value, observable)
    return claim(
        entry, observable, statement, source, validity, (tested,), status="asymptotic", check="limit",
        expected=expected, order=order, grown=grown, **more,
    )  # fmt: skip


def _more_points(case: Case) -> Case:
    """An experiment with `LONGER` times as many points."""
    return changed(case, n=LONGER * case.loop.get("n"))


# C1: sizes that grow


def _sinc(case: Case) -> np.ndarray:
    """H_0 sin x / x, x = pi / sqrt c, where n_t = 5 t^2."""
    x = math.pi / math.sqrt(5)
    start = 1 - math.fsum(share**2 for share in case.loop.source.shares)
    return np.full(len(case.generations), start * math.sin(x) / x)


C1 = (
    limit(
        "C1", "heterozygosity",
        r"n_t = ct^2\colon\quad \mathbb{E}H_t = H_0\,\frac{\sin x}{x} + O(1/t),\quad x = \pi/\sqrt c", OWN,
        f"{COUNTED}; c > 1; collapse almost surely iff sum 1/n_t = inf", Case(cases.GROWING, (12,)), _sinc,
        1, longer,
    ),
)  # fmt: skip

# C2: eigenfunctions and distinct categories

TRIO = (0.5, 0.3, 0.2)
POINTS = 16
FOURTH = (5 * POINTS - 6) / (POINTS - 1)
POLYNOMIALS = (
    (1.0, -3.0, 2.0, 0.0),
    (0.0, 0.0, 1.0, 0.0),
    (1.0, -1.0 - FOURTH, 2 * FOURTH, -FOURTH),
)
"""x(1-x)(1-2x); x^3; x(1-x)(1 - a x(1-x)) with the a of 16 points: coefficients of x, ..., x^4."""


def _eigenfunctions(case: Case) -> np.ndarray:
    """Means by eigenvalues; variances by the chain of counts: [4, generation, polynomial, category]."""
    get = case.loop.get
    n, t = get("n"), np.array(get("at"))[:, None]
    p = np.array(get("shares"))
    second, third, fourth = (np.prod(1 - np.arange(k) / n) ** t for k in (2, 3, 4))
    a = (5 * n - 6) / (n - 1)
    spread, skew = p * (1 - p), p * (1 - p) * (1 - 2 * p)
    means = np.stack(
        [
            skew * third,
            (skew * third - p + 3 * (p - spread * second)) / 2,
            spread * (1 - a * spread) * fourth,
        ],
        axis=1,
    )
    x = np.arange(n + 1) / n
    values = np.array(get("polynomials")) @ x[None, :] ** np.arange(1, 5)[:, None]
    squares = chain.expectations(n, p, (values**2).T, get("at")).swapaxes(1, 2)
    return np.stack([means, squares - means**2, *np.full((2, *means.shape), np.nan)])


def _products(case: Case) -> np.ndarray:
    get = case.loop.get
    shares = np.array(get("shares"))
    rates = np.cumprod(1 - np.arange(len(shares)) / get("n"))[1:]
    return mean_only(np.cumprod(shares)[1:] * rates ** np.array(get("at"))[:, None])


C2 = (
    claim(
        "C2", "share_polynomials",
        r"\mathbb{E}\,x(1-x)(1-2x) = p(1-p)(1-2p)\lambda_3^t,\quad \mathbb{E}\,x^3 ="
        r" \tfrac12\{p(1-p)(1-2p)\lambda_3^t - p + 3[p-p(1-p)\lambda_2^t]\},\quad"
        r" \mathbb{E}f_4 = f_4(p)\lambda_4^t,\ f_4 = x(1-x)\bigl(1-\tfrac{5n-6}{n-1}x(1-x)\bigr)",
        f"{FELLER}; f_4: {OWN}", f"{COUNTED}; lambda_k = (n)_k / n^k",
        (experiment(
            "categorical shares", shares=TRIO, n=POINTS, at=(2, 8), look="polynomials",
            polynomials=POLYNOMIALS, least=2**18,
        ),),
        expected=_eigenfunctions,
    ),
    claim(
        "C2", "share_products", r"\mathbb{E}\prod_{i\in S}p_{t,i} = \lambda_{|S|}^t\prod_{i\in S}p_i",
        f"{FELLER}; the coalescent", f"{COUNTED}; different categories, lambda_k = (n)_k / n^k",
        (experiment("categorical shares", shares=(0.4, 0.3, 0.2, 0.1), n=20, at=(1, 5), look="products",
                    least=2**18),),
        expected=_products,
    ),
)  # fmt: skip

# C3: from an observed count

OBSERVED = Loop(cases.COUNTS, Replace(5), start=Poisson((0.2, 0.8, 1.4)))
SEEN = (0.9, 0.05, 0.03, 0.02)
COUNTED_ONCE = Loop(cases.FOUR, Replace(100), start=Categorical(SEEN))


def _from_counts(case: Case) -> np.ndarray:
    """e^(-c a_t), c the counts that the start stands for."""
    start = case.loop.start or case.loop.source
    counts = case.loop.data.n * np.array(getattr(start, "rates", None) or start.shares)
    return np.exp(-np.multiply.outer(exponents(case.generations), counts))


def _same_counts(case: Case) -> Case:
    """`LONGER` times as many points with the same counts of all categories but the first."""
    rare = np.array(case.loop.start.shares[1:]) / LONGER
    start = Categorical((1 - math.fsum(rare), *map(float, rare)))
    return replace(case, loop=larger(case).loop.with_(start=start))


C3 = (
    claim(
        "C3", "extinct", r"P(\text{gone } t \text{ generations after a count } c) = e^{-ca_t};\quad"
        r" \text{median time} \approx 2c/\ln2", OWN,
        "independent Poisson counts, every t >= 1; a_t as from a source of c expected points",
        (Case(OBSERVED, (1, 3, 8)),), expected=cases.held_against(_from_counts, "extinct"),
    ),
    limit(
        "C3", "extinct",
        r"P(\text{gone } t \text{ generations after a count } c) = e^{-ca_t}(1+O(c/n))", OWN,
        "counts, n large at fixed c and t", Case(COUNTED_ONCE, (3, 7)), _from_counts, 1, _same_counts,
    ),
)  # fmt: skip

# C4, C6: fixation and times

FIXED = Loop(cases.THREE, Replace(6), start=Categorical((0.2, 0.3, 0.5)))


def _losers(case: Case) -> np.ndarray:
    """1 - p_i: in the end everything else is gone."""
    shares = np.array((case.loop.start or case.loop.source).shares)
    return indicator_moments(np.broadcast_to(1 - shares, (len(case.generations), len(shares))).copy())


def _times(case: Case) -> np.ndarray:
    """Of `categorical times`, without odds."""
    n, shares = case.loop.get("n"), case.loop.get("shares")
    found = np.full((4, 3 * len(shares)), np.nan)
    left = range(1, len(shares))
    for r in left:
        found[:2, r - 1] = passage.time_until(n, shares, r, 2)
    k = len(shares)
    found[:, k - 1 : 2 * k - 1] = indicator_moments(np.array(shares))
    both = np.array([passage.conditional_time(n, share) for share in shares])
    p = np.array(shares)
    found[0, 2 * k - 1 : 3 * k - 1] = p * both[:, 0]
    found[0, 3 * k - 1] = p @ both[:, 0] + (1 - p) @ both[:, 1] - found[0, 0]
    return found


def _diffusion_times(case: Case) -> np.ndarray:
    """The same of the diffusion, without what fixation says; the integrated support apart."""
    n, shares = case.loop.get("n"), case.loop.get("shares")
    k, found = len(shares), np.full(3 * len(shares), np.nan)
    found[: k - 1] = [passage.diffusion_time_until(n, shares, r) for r in range(1, k)]
    found[k - 2] = passage.diffusion_first_loss_time(n, shares)
    found[2 * k - 1 : 3 * k - 1] = [p * passage.diffusion_conditional_time(n, p)[0] for p in shares]
    return mean_only(found)


def _entropy_of_source(case: Case) -> np.ndarray:
    found = np.full(3 * len(case.loop.get("shares")), np.nan)
    found[-1] = 2 * case.loop.get("n") * chain.plogp(np.array(case.loop.get("shares"))).sum()
    return mean_only(found)


def _several(case: Case) -> np.ndarray:
    """P(T > t), exactly."""
    get = case.loop.get
    return 1 - chain.collapsed(get("n"), get("shares"), get("at"))


def _tail(value: Callable[[int, float, float], float]) -> Callable[[Case], np.ndarray]:
    """A tail or its bound, with the exact probability's spread."""

    def expected(case: Case) -> np.ndarray:
        get = case.loop.get
        h = 1 - math.fsum(share**2 for share in get("shares"))
        found = indicator_moments(_several(case))
        found[0] = [value(get("n"), h, t) for t in get("at")]
        return found

    return expected


def _longer_and_larger(case: Case) -> Case:
    get = case.loop.get
    return changed(case, n=LONGER * get("n"), at=tuple(LONGER * t for t in get("at")))


def _tail_case(n: int, at: Sequence[int], shares: Sequence[float] = (0.3, 0.7)) -> Case:
    return experiment("categorical shares", shares=tuple(shares), n=n, at=tuple(at), look="several")


TIMES = experiment("categorical times", quick=False, least=2**18, shares=TRIO, n=32)
FEW_TIMES = experiment("categorical times", least=2**18, shares=TRIO, n=8)
C4 = (
    claim(
        "C4", "extinct", r"P(i\text{ is fixed}) = p_i,\quad P(i\text{ is lost}) = 1-p_i", "classical",
        f"{COUNTED}; shares of the first model, t -> inf; tested where what is left is below rounding",
        (Case(FIXED, (250,)),), expected=_losers,
    ),
    claim(
        "C4", "times",
        r"\mathbb{E}T(\le r\text{ left}) = \sum_{s\le r}(-1)^{r-s}\binom{K-1-s}{r-s}\sum_{|S|=s}a(y_S),\quad"
        r" \mathbb{E}[T; i\text{ fixed}] = p_i + a_i,\quad a(p) = \sum_{t\ge0}\mathbb{E}[x_t; 0<x_t<1]",
        f"chains: {OWN}", f"{COUNTED}; r = 1, ..., K - 1; E[T | i fixed] is the second over p_i",
        (FEW_TIMES, TIMES), status="recursion", expected=_times,
    ),
    limit(
        "C4", "times",
        r"\mathbb{E}T(\le r\text{ left}) \approx -2n\sum_{s\le r}(-1)^{r-s}\binom{K-1-s}{r-s}\sum_{|S|=s}"
        r"(1-y_S)\ln(1-y_S),\quad \mathbb{E}[T|i\text{ fixed}] \approx -2n\tfrac{1-p_i}{p_i}\ln(1-p_i)",
        LITTLER, "diffusion: T/n errs like ln n / n, that is T by less than any power of n; r = 1 total"
        " collapse, r = K - 1 the first loss; lost: -2n (p/(1-p)) ln p",
        TIMES, _diffusion_times, 0, _more_points, expected=_diffusion_times,
        exact=lambda case: _times(case)[0],
    ),
    limit(
        "C4", "several_left", r"P(T>t) = 3H_0" + RATE + r"\,(1+O(\tfrac{\ln n}n)),\quad t \gg n", OWN,
        "diffusion: the quasi-stationary share is nearly uniform; any K (what is odd in the shares dies out"
        " like e^(-3t/n))", _tail_case(20, (40,)),
        _several, 1, _longer_and_larger, expected=_tail(passage.collapse_tail), exact=_several,
    ),
    claim(
        "C4", "several_left", r"P(T>t) \le H_0" + RATE + r"\,\frac{n^2}{2(n-1)}", OWN,
        f"{COUNTED}; Markov's inequality, the least positive H being 2(n-1)/n^2: equality for n = 3, K = 2",
        (replace(_tail_case(4, (1, 4)), nearest=0.85), _tail_case(20, (40,))), status="bound",
        check="bound", expected=_tail(passage.collapse_tail_bound), exact=_several, side="below",
    ),
)  # fmt: skip
C6 = (
    limit(
        "C6", "integrated_support",
        r"S_0 = \tfrac1{2n}\sum_{t\ge0}(\mathbb{E}K_t-1) + O(\tfrac{\ln n}n),\quad"
        r" \tfrac{d}{dt}\mathbb{E}S = -\tfrac{\mathbb{E}K_t-1}{2n}", OWN,
        "diffusion of the shares: entropy is integrated excess support",
        TIMES, _entropy_of_source, 0, _more_points, expected=_entropy_of_source,
        exact=lambda case: _times(case)[0],
    ),
)  # fmt: skip

# C5: laws of the survivors

ITEMS = Loop(cases.ITEMS, Replace(60))


def _survivors(case: Case) -> np.ndarray:
    """The ancestors of n points; what is rare is left out, as not known."""
    get = case.loop.get
    law = np.array([ancestors(get("n"), t)[1:] for t in get("at")])
    found = indicator_moments(law)
    found[:, (law < cases.RARE) | (law > 1 - cases.RARE)] = np.nan
    return found


def _different_items(case: Case) -> np.ndarray:
    return case.loop.data.n * exponents([g + 1 for g in case.generations])


def _more_items(case: Case) -> Case:
    n = LONGER * case.loop.data.n
    return replace(case, loop=case.loop.with_(source=Categorical((1 / n,) * n), data=Replace(n)))


C5 = (
    claim(
        "C5", "survivors", r"P(K_t = j) = (G^t)_{nj},\quad G_{ij} = S(i,j)\,(n)_j/n^i", OWN,
        "n different items resampled t times: their survivors are the ancestors of n points; S Stirling"
        " numbers of the second kind",
        (experiment("categorical shares", shares=(1 / 12,) * 12, n=12, at=(1, 5), look="survivors"),),
        status="recursion", expected=_survivors,
    ),
    limit(
        "C5", "support", r"\mathbb{E}K_t/n = a_{t+1} + O(1/n),\quad a_1=1,\ a_{t+1}=1-e^{-a_t} \sim 2/t", OWN,
        "n different items resampled t times", Case(ITEMS, (1, 7)), _different_items, 0, _more_items,
    ),
)  # fmt: skip

# C9: reward odds

ODDS = experiment("categorical times", shares=(0.3, 0.7), n=24, odds=(13 / 12, 1.0))
FEW_ODDS = experiment("categorical times", shares=(0.5, 0.5), n=4, odds=(2.0, 1.0))


def _fixed_by_odds(case: Case) -> np.ndarray:
    """P(the first is fixed) by the chain, beside the other entries of `categorical times`."""
    n, (share, _), (odds, _) = (case.loop.get(name) for name in ("n", "shares", "odds"))
    u = fixation(n, share, lambda x: tilted(x, math.log(odds)))
    return np.array([np.nan, u, 1 - u, np.nan, np.nan, np.nan])


def _odds_moments(case: Case) -> np.ndarray:
    return indicator_moments(_fixed_by_odds(case))


def _kimura(case: Case) -> np.ndarray:
    n, (share, _), (odds, _) = (case.loop.get(name) for name in ("n", "shares", "odds"))
    found, u = _odds_moments(case), kimura_fixation(n, share, odds - 1)
    found[0, 1:3] = u, 1 - u
    return found


def _weaker_odds(case: Case) -> Case:
    odds = 1 + (case.loop.get("odds")[0] - 1) / LONGER
    return changed(_more_points(case), odds=(odds, 1.0))


C9 = (
    claim(
        "C9", "fixation", r"P_{ij} = \binom{n}{j} g^j(1-g)^{n-j},\quad g = \tfrac{(1+s)x}{1+sx},\ x = i/n",
        f"{KIMURA} (the model); the chain: {OWN}", "two categories, reward odds 1 + s, every n",
        (ODDS, FEW_ODDS), status="recursion", expected=_odds_moments,
    ),
    limit(
        "C9", "fixation", r"u = \frac{1-e^{-2nsp}}{1-e^{-2ns}}\,(1+O(s))", KIMURA,
        "two categories, reward odds 1 + s, haploid n, n large at fixed n s; ln(1 + s) for s is better", ODDS,
        _fixed_by_odds, 1, _weaker_odds, expected=_kimura, exact=_fixed_by_odds,
    ),
)  # fmt: skip

# C11: Zipf tails

SQUARE_ZIPF = Categorical(zipf={"exponent": 2.0, "categories": 300}).shares
CONTEXTS = Categorical(zipf={"exponent": 1.3, "categories": 40}).shares
MISSING = experiment(
    "categorical shares", quick=False, least=60_000, shares=SQUARE_ZIPF, n=60, at=(1, 5), look="missing"
)


def _missing(case: Case) -> np.ndarray:
    get = case.loop.get
    return zipf.missing_mass(get("shares"), get("n"), get("at"))


def _missing_by_tail(case: Case) -> np.ndarray:
    """A (n a_t)^(-1/2) of endless ranks, but for the mass beyond those there are."""
    get = case.loop.get
    scale, ranks = zipf.normalisation(2.0, len(get("shares"))), len(get("shares"))
    value = zipf.asymptotic_missing_mass(2.0, get("n"), get("at"), scale) - scale / (ranks + 0.5)
    return mean_only(value)


def _unknown_contexts(case: Case) -> np.ndarray:
    get = case.loop.get
    return mean_only([zipf.exogenous_error(get("shares"), get("n"), t) for t in get("at")])


def _cut(case: Case) -> np.ndarray:
    get = case.loop.get
    return mean_only(zipf.cut_error(get("shares"), get("n"), get("kept")))


C11 = (
    claim(
        "C11", "missing_mass", r"\mathbb{E}\sum_ip_i1\{i\text{ gone by }t\} = \sum_ip_iv_t^{(i)}(0)", OWN,
        f"{COUNTED}; of any shares, here Zipf's", (MISSING,), status="recursion",
        expected=lambda case: mean_only(_missing(case)),
    ),
    limit(
        "C11", "missing_mass",
        r"\mathbb{E}\sum_ip_i1\{i\text{ gone by }t\} = A(na_t)^{-c} + O(n^{-1-c}),\quad"
        r" A = \tfrac{C^{1/b}}b\Gamma(1-\tfrac1b),\ c = 1-\tfrac1b", f"{HUTTER} (t = 1); {OWN}",
        "p_k = C k^-b, endless ranks: of K ranks, less the mass beyond K, K much larger than n^(1/b)",
        MISSING, _missing, 1.5, _more_points, expected=_missing_by_tail, exact=_missing,
    ),
    claim(
        "C11", "unknown_contexts", r"\mathbb{E}\,\mathrm{err} = \sum_ip_i[1-(1-(1-p_i)^n)^t] \approx"
        r" An^{-c}\,\tfrac{(\ln t+\gamma)^c}{\Gamma(1+c)}", OWN,
        "contexts from outside, n a generation: right iff seen in every one; slower than in proportion to t",
        (experiment("known contexts", shares=CONTEXTS, n=20, at=(1, 3, 6), least=60_000),),
        expected=_unknown_contexts,
    ),
    claim(
        "C11", "cut_tail", r"\mathbb{E}\,\mathrm{err} = \sum_{i\le k}p_i(1-p_i/P_k)^n + \sum_{i>k}p_i",
        f"{OWN}; shape: Dohmatob et al. 2024, arXiv:2402.07043",
        "n points of the k likeliest categories, P_k their mass",
        (experiment("cut categories", shares=CONTEXTS, n=25, kept=12, least=60_000),), expected=_cut,
    ),
)  # fmt: skip

CATEGORICAL_CHAINS = C1 + C2 + C3 + C4 + C5 + C6 + C9 + C11
"""Every claim of this file."""
