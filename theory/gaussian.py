"""Stated formulas of the replace loop on the line, as SymPy expressions; exact for all n and t >= 1.

Fitting a normal to n of its own samples of variance lambda sigma^2 multiplies its variance by lambda A,
A = chi2_nu / c, and moves its mean by sigma sqrt(lambda/n) Z, independently (Cochran):

    sigma_t^2 = lambda A_t sigma_{t-1}^2,      mu_t = mu_{t-1} + sqrt(lambda/n) sigma_{t-1} Z_t.

Where the first fit is to real data that lambda does not act on, the walk is that of a source of variance
sigma_0^2 / lambda: every formula holds with that initial variance. The loop is that of Shumailov et al.
(2024, doi:10.1038/s41586-024-07566-y), with lambda that of Alemohammad et al. (2023, arXiv:2307.01850);
closed forms are own derivations unless a docstring says otherwise. `theory.moments` derives them again.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import sympy as sp

from theory.loop import Loop, LoopError
from theory.replace.fits import Fit, constant_size, fit, is_synthetic, models, sizes

Expr = Any  # a SymPy expression


class Setting(NamedTuple):
    """The numbers or symbols that the formulas are written in.

    Attributes:
        n: samples a fit.
        nu: n - 1, the degrees of freedom.
        divisor: c, of the sum of squares: n for maximum likelihood, nu unbiased.
        factor: lambda, on the variance of samples.
        source: the source's variance, which divergences compare with.
        variance: the variance the walk begins at; the source's, if nothing else is said.
        offset: how far the first model's mean is from the source's.
    """

    n: Expr
    nu: Expr
    divisor: Expr
    factor: Expr
    source: Expr
    variance: Expr
    offset: Expr


def setting(loop: Loop) -> Setting:
    """The setting of a loop with constant n, in numbers or symbols.

    Raises:
        LoopError: if n changes or samples are truncated: no formula here covers that.
    """
    source, first = models(loop)
    if constant_size(loop) is None:
        reason = "these formulas are for a constant number of samples"
        raise LoopError("data.n", str(sizes(loop)), reason)
    later = fit(loop, 2, sp.sympify(constant_size(loop)))
    if later.truncate is not None:
        raise LoopError("sampler.truncate", later.truncate, "see the formulas for truncated samples")
    factor = sp.nsimplify(later.factor, rational=True)
    numbers = [sp.nsimplify(x, rational=True) for x in (source.variance, first.variance)]
    return Setting(
        n=later.n,
        nu=later.nu,
        divisor=later.divisor,
        factor=factor,
        source=numbers[0],
        variance=numbers[1] if is_synthetic(loop, 1) else numbers[1] / factor,
        offset=sp.nsimplify(first.mean, rational=True) - sp.nsimplify(source.mean, rational=True),
    )


def mellin(k: Expr, s: Setting) -> Expr:
    """E[(chi2_nu / c)^k] = (2/c)^k Gamma(nu/2 + k) / Gamma(nu/2), for k > -nu/2 (textbook)."""
    if k == int(k):
        steps = range(int(k)) if k >= 0 else range(int(k), 0)
        product = sp.Mul(*[(s.nu + 2 * i) / s.divisor for i in steps])
        return product if k >= 0 else 1 / product
    return (2 / s.divisor) ** k * sp.gamma(s.nu / 2 + k) / sp.gamma(s.nu / 2)


def geometric(x: Expr, y: Expr, t: Expr) -> Expr:
    """sum_{j<t} x^j y^{t-1-j} = (x^t - y^t) / (x - y), at x = y its limit t x^{t-1}."""
    gap = sp.simplify(x - y)
    quotient = (x**t - y**t) / gap if gap != 0 else None
    return _either(gap, t * x ** (t - 1), quotient)


def _either(gap: Expr, limit: Expr, quotient: Expr) -> Expr:
    """`quotient` unless `gap` vanishes; both branches where that depends on symbols."""
    if gap == 0:
        return limit
    if gap.is_number or gap.is_nonzero:
        return quotient
    return sp.Piecewise((limit, sp.Eq(gap, 0)), (quotient, True))


def power(k: Expr, s: Setting, t: Expr) -> Expr:
    """E sigma_t^{2k} = sigma_0^{2k} (lambda^k M_k)^t for every real k > -nu/2.

    k = 1/2 with the unbiased divisor is the alpha(n)^t of Bertrand et al. (2023, arXiv:2310.00429).
    """
    return s.variance**k * (s.factor**k * mellin(k, s)) ** t


def variance(s: Setting, t: Expr) -> Expr:
    """E sigma_t^2 = sigma_0^2 (lambda nu/c)^t."""
    return power(sp.Integer(1), s, t)


def std(s: Setting, t: Expr) -> Expr:
    """E sigma_t = sigma_0 (sqrt(lambda) M_{1/2})^t."""
    return power(sp.Rational(1, 2), s, t)


def variance_squared(s: Setting, t: Expr) -> Expr:
    """E sigma_t^4 = sigma_0^4 (lambda^2 nu (nu + 2) / c^2)^t."""
    return power(sp.Integer(2), s, t)


def lyapunov(s: Setting) -> Expr:
    """(1/t) log sigma_t^2 -> log lambda + psi(nu/2) + log(2/c) almost surely.

    Negative at lambda = 1 for both divisors (Jensen): collapse, as in Shumailov et al. (2024), Theorem 3.1.
    """
    return sp.log(s.factor) + sp.digamma(s.nu / 2) + sp.log(2 / s.divisor)


def log_variance(s: Setting, t: Expr) -> Expr:
    """E log sigma_t^2 = log sigma_0^2 + t (log lambda + psi(nu/2) + log(2/c))."""
    return sp.log(s.variance) + t * lyapunov(s)


def mean_error(s: Setting, t: Expr) -> Expr:
    """E (mu_t - mu_0): the first model's."""
    return s.offset


