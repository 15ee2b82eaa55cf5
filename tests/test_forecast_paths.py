"""The pieces of a forecast: scores against their definitions, paths against theory, features where linear."""

import numpy as np
import pytest
from scipy.special import gammaln, hyp2f1
from scipy.stats import norm, t, wishart

from jaxsim.agreement import Sample, Theory, agree, alarm_threshold, replicates_for
from models import judging, paths
from models.features import Classifier, Seen
from models.forecast import sampler_map
from models.judging import LITTLE, Judge
from models.paths import DRAWS, Sampler, Step, constant, shaped, variances
from models.points import Points
from models.real import real
from models.scores import LEVEL, interval_score, ranked_score, scored
from theory.diffusion import sampler_map as diffusion
from theory.diffusion import schedule as diffusion_schedule
from theory.diffusion.leak import one_generation
from theory.generator import Diffusion
from theory.loop import Gaussian, Images, Loop, Replace

SCHEDULE = diffusion_schedule.linear(20)
SILENT = Step(np.zeros(3), np.zeros(3), np.zeros(3), np.inf)


def exact(s):
    return diffusion.ddim(SCHEDULE, s)


def test_the_ranked_score_is_its_definition():
    drawn = np.random.default_rng(0).normal(size=(7, 1, 2, 3))
    truth = np.random.default_rng(1).normal(size=(1, 2, 3))
    pairs = np.abs(drawn[:, None] - drawn[None]).mean(axis=(0, 1))
    expected = np.abs(drawn - truth).mean(axis=0) - pairs / 2
    assert np.abs(ranked_score(drawn, truth) - expected).max() < 7 * 7 * np.finfo(float).eps * 10


def test_the_interval_score_charges_for_what_is_beyond():
    low, high = np.full(3, -1.0), np.full(3, 2.0)
    found = interval_score(low, high, np.array([0.0, -1.5, 4.0]))
    assert found == pytest.approx([3, 3 + 0.5 * 2 / (1 - LEVEL), 3 + 2 * 2 / (1 - LEVEL)], rel=1e-14)


@pytest.mark.parametrize("factor", [0.5, 2.0])
def test_the_true_width_scores_best(factor):
    """The law drawn from is the truth's; one half as wide or twice as wide scores worse, though one covers.

    Standard deviations of a mean of 4,000 scores are below 0.03; the differences expected are above 0.3 for
    the interval and 0.03, with paired draws, for the ranked score.
    """
    points = norm.ppf((np.arange(DRAWS) + 0.5) / DRAWS).reshape(-1, 1, 1, 1)
    truth = np.random.default_rng(0).standard_normal((1, 1, 4000))
    right, wrong = (scored(np.broadcast_to(k * points, (DRAWS, 1, 1, 4000)), truth) for k in (1, factor))
    assert abs(right["coverage"] - LEVEL) < 5 * np.sqrt(LEVEL * (1 - LEVEL) / 4000)
    for score in ("interval_score", "ranked_score"):
        assert right[score] < wrong[score]
    assert (wrong["coverage"] > right["coverage"]) == (factor > 1)


def test_without_noise_and_turning_a_path_is_the_map_iterated():
    """One direction has nowhere to leak: ln S' = ln g((1 - 1/n) S), with the unit fixed."""
    step = Step(np.zeros(1), np.zeros(1), np.zeros(1), np.inf)
    found = shaped(Sampler(exact, np.ones((1, 1)), 50, False), np.full((1, 1, 1), 0.3), step, 4)
    s, expected = 0.3, []
    for _ in range(4):
        s = float(exact((1 - 1 / 50) * s))
        expected.append(np.log(s))
    assert np.abs(found[:, 0, :, 0] - expected).max() < 1e-12
    shrinking = shaped(Sampler(exact, np.ones((1, 1)), 50, True), np.full((1, 1, 1), 0.3), step, 4)
    assert np.abs(shrinking[:, 0, -1, 0] - expected[-1]).min() > 0.1  # in its own unit it is always 0.3


def test_small_directions_receive_the_leak_of_theory():
    """E g(Wishart)_jj against the second-order formula of `theory.diffusion.leak`; own axes are too low.

    The formula leaves out a relative order n^-2 = 1e-4; a hundred times that is allowed, the leak is 2.4%.
    """
    n, s = 100, np.array([4.0, 1.0, 0.02])
    drawn = wishart(n - 1, np.diag(s) / (n - 1)).rvs(20_000, random_state=0)
    root = Sampler(exact, np.ones((1, 3)), n, False).root(drawn)
    found, error = variances(root).mean(axis=0), variances(root).std(axis=0) / np.sqrt(len(drawn))
    expected = one_generation(exact, s, n)
    remainder = 100 * expected / n**2
    assert (np.abs(found - expected) < 5 * error + remainder).all()
    alone = exact((1 - 1 / n) * s)
    assert found[2] - alone[2] > 5 * error[2] + remainder[2]


