"""The law of one Gaussian fit: moments of A = chi2_nu / c and of its logarithm, nu = n - 1.

    E A^q = M_q = (2/c)^q Gamma(nu/2 + q) / Gamma(nu/2),                     q > -nu/2,
    E[A^q log^b A] = M_q B_b(kappa_1, ..., kappa_b),
    kappa_1 = psi(nu/2 + q) + log(2/c),    kappa_r = psi^{(r-1)}(nu/2 + q),

with B_b the complete Bell polynomials: under the weight A^q / M_q, A is again a gamma variable, and the
kappas are the cumulants of its logarithm (textbook). Only M_{1/2} and one polygamma per order are
transcendental; shifts of q by whole numbers are rational:

    M_{q+1} = M_q (nu + 2q) / c,    psi^{(r-1)}(x + 1) = psi^{(r-1)}(x) + (-1)^{r-1} (r-1)! x^{-r}.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import cache
from math import comb, factorial
from typing import Any

from theory.replace.closure import Monomial


class GaussianStep:
    """A fit to n normal samples of variance lambda sigma^2: e = Z sqrt(lambda / n), f = lambda A.

    Works in any arithmetic: decimals or elements of a field of rational functions.

    Args:
        n: the number of samples.
        divisor: c.
        factor: lambda.
        half: `half()` is E sqrt(f).
        cumulant: `cumulant(r, parity)` is the r-th cumulant of log f under the weight f^(parity / 2).
        one: the number 1.
    """

    def __init__(
        self,
        n: Any,
        divisor: Any,
        factor: Any,
        half: Callable[[], Any],
        cumulant: Callable[[int, int], Any],
        one: Any,
    ):
        self.n, self.nu, self.divisor, self.factor, self.one = n, n - 1, divisor, factor, one
        self._half, self._cumulant = cache(half), cache(cumulant)
        self.power, self.log_moment = cache(self._power), cache(self._log_moment)

    def is_finite(self, monomial: Monomial) -> bool:
        """Whether E[f^{j/2}] exists: j > -nu. Symbolic n is taken as large enough."""
        return monomial[1] >= 0 or not isinstance(self.n, int) or monomial[1] > -self.nu

    def moment(self, a: int, j: int, b: int) -> Any:
        """E[e^a f^{j/2} log^b f] for even a."""
        normal = factorial(a) // (2 ** (a // 2) * factorial(a // 2))
        return normal * (self.factor / self.n) ** (a // 2) * self.power(j) * self.log_moment(b, j)

    def _power(self, j: int) -> Any:
        """E[f^{j/2}]."""
        if j == 0:
            return self.one
        if j == 1:
            return self._half()
        if j > 1:
            return self.power(j - 2) * self.factor * (self.nu + j - 2) / self.divisor
        return self.power(j + 2) * self.divisor / (self.factor * (self.nu + j))

    def _log_moment(self, b: int, j: int) -> Any:
        """E[log^b f] under the weight f^{j/2}: the complete Bell polynomial of its cumulants."""
        if b == 0:
            return self.one
        return sum(comb(b - 1, r) * self.cumulant(r + 1, j) * self.log_moment(b - 1 - r, j) for r in range(b))

    def cumulant(self, r: int, j: int) -> Any:
        """The r-th cumulant of log f under the weight f^{j/2}."""
        parity = j % 2
        shift = (j - parity) // 2
        value = self._cumulant(r, parity)
        sign = -factorial(r - 1) if r % 2 == 0 else factorial(r - 1)
        for i in range(min(shift, 0), max(shift, 0)):
            term = sign * (2 * self.one / (self.nu + parity + 2 * i)) ** r
            value = value + term if shift > 0 else value - term
        return value
