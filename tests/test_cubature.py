"""Means over many small normals: exact to degree 5, and the expansions that rest on them."""

from itertools import combinations_with_replacement

import numpy as np
import pytest
from scipy.special import gammaln, hyp2f1, ndtr
from scipy.stats import chi2

from jaxsim.agreement import Sample, Theory, agree
from theory import cubature
from theory.diffusion.guidance_loop import by_cubature, by_steps, finite
from theory.diffusion.leak import one_generation_by_cubature
from theory.diffusion.least_squares import generated_variance
from theory.diffusion.loop import laws
from theory.diffusion.sampler_map import ddim
from theory.diffusion.schedule import cosine, linear
from theory.loop import Gaussian, Loop, MaximumLikelihood
from theory.metrics.distances import shrinkage
from theory.policy import Fresh
from theory.recipes.near_source import w2_squared as w2_beside_real
from theory.sampler import Sampler
from theory.wishart.near_source import w2_squared

NORMAL = {0: 1, 2: 1, 4: 3, 6: 15}
"""Even moments of a standard normal."""


def powers_of(found):
    """At which power of 4 n the two differences of `found` fall, to the nearest half."""
    at, then = found
    return np.round(2 * np.log(np.abs(at / then)) / np.log(4)) / 2


@pytest.mark.parametrize("dimension", [1, 2, 4, 9])
def test_polynomials_of_degree_five_are_exact(dimension):
    nodes, weights = cubature.rule(dimension)
    z = cubature.normal(nodes)
    rounding = len(weights) * np.finfo(float).eps * np.abs(weights).max() * 27
    for degree in range(6):
        for axes in combinations_with_replacement(range(dimension), degree):
            exact = np.prod([NORMAL.get(axes.count(axis), 0) for axis in range(dimension)])
            assert abs(weights @ np.prod(z[:, list(axes)], axis=1) - exact) <= rounding
    assert weights @ z[:, 0] ** 6 != pytest.approx(NORMAL[6])


def test_a_chi_square_is_the_quantile_at_the_normal():
    steps = np.array([-1, 0, 1])
    expected = chi2.ppf(ndtr(cubature.normal(steps)), 7)
    np.testing.assert_allclose(cubature.chi_square(steps, 7), expected, rtol=1e-12)


def test_the_distance_of_a_fit_on_the_line_and_in_the_plane():
    """2 s (1 - c_n) on the line; E tr W^1/2 of a plane's Wishart matrix W by polar coordinates.

    Its eigenvalues r^2 cos^2, r^2 sin^2 have r^2 ~ chi2_{2 nu} and an independent sin of twice the angle with
    density proportional to q^{nu-2}: E tr W^1/2 = E r E (1 + q)^1/2.
    """
    gaps = []
    for n in (40, 160):
        nu = n - 1
        line = w2_squared([[3.0]], (n,), (n,)) - 6 * (1 - float(shrinkage(n)))
        radius = np.sqrt(2) * np.exp(gammaln(nu + 0.5) - gammaln(nu))
        root = radius * hyp2f1(-0.5, nu - 1, nu, -1)
        plane = 2 / n + 4 - 4 * 1 / np.sqrt(nu) * root / 2
        gaps.append([line, w2_squared(np.eye(2), (n,), (nu,)) - plane])
    assert (powers_of(np.array(gaps)) == 3).all()


def test_the_distance_of_generations_on_the_line():
    """R9: 2 s (1 - c_n^t) with the divisor n, whatever the sizes are."""
    gaps = []
    for k in (1, 4):
        sizes = (40 * k, 60 * k, 50 * k)
        exact = 4 * (1 - np.prod(shrinkage(sizes)))
        gaps.append(np.array([w2_squared([[2.0]], sizes, sizes) - exact]))
    assert powers_of(gaps) == 3


def test_the_variance_of_one_axis_is_the_integral_over_its_law():
    def to(s):
        return ddim(linear(20), s)

    gaps = []
    for n in (60, 240):
        law = laws(to, 0.5, n, 1)[0]
        exact = law.weights @ to(np.exp(law.nodes))
        gaps.append(one_generation_by_cubature(to, [0.5], n) - exact)
    assert (powers_of(gaps) == 3).all()


def test_the_first_generation_of_guided_classes_has_no_error():
    to = by_steps(cosine(10), 0.5)
    gaps = []
    for n in (50, 200):
        found, known = by_cubature(to, 1.0, 0.8, n, 1)[:, 0], finite(to, 1.0, 0.8, n, 1)[0]
        assert found[0] == pytest.approx(known.distance, rel=1e-12)
        gaps.append(found[1] - known.log_variance)
    assert powers_of(np.array(gaps)) == 3


def test_beside_few_synthetic_points_the_first_fit_is_to_real_ones_alone():
    gaps = []
    for n in (50, 200):
        loop = Loop(Gaussian(1.0, 4.0), Fresh(n - 10, 10), MaximumLikelihood(), Sampler(bias=0.7))
        gaps.append(np.array([w2_beside_real(loop, 1) - 8 * (1 - float(shrinkage(n)))]))
    assert powers_of(gaps) == 3
    forgetful = loop.with_(data=Fresh(990, 10))
    assert w2_beside_real(forgetful, 7) == pytest.approx(w2_beside_real(forgetful, 40), rel=1e-11)
    with pytest.raises(ValueError, match="forgotten"):
        w2_beside_real(loop.with_(data=Fresh(20, 180)), 40)


def test_a_score_fitted_to_noised_copies_varies_as_simulated():
    """The generated variance given the points, from regressions that draw their noise.

    A right formula is refused with probability `FALSE_ALARM`; the negative controls, with two points more and
    two fewer, would each agree with probability `FALSE_PASS` at most, since the draws see less than what they
    are wrong by; and the draws are enough for a normal tail.
    """
    rng, schedule, n, copies, draws = np.random.default_rng(3), cosine(3), 8, 2, 40_000
    points = rng.normal(size=n)
    points = (points - points.mean()) / points.std() * np.sqrt(0.6)
    made = np.full(draws, schedule.start)
    for t in range(schedule.steps, 0, -1):
        y = schedule.cos[t] * points + schedule.sin[t] * rng.normal(size=(draws, copies, n))
        y = (y - y.mean((1, 2), keepdims=True)).reshape(draws, -1)
        slope = y @ np.tile(points, copies) / (y**2).sum(1)
        kept = schedule.sin[t - 1] / schedule.sin[t]
        made *= (kept + (schedule.cos[t - 1] - kept * schedule.cos[t]) * slope) ** 2
    exact, *wrong = (generated_variance(schedule, [0.6], n * copies + more)[0] for more in (0, -2, 2))
    found = agree(Sample.of(made), Theory(exact)).mean
    assert found.holds
    for other in wrong:
        assert abs(other - exact) > found.smallest_discrepancy
        assert agree(Sample.of(made), Theory(other)).mean.disagrees
