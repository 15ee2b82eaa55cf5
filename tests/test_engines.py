"""Both engines against exact moments, against each other in law, and observables against linear algebra.

Every comparison is a two-sided z-test at a false-alarm rate of 1e-6 shared by its family (Bonferroni).
Replicates are such that the negative control, whose distance is known exactly, is missed with probability
1e-6 at most.
"""

import numpy as np
import pytest
from scipy.special import digamma, polygamma
from scipy.stats import norm, truncnorm

from jaxsim.simulate import simulate
from theory.loop import Gaussian, Loop, LoopError, MaximumLikelihood, Replace, Sampler, Unbiased

RATE = 1e-6
ESTIMATORS = [MaximumLikelihood(), Unbiased()]
COVARIANCE = np.array([[3.0, 0.5, 0.2], [0.5, 1.0, 0.1], [0.2, 0.1, 0.5]])
SPACE = Gaussian((1.0, 2.0, 3.0), COVARIANCE)


def threshold(family):
    return norm.isf(RATE / 2 / family)


def replicates(distance, spread, family):
    """Enough for a shift of the mean by `distance` to pass the threshold but for a probability of RATE."""
    return int(np.ceil(((threshold(family) + norm.isf(RATE)) * spread / distance) ** 2))


def statistics(dataset, name):
    """(count, mean, variance, fourth central moment) of an observable."""
    return (dataset[name].sel(statistic=s).values for s in ("count", "mean", "variance", "fourth"))


def scores(dataset, name, mean, variance):
    """z of the mean and of the variance."""
    count, found, spread, fourth = statistics(dataset, name)
    return np.stack(
        [
            (found - mean) * np.sqrt(count / variance),
            (spread - variance) / np.sqrt((fourth - spread**2) / count),
        ]
    )


def two_sample_scores(first, second, name):
    (n1, m1, v1, f1), (n2, m2, v2, f2) = (statistics(d, name) for d in (first, second))
    return np.stack(
        [
            (m1 - m2) / np.sqrt(v1 / n1 + v2 / n2),
            (v1 - v2) / np.sqrt((f1 - v1**2) / n1 + (f2 - v2**2) / n2),
        ]
    )


def drift(n, estimator):
    """E log(chi2_nu / c)."""
    return digamma((n - 1) / 2) + np.log(2 / (n if estimator == MaximumLikelihood() else n - 1))


@pytest.mark.parametrize("engine", ["exact", "literal"])
@pytest.mark.parametrize("estimator", ESTIMATORS)
@pytest.mark.parametrize("n", [2, 10, 100])
def test_log_variance_has_its_mean_and_variance(n, estimator, engine):
    generations = np.array([1, 2, 7])
    loop = Loop(Gaussian(3.0, 4.0), Replace(n), estimator, Sampler(bias=0.9))
    mean = np.log(4) + generations * drift(n, estimator) + (generations - 1) * np.log(0.9)
    variance = generations * polygamma(1, (n - 1) / 2)
    # seen at generation 7: a bias on the first fit as well; at n = 100 a tenth of one fit's spread
    distance = min(-np.log(0.9), np.sqrt(variance[0]))
    count = replicates(distance, np.sqrt(variance[-1]), 6)
    found = simulate(loop, generations, count, engine=engine, observables=["log_variance"])
    assert np.abs(scores(found, "log_variance", mean, variance)).max() < threshold(6)
    assert np.abs(scores(found, "log_variance", mean + distance, variance)).max() > threshold(6)


@pytest.mark.parametrize(
    ("sampler", "start", "fits"),
    [
        (Sampler(bias=0.5), None, 2),
        (Sampler(temperature=0.5), None, 2),
        (Sampler(bias=0.5, applies_to_source=True), None, 3),
        (Sampler(bias=0.5), Gaussian(1.0, 9.0), 3),
    ],
)
def test_the_bias_acts_on_synthetic_samples(sampler, start, fits):
    """After 3 fits of n = 20: `fits` of them biased. Mean errors are measured from the source."""
    n, first = 20, start or Gaussian(2.0, 4.0)
    loop = Loop(Gaussian(2.0, 4.0), Replace(n), Unbiased(), sampler, start)
    mean = np.log(first.variance) + 3 * drift(n, Unbiased()) + fits * np.log(0.5)
    variance = 3 * polygamma(1, (n - 1) / 2)
    count = replicates(np.log(2), np.sqrt(variance), 4) + 2000
    found = simulate(loop, 3, count, observables=["log_variance", "mean_error"])
    assert np.abs(scores(found, "log_variance", mean, variance)).max() < threshold(4)
    assert np.abs(scores(found, "log_variance", mean + np.log(2), variance)[0]).min() > threshold(4)
    # each factor on the variance of a draw: E of the fitted variance is that of the draw, unbiased
    factors = [0.5 if g > 3 - fits else 1.0 for g in (1, 2, 3)]
    spread = first.variance * np.sum(np.cumprod(factors)) / n
    shift = first.mean - 2.0
    assert np.abs(scores(found, "mean_error", shift, spread)).max() < threshold(4)


