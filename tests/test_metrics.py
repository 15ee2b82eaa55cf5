"""The estimators against the public packages, against definitions written in NumPy, and on small cases."""

import contextlib
import io
import subprocess
import sys
import warnings

import jax
import jax.numpy as jnp
import numpy as np
import prdc
import pytest
import scipy.linalg
from vendi_score import vendi as public_vendi

from jaxsim import metrics

PUBLIC = 1e-4
"""What is promised of the agreement with the public packages."""


@pytest.fixture(autouse=True)
def double():
    with jax.enable_x64(True):
        yield


def samples(real=120, fake=100, features=3, seed=0):
    generator = np.random.default_rng(seed)
    return generator.normal(size=(real, features)), 0.3 + 0.7 * generator.normal(size=(fake, features))


def public_neighbours(real, fake, k):
    with contextlib.redirect_stdout(io.StringIO()):
        return prdc.compute_prdc(real, fake, k)


def direct_neighbours(real, fake, k):
    """The definitions of Naeem et al. (2020), point by point."""

    def radius(x):
        return np.array([np.sort([np.linalg.norm(p - q) for q in x])[k] for p in x])

    cross = np.array([[np.linalg.norm(x - y) for y in fake] for x in real])
    inside = cross < radius(real)[:, None]
    return {
        "precision": inside.any(0).mean(),
        "recall": (cross < radius(fake)).any(1).mean(),
        "density": inside.sum() / (k * len(fake)),
        "coverage": inside.any(1).mean(),
    }


@pytest.mark.parametrize("features", [1, 3, 20])
@pytest.mark.parametrize("k", [1, 3, 5])
@pytest.mark.parametrize("definition", [public_neighbours, direct_neighbours])
def test_neighbours_are_those_of_the_public_package_and_of_the_definition(definition, k, features):
    real, fake = samples(features=features)
    found = metrics.neighbours(jnp.array(real), jnp.array(fake), k)._asdict()
    expected = definition(real, fake, k)
    assert found.keys() == expected.keys()
    assert all(abs(found[name] - expected[name]) <= PUBLIC for name in expected)


def test_neighbours_see_another_k():
    real, fake = samples()
    found = metrics.neighbours(jnp.array(real), jnp.array(fake), 3)
    wrong = public_neighbours(real, fake, 4)
    assert all(abs(value - wrong[name]) > PUBLIC for name, value in found._asdict().items())


def test_neighbours_in_single_precision_and_for_many_rows():
    real, fake = samples(real=2 * metrics.ROWS + 7, fake=metrics.ROWS + 1, features=2)
    found = metrics.neighbours(jnp.array(real, jnp.float32), jnp.array(fake, jnp.float32), 5)
    expected = public_neighbours(real, fake, 5)
    assert all(value.dtype == jnp.float32 for value in found)
    assert all(abs(value - expected[name]) <= PUBLIC for name, value in found._asdict().items())


def test_equal_points_are_at_no_distance():
    point = jnp.zeros((6, 2))
    assert metrics.neighbours(point, point, 2) == (
        0,
        0,
        0,
        0,
    )  # nothing is strictly inside a ball of radius 0


@pytest.mark.parametrize("k", [0, 100])
def test_neighbours_refuse_a_k_without_a_ball(k):
    real, fake = samples()
    with pytest.raises(ValueError, match="k is"):
        metrics.neighbours(jnp.array(real), jnp.array(fake), k)


def test_estimators_batch_over_replicates():
    pairs = [samples(seed=seed) for seed in range(3)]
    real, fake = (jnp.array(part) for part in zip(*pairs, strict=True))
    together = jax.vmap(lambda x, y: metrics.neighbours(x, y, 2))(real, fake)
    alone = [metrics.neighbours(x, y, 2) for x, y in zip(real, fake, strict=True)]
    np.testing.assert_array_equal(np.stack(together, 1), np.array(alone))
    distances = jax.vmap(metrics.frechet_between)(real, fake)
    np.testing.assert_allclose(
        distances, [metrics.frechet_between(x, y) for x, y in zip(real, fake, strict=True)]
    )


def direct_frechet(mean_a, covariance_a, mean_b, covariance_b):
    """The formula as it is printed, with the principal root of the product of SciPy."""
    root = scipy.linalg.sqrtm(covariance_a @ covariance_b)
    return np.sum((mean_a - mean_b) ** 2) + np.trace(covariance_a + covariance_b - 2 * np.real(root))


def test_frechet_is_the_printed_formula():
    real, fake = samples(features=6)
    fitted = [part for x in (real, fake) for part in (x.mean(0), np.cov(x.T))]
    expected = direct_frechet(*fitted)
    conditions = np.linalg.cond(fitted[1]) * np.linalg.cond(fitted[3])
    rounding = 6 * np.finfo(float).eps * conditions * np.trace(fitted[1])
    assert abs(metrics.frechet(*map(jnp.array, fitted)) - expected) < rounding
    assert abs(metrics.frechet_between(jnp.array(real), jnp.array(fake)) - expected) < rounding
    found = metrics.moments(jnp.array(real))
    np.testing.assert_allclose(found.covariance, fitted[1], rtol=1e-13, atol=1e-15)


