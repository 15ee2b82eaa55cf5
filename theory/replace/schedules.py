"""What growing samples save: limits of the replace loop's expectations when n depends on t, at lambda = 1.

Each expectation is a product over fits, or a sum of them (own derivation, R13). With s_t = sigma_t^2 and m_t
the mean error,

                     maximum likelihood       unbiased
    E s_t / s_0      prod (1 - 1/n_k)         1
    E s_t^2 / s_0^2  prod (1 - 1/n_k^2)       prod (n_k + 1)/(n_k - 1)
    E (m_t - m_0)^2  s_0 - E s_t              s_0 sum 1/n_k

For polynomial n_k a convergent product of ratios is one of gamma functions at the roots (Euler),

    prod_{k >= 1} prod_i (k - r_i)/(k - q_i) = prod_i Gamma(1 - q_i)/Gamma(1 - r_i),   sum r_i = sum q_i:

n_k = n_1 k^2 gives sin(x)/x, sinh(x)/sin(x) and pi^2/(6 n_1), x = pi/sqrt(n_1). For n_k = n_1 r^{k-1} it
is one of q-Pochhammer symbols (a; q) = prod_{k >= 0} (1 - a q^k) with q = 1/r. Whatever the form,
sum 1/n_k = inf means collapse (`theory.replace.growth`). E sigma_t and E log s_t are products and sums of E
sqrt A and E log A, A = chi2_{n-1}/c, whose limits are summed numerically to 15 digits. With a bias lambda !=
1 and growing samples, lambda alone decides what becomes of the variance.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import mpmath

from theory.expression import Expression
from theory.loop import Gaussian, Loop
from theory.replace.fits import divides_by_n, fit, models, sizes
from theory.replace.growth import Growth, growth

_DIGITS = 30
_LONGEST_SUM = 100_000


def to_sympy(expression: Expression, t: Any) -> Any:
    """The expression with SymPy's operations, numbers exact, at the symbol (or value) `t`."""
    import sympy as sp

    functions = {"sqrt": sp.sqrt, "log": sp.log, "floor": sp.floor, "ceil": sp.ceiling}
    return expression.evaluate(t, sp.Rational, functions)


def collapses(loop: Loop) -> bool | None:
    """Whether the variance vanishes, sum 1/n_t = inf, for n an expression and lambda = 1; None if unknown."""
    order = growth(sizes(loop))
    return None if order is None else not order.reciprocals_converge()


def limit(loop: Loop, observable: str) -> float | None:
    """The limit of E observable as t -> inf, for n an expression that grows; None where it is not known."""
    (source, first), n = models(loop), sizes(loop)
    order = growth(n) if isinstance(n, Expression) else None
    if not source.is_scalar or order is None or order.order <= (0, 0, 0) or loop.sampler.truncate is not None:
        return None
    likelihood = divides_by_n(loop)
    factors = fit(loop, 1, n.at(1)).factor, fit(loop, 2, n.at(1)).factor
    kind = _Plain if factors == (1, 1) else _Biased
    with mpmath.workdps(_DIGITS):
        value = _assembled(kind(n, order, likelihood, factors), observable, source, first)
        return None if value is None else float(value)


def _assembled(units: _Plain | _Biased, observable: str, source: Gaussian, first: Gaussian) -> Any:
    """The observable's limit from those at a start of mean error 0 and variance 1."""
    start, truth = mpmath.mpf(first.variance), mpmath.mpf(source.variance)
    offset = mpmath.mpf(first.mean) - mpmath.mpf(source.mean)

    def scaled(part: Any, factor: Any, shift: Any = 0) -> Any:
        return None if part is None else factor * part + shift

    match observable:
        case "mean_error":
            return offset
        case "mean_error_squared":
            return scaled(units.spread(), start, offset**2)
        case "variance":
            return scaled(units.variance(), start)
        case "std":
            return scaled(units.deviation(), mpmath.sqrt(start))
        case "log_variance":
            return scaled(units.logarithm(), 1, mpmath.log(start))
        case "variance_squared":
            return scaled(units.square(), start**2)
        case "w2_squared":
            last = scaled(units.deviation(), -2 * mpmath.sqrt(start * truth), truth)
        case "kl_to_source":
            last = scaled(units.logarithm(), -truth, truth * (mpmath.log(truth / start) - 1))
        case _:
            return None
    parts = (scaled(units.spread(), start, offset**2), scaled(units.variance(), start), last)
    if any(part == mpmath.inf for part in parts):  # the first two outgrow what is subtracted
        return mpmath.inf
    if None in parts:
        return None
    return sum(parts) / (1 if observable == "w2_squared" else 2 * truth)