@pytest.mark.parametrize("n", [2, 10])
def test_engines_agree_in_law_on_the_line_and_other_loops_do_not(n):
    """log_variance and mean_error; the control draws one sample more, or divides by n - 1."""
    generations = [1, 3]
    loop = Loop(Gaussian(0.0, 1.0), Replace(n))
    more = Loop(Gaussian(0.0, 1.0), Replace(n + 1))
    unbiased = Loop(Gaussian(0.0, 1.0), Replace(n), Unbiased())
    names = ["log_variance", "mean_error"]
    distance = 3 * min(drift(n + 1, MaximumLikelihood()) - drift(n, MaximumLikelihood()), -np.log(1 - 1 / n))
    count = replicates(distance, np.sqrt(2 * 3 * polygamma(1, (n - 1) / 2)), 8)
    exact = simulate(loop, generations, count, observables=names)
    literal, *others = (
        simulate(other, generations, count, engine="literal", observables=names)
        for other in (loop, more, unbiased)
    )
    for name in names:
        assert np.abs(two_sample_scores(exact, literal, name)).max() < threshold(8)
    for other in others:
        assert np.abs(two_sample_scores(exact, other, "log_variance")[0, 1]) > threshold(8)


@pytest.mark.parametrize("n", [3, 5])
def test_engines_agree_in_law_in_space_also_with_few_points(n):
    """d = 3; n = 3 leaves rank 2."""
    volume = "log_det" if n > 3 else "log_pseudo_det"
    names = [volume, "effective_rank", "mean_error"]
    loop = Loop(SPACE, Replace(n))
    terms = np.arange(1, min(n - 1, 3) + 1)
    spread = 2 * np.sqrt(2 * 3 * polygamma(1, (n - terms) / 2).sum())  # a generous one for n = 3
    distance = 3 * len(terms) * np.log(1 + 1 / (n - 1))  # n - 1 in place of n
    count = replicates(distance, spread, 30)
    runs = [simulate(loop, [1, 3], count, engine=e, observables=names) for e in ("exact", "literal")]
    for name in names:
        assert np.abs(two_sample_scores(*runs, name)).max() < threshold(30)
    other = simulate(loop.with_(estimator=Unbiased()), [1, 3], count, engine="literal", observables=names)
    assert np.abs(two_sample_scores(runs[0], other, volume)[0, 1]) > threshold(30)


@pytest.mark.parametrize(("n", "d"), [(9, 3), (4, 3), (4, 7), (2, 3)])
def test_log_volumes_have_their_mean_and_variance(n, d):
    """Bartlett: sums of log chi-squares. With n <= d the first fit sees d dimensions, later ones n - 1."""
    generations, nu = np.array([1, 2, 4]), n - 1
    later = np.array([nu - i for i in range(min(nu, d))])
    first = later if nu >= d else np.array([d - i for i in range(nu)])
    mean, variance = (
        f(first).sum() + (generations - 1) * f(later).sum()
        for f in (lambda k: digamma(k / 2) + np.log(2 / n), lambda k: polygamma(1, k / 2))
    )
    distance = np.sqrt(variance[-1]) / 10
    count = replicates(distance, np.sqrt(variance[-1]), 6)
    name = "log_det" if n > d else "log_pseudo_det"
    found = simulate(Loop(Gaussian((0.0,) * d, 1.0), Replace(n)), generations, count, observables=[name])
    assert np.abs(scores(found, name, mean, variance)).max() < threshold(6)
    assert np.abs(scores(found, name, mean + distance, variance)[0, -1]) > threshold(6)


def test_lyapunov_exponents_and_deep_collapse_in_space():
    """4,000 generations of n = 5 in d = 3: exact means and variances, no direction lost."""
    n, generations = 5, 4_000
    terms = np.arange(1, 4)
    mean = digamma((n - terms) / 2) + np.log(2 / n)
    variance = polygamma(1, (n - terms) / 2) / generations
    found = simulate(
        Loop(SPACE, Replace(n)), generations, 200, observables=["lyapunov", "log_det", "effective_rank"]
    )
    assert np.abs(scores(found, "lyapunov", mean, variance)).max() < threshold(6)
    assert np.isfinite(found.to_array()).all()
    assert abs(found.effective_rank.sel(statistic="mean").item() - 1) < 1e-5  # rank one, in float32


