"""What A, W, E and H state about accumulating data, webs, ecosystems and healing, as the claims are written.

Conventions as in `theory.recipes.mixed_statements`; the tests hold them against `theory.provenance`.
"""

from __future__ import annotations

from fractions import Fraction
from math import prod
from typing import Any

from theory.counts import points
from theory.loop import Loop
from theory.provenance import rational
from theory.recipes.mixed_statements import begin, source


def _batches(loop: Loop, t: int) -> list[tuple[int, int]]:
    """n_k and N_k."""
    sizes = [points("n", loop.data.n, k) for k in range(1, t + 1)]
    return [(n, sum(sizes[: k + 1])) for k, n in enumerate(sizes)]


def accumulated(loop: Loop, t: int) -> Fraction:
    """A1, A4: E s_t = s_0 prod (1 - n_k / N_k^2), maximum likelihood."""
    return source(loop) * prod(1 - Fraction(n, total**2) for n, total in _batches(loop, t))


def accumulated_square(loop: Loop, t: int) -> Fraction:
    """A1: E s_t^2 = s_0^2 prod (1 - (4k - 3) / (n^2 k^4))."""
    n = loop.data.n
    return source(loop) ** 2 * prod(1 - Fraction(4 * k - 3, n**2 * k**4) for k in range(1, t + 1))


def accumulated_unbiased(loop: Loop, t: int) -> Fraction:
    """A3: E s_t = s_0 prod_{k>=2} (1 - 1/(k (nk - 1)))."""
    n = loop.data.n
    return source(loop) * prod(1 - Fraction(1, k * (n * k - 1)) for k in range(2, t + 1))


def accumulated_unbiased_error(loop: Loop, t: int) -> Fraction:
    """A3: E m_t^2 = sum_k E s_{k-1} / (n k^2)."""
    n = loop.data.n
    steps = (accumulated_unbiased(loop, max(k - 1, 1)) / (n * k**2) for k in range(1, t + 1))
    return sum(steps, Fraction(0))


def subsampled(loop: Loop, t: int) -> Fraction:
    """A5: E s_t = V_t t(n-1)/(nt-1), V_{t+1}/V_t = 1 - (2nt-n-t)/(n(nt-1)(t+1)^2), V_1 = s_0 (1 - 1/n)."""
    n = loop.data.n
    pool = source(loop) * (1 - Fraction(1, n))
    for k in range(1, t):
        pool *= 1 - Fraction(2 * n * k - n - k, n * (n * k - 1) * (k + 1) ** 2)
    return pool * Fraction(t * (n - 1), n * t - 1)


def web(loop: Loop, t: int) -> Fraction:
    """W1: p' = (1 - r/N')^2 p + [r s_0 + g (s_0 - p)] / N'^2, p_1 = s_0/N_0: E m_t^2; E s = s_0 - p."""
    data, s0 = loop.data, source(loop)
    size, error = data.start, s0 / data.start
    for _ in range(t - 1):
        size += data.real + data.synthetic
        moved = (1 - Fraction(data.real, size)) ** 2 * error
        error = moved + (data.real * s0 + data.synthetic * (s0 - error)) / size**2
    return error


def contaminated(loop: Loop, t: int) -> Fraction:
    """W2: V' = (1 - 1/N)[(1 - b_t^2) s_0 + b_t^2 V], iid composition, maximum likelihood."""
    spread = s0 = source(loop)
    for k in range(1, t + 1):
        real, synthetic = points("r", loop.data.real, k), points("s", loop.data.synthetic, k)
        n, b = real + synthetic, Fraction(synthetic, real + synthetic)
        spread = (1 - Fraction(1, n)) * ((1 - b**2) * s0 + b**2 * spread)
    return spread


def symmetric_peers(loop: Loop, t: int) -> tuple[Fraction, Fraction, Fraction]:
    """E1: E m_k^2 = D, E s and D - C: with A = (D + (K-1) C)/K, D' = A + s/n, C' = A, s' = s_0 - D'."""
    count, n, s0 = loop.data.models, loop.data.models * loop.data.per_model, source(loop)
    square = cross = Fraction(0)
    spread = s0
    for _ in range(t):
        mean = (square + (count - 1) * cross) / count
        square, cross = mean + spread / n, mean
        spread = s0 - square
    return square, spread, square - cross


def ecosystem(loop: Loop, t: int) -> tuple[list, list, list]:
    """E2: E m_k, E m_k^2 and E s_k, by the linear system of the means' second moments."""
    data: Any = loop.data
    size, s0 = data.models, source(loop)
    every = range(size)
    middle = rational(loop.source.mean)
    theta = [Fraction(0)] * size
    if data.targets is not None:
        theta = [rational(target) - middle for target in data.targets]
    total = [sum(data.taken(k, j) for j in every) + data.own_real(k) for k in every]
    weight = [[Fraction(data.taken(k, j), total[k]) for j in every] for k in every]
    real = [Fraction(data.own_real(k), total[k]) for k in every]
    mean, spread = list(theta), [s0] * size
    second = [[x * y for y in theta] for x in theta]
    for _ in range(t):
        pull = [real[k] * theta[k] for k in every]
        went = [sum(weight[k][j] * mean[j] for j in every) for k in every]
        mixed = [[sum(weight[k][j] * second[j][l] for j in every) for l in every] for k in every]
        after = [[sum(mixed[k][j] * weight[l][j] for j in every) for l in every] for k in every]
        for k in every:
            for l in every:
                after[k][l] += went[k] * pull[l] + pull[k] * went[l] + pull[k] * pull[l]
            drawn = sum(data.taken(k, j) * spread[j] for j in every) + data.own_real(k) * s0
            after[k][k] += drawn / total[k] ** 2
        spread = [
            sum(weight[k][j] * (spread[j] + second[j][j]) for j in every)
            + real[k] * (s0 + theta[k] ** 2)
            - after[k][k]
            for k in every
        ]
        mean, second = [x + y for x, y in zip(went, pull, strict=True)], after
    return mean, [second[k][k] for k in every], spread


def healed(loop: Loop, t: int) -> Fraction:
    """H0, H1, H3: E m_j^2 = u^{2j} E m_t^2 + (w/(2-w)) (s_0/n)(1 - u^{2j}), j rounds after t of `replace`."""
    data, s0 = loop.data, source(loop)
    j = t - data.generations
    w = rational(repr(data.weight))
    kept = (1 - w) ** (2 * j)
    before = s0 * (1 - (1 - Fraction(1, data.contaminated.n)) ** data.generations)
    return kept * before + w / (2 - w) * s0 / data.real * (1 - kept)


def healed_by_one_set(loop: Loop, t: int) -> Fraction:
    """H2: E m_j^2 = u^{2j} E m^2 + (1 - u^j)^2 s_0/n."""
    data, s0 = loop.data, source(loop)
    u = (1 - rational(repr(data.weight))) ** (t - data.generations)
    before = s0 * (1 - (1 - Fraction(1, data.contaminated.n)) ** data.generations)
    return u**2 * before + (1 - u) ** 2 * s0 / data.real


def healed_total(loop: Loop, weight: Fraction, rounds: int) -> Fraction:
    """H1: E s_j + E m_j^2 = s_0 + u^j (v_0 + m_0^2 - s_0), from a model of variance v_0 off by m_0."""
    m, v = begin(loop)
    return source(loop) + (1 - weight) ** rounds * (v + m**2 - source(loop))