@dataclass(frozen=True)
class _Plain:
    """Limits at lambda = 1 for a start of mean error 0 and variance 1; None where unknown."""

    n: Expression
    growth: Growth
    likelihood: bool
    factors: tuple[float, float]

    def variance(self) -> Any:
        return self._product((1,), ()) if self.likelihood else mpmath.mpf(1)

    def square(self) -> Any:
        if self.likelihood:
            return self._product((1, -1), (), exponent=2)
        return self._product((-1,), (1,), divergent=mpmath.inf)

    def spread(self) -> Any:
        if self.likelihood:
            variance = self.variance()
            return None if variance is None else 1 - variance
        return self._sum(lambda n: 1 / n, mpmath.inf)

    def deviation(self) -> Any:
        total = self._sum(self._log_root, -mpmath.inf)
        return None if total is None else mpmath.exp(total)

    def logarithm(self) -> Any:
        return self._sum(
            lambda n: mpmath.digamma((n - 1) / 2) + mpmath.log(2 / self._divisor(n)), -mpmath.inf
        )

    def _divisor(self, n: Any) -> Any:
        return n if self.likelihood else n - 1

    def _log_root(self, n: Any) -> Any:
        """The logarithm of E sqrt(chi2_{n-1} / c) = Gamma(a + 1/2) / (Gamma(a) sqrt(c/2)), a = (n - 1)/2."""
        a, half = (n - 1) / 2, self._divisor(n) / 2
        if n < 10_000:
            return mpmath.loggamma(a + 0.5) - mpmath.loggamma(a) - mpmath.log(half) / 2
        return mpmath.log(a / half) / 2 - 1 / (8 * a) + 1 / (192 * a**3) - 1 / (640 * a**5)

    def _product(
        self, above: Sequence[int], below: Sequence[int], exponent: int = 1, divergent: Any = 0
    ) -> Any:
        """The product over k of prod (1 - a/n_k) / prod (1 - b/n_k), which is 1 + O(n_k^-exponent)."""
        if not self.growth.reciprocals_converge(exponent):
            return mpmath.mpf(divergent)
        form = _form(self.n)
        return None if form is None else form.product(above, below)

    def _sum(self, term: Callable[[Any], Any], divergent: Any) -> Any:
        """The sum over k of term(n_k), of the order of 1/n_k."""
        if not self.growth.reciprocals_converge():
            return divergent
        form = _form(self.n)
        return None if form is None else form.sum(term)


@dataclass(frozen=True)
class _Biased:
    """The same with a bias: to leading order E s_t is multiplied by lambda each time, as n grows."""

    n: Expression
    growth: Growth
    likelihood: bool
    factors: tuple[float, float]

    def variance(self) -> Any:
        return self._geometric(0)

    square = deviation = variance

    def logarithm(self) -> Any:
        return self._geometric(-mpmath.inf)

    def _geometric(self, collapsed: Any) -> Any:
        if self.factors[1] == 1:
            return None
        return mpmath.mpf(collapsed) if self.factors[1] < 1 else mpmath.inf

    def spread(self) -> Any:
        """The sum over k of E[lambda_k s_{k-1}] / n_k, whose terms shrink like lambda e^{-rate}."""
        shrinkage = math.log(self.factors[1]) - self.growth.rate
        if shrinkage >= 0:
            return mpmath.inf if shrinkage > 0 else None
        total, variance = mpmath.mpf(0), mpmath.mpf(1)
        for k in range(1, _LONGEST_SUM):
            n = _value(self.n, k)
            variance *= self.factors[0 if k == 1 else 1]
            total += variance / n
            if variance / n < mpmath.mpf(10) ** -18 * total * -shrinkage:
                return total
            variance *= (n - 1) / n if self.likelihood else 1
        return None


@dataclass(frozen=True)
class _Polynomial:
    """n_k = sum_i coefficients[i] k^(degree - i)."""

    coefficients: tuple[Any, ...]

    def product(self, above: Sequence[int], below: Sequence[int]) -> Any:
        balance = len(above) - len(below)
        over = [root for a in above for root in self._roots(a)] + self._roots(0) * max(-balance, 0)
        under = [root for b in below for root in self._roots(b)] + self._roots(0) * max(balance, 0)
        ratio = [mpmath.gamma(1 - root) for root in under] + [mpmath.rgamma(1 - root) for root in over]
        return mpmath.re(mpmath.fprod(ratio))

    def sum(self, term: Callable[[Any], Any]) -> Any:
        return mpmath.nsum(lambda k: term(mpmath.polyval(self.coefficients, k)), [1, mpmath.inf])

    def _roots(self, a: int) -> list[Any]:
        """The k with n_k = a."""
        shifted = [*self.coefficients[:-1], self.coefficients[-1] - a]
        return mpmath.polyroots(shifted, maxsteps=500, extraprec=200)


@dataclass(frozen=True)
class _Geometric:
    """n_k = first * ratio^(k - 1)."""

    first: Any
    ratio: Any

    def product(self, above: Sequence[int], below: Sequence[int]) -> Any:
        over = [mpmath.qp(a / self.first, 1 / self.ratio) for a in above]
        under = [1 / mpmath.qp(b / self.first, 1 / self.ratio) for b in below]
        return mpmath.fprod(over + under)

    def sum(self, term: Callable[[Any], Any]) -> Any:
        total, n = mpmath.mpf(0), self.first
        for _ in range(_LONGEST_SUM):
            part = term(n)
            total += part
            if abs(part) < mpmath.mpf(10) ** -18 * abs(total) * (1 - 1 / self.ratio):
                return total
            n *= self.ratio
        return None


def _form(expression: Expression) -> _Polynomial | _Geometric | None:
    """The schedule as one of the forms that have closed limits."""
    import sympy as sp

    t = sp.Symbol("t", integer=True, positive=True)
    n = sp.expand(to_sympy(expression, t))
    if n.is_polynomial(t):
        return _Polynomial(tuple(mpmath.mpf(c.p) / c.q for c in sp.Poly(n, t).all_coeffs()))
    if n.has(sp.floor, sp.ceiling, sp.log):
        return None
    ratio = sp.powsimp(sp.simplify(n.subs(t, t + 1) / n))
    if not ratio.is_Rational:
        return None
    first = sp.simplify(n.subs(t, 1))
    return _Geometric(mpmath.mpf(first.p) / first.q, mpmath.mpf(ratio.p) / ratio.q)


def _value(expression: Expression, k: int) -> Any:
    """n_k in mpmath's arithmetic, of any size."""
    functions = {"sqrt": mpmath.sqrt, "log": mpmath.log, "floor": mpmath.floor, "ceil": mpmath.ceil}
    return expression.evaluate(mpmath.mpf(k), mpmath.mpf, functions)