def test_deep_collapse_on_the_line():
    n, generations, seeds = 5, 100_000, 1024
    found = simulate(Loop(Gaussian(0.0, 1.0), Replace(n)), generations, seeds)
    mean, variance = generations * drift(n, MaximumLikelihood()), generations * polygamma(1, (n - 1) / 2)
    assert np.abs(scores(found, "log_variance", mean, variance)).max() < threshold(2)
    assert not np.isnan(found.to_array()).any()
    assert found.variance.sel(statistic="mean").item() == 0.0


@pytest.mark.parametrize("n", [3, 8])
def test_truncated_samples_have_their_moments(n):
    """n samples of |z| < c: E s' = v s nu/c and E s'^2 by the variance of a sample variance (gaussian.S2)."""
    cut = 1.0
    v, kurtosis = truncnorm.stats(-cut, cut, moments="vk")
    fourth = (kurtosis + 3) * v**2
    # s^2 of one fit over nu/c: v^2 + (mu4 - v^2 (n - 3)/(n - 1)) / n
    second = (v**2 + (fourth - v**2 * (n - 3) / (n - 1)) / n) * ((n - 1) / n) ** 2
    mean = v * (n - 1) / n
    loop = Loop(Gaussian(0.0, 1.0), Replace(n), sampler=Sampler(truncate=cut, applies_to_source=True))
    spread = np.sqrt(second - mean**2)
    count = replicates(0.1 * spread, spread, 4)
    found = simulate(loop, 1, count, engine="literal", observables=["variance", "mean_error"])
    assert np.abs(scores(found, "variance", mean, second - mean**2)).max() < threshold(4)
    assert np.abs(scores(found, "mean_error", 0, v / n)).max() < threshold(4)
    assert np.abs(scores(found, "variance", mean + 0.1 * spread, spread**2)[0]).min() > threshold(4)


@pytest.mark.parametrize("n", [3, pytest.param(10, marks=pytest.mark.slow)])
def test_truncation_in_space_acts_on_each_principal_axis(n):
    """E Sigma_t = (v nu/c)^(t-1) (nu/c) Sigma_0: exactly the source's covariance, shrunk, for n <= d too."""
    cut = 1.0
    v = truncnorm.var(-cut, cut)
    generations = np.array([1, 3])
    found = simulate(
        Loop(SPACE, Replace(n), sampler=Sampler(truncate=cut)), generations, 20_000, engine="literal",
        observables=["covariance"],
    )  # fmt: skip
    rate = (n - 1) / n
    mean = (rate * (v * rate) ** (generations - 1))[:, None, None] * COVARIANCE
    _, centre, variance, _ = statistics(found, "covariance")
    error = np.sqrt(variance / 20_000)
    assert np.abs((centre - mean) / error).max() < threshold(18)
    assert np.abs((centre - mean / v) / error)[1].max() > threshold(18)


@pytest.mark.parametrize(
    ("n", "engine"), [(9, "exact"), (3, "exact"), pytest.param(9, "literal", marks=pytest.mark.slow)]
)
def test_observables_are_those_of_mean_and_covariance(n, engine):
    """Replicate by replicate, against NumPy in float64; 1e-9 is rounding after three fits of few points."""
    loop = Loop(SPACE, Replace(n), start=Gaussian((1.0, 2.5, 3.0), 2 * COVARIANCE))
    run = simulate(loop, [1, 3], 50, engine=engine, keep="replicates", precision="float64")
    error, sigma = run.mean_error.values, run.covariance.values
    values = np.linalg.eigvalsh(sigma)[..., ::-1]
    trace = values.sum(-1)
    root = np.linalg.cholesky(COVARIANCE)
    rank = min(n - 1, 3)  # below it, the root of a rounding error
    overlap = np.sqrt(np.linalg.eigvalsh(root.T @ sigma @ root)[..., -rank:]).sum(-1)
    expected = {
        "mean_error_squared": (error**2).sum(-1),
        "mean_error_fourth": (error**2).sum(-1) ** 2,
        "variance": np.diagonal(sigma, axis1=-2, axis2=-1),
        "trace": trace,
        "trace_of_square": (values**2).sum(-1),
        "square_of_trace": trace**2,
        "effective_rank": trace**2 / (values**2).sum(-1),
        "eigenvalues": np.maximum(values, 0),
        "w2_squared": (error**2).sum(-1) + trace + np.trace(COVARIANCE) - 2 * overlap,
    }
    if n > 3:
        ratio = np.linalg.slogdet(sigma)[1] - np.linalg.slogdet(COVARIANCE)[1]
        to_inverse, from_inverse = np.linalg.inv(COVARIANCE), np.linalg.inv(sigma)
        square = (
            np.einsum("...i,ij,...j", error, to_inverse, error),
            np.einsum("...i,...ij,...j", error, from_inverse, error),
        )
        traces = (
            np.trace(to_inverse @ sigma, axis1=-2, axis2=-1),
            np.trace(from_inverse @ COVARIANCE, axis1=-2, axis2=-1),
        )
        minors = np.diagonal(np.linalg.cholesky(sigma), axis1=-2, axis2=-1) / (np.sqrt(2) * np.diag(root))
        expected |= {
            "log_det": np.linalg.slogdet(sigma)[1],
            "kl_to_source": (traces[0] + square[0] - 3 - ratio) / 2,
            "kl_from_source": (traces[1] + square[1] - 3 + ratio) / 2,
            "lyapunov": 2 * np.log(minors) / np.array([1, 3])[:, None],
        }
    else:
        expected["log_pseudo_det"] = np.log(values[..., :2]).sum(-1)
        assert set(run.data_vars).isdisjoint({"log_det", "kl_to_source", "kl_from_source", "lyapunov"})
    assert set(expected) | {"mean_error", "covariance"} == set(run.data_vars)
    for name, value in expected.items():
        assert (np.abs(run[name].values - value) < 1e-9 * (1 + np.abs(value))).all(), name


