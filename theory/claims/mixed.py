"""Claims about fixed mixtures of real and synthetic data, and the laws behind them (P, X)."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any

import numpy as np

from theory.claim import Case, Check, Claim, Status
from theory.claims import policy_loops as loops
from theory.claims.larger_cases import LONGER, larger
from theory.metrics.distances import shrinkage
from theory.recipes import mixed_statements as stated
from theory.recipes.near_source import w2_squared

OWN = "own derivation"
MAD = "Alemohammad et al. 2023, arXiv:2307.01850"
HE = "He et al. 2025, arXiv:2502.18049"
BERTRAND = "Bertrand et al. 2023, arXiv:2310.00429"

CHI_SQUARE = 2**18
"""Replicates for the square of a mean whose tail is not known: a little more than that of a normal's asks."""

ANY = "every n, every t >= 1"
SHARES = "a = n_r/N and b = n_s/N the shares of real and synthetic points, N = n_r + n_s"


def claim(
    entry: str,
    observable: str,
    statement: str,
    cases: Sequence[Case],
    source: str = OWN,
    validity: str = ANY,
    status: Status = "exact",
    check: Check = "moments",
    **more: Any,
) -> Claim:
    """A claim about a Gaussian loop."""
    return Claim(
        f"gaussian.{entry}", observable, status, statement, source, validity, check, tuple(cases), **more
    )


def mean_of(value: Callable[[Case], Any], observable: str) -> Callable[[Case], np.ndarray]:
    """What a formula that states a mean expects; the higher moments are theory's, for the planning."""

    def expected(case: Case) -> np.ndarray:
        from theory.predict import central_moments

        found = central_moments(case.loop, observable, case.generations)
        found[0] = value(case)
        return found

    return expected


def exactly(observable: str) -> Callable[[Case], np.ndarray]:
    """The mean that theory predicts for a case: what an asymptotic formula errs from."""

    def predicted(case: Case) -> np.ndarray:
        from theory.predict import central_moments

        return central_moments(case.loop, observable, case.generations)[0]

    return predicted


CONSERVED = r"\mathbb{E}\,\sigma_t^2 + \mathbb{E}(\mu_t-\mu_0)^2 = \sigma_0^2"
P0 = (
    "every data policy; weights not negative, maximum likelihood (the spread between portions included),"
    " lambda = 1, no selection, one source"
)
RECIPES = (
    Case(loops.WRITTEN, (2, 6), quick=False, least=CHI_SQUARE),
    Case(loops.WRITTEN_WEIGHTED, (2, 6)),
    Case(loops.WINDOW, (4, 8), quick=False, least=CHI_SQUARE),
    Case(loops.SUBSAMPLED, (6,), quick=False, engine="literal", least=4 * CHI_SQUARE),
)
GAIN = r"\mathbb{E}(\mu-\mu_0)^2 = \frac{g\,\sigma_0^2}{N + b g}"
LONG = Case(loops.FRESH, (20,), quick=False)
REST = "in the stationary state; tested where what is left of the start is far below the resolution"

LAWS = (
    claim("P0", "mean_error_squared", CONSERVED, RECIPES, validity=P0),
    claim("P0", "variance", CONSERVED, RECIPES, validity=P0),
    claim(
        "P1", "mean_error_squared",
        GAIN + r",\quad g = \tfrac{1}{1-b^2}\ (K = 1),\ \tfrac{K(1-b)+b}{(1-b)(K+b)}\ (K \text{ models"
        r" drawn anew}),"
        r"\ 1 + \tfrac{b^2}{K(1-b^2)}\ (K \text{ peers})",
        (LONG, Case(loops.MEMORY, (30,), quick=False), Case(loops.PEERS_REAL, (30,), quick=False)),
        validity=f"P0 and a stable linear filter of the mean; {REST}",
    ),
    claim(
        "P2", "variance_squared", r"\mathbb{E}\,\sigma_t^{2k} = \sigma_0^{2k}\prod_{j\le t}\mathbb{E}A_j^k",
        (Case(loops.ACCUMULATED_LARGE, (2, 10), quick=False, least=CHI_SQUARE),),
        validity="sigma_t^2 = sigma_{t-1}^2 A_t, A_t independent of the past: replace, accumulate",
    ),
)  # fmt: skip

