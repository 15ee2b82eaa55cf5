"""The binary Wright-Fisher chain: one category, or a union of categories, against everything else.

A model that gives a category the share x is sampled n times and refitted by counting: the next share is X/n,
X ~ Bin(n, x). Whatever the number of categories, the count of one of them (and of any union) is a chain on
0, ..., n with rows Bin(n, i/n); its absorbing states are extinction and fixation. Expectations of functions
of the share are carried backwards, one vector for every initial share at once:

    E f(X_t / n) = sum_j Bin(n, p)(j) u_t(j),    u_1 = f,    u_{t+1} = P u_t.

Rows are kept where Hoeffding's bound leaves more than 2^-60 on either side; a row is built from its mode by
ratios of neighbouring terms and divided by its sum, so that each entry is good to a few units in the last
place per step from the mode. What is dropped changes an expectation by at most t 2^-59 max|f|. (Wright 1931;
Feller 1951; Ewens 2004.)
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Sequence
from functools import lru_cache

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.sparse import csr_array

LARGEST_CHAIN = 5000
"""The largest n whose chain is built: 3.2 million entries."""

DROPPED = 2.0**-60
"""The most that a row leaves out on either side."""

Vector = NDArray[np.float64]


def half_width(n: int) -> int:
    """Counts kept on either side of n x, by Hoeffding's bound exp(-2 h^2 / n) <= `DROPPED`."""
    return min(n, math.ceil(math.sqrt(n * -math.log(DROPPED) / 2)) + 1)


def binomial_rows(n: int, shares: ArrayLike) -> csr_array:
    """The laws Bin(n, x) of several shares x, as rows of a sparse matrix [len(shares), n + 1]."""
    x = np.atleast_1d(np.asarray(shares, float))
    if n == 0:
        return csr_array(np.ones((len(x), 1)))
    h = half_width(n)
    mode = np.clip(np.floor((n + 1) * x), 0, n).astype(np.int64)[:, None]
    odds = np.where(x < 1, x / np.where(x < 1, 1 - x, 1.0), 0.0)[:, None]
    against = np.where(x > 0, (1 - x) / np.where(x > 0, x, 1.0), 0.0)[:, None]
    steps = np.arange(1, h + 1)
    up, down = mode + steps, mode - steps
    rising = np.where(up <= n, (n - up + 1) / up * odds, 0.0)
    falling = np.where(down >= 0, (down + 1) / (n - down) * against, 0.0)
    values = np.hstack([np.cumprod(falling, 1)[:, ::-1], np.ones_like(odds), np.cumprod(rising, 1)])
    values /= values.sum(1, keepdims=True)
    columns = mode + np.arange(-h, h + 1)
    kept = (columns >= 0) & (columns <= n)
    starts = np.concatenate([[0], np.cumsum(kept.sum(1))])
    return csr_array((values[kept], columns[kept], starts), shape=(len(x), n + 1))


@lru_cache(maxsize=4)
def neutral_chain(n: int) -> csr_array:
    """The transition matrix of counts, rows Bin(n, i/n)."""
    return binomial_rows(n, np.arange(n + 1) / n)


def evolved(chain: csr_array, values: Vector, generations: Iterable[int]) -> Iterator[Vector]:
    """u_t at each of the increasing `generations`, from u_1 = `values` ([state] or [state, function])."""
    done = 1
    for wanted in generations:
        while done < wanted:
            values, done = chain @ values, done + 1
        yield values


def neutral_evolved(n: int, values: Vector, generations: Sequence[int]) -> Iterator[Vector]:
    """As `evolved` for the neutral chain, at any generation.

    Beyond 20 n generations the distance to the limit f(0)(1-x) + f(1)x shrinks by 1 - 1/n each time: the next
    eigenvalue, (1-1/n)(1-2/n), has by then lost a factor e^40 to it.
    """
    settled = 20 * n
    share = np.arange(n + 1) / n
    share = share.reshape(-1, *(1,) * (values.ndim - 1))
    limit = values[0] * (1 - share) + values[-1] * share
    chain = neutral_chain(n)
    now, done = values, 1
    for wanted in generations:
        until = min(wanted, max(settled, done))
        while done < until:
            now, done = chain @ now, done + 1
        if wanted > done:
            yield limit + (now - limit) * math.exp((wanted - done) * math.log1p(-1 / n))
        else:
            yield now


def expectations(
    n: int, shares: ArrayLike, values: Vector, generations: Sequence[int]
) -> NDArray[np.float64]:
    """E f(X_t / n) for every initial share and function.

    Args:
        n: points a generation, constant.
        shares: the category's shares p in the source, [share].
        values: f at the counts 0, ..., n: [state] or [state, function].
        generations: increasing, at least 1.

    Returns:
        [generation, share] or [generation, share, function].
    """
    first = binomial_rows(n, shares)
    return np.stack([first @ u for u in neutral_evolved(n, values, generations)])


def extinction(n: int, shares: ArrayLike, generations: Sequence[int]) -> NDArray[np.float64]:
    """P(a category of share p is gone by generation t), [generation, share]."""
    return expectations(n, shares, _indicator(n, 0), generations)


def fixation(n: int, shares: ArrayLike, generations: Sequence[int]) -> NDArray[np.float64]:
    """P(nothing else is left by generation t), [generation, share]."""
    return expectations(n, shares, _indicator(n, n), generations)


def collapsed(n: int, shares: ArrayLike, generations: Sequence[int]) -> NDArray[np.float64]:
    """P(one category has everything by generation t): the sum of K binary chains, [generation]."""
    return fixation(n, shares, generations).sum(1)


def support(n: int, shares: ArrayLike, generations: Sequence[int]) -> NDArray[np.float64]:
    """E of the number of categories left, [generation]."""
    return (1 - extinction(n, shares, generations)).sum(1)


def entropy(n: int, shares: ArrayLike, generations: Sequence[int]) -> NDArray[np.float64]:
    """E of the model's entropy in nats, [generation]."""
    return expectations(n, shares, plogp(np.arange(n + 1) / n), generations).sum(1)


def kl_to_source(n: int, shares: ArrayLike, generations: Sequence[int]) -> NDArray[np.float64]:
    """E KL(p_t || p_0) = S_0 - E S_t, exact because E p_t = p_0, [generation]."""
    return plogp(np.asarray(shares, float)).sum() - entropy(n, shares, generations)


def plogp(share: Vector) -> Vector:
    """-x ln x, 0 at 0."""
    return -np.where(share > 0, share * np.log(np.where(share > 0, share, 1.0)), 0.0)


def distinct_items(n: int, generations: Sequence[int]) -> NDArray[np.float64]:
    """Expected share of n distinct training items still there, the items being resampled (a memoriser).

    1 - P(extinct | one copy); t = 1 is the bootstrap's 1 - (1 - 1/n)^n (C5).
    """
    return 1 - extinction(n, [1 / n], generations)[:, 0]


def kl_expansion(n: int, shares: ArrayLike) -> float:
    """E KL(p_1 || p_0) to second order, (K-1)/(2n) + (sum 1/p_i - 1)/(12 n^2) (Miller 1955, Harris 1975)."""
    p = np.asarray(shares, float)
    return float((len(p) - 1) / (2 * n) + ((1 / p).sum() - 1) / (12 * n**2))


def _indicator(n: int, state: int) -> Vector:
    values = np.zeros(n + 1)
    values[state] = 1.0
    return values
