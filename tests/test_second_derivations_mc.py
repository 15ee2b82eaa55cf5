"""The second derivations against loops that draw every sample, and against one another."""

from math import inf

import numpy as np
import pytest
import second_derivations as sd
from scipy.special import ndtr, ndtri
from scipy.stats import norm

FALSE_ALARM = 1e-3  # per test, shared among its comparisons; normal approximation of the sample means
SIZES = (16, 20, 18)
START, REFERENCE = (0.3, 2.0), (-0.2, 1.5)
VECTOR_SIZES = (14, 17, 15)
COVARIANCE = np.array([[2.0, 0.6, -0.3], [0.6, 1.0, 0.2], [-0.3, 0.2, 0.5]])
TARGET = np.array([[1.5, -0.2, 0.1], [-0.2, 1.2, 0.3], [0.1, 0.3, 0.8]])
OFFSET = np.array([0.4, -0.1, 0.2])
SETTINGS = [
    {"estimator": "maximum-likelihood", "bias": 1.0, "first_biased": False},
    {"estimator": "unbiased", "bias": 0.8, "first_biased": False},
    {"estimator": "maximum-likelihood", "bias": 1.2, "first_biased": True},
]


def rejected(samples, theory):
    """Names whose sample mean lies further from theory than FALSE_ALARM allows."""
    if samples.keys() != theory.keys():
        raise ValueError(samples.keys() ^ theory.keys())
    critical = norm.isf(FALSE_ALARM / len(samples) / 2)
    z = {name: (np.mean(x) - theory[name]) / np.std(x) * np.sqrt(len(x)) for name, x in samples.items()}
    return {name for name, value in z.items() if not abs(value) < critical}


def with_variances(values, moments):
    """Samples and theory of means and, about the theory's mean, of variances."""
    samples, theory = {}, {}
    for name, (mean, variance) in moments.items():
        samples |= {name: values[name], f"{name} variance": (values[name] - mean) ** 2}
        theory |= {name: mean, f"{name} variance": variance}
    return samples, theory


def other(settings):
    """The same loop with the other estimator."""
    swap = {"maximum-likelihood": "unbiased", "unbiased": "maximum-likelihood"}
    return settings | {"estimator": swap[settings["estimator"]]}


def scalar_loop(rng, count, sizes, *, estimator, bias, first_biased, variance, cutoff=inf):
    """m_t and v_t of `count` loops, every sample drawn; generation 1 is never truncated."""
    m, v = np.zeros(count), np.full(count, variance)
    for s, n in enumerate(sizes):
        p = ndtr(-cutoff) if s > 0 else 0.0
        z = ndtri(rng.uniform(p, 1 - p, (count, n))) if p > 0 else rng.standard_normal((count, n))
        scale = np.sqrt(v * (bias if s > 0 or first_biased else 1))
        x = m[:, None] + scale[:, None] * z
        m = x.mean(axis=1)
        v = ((x - m[:, None]) ** 2).sum(axis=1) / (n if estimator == "maximum-likelihood" else n - 1)
    return m, v


def vector_loop(rng, count, sizes, covariance, *, estimator, bias, first_biased):
    """m_t and Sigma_t of `count` loops, every sample drawn."""
    d = len(covariance)
    m, cov = np.zeros((count, d)), np.broadcast_to(covariance, (count, d, d))
    for s, n in enumerate(sizes):
        values, vectors = np.linalg.eigh(cov * (bias if s > 0 or first_biased else 1))
        root = vectors * np.sqrt(np.maximum(values, 0))[:, None, :]
        x = m[:, None, :] + rng.standard_normal((count, n, d)) @ root.swapaxes(1, 2)
        m = x.mean(axis=1)
        y = x - m[:, None, :]
        cov = y.swapaxes(1, 2) @ y / (n if estimator == "maximum-likelihood" else n - 1)
    return m, cov


