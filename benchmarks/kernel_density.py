"""Kernel density replace, n = 100, against scikit-learn's KernelDensity.sample in a loop and batched NumPy.

All keep the variance of the points at every generation: four moments over replicates here, two in NumPy.
"""

import numpy as np
import sklearn
from clock import in_turns
from sklearn.neighbors import KernelDensity as Peer

from jaxsim.simulate import simulate
from theory.estimator import KernelDensity
from theory.kernel_density.forms import replace_variance
from theory.loop import Gaussian, Loop, Replace

N, WIDTH, GENERATIONS, SEEDS = 100, 0.3, 100, 16_384
NUMPY_SEEDS, THEIR_SEEDS = 1_024, 3


def scikit_learn(seeds: int, rng: np.random.RandomState) -> np.ndarray:
    """Variances [generation], averaged: fit and sample, checks of the input off, leaves as large as the data.

    Sampling reads the points alone, so that the tree behind them is as small as can be.
    """
    kept = np.zeros(GENERATIONS)
    with sklearn.config_context(assume_finite=True, skip_parameter_validation=True):
        model = Peer(bandwidth=WIDTH, algorithm="ball_tree", leaf_size=N)
        for _ in range(seeds):
            x = rng.standard_normal((N, 1))
            for g in range(GENERATIONS):
                kept[g] += x.var()
                x = model.fit(x).sample(N, random_state=rng)
    return kept / seeds


def batched(seeds: int, seed: int) -> np.ndarray:
    """All seeds at once in float32, buffers reused: mean and variance of the variance, [generation, 2]."""
    rng = np.random.Generator(np.random.SFC64(seed))
    x = rng.standard_normal((seeds, N), dtype=np.float32)
    noise, new = np.empty_like(x), np.empty_like(x)
    row = np.arange(seeds)[:, None] * N
    kept = np.empty((GENERATIONS, 2))
    for g in range(GENERATIONS):
        mean = x.mean(1)
        variance = np.einsum("ij,ij->i", x, x) / N - mean * mean
        kept[g] = variance.mean(), variance.var()
        parents = rng.integers(0, N, (seeds, N), dtype=np.uint8).astype(np.intp)
        parents += row
        x.ravel().take(parents, out=new, mode="clip")
        rng.standard_normal(out=noise, dtype=np.float32)
        noise *= np.float32(WIDTH)
        new += noise
        x, new = new, x
    return kept


def measure() -> dict[str, float]:
    """Seconds and ratios."""
    loop = Loop(Gaussian(0.0, 1.0), Replace(N), KernelDensity(WIDTH))
    seed, rng = iter(range(10**6)), np.random.RandomState(0)

    def ours():
        steps = range(1, GENERATIONS + 1)
        return simulate(loop, steps, SEEDS, seed=next(seed), engine="literal", observables=["variance"])

    values = ours()["variance"]
    expected = np.array([replace_variance(1.0, N, WIDTH, g) for g in range(1, GENERATIONS + 1)])
    z = (values.sel(statistic="mean") - expected) / values.sel(statistic="standard_error")
    known = batched(NUMPY_SEEDS, next(seed))
    numpy_z = (known[:, 0] - expected) / np.sqrt(known[:, 1] / NUMPY_SEEDS)
    mine, numpy_time, theirs = in_turns(
        ours,
        lambda: batched(NUMPY_SEEDS, next(seed)),
        lambda: scikit_learn(THEIR_SEEDS, rng),
        rounds=4,
    )
    each, numpy_each, their_each = (
        seconds / (count * GENERATIONS)
        for seconds, count in ((mine, SEEDS), (numpy_time, NUMPY_SEEDS), (theirs, THEIR_SEEDS))
    )
    return {
        "us a generation of a seed": each * 1e6,
        "NumPy, us": numpy_each * 1e6,
        "scikit-learn, us": their_each * 1e6,
        "times NumPy": numpy_each / each,
        "times scikit-learn": their_each / each,
        "largest z of the mean variance": float(np.abs(z).max()),
        "largest z of NumPy's": float(np.abs(numpy_z).max()),
    }
