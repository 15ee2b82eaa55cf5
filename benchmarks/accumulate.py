"""Running sums: accumulate and fresh in the exact engine against NumPy with the same sums, float64 both."""

import numpy as np
from clock import first_call, in_turns
from peers import accumulate, fresh

from jaxsim.simulate import simulate
from theory.loop import Gaussian, Loop
from theory.policy import Accumulate, Fresh

N, REAL, SYNTHETIC = 100, 20, 80
GENERATIONS, SEEDS = 500, 10_000
LONG, LONG_SEEDS = 100_000, 1_000
OBSERVABLES = ["mean_error", "variance"]


def measure() -> dict[str, float]:
    """Seconds and ratios."""
    pooled = Loop(Gaussian(0.0, 1.0), Accumulate(N))
    mixed = Loop(Gaussian(0.0, 1.0), Fresh(REAL, SYNTHETIC))
    seed = iter(range(10**6))
    marks = range(1, GENERATIONS + 1)

    def run(loop, generations=marks, seeds=SEEDS):
        return simulate(loop, generations, seeds, seed=next(seed), observables=OBSERVABLES)

    first = first_call(lambda: run(pooled))
    run(mixed)
    ours, theirs, ours_fresh, theirs_fresh = in_turns(
        lambda: run(pooled),
        lambda: accumulate(N, GENERATIONS, SEEDS, next(seed)),
        lambda: run(mixed),
        lambda: fresh(REAL, SYNTHETIC, GENERATIONS, SEEDS, next(seed)),
        rounds=4,
    )
    run(pooled, [LONG], LONG_SEEDS)
    long, half = in_turns(
        lambda: run(pooled, [LONG], LONG_SEEDS), lambda: run(pooled, [LONG // 2], LONG_SEEDS), rounds=2
    )
    found = run(pooled).variance
    expected = _expected_variance(N, GENERATIONS)
    error = found.sel(statistic="standard_error").values
    return {
        "first call, accumulate (s)": first,
        "jaxsim, accumulate (s)": ours,
        "NumPy, the same sums (s)": theirs,
        "times NumPy, accumulate": theirs / ours,
        "jaxsim, fresh (s)": ours_fresh,
        "NumPy, the same statistics (s)": theirs_fresh,
        "times NumPy, fresh": theirs_fresh / ours_fresh,
        "100,000 generations x 1,000 seeds (s)": long,
        "against half as many generations": long / half,
        "largest z of the mean variance": float(
            np.abs((found.sel(statistic="mean").values - expected) / error).max()
        ),
    }


def _expected_variance(n: int, generations: int) -> np.ndarray:
    """E of the pooled variance: with v_t it holds that E v_(t+1) = E v_t (1 - 1 / (n (t + 1)^2)).

    A batch of n joins n t points: E SS' = E SS + (n - 1) E v + (t / (t + 1)) E v, SS = n t v. Own derivation.
    """
    t = np.arange(1, generations)
    return (1 - 1 / n) * np.concatenate([[1.0], np.cumprod(1 - 1 / (n * (t + 1) ** 2))])