def scalar_comparison(m, v, sizes, settings):
    """Samples and theory of everything in one dimension."""
    both = {"start": START, "reference": REFERENCE}
    moments = sd.variance_moments(sizes, variance=START[1], **settings)
    centrals = {name: moments.pop(name) for name in ("variance_central", "log_variance_central")}
    moments["wasserstein"] = sd.wasserstein(sizes, **both, **settings)
    moments["kl_from_loop"] = sd.kl_from_loop(sizes, **both, **settings)
    moments["kl_to_loop"] = sd.kl_to_loop(sizes, **both, **settings)
    location = sd.location_moments(sizes, variance=START[1], **settings)
    moments["m squared"] = location["second"], location.pop("variance_of_square")
    square = (m + START[0] - REFERENCE[0]) ** 2
    s = REFERENCE[1]
    values = {
        "variance": v,
        "deviation": np.sqrt(v),
        "log_variance": np.log(v),
        "variance_squared": v**2,
        "precision": 1 / v,
        "wasserstein": square + (np.sqrt(v) - np.sqrt(s)) ** 2,
        "kl_from_loop": (v / s + square / s - 1 - np.log(v / s)) / 2,
        "kl_to_loop": (s / v + square / v - 1 + np.log(v / s)) / 2,
        "m squared": m**2,
    }
    samples, theory = with_variances(values, moments)
    for name in ("variance", "log_variance"):
        for k, value in zip((3, 4), centrals[f"{name}_central"], strict=True):
            samples[f"{name} central {k}"] = (values[name] - moments[name][0]) ** k
            theory[f"{name} central {k}"] = value
    samples |= {"second": m**2, "fourth": m**4, "sixth": m**6, "cross": m**2 * v}
    theory |= location
    for x in (0.4, 1.0, 1.8, 3.0):
        samples[f"v <= {x}"] = v <= x
        theory[f"v <= {x}"] = sd.variance_cdf(x, sizes, variance=START[1], **settings)
    for x in (-1.0, -0.4, 0.1, 0.8):
        samples[f"m <= {x}"] = m <= x
        theory[f"m <= {x}"] = sd.mean_cdf(x, sizes, variance=START[1], **settings)
    return samples, theory


def vector_comparison(m, cov, sizes, settings):
    """Samples and theory of everything in several dimensions but the expansion and the pseudo-determinant."""
    d = len(COVARIANCE)
    index = [(i, j) for i in range(d) for j in range(i, d)]
    mean, variance = sd.covariance_moments(sizes, covariance=COVARIANCE, **settings)
    outer, square, spread = sd.vector_location_moments(sizes, covariance=COVARIANCE, **settings)
    rates = sd.principal_ratio_rates(sizes, dimension=d, **settings)
    moments = sd.trace_moments(sizes, covariance=COVARIANCE, **settings)
    moments["log det"] = sd.log_determinant(sizes, covariance=COVARIANCE, **settings)
    moments["m squared"] = square, spread
    moments |= {f"cov {i}{j}": (mean[i, j], variance[i, j]) for i, j in index}
    moments |= {f"rate {i}": (rates[0][i], rates[1][i]) for i in range(d)}
    minors = np.stack([np.linalg.slogdet(cov[:, :i, :i])[1] for i in range(1, d + 1)])
    first = np.array([np.linalg.slogdet(COVARIANCE[:i, :i])[1] for i in range(1, d + 1)])
    ratios = np.diff(minors - first[:, None], axis=0, prepend=0) / len(sizes)
    trace, trace2 = np.trace(cov, axis1=1, axis2=2), (cov**2).sum(axis=(1, 2))
    values = {
        "trace": trace,
        "trace_of_square": trace2,
        "square_of_trace": trace**2,
        "log det": minors[-1],
        "m squared": (m**2).sum(axis=1),
    }
    values |= {f"cov {i}{j}": cov[:, i, j] for i, j in index}
    values |= {f"rate {i}": ratios[i] for i in range(d)}
    samples, theory = with_variances(values, moments)
    samples |= {f"mm {i}{j}": m[:, i] * m[:, j] for i, j in index}
    theory |= {f"mm {i}{j}": outer[i, j] for i, j in index}
    forward, backward = sd.vector_kl_means(
        sizes, start=(OFFSET, COVARIANCE), reference=(np.zeros(d), TARGET), **settings
    )
    gap = minors[-1] - np.linalg.slogdet(TARGET)[1]
    shifted = m + OFFSET
    total = cov + shifted[:, :, None] * shifted[:, None, :]
    samples["kl from loop"] = (np.einsum("ij,kji->k", np.linalg.inv(TARGET), total) - d - gap) / 2
    total = TARGET + shifted[:, :, None] * shifted[:, None, :]
    samples["kl to loop"] = (np.einsum("kij,kji->k", np.linalg.inv(cov), total) - d + gap) / 2
    return samples, theory | {"kl from loop": forward, "kl to loop": backward}


