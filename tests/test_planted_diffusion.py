"""Wrong theories of samplers, guidance and metrics, on the claims' own cases: every one must disagree."""

import numpy as np
import pytest

from autophagy.shared_runs import plan
from jaxsim.experiments import measured
from theory.claims.diffusion import DIFFUSION_CLAIMS
from theory.claims.metrics import METRIC_CLAIMS
from theory.diffusion import early_stop as diffusion_early_stop
from theory.diffusion import expected as diffusion_expected
from theory.diffusion import guidance
from theory.diffusion import leak as diffusion_leak
from theory.diffusion import sampler_map as diffusion
from theory.diffusion.forecast import constant_forecast
from theory.diffusion.guidance import Guided
from theory.diffusion.guidance_loop import infinite
from theory.metrics import distances as metrics
from theory.metrics import neighbours as metrics_neighbours
from theory.metrics import vendi as metrics_vendi

FAMILY = 100
"""More comparisons than any one of these claims makes: the rates hold with room."""


def claim_of(id_, observable):
    (claim,) = (c for c in DIFFUSION_CLAIMS + METRIC_CLAIMS if (c.id, c.observable) == (id_, observable))
    return claim


def outcome(trial):
    return trial.judge(measured(trial.wanted.loop, trial.replicates(FAMILY, 2**21)), FAMILY)


def _by(wrong):
    """Another function altogether."""
    return lambda _: wrong


def _without(term):
    """A theory that forgets a term."""
    return lambda right: lambda *given, **rest: right(*given, **rest) - term(*given, **rest)


def _times(factor):
    return lambda right: lambda *given, **rest: factor * right(*given, **rest)


def _last_noise(right):
    return lambda *given, last_noise: right(*given, last_noise=not last_noise)


def _steps_off_by_one(right):
    return lambda steps, s: right(steps + 1, s)


def _extra_generation(right):
    return lambda to, s, n, generations: right(to, s, n, generations + 1)[1:]


def _unbiased(right):
    return lambda to, s, n, generations: right(lambda v: to(v) * (1 + 1 / n), s, n, generations)


def _more_guidance(right):
    return lambda s, u, delta, g: right(s, u, delta, g + 0.05)


def _weaker_push(right):
    return lambda s, u, delta, g: Guided(0.9 * right(s, u, delta, g).push, right(s, u, delta, g).variance)


def _ancestral_as_beta(right):
    return lambda schedule, s, variance: right(schedule, s, "beta" if variance == "posterior" else variance)


def _late(right):
    return lambda order, keep, real, g: right(order, keep, real, np.asarray(g) + 1)


def _at_infinity(to, mean, variance, n, generations):
    """A finite n forgotten."""
    return infinite(to, mean, variance, generations)


def _between_normals(amount, largest):
    """The mixture's score taken for that of the normal with its moments."""
    made = guidance.flow(1.0, 2.0, 1.0, amount)
    return np.array([1 + made.push, made.variance, 0.0, 3 * made.variance**2])


def _half(right):
    return lambda d, span: right(d / 2, span)


def _one_sample(n, bias, count, reference):
    """The reference set's own error forgotten."""
    return 1 / n + bias / count


def _constant(to, start, bias, n, generations):
    return constant_forecast(start, bias, n, generations)


def _without_noise(right):
    """Twice the copies of every point."""
    return lambda schedule, variances, copies: right(schedule, variances, 2 * copies)


def _population(dimension, share, own, other, sizes, shift=0.0):
    return float(metrics.inside(dimension, share, own, other, shift)), np.nan


def _itself_counted(real, fake, k):
    i = np.arange(k)
    return float(1 - np.prod((real - i) / (fake + real - i)))


def _by_limit(dimension, real, fake, sizes, k):
    return metrics_neighbours.coverage_limit(dimension, real, fake, sizes[1] / sizes[0], k)


def _by_precision_limit(real, k):
    return metrics_neighbours.precision_limit(k)


def _without_diagonal(variances, scale, n):
    return float(np.prod(1 / np.sqrt(1 + 4 * np.asarray(variances) / scale**2)))


def _off_by_one(right):
    return lambda shares, n, generations: right(shares, n, [g + 1 for g in generations])


def _root_of_mean(n):
    """The root of the mean variance for the mean standard deviation."""
    return np.sqrt((n - 1) / n)


def _mean_only(variances, n):
    """The bias of the mean without that of the covariance."""
    return np.sum(variances) / n


