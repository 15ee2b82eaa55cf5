"""Claims about categories beside real data, under sharpening and in growing pools: C8, C9, C10."""

from __future__ import annotations

import math
from dataclasses import replace
from itertools import accumulate

import numpy as np

from theory.categorical.mixing import accumulated_error_step, anchored_distance, l1_bound
from theory.categorical.sharpening import nucleus_survival
from theory.categorical.urn import retained_evenly, third_eigenfunction_factor
from theory.claim import Case
from theory.claims import categorical_cases as cases
from theory.claims.categorical_chain import changed, experiment, limit, mean_only
from theory.claims.categorical_forms import KAZDAN, OWN, SEDDIK, claim
from theory.claims.categorical_nucleus import NUCLEUS
from theory.claims.larger_cases import LONGER, larger, longer
from theory.loop import Loop, Sampler
from theory.policy import Accumulate, Fresh, Replace, Web


def _diversity(case: Case) -> float:
    return 1 - math.fsum(share**2 for share in case.loop.source.shares)


# C8

ANCHORED = experiment(
    "anchored categories", least=2**18, shares=(0.4, 0.3, 0.2, 0.1), real=20, synthetic=45, at=(2, 6)
)
EVEN = experiment("anchored categories", least=60_000, shares=(0.5, 0.5), real=20, synthetic=1, at=(2,))


def _anchored_squares(case: Case) -> np.ndarray:
    get = case.loop.get
    square = math.fsum(share**2 for share in get("shares"))
    return np.array([anchored_distance(get("real"), get("synthetic"), square, g) for g in get("at")])


def _squares_alone(case: Case) -> np.ndarray:
    found = _anchored_squares(case)
    return mean_only(np.stack([np.full_like(found, np.nan), found], axis=1))


def _distance_bound(case: Case) -> np.ndarray:
    """The bound on |.|_1, of which no exact mean is known."""
    bounds = [l1_bound(len(case.loop.get("shares")), d) for d in _anchored_squares(case)]
    return mean_only(np.stack([bounds, np.full(len(bounds), np.nan)], axis=1))


def _inverse(case: Case) -> np.ndarray:
    """H_0 / ((n_r - n_s) t): n (2 rho - 1) = n_r - n_s."""
    data = case.loop.data
    return _diversity(case) / ((data.real - data.synthetic) * np.array(case.generations, float))


