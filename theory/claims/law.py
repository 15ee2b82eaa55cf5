"""Claims about laws, first passages, growing samples, bounds and limits of the replace loop on the line."""

from __future__ import annotations

from typing import Any

import numpy as np

from theory.claim import Case, Claim
from theory.claims.larger_cases import larger_and_longer
from theory.loop import Gaussian, Loop, MaximumLikelihood, Replace, Sampler, Unbiased
from theory.replace.brownian_limit import limiting_moment

MLE, UNBIASED = MaximumLikelihood(), Unbiased()
OWN = "own derivation"


def _loop(n: Any, estimator: MaximumLikelihood | Unbiased, **parts: Any) -> Loop:
    return Loop(Gaussian(mean=0.5, variance=1.3), Replace(n), estimator, **parts)


_BIASED = _loop(6, UNBIASED, sampler=Sampler(bias=0.8))
_STARTED = _loop(8, MLE, sampler=Sampler(temperature=1.2), start=Gaussian(mean=-1.0, variance=2.0))

_LAW_CASES = (
    Case(_loop(2, MLE), (1, 3)),
    Case(_loop(6, MLE), (3, 40)),
    Case(_loop(9, UNBIASED), (4, 200)),
    Case(_BIASED, (1, 2, 20)),
    Case(_STARTED, (1, 2, 20), quick=False),
    Case(_loop("t + 3", UNBIASED), (5, 50), quick=False),
    Case(_loop(10_000, UNBIASED), (1000,), quick=False),
)

_CDF = (
    r"P(\sigma_t^2 \le e^y) = \frac12 - \frac1\pi \int_0^\infty \frac{1}{u}\,\mathrm{Im}\Bigl[ e^{-iuy}"
    r" \sigma_0^{2iu} \prod_{j \le t} \Bigl(\frac{2\lambda_j}{c_j}\Bigr)^{iu}"
    r" \frac{\Gamma(\nu_j/2 + iu)}{\Gamma(\nu_j/2)} \Bigr] du"
)
_RANGE = "all n >= 2, all t >= 1, any schedule of n and any lambda; samples not truncated"


def _law(observable: str, statement: str, validity: str = _RANGE) -> Claim:
    return Claim("gaussian.R3", observable, "recursion", statement, OWN, validity, "law", _LAW_CASES)


_R3 = (
    _law(
        "variance",
        _CDF + r"; \text{for constant } n \text{ and } \lambda = 1\colon"
        r" P(\sigma_t^2 \le q \sigma_0^2) = \Gamma(\tfrac\nu2)^{-t}\,"
        r" G^{t,1}_{1,t+1}\bigl( q (c/2)^t \,\big|\, {1 \atop \nu/2, \ldots, \nu/2, 0} \bigr)",
    ),
    _law("std", _CDF.replace(r"\sigma_t^2 \le e^y", r"\sigma_t \le e^{y/2}")),
    _law("log_variance", _CDF.replace(r"\sigma_t^2 \le e^y", r"\log \sigma_t^2 \le y")),
)

_R4 = Claim(
    "gaussian.R4",
    "log_variance",
    "asymptotic",
    r"\mathrm{median}\,\log(\sigma_t^2/\sigma_0^2) = t\,[\psi(\nu/2) + \log(2/c)]"
    r" - \frac{\psi''(\nu/2)}{6\,\psi'(\nu/2)} + O(1/t)",
    OWN + " (Cornish and Fisher's expansion); the exact median is R3's",
    "constant n >= 2, lambda = 1, large t",
    "law",
    (Case(_loop(6, MLE), (10,)), Case(_loop(20, UNBIASED), (30,))),
)

_R8 = Claim(
    "gaussian.R8",
    "mean_error",
    "recursion",
    r"E e^{iu(\mu_t - \mu_0)} = \Phi_1(u^2\sigma_0^2),\quad"
    r" \Phi_k(x) = e^{-\lambda_k x/2n_k}\, E\,\Phi_{k+1}(\lambda_k A_k x),\quad \Phi_{t+1} = 1,\quad"
    r" A_k = \chi^2_{n_k-1}/c_k; \quad P(|\mu_\infty - \mu_0| > x) \sim C x^{-2\kappa},\quad"
    r" E (\lambda A)^\kappa = 1",
    OWN + "; the tail by Goldie, 1991, doi:10.1214/aoap/1177005985",
    _RANGE + "; the limit where log(lambda) + E log A < 0",
    "law",
    _LAW_CASES,
)

