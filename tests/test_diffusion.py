"""Samplers as maps of the variance, derived a second time: in rationals, in symbols, by other recursions."""

from fractions import Fraction

import mpmath
import numpy as np
import pytest
import sympy as sp

from theory.diffusion import sampler_map as diffusion
from theory.diffusion.schedule import Schedule, cosine, edm, linear, nichol, of_abar, of_sigma

ROUNDING = 1e3 * np.finfo(float).eps
"""A product of fewer than 100 factors, each of a few operations."""

F = Fraction
ONE = F(1)

# (cos, sin) of rational points on the circle, from the data to nearly pure noise
CIRCLE = (
    (F(1), F(0)),
    (F(12, 13), F(5, 13)),
    (F(4, 5), F(3, 5)),
    (F(5, 13), F(12, 13)),
    (F(7, 25), F(24, 25)),
)
VARIANCES = (F(1, 50), F(1, 3), F(1), F(9))


def order_of(error, halved):
    """The powers, to the nearest half, with which errors fall when a step is halved."""
    return set(np.round(2 * np.log2(np.abs(error / halved))) / 2)


def rational_schedule(start=ONE):
    cos, sin = (np.array([float(part) for part in parts]) for parts in zip(*CIRCLE, strict=True))
    return Schedule(cos, sin, float(start))


def affine_noise(s, level):
    """k of eps = k x, as it is usually written: sin / V."""
    cos, sin = level
    return sin / (cos**2 * s + sin**2)


def by_ddim(s, start=ONE):
    gain = F(1)
    for at, to in zip(CIRCLE[:0:-1], CIRCLE[-2::-1], strict=True):
        k = affine_noise(s, at)
        gain *= to[0] * (1 - at[1] * k) / at[0] + to[1] * k
    return start * gain**2


def by_ddpm(s, variance, last_noise, start=ONE):
    value = start
    for at, to in zip(CIRCLE[:0:-1], CIRCLE[-2::-1], strict=True):
        alpha = (at[0] / to[0]) ** 2
        # (x - beta eps / sin) / sqrt(alpha), squared
        gain = (1 - (1 - alpha) / at[1] * affine_noise(s, at)) ** 2 / alpha
        noise = {
            "beta": 1 - alpha,
            "posterior": (1 - alpha) * to[1] ** 2 / at[1] ** 2,
            "optimal": (1 - alpha) * (to[0] ** 2 * s + to[1] ** 2) / (at[0] ** 2 * s + at[1] ** 2),
        }[variance]
        value = gain * value + (noise if last_noise or to[1] else 0)
    return value


def by_heun(s, start=ONE):
    sigma = [sin / cos for cos, sin in CIRCLE]
    y = 1 / CIRCLE[-1][0]
    for a, b in zip(sigma[:0:-1], sigma[-2::-1], strict=True):
        slope = a * y / (s + a**2)
        euler = y + (b - a) * slope
        y = euler if b == 0 else y + (b - a) * (slope + b * euler / (s + b**2)) / 2
    return start * y**2


@pytest.mark.parametrize("start", [F(1), F(3, 7)])
@pytest.mark.parametrize("s", VARIANCES)
def test_deterministic_samplers_are_their_recursions(s, start):
    schedule = rational_schedule(start)
    assert diffusion.ddim(schedule, float(s)) == pytest.approx(float(by_ddim(s, start)), rel=ROUNDING)
    assert diffusion.heun(schedule, float(s)) == pytest.approx(float(by_heun(s, start)), rel=ROUNDING)
    assert diffusion.ddim_with_noise(schedule, float(s), 0.0) == pytest.approx(
        float(by_ddim(s, start)), rel=ROUNDING
    )