def _earlier(case: Case) -> np.ndarray:
    """What a quarter of the generations had, times 4^(-2 rho)."""
    data, before = case.loop.data, tuple(g // LONGER for g in case.generations)
    exponent = 2 * data.real / (data.real + data.synthetic)
    return _pooled_error(replace(case, generations=before)) * float(LONGER) ** -exponent


def _pooled_error(case: Case) -> np.ndarray:
    """E|p_g - p_0|^2 by its recursion, at every generation asked for."""
    data, h = case.loop.data, _diversity(case)
    errors, pool = [h / data.start], data.start
    for _ in range(1, max(case.generations)):
        errors.append(accumulated_error_step(errors[-1], h, pool, data.real, data.synthetic))
        pool += data.real + data.synthetic
    return np.array([errors[g - 1] for g in case.generations])


C8 = (
    claim(
        "C8", "anchored_distance", r"\mathbb{E}\lVert p_g-p_1\rVert^2 = \frac{\alpha^2}{n}(1-\mathbb{E}F_1)\,"
        r"\frac{1-r^{g-1}}{1-r},\quad r = \alpha^2(1-\tfrac1n),\ \alpha = \tfrac n{N+n}", f"{SEDDIK}; {OWN}",
        "the same N real points beside n synthetic ones in every later fit; E F_1 = Pi + (1 - Pi)/N",
        (ANCHORED,), expected=_squares_alone,
    ),
    claim(
        "C8", "anchored_distance", r"\mathbb{E}\lVert p_g-p_1\rVert_1 \le"
        r" \sqrt{K\,\mathbb{E}\lVert p_g-p_1\rVert^2}", OWN,
        "Cauchy and Schwarz, then Jensen; any law of shares; met by two even categories and one synthetic"
        " point, but for the spread of the real set", (ANCHORED, replace(EVEN, nearest=0.97)),
        status="bound", check="bound", expected=_distance_bound, side="below",
    ),
    limit(
        "C8", "l2_squared", r"\mathbb{E}\lVert p_t-p_0\rVert^2 = \frac{H_0}{n(2\rho-1)\,t} + O(t^{-2\rho}),"
        r"\quad \tfrac12 < \rho = \tfrac{n_r}n < 1", OWN,
        "a pool that n_r real and n_s synthetic points join every time: 1/t as with real data alone",
        Case(Loop(cases.FOUR, Web(8, 6, 2)), (20,), least=2**17), _inverse, 1.5, longer,
        expected=lambda case: mean_only(_inverse(case)), exact=_pooled_error,
    ),
    limit(
        "C8", "l2_squared", r"D_{4t} = 4^{-2\rho}D_t + O(1/t),\quad D_t = \mathbb{E}\lVert p_t-p_0\rVert^2,"
        r"\quad \rho = \tfrac{n_r}n < \tfrac12", OWN,
        "the same pool: D_t ~ t^(-min(2 rho, 1)), with a phase transition at rho = 1/2",
        Case(Loop(cases.FOUR, Web(8, 2, 6)), (20,), least=2**17), _earlier, 1, longer,
        expected=lambda case: mean_only(_earlier(case)), exact=_pooled_error,
    ),
)  # fmt: skip

# C9

KEPT = Loop(cases.PAIR, Replace(30), sampler=Sampler(nucleus=0.8, applies_to_source=True))
CHILLED = Loop(cases.EVEN, Fresh(20, 20), sampler=Sampler(temperature=0.8))


def _nucleus_losers(case: Case) -> np.ndarray:
    u = nucleus_survival(case.loop.source.shares[0], case.loop.sampler.nucleus)
    return np.broadcast_to([1 - u, u], (len(case.generations), 2))


def _more_of_everything(case: Case) -> Case:
    return longer(larger(case))


def _spread_about_even(case: Case) -> np.ndarray:
    """1/2 - 1/(2N (1 - k^2)), k = (1-m)/tau."""
    data = case.loop.data
    n = data.real + data.synthetic
    k = data.synthetic / n / case.loop.sampler.temperature
    return np.full(len(case.generations), 0.5 - 1 / (2 * n * (1 - k**2)))


C9 = (
    limit(
        "C9", "extinct", r"P(1\text{ survives}) = \frac{p-(1-P)}{2P-1} + O(n^{-1/2}),\quad"
        r" \mathbb{E}T = 2n\bigl(h(p)-h(1-P)\bigr)(1+O(n^{-1/2}))", OWN,
        "nucleus P, two categories: shares below 1 - P are absorbed; tested where nothing but absorbed"
        " runs is left", Case(KEPT, (120,), quick=False), _nucleus_losers, 0.5, _more_of_everything,
    ),
    limit(
        "C9", "heterozygosity", r"\mathbb{E}H_\infty = \tfrac12 - \frac1{2N(1-k^2)} + O(N^{-2}),\quad"
        r" k = \frac{1-m}\tau < 1", OWN,
        "temperature tau beside a share m of real points, two even categories, at rest: uniform shares are"
        " stable iff tau >= 1 - m (any K; a local statement for K >= 3)",
        Case(CHILLED, (30,)), _spread_about_even, 2, larger,
    ),
)  # fmt: skip

# C10

EVENLY = Case(Loop(cases.FOUR, Accumulate(10)), (41,), quick=False)


def _founded(batches: int) -> Loop:
    return Loop(cases.FOUR, Accumulate([25, *[10] * batches]))


def _later_founded(case: Case) -> Case:
    g = LONGER * max(case.generations)
    return replace(case, loop=_founded(g - 1), generations=(g,))


def _gammas(case: Case) -> np.ndarray:
    first, batch = case.loop.data.n[:2]
    kept = [retained_evenly(first, batch, g - 1) for g in case.generations]
    return _diversity(case) * np.array(kept)


def _gammas_at_last(case: Case) -> np.ndarray:
    first, batch = case.loop.data.n[:2]
    return np.full(len(case.generations), _diversity(case) * retained_evenly(first, batch, math.inf))


def _sinc(case: Case) -> np.ndarray:
    x = math.pi / math.sqrt(case.loop.data.n)
    return np.full(len(case.generations), _diversity(case) * math.sin(x) / x)


def _kept_mean(case: Case) -> np.ndarray:
    found = cases.mean_of("heterozygosity")(case)
    found[0] = _gammas(case)
    return found


CUBE = ((0.0, 0.0, 1.0),)
SINGLES = experiment("categorical urn", least=2**18, counts=(4, 3, 2), batches=(1,) * 24, polynomials=CUBE)


def _rising(x: np.ndarray, k: int) -> np.ndarray:
    return np.prod([x + j for j in range(k)], axis=0)


def _polya_cubes(case: Case) -> np.ndarray:
    """E p^3: x(x+1)...(x+k-1) over the same of M is a martingale, and x^3 = x_(3) - 3 x_(2) + x."""
    first = np.array(case.loop.get("counts"), float)
    pool = np.array(first.sum())
    now = pool + sum(case.loop.get("batches"))
    counts = [_rising(first, k) / _rising(pool, k) * _rising(now, k) for k in (1, 2, 3)]
    return ((counts[2] - 3 * counts[1] + counts[0]) / now**3)[None]


def _dirichlet_cubes(case: Case) -> np.ndarray:
    first = np.array(case.loop.get("counts"), float)
    return mean_only((_rising(first, 3) / _rising(np.array(first.sum()), 3))[None])


def _third(case: Case) -> np.ndarray:
    first, batches = np.array(case.loop.get("counts"), float), case.loop.get("batches")
    pools = list(accumulate(batches, initial=int(first.sum())))[1:]
    p = first / first.sum()
    kept = math.prod(third_eigenfunction_factor(n, m) for n, m in zip(batches, pools, strict=True))
    return mean_only((p * (1 - p) * (1 - 2 * p) * kept)[None])


def _more_singles(case: Case) -> Case:
    return changed(case, batches=(1,) * (LONGER * len(case.loop.get("batches"))))


C10 = (
    limit(
        "C10", "heterozygosity", r"\mathbb{E}H_g = H_0\,\frac{\sin x}{x} + O(1/g),\quad x = \pi/\sqrt n",
        f"{OWN}; beside {KAZDAN}", "accumulate in equal batches, real ones first", EVENLY, _sinc, 1, longer,
    ),
    claim(
        "C10", "heterozygosity", r"\mathbb{E}H_g = H_0(1-\tfrac1{n_0})\,\frac{\Gamma(1+r)^2\,\Gamma(g+r-z)"
        r"\,\Gamma(g+r+z)}{\Gamma(1+r-z)\,\Gamma(1+r+z)\,\Gamma(g+r)^2},\quad z = 1/\sqrt n", OWN,
        "accumulate, n_0 = r n real points and then batches of n",
        (Case(_founded(20), (2, 15)), Case(Loop(cases.FOUR, Accumulate([3, 2, 2, 2])), (1, 3))),
        expected=_kept_mean,
    ),
    limit(
        "C10", "heterozygosity", r"\mathbb{E}H_g = H_0(1-\tfrac1{n_0})\,\frac{\Gamma(1+r)^2}"
        r"{\Gamma(1+r-z)\,\Gamma(1+r+z)} + O(1/g)", OWN, "accumulate, n_0 = r n real points; z = 1/sqrt n",
        Case(_founded(20), (15,)), _gammas_at_last, 1, _later_founded,
    ),
    claim(
        "C10", "urn_polynomials", r"\mathbb{E}\,x(1-x)(1-2x) = p(1-p)(1-2p)\prod_t"
        r"\bigl(1-\tfrac{3w_t^2}{n_t}+\tfrac{2w_t^3}{n_t^2}\bigr),\quad w_t = n_t/M_{t+1}", OWN,
        "accumulate, given the first pool: the limit is no Dirichlet law where batches have n > 1",
        (experiment(
            "categorical urn", least=2**18, counts=(5, 3, 2), batches=(10, 10, 4, 10),
            polynomials=((1.0, -3.0, 2.0),),
        ),),
        expected=_third,
    ),
    claim(
        "C10", "urn_polynomials", r"\mathbb{E}\,(N_t)_{(k)} = (N_0)_{(k)}\,\frac{(M_t)_{(k)}}{(M_0)_{(k)}},"
        r"\quad x_{(k)} = x(x+1)\cdots(x+k-1)", "Polya 1930; Blackwell and MacQueen 1973",
        "accumulate one point at a time, given the first pool; tested as E p^3", (SINGLES,),
        expected=lambda case: mean_only(_polya_cubes(case)),
    ),
    limit(
        "C10", "urn_polynomials", r"p_\infty \sim \mathrm{Dirichlet}(N_0)\colon\quad \mathbb{E}p_t^3 ="
        r" \frac{N_0(N_0+1)(N_0+2)}{M_0(M_0+1)(M_0+2)} + O(1/t)", "Blackwell and MacQueen 1973",
        "accumulate one point at a time, given the first pool N_0 of M_0 points", SINGLES,
        _polya_cubes, 1, _more_singles, expected=_dirichlet_cubes, exact=_polya_cubes,
    ),
)  # fmt: skip

CATEGORICAL_POOLS = C8 + C9 + NUCLEUS + C10
"""Every claim of this file."""
