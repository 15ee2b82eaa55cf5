"""The loops a careful NumPy user would write: whole arrays, buffers reused, the fastest generator.

Each keeps the mean and the variance over replicates of two observables at every generation; the simulator
keeps four moments of the same.
"""

import numpy as np


def sufficient(n: int, generations: int, seeds: int, seed: int = 0) -> np.ndarray:
    """Draw the mean and the chi-square of each fit, in float64; [generation, 4] summaries."""
    rng = np.random.Generator(np.random.SFC64(seed))
    mean, variance, sigma = np.zeros(seeds), np.ones(seeds), np.ones(seeds)
    z, gamma = np.empty(seeds), np.empty(seeds)
    kept = np.empty((generations, 4))
    for t in range(generations):
        rng.standard_normal(out=z)
        rng.standard_gamma((n - 1) / 2, out=gamma)
        np.sqrt(variance, out=sigma)
        sigma *= n**-0.5
        z *= sigma
        mean += z
        gamma *= 2 / n
        variance *= gamma
        kept[t] = mean.mean(), mean @ mean, variance.mean(), variance @ variance
    kept[:, 1::2] = kept[:, 1::2] / seeds - kept[:, ::2] ** 2
    return kept


def literal(n: int, generations: int, seeds: int, seed: int = 0) -> np.ndarray:
    """Draw all n samples of each fit, in float64, in standardised coordinates; [generation, 4] summaries."""
    rng = np.random.Generator(np.random.SFC64(seed))
    mean, variance = np.zeros(seeds), np.ones(seeds)
    z = np.empty(n)
    kept = np.empty((generations, 4))
    for t in range(generations):
        for i in range(seeds):
            rng.standard_normal(out=z)
            centre = z.sum() / n
            mean[i] += np.sqrt(variance[i]) * centre
            variance[i] *= (z @ z) / n - centre * centre
        kept[t] = mean.mean(), mean.var(), variance.mean(), variance.var()
    return kept


def accumulate(n: int, generations: int, seeds: int, seed: int = 0) -> np.ndarray:
    """All points so far as a running mean and sum of squares, in float64; [generation, 4] summaries."""
    rng = np.random.Generator(np.random.SFC64(seed))
    mean, squares, sigma = np.zeros(seeds), np.zeros(seeds), np.ones(seeds)
    z, gamma = np.empty(seeds), np.empty(seeds)
    kept = np.empty((generations, 4))
    for t in range(generations):
        before, after = n * t, n * (t + 1)
        rng.standard_normal(out=z)
        rng.standard_gamma((n - 1) / 2, out=gamma)
        z *= sigma * n**-0.5  # the batch's mean from the pool's, which is the model's
        gamma *= 2 * sigma * sigma
        squares += gamma
        squares += z * z * (n * before / after)
        mean += z * (n / after)
        np.sqrt(squares / after, out=sigma)
        variance = squares / after
        kept[t] = mean.mean(), mean @ mean, variance.mean(), variance @ variance
    kept[:, 1::2] = kept[:, 1::2] / seeds - kept[:, ::2] ** 2
    return kept


def fresh(real: int, synthetic: int, generations: int, seeds: int, seed: int = 0) -> np.ndarray:
    """Real and synthetic points as two means and two chi-squares, in float64; [generation, 4] summaries."""
    rng = np.random.Generator(np.random.SFC64(seed))
    n = real + synthetic
    mean, sigma = np.zeros(seeds), np.ones(seeds)
    a, b, gamma, other = (np.empty(seeds) for _ in range(4))
    kept = np.empty((generations, 4))
    for t in range(generations):
        rng.standard_normal(out=a)
        rng.standard_normal(out=b)
        rng.standard_gamma((real - 1) / 2, out=gamma)
        rng.standard_gamma((synthetic - 1) / 2, out=other)
        a *= real**-0.5
        b *= sigma * synthetic**-0.5
        b += mean
        other *= sigma * sigma
        gamma += other
        gamma *= 2 / n
        gap = b - a
        variance = gamma + gap * gap * (real * synthetic / n**2)
        mean = a + gap * (synthetic / n)
        np.sqrt(variance, out=sigma)
        kept[t] = mean.mean(), mean @ mean, variance.mean(), variance @ variance
    kept[:, 1::2] = kept[:, 1::2] / seeds - kept[:, ::2] ** 2
    return kept


def bartlett(
    n: int, dimension: int, generations: int, seeds: int, seed: int = 0, together: int = 256
) -> np.ndarray:
    """Draw the mean and the factor of each scatter matrix, some seeds at a time; [generation, 4] summaries.

    The factor of a product of lower triangular matrices is their product: no decomposition is needed. Arrays
    of 256 seeds stay in the cache; normals are written below the diagonal row by row, the fastest of the ways
    NumPy has.
    """
    rng = np.random.Generator(np.random.SFC64(seed))
    d = dimension
    kept = np.zeros((generations, 4))
    for begin in range(0, seeds, together):
        count = min(together, seeds - begin)
        mean = np.zeros((count, d))
        factor = np.broadcast_to(np.eye(d), (count, d, d)).copy()
        product, drawn = np.empty_like(factor), np.zeros_like(factor)
        below, normal = np.empty((count, d * (d - 1) // 2)), np.empty((count, d, 1))
        pivots, moved = np.empty((count, d)), np.empty_like(normal)
        shape = np.broadcast_to((n - 1 - np.arange(d)) / 2, (count, d))
        diagonal = np.einsum("sii->si", drawn)
        for t in range(generations):
            rng.standard_normal(out=normal)
            normal *= n**-0.5
            mean += np.matmul(factor, normal, out=moved)[..., 0]
            rng.standard_normal(out=below)
            below *= n**-0.5
            for i in range(1, d):
                drawn[:, i, :i] = below[:, i * (i - 1) // 2 : i * (i + 1) // 2]
            rng.standard_gamma(shape, out=pivots)
            pivots *= 2 / n
            np.sqrt(pivots, out=diagonal)
            np.matmul(factor, drawn, out=product)
            factor, product = product, factor
            flat = factor.reshape(count, -1)
            trace, square = np.einsum("si,si->s", flat, flat), np.einsum("si,si->s", mean, mean)
            kept[t] += trace.sum(), trace @ trace, square.sum(), square @ square
    kept /= seeds
    kept[:, 1::2] -= kept[:, ::2] ** 2
    return kept


def scipy_wishart(n: int, dimension: int, generations: int, seeds: int, seed: int = 0) -> np.ndarray:
    """The mean trace by `scipy.stats.wishart.rvs`, one scale matrix at a time; [generation]."""
    from scipy.stats import wishart

    rng = np.random.default_rng(seed)
    covariance = np.broadcast_to(np.eye(dimension), (seeds, dimension, dimension)).copy()
    kept = np.empty(generations)
    for t in range(generations):
        for i in range(seeds):
            covariance[i] = wishart.rvs(n - 1, covariance[i] / n, random_state=rng)
        kept[t] = np.trace(covariance, axis1=1, axis2=2).mean()
    return kept