PLANTED = [
    ("mixture.D1", "sampled_variance", diffusion, "ddim", _times(1.01)),
    ("mixture.D2", "sampled_variance", diffusion, "cosh_law", _steps_off_by_one),
    ("mixture.D3", "sampled_variance", diffusion, "ddpm", _last_noise),
    ("mixture.D3", "sampled_variance", diffusion, "ancestral_noise", _ancestral_as_beta),
    ("mixture.D4", "sampled_variance", diffusion, "heun", _by(diffusion.ddim)),
    ("mixture.D5", "variance", diffusion_expected, "laws", _extra_generation),
    ("mixture.D5", "variance", diffusion_expected, "laws", _unbiased),
    ("mixture.D5", "variance", diffusion_expected, "mapped", _times(0.98)),
    ("mixture.D6", "sampled_variance", diffusion_leak, "one_generation", _without(diffusion_leak.leak)),
    ("mixture.D7", "flow_variance", guidance, "flow", _more_guidance),
    ("mixture.D7", "flow_variance", guidance, "flow", _weaker_push),
    ("mixture.D7", "diffusion_variance", guidance, "diffusion", _by(guidance.flow)),
    ("mixture.D8", "log_variance", diffusion_expected, "finite", _by(_at_infinity)),
    ("mixture.D9", "sampled_variance", diffusion_expected, "flow_moments", _by(_between_normals)),
    ("mixture.D10", "sampled_variance", diffusion_expected, "relative_error", _half),
    ("mixture.D11", "hermite_modes", diffusion_early_stop, "kept", _late),
    ("mixture.B1", "sampling_bias", diffusion_expected, "expected_discrepancy", _by(_one_sample)),
    ("mixture.B1", "trained_sampling_bias", diffusion_expected, "mapped", _times(1.02)),
    ("mixture.B1", "trained_sampling_bias", diffusion_expected, "generated_variance", _without_noise),
    ("mixture.B2", "log_variance", diffusion_expected, "shaped_forecast", _by(_constant)),
    ("mixture.M1", "frechet", metrics, "shrinkage", _by(_root_of_mean)),
    ("mixture.M1", "frechet_bias", metrics, "frechet_of_sample", _by(_mean_only)),
    ("mixture.M2", "precision", metrics, "inside_sampled", _by(_population)),
    ("mixture.M3", "coverage_of_equals", metrics_neighbours, "coverage_of_equals", _by(_itself_counted)),
    ("mixture.M3", "coverage", metrics_neighbours, "coverage", _by(_by_limit)),
    ("mixture.M3", "coverage_limit", metrics_neighbours, "coverage_limit", _times(1.01)),
    ("mixture.M3", "precision_limit", metrics_neighbours, "precision_limit", _by(lambda k: 1 - 2.0**-k)),
    ("mixture.M3", "precision", metrics_neighbours, "precision_of_uniforms", _by(_by_precision_limit)),
    ("mixture.M4", "vendi_2", metrics_vendi, "mean_square_similarity", _by(_without_diagonal)),
    ("mixture.M5", "effective_modes", metrics_vendi, "modes_in_loop", _off_by_one),
]


@pytest.mark.slow
@pytest.mark.parametrize(
    ("id_", "observable", "module", "name", "plant"),
    PLANTED,
    ids=lambda part: part if isinstance(part, str) else "",
)
def test_planted_errors_disagree(id_, observable, module, name, plant, monkeypatch):
    claim = claim_of(id_, observable)
    right = [plan(claim, case) for case in claim.cases]
    monkeypatch.setattr(module, name, plant(getattr(module, name)))
    # the cases on which the wrong theory says something else
    for case, trial in zip(claim.cases, right, strict=True):
        wrong = plan(claim, case)
        if repr(wrong) != repr(trial) and outcome(wrong).disagreements:
            return
    raise AssertionError("nothing disagreed")


FAST = (("mixture.D1", "sampled_variance"), ("mixture.B2", "log_variance"), ("mixture.M1", "frechet"))


@pytest.mark.parametrize(("id_", "observable"), FAST)
def test_right_theories_agree_and_their_controls_do_not(id_, observable):
    claim = claim_of(id_, observable)
    found = outcome(plan(claim, claim.cases[0]))
    assert (found.disagreements, found.missed, found.untestable) == (0, 0, 0)
    assert found.tested == found.comparisons


def test_every_claim_is_of_its_chapter_and_finite():
    for claim in DIFFUSION_CLAIMS + METRIC_CLAIMS:
        assert claim.id.startswith("mixture.")
        for case in claim.cases:
            if claim.expected is not None:
                mean = np.asarray(claim.expected(case))[0]
                assert np.isfinite(mean).any()
    names = [(claim.id, claim.observable) for claim in DIFFUSION_CLAIMS + METRIC_CLAIMS]
    assert len(set(names)) == len(names)
    entries = {claim.id.removeprefix("mixture.") for claim in DIFFUSION_CLAIMS + METRIC_CLAIMS}
    wanted = {*(f"D{k}" for k in range(1, 12)), "B1", "B2", *(f"M{k}" for k in range(1, 6))}
    assert entries == wanted
