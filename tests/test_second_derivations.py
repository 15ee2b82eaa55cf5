"""Every closed form agrees with a second derivation made without sight of the first.

Both sides work in many digits, or in float64 with well-conditioned sums: what remains is rounding.
"""

import numpy as np
import pytest
import second_derivations as second

from theory import law
from theory.loop import Gaussian, Loop, MaximumLikelihood, Replace, Sampler, Unbiased, sample_sizes
from theory.predict import central_moments, predict

ROUNDING = 1e-10  # two different routes through digamma, Gauss quadrature and at most a dozen generations

SETTINGS = [
    Loop(Gaussian(0, 1), Replace(2)),
    Loop(Gaussian(1.5, 2), Replace(5), Unbiased()),
    Loop(Gaussian(0, 0.3), Replace(12), sampler=Sampler(bias=0.8)),
    Loop(Gaussian(0, 0.3), Replace(12), Unbiased(), Sampler(bias=1.3, applies_to_source=True)),
    Loop(Gaussian(1, 2), Replace((7, 4, 30, 9, 100, 8)), start=Gaussian(0.5, 3)),
    Loop(Gaussian(1, 2), Replace("6 * t**2"), Unbiased(), Sampler(temperature=0.9), Gaussian(0.5, 3)),
    Loop(Gaussian(0, 1), Replace(10_000), Unbiased()),
]
GENERATIONS = (1, 2, 6)


def keywords(loop):
    sampler = loop.sampler
    return {
        "estimator": loop.estimator.name,
        "bias": sampler.temperature or sampler.bias,
        "first_biased": sampler.applies_to_source or loop.start is not None,
    }


def pairs(loop):
    """The start and the reference as (mean, variance)."""
    return {
        "start": (loop.first_model.mean, loop.first_model.variance),
        "reference": (loop.source.mean, loop.source.variance),
    }


def same(first, other):
    """Equal up to rounding, infinities included; nan (not known) is compared by nobody."""
    if np.isinf(other) or np.isinf(first):
        return first == other
    return abs(first - other) <= ROUNDING * max(1e-300, abs(other))


@pytest.mark.parametrize("loop", SETTINGS)
@pytest.mark.parametrize("generation", GENERATIONS)
def test_moments_on_the_line(loop, generation):
    sizes, options = sample_sizes(loop.data.n, generation), keywords(loop)
    theory = predict(loop, generation)

    def moments(name):
        return theory[name].sel(statistic=["mean", "variance"]).values[:, 0]

    alone = second.variance_moments(sizes, **options, variance=loop.first_model.variance)
    expected = {
        "variance": alone["variance"][:2],
        "std": alone["deviation"][:2],
        "log_variance": alone["log_variance"][:2],
        "variance_squared": alone["variance_squared"][:2],
        "w2_squared": second.wasserstein(sizes, **options, **pairs(loop)),
        "kl_to_source": second.kl_from_loop(sizes, **options, **pairs(loop)),
        "kl_from_source": second.kl_to_loop(sizes, **options, **pairs(loop)),
    }
    for name, values in expected.items():
        for mine, theirs in zip(moments(name), values, strict=True):
            assert np.isnan(theirs) or same(mine, theirs), name


@pytest.mark.parametrize("loop", [loop for loop in SETTINGS if loop.start is None])
@pytest.mark.parametrize("generation", GENERATIONS)
def test_errors_of_the_mean(loop, generation):
    sizes = sample_sizes(loop.data.n, generation)
    place = second.location_moments(sizes, **keywords(loop), variance=loop.source.variance)
    theory = predict(loop, generation)
    assert same(theory.mean_error_squared.values[0, 0], place["second"])
    assert same(theory.mean_error_fourth.values[0, 0], place["fourth"])
    assert same(theory.mean_variance_product.values[0, 0], place["cross"])
    assert same(theory.mean_error_squared.values[1, 0], place["variance_of_square"])
    sixth = central_moments(loop, "mean_error_squared", [generation])[2, 0]
    # E (X - EX)^3 for X = m^2, from its raw moments.
    raw = place["sixth"] - 3 * place["fourth"] * place["second"] + 2 * place["second"] ** 3
    assert same(sixth, raw)


@pytest.mark.parametrize("loop", SETTINGS)
def test_higher_central_moments(loop):
    for generation in GENERATIONS:
        sizes = sample_sizes(loop.data.n, generation)
        theirs = second.variance_moments(sizes, **keywords(loop), variance=loop.first_model.variance)
        for name in ("variance", "log_variance"):
            mine = central_moments(loop, name, [generation])
            for order in (2, 3):
                assert same(mine[order, 0], theirs[f"{name}_central"][order - 2]), (name, order)


@pytest.mark.parametrize("cutoff", [0.7, 2.0])
@pytest.mark.parametrize("estimator", [MaximumLikelihood(), Unbiased()])
def test_truncated_sampling(cutoff, estimator):
    loop = Loop(Gaussian(0, 2), Replace(6), estimator, Sampler(truncate=cutoff))
    for generation in GENERATIONS:
        theirs = second.truncated_loop(
            (6,) * generation, **keywords(loop), variance=loop.source.variance, cutoff=cutoff
        )
        mine = predict(loop, generation)
        assert same(mine.variance.values[0, 0], theirs["variance"])
        assert same(mine.variance_squared.values[0, 0], theirs["variance_squared"])
        assert same(mine.mean_error_squared.values[0, 0], theirs["location_2"])
        assert same(mine.mean_error_fourth.values[0, 0], theirs["location_4"])
        assert same(mine.mean_variance_product.values[0, 0], theirs["cross"])