@pytest.mark.parametrize("last_noise", [True, False])
@pytest.mark.parametrize("variance", ["beta", "posterior", "optimal"])
@pytest.mark.parametrize("s", VARIANCES)
def test_ancestral_sampling_is_its_recursion(s, variance, last_noise):
    schedule = rational_schedule()
    expected = by_ddpm(s, variance, last_noise)
    found = diffusion.ddpm(schedule, float(s), variance, last_noise=last_noise)
    assert found == pytest.approx(float(expected), rel=ROUNDING)
    added = diffusion.ddpm_bias(schedule, float(s), variance, last_noise=last_noise)
    assert added == pytest.approx(float(expected - s), abs=ROUNDING * float(s + 1))


@pytest.mark.parametrize("s", VARIANCES)
def test_the_optimal_variance_keeps_every_direction(s):
    last = CIRCLE[-1]
    assert by_ddpm(s, "optimal", True, start=last[0] ** 2 * s + last[1] ** 2) == s


@pytest.mark.parametrize("make", [linear, cosine, nichol, edm])
def test_all_the_ancestral_noise_is_ancestral_sampling(make):
    s = np.array([0.05, 1.0, 9.0])
    np.testing.assert_allclose(
        diffusion.ddim_with_noise(make(20), s, 1.0),
        diffusion.ddpm(make(20), s, "posterior", last_noise=False),
        rtol=ROUNDING,
    )


def test_the_angle_form_of_one_step_in_symbols():
    """Gain squared times V / V' is cos^2 of the turn, for any two levels and any s."""
    s, tangent, to = sp.symbols("s a b", positive=True)
    gain = (s + tangent * to) / (s + tangent**2)  # of x / cos, from sigma = a to b
    turn = sp.atan(tangent / sp.sqrt(s)) - sp.atan(to / sp.sqrt(s))
    squared = sp.expand_trig(sp.cos(turn)) ** 2
    assert sp.simplify(gain**2 * (s + tangent**2) / (s + to**2) - squared) == 0


def test_the_sum_of_ancestral_sampling_in_symbols():
    """prod_{u<=t} A_u telescopes to cos_t s / V_t."""
    s, a, b = sp.symbols("s a b", positive=True)  # squared cosines at t and t - 1

    def level(square):
        return square * s + 1 - square

    gain = sp.sqrt(a / b) * level(b) / level(a)
    assert sp.simplify(gain * sp.sqrt(b) * s / level(b) - sp.sqrt(a) * s / level(a)) == 0


@pytest.mark.parametrize("make", [linear, cosine, nichol, edm])
@pytest.mark.parametrize("steps", [2, 7, 50])
def test_ddim_contracts_and_equal_turns_are_best(make, steps):
    s = np.geomspace(1e-3, 1e3, 13)
    schedule = make(steps)
    best, flow = diffusion.best_ddim(schedule, s), diffusion.probability_flow(schedule, s)
    assert (diffusion.ddim(schedule, s) <= best * (1 + ROUNDING)).all()
    assert (best < flow).all()


def test_the_cosine_schedule_is_best_for_unit_variance_and_symmetric():
    s = np.geomspace(1e-3, 1e3, 13)
    for steps in (2, 5, 10, 50):
        bias = diffusion.ddim(cosine(steps), s) / s
        np.testing.assert_allclose(bias, bias[::-1], rtol=ROUNDING)
        assert bias[6] == pytest.approx(np.cos(np.pi / 2 / steps) ** (2 * steps), rel=ROUNDING)
        assert bias[6] == pytest.approx(diffusion.best_ddim(cosine(steps), 1.0), rel=ROUNDING)


@pytest.mark.parametrize("s", [0.02, 0.5, 1.0, 9.0])
def test_the_cosh_law_is_the_integral_of_the_squared_turn(s):
    def slope(x):
        angle = mpmath.pi * x / 2
        return mpmath.pi / 2 * mpmath.sqrt(s) / (s * mpmath.cos(angle) ** 2 + mpmath.sin(angle) ** 2)

    first = mpmath.quad(lambda x: slope(x) ** 2, [0, 0.25, 0.5, 0.75, 1])
    third = mpmath.quad(
        lambda x: slope(x) ** 4 / 6 - mpmath.diff(slope, x) ** 2 / 12, [0, 0.25, 0.5, 0.75, 1]
    )
    assert -np.log(diffusion.cosh_law(7, s) / s) == pytest.approx(float(first) / 7, rel=1e-12)
    assert -diffusion.cosh_law_error(7, s) == pytest.approx(float(third) / 7**3, rel=1e-9)


