"""Claims about categorical loops that smooth, mix, sharpen or accumulate, and about Zipf's shares.

Samplers and selections act on every draw, those from the source included, where a claim says so.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from theory.categorical import sharpening, zipf
from theory.categorical.extinction_exponent import exponents, immigration_exponents
from theory.categorical.urn import universal_bound
from theory.claim import Case
from theory.claims import categorical_cases as cases
from theory.claims.categorical_forms import (
    COUNTED,
    FERBACH,
    HUTTER,
    KAZDAN,
    KIMURA,
    OWN,
    RATE,
    SEDDIK,
    WRIGHT,
    bound,
    claim,
    limit,
    mean,
    means,
    time,
)
from theory.claims.larger_cases import LONGER, larger, larger_and_longer, rarer
from theory.discrete_source import Categorical
from theory.loop import Loop
from theory.policy import Fresh, Replace


def _zipf(categories: int, n: int) -> Loop:
    return Loop(Categorical(zipf={"exponent": 2.0, "categories": categories}), Replace(n))


def _weaker(case: Case) -> Case:
    """`LONGER` times weaker sharpening of as many times more points, as much longer."""
    grown = larger_and_longer(case)
    strength = (1 / case.loop.sampler.temperature - 1) / LONGER
    sampler = replace(case.loop.sampler, temperature=1 / (1 + strength))
    return replace(grown, loop=grown.loop.with_(sampler=sampler))


def _more_symbols(case: Case) -> Case:
    return replace(case, loop=_zipf(LONGER * case.loop.source.zipf[1], LONGER * case.loop.data.n))


def _immigration(case: Case) -> np.ndarray:
    data = case.loop.data
    n = data.real + data.synthetic
    a = immigration_exponents(data.real / n, case.generations)
    return np.exp(-np.multiply.outer(a, n * np.array(case.loop.source.shares)))


def _deterministic(case: Case) -> list[float]:
    shares, temperature = case.loop.source.shares, case.loop.sampler.temperature
    models = [sharpening.tempered_shares(shares, temperature, g) for g in case.generations]
    return [float(1 - model @ model) for model in models]


def _fixation(case: Case) -> np.ndarray:
    loop = case.loop
    u = sharpening.tempered_fixation(loop.data.n, loop.source.shares[0], loop.sampler.temperature)
    return np.array([[1 - u, u]] * len(case.generations))


def _universal(case: Case) -> np.ndarray:
    shares, first = np.array(case.loop.source.shares), case.loop.data.n[0]
    kept = (1 - shares @ shares) * (1 - 1 / first) * universal_bound(first)
    return np.full(len(case.generations), kept)


def _zipf_support(case: Case) -> list[float]:
    source, n = case.loop.source, case.loop.data.n
    exponent, categories = source.zipf
    c = zipf.normalisation(exponent, categories)
    cut = c * categories ** (1 - exponent) / (exponent - 1)
    return [zipf.asymptotic_support(exponent, n * a, c) - n * a * cut for a in exponents(case.generations)]


MUTATION = r"\mathbb{E}F_\infty = \tfrac{1+\theta\Pi}{1+\theta},\quad \theta = 2A+A^2/n"
C7 = (
    *means(
        "C7",
        {
            "heterozygosity": r"F' = (1-m)^2\bigl(F+\tfrac{1-F}n\bigr)+2m(1-m)\langle\mathbb{E}p,\pi\rangle"
            r"+m^2\Pi;"
            rf"\quad {MUTATION}",
            "l2_squared": rf"\mathbb{{E}}\lVert p_\infty-\pi\rVert^2 = \mathbb{{E}}F_\infty-\Pi;"
            rf"\quad {MUTATION}",
            "chi_squared": r"\mathbb{E}\chi^2(p_\infty\Vert\pi) = \tfrac{K-1}{1+\theta},\quad"
            r" \theta = 2A+A^2/n",
        },
        f"{WRIGHT}; exact theta: {OWN}",
        "p' = (X + A pi)/(n + A), m = A/(n + A); every n, A, t; limits for pi = p_0",
        cases.SMOOTHING,
    ),
    mean(
        "C7", "entropy", r"\mathbb{E}S_t = \sum_i\mathbb{E}\,h\bigl((1-m)X_{t,i}/n+m\pi_i\bigr)", OWN,
        "a binary chain for every category; pi = p_0", (Case(cases.SMOOTHED, (1, 12)),), status="recursion",
    ),
)  # fmt: skip
MIGRATION = (
    r"\mathbb{E}F_\infty = \tfrac{1+\theta\Pi}{1+\theta},\quad \theta_{\mathrm{iid}} = (n-1)(1-(1-m)^2),\quad"
    r" \theta_{\mathrm{split}} = n(1-(1-m)^2)-m"
)
FIXED_SET = r"D' = \alpha^2\bigl[D(1-\tfrac1n)+\tfrac{1-\mathbb{E}F_1}n\bigr],\quad \alpha = \tfrac n{N+n}"
REAL = (
    "fresh real points, split or iid; a fixed real set of N beside n synthetic points; or n_r real and n_s"
    " synthetic ones joining a pool of M: D' = [((M+n_s)^2-n_s)D + n H]/(M+n)^2"
)
C8 = (
    claim(
        "C8", "heterozygosity", MIGRATION, OWN,
        "fresh real points, split or iid; variances too", (Case(cases.SPLIT, (1, 5, 30)),),
    ),
    *means(
        "C8",
        {
            "heterozygosity": rf"{MIGRATION};\quad {FIXED_SET}",
            "l2_squared": rf"\mathbb{{E}}\lVert p_t-p_0\rVert^2 = H_0-\mathbb{{E}}H_t;\quad {FIXED_SET}",
            "chi_squared": r"\mathbb{E}\chi^2(p_t\Vert p_0) = (K-1)(1-\mathbb{E}H_t/H_0)",
        },
        f"{OWN}; fixed set: setting of {SEDDIK}", REAL, cases.MIGRATION,
    ),
    claim(
        "C8", "support", r"\mathbb{E}K_t = \sum_i(1-v_t^{(i)}(0)),"
        r"\ v'=\bigl(vP_{n_s}\bigr)*\mathrm{Bin}(n_r,p)", OWN,
        "fresh real points, split or iid", cases.RARE_MIGRATION, status="recursion",
    ),
    limit(
        "C8", "extinct",
        r"P(\text{absent at }t) \approx e^{-npa_t(m)},\ a_t(m) = m\sum_{k\le t-2}b_k+b_{t-1},\quad b_0=1,"
        r"\ b_{k+1}=1-e^{-(1-m)b_k}",
        OWN, "iid mixing, n large at fixed n p; an error of order p",
        (Case(Loop(cases.DOGS, Fresh(10, 90, "iid")), (1, 5, 30)),), _immigration,
        1, rarer,
    ),
)  # fmt: skip
BEFORE_ALL = "the sampler acts on every draw"
C9 = (
    *means(
        "C9",
        {
            "heterozygosity": rf"\mathbb{{E}}H_t = H(\text{{top-}}k\text{{ of }}p_0){RATE}",
            "support": r"\text{the chains of the }k\text{ shares that are kept}",
        },
        OWN, f"top-k at every draw, that from the source included: cut once, then drift; {COUNTED}",
        (Case(cases.CUT, (4, 8)),),
    ),
    *means(
        "C9",
        {
            "heterozygosity": r"P_{ij} = \binom{n}{j} g(i/n)^j(1-g(i/n))^{n-j},\quad"
            r" g(x) = \tfrac{x^{1/\tau}}{x^{1/\tau}+(1-x)^{1/\tau}}",
            "entropy": r"P_{ij} = \binom{n}{j} g(i/n)^j(1-g(i/n))^{n-j}",
        },
        OWN, "two categories; temperature, nucleus, best of K, Bradley-Terry with K candidates: each a map g",
        (
            Case(cases.COLD, (1, 5, 20)),
            Case(cases.COLD_LATER, (2, 10), quick=False),
            Case(cases.COLD_MIXED, (2, 10), quick=False),
            Case(cases.NUCLEUS, (1, 5, 20)),
            Case(cases.CHOSEN, (1, 5)),
            Case(cases.BEST, (1, 2), quick=False),
        ),
        status="recursion",
    ),
    mean(
        "C9", "l2_squared",
        r"p' = \mathbb{E}\,\tfrac{Je^r}{Je^r+K-J},\ J\sim\mathrm{Bin}(K,p);\quad r\to\infty\colon\ 1-(1-p)^K",
        f"{OWN}; setting of {FERBACH}", "two categories, one of K candidates kept, reward gap r",
        (Case(cases.CHOSEN, (1, 5)), Case(cases.BEST, (1,))), status="recursion",
    ),
    time(
        "C9", "collapse_time", r"\mathbb{E}T \approx 2n\bigl(h(p)-h(1-P)\bigr)",
        f"recursion and formula: {OWN}",
        "two categories, nucleus P at every draw; the formula errs by n^(-1/2)",
        (Case(cases.NUCLEUS),),
    ),
    limit(
        "C9", "heterozygosity", r"p_t \propto p_0^{\tau^{-t}}", OWN,
        f"temperature tau, n large: {BEFORE_ALL}; Zipf's exponent b becomes b tau^-t",
        (Case(cases.LARGE_COLD, (1, 3, 6)),), _deterministic, 1, larger,
    ),
    limit(
        "C9", "extinct",
        r"u(p) = \int_0^pe^{2nsh}\Big/\int_0^1e^{2nsh},\ s=\tfrac1\tau-1;\quad \text{odds }1+s\colon"
        r"\ u = \tfrac{1-e^{-2nsp}}{1-e^{-2ns}}",
        f"temperature: {OWN}; odds: {KIMURA}",
        f"two categories, long after n generations; {BEFORE_ALL}; order s",
        (Case(cases.FIXATION, (600,)),), _fixation, 1, _weaker,
    ),
)  # fmt: skip
C10 = (
    *means(
        "C10",
        {
            "heterozygosity": r"\mathbb{E}H' = \mathbb{E}H\,(1-n/M'^2);\quad n_t=n\colon"
            r"\ \mathbb{E}H_g = H_0\prod_{k\le g}(1-\tfrac1{nk^2}) "
            r"\to H_0\tfrac{\sin(\pi/\sqrt n)}{\pi/\sqrt n}",
            "l2_squared": r"\mathbb{E}\lVert p_g-p_0\rVert^2 = H_0-\mathbb{E}H_g",
            "support": r"P(\text{gone}) = (1-p)^{n_1}\text{ for every }g",
        },
        f"{OWN} (single points: Polya's urn)", "accumulate; any batches, any K", cases.URNS,
    ),
    bound(
        "C10", "heterozygosity", r"\mathbb{E}H_g \ge H_0(1-\tfrac1{M_0})\tfrac{M_0}{M_0+1}", OWN,
        "accumulate from a first batch of M_0; any later batches; equality in the limit of single points",
        (Case(cases.ODD, (4, 10)), Case(cases.SINGLES, (5, 20), quick=False, nearest=0.96)), _universal,
        "above",
    ),
    *means(
        "C10",
        {
            "heterozygosity": r"H_{\mathrm{pool}}' = H_{\mathrm{pool}}\bigl[1-\tfrac{n^2}{(M+n)^2}"
            r"\bigl(1-(1-\tfrac1n)^2\tfrac M{M-1}\bigr)\bigr],"
            r"\quad H = H_{\mathrm{pool}}\tfrac{M(n-1)}{n(M-1)}",
            "l2_squared": r"\mathbb{E}\lVert p_g-p_0\rVert^2 = H_0-\mathbb{E}H_g",
        },
        f"{OWN}; setting of {KAZDAN}",
        "accumulate-subsample: n points of a pool of M = n g, without replacement; the limit is positive",
        cases.SUBSAMPLES, status="recursion",
    ),
)  # fmt: skip
C11 = (
    claim(
        "C11", "support", r"\mathbb{E}K_t = \sum_k(1-v_t^{(k)}(0)),\quad p_k = Ck^{-b}", OWN,
        "replace, Zipf's shares, endogenous symbols; missing mass sum p_k v_t(0)",
        (Case(Loop(cases.ZIPF, Replace(200)), (1, 8)),), status="recursion",
    ),
    limit(
        "C11", "support",
        r"\mathbb{E}K_t \approx \Gamma(1-\tfrac1b)(Cna_t)^{1/b}-\tfrac12-\tfrac{Cna_t}{(b-1)K^{b-1}},\quad"
        r" \text{missing mass} \approx \tfrac{C^{1/b}}b\Gamma(1-\tfrac1b)(na_t)^{-(1-1/b)}",
        f"t = 1: {HUTTER}; later: {OWN}", "b > 1, n and the number of symbols K large: n a_t in the"
        " place of n; an error of order n^-(1-1/b), the last term being what the symbols beyond K would add",
        (Case(_zipf(1000, 250), (1, 5, 20)),), _zipf_support, 1 / 2, _more_symbols,
    ),
)  # fmt: skip

POLICIES = C7 + C8 + C9 + C10 + C11
