"""Claims about categorical and Poisson loops (C1 to C11, M5): what is stated, where it is from, where tested.

Generations are counted as everywhere; an accumulating pool that has grown t times has seen g = t + 1 batches.
Here replacement; `theory.claims.categorical_policy` has what mixes, smooths, sharpens or accumulates.
"""

from __future__ import annotations

import numpy as np

from theory.categorical import wright_fisher as chain
from theory.categorical.extinction_exponent import exponents
from theory.claim import Case
from theory.claims import categorical_cases as cases
from theory.claims.categorical_forms import (
    COUNTED,
    FELLER,
    LITTLER,
    MILLER,
    OWN,
    RATE,
    SEDDIK,
    SIZES,
    SURESH,
    WRIGHT,
    H,
    bound,
    claim,
    each,
    limit,
    mean,
    means,
    time,
)
from theory.claims.categorical_policy import POLICIES
from theory.claims.larger_cases import larger, rarer
from theory.loop import Loop
from theory.policy import Replace


def _counts(case: Case) -> np.ndarray:
    """Expected counts n p of every category."""
    return case.loop.data.n * np.array(case.loop.source.shares)


def _by_exponent(case: Case) -> np.ndarray:
    return np.exp(-np.multiply.outer(exponents(case.generations), _counts(case)))


def _by_halved_exponent(case: Case) -> np.ndarray:
    loop = case.loop
    counts = loop.data.n * np.array(getattr(loop.source, "rates", None) or loop.source.shares)
    return np.exp(-np.multiply.outer(1 / np.array(case.generations, float), counts))


def _first_generation(case: Case) -> np.ndarray:
    shares = np.array(case.loop.source.shares)
    return np.broadcast_to((1 - shares) ** case.loop.data.n, (len(case.generations), len(shares)))


def _second_order(case: Case) -> list[float]:
    return [chain.kl_expansion(case.loop.data.n, case.loop.source.shares)]


