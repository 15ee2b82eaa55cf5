"""Both engines against loops that draw every point in NumPy: nothing is shared, not even one update.

Two-sample z-tests of E m_i m_j and of E Sigma_ij (means of products, light-tailed at these sizes: at most
three generations), family-wise false-alarm rate 1e-6; a NumPy loop with a slightly wrong update must fail.
"""

import numpy as np
import pytest
from scipy.stats import norm

from jaxsim.simulate import simulate
from theory.loop import Gaussian, Loop, Replace, Sampler, Unbiased

FALSE_ALARM = 1e-6
REPLICATES = 100_000  # an error of 3% of a standard deviation gives z = 0.03 sqrt(REPLICATES / 2) = 6.7
COVARIANCE = np.array([[2.0, 0.6, 0.0], [0.6, 1.0, -0.3], [0.0, -0.3, 0.5]])


def drawn(covariance, n, bias, generations, *, noise=1.0, lost=1):
    """Mean errors [replicate, d] and covariances [replicate, d, d] of loops that draw and fit n points.

    `noise` multiplies the movement of the mean and `lost` is the divisor's n - c: the plants.
    """
    rng = np.random.default_rng(20)
    d = len(covariance)
    mean = np.zeros((REPLICATES, d))
    sigma = np.broadcast_to(covariance, (REPLICATES, d, d))
    for generation in range(generations):
        factor = bias if generation else 1.0
        root = np.linalg.cholesky(sigma * factor)
        points = np.einsum("rij,rnj->rni", root, rng.standard_normal((REPLICATES, n, d)))
        centre = points.mean(axis=1)
        mean = mean + noise * centre
        residual = points - centre[:, None]
        sigma = np.einsum("rni,rnj->rij", residual, residual) / (n - lost)
    return mean, sigma


def products(mean, sigma):
    """m_i m_j and Sigma_ij for i <= j, one row a replicate."""
    i, j = np.triu_indices(mean.shape[1])
    return np.concatenate([mean[:, i] * mean[:, j], sigma[:, i, j]], axis=1)


def largest_z(first, other):
    error = np.sqrt(first.var(axis=0) / len(first) + other.var(axis=0) / len(other))
    return np.abs((first.mean(axis=0) - other.mean(axis=0)) / error).max()


def simulated(loop, generations, engine):
    scalar = loop.source.is_scalar
    runs = simulate(
        loop, generations, REPLICATES, engine=engine, keep="replicates",
        observables=["mean_error", "variance" if scalar else "covariance"],
    )  # fmt: skip
    mean, second = runs.mean_error.values[:, 0], runs["variance" if scalar else "covariance"].values[:, 0]
    return products(
        mean.reshape(REPLICATES, -1), second.reshape(REPLICATES, *2 * mean.reshape(REPLICATES, -1).shape[1:])
    )


@pytest.mark.parametrize("engine", ["exact", "literal"])
@pytest.mark.parametrize("dimension", [1, 3])
def test_one_update_is_a_fit_of_drawn_points(engine, dimension):
    n, bias, generations = 8, 0.7, 3
    source = Gaussian(0, 2.0) if dimension == 1 else Gaussian([0, 0, 0], COVARIANCE)
    loop = Loop(source, Replace(n), Unbiased(), Sampler(bias=bias))
    covariance = COVARIANCE[:1, :1] if dimension == 1 else COVARIANCE
    ours = simulated(loop, generations, engine)
    alarm = norm.isf(FALSE_ALARM / (2 * ours.shape[1]))
    assert largest_z(ours, products(*drawn(covariance, n, bias, generations))) < alarm
    for plant in ({"noise": np.sqrt(n / (n - 1))}, {"lost": 0}):
        assert largest_z(ours, products(*drawn(covariance, n, bias, generations, **plant))) > alarm
    assert largest_z(ours, products(*drawn(covariance, n, 1.0, generations))) > alarm
