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
