"""The sampler as programmed against the sampler as a map, and linear denoisers that were trained."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from jaxsim.agreement import Sample, Theory, agree, replicates_needed
from jaxsim.experiments import affine_score
from jaxsim.experiments.replicates import replicates
from theory.diffusion import affine as diffusion_affine
from theory.diffusion import guidance
from theory.diffusion import sampler_map as diffusion
from theory.diffusion import schedule as diffusion_schedule

PROMISED = 1e-5
"""What is promised of the sampler with the exact score, relative to the variance."""

VARIANCES = np.array([0.01, 0.05, 0.4, 1.0, 9.0, 100.0])
SCHEDULES = {
    "linear": diffusion_schedule.linear,
    "cosine": diffusion_schedule.cosine,
    "nichol": diffusion_schedule.nichol,
    "edm": diffusion_schedule.edm,
}


@pytest.fixture
def double():
    with jax.enable_x64(True):
        yield


def variance_of(denoise, schedule, sampler, directions, eta=0.0):
    """What the program does to unit noises, summed over its Jacobian: the variance of a linear sampler."""
    steps = len(schedule[0].cos) - 1

    def output(noises):
        return affine_score.run(denoise, schedule, sampler, lambda number: noises[number], eta)

    zero = jnp.zeros((steps + 1, directions))
    jacobian = jax.jacrev(lambda noises: output(noises).sum())(zero)  # directions do not mix
    return output(zero), (jacobian**2).sum(0)


@pytest.mark.parametrize("name", SCHEDULES)
def test_levels_are_the_schedules(name):
    listed, start = affine_score.levels(name, 20)
    schedule = SCHEDULES[name](20)
    # abar, a product of up to 1000 rounded factors, is a square root's argument
    rounding = 1000 * np.finfo(float).eps
    np.testing.assert_allclose(listed.cos[::-1], schedule.cos, rtol=rounding, atol=rounding)
    np.testing.assert_allclose(listed.sin[::-1], schedule.sin, rtol=rounding * 1e4, atol=rounding)
    assert start == pytest.approx(np.sqrt(schedule.start), rel=rounding)


def test_levels_refuse_another_name():
    with pytest.raises(ValueError, match="unknown"):
        affine_score.levels("sigmoid", 20)
    with pytest.raises(ValueError, match="unknown"):
        affine_score.run(affine_score.exact(0.0, 1.0), affine_score.levels("cosine", 3), "euler", jnp.zeros)


@pytest.mark.parametrize(
    ("sampler", "eta", "closed"),
    [
        ("ddim", 0.0, diffusion.ddim),
        ("ddim", 0.5, lambda schedule, s: diffusion.ddim_with_noise(schedule, s, 0.5)),
        ("beta", 0.0, lambda schedule, s: diffusion.ddpm(schedule, s, "beta", last_noise=False)),
        ("beta-to-the-end", 0.0, lambda schedule, s: diffusion.ddpm(schedule, s, "beta", last_noise=True)),
        ("posterior", 0.0, lambda schedule, s: diffusion.ddpm(schedule, s, "posterior", last_noise=False)),
        ("heun", 0.0, diffusion.heun),
    ],
)
@pytest.mark.parametrize("name", SCHEDULES)
@pytest.mark.parametrize("steps", [5, 40])
@pytest.mark.usefixtures("double")
def test_the_sampler_with_the_exact_score_is_the_map(name, steps, sampler, eta, closed):
    if sampler == "heun" and name in ("cosine", "nichol"):
        pytest.skip("they start from infinite, or nearly infinite, sigma")
    denoise = affine_score.exact(0.0, jnp.array(VARIANCES))
    found = variance_of(denoise, affine_score.levels(name, steps), sampler, len(VARIANCES), eta)[1]
    np.testing.assert_allclose(found, closed(SCHEDULES[name](steps), VARIANCES), rtol=PROMISED)


@pytest.mark.usefixtures("double")
def test_the_sampler_keeps_the_mean_that_the_map_says():
    mean = jnp.full(len(VARIANCES), -2.0)
    denoise = affine_score.exact(mean, jnp.array(VARIANCES))
    found = variance_of(denoise, affine_score.levels("linear", 20), "ddim", len(VARIANCES))[0]
    kept = diffusion.mean_retained(diffusion_schedule.linear(20), VARIANCES)
    np.testing.assert_allclose(found, -2.0 * kept, rtol=PROMISED)


@pytest.mark.parametrize("amount", [-0.5, 0.0, 1.5, 4.0])
@pytest.mark.parametrize(("sampler", "eta"), [("ddim", 0.0), ("ddim", 0.7), ("beta", 0.0)])
@pytest.mark.usefixtures("double")
def test_guidance_is_its_finite_recursion(amount, sampler, eta):
    conditional, unconditional = (1.2, 0.5), (0.2, 2.0)
    denoise = affine_score.guided(
        affine_score.exact(*conditional), affine_score.exact(*unconditional), amount
    )
    mean, variance = variance_of(denoise, affine_score.levels("linear", 20), sampler, 1, eta)
    law = guidance.in_steps(
        diffusion_schedule.linear(20),
        diffusion_affine.Normal(*conditional),
        diffusion_affine.Normal(*unconditional),
        amount,
        eta=eta,
        ancestral=sampler == "beta",
    )
    np.testing.assert_allclose([mean[0], variance[0]], law, rtol=PROMISED)


@pytest.mark.usefixtures("double")
def test_guided_samplers_tend_to_the_closed_forms():
    """Errors of a halved step are halved: first order in 1 / T."""
    for sampler, closed in (("ddim", guidance.flow), ("beta", guidance.diffusion)):
        denoise = affine_score.guided(affine_score.exact(1.2, 0.5), affine_score.exact(0.2, 2.0), 1.0)
        limit = closed(0.5, 2.0, 1.0, 1.0)
        errors = []
        for steps in (400, 800):
            mean, variance = variance_of(denoise, affine_score.levels("cosine", steps), sampler, 1)
            errors.append([mean[0] - 1.2 - limit.push, variance[0] - limit.variance])
        np.testing.assert_allclose(np.array(errors[0]) / errors[1], 2.0, rtol=0.05)


STEPS, SAMPLES, TRAININGS = 10, 200, 512
TRAINED_ON = np.array([2.0, 0.3])


def trained_bias(fit):
    """Replicates of ln(g(trained score) / g(affine score of the training set's moments))."""
    schedule = affine_score.levels("cosine", STEPS)

    def one(key):
        drawing, fitting = jax.random.split(key)
        data = jnp.sqrt(TRAINED_ON) * jax.random.normal(drawing, (SAMPLES, 2))
        affine = fit(fitting, data, schedule)
        gain = [
            affine_score.run(affine_score.fitted(*affine), schedule, "ddim", lambda _, by=by: jnp.full(2, by))
            for by in (0.0, 1.0)
        ]
        return jnp.stack([jnp.log((gain[1] - gain[0]) ** 2), jnp.log(data.var(0))])

    return one


@pytest.mark.slow
@pytest.mark.parametrize(
    "fit",
    [
        lambda key, data, schedule: affine_score.fit_least_squares(key, data, schedule, 100),
        lambda key, data, schedule: affine_score.fit_by_gradient(key, data, schedule, 2000, 32, 0.05),
    ],
    ids=["least squares", "gradient descent"],
)
def test_a_linear_denoiser_trained_to_convergence_reproduces_the_map(fit):
    """On average over trainings; each differs from the map by the noise it was trained with."""
    found = replicates(trained_bias(fit), "trained", TRAININGS, 0, block=64)
    expected = np.log(diffusion.ddim(diffusion_schedule.cosine(STEPS), np.exp(found[:, 1])))
    error = Sample.of(found[:, 0] - expected)
    assert agree(error, Theory(np.zeros(2))).holds
    # a map wrong by a hundredth of itself is seen
    assert replicates_needed(0.01, float(np.sqrt(error.variance).max()), 2) <= TRAININGS
    assert agree(error, Theory(np.full(2, 0.01))).disagrees