def mean_error_squared(s: Setting, t: Expr) -> Expr:
    """E (mu_t - mu_0)^2 = (lambda sigma_0^2 / n) (1 - rho^t) / (1 - rho), rho = lambda nu/c.

    At lambda = 1: sigma_0^2 (1 - (1 - 1/n)^t) with divisor n, t sigma_0^2 / n unbiased.
    """
    rho = s.factor * s.nu / s.divisor
    return s.offset**2 + s.factor * s.variance / s.n * geometric(rho, sp.Integer(1), t)


def mean_variance_product(s: Setting, t: Expr) -> Expr:
    """E[(mu_t - mu_0)^2 sigma_t^2] = (lambda rho sigma_0^4 / n) (q^t - rho^t) / (q - rho).

    rho = lambda nu/c and q = lambda^2 nu (nu + 2) / c^2.
    """
    rho, q = _second_rates(s)
    moved = s.factor * rho * s.variance**2 / s.n * geometric(q, rho, t)
    return s.offset**2 * variance(s, t) + moved


def mean_error_fourth(s: Setting, t: Expr) -> Expr:
    """E (mu_t - mu_0)^4 = sum_{j<t} (6 lambda/n E[m_j^2 sigma_j^2] + 3 lambda^2/n^2 E sigma_j^4).

    At lambda = 1, p = (1 - 1/n)^t, q = (1 - 1/n^2)^t: 3 sigma_0^4 [(2n-1) - (2n+1) q + 2p] with divisor n;
    sigma_0^4 3(n-1)/(2n^2) [n(W-1) - 2t], W = ((n+1)/(n-1))^t, unbiased.
    """
    rho, q = _second_rates(s)
    one = sp.Integer(1)
    sums = geometric(q, one, t)
    gap = sp.simplify(q - rho)
    limit = (1 - rho**t) / (1 - rho) ** 2 - t * rho ** (t - 1) / (1 - rho)
    double = _either(gap, limit, (sums - geometric(rho, one, t)) / gap)
    unit = s.factor**2 * s.variance**2 / s.n**2
    fourth = 3 * unit * sums + 6 * unit * rho * double
    if s.offset == 0:
        return fourth
    centred = s._replace(offset=sp.Integer(0))
    return s.offset**4 + 6 * s.offset**2 * mean_error_squared(centred, t) + fourth


def _second_rates(s: Setting) -> tuple[Expr, Expr]:
    rho = s.factor * s.nu / s.divisor
    return rho, rho * s.factor * (s.nu + 2) / s.divisor


def w2_squared(s: Setting, t: Expr) -> Expr:
    """E W2^2(N_t, N_0) = E m_t^2 + E sigma_t^2 + sigma_0^2 - 2 sigma_0 E sigma_t.

    At lambda = 1: 2 sigma_0^2 (1 - g_n^t) with divisor n; sigma_0^2 (2 + t/n - 2 c4(n)^t) unbiased.
    """
    cross = 2 * sp.sqrt(s.source) * std(s, t)
    return mean_error_squared(s, t) + variance(s, t) + s.source - cross


