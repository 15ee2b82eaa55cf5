"""Claims about Gaussian loops at thresholds and in limits: R8, R14, S1, X5, X13, A3, C4, W1."""

from __future__ import annotations

from typing import Any

import numpy as np
from scipy.special import digamma, gammaln, polygamma

from theory.categorical.counts import indicator_moments
from theory.claim import Case, Claim, Experiment
from theory.claims import policy_loops as loops
from theory.claims.larger_cases import larger, longer
from theory.claims.mixed import MAD, OWN, claim, mean_of
from theory.loop import Loop, MaximumLikelihood, Replace, Sampler, Unbiased
from theory.policy import Fresh, Memory, Web
from theory.recipes import mixed_statements as stated
from theory.recipes.accumulate_limits import unbiased_survival
from theory.replace.fits import constant_size
from theory.replace.known_variance import beating_first
from theory.replace.perpetuity import limit_tail
from theory.result import central
from theory.selection import Tilt

KESTEN = "Kesten 1973, doi:10.1007/BF02392040; Goldie 1991, doi:10.1214/aoap/1177005985"
XU = "Xu et al. 2025, arXiv:2505.13947 (the question)"
FERBACH = "Ferbach et al. 2024, arXiv:2407.09499"


def almost_sure_bias(n: int, divisor: int) -> float:
    """S1: lambda* = (c/2) e^{-psi(nu/2)}, below which the variance vanishes almost surely."""
    return divisor / 2 * float(np.exp(-digamma((n - 1) / 2)))


def _divisor(loop: Loop) -> int:
    n = constant_size(loop)
    assert n is not None
    return n if isinstance(loop.estimator, MaximumLikelihood) else n - 1


def _log_drift(case: Case) -> np.ndarray:
    """E and cumulants of log sigma_t^2 / sigma_0^2, lambda acting on every draw: t log(lambda / lambda*)."""
    loop, t = case.loop, np.array(case.generations)
    n = loop.data.n
    drift = np.log(loop.sampler.bias / almost_sure_bias(n, _divisor(loop)))
    second, third, fourth = (t * polygamma(k, (n - 1) / 2) for k in (1, 2, 3))
    return np.stack([np.log(loop.source.variance) + t * drift, second, third, fourth + 3 * second**2])


def _at_bias(n: int, bias: float) -> Case:
    sampler = Sampler(bias=bias, applies_to_source=True)
    return Case(Loop(loops.UNIT, Replace(n), Unbiased(), sampler), (1, 5, 20))


def _power_moments(case: Case) -> np.ndarray:
    """Mean and variance of (sigma_t^2)^kappa, M_kappa^t and M_2kappa^t - M_kappa^2t; no shape."""
    get = case.loop.get
    half, order = (get("n") - 1) / 2, get("power") * np.arange(1, 3)
    logs = order * np.log(2 / get("divisor")) + gammaln(half + order) - gammaln(half)
    raw = np.exp(np.multiply.outer(logs, np.arange(1, get("generations") + 1)))
    return np.stack([*central(raw), *np.full((2, raw.shape[1]), np.nan)])


def _tail(loop: Loop, generations: int) -> Case:
    given: dict[str, Any] = {"n": loop.data.n, "divisor": _divisor(loop), "generations": generations}
    power = limit_tail(loop).index / 2
    return Case(Experiment("power of the variance", tuple((given | {"power": power}).items())))


def _beating(*sizes: int) -> Case:
    return Case(Experiment("beating the first fit", (("sizes", sizes),)))


def _at_threshold(case: Case) -> np.ndarray:
    """X5: E sigma_t^2 = alpha + beta t + gamma k^t where X1's map has the eigenvalues 1 and k."""
    loop, (n, a, b) = case.loop, stated.shares(case.loop)
    c, s0, bias = stated.divisor(loop, n), stated.source(loop), loop.sampler.bias
    a, b, s0 = float(a), float(b), float(s0)
    step = np.array(
        [[b**2, b**2 * bias / loop.data.synthetic], [n * a * b / c, (n - 1) * b * bias / c]], float
    )
    fed = np.array([a**2 * s0 / loop.data.real, (n - 1) * a * s0 / c])
    first = np.array([s0 / n, (n - 1) * s0 / c])  # generation 1 has seen nothing but real points
    k = np.trace(step) - 1
    kept = (step - k * np.eye(2)) / (1 - k)
    lost = np.eye(2) - kept
    return np.array(
        [
            (kept @ (first + j * fed) + lost @ (k**j * first + (1 - k**j) / (1 - k) * fed))[1]
            for j in np.array(case.generations) - 1
        ]
    )