@pytest.mark.slow
@pytest.mark.parametrize("settings", SETTINGS, ids=str)
def test_scalar_loop(settings):
    m, v = scalar_loop(
        np.random.default_rng([1, SETTINGS.index(settings)]), 400_000, SIZES, variance=START[1], **settings
    )
    assert not rejected(*scalar_comparison(m, v, SIZES, settings))
    assert rejected(*scalar_comparison(m, v, SIZES, other(settings)))
    assert rejected(*scalar_comparison(m, v, (16, 19, 18), settings))
    if settings["bias"] != 1:
        flipped = settings | {"first_biased": not settings["first_biased"]}
        assert rejected(*scalar_comparison(m, v, SIZES, flipped))


@pytest.mark.slow
@pytest.mark.parametrize("settings", SETTINGS, ids=str)
def test_vector_loop(settings):
    m, cov = vector_loop(
        np.random.default_rng([2, SETTINGS.index(settings)]), 200_000, VECTOR_SIZES, COVARIANCE, **settings
    )
    assert not rejected(*vector_comparison(m, cov, VECTOR_SIZES, settings))
    assert rejected(*vector_comparison(m, cov, VECTOR_SIZES, other(settings)))
    assert rejected(*vector_comparison(m, cov, (14, 16, 15), settings))


@pytest.mark.slow
@pytest.mark.parametrize("settings", SETTINGS, ids=str)
def test_truncated_loop(settings):
    m, v = scalar_loop(np.random.default_rng(3), 400_000, (5, 8, 6), variance=2.0, cutoff=1.5, **settings)
    theory = sd.truncated_loop((5, 8, 6), variance=2.0, cutoff=1.5, **settings)
    samples = {
        "variance": v,
        "variance_squared": v**2,
        "location_2": m**2,
        "location_4": m**4,
        "cross": m**2 * v,
    }
    assert not rejected(samples, theory)
    wrong = sd.truncated_loop((5, 8, 6), variance=2.0, cutoff=1.6, **settings)
    assert rejected(samples, wrong) == samples.keys()


@pytest.mark.slow
@pytest.mark.parametrize("sizes", [(4, 4, 4), (4, 9, 5), (7, 8, 9)])
@pytest.mark.parametrize("settings", SETTINGS, ids=str)
def test_pseudo_determinant(sizes, settings):
    rank = min(5, sizes[0] - 1)
    _, cov = vector_loop(np.random.default_rng(4), 100_000, sizes, 1.7 * np.eye(5), **settings)
    logs = np.log(np.linalg.eigvalsh(cov)[:, -rank:]).sum(axis=1)

    def compare(variance):
        moments = sd.log_pseudo_determinant(sizes, dimension=5, variance=variance, **settings)
        return rejected(*with_variances({"log": logs}, {"log": moments}))

    assert not compare(1.7)
    assert compare(1.75)


@pytest.mark.slow
@pytest.mark.parametrize("settings", [*SETTINGS[:2], SETTINGS[1] | {"bias": 1.1}], ids=str)
def test_halving_time(settings):
    n, count = 6, 100_000
    rng, v = np.random.default_rng(5), np.ones(count)
    settings = settings | {"first_biased": True}
    times, alive, t = np.zeros(count), np.arange(count), 0
    first = 1 / settings["bias"]  # undoes the bias of the first draw
    while len(alive):
        t += 1
        _, step = scalar_loop(rng, len(alive), (n,), variance=1.0, **settings)
        v = v * step * (first if t == 1 else 1)
        times[alive[v <= 0.5]] = t
        alive, v = alive[v > 0.5], v[v > 0.5]

    def compare(fraction, first_biased):
        moments = sd.halving_time(n, fraction=fraction, **settings | {"first_biased": first_biased})
        return rejected(*with_variances({"time": times}, {"time": moments}))

    assert not compare(0.5, False)
    assert compare(0.52, False)
    assert settings["bias"] == 1 or compare(0.5, True)