def test_the_control_adds_the_same_bias_for_ever():
    step = Step(np.array([-0.1, 0.2, 0.0]), np.zeros(3), np.full(3, 0.01), np.inf)
    found = constant(np.zeros((2, 3)), step, 4)
    assert found.shape == (DRAWS, 2, 4, 3)
    error = 5 * 0.01 * np.sqrt(np.arange(1, 5) / DRAWS)
    assert (np.abs(found.mean(axis=0) - step.bias * np.arange(1, 5)[:, None]) < error[:, None]).all()


def test_what_is_not_known_of_the_spread_makes_the_tails_heavy(monkeypatch):
    """Student's t with 3 degrees of freedom: 90% lie within its quantiles; 4 would put 92% there."""
    reach = t.ppf(0.95, 3)
    theory = Theory(*bernoulli_moments(0.9))
    resolution = (2 * t.cdf(reach, 4) - 1.9) / np.sqrt(theory.variance)
    draws = int(replicates_for(theory, resolution, 1)[0])
    monkeypatch.setattr(paths, "DRAWS", draws)
    step = Step(np.zeros(1), np.zeros(1), np.ones(1), 3.0)
    found = {
        freedom: np.abs(constant(np.zeros((1, 1)), step._replace(freedom=freedom), 1)).ravel() < reach
        for freedom in (3.0, 4.0, np.inf)
    }
    verdict = {f: agree(Sample.of(inside), theory, comparisons=1).mean for f, inside in found.items()}
    assert verdict[3.0].holds
    assert verdict[4.0].disagrees
    assert not verdict[np.inf].holds


def bernoulli_moments(p):
    """Mean and central moments of 1 with probability p, else 0."""
    return p, *(p * (1 - p) ** k + (1 - p) * (-p) ** k for k in (2, 3, 4))


def uniform_moments(function):
    """Mean and central moments of a polynomial of a uniform variable, by Gauss and Legendre's rule: exact."""
    nodes, weights = np.polynomial.legendre.leggauss(20)
    values, weights = function((nodes + 1) / 2), weights / 2
    mean = weights @ values
    return mean, *(weights @ (values - mean) ** k for k in (2, 3, 4))


def test_the_bias_fades_geometrically_at_a_uniform_rate():
    """Map s -> lambda s, one direction: x_k = x_0 + k ln(lambda (1 - 1/n)) + beta sum_{j<=k} r^j.

    The mean over r is beta sum_{j<=k} 1/(j + 1). A bias that starts at r^0, or does not fade, is told apart.
    """
    ratio, n, beta, later, start = 0.8, 50, -0.3, 4, 0.3
    step = Step(np.full(1, beta), np.zeros(1), np.zeros(1), np.inf)
    sampler = Sampler(lambda s: ratio * s, np.ones((1, 1)), n, False)
    found = shaped(sampler, np.full((1, 1, 1), start), step, later)[:, 0, :, 0]
    k = np.arange(1, later + 1)
    added = (found - np.log(start) - k * np.log(ratio * (1 - 1 / n))) / beta
    rate = added[:, :1]
    # some hundred roundings of numbers below 10, divided by beta
    assert np.abs(added - np.cumsum(rate**k, axis=1)).max() < 1000 * np.finfo(float).eps / abs(beta)
    laws = [uniform_moments(lambda r, j=j: sum(r**i for i in range(1, j + 1))) for j in k]
    right = Theory(*np.array(laws).T)
    assert right.mean == pytest.approx(np.cumsum(1 / (k + 1)), rel=1e-13)
    resolution = ((k - right.mean) / np.sqrt(right.variance)).min()
    assert np.nanmax(replicates_for(right, resolution, 2 * later)[0]) <= DRAWS
    assert agree(Sample.of(added), right).mean.holds
    early, unfading = np.cumsum(1 / k), k.astype(float)
    for wrong in (early, unfading):
        verdict = agree(Sample.of(added), right._replace(mean=wrong)).mean.verdict
        assert (verdict == "disagrees").all()


def correlation_moments(rho, n):
    """Mean and central moments of the correlation of n points: Hotelling (1953), by quadrature."""
    nodes, weights = np.polynomial.legendre.leggauss(400)
    log_constant = gammaln(n - 1) - gammaln(n - 0.5) + (n - 1) / 2 * np.log1p(-(rho**2))
    density = (1 - nodes**2) ** ((n - 4) / 2) / (1 - rho * nodes) ** (n - 1.5)
    density *= hyp2f1(0.5, 0.5, n - 0.5, (1 + rho * nodes) / 2)
    mass = weights * density * np.exp(log_constant) * (n - 2) / np.sqrt(2 * np.pi)
    assert abs(mass.sum() - 1) < 1e-12
    mean = mass @ nodes
    return mean, *(mass @ (nodes - mean) ** k for k in (2, 3, 4))


