"""The d-dimensional closed forms agree with a second derivation made without sight of the first."""

import numpy as np
import pytest
import second_derivations as second
from test_second_derivations import keywords, same

from theory.loop import Gaussian, Loop, MaximumLikelihood, Replace, Sampler, Unbiased, sample_sizes
from theory.predict import predict

FULL = [[3.0, 0.4, 0.1], [0.4, 1.0, -0.2], [0.1, -0.2, 0.5]]
SETTINGS = [
    Loop(Gaussian([0, 0], [3, 0.5]), Replace(5)),
    Loop(Gaussian([1, 2, 3], FULL), Replace(8), Unbiased(), Sampler(bias=0.9)),
    Loop(Gaussian([0, 0, 0, 0], 2), Replace(400), Unbiased(), Sampler(bias=1.2, applies_to_source=True)),
    Loop(Gaussian([0, 0], [1, 2]), Replace((9, 6, 20, 5, 7)), start=Gaussian([1, 0], [[2, 0.5], [0.5, 1]])),
    Loop(Gaussian([0] * 7, 1.5), Replace(4)),
]
GENERATIONS = (1, 2, 5)


def covariance(model):
    """The covariance matrix, however it is written."""
    variance = np.asarray(model.variance)
    return variance if variance.ndim == 2 else np.diag(np.broadcast_to(variance, model.dimension))


def all_same(first, other):
    return all(same(a, b) for a, b in zip(np.ravel(first), np.ravel(other), strict=True) if not np.isnan(b))


@pytest.mark.parametrize("loop", SETTINGS)
@pytest.mark.parametrize("generation", GENERATIONS)
def test_moments_in_space(loop, generation):
    sizes, options = sample_sizes(loop.data.n, generation), keywords(loop)
    start, truth = covariance(loop.first_model), covariance(loop.source)
    theory = predict(loop, generation)

    def statistics(name):
        return theory[name].values[:, 0]

    mean, spread = second.covariance_moments(sizes, **options, covariance=start)
    assert all_same(statistics("covariance")[0], mean)
    assert all_same(statistics("covariance")[1], spread)
    assert all_same(statistics("variance")[0], np.diag(mean))
    assert all_same(statistics("variance")[1], np.diag(spread))
    for name, values in second.trace_moments(sizes, **options, covariance=start).items():
        assert all_same(statistics(name), values), name
    ratio_mean, ratio_variance = (
        second.principal_ratio_rates(sizes, **options, dimension=len(start))
        if min(sizes) > len(start)
        else (None, None)
    )
    if ratio_mean is not None:
        assert all_same(statistics("log_det"), second.log_determinant(sizes, **options, covariance=start))
        assert all_same(statistics("lyapunov")[0], ratio_mean)
        assert all_same(statistics("lyapunov")[1], ratio_variance)
    else:
        pseudo = second.log_pseudo_determinant(
            sizes, **options, dimension=len(start), variance=loop.first_model.variance
        )
        assert all_same(statistics("log_pseudo_det"), pseudo)
    models = (loop.first_model, start), (loop.source, truth)
    first, reference = ((np.broadcast_to(model.mean, len(start)), matrix) for model, matrix in models)
    divergences = second.vector_kl_means(sizes, **options, start=first, reference=reference)
    assert same(statistics("kl_to_source")[0], divergences[0])
    assert same(statistics("kl_from_source")[0], divergences[1])


@pytest.mark.parametrize("loop", [loop for loop in SETTINGS if loop.start is None])
@pytest.mark.parametrize("generation", GENERATIONS)
def test_errors_of_the_mean_in_space(loop, generation):
    sizes = sample_sizes(loop.data.n, generation)
    outer, square, spread = second.vector_location_moments(
        sizes, **keywords(loop), covariance=covariance(loop.source)
    )
    theory = predict(loop, generation)
    assert same(theory.mean_error_squared.values[0, 0], square)
    assert same(theory.mean_error_squared.values[1, 0], spread)
    assert all_same(theory.mean_error.values[1, 0], np.diag(outer))


@pytest.mark.parametrize("estimator", [MaximumLikelihood(), Unbiased()])
def test_the_first_order_of_the_wasserstein_distance(estimator):
    loop = Loop(Gaussian([1, 2, 3], FULL), Replace(400), estimator)
    model = (loop.source.mean, covariance(loop.source))
    zeroth, first = second.wasserstein_first_order((400,) * 2, **keywords(loop), start=model, reference=model)
    # without a start the expansion begins at 0, up to the rounding of a difference of traces
    assert abs(zeroth) <= 1e-12 * np.trace(model[1])
    assert same(predict(loop, 2, ["w2_squared"]).w2_squared.values[0, 0], first)