def _threshold(real: int, synthetic: int) -> Case:
    loop = Loop(loops.UNIT, Fresh(real, synthetic), Unbiased(), Sampler(bias=1.0))
    bias = float(stated.threshold(loop))
    return Case(loop.with_(sampler=Sampler(bias=bias)), (2, 6), quick=False)


def _remembered(case: Case) -> np.ndarray:
    """X13, n -> inf: (s_0 / n_r) (K (1-b) + b) / (K + b)."""
    data = case.loop.data
    b = data.per_model * data.models / (data.real + data.per_model * data.models)
    value = (data.models * (1 - b) + b) / (data.models + b) / data.real
    return np.full(len(case.generations), value * case.loop.source.variance)


def _unbiased_pool(case: Case) -> np.ndarray:
    kept = unbiased_survival(case.loop.data.n) * case.loop.source.variance
    return np.full(len(case.generations), kept)


def _pushed(case: Case) -> np.ndarray:
    return case.loop.selection.strength * case.loop.source.variance * np.array(case.generations)


def _unchanged(case: Case) -> np.ndarray:
    return np.full(len(case.generations), case.loop.source.variance)


def _exponent(case: Case) -> float:
    data = case.loop.data
    return min(1.0, 2 * data.real / (data.real + data.synthetic))