X1 = (
    r"M' = b^2(M + \lambda V/n_s) + a^2\sigma_0^2/n_r,\quad"
    r" V' = \tfrac1c[(N-1)(a\sigma_0^2 + b\lambda V) + NabM];\quad \text{iid: } T = a\sigma_0^2 + b\lambda V"
    r" + abM,\ M' = b^2M + T/N,\ V' = \tfrac{N-1}{c}T"
)
X1_CASES = (
    Case(loops.FRESH_BIASED, (1, 2, 6)),
    Case(loops.FRESH_SWOLLEN, (1, 3), quick=False),
    Case(loops.FRESH_MOVED, (1, 4), quick=False),
    Case(loops.FRESH_TRUNCATED, (2, 5), engine="literal", quick=False),
)
X1_VALID = (
    f"M = E (mu - mu_0)^2, V = E sigma^2; {SHARES}; any lambda, divisor c, start; truncation: lambda = v"
)
X2_CASES = (Case(loops.FRESH, (1, 2, 6)), LONG)
X3_CASES = (Case(loops.FRESH_IID, (1, 3, 30), quick=False), Case(loops.FRESH_FEW, (1, 2), quick=False))
X4_CASES = (Case(loops.FRESH_UNBIASED, (1, 4, 40), quick=False),)
X7_CASES = (
    Case(loops.FIXED, (1, 2, 6)),
    Case(loops.FIXED, (20,), quick=False),
    Case(loops.FIXED_BIASED, (6,), quick=False),
)
X8_CASES = (
    Case(loops.WEIGHTED_FRESH, (1, 2, 20), quick=False),
    Case(loops.WEIGHTED_BEST, (20,), quick=False),
)
X9_CASES = (Case(loops.WEIGHTED_TOGETHER, (1, 3, 30), quick=False),)
X10_CASES = (Case(loops.FRESH_MOVED, (1, 2, 4)),)
X13_CASES = (
    Case(loops.MEMORY, (1, 3, 40), quick=False),
    Case(loops.MEMORY_LONG, (40,), quick=False, least=CHI_SQUARE),
)


def _floor(case: Case) -> float:
    return float(stated.bias_floor(case.loop))


def _floor_w2(case: Case) -> float:
    return (math.sqrt(_floor(case)) - math.sqrt(case.loop.source.variance)) ** 2


def _w2_squared(case: Case) -> np.ndarray:
    """E m^2 + E s + s_0 - 2 sqrt(s_0) E sqrt(s), exact second moments and E sqrt(s) up to O(1/N^2).

    E sqrt(s) = sqrt(E s) - Var(s) / (8 (E s)^(3/2)), and at rest Var(s) (1 - (b lambda)^2) = 2 (a s_0^2 +
    b (lambda E s)^2) / N (delta method).
    """
    data, start, bias = case.loop.data, case.loop.source.variance, case.loop.sampler.bias
    a, b = stated.shares(case.loop)[1:]
    m, s = (exactly(name)(case) for name in ("mean_error_squared", "variance"))
    spread = 2 * (a * start**2 + b * (bias * s) ** 2) / (data.real + data.synthetic) / (1 - (b * bias) ** 2)
    return m + s + start - 2 * math.sqrt(start) * (np.sqrt(s) - spread / (8 * s**1.5))


def _beside_real_alone(case: Case) -> float:
    """E W2^2 of a fit to the real points alone, and what n_s synthetic ones add, d = 1."""
    data, start, bias = case.loop.data, case.loop.source.variance, case.loop.sampler.bias
    beyond = data.synthetic - float(stated.admissible(bias))
    added = (1 - bias) ** 2 * data.synthetic * beyond / (4 * data.real**2)
    return start * (2 * (1 - float(shrinkage(data.real))) + added)


def _near_source(case: Case) -> list[float]:
    return [w2_squared(case.loop, g) for g in case.generations]


def _more_real(case: Case) -> Case:
    data = replace(case.loop.data, real=LONGER * case.loop.data.real)
    return replace(case, loop=case.loop.with_(data=data))