def kl_to_source(s: Setting, t: Expr) -> Expr:
    """E KL(N_t || N_0) = (1/2) [(E sigma_t^2 + E m_t^2) / sigma_0^2 - 1 - E log(sigma_t^2 / sigma_0^2)].

    At lambda = 1: -t L / 2 with divisor n; (t/n - t L) / 2 unbiased; L the Lyapunov exponent.
    """
    second = (variance(s, t) + mean_error_squared(s, t)) / s.source
    return (second - 1 - log_variance(s, t) + sp.log(s.source)) / 2


def kl_from_source(s: Setting, t: Expr) -> Expr:
    """E KL(N_0 || N_t) = (1/2) [E(sigma_0^2 + m_t^2) / sigma_t^2 - 1 + E log(sigma_t^2 / sigma_0^2)], n > 3.

    With r = c / (lambda (nu - 2)): E sigma_t^-2 = r^t / sigma_0^2 and
    E[m_t^2 / sigma_t^2] = (lambda r / n) (r^t - 1) / (r - 1). Infinite for n <= 3.
    """
    inverse = power(sp.Integer(-1), s, t)
    r = s.divisor / (s.factor * (s.nu - 2))
    ratio = s.factor * r / s.n * geometric(r, sp.Integer(1), t) + s.offset**2 * inverse
    return (s.source * inverse + ratio - 1 + log_variance(s, t) - sp.log(s.source)) / 2


def bounded_below(s: Setting | Fit) -> Expr:
    """E sigma_t^2 stays bounded iff lambda is at most c/nu."""
    return s.divisor / s.nu


def collapse_below(s: Setting | Fit) -> Expr:
    """sigma_t -> 0 almost surely iff lambda < (c/2) exp(-psi(nu/2)), which is greater than c/nu."""
    return s.divisor / 2 * sp.exp(-sp.digamma(s.nu / 2))


FORMULAS = {
    "mean_error": mean_error,
    "mean_error_squared": mean_error_squared,
    "mean_error_fourth": mean_error_fourth,
    "variance": variance,
    "std": std,
    "log_variance": log_variance,
    "variance_squared": variance_squared,
    "mean_variance_product": mean_variance_product,
    "w2_squared": w2_squared,
    "kl_to_source": kl_to_source,
    "kl_from_source": kl_from_source,
}
"""The expectation of each observable on the line."""


def expectation(loop: Loop, observable: str, t: Expr) -> Expr:
    """E of `observable` after t >= 1 fits, for a loop that holds numbers or symbols."""
    return FORMULAS[observable](setting(loop), t)


ERROR_P, ERROR_Q, ERROR_W, HALF, DRIFT = sp.symbols("p q W g L")
_N, _T, _S0 = (
    sp.Symbol("n", positive=True),
    sp.Symbol("t", positive=True),
    sp.Symbol("sigma_0", positive=True),
)
ABBREVIATIONS = {
    ERROR_P: (1 - 1 / _N) ** _T,
    ERROR_Q: (1 - 1 / _N**2) ** _T,
    ERROR_W: ((_N + 1) / (_N - 1)) ** _T,
}
"""p, q and W; g stands for E sqrt(A) and L for E log A, A = chi2_nu / c."""
UNBIASED_SAMPLER = {
    "mean_error_squared": (_S0**2 * (1 - ERROR_P), _T * _S0**2 / _N),
    "mean_error_fourth": (
        3 * _S0**4 * ((2 * _N - 1) - (2 * _N + 1) * ERROR_Q + 2 * ERROR_P),
        sp.Rational(3, 2) * _S0**4 * (_N - 1) / _N**2 * (_N * (ERROR_W - 1) - 2 * _T),
    ),
    "mean_variance_product": (
        _S0**4 * (ERROR_Q - ERROR_P),
        _S0**4 * (_N - 1) / (2 * _N) * (ERROR_W - 1),
    ),
    "w2_squared": (2 * _S0**2 * (1 - HALF**_T), _S0**2 * (2 + _T / _N - 2 * HALF**_T)),
    "kl_to_source": (-_T * DRIFT / 2, (_T / _N - _T * DRIFT) / 2),
}
"""The short forms at lambda = 1, from the source: with divisor n, and unbiased (R6, R7, R9, R10)."""
