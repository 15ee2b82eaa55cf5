"""Counts along one text of a Markov chain: what is missing, how often what occurs, what a refit makes of it.

A text x_1, ..., x_L begins in the law mu and follows the transition matrix P. A symbol is missing if the
chain never enters it: its probability is mu (P with that state struck out)^(L-1) 1, mu without it (a taboo
probability: Chung 1967, "Markov Chains with Stationary Transition Probabilities", section I.9). An m-gram is
an edge of the chain of (m - 1)-grams, and missing if that edge is never taken. The law of a count is the same
product with a marker on what is counted: a recursion over (count, state). All own derivations.
"""

from __future__ import annotations

from collections.abc import Callable
from itertools import pairwise, product

import numpy as np
from numpy.typing import NDArray

Vector = NDArray[np.float64]
Matrix = NDArray[np.float64]


def stationary_law(matrix: Matrix) -> Vector | None:
    """The law pi = pi P, where there is only one; None otherwise."""
    size = len(matrix)
    system = np.vstack([matrix.T - np.eye(size), np.ones(size)])
    if np.linalg.matrix_rank(system[:-1]) < size - 1:
        return None
    law = np.linalg.lstsq(system, np.append(np.zeros(size), 1.0), rcond=None)[0]
    return np.maximum(law, 0) / np.maximum(law, 0).sum()


def expected_counts(matrix: Matrix, law: Vector, length: int) -> Matrix:
    """E N_ij = sum_(l = 0)^(L-2) (mu P^l)_i P_ij: transitions in a text of L tokens."""
    visits = np.zeros(len(matrix))
    for _ in range(length - 1):
        visits += law
        law = law @ matrix
    return visits[:, None] * matrix


def missing(matrix: Matrix, law: Vector, length: int, symbols: tuple[int, ...]) -> float:
    """The probability that none of these symbols occurs in a text of L tokens."""
    others = [k for k in range(len(matrix)) if k not in symbols]
    rest = matrix[np.ix_(others, others)]
    return float(law[others] @ np.linalg.matrix_power(rest, length - 1).sum(1))


def support(matrix: Matrix, law: Vector, length: int) -> tuple[float, float]:
    """Mean and variance of the number of different symbols: the covariances are those of what is missing."""
    size = len(matrix)
    alone = np.array([missing(matrix, law, length, (i,)) for i in range(size)])
    both = np.diag(alone)
    for i in range(size):
        for j in range(i):
            both[i, j] = both[j, i] = missing(matrix, law, length, (i, j))
    return float((1 - alone).sum()), float((both - np.outer(alone, alone)).sum())


def different(matrix: Matrix, law: Vector, length: int, size: int) -> float:
    """The expected number of different runs of `size` symbols in a text of L tokens, `size` at least 2."""
    chain, start, edges = _runs(matrix, law, size - 1)
    found = 0.0
    for i, j in edges:
        kept = chain[i, j]
        chain[i, j] = 0.0
        found += 1 - start @ np.linalg.matrix_power(chain, length - size + 1).sum(1)
        chain[i, j] = kept
    return float(found)


def _runs(matrix: Matrix, law: Vector, size: int) -> tuple[Matrix, Vector, list[tuple[int, int]]]:
    """The chain of runs of `size` symbols: its matrix, the law of the first, and the edges that exist."""
    names = list(product(range(len(matrix)), repeat=size))
    number = {name: k for k, name in enumerate(names)}
    chain = np.zeros((len(names), len(names)))
    for name in names:
        for symbol in range(len(matrix)):
            chain[number[name], number[(*name[1:], symbol)]] = matrix[name[-1], symbol]
    start = np.array([law[n[0]] * np.prod([matrix[a, b] for a, b in pairwise(n)]) for n in names])
    return chain, start, [(int(i), int(j)) for i, j in np.argwhere(chain > 0)]


def visits_law(matrix: Matrix, law: Vector, length: int, symbol: int) -> Vector:
    """P(N_i = k), k = 0, ..., L: how often a symbol stands in a text of L tokens."""
    found = np.zeros((length + 1, len(matrix)))
    found[0] = law
    for step in range(length):
        if step:
            found = found @ matrix
        entered = found[:, symbol].copy()
        found[:, symbol] = np.append(0.0, entered[:-1])
    return found.sum(1)


def edge_law(matrix: Matrix, law: Vector, length: int, edge: tuple[int, int]) -> Vector:
    """P(N_ij = k), k = 0, ..., L - 1: how often one symbol follows another in a text of L tokens."""
    i, j = edge
    others = matrix.copy()
    others[i, j] = 0.0
    found = np.zeros((length, len(matrix)))
    found[0] = law
    for _ in range(length - 1):
        taken = found[:-1, i] * matrix[i, j]
        found = found @ others
        found[1:, j] += taken
    return found.sum(1)


