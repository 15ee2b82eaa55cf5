"""Sixteen dimensions: covariances by Bartlett's factors, against NumPy and SciPy drawing the same law."""

import numpy as np
from clock import first_call, in_turns
from peers import bartlett, scipy_wishart

from jaxsim.simulate import simulate
from theory.loop import Gaussian, Loop, Replace

N, DIMENSION, GENERATIONS, SEEDS = 100, 16, 50, 4096
SCIPY_GENERATIONS, SCIPY_SEEDS = 5, 40
OBSERVABLES = ["trace", "mean_error_squared"]


def measure() -> dict[str, float]:
    """Seconds and ratios."""
    loop = Loop(Gaussian((0.0,) * DIMENSION, 1.0), Replace(N))
    seed = iter(range(10**6))

    def ours():
        return simulate(loop, range(1, GENERATIONS + 1), SEEDS, seed=next(seed), observables=OBSERVABLES)

    def theirs():
        return bartlett(N, DIMENSION, GENERATIONS, SEEDS, next(seed))

    def one_by_one():
        return scipy_wishart(N, DIMENSION, SCIPY_GENERATIONS, SCIPY_SEEDS, next(seed))

    first = first_call(ours)
    jax_seconds, numpy_seconds, few = in_turns(ours, theirs, one_by_one, rounds=4)
    extrapolated = few * (GENERATIONS / SCIPY_GENERATIONS) * (SEEDS / SCIPY_SEEDS)
    found = ours()["trace"]
    expected = DIMENSION * (1 - 1 / N) ** np.arange(1, GENERATIONS + 1)
    z = (found.sel(statistic="mean").values - expected) / found.sel(statistic="standard_error").values
    return {
        "first call (s)": first,
        "jaxsim (s)": jax_seconds,
        "NumPy, Bartlett's factors, float64 (s)": numpy_seconds,
        "times NumPy": numpy_seconds / jax_seconds,
        "scipy.stats.wishart.rvs, extrapolated (s)": extrapolated,
        "extrapolated from seed-generations": SCIPY_GENERATIONS * SCIPY_SEEDS,
        "times SciPy": extrapolated / jax_seconds,
        "largest z of the mean trace": float(np.abs(z).max()),
    }