MIXED = (
    *LAWS,
    claim("X1", "mean_error_squared", X1, X1_CASES, f"{MAD} (the loop); {OWN}", X1_VALID, "recursion"),
    claim("X1", "variance", X1, X1_CASES, f"{MAD} (the loop); {OWN}", X1_VALID, "recursion"),
    claim(
        "X2", "mean_error_squared",
        r"\mathbb{E}(\mu_t-\mu_0)^2 = \frac{\sigma_0^2(1-\kappa^t)}{N(1-\kappa)} \to"
        r" \frac{\sigma_0^2}{n_r(1+b)+b},\quad \kappa = b^2 - b/N", X2_CASES,
        validity=f"{SHARES}; maximum likelihood, lambda = 1, exact counts",
    ),
    claim("X2", "variance", CONSERVED, X2_CASES, validity=f"{SHARES}; maximum likelihood, lambda = 1"),
    claim(
        "X3", "mean_error_squared",
        r"\mathbb{E}(\mu_t-\mu_0)^2 = \frac{\sigma_0^2\,(1-k^t)}{N(1-b^2)+b^2},\quad k = b^2(1-\tfrac1N)",
        X3_CASES, validity="every point real with probability a; maximum likelihood, lambda = 1",
    ),
    claim(
        "X3", "variance", r"V' = (1-\tfrac1N)[(1-b^2)\sigma_0^2 + b^2V]", X3_CASES,
        validity="every point real with probability a; half of sigma_0^2 survives at a = 1/(2N) (N large)",
    ),
    claim(
        "X4", "mean_error_squared",
        r"\mathbb{E}(\mu-\mu_0)^2 \to \frac{\sigma_0^2}{N\left(1-b^2\frac{N}{N-1}\right)}", X4_CASES,
        validity=f"{SHARES}; divisor N - 1, lambda = 1, in the stationary state",
    ),
    claim(
        "X4", "variance",
        r"\mathbb{E}\,\sigma^2 \to \sigma_0^2\left[1 + \frac{b}{(N-1)(1-b^2)-b^2}\right] > \sigma_0^2",
        X4_CASES,
        validity="divisor N - 1: the pooled 'unbiased' variance is inflated, in the stationary state",
    ),
    claim(
        "X5", "variance",
        r"\text{bounded iff } \lambda < \lambda^* = \frac{c\,(1+b)}{b(1+b)(N-1)+b^2}",
        (Case(loops.FRESH_STABLE, (2, 20), quick=False), Case(loops.FRESH_UNSTABLE, (2, 12), quick=False)),
        validity=f"{SHARES}; the spectral radius of X1 is 1 at lambda*; for lambda <= 1 and n_r >= 1 stable",
    ),
    claim(
        "X6", "variance", r"\mathbb{E}\,\sigma^2 \to \frac{a\,\sigma_0^2}{1-b\lambda}\,(1 + O(1/N))",
        (Case(loops.NARROWED, (60,), quick=False),), validity="lambda < 1, N -> inf at fixed shares, at rest",
        status="asymptotic", check="limit", expected=mean_of(_floor, "variance"), order=1,
        grown=larger,
    ),
    claim(
        "X6", "w2_squared", r"W_2^2 \to \sigma_0^2\left(1-\sqrt{a/(1-b\lambda)}\right)^2 + O(1/N)",
        (Case(loops.NARROWED, (60,), quick=False),),
        f"{MAD}, figure 31 (simulated); {OWN}",
        "lambda < 1, N -> inf at fixed shares, at rest; d times that in"
        " d dimensions", "asymptotic", "limit", expected=mean_of(_floor_w2, "w2_squared"),
        exact=_w2_squared, order=1, grown=larger,
    ),
    claim(
        "X6b", "w2_squared",
        r"n_s^* = \frac{4(2-\lambda)+(d+1)(2-\lambda^2)-\frac{3d+7}2(1-\lambda)}{(1-\lambda)^2}\colon\quad"
        r" \mathbb{E}W_2^2 = \mathbb{E}W_2^2(\text{real points alone}) + \frac{d\sigma_0^2(1-\lambda)^2}{4}"
        r"\,\frac{n_s(n_s-n_s^*)}{n_r^2} + O(n_r^{-3})",
        (
            Case(loops.ADMISSIBLE, (30,), quick=False, least=CHI_SQUARE),
            Case(loops.HELPED, (30,), quick=False, least=CHI_SQUARE),
        ),
        f"{MAD}, figures 11 and 12 (simulated); {OWN}",
        "n_r -> inf at fixed n_s, isotropic, maximum likelihood: up to n_s* synthetic points help, whatever"
        " n_r is; tested on the line",
        "asymptotic", "limit",
        expected=mean_of(_beside_real_alone, "w2_squared"), exact=_near_source, order=3, grown=_more_real,
    ),
    claim(
        "X7", "variance",
        r"\mathbb{E}\,\sigma^2 \to \sigma_0^2(1-\tfrac1{n_r})\frac{N(1-b^2)}{N(1-b^2)+b}", X7_CASES,
        f"{MAD} (the loop); {OWN}",
        "the same real set every time; maximum likelihood, lambda = 1: no collapse"
        " for any b < 1; tested with any lambda and divisor by the recursion",
    ),
    claim(
        "X7", "mean_error_squared",
        r"\mathbb{E}(\mu-\mu_0)^2 \to \frac{\sigma_0^2}{n_r} +"
        r" \sigma_0^2(1-\tfrac1{n_r})\frac{b}{N(1-b^2)+b}",
        X7_CASES, f"{MAD} (the loop); {OWN}", "the same real set every time; maximum likelihood, lambda = 1",
    ),
    claim(
        "X8", "mean_error_squared",
        r"\mathbb{E}(\mu-\mu_0)^2 \to \frac{\sigma_0^2}{n_r}\frac{w^2+k(1-w)^2}{w(2-w)},\quad k ="
        r" n_r/n_s,\quad"
        r" w^* = \tfrac12(\sqrt{k^2+4k}-k),\ \min = w^*\sigma_0^2/n_r", X8_CASES, f"{HE} (the scheme); {OWN}",
        "means and unbiased variances of real and synthetic points averaged with weights w and 1 - w",
    ),
    claim(
        "X8", "variance",
        r"\mathbb{E}\,\sigma^2 = \sigma_0^2,\quad \mathrm{Var}\,\sigma^2 \to \sigma_0^4\,"
        r"\frac{2w^2/(n_r-1)+2(1-w)^2/(n_s-1)}{1-(1-w)^2(1+\frac{2}{n_s-1})}", X8_CASES,
        f"{HE} (the scheme); {OWN}",
        "as X8: the mean at every t, the variance in the stationary state",
    ),
    claim(
        "X8b", "mean_error_squared",
        r"w_1 = 1,\ w_{t+1} = \frac{w_t+k}{w_t+k+1},\ \mathbb{E}(\mu_t-\mu_0)^2 = w_t\sigma_0^2/n_r;\quad"
        r" k = 1\colon w_t = F_{2t-1}/F_{2t}", (Case(loops.WEIGHTED_IN_TIME, (1, 2, 3, 6)),), OWN,
        "the best weight of every generation, the gain of a Kalman filter; exact as the mean of sigma^2"
        " is kept",
    ),
    claim(
        "X9", "mean_error_squared",
        r"\mathbb{E}(\mu-\mu_0)^2 \to \sigma_0^2\,\frac{u^2/n_s+w^2/n_r}{1-u^2+u^2/n_s},\quad u = 1-w",
        X9_CASES,
        validity="weighted maximum likelihood, the spread between the two means included; lambda = 1",
    ),
    claim("X9", "variance", CONSERVED, X9_CASES, validity="weighted maximum likelihood, lambda = 1"),
    claim(
        "X10", "mean_error", r"\mathbb{E}(\mu_t-\mu_0) = b^t m_0", X10_CASES, f"{OWN}, beside {BERTRAND}",
        "any divisor and lambda, from a model off by m_0: contraction for every b < 1",
    ),
    claim(
        "X10", "variance",
        r"\mathbb{E}\,\sigma_t^2 + \mathbb{E}(\mu_t-\mu_0)^2 = \sigma_0^2 + b^t(v_0+m_0^2-\sigma_0^2)",
        X10_CASES,
        f"{OWN}, beside {BERTRAND}",
        "maximum likelihood, lambda = 1, any start; rate lambda_B/(1 + lambda_B) < 1"
        " for every ratio lambda_B of synthetic to real points",
    ),
    claim(
        "X12", "mean_error_squared", r"\mathbb{E}(\mu_t-\mu_0)(\mu_t-\mu_0)^T = q_t\Sigma_0",
        (Case(loops.FRESH_PLANE, (1, 4), quick=False, engine="literal", least=CHI_SQUARE),),
        validity="d dimensions, every policy without targets: q_t of the line at sigma_0^2 = 1",
    ),
    claim(
        "X12", "covariance", r"\mathbb{E}\,\Sigma_t = s_t\Sigma_0",
        (Case(loops.FRESH_PLANE, (1, 4), quick=False, engine="literal", least=CHI_SQUARE),),
        validity="d dimensions, every policy without targets: s_t of the line at sigma_0^2 = 1",
    ),
    claim(
        "X13", "mean_error_squared",
        GAIN + r",\ g = \frac{K(1-b)+b}{(1-b)(K+b)};\quad n_e/n_r \to \frac{K+b}{K(1-b)+b}", X13_CASES,
        f"{MAD}, appendix G (simulated); {OWN}",
        "n_s/K new samples of each of the last K models; maximum likelihood, lambda = 1, in the"
        " stationary state",
    ),
    claim("X13", "variance", CONSERVED, X13_CASES, validity="maximum likelihood, lambda = 1"),
)  # fmt: skip
"""Every claim about mixtures of constant composition."""