@pytest.mark.parametrize("loop", [loop for loop in SETTINGS if loop.start is None])
def test_laws(loop):
    """Two inversions of two transforms; each claims better than 1e-9."""
    for generation in GENERATIONS:
        sizes, options = sample_sizes(loop.data.n, generation), keywords(loop)
        for p in (0.01, 0.5, 0.95):
            x = law.quantile(loop, "variance", generation, p)
            assert abs(second.variance_cdf(x, sizes, **options, variance=loop.source.variance) - p) < 1e-9
            x = law.quantile(loop, "mean_error", generation, p)
            assert abs(second.mean_cdf(x, sizes, **options, variance=loop.source.variance) - p) < 1e-8


@pytest.mark.parametrize(
    "loop",
    [
        Loop(Gaussian(0, 1), Replace(10)),
        Loop(Gaussian(0, 3), Replace(5), Unbiased()),
        Loop(Gaussian(0, 1), Replace(10), Unbiased(), Sampler(bias=1.1)),
    ],
)
def test_half_lives(loop):
    mean, variance = second.halving_time(loop.data.n, **keywords(loop), fraction=0.5)
    mine = predict(loop, 1, ["half_life"]).half_life.values
    assert same(mine[0], mean)
    assert same(mine[1], variance)


LIMITS = {
    "variance": "variance",
    "variance_squared": "variance_squared",
    "log_variance": "log_variance",
    "mean_error_squared": "location_2",
    "mean_error_fourth": "location_4",
}


@pytest.mark.parametrize("estimator", [MaximumLikelihood(), Unbiased()])
@pytest.mark.parametrize("bias", [0.8, 1.0, 1.02])
@pytest.mark.parametrize("n", [4, 20])
def test_limits(estimator, bias, n):
    loop = Loop(Gaussian(0, 2), Replace(n), estimator, Sampler(bias=bias))
    theirs = second.limits(n, **keywords(loop), variance=2.0)
    mine = predict(loop, np.inf)
    for name, key in LIMITS.items():
        assert same(mine[name].values[0, 0], theirs[key]), name


def test_thresholds():
    for estimator in (MaximumLikelihood(), Unbiased()):
        bounded, surely = second.thresholds(7, estimator=estimator.name)
        for bias, finite, gone in (
            (bounded * 0.999, True, True),
            (bounded * 1.001, False, True),
            (surely * 1.001, False, False),
        ):
            limit = predict(Loop(Gaussian(0, 1), Replace(7), estimator, Sampler(bias=bias)), np.inf)
            assert np.isfinite(limit.variance.values[0, 0]) == finite
            assert (limit.log_variance.values[0, 0] == -np.inf) == gone


@pytest.mark.parametrize(
    ("text", "growth", "options"),
    [
        ("5*t**2", "square", {"scale": 5, "ratio": None}),
        ("3*t", "linear", {"scale": 3, "ratio": None}),
        ("4*2**(t-1)", "geometric", {"scale": 4, "ratio": 2}),
    ],
)
@pytest.mark.parametrize("estimator", [MaximumLikelihood(), Unbiased()])
def test_growing_samples(text, growth, options, estimator):
    loop = Loop(Gaussian(0, 2), Replace(text), estimator)
    theirs = second.growing_limits(growth, **options, **keywords(loop), variance=2.0)
    mine = predict(loop, np.inf)
    assert same(mine.variance.values[0, 0], theirs["variance"])
    assert same(mine.variance_squared.values[0, 0], theirs["variance_squared"])
    assert same(mine.mean_error_squared.values[0, 0], theirs["location_2"])


@pytest.mark.parametrize("estimator", [MaximumLikelihood(), Unbiased()])
@pytest.mark.parametrize("bias", [0.9, 1.0])
@pytest.mark.parametrize("n", [3, 12])
def test_the_tail_of_the_last_mean(estimator, bias, n):
    """The index 2 kappa of P(|m| > x) ~ C x^(-2 kappa)."""
    loop = Loop(Gaussian(0, 1), Replace(n), estimator, Sampler(bias=bias))
    theirs = second.tail_index(n, estimator=estimator.name, bias=bias)
    assert same(law.limit_tail(loop).index, theirs)


def test_the_comparison_can_fail():
    """A wrong divisor, a bias one generation early and a wrong size are seen at this rounding."""
    loop = Loop(Gaussian(0, 1), Replace(12), sampler=Sampler(bias=0.8))
    theirs = second.variance_moments((12,) * 3, **keywords(loop), variance=1.0)["variance"][0]
    assert same(predict(loop, 3).variance.values[0, 0], theirs)
    for wrong in (
        loop.with_(estimator=Unbiased()),
        loop.with_(sampler=Sampler(bias=0.8, applies_to_source=True)),
        loop.with_(data=Replace(13)),
    ):
        assert not same(predict(wrong, 3).variance.values[0, 0], theirs)
