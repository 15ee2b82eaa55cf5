"""What a diffusion experiment should measure: the parameters of an experiment read by the theory.

The experiments are those of `jaxsim.experiments.diffusion`; every function here takes a case and returns the
mean and the second to fourth central moments of one replicate along the first axis, nan where unknown.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike, NDArray

from theory.claim import Case
from theory.diffusion import early_stop as diffusion_early_stop
from theory.diffusion import guidance
from theory.diffusion import leak as diffusion_leak
from theory.diffusion import sampler_map as diffusion
from theory.diffusion import schedule as diffusion_schedule
from theory.diffusion.affine import Normal
from theory.diffusion.forecast import Estimate, expected_discrepancy, shaped_forecast
from theory.diffusion.guidance_loop import by_cubature, by_steps, finite
from theory.diffusion.guidance_mixture import flow_moments
from theory.diffusion.least_squares import generated_variance
from theory.diffusion.loop import laws, mean_error_squared
from theory.diffusion.schedule import Schedule
from theory.diffusion.score_error import constant_error, girsanov_constant, relative_error

Array = NDArray[np.float64]

SCHEDULES = {
    "linear": diffusion_schedule.linear,
    "cosine": diffusion_schedule.cosine,
    "nichol": diffusion_schedule.nichol,
    "edm": diffusion_schedule.edm,
}


def schedule_of(case: Case) -> Schedule:
    """The noise levels of an experiment."""
    return SCHEDULES[case.loop.get("schedule")](case.loop.get("steps"))


def mapped(case: Case, s: ArrayLike) -> Array:
    """The variance map of an experiment's sampler."""
    schedule, sampler = schedule_of(case), case.loop.get("sampler")
    if sampler == "heun":
        return diffusion.heun(schedule, s)
    if sampler == "ddim":
        eta = dict(case.loop.parameters).get("eta", 0.0)
        return diffusion.ddim_with_noise(schedule, s, eta) if eta else diffusion.ddim(schedule, s)
    variance = "posterior" if sampler == "posterior" else "beta"
    return diffusion.ddpm(schedule, s, variance, last_noise=sampler == "beta-to-the-end")


def sampled(mean: ArrayLike, variance: ArrayLike, draws: int) -> Array:
    """Of the mean and the unbiased variance of normal samples: [4, 2, *axes].

    The variance is v chi2_k / k, k = draws - 1, with central moments 2 v^2 / k, 8 v^3 / k^2 and
    (12 k + 48) v^4 / k^3.
    """
    m, v = np.broadcast_arrays(np.asarray(mean, float), np.asarray(variance, float))
    k = draws - 1
    zero = np.zeros_like(v)
    of_mean = [m, v / draws, zero, 3 * (v / draws) ** 2]
    of_variance = [v, 2 * v**2 / k, 8 * v**3 / k**2, (12 * k + 48) * v**4 / k**3]
    return np.stack([np.stack(pair) for pair in zip(of_mean, of_variance, strict=True)])


def without_moments(mean: ArrayLike) -> Array:
    """A mean whose spread is not predicted."""
    mean = np.asarray(mean, float)
    return np.stack([mean, *(np.full_like(mean, np.nan),) * 3])


def samples(case: Case) -> Array:
    """Of `diffusion sampler`."""
    s, mean = np.array(case.loop.get("variances")), case.loop.get("mean")
    kept = diffusion.mean_retained(schedule_of(case), s) if mean else 0.0
    return sampled(mean * kept, mapped(case, s), case.loop.get("draws"))


def cosh_samples(case: Case) -> Array:
    """The variances by the cosh law and its next term; nothing of the mean."""
    s, steps = np.array(case.loop.get("variances")), case.loop.get("steps")
    made = diffusion.cosh_law(steps, s) * np.exp(diffusion.cosh_law_error(steps, s))
    return sampled(np.nan, made, case.loop.get("draws"))


def sampled_means(case: Case) -> Array:
    """The means alone of `samples`: [2, direction]."""
    return samples(case)[0]


