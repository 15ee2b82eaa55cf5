"""The closure over a field of rational functions: built and solved in symbols, in a fraction of a second.

The generators of the field are n, lambda, the first model's sigma_0 and the few transcendental constants of a
fit (E sqrt(f), the cumulants of log f, or the moments of a truncated sample); m is measured from the first
model's mean. Equality is decidable there, so rates that coincide (1 and nu/c at lambda = 1 with the unbiased
divisor; those of sigma and sigma^3 with the other) are recognised, and answered with powers of t.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import cache
from types import MappingProxyType
from typing import Any, NamedTuple

import sympy as sp
from sympy.polys.fields import field

from theory.frozen import frozen
from theory.loop import Loop
from theory.replace.closure import Monomial, Step, applied, closed, rows
from theory.replace.fit_law import GaussianStep
from theory.replace.fits import divides_by_n, fit
from theory.replace.solution import ExponentialPolynomial, solve
from theory.replace.truncation import SymmetricStep

N = sp.Symbol("n", integer=True, positive=True)
T = sp.Symbol("t", integer=True, positive=True)
LAMBDA = sp.Symbol("lambda", positive=True)
SD = sp.Symbol("sigma_0", positive=True)
V, MU4, MU6 = sp.symbols("v mu_4 mu_6", positive=True)
"""Even moments of a truncated standard normal."""
HALF, HALF_REAL, DRIFT, SPREAD = sp.symbols("g g_1 L D", real=True)
"""E sqrt(lambda A), E sqrt(A), E log A and Var log A."""

_NAMES = ("n", "factor", "log_factor", "half", "half_real", "drift", "spread", "v", "mu4", "mu6", "sd", "log")
_FIELD, *_GENERATORS = field(_NAMES, sp.QQ)
_G = dict(zip(_NAMES, _GENERATORS, strict=True))
_ONE = _FIELD.one


class Kind(NamedTuple):
    """What decides the form of a loop's moments, numbers aside.

    Attributes:
        maximum_likelihood: divisor n rather than n - 1.
        biased: lambda differs from 1.
        truncated: synthetic samples are truncated.
        late: real data are neither biased nor truncated: the first fit differs from the later ones.
    """

    maximum_likelihood: bool = True
    biased: bool = False
    truncated: bool = False
    late: bool = False


def kind(loop: Loop) -> Kind:
    """The form of this loop's moments."""
    first, later = fit(loop, 1, N), fit(loop, 2, N)
    return Kind(
        maximum_likelihood=divides_by_n(loop),
        biased=later.factor != 1,
        truncated=later.truncate is not None,
        late=first != later,
    )


class Solved(NamedTuple):
    """The recursion of some moments and its solution, over the field.

    Attributes:
        matrix: expectations after one later fit from those before it.
        solution: functions of t, or of t - 1 where the first fit differs.
    """

    matrix: Mapping[Monomial, Mapping[Monomial, Any]]
    solution: Mapping[Monomial, ExponentialPolynomial]


@cache
def solved(kind: Kind, monomials: tuple[Monomial, ...]) -> Solved:
    """Build the one-step matrix over everything `monomials` need, and solve it from m = 0."""
    later = step(kind)
    family = [x for x in closed(monomials) if later.is_finite(x)]
    values = {(i, j, k): _FIELD(i == 0) * _G["sd"] ** j * _G["log"] ** k for i, j, k in family}
    if kind.late:
        values = applied(rows(family, step(Kind(kind.maximum_likelihood), _G["half_real"])), values)
    matrix = rows(family, later)
    solution = {x: ExponentialPolynomial(MappingProxyType(f.terms)) for x, f in solve(matrix, values).items()}
    return Solved(frozen(matrix), MappingProxyType(solution))


def step(kind: Kind, half: Any = _G["half"]) -> Step:
    """The law of a later fit over the field of rational functions."""
    divisor = _G["n"] if kind.maximum_likelihood else _G["n"] - 1
    if kind.truncated:
        moments = {0: _ONE, 2: _G["v"], 4: _G["mu4"], 6: _G["mu6"]}
        return SymmetricStep(_G["n"], divisor, moments.__getitem__, _ONE)
    mean = _G["drift"] + _G["log_factor"] if kind.biased else _G["drift"]
    cumulants = {(1, 0): mean, (2, 0): _G["spread"]}
    return GaussianStep(
        _G["n"],
        divisor,
        factor=_G["factor"] if kind.biased else _ONE,
        half=lambda: half,
        cumulant=lambda r, parity: cumulants[r, parity],
        one=_ONE,
    )


def constants(kind: Kind) -> dict[sp.Symbol, sp.Expr]:
    """The transcendental constants of a fit: their symbols and what they stand for."""
    nu = N - 1
    divisor = N if kind.maximum_likelihood else nu
    half = sp.sqrt(2 / divisor) * sp.gamma(N / 2) / sp.gamma(nu / 2)
    return {
        HALF: half * sp.sqrt(LAMBDA) if kind.biased else half,
        HALF_REAL: half,
        DRIFT: sp.digamma(nu / 2) + sp.log(2 / divisor),
        SPREAD: sp.polygamma(1, nu / 2),
    }


def expression(element: Any, names: Sequence[sp.Expr]) -> sp.Expr:
    """A rational function over the field, factorised, its constants written as `names`."""
    values = [N, LAMBDA, sp.log(LAMBDA), *names, V, MU4, MU6, SD, sp.log(SD**2)]
    parts = []
    for polynomial in (element.numer, element.denom):
        content, factors = polynomial.factor_list()
        parts.append(sp.Rational(content) * sp.Mul(*[p.as_expr(*values) ** e for p, e in factors]))
    return parts[0] / parts[1]


def function_of_t(terms: ExponentialPolynomial, steps: sp.Expr, names: Sequence[sp.Expr]) -> sp.Expr:
    """A solution as a SymPy expression, after `steps` steps of the recursion."""
    total = sp.Integer(0)
    for rate, coefficients in terms.terms.items():
        power = expression(rate, names) ** steps
        total += sum(expression(_FIELD(c), names) * steps**e * power for e, c in enumerate(coefficients))
    return total
