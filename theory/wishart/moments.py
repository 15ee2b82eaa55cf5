"""Central moments of polynomial invariants in d dimensions: traces, covariance entries, errors of the mean.

Given the covariances of a run, mu_t - mu_0 = b + x with x ~ N(0, V_t), V_t = sum_{s<t} (lambda_{s+1} /
n_{s+1}) Sigma_s and b the start's distance. Then Y = |b + x|^2 - |b|^2 has the conditional cumulants of a
quadratic form of normals,

    kappa_r = 2^{r-1} (r-1)! [tr V^r + r b^T V^{r-1} b],

polynomials in the invariants whose expectations `theory.wishart.recursion` carries: every moment of |mu_t -
mu_0|^2 and of tr Sigma_t is a finite sum (own derivation). An entry Sigma_ij = tr(Sigma B), B of rank two,
obeys the same recursion as the trace: tr(Sigma B)^k is p_{(1^k)} of Sigma B, whose two nonzero eigenvalues
are (Sigma_ij +- sqrt(Sigma_ii Sigma_jj)) / 2.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from decimal import Decimal
from functools import cached_property
from math import comb, factorial, log10

import numpy as np
from numpy.typing import NDArray

from theory.replace.precision import context
from theory.wishart.fits import Path
from theory.wishart.recursion import Decimals, expectations
from theory.wishart.words import Monomial, closed, monomial, partitions, power_sums

Words = dict[Monomial, Decimal]
"""A polynomial in invariants."""


@dataclass(frozen=True)
class Spectrum:
    """Generation 0 as its invariants see it.

    Attributes:
        eigenvalues: of the covariance.
        weights: squared coordinates of b, the distance of the means, along its eigenvectors.
    """

    eigenvalues: tuple[Decimal, ...]
    weights: tuple[Decimal, ...]

    @classmethod
    def of(cls, matrix: NDArray[np.float64], b: NDArray[np.float64]) -> Spectrum:
        """The invariants of a covariance matrix and a vector."""
        if np.array_equal(matrix, np.diag(np.diag(matrix))):
            values, vectors = np.diag(matrix), np.eye(len(matrix))
        else:
            values, vectors = np.linalg.eigh(matrix)
        weights = (Decimal(x) ** 2 for x in (vectors.T @ b).tolist())
        return cls(tuple(map(Decimal, values.tolist())), tuple(weights))

    @cached_property
    def shifted(self) -> bool:
        """Whether b is not zero."""
        return any(self.weights)

    def power_sum(self, k: int) -> Decimal:
        """The trace of Sigma^k."""
        return sum((x**k for x in self.eigenvalues), Decimal(0))

    def form(self, k: int) -> Decimal:
        """The form b^T Sigma^k b; at k = 0, |b|^2."""
        powers = (x**k if k else Decimal(1) for x in self.eigenvalues)
        return sum((a * x for a, x in zip(self.weights, powers, strict=True)), Decimal(0))

    def initial(self, words: Monomial) -> Decimal:
        """The value of an invariant at generation 0, where V = 0."""
        value = Decimal(1)
        for word in words:
            if "v" in word:
                return Decimal(0)
            if "B" in word:
                start = word.index("B")
                for run in (word[start + 1 :] + word[:start]).split("B"):
                    value *= self.form(len(run))
            else:
                value *= self.power_sum(len(word))
        return value


def arithmetic(path: Path):
    """A decimal context that keeps fourth central moments on this path.

    A k-th central moment loses k log10(n) digits to the mean's power, and as many to a start far away.
    """
    largest = max((one.n for one, _ in path.runs), default=2)
    distance = 1 + path.offset @ path.offset / np.linalg.eigvalsh(path.covariance)[0]
    return context(60 + round(4 * log10(largest) + 4 * log10(distance)))


def product(left: Words, right: Words) -> Words:
    """The product of two polynomials in invariants."""
    total: Words = {}
    for x, a in left.items():
        for y, b in right.items():
            key = tuple(sorted(x + y))
            total[key] = total.get(key, Decimal(0)) + a * b
    return total


def powers(polynomial: Words, highest: int) -> list[Words]:
    """1, the polynomial, ..., its power `highest`."""
    result: list[Words] = [{(): Decimal(1)}]
    for _ in range(highest):
        result.append(product(result[-1], polynomial))
    return result


def moments_from_cumulants(cumulants: Sequence[Words], highest: int) -> list[Words]:
    """Raw moments 0, ..., `highest` of what has the conditional cumulants 1, 2, ..."""
    result: list[Words] = [{(): Decimal(1)}]
    for a in range(1, highest + 1):
        total: Words = {}
        for r in range(a):
            for key, value in product(cumulants[r], result[a - 1 - r]).items():
                total[key] = total.get(key, Decimal(0)) + comb(a - 1, r) * value
        result.append(total)
    return result


def error_cumulants(highest: int, shifted: bool) -> list[Words]:
    """kappa_1, ..., kappa_highest of Y given the covariances."""
    result = []
    for r in range(1, highest + 1):
        factor = Decimal(2 ** (r - 1) * factorial(r - 1))
        words = {monomial("v" * r): factor}
        if shifted and r > 1:
            words[monomial("B" + "v" * (r - 1))] = factor * r
        result.append(words)
    return result


def evaluated(polynomials: Sequence[Words], path: Path, start: Spectrum, order: int = 0) -> Decimals:
    """The expectation of each polynomial: [polynomial, stop, power of theta]."""
    targets = tuple(dict.fromkeys(key for polynomial in polynomials for key in polynomial if key))
    values = expectations(targets, path, lambda x: np.array([start.initial(x)], object), order)[..., 0]
    result = np.full((len(polynomials), len(path.stops), order + 1), Decimal(0), object)
    for i, polynomial in enumerate(polynomials):
        for key, coefficient in polynomial.items():
            if key:
                result[i] = result[i] + coefficient * values[:, :, targets.index(key)]
            else:
                result[i, :, 0] = result[i, :, 0] + coefficient
    return result


def central(raw: Sequence[Decimals]) -> list[Decimals]:
    """The mean, then central moments 2, 3, ..., from raw moments 1, 2, ..."""
    mean = raw[0]
    full = [np.full_like(mean, Decimal(1)), *raw]
    result = [mean]
    for k in range(2, len(full)):
        total = np.full_like(mean, Decimal(0))
        for j in range(k + 1):
            total = total + comb(k, j) * (-1) ** (k - j) * _power(mean, k - j) * full[j]
        result.append(total)
    return result


def _power(values: Decimals, k: int) -> Decimals:
    result = np.full_like(values, Decimal(1))
    for _ in range(k):
        result = result * values
    return result


def trace_polynomial(words: Monomial, path: Path, highest: int) -> list[NDArray[np.float64]]:
    """Central moments of an invariant of Sigma alone, such as ("ss",) for tr Sigma^2."""
    matrix = path.covariance
    with arithmetic(path):
        start = Spectrum.of(matrix, np.zeros(len(matrix)))
        raw = evaluated(powers({words: Decimal(1)}, highest)[1:], path, start)[..., 0]
        return [path.settled(x) for x in central(list(raw))]


def mean_error(path: Path, power: int, highest: int) -> list[NDArray[np.float64]]:
    """Central moments of |mu_t - mu_0|^(2 power)."""
    with arithmetic(path):
        start = Spectrum.of(path.covariance, path.offset)
        cumulants = error_cumulants(power * highest, start.shifted)
        moments = moments_from_cumulants(cumulants, power * highest)
        square = start.form(0)
        raw = [_shifted(moments, square, power * k) for k in range(1, highest + 1)]
        values = evaluated(raw, path, start)[..., 0]
        return [path.settled(x) for x in central(list(values))]


def _shifted(moments: Sequence[Words], by: Decimal, k: int) -> Words:
    """E (by + Y)^k from the moments of Y."""
    total: Words = {}
    for j in range(k + 1):
        if j < k and not by:
            continue
        weight = comb(k, j) * (by ** (k - j) if j < k else Decimal(1))
        for key, value in moments[j].items():
            total[key] = total.get(key, Decimal(0)) + weight * value
    return total


def mean_error_vector(path: Path, highest: int) -> list[NDArray[np.float64]]:
    """Central moments of each coordinate of mu_t - mu_0: E V_ii, 0, 3 E V_ii^2, V_ii being a scalar chain."""
    variance = np.diag(path.covariance)
    with arithmetic(path):
        on_line = Spectrum((Decimal(1),), (Decimal(0),))
        raw = evaluated([{("v",): Decimal(1)}, {("v", "v"): Decimal(1)}], path, on_line)[..., 0]
        first, second = (path.settled(x) for x in raw)
    moments = [np.broadcast_to(path.offset, (len(first), len(variance))), np.multiply.outer(first, variance)]
    moments += [np.zeros_like(moments[1]), 3 * np.multiply.outer(second, variance**2)]
    moments[2] = np.where(np.isnan(moments[1]), np.nan, moments[2])
    return [np.array(x) for x in moments[:highest]]


def covariance_entries(path: Path, highest: int) -> list[NDArray[np.float64]]:
    """Central moments of the entries Sigma_ij: [generation, i, j] each.

    E Sigma_ij(t)^k is a polynomial in Sigma_ij and q = Sigma_ii Sigma_jj of generation 0; its coefficients
    are those of the recursion on partitions of k, applied to p_m = 2^{1-m} sum_e C(m, 2e) Sigma_ij^{m-2e}
    q^e.
    """
    matrix = path.covariance
    square = np.multiply.outer(np.diag(matrix), np.diag(matrix))
    with arithmetic(path):
        raw = [_entry_polynomial(path, k) for k in range(1, highest + 1)]
        result = []
        for k in range(1, highest + 1):
            coefficients = _centred([raw[i][:, : k // 2 + 1] for i in range(k)], k)
            numbers = [path.settled(x) for x in coefficients.T]
            result.append(_entries(numbers, matrix, square, k))
    return result


def _entry_polynomial(path: Path, k: int) -> Decimals:
    """Coefficients of E Sigma_ij(t)^k at c^{k-2e} q^e: [stop, e]."""
    basis = tuple(power_sums(parts) for parts in partitions(k))
    target = power_sums((1,) * k)
    order = {x: i for i, x in enumerate(closed((target,)))}
    forms = np.array([_rank_two(x, k) for x in basis], object)

    def initial(words: Monomial) -> Decimals:
        return forms[basis.index(words)]

    assert set(order) <= set(basis)
    return expectations((target,), path, initial)[:, 0, 0]


def _rank_two(words: Monomial, k: int) -> list[Decimal]:
    """The product of power sums of (c +- g) / 2 as a polynomial in c and q = g^2: coefficient of q^e."""
    total = [Decimal(1)] + [Decimal(0)] * (k // 2)
    for m in map(len, words):
        factor = [Decimal(comb(m, 2 * e)) / 2 ** (m - 1) for e in range(m // 2 + 1)]
        new = [Decimal(0)] * (k // 2 + 1)
        for i, x in enumerate(total):
            for e, y in enumerate(factor):
                if i + e <= k // 2:
                    new[i + e] += x * y
        total = new
    return total


def _centred(raw: Sequence[Decimals], k: int) -> Decimals:
    """The k-th central moment from raw moments 1..k, polynomials in q; the mean is a multiple of c."""
    if k == 1:
        return raw[0]
    mean = raw[0][:, 0]
    total = np.full((len(mean), k // 2 + 1), Decimal(0), object)
    for j in range(k + 1):
        weight = comb(k, j) * (-1) ** (k - j) * _power(mean, k - j)
        values = raw[j - 1] if j else np.full((len(mean), 1), Decimal(1), object)
        for e in range(values.shape[1]):
            total[:, e] = total[:, e] + weight * values[:, e]
    return total


def _entries(coefficients: list, matrix: NDArray, square: NDArray, k: int) -> NDArray[np.float64]:
    total = 0.0
    for e, number in enumerate(coefficients):
        form = matrix ** (k - 2 * e) * square**e
        total = total + np.where(form == 0, 0.0, np.multiply.outer(number, np.where(form == 0, 1.0, form)))
    return np.asarray(total)


def ratio_of_means(path: Path, above: Monomial, below: Monomial) -> NDArray[np.float64]:
    """The ratio of the expectations of two invariants of Sigma."""
    matrix = path.covariance
    with arithmetic(path):
        start = Spectrum.of(matrix, np.zeros(len(matrix)))
        first, second = evaluated([{above: Decimal(1)}, {below: Decimal(1)}], path, start)[..., 0]
        return path.settled(first / second)