def loops(case: Case) -> Array:
    """Of `diffusion loop`: the variance, its logarithm, the squared mean.

    A mean over independent copies has central moments m2 / c, m3 / c^2, m4 / c^3 + 3 (c - 1) m2^2 / c^3.
    """
    get = case.loop.get
    generations = np.array(get("generations"))
    found = laws(lambda s: mapped(case, s), get("variance"), get("n"), max(generations))
    listed = [found[g - 1] for g in generations]
    moments = np.stack([[law.variance, law.log_variance] for law in listed], axis=-1).swapaxes(0, 1)
    moments[2:, 0] = np.nan  # heavy tails: the spread of S is confronted on the logarithm alone
    squares = mean_error_squared(found, get("n"))[generations - 1]
    return np.concatenate([_averaged(moments, get("copies")), without_moments(squares)[:, None]], axis=1)


def _averaged(moments: Array, copies: int) -> Array:
    mean, two, three, four = moments
    fourth = (four + 3 * (copies - 1) * two**2) / copies**3
    return np.stack([mean, two / copies, three / copies**2, fourth])


def leaking(case: Case) -> Array:
    """Of `diffusion full covariance`."""
    s, n = np.array(case.loop.get("variances")), case.loop.get("n")
    return without_moments(diffusion_leak.one_generation(lambda x: mapped(case, x), s, n))


def leaked(case: Case) -> Array:
    """Its means by cubature."""
    s, n = np.array(case.loop.get("variances")), case.loop.get("n")
    return diffusion_leak.one_generation_by_cubature(lambda x: mapped(case, x), s, n)


def _classes(case: Case) -> tuple[Normal, Normal, float]:
    return (
        Normal(*case.loop.get("conditional")),
        Normal(*case.loop.get("unconditional")),
        case.loop.get("guidance"),
    )


def guided_in_steps(case: Case) -> Array:
    """Of `diffusion guided sampler`, by the finite recursion."""
    return sampled(*_in_steps(case), case.loop.get("draws"))


def steps_taken(case: Case) -> Array:
    """Its mean and its variance alone."""
    return np.array(_in_steps(case))


def _in_steps(case: Case) -> Normal:
    ancestral = case.loop.get("sampler") == "beta"
    return guidance.in_steps(schedule_of(case), *_classes(case), ancestral=ancestral)


def guided_by_flow(case: Case) -> Array:
    """The same by the probability flow."""
    return _continuous(case, guidance.flow)


def guided_by_diffusion(case: Case) -> Array:
    """The same by the reverse SDE."""
    return _continuous(case, guidance.diffusion)


def _continuous(case: Case, closed: object) -> Array:
    conditional, unconditional, amount = _classes(case)
    delta = conditional.mean - unconditional.mean
    made = closed(conditional.variance, unconditional.variance, delta, amount)
    return sampled(conditional.mean + made.push, made.variance, case.loop.get("draws"))


def guided_loops(case: Case) -> Array:
    """Of `diffusion guided loop`, to order 1/n: distance and log-variance, [4, 2, generation]."""
    found = [_finite(case)[g - 1] for g in case.loop.get("generations")]
    mean = np.array([[f.distance for f in found], [f.log_variance for f in found]])
    return without_moments(mean)


def _class_map(case: Case) -> object:
    return by_steps(schedule_of(case), case.loop.get("guidance"))


def _finite(case: Case) -> list:
    get = case.loop.get
    return finite(_class_map(case), get("mean"), get("variance"), get("n"), max(get("generations")))


def guided_runs(case: Case) -> Array:
    """Their means by cubature."""
    get = case.loop.get
    last = max(get("generations"))
    found = by_cubature(_class_map(case), get("mean"), get("variance"), get("n"), last)
    return found[:, np.array(get("generations")) - 1]


def guided_modes(case: Case) -> Array:
    """Of `diffusion guided mixture`: the mean of n draws has m2 / n, m3 / n^2, and its unbiased variance v.

    The variance of that is (m4 - v^2 (n - 3) / (n - 1)) / n.
    """
    n = case.loop.get("draws")
    mean, two, three, four = flow_moments(case.loop.get("guidance"), diffusion_schedule.NOISE[1])
    of_mean = [mean, two / n, three / n**2, (four + 3 * (n - 1) * two**2) / n**3]
    of_variance = [two, (four - two**2 * (n - 3) / (n - 1)) / n, np.nan, np.nan]
    return np.array([of_mean, of_variance]).T


def score_errors(case: Case) -> Array:
    """Of `diffusion score error`, one of the two errors being zero; nothing of its third axis."""
    law = _mistaken(case)
    known = sampled(law.mean, law.variance, case.loop.get("draws"))
    return np.concatenate([known, np.full((4, 1), np.nan)], axis=1)