def _expected(law: Vector, function: Callable[[Vector], Vector]) -> float:
    return float(law @ function(np.arange(len(law), dtype=float)))


def _c_log_c(count: Vector) -> Vector:
    return count * np.log(np.maximum(count, 1.0))


def entropy_rate(matrix: Matrix, law: Vector, length: int) -> float:
    """E of the refitted bigram's entropy rate, (sum N_i log N_i - sum N_ij log N_ij) / (L - 1), exactly.

    N_i counts the first L - 1 tokens, those that have a successor.
    """
    size = len(matrix)
    rows = sum(_expected(visits_law(matrix, law, length - 1, i), _c_log_c) for i in range(size))
    edges = sum(
        _expected(edge_law(matrix, law, length, (i, j)), _c_log_c)
        for i, j in product(range(size), repeat=2)
        if matrix[i, j] > 0
    )
    return (rows - edges) / (length - 1)


def entropy(matrix: Matrix, law: Vector, length: int) -> float:
    """E of the entropy of the frequencies of the symbols."""
    laws = (visits_law(matrix, law, length, i) for i in range(len(matrix)))
    return float(np.log(length) - sum(_expected(counted, _c_log_c) for counted in laws) / length)


def heterozygosity(matrix: Matrix, law: Vector, length: int) -> float:
    """E of 1 - sum of the squared frequencies of the symbols."""
    laws = (visits_law(matrix, law, length, i) for i in range(len(matrix)))
    return 1 - sum(_expected(counted, np.square) for counted in laws) / length**2


def row_moments(matrix: Matrix, law: Vector, length: int, edge: tuple[int, int]) -> list[float]:
    """E (N_ij / N_i)^r, r = 1, ..., 4, the refitted transition; P_ij where i has no successor in the text."""
    i, j = edge
    others = matrix.copy()
    others[i, :] = 0.0
    found = np.zeros((length, length, len(matrix)))  # [N_i, N_ij, state]
    found[0, 0] = law
    for _ in range(length - 1):
        here = found[:-1, :, i]
        moved = found @ others
        for to in range(len(matrix)):
            gone = here * matrix[i, to]
            if to == j:
                moved[1:, 1:, to] += gone[:, :-1]
            else:
                moved[1:, :, to] += gone
        found = moved
    joint = found.sum(2)
    visits, taken = np.arange(length)[:, None], np.arange(length)[None, :]
    share = np.where(visits > 0, taken / np.maximum(visits, 1), matrix[i, j])
    return [float((joint * share**r).sum()) for r in range(1, 5)]


def row_bias(matrix: Matrix, length: int) -> Matrix:
    """E P'_ij - P_ij to the order 1/L, of a text begun in its stationary law.

    -P_ij (Z_ji - Z_ii + 1 - pi_i) / (pi_i L), Z = (I - P + 1 pi)^-1 (Kemeny and Snell 1960): N_ij - P_ij N_i
    is a martingale M, E M / N_i = -Cov(M, N_i) / (E N_i)^2, and the covariance is what one more jump to j
    adds to the visits of i that follow it, against one more jump anywhere.
    """
    law = stationary_law(matrix)
    if law is None:
        raise ValueError("the chain has several stationary laws")
    fundamental = np.linalg.inv(np.eye(len(matrix)) - matrix + law[None, :])
    gap = fundamental.T - np.diag(fundamental)[:, None] + 1 - law[:, None]
    return -matrix * gap / (law[:, None] * length)


def entropy_rate_bias(matrix: Matrix, length: int) -> float:
    """E h' - h to the order 1/L: -(transitions that exist - symbols) / (2 (L - 1)).

    Miller 1955 ("Note on the bias of information estimates"), row by row.
    """
    return -(np.count_nonzero(matrix) - len(matrix)) / (2 * (length - 1))


def true_entropy_rate(matrix: Matrix, law: Vector) -> float:
    """The chain's own entropy rate, h = -sum pi_i P_ij log P_ij."""
    logs = np.log(np.where(matrix > 0, matrix, 1.0))
    return float(-(law[:, None] * matrix * logs).sum())


def prompted_decay(points: int, share: float) -> float:
    """rho: what a refit of n points leaves of a row's heterozygosity, prompts of that row having this share.

    rho = sum_(k >= 1) Bin(k; n, c) (1 - 1/k) + (1 - c)^n: k prompts are k draws of the row, and a row without
    any is kept.
    """
    from scipy import stats

    k = np.arange(1, points + 1)
    return float(stats.binom.pmf(k, points, share) @ (1 - 1 / k) + (1 - share) ** points)
