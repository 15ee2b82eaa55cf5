"""Claims about the replace loop in d dimensions: what is stated, where it is from, where it is tested.

Cases are light-tailed: enough points for the generations asked for. They vary dimension, estimator, bias,
start, schedule and rank.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import sympy as sp

from theory.claim import Case, Check, Claim, Status
from theory.claims.larger_cases import larger
from theory.loop import Gaussian, Loop, MaximumLikelihood, Replace, Sampler, Unbiased, sample_sizes
from theory.wishart import near_source
from theory.wishart import statements as stated
from theory.wishart.fits import matrix

OWN = "own derivation"
SHUMAILOV = "Shumailov et al. 2024, doi:10.1038/s41586-024-07566-y"
MAD = "Alemohammad et al. 2023, arXiv:2307.01850"
BARTLETT = "Bartlett 1933 (Cholesky factor of a Wishart matrix)"
NEWMAN = "Newman 1986, doi:10.1007/BF01464284"

ANY = "every n >= 2, n <= d included, every t, both divisors; biases, starts and schedules step by step"

FULL = Gaussian((0.0, 1.0, -1.0), ((2.0, 0.5, 0.0), (0.5, 1.0, 0.2), (0.0, 0.2, 0.5)))
DIAGONAL = Gaussian((0.0, 0.0), (3.0, 0.5))
ROUND = Gaussian((0.0,) * 4, 1.5)


def _loop(source: Gaussian, n: int | tuple[int, ...] | str, **parts) -> Loop:
    return Loop(source, Replace(n), **parts)


def _long(d: int) -> Gaussian:
    return Gaussian((0.0,) * d, tuple(1.0 + i / 4 for i in range(d)))


LIKELIHOOD = Case(_loop(FULL, 40), (1, 4))
BIASED = Case(_loop(DIAGONAL, 60, estimator=Unbiased(), sampler=Sampler(bias=0.9)), (1, 3))
STARTED = Case(
    _loop(FULL, 50, estimator=Unbiased(), sampler=Sampler(temperature=0.8),
          start=Gaussian((0.5, 1.0, -0.5), (1.0, 1.5, 0.5))), (1, 2),
    quick=False,
)  # fmt: skip
SCHEDULED = Case(_loop(ROUND, (60, 40, 50), estimator=MaximumLikelihood()), (1, 3))
GROWING = Case(
    _loop(DIAGONAL, "40 * t", sampler=Sampler(bias=1.1, applies_to_source=True)), (1, 3), quick=False
)
WIDE = Case(_loop(_long(12), 60, estimator=Unbiased()), (1, 3), quick=False)
DEGENERATE = Case(_loop(Gaussian((0.0,) * 7, 1.0), 6), (1, 2))
DROPPING = Case(
    _loop(Gaussian((0.0,) * 6, 2.0), (20, 5, 9, 4), sampler=Sampler(bias=0.8)), (1, 2, 4), quick=False
)
MANY = Case(_loop(_long(12), (50, 60), sampler=Sampler(bias=0.8)), (1, 2))
MOMENTS = (LIKELIHOOD, BIASED, STARTED, SCHEDULED, GROWING, WIDE)
SINGULAR = Case(_loop(_long(30), 20), (1, 2), quick=False)

LARGE = (
    Case(_loop(FULL, 20_000), (1, 3)),
    Case(_loop(ROUND, 20_000, estimator=Unbiased()), (2,), quick=False),
)
"""Enough points for the first order in 1/n, and for what is exact beside it up to order n^-3."""


def _first_order(case: Case) -> np.ndarray:
    """The prediction that `theory.predict` makes of W_2^2 in several dimensions."""
    from theory.predict import central_moments

    return central_moments(case.loop, "w2_squared", case.generations)


def _w2_squared(case: Case) -> np.ndarray:
    covariance = matrix(case.loop.source)
    lost = 0 if isinstance(case.loop.estimator, MaximumLikelihood) else 1
    sizes = [sample_sizes(case.loop.data.n, g) for g in case.generations]
    return np.array([near_source.w2_squared(covariance, n, [k - lost for k in n]) for n in sizes])


def _claim(
    entry: str,
    observable: str,
    statement: str,
    source: str,
    validity: str,
    cases: tuple[Case, ...],
    *,
    status: Status = "exact",
    check: Check = "moments",
    **more: Any,
) -> Claim:
    return Claim(f"gaussian.{entry}", observable, status, statement, source, validity, check, cases, **more)


def _mean(name: str, expression: sp.Expr) -> str:
    names = {stated.TRACE: r"\mathrm{tr}\,\Sigma_0"}
    return rf"\mathbb{{E}}\,{name} = {sp.latex(expression, symbol_names=names)}"


ERROR = r"|\mu_t-\mu_0|"
RATE = sp.Symbol("L_d")
R = sp.Symbol("r")
_X, _Y = stated.traces_of_squares()

GAUSSIAN_SPACE = (
    _claim(
        "M1", "covariance", r"\mathbb{E}\,\Sigma_t = (\nu/c)^t\,\Sigma_0", f"{MAD} (c = n - 1); {OWN}",
        ANY, MOMENTS,
    ),
    _claim(
        "M1", "trace", _mean(r"\mathrm{tr}\,\Sigma_t", stated.trace()), OWN, ANY, (*MOMENTS, SINGULAR),
    ),
    _claim(
        "M1", "variance",
        r"(\Sigma_t)_{ii} = (\Sigma_0)_{ii}\,\prod_{s\le t}\chi^2_{n_s-1}/c_s \text{ in law}", OWN,
        f"{ANY}; each entry is the loop on the line (R1)", MOMENTS,
    ),
    _claim(
        "M1", "mean_error",
        r"\mathbb{E}(\mu_t-\mu_0)(\mu_t-\mu_0)^T = \frac{\Sigma_0}{n}\,\frac{1-(\nu/c)^t}{1-\nu/c}",
        OWN, f"{ANY}; at c = nu it is t Sigma_0 / n", MOMENTS,
    ),
    _claim(
        "M1", "mean_error_squared", _mean(rf"{ERROR}^2", stated.mean_error_squared()),
        f"{SHUMAILOV} (c = n - 1, a lower bound on W2^2); {OWN}", f"{ANY}; at c = nu it is t tr Sigma_0 / n",
        (*MOMENTS, SINGULAR),
    ),
    _claim(
        "M1", "mean_error_fourth",
        rf"\mathbb{{E}}\,{ERROR}^4 = \mathbb{{E}}[(\mathrm{{tr}}\,V_t)^2 + 2\,\mathrm{{tr}}\,V_t^2],"
        r"\quad V_t = \sum_{s<t}\Sigma_s/n_{s+1}",
        OWN, f"{ANY}; the invariants of (V, Sigma) obey a finite linear recursion", (MANY, WIDE),
        status="recursion",
    ),
    _claim(
        "M2", "log_det",
        r"\mathbb{E}\log\det\Sigma_t = \log\det\Sigma_0 + t L_d,"
        rf"\quad L_d = {sp.latex(stated.log_det_rate())},"
        rf"\quad \mathrm{{Var}} = t {sp.latex(stated.log_det_variance_rate())}",
        f"{BARTLETT}; {OWN}", "every n_t > d; the r-th cumulant sums psi^(r-1)", MOMENTS,
    ),
    _claim(
        "M3", "trace_of_square", _mean(r"\mathrm{tr}\,\Sigma_t^2", _X), OWN, ANY, MOMENTS,
    ),
    _claim(
        "M3", "square_of_trace", _mean(r"(\mathrm{tr}\,\Sigma_t)^2", _Y), OWN, ANY, MOMENTS,
    ),
    _claim(
        "M4", "lyapunov",
        rf"\tfrac1t\log\frac{{D_i(\Sigma_t)}}{{D_i(\Sigma_0)}} \to {sp.latex(stated.lyapunov())}",
        f"{NEWMAN}; {BARTLETT}; {OWN}",
        "D_i the ratio of leading principal minors; a mean of t independent terms, exact at every t; i < n",
        (LIKELIHOOD, BIASED, STARTED, SCHEDULED, Case(LIKELIHOOD.loop, (200,), quick=False)),
    ),
    _claim(
        "M5", "w2_squared",
        r"\mathbb{E}\,W_2^2(N_t, N_0) = \frac tn\Big\{\mathrm{tr}\,\Sigma_0 + \frac12\Big["
        r"\mathrm{tr}\,\Sigma_0 + \sum_{i\ne j}\frac{l_i l_j}{l_i+l_j}\Big]\Big\} + O\big((t/n)^2\big)",
        OWN, "first order in sum 1/n_t, lambda = 1, from the source; l the eigenvalues of Sigma_0; the error"
        " is of order n^-2", LARGE,
        status="asymptotic", check="limit", expected=_first_order, exact=_w2_squared, order=2, grown=larger,
    ),
    _claim(
        "M6", "log_pseudo_det",
        r"\mathbb{E}\log\mathrm{pdet}\,\Sigma_t = \sum_{i=1}^{\nu}\Big[\psi\big(\tfrac{d-i+1}2\big)"
        r" + (t-1)\,\psi\big(\tfrac{\nu-i+1}2\big)\Big] + t\nu\log\tfrac2c,\quad \Sigma_0 = I,\ n \le d",
        OWN, "an isotropic first model; any schedule: a Wishart determinant for every size but the smallest",
        (DEGENERATE, DROPPING),
    ),
    _claim(
        "M7", "kl_to_source", _mean(r"\mathrm{KL}(N_t\|N_0)", stated.kl_to_source(RATE)),
        OWN, "every n_t > d; infinite otherwise", MOMENTS,
    ),
    _claim(
        "M7", "kl_from_source",
        _mean(r"\mathrm{KL}(N_0\|N_t)", stated.kl_from_source(RATE, R)) + r",\quad r = \frac{c}{\nu-d-1}",
        f"von Rosen 1988 (inverse Wishart moments); {OWN}",
        "every n_t > d + 2; its k-th moment is finite iff every n_t > d + 2k", MOMENTS,
    ),
)  # fmt: skip
"""Every claim about a Gaussian in d dimensions."""
