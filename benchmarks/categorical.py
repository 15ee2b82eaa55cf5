"""Categories: K = n = 1,000 over 200 generations, against NumPy's Generator.multinomial in batches."""

import numpy as np
from clock import first_call, in_turns

from jaxsim.simulate import simulate
from theory.discrete_source import Categorical
from theory.loop import Loop, Replace

K = N = 1_000
GENERATIONS, SEEDS = 200, 2_048
BATCH = 64  # of 64, 256 and 1024 the fastest for parents; multinomials do not mind
OBSERVABLES = ["heterozygosity", "support"]


def measure() -> dict[str, float]:
    """Seconds and ratios; every side keeps mean and variance of both observables at every generation."""
    loop = Loop(Categorical((1 / K,) * K), Replace(N))
    seed = iter(range(10**6))

    def ours():
        return simulate(loop, range(1, GENERATIONS + 1), SEEDS, seed=next(seed), observables=OBSERVABLES)

    first = first_call(ours)
    jax_seconds, numpy_seconds, parents_seconds = in_turns(
        ours, lambda: multinomial(next(seed)), lambda: parents(next(seed)), rounds=4
    )
    found = ours()
    expected = (1 - 1 / K) * (1 - 1 / N) ** np.arange(1, GENERATIONS + 1)
    z = [
        (found.heterozygosity.sel(statistic="mean").values - expected)
        / found.heterozygosity.sel(statistic="standard_error").values,
        (multinomial(next(seed))[:, 0] - expected)
        / found.heterozygosity.sel(statistic="standard_error").values,
    ]
    return {
        "first call (s)": first,
        "jaxsim (s)": jax_seconds,
        "microseconds a vector of counts": jax_seconds / (SEEDS * GENERATIONS) * 1e6,
        "NumPy, Generator.multinomial (s)": numpy_seconds,
        "times NumPy": numpy_seconds / jax_seconds,
        "NumPy, parents by Generator.integers (s)": parents_seconds,
        "times NumPy with parents": parents_seconds / jax_seconds,
        "largest z of the mean heterozygosity": float(np.abs(z[0]).max()),
        "... of NumPy's": float(np.abs(z[1]).max()),
    }


def multinomial(seed: int) -> np.ndarray:
    """Batched multinomials, the probabilities made in place; [generation, 4] summaries."""
    rng = np.random.Generator(np.random.SFC64(seed))
    sums = np.zeros((GENERATIONS, 4))
    for _ in range(SEEDS // BATCH):
        shares = np.full((BATCH, K), 1 / K)
        for t in range(GENERATIONS):
            counts = rng.multinomial(N, shares)
            np.multiply(counts, 1 / N, out=shares)
            kept = 1 - np.einsum("ij,ij->i", shares, shares)
            alive = np.count_nonzero(counts, axis=1)
            sums[t] += kept.sum(), kept @ kept, alive.sum(), alive @ alive
    return summaries(sums)


def parents(seed: int) -> np.ndarray:
    """The points themselves, each with a uniform parent; [generation, 4] summaries."""
    rng = np.random.Generator(np.random.SFC64(seed))
    sums = np.zeros((GENERATIONS, 4))
    rows = np.arange(BATCH)[:, None]
    for _ in range(SEEDS // BATCH):
        points = rng.integers(0, K, (BATCH, N), dtype=np.uint16)
        for t in range(GENERATIONS):
            if t:
                points = points.take(rng.integers(0, N, (BATCH, N), dtype=np.uint16) + rows * N)
            counts = np.bincount((points + rows * K).ravel(), minlength=BATCH * K).reshape(BATCH, K)
            kept = 1 - np.einsum("ij,ij->i", counts, counts) / N**2
            alive = np.count_nonzero(counts, axis=1)
            sums[t] += kept.sum(), kept @ kept, alive.sum(), alive @ alive
    return summaries(sums)


def summaries(sums: np.ndarray) -> np.ndarray:
    """Mean and variance of each observable, [generation, 4]."""
    kept = sums / SEEDS
    kept[:, 1::2] -= kept[:, ::2] ** 2
    return kept
