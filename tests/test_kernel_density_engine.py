"""Kernel densities simulated: against a loop in NumPy, and what is measured on points that are known."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from scipy import integrate, stats
from sklearn.neighbors import KernelDensity as Peer

from jaxsim.agreement import Sample, Theory, agree, replicates_needed
from jaxsim.kernel_density.error import cross_entropy, integrated, nodes_for
from jaxsim.kernel_density.setting import as_mixture
from jaxsim.kernel_density.step import moments
from jaxsim.mixture.model import frame, in_units
from jaxsim.simulate import simulate
from theory.estimator import KernelDensity
from theory.kernel_density import reading as kernel_density
from theory.loop import Gaussian, Loop, LoopError, Replace
from theory.policy import Accumulate, Fixed, Fresh, Web, Window
from theory.sampler import Sampler
from theory.source import Mixture

RESOLUTION = 1 / 20
UNIT = Gaussian(0.0, 1.0)
NAMES = ["mean_error", "variance"]
TOLERANCE = 1e-8  # scipy's quad, asked for a tenth of it


@pytest.fixture
def _double_precision():
    with jax.enable_x64(True):
        yield


@pytest.mark.usefixtures("_double_precision")
@pytest.mark.parametrize("source", [Gaussian(0.0, 1.0), Mixture((0.3, 0.7), (-1.2, 0.6), (0.5, 1.0))])
@pytest.mark.parametrize("n", [6, 7])
def test_errors_of_known_points_by_quadrature(n, source):
    rng = np.random.default_rng(n)
    x, width = rng.normal(size=n), 0.45
    state = np.zeros(5, complex)
    state.real[: (n + 1) // 2], state.imag[: n // 2] = x[::2], x[1::2]
    state.real[(n + 1) // 2 :] = 99.0  # what lies beyond the first n is not there
    units = frame(as_mixture(source))._replace(origin=np.zeros(1), scale=1.0)
    model = in_units(as_mixture(source), units, np.float64)
    scale = np.asarray(width)

    def truth(y):
        return sum(
            w * stats.norm.pdf(y, m, f)
            for w, m, f in zip(model.weights, model.means[:, 0], model.factors[:, 0, 0], strict=True)
        )

    peer = Peer(bandwidth=width).fit(x[:, None])
    density = lambda y: np.exp(peer.score_samples([[y]])[0])  # noqa: E731
    asked = {"epsabs": TOLERANCE / 10, "limit": 300}
    error, _ = integrate.quad(lambda y: (density(y) - truth(y)) ** 2, -12, 12, **asked)
    nll, _ = integrate.quad(lambda y: -truth(y) * peer.score_samples([[y]])[0], -9, 9, **asked)
    state = jnp.asarray(state)
    assert integrated(state, np.uint32(n), scale, model) == pytest.approx(error, abs=TOLERANCE)
    found = cross_entropy(state, np.uint32(n), scale, model, nodes_for(width))
    assert found == pytest.approx(nll, abs=TOLERANCE)
    mean, variance = moments(jnp.stack([state.real, state.imag]), np.uint32(n))
    assert (mean, variance) == (pytest.approx(x.mean(), rel=1e-12), pytest.approx(x.var(), rel=1e-12))


def test_a_longer_run_extends_a_shorter_one():
    for data in (Replace(9), Accumulate(5)):
        loop = Loop(UNIT, data, KernelDensity(0.3))
        told = {"engine": "literal", "keep": "replicates", "observables": NAMES}
        short, long = simulate(loop, (1, 3), 40, **told), simulate(loop, (1, 3, 6), 70, **told)
        for name in short:
            same = long[name].isel(replicate=slice(40), generation=slice(2))
            # a pool with more room is another program: its sums may end in another bit of float32
            np.testing.assert_allclose(short[name], same, rtol=1e-5, atol=1e-6)


REFUSED = [
    (Loop(UNIT, Replace(9), KernelDensity(0.3)), "exact", "literal engine"),
    (Loop(UNIT, Window(5, 2), KernelDensity(0.3)), "literal", "replace, accumulate, fresh, fixed"),
    (Loop(Gaussian((0.0, 1.0), 1.0), Replace(9), KernelDensity(0.3)), "literal", "on the line"),
]


@pytest.mark.parametrize(("loop", "engine", "words"), REFUSED)
def test_what_is_not_simulated_says_so(loop, engine, words):
    with pytest.raises(LoopError, match=words):
        simulate(loop, 2, 10, engine=engine)


def numpy_loop(rng, n, width, generations):
    x = rng.normal(size=n)
    for _ in range(generations - 1):
        x = x[rng.integers(0, n, n)] + width * rng.normal(size=n)
    return x.mean(), x.var()


@pytest.mark.slow
def test_engine_and_a_loop_in_numpy_have_one_law():
    count = int(replicates_needed(RESOLUTION, 2**0.5, 2))
    rng = np.random.default_rng(5)
    theirs = np.array([numpy_loop(rng, 15, 0.4, 4) for _ in range(count)])
    loop = Loop(UNIT, Replace(15), KernelDensity(0.4))
    found = simulate(loop, 4, count, engine="literal", observables=NAMES, keep="replicates")
    ours = np.stack([found[name].values[:, 0] for name in NAMES], axis=-1)
    assert agree(Sample.of(ours - theirs), Theory(np.zeros(2))).mean.holds
    moved = RESOLUTION * theirs.std(0)
    assert agree(Sample.of(ours - theirs + moved), Theory(np.zeros(2))).mean.disagrees


POLICIES = [
    Loop(Gaussian(1.0, 4.0), Fresh(6, 15), KernelDensity(0.5)),
    Loop(UNIT, Fresh(6, 15, "iid"), KernelDensity(0.5)),
    Loop(UNIT, Fixed(15, 16), KernelDensity(0.5)),
    Loop(UNIT, Web(15, 4, 7), KernelDensity(0.5)),
    Loop(UNIT, Accumulate([9, 4, 7, 1, 8]), KernelDensity({"factor": 1.0})),
    Loop(UNIT, Replace([9, 14, 7, 11, 8]), KernelDensity(0.5), Sampler(bias=0.7)),
]


@pytest.mark.slow
@pytest.mark.parametrize("loop", POLICIES)
def test_the_engine_agrees_with_theory(loop):
    steps = [1, 2, 5]
    count = int(replicates_needed(RESOLUTION, 1.0, 6))
    found = simulate(loop, steps, count, engine="literal", observables=NAMES)
    for name in NAMES:
        known = kernel_density.statistics(loop, [name], steps)[name]
        parts = [
            found[name].sel(statistic=s).values for s in ("count", "mean", "variance", "third", "fourth")
        ]
        agreement = agree(Sample(*parts), Theory(known.mean, known.variance), comparisons=6).mean
        assert agreement.holds, name
        assert agreement.rejects(RESOLUTION).all()
