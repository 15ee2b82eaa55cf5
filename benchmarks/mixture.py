"""Soft EM of two components, n = 1,000, against scikit-learn's GaussianMixture refitted in a loop.

Both begin every fit at the model sampled. scikit-learn stops by its tolerance; here the number of iterations
is stated, and is at least the mean number of its own. The end states are compared before a ratio is quoted.
"""

import warnings

import numpy as np
import sklearn
from clock import in_turns
from scipy import stats
from sklearn.mixture import GaussianMixture

from jaxsim.simulate import simulate
from theory.estimator import MaximumLikelihood
from theory.loop import Loop, Replace
from theory.source import Mixture

N, GENERATIONS, SEEDS = 1_000, 10, 4_096
SOURCE = Mixture((0.5, 0.5), (-2.0, 2.0), (1.0, 0.5))
OBSERVABLES = ["mean_error", "variance", "within", "between"]
TOLERANCES = {1e-3: 3, 1e-5: 6}
THEIR_SEEDS, THEIR_TIMED = 400, 10


def scikit_learn(tolerance: float, seeds: int, rng: np.random.RandomState) -> tuple[np.ndarray, float]:
    """End states [seed, 4] in the order of OBSERVABLES, and the mean number of iterations of a fit.

    Spherical covariances are the cheapest on the line; checks of the input are off; a RandomState goes on
    from generation to generation, where an integer would replay its noise.
    """
    w0, m0, s0 = (np.array(part) for part in (SOURCE.weights, SOURCE.means, SOURCE.variances))
    kept, iterations = np.empty((seeds, 4)), 0
    with sklearn.config_context(assume_finite=True, skip_parameter_validation=True):
        for i in range(seeds):
            model = GaussianMixture(
                2, covariance_type="spherical", tol=tolerance, reg_covar=0.0, max_iter=1000, random_state=rng
            )
            model.weights_, model.means_, model.covariances_ = w0, m0[:, None], s0
            for _ in range(GENERATIONS):
                x, _ = model.sample(N)
                model.weights_init, model.means_init = model.weights_, model.means_
                model.precisions_init = 1 / model.covariances_
                model.fit(x)
                iterations += model.n_iter_
            w, m, s = model.weights_, model.means_[:, 0], model.covariances_
            mean = w @ m
            within, between = w @ s, w @ (m - mean) ** 2
            kept[i] = mean - w0 @ m0, within + between, within, between
    return kept, iterations / (seeds * GENERATIONS)


def measure() -> dict[str, float]:
    """Seconds and ratios."""
    found: dict[str, float] = {}
    rng = np.random.RandomState(0)
    warnings.simplefilter("ignore")
    seed = iter(range(10**6))
    for tolerance, iterations in TOLERANCES.items():
        theirs, mean_iterations = scikit_learn(tolerance, THEIR_SEEDS, rng)
        loop = Loop(SOURCE, Replace(N), MaximumLikelihood(fit="em", iterations=iterations))

        def ours(precision: str, keep: str = "summary", count: int = SEEDS, loop: Loop = loop):
            return simulate(
                loop, range(1, GENERATIONS + 1), count, seed=next(seed), engine="literal", keep=keep,
                observables=OBSERVABLES, precision=precision,
            )  # fmt: skip

        label = f"tolerance {tolerance:g}"
        found[f"{label}: scikit-learn's iterations"] = mean_iterations
        found[f"{label}: iterations here"] = iterations
        assert iterations >= mean_iterations
        for precision in ("float32", "float64"):
            values = ours(precision, "replicates")
            ends = [values[name].isel(generation=-1).values for name in OBSERVABLES]
            chances = [stats.ks_2samp(theirs[:, k], end).pvalue for k, end in enumerate(ends)]
            found[f"{label}, {precision}: least KS p of four"] = min(chances)
            assert min(chances) > 1e-6, "the end states differ in law"
            ours(precision)
            timed = (lambda p=precision: ours(p)), (lambda t=tolerance: scikit_learn(t, THEIR_TIMED, rng))
            mine, other = in_turns(*timed, rounds=3)
            per_ours, per_theirs = mine / SEEDS, other / THEIR_TIMED
            found[f"{label}, {precision}: us a fit"] = per_ours / GENERATIONS * 1e6
            found[f"{label}, {precision}: scikit-learn, us a fit"] = per_theirs / GENERATIONS * 1e6
            found[f"{label}, {precision}: times scikit-learn"] = per_theirs / per_ours
    return found
