"""Samplers, schedules and the loss as pure functions, against the closed forms."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from models.diffusion import affine, guided, loss, preconditioned, step, transitions
from models.schedule import draw_level, levels
from theory.diffusion import guidance
from theory.diffusion import sampler_map as diffusion
from theory.diffusion import schedule as diffusion_schedule
from theory.diffusion.affine import Normal
from theory.generator import Diffusion, Training, check_training
from theory.loop import LoopError

VARIANCES = np.array([0.01, 0.1, 1.0, 10.0, 100.0])
STEPS = 50
# a transition is a dozen operations on numbers whose parts may cancel to a tenth of the largest
ROUNDING = 120 * STEPS * np.finfo(float).eps
ISSUED = 1e-5  # what single precision must reach


def theory_map(schedule, sampler, eta):
    levels_of = {"linear": diffusion_schedule.linear, "cosine": diffusion_schedule.cosine}
    made = (levels_of | {"edm": diffusion_schedule.edm})[schedule](STEPS)
    if sampler == "heun":
        return diffusion.heun(made, VARIANCES)
    if sampler == "ddpm":
        return diffusion.ddpm(made, VARIANCES, "beta", last_noise=False)
    return diffusion.ddim_with_noise(made, VARIANCES, eta)


def simulated_map(schedule, sampler, eta, dtype, spoilt=1.0):
    """The variance that a linear sampler makes: its gains and noises are read off unit inputs."""
    made = levels(schedule, STEPS)
    denoise = affine(jnp.zeros(5, dtype), jnp.asarray(VARIANCES * spoilt, dtype))
    one, none = jnp.ones(5, dtype), jnp.zeros(5, dtype)

    def parts(carry, to):
        return carry, (step(denoise, one, none, to, sampler, eta), step(denoise, none, one, to, sampler, eta))

    gains, noises = jax.jit(lambda taken: jax.lax.scan(parts, 0, taken)[1])(transitions(made, dtype))
    variance = np.full(5, made.start**2)
    for gain, noise in zip(np.asarray(gains, float), np.asarray(noises, float), strict=True):
        variance = gain**2 * variance + noise**2
    return variance


CASES = [
    ("linear", "ddim", 0.0), ("linear", "ddim", 0.5), ("linear", "ddim", 1.0), ("linear", "ddpm", 0.0),
    ("linear", "heun", 0.0), ("cosine", "ddim", 0.0), ("cosine", "ddim", 1.0), ("cosine", "ddpm", 0.0),
    ("edm", "ddim", 0.0), ("edm", "heun", 0.0), ("edm", "ddpm", 0.0),
]  # fmt: skip


@pytest.mark.parametrize(("schedule", "sampler", "eta"), CASES)
def test_a_sampler_with_the_exact_score_is_the_map_of_theory(schedule, sampler, eta):
    expected = theory_map(schedule, sampler, eta)
    with jax.enable_x64(True):
        found = simulated_map(schedule, sampler, eta, jnp.float64)
        wrong = simulated_map(schedule, sampler, eta, jnp.float64, spoilt=1 + ISSUED)
    assert np.abs(found / expected - 1).max() < ROUNDING
    assert np.abs(wrong / expected - 1).max() > ROUNDING  # the comparison sees a score that is 1e-5 off
    single = simulated_map(schedule, sampler, eta, jnp.float32)
    assert np.abs(single / expected - 1).max() < ISSUED


def test_guidance_is_that_of_theory():
    """D7 in finite steps: mean and variance of a guided class, by an affine recursion."""
    w, conditional, unconditional = 1.5, Normal(1.2, 0.5), Normal(0.2, 2.0)
    expected = guidance.in_steps(diffusion_schedule.linear(STEPS), conditional, unconditional, w)
    with jax.enable_x64(True):
        made = levels("linear", STEPS)
        laws = [(jnp.float64(law.mean), jnp.float64(law.variance)) for law in (conditional, unconditional)]

        def onward(x, to):
            return step(guided(affine(*laws[0]), affine(*laws[1]), w), x, jnp.zeros(2), to, "ddim"), None

        points = jnp.array([0.0, made.start])  # the mean, and one standard deviation from it
        points = np.asarray(jax.lax.scan(onward, points, transitions(made, jnp.float64))[0])
    assert abs(points[0] - expected.mean) < ROUNDING * 10
    assert abs((points[1] - points[0]) ** 2 / expected.variance - 1) < ROUNDING * 10
    denoise = affine(jnp.zeros(1), jnp.ones(1))
    assert guided(denoise, denoise, 0.0) is denoise


@pytest.mark.parametrize("schedule", ["linear", "cosine", "edm"])
def test_levels_are_those_of_theory(schedule):
    made = levels(schedule, STEPS)
    expected = getattr(diffusion_schedule, schedule)(STEPS)
    for found, wanted in ((made.cos, expected.cos[::-1]), (made.sin, expected.sin[::-1])):
        assert np.abs(found - wanted).max() < 1e-12
    assert abs(made.start**2 - expected.start) < 1e-12


@pytest.mark.parametrize("schedule", ["linear", "cosine", "edm"])
def test_training_levels_are_noise_levels(schedule):
    keys = jax.random.split(jax.random.key(0), 1000)
    cos, sin = (np.asarray(a) for a in jax.vmap(lambda key: draw_level(schedule, key))(keys))
    assert np.abs(cos**2 + sin**2 - 1).max() < 1e-6
    assert 0 <= cos.min() < 0.1 and cos.max() > 0.99  # noqa: PT018 - one range


def test_no_network_is_right_about_a_standard_normal():
    """Data of unit variance: E[x_0 | x] = cos x, so that F = 0 is optimal and its loss 1."""
    count = 20_000
    values = jax.random.normal(jax.random.key(1), (count, 1))
    keys = jax.random.split(jax.random.key(2), count)
    for shift, optimal in ((0.0, True), (0.3, False)):
        found = jax.vmap(lambda key, x: loss(lambda *_: shift, key, x, "edm"))(keys, values)  # noqa: B023
        error = float(found.std() / np.sqrt(count))
        assert (abs(float(found.mean()) - 1) < 5 * error) == optimal  # 5 sigma: 6e-7
    denoise = preconditioned(lambda x, cos, sin: jnp.zeros_like(x))
    assert denoise(2.0, 0.5, 0.8) == 1.0


@pytest.mark.parametrize(
    ("parts", "key"),
    [
        ({"network": "gan"}, "network"),
        ({"schedule": "sigmoid"}, "schedule"),
        ({"sampler": "euler"}, "sampler"),
        ({"steps": 1}, "steps"),
        ({"steps": 1001}, "steps"),
        ({"eta": 1.5}, "eta"),
        ({"eta": 0.5, "sampler": "ddpm"}, "eta"),
        ({"sampler": "heun", "schedule": "cosine"}, "sampler"),
        ({"width": 64}, "width"),
        ({"network": "mlp", "depth": 2}, "width"),
        ({"network": "mlp", "depth": 2, "width": 60}, "width"),
        ({"network": "mlp", "depth": 0, "width": 64}, "depth"),
    ],
)
def test_a_generator_that_makes_no_sense_is_refused(parts, key):
    usual = {"network": "affine", "schedule": "linear", "steps": 20, "sampler": "ddim"}
    with pytest.raises(LoopError) as refusal:
        Diffusion(**(usual | parts))
    assert refusal.value.key == key


@pytest.mark.parametrize(
    ("parts", "key"),
    [
        ({"optimiser": "sgd"}, "optimiser"),
        ({"rate": 0}, "rate"),
        ({"steps": 0}, "steps"),
        ({"batch": 2.5}, "batch"),
        ({"ema": 1.0}, "ema"),
        ({"clip": -1}, "clip"),
        ({"context_dropout": 1}, "context_dropout"),
    ],
)
def test_a_training_that_makes_no_sense_is_refused(parts, key):
    usual = {"optimiser": "adam", "rate": 1e-3, "steps": 10, "batch": 8, "ema": 0.9}
    with pytest.raises(LoopError) as refusal:
        Training(**(usual | parts))
    assert refusal.value.key == key


def test_networks_are_trained_and_nothing_else_is():
    training = Training("adam", 1e-3, 10, 8, 0.9)
    network = Diffusion("mlp", "edm", 20, "ddim", width=64, depth=1)
    check_training(network, training)
    check_training(None, None)
    check_training(Diffusion("affine", "edm", 20, "ddim"), None)
    for generator, given in (
        (network, None),
        (None, training),
        (Diffusion("affine", "edm", 20, "ddim"), training),
    ):
        with pytest.raises(LoopError):
            check_training(generator, given)