def test_what_is_sampled_has_the_correlations_of_n_points():
    """Every pair of three directions has Hotelling's law, whatever the log variances; n + 1 points do not."""
    rho, n = 0.6, 12
    theory = Theory(*(np.full(3, moment) for moment in correlation_moments(rho, n)))
    scale = np.sqrt(theory.fourth - theory.variance**2)
    resolution = ((theory.variance - correlation_moments(rho, n + 1)[1]) / scale)[0]
    replicates = int(np.nanmax(replicates_for(theory, resolution, 6)[1]))
    root = np.linalg.cholesky(np.full((3, 3), rho) + (1 - rho) * np.eye(3))
    verdicts = {}
    for made in (n, n + 1, n // 4):
        rng = np.random.default_rng(0)
        x = np.broadcast_to(np.log([4.0, 1.0, 0.02]), (replicates, 3))
        drawn = paths._sampled(rng, np.broadcast_to(root, (replicates, 3, 3)), x, made)
        size = np.sqrt(np.diagonal(drawn, axis1=1, axis2=2))
        found = (drawn / (size[:, :, None] * size[:, None]))[:, [0, 0, 1], [1, 2, 2]]
        verdicts[made] = agree(Sample.of(found), theory)
    assert verdicts[n].holds
    assert verdicts[n + 1].variance.disagrees
    assert verdicts[n // 4].variance.disagrees


def test_the_bias_of_the_noise_multiplies_the_map():
    generator = Diffusion("affine", "linear", 20, "ddim")
    s = np.array([0.1, 1.0, 5.0])
    assert sampler_map(generator, 0.8)(s) == pytest.approx(0.8 * exact(s), rel=1e-12)


@pytest.fixture(scope="module")
def linear():
    """Digits judged by features that are linear in the pixels: f = W' x, W random."""
    source = real(Loop(Images("digits"), Replace(60), generator=Diffusion("affine", "edm", 4, "ddim")))
    weights = np.random.default_rng(3).normal(size=(64, 6)) * np.geomspace(1, 10, 6)

    def see(values):
        flat = values.reshape(len(values), -1)
        return Seen((flat @ weights).astype(np.float32), np.ones((len(values), 1), np.float32))

    return source, weights, Judge(source, Classifier(see, np.nan, np.nan))


def test_linear_features_respond_as_their_weights(linear, monkeypatch):
    """White noise of unit variance moves a' W' x by |W a|^2: squares of normals, so that 10% are seen."""
    source, weights, judge = linear
    expected = ((weights @ judge.feature_axes) ** 2).sum(axis=0)
    square = Theory(1.0, 2.0, 8.0, 60.0)  # chi-square with 1 degree of freedom
    needed = float(replicates_for(square, 0.1 / np.sqrt(2), len(expected))[0])
    monkeypatch.setattr(judging, "NOISES", int(np.ceil(needed / judge.size)))
    draws = judging.NOISES * judge.size
    # float32 features of size f have errors eps f, seen as (eps f / (LITTLE white))^2
    rounding = (np.finfo(np.float32).eps * 1e4 / (LITTLE * source.data.white)) ** 2
    allowed = alarm_threshold(len(expected)) * np.sqrt(2 / draws) + rounding
    found = judge.response() / expected
    assert (np.abs(found - 1) < allowed).all()
    for wrong in (0.9, 1.1):
        assert (np.abs(found * wrong - 1) > allowed).all()


def test_moments_in_feature_space_are_those_of_the_features(linear):
    source, weights, judge = linear
    values, labels = source.draw(np.random.default_rng(0), 300)
    found = judge.spectrum(Points(values[None], labels[None]))
    along = weights @ judge.feature_axes
    expected = along.T @ np.cov(values.reshape(300, -1), rowvar=False) @ along
    assert found["feature_covariance"][0] == pytest.approx(expected, rel=1e-3, abs=1e-3 * expected.max())
    assert np.array_equal(np.diag(found["feature_covariance"][0]), found["feature_variance"][0])
    assert found["covariance"].shape == (1, 64, 64)


def test_points_are_their_own_features():
    source = real(
        Loop(Gaussian([0, 0], [1, 2]), Replace(60), generator=Diffusion("affine", "edm", 4, "ddim"))
    )
    judge = Judge(source, None)
    values, labels = source.draw(np.random.default_rng(0), 50)
    assert judge.feature_axes is None
    assert not any("feature" in name for name in judge.spectrum(Points(values[None], labels[None])))
