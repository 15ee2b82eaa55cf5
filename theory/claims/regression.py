"""Claims about regression on its own labels: what is stated, where it is from, where it is tested.

Generations are counted as everywhere: L9's chain of g fits and the ridge after it make generation g + 1.
Where labels are mixed, generation 1 mixes two labels of the source.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Literal

import numpy as np

from theory.claim import Case, Check, Claim, Status
from theory.claims.larger_cases import LONGER, larger
from theory.counts import points
from theory.linear import Final, LeastSquares, Linear, Ridge
from theory.loop import Loop, Replace
from theory.policy import Accumulate, Fresh
from theory.regression.design import marchenko_pastur

OWN = "own derivation"
GERSTGRASSER = "Gerstgrasser et al. 2024, arXiv:2404.01413"
DOHMATOB = "Dohmatob et al. 2024, arXiv:2402.07712"
GARG = "Garg et al. 2025, arXiv:2509.22341"
STRONG = "Dohmatob et al. 2024, arXiv:2410.04840"

NORMAL = "covariates N(0, I_d), n >= d + 2, every t >= 1"
ANY_LABELS = "labels of any law with that variance"

SMALL, SMALL_SAME = (Linear(3, 1.0, 1.0, covariates) for covariates in ("fresh", "same"))
WIDE, WIDE_SAME = (Linear(24, 1.0, 1.49, covariates) for covariates in ("fresh", "same"))
LONG, LONG_SAME = (Linear(10, 0.64, 1.0, covariates) for covariates in ("fresh", "same"))
QUIET = Linear(4, 0.09, 1.0)
LIKELIHOOD, UNBIASED = LeastSquares("maximum-likelihood"), LeastSquares("unbiased")


def _shifted(source: Linear, shift: float) -> Linear:
    return Linear(source.dimension, source.noise, source.signal, source.covariates, shift)


def _both(data: object, estimator: LeastSquares | Ridge, generations: tuple[int, ...]) -> tuple[Case, ...]:
    """Fresh covariates and the same ones."""
    return (
        Case(Loop(SMALL, data, estimator), generations),
        Case(Loop(SMALL_SAME, data, estimator), generations, quick=False),
    )


TAIL = 2**18
"""Replicates for a risk, whose tail is not known."""


def _engine(loop: Loop) -> Literal["exact", "literal"]:
    """Fewer points than dimensions, compositions by coin and a last ridge are drawn point by point."""
    data = loop.data
    fewest = points("data.n", data.n, 1) if hasattr(data, "n") else data.real + data.synthetic
    if isinstance(data, Fresh) and data.weight is not None:
        fewest = data.real
    iid = isinstance(data, Fresh) and data.composition == "iid"
    literal = iid or loop.estimator.final is not None or fewest < loop.source.dimension
    return "literal" if literal else "exact"


def _claim(
    entry: str,
    statement: str,
    source: str,
    validity: str,
    cases: tuple[Case, ...],
    *,
    observable: str = "risk",
    status: Status = "exact",
    check: Check = "moments",
    limit: Callable[[Loop], float] | None = None,
    order: float | None = None,
    grown: Callable[[Case], Case] | None = None,
) -> Claim:
    cases = tuple(replace(case, engine=_engine(case.loop), least=TAIL) for case in cases)
    if limit is None:
        return Claim(f"gaussian.{entry}", observable, status, statement, source, validity, check, cases)

    def expected(case: Case) -> np.ndarray:
        mean = np.full(len(case.generations), limit(case.loop))
        return np.stack([mean, *(np.full_like(mean, np.nan) for _ in range(3))])

    return Claim(
        f"gaussian.{entry}", observable, status, statement, source, validity, check, cases, expected,
        order=order, grown=grown,
    )  # fmt: skip


def _wider(case: Case) -> Case:
    """More points in as many more dimensions."""
    grown = larger(case)
    source = replace(case.loop.source, dimension=LONGER * case.loop.source.dimension)
    return replace(grown, loop=grown.loop.with_(source=source))


def _ridge_at_infinity(loop: Loop) -> float:
    """L7: the first risk, by the law of Marchenko and Pastur."""
    source = loop.source
    gain, square, noise = marchenko_pastur(loop.data.n, source.dimension, loop.estimator.penalty)
    return (1 - 2 * gain + square) * source.signal + source.noise * noise


def _shifted_labels(loop: Loop) -> float:
    """L10: one fit to real points and to labels shifted by delta, up to O(1/n^2)."""
    source, data = loop.source, loop.data
    n, d = data.real + data.synthetic, source.dimension
    p = data.synthetic / n
    shift = loop.start.shift * (p**2 + p * (1 - p) * (d + 1) / n)
    return shift + source.noise * d / (n - d - 1)


REGRESSION = (
    _claim(
        "L1", r"R_t = t\sigma^2 d/(n-d-1)", f"{GERSTGRASSER}; {DOHMATOB}",
        f"least squares, fresh or the same covariates; {NORMAL}; {ANY_LABELS}",
        _both(Replace(20), LeastSquares(), (1, 5)),
    ),
    _claim(
        "L2", r"R_t = \tfrac{\sigma^2 d}{n-d-1}\sum_{i\le t} i^{-2}", f"{GERSTGRASSER}, Theorem 2",
        f"least squares, the same covariates: R_1 sum 1/i^2 for any design; {NORMAL}; {ANY_LABELS}",
        (Case(Loop(SMALL_SAME, Accumulate(20)), (1, 5)),),
    ),
    _claim(
        "L3",
        r"R_t = \sigma^2 d\sum_{i\le t}\tfrac{1}{i(in-d-1)} = \tfrac{\sigma^2 d}{d+1}"
        r"[\psi(t+1-\tfrac{d+1}n)-\psi(1-\tfrac{d+1}n)-\psi(t+1)-\gamma_E]",
        OWN, f"least squares, fresh covariates; {NORMAL}; {ANY_LABELS}; any batches: n_i d / (N_i (N_i-d-1))",
        (
            Case(Loop(SMALL, Accumulate(20)), (1, 5)),
            Case(Loop(SMALL, Accumulate((18, 6, 10))), (3,), quick=False),
        ),
    ),
    _claim(
        "L4", r"R_t = \tfrac{\sigma^2 n}{n-d-1}[1-(1-d/n)^t]\ (c=n)", OWN,
        f"replace, the noise variance fitted with divisor n; with n - d it is L1; {NORMAL}, normal labels",
        (*_both(Replace(20), LIKELIHOOD, (1, 5)), *_both(Replace(20), UNBIASED, (3,))),
    ),
    _claim(
        "L4", r"R_t = \tfrac{\sigma^2d}{n-d-1}\sum_{i\le t}i^{-2}\prod_{k<i}(1-\tfrac{d}{k^2n})\ (c=N)", OWN,
        "accumulate on the same covariates, the noise variance fitted; fresh ones: d / (i (i n - d - 1))",
        _both(Accumulate(20), LIKELIHOOD, (2, 5)),
    ),
    _claim(
        "L4", r"\mathbb{E}\,\sigma_t^2 = \sigma^2(1-d/n)^t\ (c=n),\ \sigma^2\ (c=n-d);\quad"
        r"\sigma^2\prod_{k\le t}(1-\tfrac d{k^2 n})\ \text{accumulate}\ (c=N)",
        OWN, f"least squares, fitted noise variance; n > d, every t >= 1; {ANY_LABELS} under replace",
        (*_both(Replace(20), LIKELIHOOD, (1, 5)), *_both(Accumulate(20), LIKELIHOOD, (5,))),
        observable="noise_variance",
    ),
    _claim(
        "L4", r"\mathbb{E}\log\sigma_t^2 = \log\sigma^2 + t[\psi(\tfrac{n-d}2)+\log(2/c)]", OWN,
        "least squares, replace, n > d, normal labels; variance t psi'((n-d)/2); collapse for both divisors",
        (*_both(Replace(20), UNBIASED, (1, 5)), *_both(Replace(12), LIKELIHOOD, (5,))),
        observable="log_noise_variance",
    ),
    _claim(
        "L5", r"R_{t} = (1-w)^2R_{t-1} + \tau(w^2+(1-w)^2),\quad \tau = \tfrac{\sigma^2 d}{n-d-1},\quad"
        r"R_\infty = \tau\tfrac{w^2+(1-w)^2}{w(2-w)}",
        f"{GARG} (fixed design); {OWN}",
        f"labels mixed, least squares, any covariates kept or fresh; {NORMAL}; {ANY_LABELS}; best w = 0.618",
        (
            *_both(Fresh(20, 20, weight=0.3), LeastSquares(), (1, 2, 8)),
            *_both(Fresh(20, 20, weight="optimal"), LeastSquares(), (8,)),
        ),
    ),
    _claim(
        "L6", r"R_t = (1-w)^2gR_{t-1} + (1-g)B + \tau(w^2+(1-w)^2),\quad g=\tfrac nd,\ "
        r"\tau=\tfrac{\sigma^2n}{d-n-1}",
        f"{DOHMATOB}; {OWN}",
        f"minimum norm, n <= d - 2, fresh covariates, isotropic; {ANY_LABELS}; w = 0: replace",
        (
            Case(Loop(WIDE, Replace(4)), (1, 6), quick=False),
            Case(Loop(WIDE, Fresh(4, 4, weight=0.5)), (1, 6), quick=False),
            Case(Loop(Linear(24, 0.0, 1.49), Replace(4)), (1, 3), quick=False),
        ),
    ),
    _claim(
        "L6", r"R_t = (1-g)B + \tau V_t,\quad V_t = (1-w)^2V_{t-1} + w^2+(1-w)^2", f"{GARG}; {OWN}",
        f"minimum norm, n <= d - 2, the same covariates, isotropic; {ANY_LABELS}; least at w = 0.618",
        (
            Case(Loop(WIDE_SAME, Replace(4)), (1, 4), quick=False),
            Case(Loop(WIDE_SAME, Fresh(4, 4, weight=0.5)), (1, 6), quick=False),
        ),
    ),
    _claim(
        "L7", r"\alpha = 1-\kappa m,\quad \beta = 1-2\kappa m+\kappa^2m_2,\quad \eta = \gamma(m-\kappa m_2)",
        "Marchenko and Pastur 1967, doi:10.1070/SM1967v001n04ABEH001994",
        "one ridge fit as n, d grow at d / n = gamma: R_1 = (1-2a+b)B + sigma^2 eta + O(1/n)",
        (Case(Loop(Linear(20, 0.64, 1.0), Replace(50), Ridge(0.3)), (1,), quick=False),),
        status="asymptotic", check="limit", limit=_ridge_at_infinity, order=1, grown=_wider,
    ),
    _claim(
        "L8", r"R_t = B(1-2\alpha^t+\beta^t) + \sigma^2\eta\tfrac{1-\beta^t}{1-\beta},\quad \alpha = "
        r"\tfrac1d\mathbb{E}\,\mathrm{tr}A,\ \beta = \tfrac1d\mathbb{E}\,\mathrm{tr}A^2,\ "
        r"\eta = \mathbb{E}\,\mathrm{tr}(X'X+n\kappa)^{-2}X'X",
        f"{DOHMATOB}; {OWN}",
        f"ridge, fresh covariates, isotropic, every n, d, t; {ANY_LABELS}; constants by exact quadrature",
        (
            Case(Loop(LONG, Replace(30), Ridge(0.2)), (1, 5), quick=False),
            Case(Loop(LONG, Replace(6), Ridge(0.2)), (3,), quick=False),
        ),
        status="recursion",
    ),
    _claim(
        "L8", r"R_t = \beta u^2R_{t-1} - 2(\alpha-\beta)uc_{t-1} + (1-2\alpha+\beta)B + "
        r"\sigma^2\eta(w^2+u^2),\quad c_t = \alpha uc_{t-1} - (1-\alpha)B,\quad u = 1-w,\ R_0 = c_0 = 0",
        OWN, f"ridge, labels mixed, fresh covariates, isotropic, every n, d, t; {ANY_LABELS}",
        (Case(Loop(LONG, Fresh(30, 30, weight=0.4), Ridge(0.2)), (4,), quick=False),),
        status="recursion",
    ),
    _claim(
        "L8", r"R_t = \tfrac Bd\,\mathbb{E}\,\mathrm{tr}(1-A^t)^2 + "
        r"\sigma^2\,\mathbb{E}\,\mathrm{tr}\tfrac{1-A^{2t}}{1-A^2}H",
        OWN, f"ridge, replace, the same covariates, isotropic, every n, d, t; {ANY_LABELS}",
        (Case(Loop(LONG_SAME, Replace(30), Ridge(0.2)), (1, 5), quick=False),),
        status="recursion",
    ),
    _claim(
        "L8", r"R_t = \tfrac Bd\,\mathbb{E}\,\mathrm{tr}(1-U_t)^2 + \sigma^2\,\mathbb{E}\,\mathrm{tr}V_tH,"
        r"\quad U_t = A\prod_{k=2}^t\left(1-\tfrac{1-A}k\right),\ "
        r"V_t = \left(1-\tfrac{1-A}t\right)^2V_{t-1} + \tfrac1{t^2},\ V_0 = 0",
        OWN, "ridge, accumulate, the same covariates, a penalty n kappa for every batch, isotropic, every n,"
        f" d, t; {ANY_LABELS}",
        (Case(Loop(LONG_SAME, Accumulate(30), Ridge(0.2)), (4,), quick=False),),
        status="recursion",
    ),
    _claim(
        "L8", r"R_t = \tfrac Bd\,\mathbb{E}\,\mathrm{tr}(1-U_t)^2 + \sigma^2\,\mathbb{E}\,\mathrm{tr}V_tH,"
        r"\quad U_t = A(w+(1-w)U_{t-1}),\ V_t = (1-w)^2A^2V_{t-1} + w^2+(1-w)^2,\ U_0 = 1,\ V_0 = 0",
        OWN, f"ridge, labels mixed, the same covariates, isotropic, every n, d, t; {ANY_LABELS}",
        (Case(Loop(LONG_SAME, Fresh(30, 30, weight=0.4), Ridge(0.2)), (4,), quick=False),),
        status="recursion",
    ),
    _claim(
        "L9", r"R_{g+1} = (1-2\alpha+\beta)B + \sigma^2\eta + \beta\tfrac{g\sigma^2d}{n_0-d-1}",
        f"{DOHMATOB}; {OWN}", f"g least-squares fits of n_0 points, then one ridge; {NORMAL}; {ANY_LABELS}",
        (Case(Loop(LONG, Replace(25), LeastSquares(final=Final(0.2, 30))), (1, 4), quick=False),),
        status="recursion",
    ),
    _claim(
        "L10", r"R_t = \rho R_{t-1} + \tfrac{\sigma^2d}{n-d-1},\quad "
        r"\rho = \tfrac{n_2(n(n_2+1)-2)}{n(n+2)(n-1)} + \tfrac{n_1n_2}{n(n+2)(n-1)}\tfrac{nd-2}{n-d-1}",
        OWN, f"least squares on n_1 real and n_2 synthetic points side by side; {NORMAL}; {ANY_LABELS}",
        (
            Case(Loop(SMALL, Fresh(8, 12), start=_shifted(SMALL, 2.0)), (1, 4)),
            Case(Loop(SMALL, Fresh(8, 12)), (1, 5), quick=False),
        ),
    ),
    _claim(
        "L10", r"R_t = \mathbb{E}[\rho(n_2)]R_{t-1} + \tfrac{\sigma^2d}{n-d-1},\quad"
        r" n_2 \sim \mathrm{Bin}(n, p_2)",
        OWN, f"least squares, every point synthetic with probability p_2; {NORMAL}; {ANY_LABELS}",
        (Case(Loop(SMALL, Fresh(8, 12, "iid")), (1, 5), quick=False),),
    ),
    _claim(
        "L10", r"R_t = \rho R_{t-1} + \tfrac{d}{n-d-1}\tfrac{n_1\sigma^2+n_2v_{t-1}}n,\quad "
        r"v_t = \tfrac{n-d}{n}\left[\tfrac{n_1\sigma^2+n_2v_{t-1}}n + \tfrac{n_1n_2}{(n+2)(n-1)}"
        r"R_{t-1}\right],\quad v_0 = \sigma^2",
        OWN,
        f"least squares on exact counts, the noise variance fitted with divisor n; {NORMAL}; {ANY_LABELS}",
        (Case(Loop(SMALL, Fresh(8, 12), LIKELIHOOD), (4,), quick=False),),
    ),
    _claim(
        "L10", r"R_1 = p_2^2|\delta|^2 + \tfrac{\sigma^2d}{n-d-1} + p_1p_2\tfrac{d+1}n|\delta|^2 + O(n^{-2})",
        f"{STRONG}; {OWN}", "one shot, labels of the synthetic part shifted by delta; p_i = n_i / n fixed",
        (Case(Loop(QUIET, Fresh(300, 300), start=Linear(4, 0.09, 1.0, shift=1.0)), (1,)),),
        status="asymptotic", check="limit", limit=_shifted_labels, order=2, grown=larger,
    ),
)  # fmt: skip
"""Every claim about linear regression."""
