"""The exact engine against NumPy: 10,000 seeds x 1,000 generations of n = 10,000, summarised at every one."""

import numpy as np
from clock import first_call, in_turns
from peers import literal, sufficient

from jaxsim.simulate import simulate
from theory.loop import Gaussian, Loop, Replace

N, GENERATIONS, SEEDS = 10_000, 1_000, 10_000
OBSERVABLES = ["mean_error", "variance"]
LITERAL_GENERATIONS, LITERAL_SEEDS = 4, 50


def measure() -> dict[str, float]:
    """Seconds and ratios."""
    loop = Loop(Gaussian(0.0, 1.0), Replace(N))
    seed = iter(range(10**6))

    def ours():
        return simulate(loop, range(1, GENERATIONS + 1), SEEDS, seed=next(seed), observables=OBSERVABLES)

    def theirs():
        return sufficient(N, GENERATIONS, SEEDS, next(seed))

    def every_sample():
        return literal(N, LITERAL_GENERATIONS, LITERAL_SEEDS, next(seed))

    first = first_call(ours)
    jax_seconds, numpy_seconds, few_seconds = in_turns(ours, theirs, every_sample)
    extrapolated = few_seconds * (GENERATIONS / LITERAL_GENERATIONS) * (SEEDS / LITERAL_SEEDS)
    found, expected = (
        ours().variance.sel(statistic="mean").values,
        (1 - 1 / N) ** np.arange(1, GENERATIONS + 1),
    )
    error = ours().variance.sel(statistic="standard_error").values
    return {
        "first call (s)": first,
        "jaxsim (s)": jax_seconds,
        "seed-generations per second": GENERATIONS * SEEDS / jax_seconds,
        "NumPy, the same statistics, float64 (s)": numpy_seconds,
        "times NumPy": numpy_seconds / jax_seconds,
        "NumPy, every sample, extrapolated (s)": extrapolated,
        "extrapolated from seed-generations": LITERAL_GENERATIONS * LITERAL_SEEDS,
        "times NumPy drawing every sample": extrapolated / jax_seconds,
        "largest z of the mean variance": float(np.abs((found - expected) / error).max()),
    }