def test_observables_on_the_line_are_those_of_mean_and_variance():
    loop = Loop(Gaussian(1.0, 4.0), Replace(6), start=Gaussian(1.5, 3.0))
    run = simulate(loop, [1, 4], 50, keep="replicates", precision="float64")
    m, s = run.mean_error.values, run.variance.values
    r = s / 4
    expected = {
        "mean_error_squared": m**2,
        "mean_error_fourth": m**4,
        "std": np.sqrt(s),
        "log_variance": np.log(s),
        "variance_squared": s**2,
        "mean_variance_product": m**2 * s,
        "w2_squared": m**2 + (np.sqrt(s) - 2) ** 2,
        "kl_to_source": (m**2 / 4 + r - 1 - np.log(r)) / 2,
        "kl_from_source": (m**2 / s + 1 / r - 1 + np.log(r)) / 2,
    }
    assert set(expected) | {"mean_error", "variance"} == set(run.data_vars)
    for name, value in expected.items():
        assert (np.abs(run[name].values - value) < 1e-12 * (1 + np.abs(value))).all(), name


@pytest.mark.parametrize("n", [2, 10**6])
def test_the_rounding_of_float32_is_far_below_the_monte_carlo_error(n):
    """The same run twice: means differ by less than a tenth of their error at 10^6 replicates."""
    names = ["log_variance", "mean_error", "variance", "std", "w2_squared", "kl_to_source"]
    single, double = (
        simulate(Loop(Gaussian(5.0, 2.0), Replace(n)), [1, 50], 20_000, observables=names, precision=p)
        for p in ("float32", "float64")
    )
    for name in names:
        _, mean, variance, _ = statistics(double, name)
        difference = np.abs(single[name].sel(statistic="mean").values - mean)
        assert (difference < 0.1 * np.sqrt(variance / 10**6)).all(), (
            name,
            difference / np.sqrt(variance / 10**6),
        )


def test_growing_samples():
    """A schedule through 1 and 2 pieces, Cornish-Fisher and rank 1: log variance adds up fit by fit."""
    sizes = (2, 3, 30, 1000, 10**5, 10**9)
    loop = Loop(Gaussian(0.0, 1.0), Replace(sizes))
    nu = np.array(sizes) - 1
    mean = np.cumsum(digamma(nu / 2) + np.log(2 / np.array(sizes)))
    variance = np.cumsum(polygamma(1, nu / 2))
    count = replicates(0.05, np.sqrt(variance[-1]), 12)
    found = simulate(loop, range(1, 7), count, observables=["log_variance"])
    assert np.abs(scores(found, "log_variance", mean, variance)).max() < threshold(12)
    assert np.abs(scores(found, "log_variance", mean + 0.05, variance)[0]).max() > threshold(12)


def test_precision_follows_what_float32_can_hold():
    """Neither far generations nor the request decide it: a longer run extends a shorter one."""
    plane = Loop(Gaussian([0, 0], 1), Replace(10**5))
    assert simulate(plane, 1, 8, observables=["w2_squared"]).attrs["precision"] == "float64"
    close = Loop(Gaussian(0, 1), Replace(5), sampler=Sampler(truncate=1e-3))
    for generation in (1, 2):
        run = simulate(close, generation, 8, engine="literal", observables=["variance"])
        assert run.attrs["precision"] == "float64"
        assert run.variance.sel(statistic="mean").item() > 0


def test_a_cut_below_the_resolution_is_refused():
    loop = Loop(Gaussian(0, 1), Replace(5), sampler=Sampler(truncate=1e-9))
    with pytest.raises(LoopError, match="told apart"):
        simulate(loop, 2, 8, engine="literal")
