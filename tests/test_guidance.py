"""Guidance, derived a second time: moment equations integrated, densities multiplied, loops by quadrature."""

from itertools import pairwise, product

import numpy as np
import pytest
from scipy import integrate
from scipy.special import polygamma, psi, roots_genlaguerre

from theory.diffusion import guidance
from theory.diffusion.affine import Normal, denoiser, guided, sampled
from theory.diffusion.guidance_loop import by_flow, by_steps, finite, infinite
from theory.diffusion.guidance_mixture import flow_moments
from theory.diffusion.schedule import cosine, edm, linear

PAIRS = ((0.5, 2.0), (2.0, 0.5), (1.0, 2.0), (0.7, 0.7), (1.0, 1.0 + 1e-7))
AMOUNTS = (-0.5, -0.3, 0.0, 0.5, 2.0, 6.0)


def integrated(s, u, delta, amount, *, noise):
    """Mean less mu and variance, dtau by dtau, from tau = 10^14 down to 0 in ln(tau + tiny).

    The guided score is -(1 + g) y / (s + tau) + g (y + delta) / (u + tau), y = x - mu; the flow moves by half
    of it, the SDE by all of it and adds noise of variance dtau.
    """
    w, share = 1 + amount, 1.0 if noise else 0.5

    def slope(log, state):
        tau = np.exp(log)
        rate = w / (s + tau) - amount / (u + tau)
        mean, variance = state
        # against the direction of time: d/dtau of the moments of the reverse process
        return tau * np.array(
            [share * (rate * mean - amount * delta / (u + tau)), 2 * share * rate * variance - noise]
        )

    span = (np.log(1e14), np.log(1e-9))
    found = integrate.solve_ivp(slope, span, [0.0, 1e14], method="DOP853", rtol=1e-11, atol=1e-14)
    return found.y[:, -1]


@pytest.mark.parametrize("amount", AMOUNTS)
@pytest.mark.parametrize(("s", "u"), PAIRS)
def test_closed_forms_solve_the_moment_equations(s, u, amount):
    for closed, noise in ((guidance.flow, False), (guidance.diffusion, True)):
        found = closed(s, u, 1.3, amount)
        # the start at tau = 10^14 is off by delta / sqrt(tau), the end by 1e-9 of the rates
        np.testing.assert_allclose(found, integrated(s, u, 1.3, amount, noise=noise), rtol=1e-6, atol=1e-6)


@pytest.mark.parametrize(("s", "u"), PAIRS)
@pytest.mark.parametrize("amount", [0.0, 0.2])
def test_the_tilted_density_is_the_product(s, u, amount):
    delta, x = 0.4, np.linspace(-40, 40, 20001)
    density = np.exp(-(1 + amount) * x**2 / (2 * s) + amount * (x + delta) ** 2 / (2 * u))
    density /= density.sum()
    mean = density @ x
    found = guidance.tilted(s, u, delta, amount)
    np.testing.assert_allclose(found, [mean, density @ (x - mean) ** 2], rtol=1e-9, atol=1e-12)


def test_the_three_agree_for_equal_variances_only():
    same = [make(0.7, 0.7, 1.0, 2.0) for make in (guidance.flow, guidance.diffusion, guidance.tilted)]
    for found in same:
        np.testing.assert_allclose(found, [2.0, 0.7], rtol=1e-14)
    other = [
        make(0.5, 2.0, 1.0, 2.0).variance for make in (guidance.flow, guidance.diffusion, guidance.tilted)
    ]
    assert other[0] < other[1] < other[2]
    with pytest.raises(ValueError, match="tilted"):
        guidance.tilted(2.0, 0.5, 1.0, 1.0)


def test_the_example_of_bradley_and_nakkiran():
    w = np.array([0.25, 2.0, 5.0])
    np.testing.assert_allclose(guidance.flow(1.0, 2.0, 0.0, w - 1).variance, 2 ** (1 - w))
    expected = (2 - 2.0 ** (2 - 2 * w)) / (2 * w - 1)
    np.testing.assert_allclose(guidance.diffusion(1.0, 2.0, 0.0, w - 1).variance, expected)


def test_guidance_by_two():
    s, u = 0.5, 2.0
    expected = s / np.sqrt(u * (u - s)) * np.arctanh(np.sqrt(1 - s / u))
    assert guidance.flow(s, u, 1.0, 1.0).push == pytest.approx(expected, rel=1e-13)


@pytest.mark.parametrize("make", [linear, cosine, edm])
def test_without_guidance_a_class_is_sampled_by_itself(make):
    schedule, law = make(12), Normal(1.2, 0.5)
    unguided = guidance.in_steps(schedule, law, Normal(-3.0, 7.0), 0.0)
    assert unguided == sampled(schedule, denoiser(schedule, law))


def test_steps_of_an_affine_denoiser_by_two_points():
    """Mean and gain read off two trajectories instead of a recursion of moments."""
    schedule = linear(9)
    affine = guided(denoiser(schedule, Normal(1.2, 0.5)), denoiser(schedule, Normal(0.2, 2.0)), 1.5)
    ends = []
    for x in (0.0, 1.0):
        for t in range(schedule.steps, 0, -1):
            clean = affine.slope[t - 1] * x + affine.offset[t - 1]
            e = (x - schedule.cos[t] * clean) / schedule.sin[t]
            x = schedule.cos[t - 1] * clean + schedule.sin[t - 1] * e
        ends.append(x)
    law = sampled(schedule, affine)
    np.testing.assert_allclose(law, [ends[0], (ends[1] - ends[0]) ** 2], rtol=1e-11)


