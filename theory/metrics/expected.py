"""What an experiment about metrics should measure: its parameters read by the theory.

The experiments are those of `jaxsim.experiments.metrics`; every function here takes a case and returns the
mean and the second to fourth central moments of one replicate along the first axis, nan where unknown.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike, NDArray

from theory.categorical import wright_fisher
from theory.claim import Case
from theory.metrics import distances as metrics
from theory.metrics import neighbours as metrics_neighbours
from theory.metrics import vendi as metrics_vendi
from theory.wishart import near_source

Array = NDArray[np.float64]


def _means(values: ArrayLike, variance: ArrayLike = np.nan) -> Array:
    """Means, and variances where they are known, of one replicate: [4, *axes]."""
    mean = np.asarray(values, float)
    unknown = np.full_like(mean, np.nan)
    return np.stack([mean, np.broadcast_to(variance, mean.shape), unknown, unknown])


def frechet_loops(case: Case) -> Array:
    """Of `metric frechet loop`."""
    get = case.loop.get
    return _means(metrics.frechet_in_loop(get("variances"), get("n"), get("generations")))


def frechet_samples(case: Case) -> Array:
    """Of `metric frechet sample`."""
    return _means(metrics.frechet_of_sample(case.loop.get("variances"), case.loop.get("n")))


def frechet_by_cubature(case: Case) -> Array:
    """Its mean up to O(n^-3)."""
    n = case.loop.get("n")
    return np.array(near_source.w2_squared(np.diag(case.loop.get("variances")), (n,), (n - 1,)))


def pooled_loops(case: Case) -> Array:
    """Of `metric pooled loop`."""
    get = case.loop.get
    return _means(metrics.pooled_moments(get("variance"), get("n"), get("generation")))


def precision_recalls(case: Case) -> Array:
    """Of `metric precision recall`, between finite samples."""
    get = case.loop.get
    laws = get("real_variance"), get("fake_variance")
    sizes = get("real"), get("fake")
    found = [
        metrics.inside_sampled(get("dimension"), get("alpha"), *one[::way], two[::way], get("shift"))
        for way, one, two in ((1, laws, sizes), (-1, laws, sizes))
    ]
    return _means(*np.array(found).T)


def _isotropic(case: Case) -> tuple:
    get = case.loop.get
    laws = get("real_variance"), get("fake_variance")
    return get("dimension"), *laws, (get("real"), get("fake")), get("k")


def equal_neighbours(case: Case) -> Array:
    """Of `metric neighbours` for equal laws: density and coverage."""
    get = case.loop.get
    coverage = metrics_neighbours.coverage_of_equals(get("real"), get("fake"), get("k"))
    return _means([np.nan, np.nan, 1.0, coverage])


def normal_neighbours(case: Case) -> Array:
    """Of `metric neighbours`: density and coverage by quadrature."""
    known = _isotropic(case)
    density, coverage = metrics_neighbours.density(*known), metrics_neighbours.coverage(*known)
    return _means([np.nan, np.nan, density, coverage])


def limiting_neighbours(case: Case) -> Array:
    """Of `metric neighbours`: coverage of ever larger samples."""
    dimension, real, fake, sizes, k = _isotropic(case)
    coverage = metrics_neighbours.coverage_limit(dimension, real, fake, sizes[1] / sizes[0], k)
    return _means([np.nan, np.nan, np.nan, coverage])


def limiting_precision(case: Case) -> Array:
    """Of `metric uniform neighbours`: precision and recall of ever larger samples."""
    share = metrics_neighbours.precision_limit(case.loop.get("k"))
    return _means([share, share, np.nan, np.nan])


def finite_precision(case: Case) -> Array:
    """The means alone of `uniform_neighbours`."""
    return uniform_neighbours(case)[0]


def finite_neighbours(case: Case) -> Array:
    """The means alone of `normal_neighbours`."""
    return normal_neighbours(case)[0]


def uniform_neighbours(case: Case) -> Array:
    """Of `metric uniform neighbours`."""
    get = case.loop.get
    precision, recall = (
        metrics_neighbours.precision_of_uniforms(get(size), get("k")) for size in ("real", "fake")
    )
    coverage = metrics_neighbours.coverage_of_equals(get("real"), get("fake"), get("k"))
    return _means([precision, recall, 1.0, coverage])


def gaussian_vendis(case: Case) -> Array:
    """Of `metric gaussian vendi`: the score of order 2."""
    get = case.loop.get
    square = metrics_vendi.mean_square_similarity(get("variances"), get("scale"), get("n"))
    return _means([square, np.nan])


def vendi_bound(case: Case) -> Array:
    """The population's log score of order 1, which bounds its mean over samples."""
    get = case.loop.get
    return _means([np.nan, np.log(metrics_vendi.vendi(get("variances"), get("scale")))])


def categorical_vendis(case: Case) -> Array:
    """Of `metric categorical vendi`: the plug-in estimates of sum p^2 and of the entropy."""
    n, shares = case.loop.get("n"), np.array(case.loop.get("shares"))
    square = (shares**2).sum()
    return _means([square + (1 - square) / n, wright_fisher.entropy(n, shares, [1])[0]])


def modes(case: Case) -> Array:
    """Of `metric modes`."""
    get = case.loop.get
    return _means(metrics_vendi.modes_in_loop(get("shares"), get("n"), get("generations")))