def test_the_cosh_law_errs_by_its_next_term():
    """Beyond that term the error falls like T^-5: by 32 when T doubles."""
    s = np.array([0.05, 0.5, 1.0, 9.0])

    def beyond(steps):
        gap = np.log(diffusion.ddim(cosine(steps), s) / diffusion.cosh_law(steps, s))
        return gap - diffusion.cosh_law_error(steps, s)

    assert order_of(beyond(40), beyond(80)) == {5}
    turns = np.log(diffusion.ddim(linear(500), s) / diffusion.sum_of_turns(linear(500), s))
    assert (np.abs(turns) < 1e-2 * np.abs(np.log(diffusion.ddim(linear(500), s) / s))).all()


def test_samplers_tend_to_the_flow():
    s = np.array([0.05, 0.5, 4.0])
    for sampler, order in ((diffusion.ddim, 1), (diffusion.heun, 2)):
        grids = [np.tan(np.linspace(0, np.arctan(80.0), steps + 1)[1:]) for steps in (200, 400)]
        errors = [
            sampler(of_sigma(grid), s) - diffusion.probability_flow(of_sigma(grid), s) for grid in grids
        ]
        assert order_of(*errors) == {order}


def test_heun_expands_on_the_usual_grid():
    s = np.array([0.01, 0.25, 1.0, 4.0])
    bias = np.array([diffusion.heun(edm(steps), s) / s for steps in (18, 36, 72)])
    assert (bias > 1).all()
    assert (np.diff(bias, axis=0) < 0).all()


def test_ancestral_sampling_inflates_small_directions_only_with_beta():
    s = np.array([0.01, 0.1, 1.0, 10.0])
    beta = diffusion.ddpm(linear(50), s, "beta", last_noise=True) / s
    assert (beta[:2] > 1).all()
    assert beta[2] == pytest.approx(1, rel=ROUNDING)
    assert beta[3] < 1
    assert (diffusion.ddpm(linear(50), s, "posterior", last_noise=True) < s).all()


def test_the_mean_kept_is_the_deterministic_pass():
    schedule, s, mean = linear(20), 9.0, -2.0
    x = 0.0
    for t in range(schedule.steps, 0, -1):
        (cos, to_cos), (sin, to_sin) = (part[[t, t - 1]] for part in schedule[:2])
        e = sin * (x - cos * mean) / (cos**2 * s + sin**2)
        x = to_cos * (x - sin * e) / cos + to_sin * e
    assert mean * diffusion.mean_retained(schedule, s) == pytest.approx(x, rel=ROUNDING)
    assert diffusion.mean_retained(cosine(20), s) == 1


def test_stability():
    bias, real = 1.15, np.array([0.1, 0.13, 0.14, 1.0])
    stationary = diffusion.stationary_variance(bias, real, 2.0)
    assert np.isinf(stationary[:2]).all()
    assert diffusion.stability_threshold(bias) == pytest.approx(0.15 / 1.15)
    for share, limit in zip(real[2:], stationary[2:], strict=True):
        v = 2.0
        for _ in range(20000):
            v = share * 2.0 + (1 - share) * bias * v
        assert v == pytest.approx(limit, rel=1e-9)
    assert diffusion.stability_threshold(0.9) == 0


def test_schedules_refuse_what_is_none():
    with pytest.raises(ValueError, match="abar must"):
        of_abar([0.5, 0.7])
    with pytest.raises(ValueError, match="sigma must"):
        of_sigma([0.0, 1.0])
    with pytest.raises(ValueError, match="steps is"):
        linear(1001)
    with pytest.raises(ValueError, match="steps is"):
        edm(1)
    with pytest.raises(ValueError, match="infinite sigma"):
        diffusion.heun(cosine(5), 1.0)
    assert cosine(6).steps == 6
