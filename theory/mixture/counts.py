"""Hard-label mixtures under replacement: exact moments of every component by the chain of its counts.

Component k of generation t has N of the n_t points. Given the history of the counts, its points are normal,
so that with P(N_{t+1} = j | N_t = i) = Bin(j; n_{t+1}, i / n_t) and, for one coordinate,

    pr_t(j) = P(N_t = j),   S_t(j) = E[s_t; N_t = j],   M_t(j) = E[(mu_t - mu_0)^2; N_t = j],

    S_{t+1}(j) = lambda f(j) (S_t P)(j),    M_{t+1}(j) = (M_t P)(j) + lambda (S_t P)(j) / j,    j >= 1,

with f(j) = (j - 1) / j for maximum likelihood: a component of 0 points is dead, of weight 0, and one of 1
point has variance 0. The unbiased fit has f = 1, but a single point leaves the variance of the model that was
sampled. A spherical fit puts the average over the coordinates in the place of each S. Over the counts,

    E W = sum_k sum_j (j/n) S(j),    E sum w mu^2 = sum_k sum_j (j/n) (mu_0^2 pr + M)(j),
    E (sum w mu)^2 = sum_k sum_j (j/n)^2 (mu_0^2 pr + M)(j)
                     + prod_s (1 - 1/n_s) sum_{k != l} p_k p_l mu_k mu_l,

and E B is the difference of the last two (own derivation; Wright-Fisher 1931 for the counts).
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import NamedTuple

import numpy as np
from scipy import stats

from theory.mixture.parts import Parts

LARGEST_CHAIN = 4096
"""Points a generation: the chain is a square table of one more."""


class Counted(NamedTuple):
    """Exact expectations after one more fit; positions are relative to the origin handed in.

    Attributes:
        within: E W, [coordinate].
        between: E B, [coordinate].
        mean_square: E (sum w mu)^2, [coordinate].
        dead: P(N_k = 0), [component].
        variance: E[s_k; alive], [component, coordinate].
        moved: E[(mu_k - mu_k0)^2; alive], [component, coordinate].
    """

    within: np.ndarray
    between: np.ndarray
    mean_square: np.ndarray
    dead: np.ndarray
    variance: np.ndarray
    moved: np.ndarray


def counted(
    first: Parts,
    sizes: Sequence[int],
    factors: Sequence[float],
    *,
    unbiased: bool = False,
    spherical: bool = False,
    origin: np.ndarray | float = 0.0,
) -> Iterator[Counted]:
    """Generation by generation, the expectations of a hard-label mixture refitted to its own samples.

    Args:
        first: model 0.
        sizes: n_t of the fits wanted.
        factors: lambda_t, on the variances of what fit t takes.
        unbiased: whether a component's sum of squares is divided by its count less 1.
        spherical: whether a component's coordinates share one variance.
        origin: where positions are measured from, [coordinate].
    """
    weights, means = first.weights, first.means - origin
    pairs = np.outer(weights, weights)
    np.fill_diagonal(pairs, 0)
    cross = np.einsum("kl,kc,lc->c", pairs, means, means)
    # state: [component, state] and [component, coordinate, state]; model 0 is one state of weight p_k
    chance = np.ones((len(weights), 1))
    spread = first.variances[..., None]
    moved = np.zeros_like(spread)
    table: np.ndarray | None = None
    before = None
    for n, factor in zip(sizes, factors, strict=True):
        if before is None:
            rows = stats.binom.pmf(np.arange(n + 1), n, weights[:, None])[:, None, :]
            push = lambda x, rows=rows: x @ rows if x.ndim == 3 else (x[:, None] @ rows)[:, 0]  # noqa: E731
        else:
            if table is None or table.shape != (before + 1, n + 1):
                table = transition(before, n)
            push = lambda x, table=table: x @ table  # noqa: E731
        chance, sampled, moved = push(chance), push(spread), push(moved)
        count = np.arange(n + 1)
        moved = moved + factor * sampled / np.maximum(count, 1)
        moved[..., 0] = 0
        if spherical:
            sampled = np.broadcast_to(sampled.mean(1, keepdims=True), sampled.shape)
        spread = factor * sampled * _fitted(count, factor, unbiased)
        cross = cross * (1 - 1 / n)
        share = count / n
        position = means[..., None] ** 2 * chance[:, None] + moved
        square = (position @ share**2).sum(0) + cross
        yield Counted(
            within=(spread @ share).sum(0),
            between=(position @ share).sum(0) - square,
            mean_square=square,
            dead=chance[:, 0],
            variance=spread.sum(-1),
            moved=moved[..., 1:].sum(-1),
        )
        before = n


def _fitted(count: np.ndarray, factor: float, unbiased: bool) -> np.ndarray:
    """f(j): the expectation of a fitted variance of j points over that of the points."""
    if unbiased:
        return np.where(count == 0, 0.0, np.where(count == 1, 1 / factor, 1.0))
    return np.where(count == 0, 0.0, (count - 1) / np.maximum(count, 1))


def transition(before: int, after: int) -> np.ndarray:
    """Bin(j; `after`, i / `before`), [i, j]."""
    return stats.binom.pmf(np.arange(after + 1), after, np.arange(before + 1)[:, None] / before)


def one_step(weights: np.ndarray, variances: np.ndarray, between: float, n: int) -> tuple[float, float]:
    """E W' and E B' of one maximum-likelihood fit to n points of a mixture on the line (G2).

    E W' = sum_k s_k [w_k - (1 - (1 - w_k)^n) / n],
    E B' = B (1 - 1/n) + (1/n) sum_k s_k [1 - (1 - w_k)^n - w_k].
    """
    seen = -np.expm1(n * np.log1p(-np.minimum(weights, 1 - 1e-300)))
    return (
        float(np.sum(variances * (weights - seen / n))),
        float(between * (1 - 1 / n) + np.sum(variances * (seen - weights)) / n),
    )


def absent(masses: np.ndarray, sizes: Sequence[int]) -> Iterator[np.ndarray]:
    """P(categories of these total masses have no point), fit by fit, under replacement.

    Components that are lumped together are one category, so this also gives the joint law of who is dead.
    """
    state: np.ndarray | None = None
    table: np.ndarray | None = None
    before = 0
    for n in sizes:
        if state is None:
            state = stats.binom.pmf(np.arange(n + 1), n, np.asarray(masses, float)[:, None])
        else:
            if table is None or table.shape != (before + 1, n + 1):
                table = transition(before, n)
            state = state @ table
        before = n
        yield state[:, 0]