def test_frechet_of_commuting_covariances_is_a_sum_over_directions():
    turn = np.linalg.qr(np.random.default_rng(1).normal(size=(5, 5)))[0]
    a, b = np.array([4.0, 2.0, 1.0, 0.1, 0.0]), np.array([1.0, 3.0, 0.5, 0.0, 0.2])
    shift = np.arange(5.0)
    found = metrics.frechet(
        jnp.zeros(5), jnp.array(turn * a @ turn.T), jnp.array(shift), jnp.array(turn * b @ turn.T)
    )
    # the null directions: a root of rounding, sqrt(epsilon |A| b)
    bound = 5 * np.sqrt(np.finfo(float).eps * 5 * a.max() * b.max())
    assert abs(found - (shift @ shift + np.sum((np.sqrt(a) - np.sqrt(b)) ** 2))) < bound


def test_frechet_between_fewer_samples_than_features_is_zero_with_itself():
    x = jnp.array(np.random.default_rng(2).normal(size=(8, 30)), jnp.float32)
    scale = float(jnp.sum(moments_trace(x)))
    assert metrics.frechet_between(x, x) <= 30 * 8 * np.finfo(np.float32).eps * scale


def moments_trace(x):
    return jnp.var(x, axis=0, ddof=1)


@pytest.mark.parametrize("order", [0.5, 1, 1.5, 2, 5, np.inf])
def test_vendi_is_that_of_the_public_package_and_of_the_definition(order):
    x = samples(real=60, features=2)[0]
    kernel = np.exp(-((x[:, None] - x[None]) ** 2).sum(-1) / 2)
    np.testing.assert_allclose(metrics.gaussian_similarity(jnp.array(x), 1.0), kernel, rtol=1e-12)
    found = metrics.vendi(jnp.array(kernel), order)

    shares = np.linalg.eigvalsh(kernel / len(kernel))
    shares = shares[shares > len(x) * np.finfo(float).eps]
    if order == 1:
        direct = np.exp(-(shares * np.log(shares)).sum())
    else:
        direct = 1 / shares.max() if order == np.inf else (shares**order).sum() ** (1 / (1 - order))
    assert abs(found - direct) <= PUBLIC * direct
    with warnings.catch_warnings():
        # vendi-score 0.0.3 asks SciPy for a namespace that SciPy 2 drops
        warnings.filterwarnings("ignore", category=DeprecationWarning, message="Please import")
        public = public_vendi.score_K(kernel, q="inf" if order == np.inf else order)
    assert abs(found - public) <= PUBLIC * public


def test_vendi_of_cosine_similarities_from_either_side():
    x = samples(real=40, features=5)[0]
    unit = x / np.linalg.norm(x, axis=1, keepdims=True)
    expected = public_vendi.score_dual(x)
    assert abs(metrics.vendi_cosine(jnp.array(x)) - expected) <= PUBLIC
    assert abs(metrics.vendi(jnp.array(unit @ unit.T)) - expected) <= PUBLIC


def test_vendi_counts_classes():
    labels = jnp.repeat(jnp.arange(4), 5)
    kernel = (labels[:, None] == labels).astype(float)
    for order in (0, 1, 2, 3.5, jnp.inf):
        assert abs(metrics.vendi(kernel, order) - 4) < 1e-12


@pytest.mark.parametrize("order", [0, 1, 2, np.inf])
def test_effective_number_ignores_dead_modes(order):
    alive = metrics.effective_number(jnp.array([0.5, 0.25, 0.25]), order)
    assert metrics.effective_number(jnp.array([0.5, 0.0, 0.25, 0.25]), order) == alive
    assert metrics.effective_number(jnp.full(7, 1 / 7), order) == pytest.approx(7, rel=1e-14)


def test_alpha_precision_and_beta_recall_of_few_points():
    real = jnp.array([[-2.0], [-1.0], [1.0], [2.0]])
    fake = jnp.array([[0.0], [1.0], [1.5], [5.0]])
    assert metrics.alpha_precision(real, fake, 0.5) == 0.5
    assert metrics.alpha_precision(real, fake, 0.75) == 0.75
    assert metrics.beta_recall(real, fake, 0.75, jnp.zeros(1)) == 0.5
    assert metrics.alpha_precision(real, real, 1.0) == 1
    with pytest.raises(ValueError, match="alpha is"):
        metrics.alpha_precision(real, fake, 0.0)


TWO_AT_ONCE = """
import jax
jax.config.update("jax_num_cpu_devices", 2)
from concurrent.futures import ThreadPoolExecutor
from jaxsim.experiments.metrics import gaussian_vendi

def scores(variance):
    return gaussian_vendi({"variances": (variance,), "scale": 1.0, "n": 30}, 2000, 0)

with ThreadPoolExecutor(2) as pool:
    print(sum(map(len, pool.map(scores, (1.0, 2.0)))))
"""


def test_two_programs_with_decompositions_end():
    done = subprocess.run(
        [sys.executable, "-c", TWO_AT_ONCE], capture_output=True, text=True, check=True, timeout=300
    )
    assert done.stdout.strip() == "4000"
