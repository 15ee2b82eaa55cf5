"""The effective number of modes of a model with weights w: exp(S(w)), 1 / sum w^2, the number left (M5).

They are Hill's numbers of order 1, 2 and 0 (Hill 1973, doi:10.2307/1934352), and the Vendi scores of orders 1
and 2 under the identity kernel (Friedman and Dieng 2023, arXiv:2210.02410). Of a categorical loop, or of the
weights of a mixture, theory knows E K_t, E S_t and E sum w^2; by Jensen's inequality exp(E S) and 1 / E sum
w^2 are lower bounds on the means of the other two, with equality where the model does not vary.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray

from theory import wright_fisher as chain


class Modes(NamedTuple):
    """Effective numbers of order 0, 1 and 2 at every generation: a mean, and two lower bounds on means."""

    count: NDArray[np.float64]
    entropy: NDArray[np.float64]
    square: NDArray[np.float64]


def of_shares(shares: ArrayLike) -> tuple[float, float, float]:
    """Hill's numbers of order 0, 1 and 2 of one model."""
    p = np.asarray(shares, float)
    return float((p > 0).sum()), float(np.exp(chain.plogp(p).sum())), float(1 / (p**2).sum())


def under_replacement(n: int, shares: ArrayLike, generations: Sequence[int]) -> Modes:
    """E K_t, exp(E S_t) and 1 / E sum w_t^2, the last 1 / (1 - H_0 (1 - 1/n)^t)."""
    p = np.asarray(shares, float)
    t = np.asarray(generations, float)
    diversity = (1 - (p**2).sum()) * (1 - 1 / n) ** t
    return Modes(
        chain.support(n, p, generations), np.exp(chain.entropy(n, p, generations)), 1 / (1 - diversity)
    )