def test_a_loop_of_infinite_samples():
    s, m = 1.0, 1.0
    for found in infinite(by_flow(0.5), 1.0, 1.0, 4):
        mean, s = integrated(s, s + m**2, m, 0.5, noise=False)
        m = m + mean
        assert found.distance == pytest.approx(m, rel=1e-6)
        assert found.log_variance == pytest.approx(np.log(s), rel=1e-5)
    fine = infinite(by_steps(cosine(2000), 0.5), 1.0, 1.0, 3)
    coarse = infinite(by_steps(cosine(1000), 0.5), 1.0, 1.0, 3)
    limit = infinite(by_flow(0.5), 1.0, 1.0, 3)
    for a, b, c in zip(coarse, fine, limit, strict=True):
        ratio = (a.log_variance - c.log_variance) / (b.log_variance - c.log_variance)
        assert np.round(2 * np.log2(ratio)) == 2
    with pytest.raises(ValueError, match="abar"):
        by_steps(linear(5), 0.5)


def test_a_loop_of_finite_samples():
    """Generation 1 exactly; generation 2 by Gauss quadrature over both means and both variances."""
    to, n = by_steps(cosine(10), 0.5), 100
    found, limit = finite(to, 1.0, 1.0, n, 2), infinite(to, 1.0, 1.0, 2)
    variance = np.exp(limit[0].log_variance)
    assert found[0].distance == limit[0].distance
    assert found[0].log_variance == pytest.approx(limit[0].log_variance + psi((n - 1) / 2) - np.log(n / 2))
    assert found[0].distance_variance == pytest.approx(variance / n / 2)
    assert found[0].log_variance_variance == pytest.approx(polygamma(1, (n - 1) / 2) / 2)

    z, normal = np.polynomial.hermite_e.hermegauss(4)
    x, chi = roots_genlaguerre(4, (n - 1) / 2 - 1)
    normal, chi = normal / normal.sum(), chi / chi.sum()
    totals = np.zeros(4)
    for i, j, k, l in product(range(4), repeat=4):
        weight = normal[i] * normal[j] * chi[k] * chi[l]
        means = np.array([1, -1]) * limit[0].distance + np.sqrt(variance / n) * z[[i, j]]
        s = variance * 2 * x[[k, l]] / n
        delta = means - means.mean()
        made = to(s, np.full(2, s.mean() + (delta**2).mean()), delta)
        distance, log = np.diff(-means - made.push)[0] / 2, np.log(made.variance).mean()
        totals += weight * np.array([distance, log, distance**2, log**2])
    drift, noise = psi((n - 1) / 2) - np.log(n / 2), polygamma(1, (n - 1) / 2) / 2
    sampled_variance = np.exp(limit[1].log_variance) / n / 2
    # of order n^-2 beyond
    assert found[1].distance == pytest.approx(totals[0], abs=10 / n**2)
    assert found[1].log_variance == pytest.approx(totals[1] + drift, abs=10 / n**2)
    assert found[1].distance_variance == pytest.approx(
        totals[2] - totals[0] ** 2 + sampled_variance, rel=10 / n
    )
    assert found[1].log_variance_variance == pytest.approx(totals[3] - totals[1] ** 2 + noise, rel=10 / n)


def test_guidance_between_modes_by_heun_steps():
    """In the angle the flow is dx/dtheta = -tan(theta) (x + score), which for these modes is a bounded slope.

    With unit variances the class has score cos - x and the mixture cos tanh(cos x) - x.
    """
    amount, start = 2.0, np.arctan(80.0)
    z, weights = np.polynomial.hermite_e.hermegauss(60)
    weights = weights / weights.sum()

    def moments(steps):
        x = np.sin(start) * z

        def velocity(x, angle):
            return -np.sin(angle) * (1 + amount - amount * np.tanh(np.cos(angle) * x))

        for a, b in pairwise(np.linspace(start, 0, steps + 1)):
            first = velocity(x, a)
            x = x + (b - a) / 2 * (first + velocity(x + (b - a) * first, b))
        mean = weights @ x
        return np.array([mean, weights @ (x - mean) ** 2])

    extrapolated = (4 * moments(2000) - moments(1000)) / 3
    np.testing.assert_allclose(extrapolated, flow_moments(amount, 80.0)[:2], rtol=1e-7)


def test_no_guidance_between_modes_is_the_class():
    mean, variance, third, fourth = flow_moments(0.0, 1e4)
    # the start is off by 1 / 1e4
    np.testing.assert_allclose([mean, variance, third, fourth], [1, 1, 0, 3], atol=2e-4)


def test_between_modes_strong_guidance_contracts_less_than_between_normals():
    ratios = [flow_moments(g, 1e5)[1] / guidance.flow(1.0, 2.0, 1.0, g).variance for g in (0.5, 2.0, 6.0)]
    assert 1 < ratios[0] < ratios[1] < ratios[2]