SQUARED = (
    rf"\mathbb{{E}}\lVert p_t-p\rVert^2 = \lVert p_0-p\rVert^2 + H_0(1-{RATE}),\quad"
    r" p_0 = p\colon\ H_0-\mathbb{E}H_t"
)
CHI_SQUARED = (
    r"\mathbb{E}\chi^2(p_t\Vert p) = \sum_i\tfrac{(p_{0,i}-p_i)^2}{p_i}"
    rf" + (1-{RATE})\sum_i\tfrac{{p_{{0,i}}(1-p_{{0,i}})}}{{p_i}},\quad p_0 = p\colon\ (K-1)(1-{RATE})"
)
BATCHES = (
    r"C_{jk} = \tfrac1W\sum_{i=k-W}^{k-1}C_{ji}\ (j<k),\quad C_{kk} = D_{k-1} + \tfrac{H_0-D_{k-1}}n\ (k>1);"
    r"\quad D_k = \tfrac1{W^2}\sum_{i,j=k-W+1}^kC_{ij},\quad \mathbb{E}H_k = H_0-D_k"
)
FIRST = (
    f"{WRIGHT}; {SEDDIK}",
    f"{COUNTED}; {SIZES}; with n_t = c t^2 the limit is H_0 sin(pi/sqrt c)/(pi/sqrt c);"
    " p is the source, p_0 model 0: another start or p itself",
)  # fmt: skip
C1 = (
    claim("C1", "heterozygosity", rf"\mathbb{{E}}H_t = H_0{RATE},\quad {H}", *FIRST, cases.HETEROZYGOSITY),
    claim(
        "C1", "heterozygosity", BATCHES, OWN,
        "the last W batches of n points, those up to the first real: C_{jk} = 0, C_{kk} = H_0/n (j < k <= 1);"
        " C_{jk} is what batches j and k have in common, D_k = E |p_k - p_0|^2",
        cases.WINDOW, status="recursion",
    ),
    mean("C1", "l2_squared", SQUARED, *FIRST, cases.SQUARED_ERROR),
    mean("C1", "chi_squared", CHI_SQUARED, OWN, f"{FIRST[1]}; p > 0", cases.SQUARED_ERROR),
)  # fmt: skip
C2 = each(
    "C2",
    {
        "heterozygosity": r"\mathbb{E}\prod_i x_i'^{a_i} = n^{-|a|}\sum_{b\le a}\prod_i S(a_i,b_i)\,(n)_{|b|}"
        r"\prod_i x_i^{b_i},\quad \lambda_k = (n)_k/n^k;\quad \mathbb{E}H_t^m \text{ from degree } 2m",
        "l2_squared": r"\mathbb{E}\prod_{i\in S}p_{t,i} = \lambda_{|S|}^t\prod_{i\in S}p_i,\quad"
        r" \mathbb{E}x(1-x)(1-2x) \propto \lambda_3^t,\quad"
        r" \mathbb{E}x(1-x)\bigl(1-\tfrac{5n-6}{n-1}x(1-x)\bigr) \propto \lambda_4^t",
    },
    f"{FELLER}; fourth eigenfunction and closure over categories: {OWN}",
    f"{COUNTED}; tested by means and variances of quadratic observables, degrees 2 to 8",
    cases.ALL_MOMENTS,
)
A_T = r"a_1=1,\ a_{t+1}=1-e^{-a_t}"
C3 = (
    claim(
        "C3", "extinct",
        r"P(\text{gone by } t) = v_t(0),\quad v_1=\mathrm{Bin}(n,p),\ v_{t+1}=v_tP,"
        r"\ P_{ij}=\binom{n}{j}(i/n)^j(1-i/n)^{n-j}",
        "classical", COUNTED, cases.EXTINCTION, status="recursion", expected=cases.certain_enough,
    ),
    claim(
        "C3", "extinct", rf"P(\text{{gone by }} t) = e^{{-\lambda a_t}},\quad {A_T},\quad \lambda = n\theta",
        f"{OWN}; setting of {SURESH}", "independent Poisson counts, every t >= 1", cases.POISSON,
        expected=cases.certain_enough,
    ),
    bound(
        "C3", "extinct", rf"P(\text{{gone by }} t) \le e^{{-npa_t}},\quad {A_T},\quad ta_t\to2", OWN,
        f"{COUNTED}; sharper still (1-p a_t)^n", cases.NEAR_EXTINCTION, _by_exponent, "below",
    ),
    bound(
        "C3", "extinct", r"P(\text{gone by } t) \le e^{-\lambda/t}", SURESH,
        "independent Poisson counts; attained at t = 1, later with half the exponent of the exact law",
        cases.NEAR_POISSON,
        _by_halved_exponent, "below",
    ),
    bound(
        "C3", "extinct", r"P(\text{gone by } t) \ge (1-p)^n", "folklore",
        "counts; equality at t = 1 only, though it is quoted for every t",
        (Case(cases.KENNEL, (1, 2, 5, 10), nearest=1.0),),
        _first_generation, "above",
    ),
    limit(
        "C3", "extinct", r"P(\text{gone by } t) = e^{-npa_t}(1+O(p))", OWN,
        "counts, n large at fixed n p and t", (Case(Loop(cases.DOGS, Replace(400)), (5, 20)),), _by_exponent,
        1, rarer,
    ),
)  # fmt: skip
C4 = (
    time(
        "C4", "collapse_time",
        r"\mathbb{E}T = \sum_{t\ge0}\Bigl(1-\sum_i v_t^{(i)}(n)\Bigr) \approx -2n\sum_i(1-p_i)\ln(1-p_i)",
        f"recursion: {OWN}; diffusion: {LITTLER}",
        f"{COUNTED}; the diffusion's value has a relative error of order 1/n;"
        " P(T>t) <= H_0 (1-1/n)^t n^2/(2(n-1)) and ~ 3 H_0 (1-1/n)^t",
        cases.COLLAPSE,
    ),
    time(
        "C4", "first_loss_time",
        r"P(T>t) = \sum_S(-1)^{|S|}P(S\text{ gone by }t),\quad"
        r" \mathbb{E}T \approx 2n\sum_{S\ne\emptyset}(-1)^{|S|}y_S\ln y_S",
        f"inclusion and exclusion over unions: {OWN}; diffusion: {LITTLER}",
        f"{COUNTED}; up to 2^16 unions of different mass", cases.FIRST_LOSS,
    ),
)  # fmt: skip
C5 = (
    claim(
        "C5", "support",
        r"\mathbb{E}K_t = \sum_i(1-v_t^{(i)}(0)),\quad"
        r" \mathbb{E}(K-K_t)_r = r!\sum_{|S|=r}P(S\text{ gone by }t)",
        f"classical; higher moments: {OWN}",
        f"{COUNTED}; n distinct items keep 1-v_t(0|1) ~ 2/t of them; Poisson: sum (1-e^(-n p a_t))",
        cases.SURVIVORS, status="recursion",
    ),
)  # fmt: skip
C6 = (
    *means(
        "C6",
        {
            "entropy": r"\mathbb{E}S_t = -\sum_i\sum_j v_t^{(i)}(j)\,\tfrac jn\ln\tfrac jn",
            "kl_to_source": r"\mathbb{E}\,\mathrm{KL}(p_t\Vert p) = -\sum_ip_{0,i}\ln p_i-\mathbb{E}S_t,\quad"
            r" p_0 = p\colon\ S_0-\mathbb{E}S_t",
        },
        OWN, f"{COUNTED}; p the source, p_0 model 0; the second for every recipe that keeps E p_t = p_0",
        cases.ENTROPY,
        status="recursion",
    ),
    limit(
        "C6", "kl_to_source",
        r"\mathbb{E}\,\mathrm{KL}(p_1\Vert p_0) = \tfrac{K-1}{2n}+\tfrac{\sum1/p_i-1}{12n^2}+O(n^{-3})",
        MILLER,
        "t = 1, n p_i large", (Case(Loop(cases.FOUR, Replace(200)), (1,)),), _second_order, 3, larger,
    ),
)  # fmt: skip
M5 = (
    claim(
        "M5", "heterozygosity", rf"1/\mathbb{{E}}\sum_iw_i^2 = \frac1{{1-H_0{RATE}}}",
        "Hill 1973; Friedman and Dieng 2023, arXiv:2210.02410; C1",
        "effective number of modes of order 2, of categories or of a mixture's weights; orders 1 and 0 are"
        " exp(E S_t) (C6) and E K_t (C5)",
        (Case(cases.REPLACED, (1, 5, 25)),),
    ),
)  # fmt: skip


CATEGORICAL = C1 + C2 + C3 + C4 + C5 + C6 + POLICIES + M5