def _mistaken(case: Case) -> Normal:
    constant, relative, span = (case.loop.get(name) for name in ("constant", "relative", "span"))
    return constant_error(constant, span) if constant else relative_error(relative, span)


def girsanov(case: Case) -> Array:
    """A bound on the divergence m^2 / 2 under a constant error.

    Its unbiased estimate (mean^2 - variance / n) / 2 has variance m^2 / n + 1 / (2 n (n - 1)).
    """
    n, shift = case.loop.get("draws"), _mistaken(case).mean
    bound = girsanov_constant(case.loop.get("constant"), case.loop.get("span"))
    of_divergence = [bound, shift**2 / n + 1 / (2 * n * (n - 1)), np.nan, np.nan]
    return np.array([[np.nan] * 4, [np.nan] * 4, of_divergence]).T


def diverged(case: Case) -> Array:
    """The divergence m^2 / 2 itself."""
    return np.array([np.nan, np.nan, _mistaken(case).mean ** 2 / 2])


def early_stops(case: Case) -> Array:
    """Of `diffusion early stop`."""
    get = case.loop.get
    law = Normal(get("mean"), get("variance"))
    modes = [
        diffusion_early_stop.hermite_mode(law, k)
        * diffusion_early_stop.kept(k, get("keep"), get("real"), get("generations"))
        for k in (1, 2, 3, 4)
    ]
    return without_moments(np.array(modes))


def _bias_moments(case: Case) -> tuple[float, float]:
    """Mean and variance of generated over trained variance.

    Given S it is lambda(S) chi2_k / k, k = n_g - 1: mean E lambda, variance Var lambda + 2 E lambda^2 / k.
    """
    get = case.loop.get
    law = laws(lambda s: mapped(case, s), get("variance"), get("n"), 1)[0]
    mean, spread = law.central_moments(mapped(case, np.exp(law.nodes)) / np.exp(law.nodes))[:2]
    return mean, spread + 2 * (mean**2 + spread) / (get("generated") - 1)


def bridged(case: Case) -> Array:
    """Of `diffusion bridge`: the ratio of variances, and the Q of `theory.diffusion.forecast`."""
    get = case.loop.get
    mean, variance = _bias_moments(case)
    law = laws(lambda s: mapped(case, s), get("variance"), get("n"), 1)[0]
    generated = float(law.weights @ mapped(case, np.exp(law.nodes))) / get("variance")
    q = expected_discrepancy(get("n"), generated, get("generated"), get("reference"))
    return np.array([[mean, variance / get("directions"), np.nan, np.nan], [q, np.nan, np.nan, np.nan]]).T


def trained(case: Case) -> Array:
    """Of `diffusion trained bias`: E lambda(S), as if training had no noise."""
    mean, variance = _bias_moments(case)
    return np.array([mean, variance, np.nan, np.nan])


def trained_on_copies(case: Case) -> Array:
    """Its mean with the noise of the training."""
    get = case.loop.get
    law = laws(lambda s: mapped(case, s), get("variance"), get("n"), 1)[0]
    s = np.exp(law.nodes)
    made = generated_variance(schedule_of(case), s, get("n") * get("noises"))
    return np.asarray(law.weights @ (made / s))


def forecasted(case: Case) -> Array:
    """Of `diffusion loop` from a known first model: the shaped forecast of ln S and its process variance.

    [4, 3, generation], nothing of the other two statistics.
    """
    get = case.loop.get
    certain = Estimate(np.log(mapped(case, get("variance")) / get("variance")), np.zeros(()))
    forecast = shaped_forecast(
        lambda s: mapped(case, s), get("variance"), certain, get("n"), max(get("generations"))
    )
    chosen = np.array(get("generations")) - 1
    logs = np.stack([np.log(forecast.median[chosen]), forecast.log_error[chosen] ** 2])
    unknown = np.full_like(logs, np.nan)
    blank = np.full((4, 1, len(chosen)), np.nan)
    return np.concatenate([blank, np.concatenate([logs, unknown])[:, None], blank], axis=1)


def from_known_model(case: Case) -> Array:
    """Its mean of ln S by the law of every generation, [3, generation]."""
    get = case.loop.get
    first = float(mapped(case, get("variance")))
    found = laws(lambda s: mapped(case, s), first, get("n"), max(get("generations")) - 1)
    logs = [found[g - 2].log_variance[0] for g in get("generations")]
    return np.array([np.full(len(logs), np.nan), logs, np.full(len(logs), np.nan)])
