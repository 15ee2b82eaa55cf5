"""KL(N_0 || N_t) in d dimensions, by moments of the inverse Wishart law.

In coordinates where the source is N(0, I), with G = Sigma_t^{-1} and m = mu_t,

    KL(N_0 || N_t) = (R - d + log det Sigma_t) / 2,    R = tr G + m^T G m.

Its powers are built from tr G^j and h_j = m^T G^j m. A fit takes m to m + sqrt(omega) Sigma^{1/2} z, omega =
lambda / n, so that expectations change by exp(omega L), L = (1/2) d_m^T Sigma d_m:

    L h_j = tr G^{j-1},    and for every pair of factors    h_i h_j -> 4 h_{i+j-1};

then G to (c / lambda) G^{1/2} Z G^{1/2}, Z = W^{-1}. With gamma = nu - d - 1 the Stein-Haff identity (Haff
1979, doi:10.1016/0047-259X(79)90056-3),

    gamma E tr(Z A) F = tr(A) F - 2 E tr(A d_W F)   for W ~ Wishart_d(I, nu),

pairs the letter Z with every other one as Wick's theorem does W, with the opposite sign and no letter lost:
if T_k(nu) is the expectation of monomials with k letters W, that of monomials with k letters Z is the
inverse of (-1)^k T_k(-gamma) (own derivation; Matsumoto 2012, doi:10.1007/s10959-011-0340-0, by Weingarten
functions). It is finite iff gamma > 2 (k - 1): the k-th moment of R exists iff every n > d + 2k. Products
with log det come from nu + 2 theta as in `theory.wishart.recursion`.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from decimal import Decimal
from functools import cache
from math import comb

import numpy as np
from numpy.typing import NDArray

from theory.frozen import frozen
from theory.replace.fits import Fit
from theory.wishart.fits import Path
from theory.wishart.kl import central_moments, log_det_cumulants, whitened
from theory.wishart.moments import Spectrum, arithmetic
from theory.wishart.recursion import Decimals
from theory.wishart.words import expectation, monomial, partitions

State = tuple[tuple[int, ...], tuple[int, ...]]
"""The product of tr G^j over the first tuple and of h_j over the second, both decreasing."""


def degree(state: State) -> int:
    """The number of letters G."""
    return sum(state[0]) + sum(state[1])


@cache
def states(highest: int) -> tuple[State, ...]:
    """All states with at most `highest` letters, by degree."""
    return tuple(
        (traces, chains)
        for total in range(highest + 1)
        for inside in range(total + 1)
        for traces in partitions(total - inside)
        for chains in partitions(inside)
    )


def _state(words: tuple[str, ...]) -> State:
    """The state a monomial in s and B = m m^T stands for: cut at every B."""
    traces, chains = [], []
    for word in words:
        if "B" in word:
            start = word.index("B")
            chains += map(len, (word[start + 1 :] + word[:start]).split("B"))
        else:
            traces.append(len(word))
    return tuple(sorted(traces, reverse=True)), tuple(sorted(chains, reverse=True))


@cache
def pairing(state: State) -> Mapping[State, Mapping[int, int]]:
    """A row of T_k: E of the state over W, {state: {power of nu: integer}}."""
    traces, chains = state
    row: dict[State, dict[int, int]] = {}
    words = monomial(*("S" * j for j in traces), *("B" + "S" * j for j in chains))
    for end, coefficient in expectation(words).items():
        into = row.setdefault(_state(end), {})
        for (power, _), integer in coefficient.items():
            into[power] = into.get(power, 0) + integer
    return frozen(row)


def diffusion(state: State) -> Iterator[tuple[State, int, bool]]:
    """L of a state: states, coefficients, and whether a factor tr G^0 = d comes with them."""
    traces, chains = state
    for i, j in enumerate(chains):
        others = chains[:i] + chains[i + 1 :]
        yield (tuple(sorted((*traces, *((j - 1,) if j > 1 else ())), reverse=True)), others), 1, j == 1
        for k, other in enumerate(others[i:], i):
            rest = others[:k] + others[k + 1 :]
            yield (traces, tuple(sorted((*rest, j + other - 1), reverse=True))), 4, False


def _step(fit: Fit, d: int, highest: int, order: int) -> Decimals:
    """The map of one fit on the states: [power of theta, new, old]."""
    basis = states(highest)
    place = {x: i for i, x in enumerate(basis)}
    noisy = _noise(fit, d, basis, place)
    gamma = fit.nu - d - 1
    result = np.full((order + 1, len(basis), len(basis)), Decimal(0), object)
    for k in range(highest + 1):
        block = [x for x in basis if degree(x) == k]
        series = np.full((order + 1, len(block), len(block)), Decimal(0), object)
        for i, x in enumerate(block):
            for y, coefficient in pairing(x).items():
                for j in range(order + 1):
                    series[j, i, block.index(y)] = sum(
                        (Decimal((-1) ** k * c * comb(p, j) * (-gamma) ** (p - j) * (-2) ** j)
                         for p, c in coefficient.items() if p >= j),
                        Decimal(0),
                    )  # fmt: skip
        first = place[block[0]]
        span = slice(first, first + len(block))
        for j, inverse in enumerate(_inverse(series)):
            result[j, span] = inverse @ noisy[span] / fit.scale**k if k else inverse @ noisy[span]
    return result


def _noise(fit: Fit, d: int, basis: tuple[State, ...], place: dict[State, int]) -> Decimals:
    """exp(omega L)."""
    generator = np.full((len(basis),) * 2, Decimal(0), object)
    for i, x in enumerate(basis):
        for y, coefficient, with_d in diffusion(x):
            generator[i, place[y]] += coefficient * (d if with_d else 1) * fit.noise
    total = term = np.array([[Decimal(int(i == j)) for j in range(len(basis))] for i in range(len(basis))])
    for r in range(1, degree(basis[-1]) + 1):
        term = generator @ term / r
        total = total + term
    return total


def _inverse(series: Decimals) -> list[Decimals]:
    """The inverse of a power series of matrices."""
    first = _solved(series[0])
    result = [first]
    for j in range(1, len(series)):
        result.append(-first @ sum(series[i] @ result[j - i] for i in range(1, j + 1)))
    return result


def _solved(matrix: Decimals) -> Decimals:
    """The inverse of a matrix of decimals, by elimination with pivots."""
    size = len(matrix)
    identity = [[Decimal(int(i == j)) for j in range(size)] for i in range(size)]
    work = np.concatenate([matrix, np.array(identity, object).reshape(size, size)], axis=1)
    for i in range(size):
        pivot = max(range(i, size), key=lambda row: abs(work[row, i]))
        work[[i, pivot]] = work[[pivot, i]]
        work[i] = work[i] / work[i, i]
        for row in range(size):
            if row != i and work[row, i]:
                work[row] = work[row] - work[row, i] * work[i]
    return work[:, size:]


def _initial(state: State, start: Spectrum) -> Decimal:
    value = Decimal(1)
    for j in state[0]:
        value *= start.power_sum(-j)
    for j in state[1]:
        value *= start.form(-j)
    return value


def kl_from_source(path: Path, highest: int) -> list[NDArray[np.float64]]:
    """Central moments of KL(N_0 || N_t) on a path without limit, every n > d + 2 highest."""
    start = whitened(path)
    d = len(start.eigenvalues)
    order = highest - 1
    with arithmetic(path):
        basis = states(highest)
        values = np.full((order + 1, len(basis)), Decimal(0), object)
        values[0] = [_initial(x, start) for x in basis]
        found, steps = [values], {}
        for fit in (fit for fit, count in path.runs for _ in range(count)):
            if fit not in steps:
                steps[fit] = _step(fit, d, highest, order)
            step, old = steps[fit], found[-1]
            new = [sum(step[i] @ old[j - i] for i in range(j + 1)) for j in range(order + 1)]
            found.append(np.array(new))
        series = _powers(np.array([found[stop] for stop in path.stops]), basis, highest)
        logs = log_det_cumulants(path, d, highest)
        shift = sum((x.ln() for x in start.eigenvalues), Decimal(0)) - d
        return [path.settled(x) for x in central_moments(series, logs, shift, 1)]


def _powers(values: Decimals, basis: tuple[State, ...], highest: int) -> Decimals:
    """E R^k = E (tr G + h_1)^k from the states: [power - 1, stop, power of theta]."""
    rows = []
    for k in range(1, highest + 1):
        total = sum(comb(k, j) * values[:, :, basis.index(((1,) * j, (1,) * (k - j)))] for j in range(k + 1))
        rows.append(total)
    return np.array(rows)