_R11 = Claim(
    "gaussian.R11",
    "half_life",
    "recursion",
    r"T = \min\{g : \sigma_g^2 \le \tfrac12 \sigma_{source}^2\},\quad u(y) = E[T \mid y] = 1 + \int_0^\infty"
    r" u(z) f(z - y)\,dz,\ f \text{ the density of } \log(\lambda \chi^2_\nu/c); \quad"
    r" E T = \frac{\log 2 + 0.5826 \sqrt{\psi'} - \psi''/6\psi'}{|\psi + \log(2/c)|} + \frac14 + o(1)",
    OWN + " (a renewal equation solved by Nystrom's method); expansion after Siegmund, 1985",
    "constant n >= 2, log(lambda) + psi(nu/2) + log(2/c) < 0; the expansion for lambda = 1 and large n",
    "passage",
    (
        Case(_loop(5, MLE), ()),
        Case(_loop(10, UNBIASED), (), quick=False),
        Case(_loop(10, MLE), ()),
        Case(_BIASED, ()),
        Case(_STARTED, (), quick=False),
    ),
)

_R12 = Claim(
    "gaussian.R12",
    "std",
    "bound",
    r"P(\sigma_t > \varepsilon) \le \min_{s \ge 0} (\sigma_0/\varepsilon)^s M_{s/2}^t"
    r" \le \frac{\sigma_0}{\varepsilon}\, \alpha(n)^t < \frac{\sigma_0}{\varepsilon}\, e^{-t/(4n-1)},\quad"
    r" \alpha(n) = E\sigma_1/\sigma_0 = \sqrt{\tfrac{2}{n-1}}\,\Gamma(\tfrac n2)/\Gamma(\tfrac{n-1}2)",
    "Suresh, Thangaraj, Khandavally, 2024, arXiv:2412.17646, Thm 3 (as in the authors' notebook);"
    " alpha of Bertrand et al., 2023, arXiv:2310.00429",
    "the unbiased loop, constant n >= 2, lambda = 1, every threshold",
    "bound",
    (Case(_loop(10, UNBIASED), (50, 100)), Case(_loop(3, UNBIASED), (1, 10))),
)


def _schedule(observable: str, statement: str, cases: tuple[Case, ...]) -> Claim:
    return Claim(
        "gaussian.R13",
        observable,
        "exact",
        statement,
        OWN + "; the condition for superlinear samples in Shumailov et al., 2023, arXiv:2305.17493",
        "lambda = 1; no collapse iff sum 1/n_t < inf, for both estimators (Kakutani, 1948)",
        "moments",
        cases,
    )


_QUADRATIC = r"n_t = n_1 t^2,\ x = \pi/\sqrt{n_1}\colon\ "
_R13 = (
    _schedule(
        "variance",
        r"E\sigma_t^2 = \sigma_0^2 \prod_{k \le t} (1 - 1/n_k) \text{ (maximum likelihood)};\ "
        + _QUADRATIC
        + r"\sigma_0^2 \sin(x)/x",
        (Case(_loop("20*t**2", MLE), (1, 5, 40)), Case(_loop("20*2**(t-1)", UNBIASED), (1, 10))),
    ),
    _schedule(
        "variance_squared",
        r"E\sigma_t^4 = \sigma_0^4 \prod_{k \le t} (n_k + 1)/(n_k - 1) \text{ (unbiased)};\ "
        + _QUADRATIC
        + r"\sigma_0^4 \sinh(x)/\sin(x)",
        (Case(_loop("40*t**2", UNBIASED), (1, 5, 40)),),
    ),
    _schedule(
        "mean_error_squared",
        r"E(\mu_t - \mu_0)^2 = \sigma_0^2 \sum_{k \le t} 1/n_k \text{ (unbiased)};\ "
        + _QUADRATIC
        + r"\sigma_0^2 \pi^2 / 6 n_1",
        (Case(_loop("20*t**2", UNBIASED), (1, 5, 40)), Case(_loop("20*t", MLE), (1, 10))),
    ),
)


def _diffusion(case: Case) -> np.ndarray:
    """The limit of E sigma; the higher moments are theory's, for the planning."""
    from theory.predict import central_moments

    found = central_moments(case.loop, "std", case.generations)
    found[0] = [limiting_moment(case.loop, 1.0, g / case.loop.data.n) for g in case.generations]
    return found


_R15 = Claim(
    "gaussian.R15",
    "std",
    "asymptotic",
    r"E\sigma_{n\tau} = \sigma_0 e^{-3\tau/4}\,(1 + O(1/n)) \text{ (maximum likelihood)},\quad"
    r" \sigma_0 e^{-\tau/4}\,(1 + O(1/n)) \text{ (unbiased)}; \quad"
    r" d\log\sigma^2 = -(2\,|\,1)\,d\tau + \sqrt2\,dW",
    OWN,
    "n -> inf at fixed tau = t/n, lambda = 1",
    "limit",
    (Case(_loop(400, MLE), (200,)), Case(_loop(400, UNBIASED), (200,))),
    _diffusion,
    order=1,
    grown=larger_and_longer,
)

GAUSSIAN_LAW = (*_R3, _R4, _R8, _R11, _R12, *_R13, _R15)
"""What is known of the loop's laws, beyond moments."""