def _earlier(case: Case) -> np.ndarray:
    """What a quarter of the generations had, times 4^-min(1, 2 rho)."""
    from theory.predict import central_moments

    before = tuple(g // 4 for g in case.generations)
    return central_moments(case.loop, "mean_error_squared", before)[0] * 4 ** -_exponent(case)


def _inverse(case: Case) -> np.ndarray:
    """s_0 / ((r + g) (2 rho - 1) t), rho > 1/2."""
    data = case.loop.data
    return case.loop.source.variance / ((data.real - data.synthetic) * np.array(case.generations, float))


def _limit(entry: str, observable: str, statement: str, tested: Case, source: str, **more: Any) -> Claim:
    value = more.pop("value")
    return claim(
        entry, observable, statement, (tested,), source, status="asymptotic", check="limit",
        expected=mean_of(value, observable), **more,
    )  # fmt: skip


TILTED = Loop(loops.UNIT, Replace(20), loops.MLE, selection=Tilt("linear", 0.7, applies_to_source=True))
REMEMBERED = Case(Loop(loops.UNIT, Memory(6, 4, 2), loops.MLE), (40,), quick=False, least=2**18)
POOLED = Case(loops.ACCUMULATED_UNBIASED, (10,), quick=False)
REFRESHED = Loop(loops.UNIT, Web(8, 6, 2), loops.MLE)
FLOODED = Loop(loops.UNIT, Web(8, 2, 6), loops.MLE)
SPREAD = "every model is the fit to the whole web; maximum likelihood, lambda = 1"

GAUSSIAN_THRESHOLDS = (
    claim(
        "R8", "variance_power", r"\mathbb{E}\,\sigma_t^{2\kappa} = \sigma_0^{2\kappa},\quad"
        r" M_\kappa = 1,\quad P(|\mu_\infty-\mu_0| > x) \sim C\,x^{-2\kappa}",
        (_tail(Loop(loops.UNIT, Replace(30), MaximumLikelihood()), 2),
         _tail(Loop(loops.UNIT, Replace(20), Unbiased()), 3)),
        f"{KESTEN}; {OWN}",
        "kappa > 0, both divisors: kappa = 1 for c = n - 1 (no variance in the limit), a little above 2 for"
        " c = n; tested as the power of sigma that keeps its mean",
        expected=_power_moments,
    ),
    claim(
        "R14", "beating_first", r"P(|m_t| < |m_1|) = \tfrac1\pi\arctan\tfrac{2}{\sqrt\tau},\quad"
        r" \tau = n_1\sum_{s=2}^t\tfrac1{n_s},\quad m_t = \mu_t-\mu_0",
        (_beating(2, 2, 2, 2, 2, 2), _beating(2, 8, 18, 32, 50), _beating(1, *[6] * 12)),
        f"{OWN}; {XU}", "the mean alone is fitted, the variance is known; any sizes, every t >= 2",
        expected=lambda case: indicator_moments(beating_first(case.loop.get("sizes"))),
    ),
    claim(
        "S1", "log_variance", r"\mathbb{E}\log\sigma_t^2 = \log\sigma_0^2 + t\log(\lambda/\lambda^*),\quad"
        r" \lambda^* = \tfrac c2e^{-\psi(\nu/2)}",
        (_at_bias(6, almost_sure_bias(6, 5)), _at_bias(6, 1.15)), f"{MAD} (the loop); {OWN}",
        "lambda acts on every draw; sigma_t -> 0 almost surely iff lambda < lambda*, also for"
        " c/nu < lambda < lambda*, where E sigma_t^2 -> inf; no drift at lambda*",
        expected=_log_drift,
    ),
    claim(
        "X5", "variance", r"\lambda = \lambda^*\colon\quad \mathbb{E}\,\sigma_t^2 = \alpha + \beta t +"
        r" \gamma k^t,\quad \mathrm{spec}(A) = \{1, k\}",
        (_threshold(12, 18),), OWN,
        "A the map of X1, divisor n - 1, from the source: linear growth at the threshold itself",
        expected=mean_of(_at_threshold, "variance"),
    ),
    _limit(
        "X13", "mean_error_squared", r"\mathbb{E}(\mu-\mu_0)^2 = \frac{\sigma_0^2}{n_r}\,"
        r"\frac{K(1-b)+b}{K+b}\,(1+O(1/n)),\quad n_e/n_r \to \frac{K+b}{K(1-b)+b}",
        REMEMBERED, f"{MAD}, appendix G (simulated); {OWN}",
        validity="the last K models sampled anew, n -> inf at fixed shares, at rest",
        value=_remembered, order=2, grown=larger,
    ),
    _limit(
        "A3", "variance", r"\mathbb{E}\,\sigma_t^2 = \sigma_0^2\,\frac{\Gamma(2-1/n)}{\Gamma(2-r_+)"
        r"\Gamma(2-r_-)} + O(1/t),\quad r_\pm = \frac{1\pm\sqrt{1+4n}}{2n}",
        POOLED, OWN, validity="accumulate, divisor nt - 1, lambda = 1",
        value=_unbiased_pool, order=1, grown=longer,
    ),
    _limit(
        "C4", "mean_error", r"\mu_t = \mu_0 + t\beta\sigma_0^2 + O(1/n)", Case(TILTED, (2, 3), quick=False),
        FERBACH, validity="replace, linear reward of slope beta, n -> inf at fixed t: C8 without its decay",
        value=_pushed, order=1, grown=larger,
    ),
    _limit(
        "C4", "variance", r"\sigma_t^2 = \sigma_0^2 + O(1/n)", Case(TILTED, (1, 3), quick=False), FERBACH,
        validity="replace, linear reward, n -> inf at fixed t: a tilt moves a normal and keeps its width",
        value=_unchanged, order=1, grown=larger,
    ),
    _limit(
        "W1", "mean_error_squared", r"\mathbb{E}\,m_t^2 = \frac{\sigma_0^2}{(r+g)(2\rho-1)\,t} +"
        r" O(t^{-2\rho}),\quad \tfrac12 < \rho = \tfrac r{r+g} < 1",
        Case(REFRESHED, (40,), quick=False, least=2**18), OWN, validity=f"{SPREAD}; 1/t as with real data"
        " alone", value=_inverse, order=1.5, grown=longer,
    ),
    _limit(
        "W1", "mean_error_squared", r"\mathbb{E}\,m_{4t}^2 = 4^{-2\rho}\,\mathbb{E}\,m_t^2 + O(1/t),\quad"
        r" \rho = \tfrac r{r+g} < \tfrac12", Case(FLOODED, (40,), quick=False, least=2**18), OWN,
        validity=f"{SPREAD}; the phase transition at rho = 1/2: slower than 1/t below it",
        value=_earlier, order=1, grown=longer,
    ),
)  # fmt: skip
"""Every claim of this file."""