@pytest.mark.slow
@pytest.mark.parametrize("settings", SETTINGS, ids=str)
def test_wasserstein_first_order(settings):
    # the error D(n) of the expansion is A/n^2 + B/n^3, so 4 D(2n) - D(n) is -B/(2 n^3): 1e-5 B at n = 40
    rng = np.random.default_rng(6)
    values, vectors = np.linalg.eigh(TARGET)
    root = vectors * np.sqrt(values) @ vectors.T
    growth = settings["bias"] ** (2 if settings["first_biased"] else 1)
    inner, axes = np.linalg.eigh(root @ (growth * COVARIANCE) @ root)
    slope = np.eye(3) - root @ (axes / np.sqrt(inner) @ axes.T) @ root  # of W2^2 in Sigma, to first order
    samples, theory, wrong = 0.0, 0.0, 0.0
    for n, weight in ((40, -1), (80, 4)):
        sizes = (n, n + n // 2)
        m, cov = vector_loop(rng, 100_000, sizes, COVARIANCE, **settings)
        inner = np.sqrt(np.linalg.eigvalsh(root @ cov @ root)).sum(axis=1)
        bures = np.trace(cov, axis1=1, axis2=2) + np.trace(TARGET) - 2 * inner
        # terms linear in m and Sigma are replaced by their means: they are noise only
        mean = sd.covariance_moments(sizes, covariance=COVARIANCE, **settings)[0]
        bures -= np.einsum("ij,kji->k", slope, cov - mean)
        samples = samples + weight * ((m**2).sum(axis=1) + OFFSET @ OFFSET + bures)
        zeroth, first = sd.wasserstein_first_order(
            sizes, start=(OFFSET, COVARIANCE), reference=(np.zeros(3), TARGET), **settings
        )
        theory += weight * (zeroth + first)
        wrong += weight * (zeroth + 1.05 * first)
    assert not rejected({"w2": samples}, {"w2": theory})
    assert rejected({"w2": samples}, {"w2": wrong})


@pytest.mark.parametrize("settings", SETTINGS, ids=str)
def test_gaussian_moments_by_adding_samples(settings):
    # the enumeration does not know that mean and scatter are independent
    sizes = (2, 5, 3, 2)
    theory = sd.location_moments(sizes, variance=2.0, **settings)
    enumerated = sd.truncated_loop(sizes, variance=2.0, cutoff=inf, **settings)
    names = {"location_2": "second", "location_4": "fourth", "cross": "cross"}
    for name, twin in names.items():
        assert enumerated[name] == pytest.approx(theory[twin], rel=1e-12)


@pytest.mark.parametrize("settings", SETTINGS, ids=str)
def test_one_dimension_is_a_case_of_several(settings):
    one = np.array([[START[1]]])
    vector = ((np.array([START[0]]), one), (np.array([REFERENCE[0]]), np.array([[REFERENCE[1]]])))
    scalar = sd.variance_moments(SIZES, variance=START[1], **settings)
    location = sd.location_moments(SIZES, variance=START[1], **settings)
    both = {"start": START, "reference": REFERENCE}
    traces = sd.trace_moments(SIZES, covariance=one, **settings)
    expected = [
        (sd.log_determinant(SIZES, covariance=one, **settings), scalar["log_variance"]),
        (traces["trace"], scalar["variance"]),
        (traces["trace_of_square"], scalar["variance_squared"]),
        (traces["square_of_trace"], scalar["variance_squared"]),
        (
            sd.vector_location_moments(SIZES, covariance=one, **settings)[1:],
            (location["second"], location["variance_of_square"]),
        ),
        (
            sd.vector_kl_means(SIZES, start=vector[0], reference=vector[1], **settings),
            (sd.kl_from_loop(SIZES, **both, **settings)[0], sd.kl_to_loop(SIZES, **both, **settings)[0]),
        ),
    ]
    for several, single in expected:
        assert several == pytest.approx(single, rel=1e-12)
    # the error of the expansion falls as 1/n^2: four times from n to 2n, to within a relative O(1/n)
    errors = [
        sd.wasserstein((n, n), **both, **settings)[0]
        - sum(sd.wasserstein_first_order((n, n), start=vector[0], reference=vector[1], **settings))
        for n in (1000, 2000)
    ]
    assert errors[0] / errors[1] == pytest.approx(4, rel=0.01)


@pytest.mark.parametrize(("n", "settings"), [(4, SETTINGS[0]), (6, SETTINGS[1])], ids=str)
def test_limits_are_reached(n, settings):
    late = sd.location_moments((n,) * 400, variance=2.0, **settings)
    limit = sd.limits(n, variance=2.0, **settings)
    # what is missing is a multiple of (E g^2)^400, 6e-12 and less
    assert late["second"] == pytest.approx(limit["location_2"], rel=1e-10)
    assert late["fourth"] == pytest.approx(limit["location_4"], rel=1e-10)
    both = {"start": START, "reference": REFERENCE}
    # E sigma_t, in the mean, falls like (E g^(1/2))^400 and is smaller still
    late = sd.wasserstein((n,) * 400, **both, **settings)
    assert late == pytest.approx(sd.wasserstein_limits(n, **both, **settings), rel=1e-10)


@pytest.mark.parametrize("estimator", ["maximum-likelihood", "unbiased"])
@pytest.mark.parametrize("bias", [1.0, 0.7, 1.3])
def test_growing_limits_are_reached(estimator, bias):
    settings = {"estimator": estimator, "bias": bias, "first_biased": False}
    late = sd.variance_moments([3 * 2**t for t in range(45)], variance=2.0, **settings)
    location = sd.location_moments([3 * 2**t for t in range(45)], variance=2.0, **settings)
    limit = sd.growing_limits("geometric", scale=3, ratio=2, variance=2.0, **settings)
    # what is missing is a multiple of the last (lambda / 2)^t, or 2^-t
    rel = max(bias, 1) ** 45 / 2.0**45 * 10
    assert location["second"] == pytest.approx(limit["location_2"], rel=rel)
    if bias == 1:
        assert late["variance"][0] == pytest.approx(limit["variance"], rel=rel)
        assert late["variance_squared"][0] == pytest.approx(limit["variance_squared"], rel=rel)


def test_growing_limits_in_closed_form():
    # sin(pi x) / (pi x) = prod (1 - x^2 / t^2), and sinh; sum t^-2 = pi^2 / 6
    def limit(growth, scale, estimator):
        settings = {"bias": 1.0, "first_biased": False, "variance": 1.0, "ratio": np.nan}
        return tuple(sd.growing_limits(growth, scale=scale, estimator=estimator, **settings).values())

    x = np.pi / np.sqrt(3)
    ml = np.sin(x) / x
    assert limit("square", 3, "maximum-likelihood") == pytest.approx(
        (ml, ml * np.sinh(x) / x, 1 - ml), rel=1e-12
    )
    assert limit("square", 3, "unbiased") == pytest.approx(
        (1, np.sinh(x) / np.sin(x), np.pi**2 / 18), rel=1e-12
    )
    x = np.pi / 3
    assert limit("linear", 3, "maximum-likelihood") == pytest.approx((0, np.sin(x) / x, 1), rel=1e-12)
    assert limit("linear", 3, "unbiased") == (1, inf, inf)


@pytest.mark.parametrize("n", [2, 3, 7])
@pytest.mark.parametrize("estimator", ["maximum-likelihood", "unbiased"])
def test_first_passage_below_the_start_by_spitzer(n, estimator):
    # 1 - E s^T = (1 - s) exp(a(s)), a(s) = sum s^k P(v_k > v_0) / k, for passage below v_0 itself
    settings = {"estimator": estimator, "bias": 1.0, "first_biased": False}
    above, k = [], 1
    while not above or above[-1] > 1e-15:
        above.append(1 - sd.variance_cdf(1.0, (n,) * k, variance=1.0, **settings))
        k += 1
    mean = np.exp(np.sum(np.array(above) / np.arange(1, k)))
    expected = mean, 2 * mean * np.sum(above) + mean - mean**2
    assert sd.halving_time(n, fraction=1.0, **settings) == pytest.approx(expected, rel=1e-10)


@pytest.mark.parametrize("n", [2, 3, 30])
@pytest.mark.parametrize("estimator", ["maximum-likelihood", "unbiased"])
def test_thresholds_and_tail(n, estimator):
    bounded, collapse = sd.thresholds(n, estimator=estimator)
    assert bounded < collapse
    assert sd.drift(n, estimator=estimator, bias=collapse * (1 + 1e-12)) > 0
    assert sd.drift(n, estimator=estimator, bias=collapse * (1 - 1e-12)) < 0
    # E g = 1 there, so the index is twice one
    assert sd.tail_index(n, estimator=estimator, bias=bounded) == pytest.approx(2, rel=1e-12)
    # E g^2 = 1 - 1/n^2 < 1 < E g^3 with the divisor n
    if estimator == "maximum-likelihood":
        assert 4 < sd.tail_index(n, estimator=estimator, bias=1.0) < 6
