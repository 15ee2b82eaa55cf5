"""Whether a later model beats the fit to real data, where only the mean is fitted and the variance is known.

The mean of model t is m_1 + z, z a sum of the means of n_2, ..., n_t points about 0, so that with
m_1 ~ N(0, s/n_1) and Var z = s (1/n_2 + ... + 1/n_t) the later model is nearer the truth if
z (2 m_1 + z) < 0. The signs of two normals of correlation r agree with probability
1/2 + arcsin(r)/pi (Sheppard 1899), hence

    P(|m_t| < |m_1|) = arctan(2 / sqrt tau) / pi,    tau = n_1 (1/n_2 + ... + 1/n_t)

(own derivation): never more than a half, 1/4 at tau = 4, about 2 / (pi sqrt tau) later on.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from itertools import accumulate

import numpy as np
from numpy.typing import NDArray


def beating_first(sizes: Sequence[int]) -> NDArray[np.float64]:
    """P(|m_t| < |m_1|) for t = 2, 3, ..., given the sizes n_1, n_2, ... of the samples."""
    spreads = accumulate(sizes[0] / n for n in sizes[1:])
    return np.array([math.atan2(2, math.sqrt(tau)) / math.pi for tau in spreads])
