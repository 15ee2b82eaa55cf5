"""Summaries add up to what NumPy computes from all the samples at once."""

import jax.numpy as jnp
import numpy as np
import pytest

from jaxsim import summary
from jaxsim.summary import Summary, of, of_block, partial


def moments(samples):
    """Count, mean and sums of central powers, in extended precision."""
    x = np.asarray(samples, np.longdouble)
    mean = x.mean(0)
    return [len(x), mean, *(((x - mean) ** k).sum(0) for k in (2, 3, 4))]


def relative(found: Summary, samples):
    """Largest error of each moment, relative to the moment of |deviations| of its order."""
    exact = moments(samples)
    deviation = np.abs(np.asarray(samples, np.longdouble) - exact[1])
    parts = (found.second, found.third, found.fourth)
    errors = [np.abs(found.mean - exact[1]).max() / np.abs(samples).max()]
    errors += [
        np.max(np.abs(p - e) / (deviation**k).sum(0))
        for k, (p, e) in enumerate(zip(parts, exact[2:], strict=True), 2)
    ]
    return float(max(errors))


@pytest.mark.parametrize("cuts", [(1,), (7, 8), (100, 500, 999)])
def test_parts_add_up_in_any_grouping(cuts):
    samples = np.random.default_rng(0).gamma(0.7, size=(1000, 3, 2)) + 5
    parts = [of(part) for part in np.split(samples, cuts)]
    left = sum(parts[1:], parts[0])
    right = parts[-1]
    for part in reversed(parts[:-1]):
        right = part + right
    assert relative(left, samples) < 1e-12
    assert relative(right, samples) < 1e-12
    assert (left.count == 1000).all()


def test_a_wrong_sign_in_the_third_moment_would_be_seen():
    samples = np.random.default_rng(0).gamma(0.7, size=(1000, 1))
    whole = of(samples)
    assert (
        relative(Summary(whole.count, whole.mean, whole.second, -whole.third, whole.fourth), samples) > 1e-3
    )


@pytest.mark.parametrize("scale", [1e-30, 1.0, 1e30])
def test_a_block_is_reduced_to_rounding_at_any_scale(scale):
    """In float32, and the fourth power of 1e30 or of 1e-30 is far outside its range."""
    samples = (scale * np.random.default_rng(1).gamma(0.7, size=(512, 3))).astype(np.float32)
    kept = np.arange(512) < 500
    found = of_block(np.asarray(partial(jnp.asarray(samples), jnp.asarray(kept)))[None], 500).take(np.s_[:1])
    assert relative(found, samples[:500].astype(float)) < 8 * 2.0**-24
    assert relative(found, samples.astype(float)) > 1e-4  # those that are not kept would be seen


def test_a_block_of_equal_values_has_no_spread():
    found = of_block(np.asarray(partial(jnp.full(16, 3.0), jnp.ones(16, bool)))[None], 16)
    assert [float(m[0]) for m in (found.mean, found.second, found.third, found.fourth)] == [3, 0, 0, 0]


def test_what_overflows_is_infinite_and_never_nan():
    ones = jnp.ones(2, bool)
    parts = [
        of_block(np.asarray(partial(jnp.array(block, jnp.float32), ones))[None], 2)
        for block in ([1, 2], [1, np.inf], [3, 4])
    ]
    found = parts[0] + parts[1] + parts[2]
    assert np.isinf(found.statistics()[1:]).all()


def test_statistics_are_the_usual_ones_also_after_scaling():
    samples = np.random.default_rng(2).normal(size=(50, 1))
    rows = dict(zip(summary.STATISTICS, of(samples).scaled(-2.0, 7.0).statistics(), strict=True))
    y = 7 - 2 * samples
    expected = {
        "count": 50,
        "mean": y.mean(),
        "variance": y.var(ddof=1),
        "third": ((y - y.mean()) ** 3).mean(),
        "fourth": ((y - y.mean()) ** 4).mean(),
        "standard_error": y.std(ddof=1) / np.sqrt(50),
    }
    for name, value in expected.items():
        assert abs(rows[name].item() - value) < 1e-12
