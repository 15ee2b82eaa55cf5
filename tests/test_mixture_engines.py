"""Mixtures simulated: against scikit-learn's EM, against loops drawn in NumPy, and what must never happen."""

import warnings

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from sklearn.mixture import GaussianMixture

from jaxsim.agreement import Sample, Theory, agree, replicates_for
from jaxsim.mixture.expectation_maximisation import Piece, fit
from jaxsim.mixture.labels import Tally, fitted, merged
from jaxsim.mixture.model import Model, whole
from jaxsim.simulate import simulate
from theory.estimator import MaximumLikelihood, Unbiased
from theory.loop import Loop, LoopError, Replace
from theory.mixture import reading as mixture
from theory.policy import Accumulate, Fixed, Fresh, Memory, Web, Window
from theory.sampler import Sampler
from theory.source import Mixture

THREE = Mixture((0.6, 0.3, 0.1), (-2.0, 0.5, 4.0), (1.0, 0.5, 2.0))
TWO = Mixture((0.4, 0.6), (-1.5, 1.5), (1.0, 0.5))
PLANE = Mixture((0.6, 0.4), ((-2.0, 0.0), (1.0, 1.0)), ((1.0, 0.5), ((2.0, 0.5), (0.5, 1.0))))
SKLEARN = {"full": "full", "tied": "tied", "diagonal": "diag", "spherical": "spherical"}
RESOLUTION = 1 / 20


def em(**options):
    return MaximumLikelihood(fit="em", **options)


@pytest.fixture(autouse=True)
def _double_precision():
    with jax.enable_x64(True):
        yield


@pytest.mark.parametrize("kind", SKLEARN)
@pytest.mark.parametrize(("components", "d"), [(2, 1), (3, 1), (2, 2), (3, 3)])
def test_iterations_are_those_of_scikit_learn(components, d, kind):
    rng = np.random.default_rng(components * 10 + d)
    x = rng.normal(size=(400, d)) + 3 * rng.integers(0, components, (400, 1))
    weights = rng.dirichlet(np.full(components, 5.0))
    means = rng.normal(size=(components, d)) + 3 * np.arange(components)[:, None]
    spread = 1.5
    precisions = {
        "full": np.stack([np.eye(d)] * components) / spread,
        "tied": np.eye(d) / spread,
        "diagonal": np.full((components, d), 1 / spread),
        "spherical": np.full(components, 1 / spread),
    }[kind]
    peer = GaussianMixture(
        components, covariance_type=SKLEARN[kind], tol=0, reg_covar=0, max_iter=5,
        weights_init=weights, means_init=means, precisions_init=precisions,
    )  # fmt: skip
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # it is told to stop before it has converged
        peer.fit(x)
    factors = np.stack([np.sqrt(spread) * np.eye(d)] * components)
    model = Model(*map(jnp.asarray, (weights, means, factors)))
    halves = [x[::2], x[1::2]]
    pieces = tuple(Piece(jnp.asarray(half.reshape(-1, 20) if d == 1 else half), None) for half in halves)
    found = fit(pieces, len(x), model, 5, kind)
    covariances = np.einsum("kil,kjl->kij", found.factors, found.factors)
    if kind == "diagonal":
        expected = np.array([np.diag(row) for row in peer.covariances_])
    elif kind == "spherical":
        expected = np.array([v * np.eye(d) for v in peer.covariances_])
    else:
        expected = np.broadcast_to(peer.covariances_, covariances.shape)
    # two orders of summing 400 terms, amplified by five iterations
    np.testing.assert_allclose(found.weights, peer.weights_, rtol=1e-9)
    np.testing.assert_allclose(found.means, peer.means_, rtol=1e-9, atol=1e-9)
    np.testing.assert_allclose(covariances, expected, rtol=1e-8, atol=1e-9)


@pytest.mark.parametrize("kind", SKLEARN)
def test_soft_em_has_the_moments_of_its_sample(kind):
    rng = np.random.default_rng(3)
    x = rng.normal(size=(60, 2)) * [1, 3] + rng.integers(0, 2, (60, 1))
    kept = np.arange(60) < 47
    model = Model(jnp.array([0.3, 0.7]), jnp.array([[0.0, 1.0], [1.0, 0.0]]), jnp.stack([jnp.eye(2)] * 2))
    found = fit((Piece(jnp.asarray(x), jnp.asarray(kept * 1.0)),), kept.sum(), model, 3, kind)
    mean, within, between = whole(found)
    sample, total = x[kept].mean(0), np.cov(x[kept].T, ddof=0)
    np.testing.assert_allclose(mean, sample, rtol=1e-12)
    if kind in ("full", "tied"):
        np.testing.assert_allclose(within + between, total, rtol=1e-10)
    elif kind == "diagonal":
        np.testing.assert_allclose(np.diag(within + between), np.diag(total), rtol=1e-10)
    assert np.trace(within + between) == pytest.approx(np.trace(total), rel=1e-12)


@pytest.mark.parametrize("unbiased", [False, True])
@pytest.mark.parametrize("kind", SKLEARN)
def test_a_tally_in_two_parts_is_fitted_as_one(kind, unbiased):
    rng = np.random.default_rng(4)
    x, label = rng.normal(size=(9, 2)) * [1, 2], np.array([0, 0, 0, 0, 1, 1, 1, 1, 2])

    def tally(rows):
        columns = zip(*(counted(x[rows & (label == k)]) for k in range(4)), strict=True)
        return Tally(*(jnp.array(column, float) for column in columns))

    def counted(points):
        if not len(points):
            return 0.0, np.zeros(2), np.zeros((2, 2))
        gap = points - points.mean(0)
        return len(points), points.mean(0), gap.T @ gap

    first = np.arange(9) % 2 == 0
    before = Model(jnp.full(4, 0.25), jnp.zeros((4, 2)), jnp.stack([7 * jnp.eye(2)] * 4))
    both = fitted(merged(tally(first), tally(~first)), before, kind, unbiased)
    one = fitted(tally(first | True), before, kind, unbiased)
    for a, b in zip(both, one, strict=True):
        np.testing.assert_allclose(a, b, rtol=1e-12, atol=1e-12)
    np.testing.assert_allclose(one.weights, [4 / 9, 4 / 9, 1 / 9, 0])
    assert not np.any(one.factors[3])
    single = np.asarray(one.factors[2])
    if kind != "tied":
        np.testing.assert_allclose(single, 7 * np.eye(2) if unbiased else np.zeros((2, 2)))
        points = x[:4]
        gap = points - points.mean(0)
        matrix = gap.T @ gap / (3 if unbiased else 4)
        shapes = {"full": matrix, "diagonal": np.diag(np.diag(matrix))}
        shapes["spherical"] = np.trace(matrix) / 2 * np.eye(2)
        np.testing.assert_allclose(one.factors[0] @ one.factors[0].T, shapes[kind], rtol=1e-12, atol=1e-12)


OTHERS = pytest.mark.slow
COLLAPSING = [
    pytest.param(Loop(THREE, Replace(4)), "exact"),
    pytest.param(Loop(THREE, Replace(4)), "literal", marks=OTHERS),
    pytest.param(Loop(PLANE, Replace(4)), "exact", marks=OTHERS),
    pytest.param(Loop(PLANE, Replace(4)), "literal", marks=OTHERS),
    pytest.param(Loop(PLANE, Replace(3), MaximumLikelihood(covariance="tied")), "exact", marks=OTHERS),
    pytest.param(Loop(THREE, Replace(3), Unbiased()), "exact", marks=OTHERS),
    pytest.param(Loop(THREE, Replace(4), em(iterations=5)), "literal"),
    pytest.param(Loop(PLANE, Replace(4), em(iterations=3)), "literal", marks=OTHERS),
    pytest.param(Loop(TWO, Fresh(2, 3), em(iterations=5)), "literal", marks=OTHERS),
]


@pytest.mark.parametrize(("loop", "engine"), COLLAPSING)
def test_dead_components_are_reported_and_nothing_is_nan(loop, engine):
    names = ["mean_error_squared", "variance", "within", "weights", "components_alive", "w2_squared"]
    steps = (1, 3, 40, 400)
    found = simulate(loop, steps, 200, engine=engine, observables=names, keep="replicates")
    for name in names:
        assert np.isfinite(found[name]).all(), name
    assert (found.components_alive >= 1).all()
    np.testing.assert_array_equal((found.weights > 0).sum("component"), found.components_alive)
    np.testing.assert_allclose(found.weights.sum("component"), 1, rtol=1e-12)
    if loop.data == Replace(4) and loop.estimator.fit is None:
        assert float(found.components_alive[:, -1].mean()) == 1


def test_a_longer_run_extends_a_shorter_one():
    cases = (Loop(THREE, Replace(20)), "exact"), (Loop(TWO, Replace(21), em(iterations=2)), "literal")
    for loop, engine in cases:
        told = {"engine": engine, "keep": "replicates", "observables": ["variance", "weights"]}
        short, long = simulate(loop, (1, 3), 40, **told), simulate(loop, (1, 3, 6), 70, **told)
        same = long.isel(replicate=slice(40), generation=slice(2))
        for name in short:
            np.testing.assert_array_equal(short[name], same[name])


REFUSED = [
    (Loop(TWO, Replace(20), em(iterations=2)), "exact", "literal engine"),
    (Loop(TWO, Window(10, 3)), "exact", "replace, accumulate, fresh, fixed"),
    (Loop(TWO, Memory(5, 5, 2)), "exact", "replace, accumulate, fresh, fixed"),
    (Loop(TWO, Web(20, 5, 5, 10)), "exact", "random subset"),
    (Loop(TWO, Fresh(5, 5, weight=0.5)), "exact", "equal weight"),
    (Loop(TWO, Replace(10**6)), "exact", "literal one"),
]


@pytest.mark.parametrize(("loop", "engine", "words"), REFUSED)
def test_what_is_not_simulated_says_so(loop, engine, words):
    with pytest.raises(LoopError, match=words):
        simulate(loop, 2, 10, engine=engine)


def numpy_loop(rng, generations, n, unbiased):
    """A hard-label loop as one would write it, point by point: within, between and the number alive."""
    w, mu, s = map(np.array, (THREE.weights, THREE.means, THREE.variances))
    for _ in range(generations):
        label = rng.choice(len(w), n, p=w)
        x = rng.normal(mu[label], np.sqrt(s[label]))
        for k in range(len(w)):
            mine = x[label == k]
            if len(mine):
                mu[k] = mine.mean()
            if len(mine) > 1 or not unbiased:
                s[k] = mine.var(ddof=int(unbiased)) if len(mine) else 0
            w[k] = len(mine) / n
    return w @ s, w @ (mu - w @ mu) ** 2, (w > 0).sum()


@pytest.mark.slow
@pytest.mark.parametrize(("unbiased", "n", "last"), [(False, 30, 3), (True, 80, 2)])
def test_theory_agrees_with_a_loop_in_numpy(unbiased, n, last):
    rng = np.random.default_rng(11)
    loop = Loop(THREE, Replace(n), Unbiased() if unbiased else MaximumLikelihood())
    names = ["within", "between", "components_alive"]
    found = mixture.statistics(loop, names, [last], 4)
    theory = Theory(*np.stack([found[name].central_moments()[:, 0] for name in names], axis=-1))
    count = int(np.nanmax(replicates_for(theory, RESOLUTION, 4)[0]))
    values = np.array([numpy_loop(rng, last, n, unbiased) for _ in range(count)], float)
    sample = Sample.of(values)
    assert agree(sample, theory).mean.holds
    moved = np.asarray(theory.mean) + RESOLUTION * values.std(0)
    assert agree(sample, theory._replace(mean=moved)).mean.disagrees


POLICIES = [
    Loop(TWO, Fresh(6, 15)),
    Loop(TWO, Fresh(6, 15, "iid")),
    Loop(TWO, Fixed(20, 15)),
    Loop(TWO, Accumulate(20)),
    Loop(TWO, Web(20, 4, 6)),
    Loop(PLANE, Replace(25), MaximumLikelihood(covariance="diagonal")),
    Loop(PLANE, Replace(25), MaximumLikelihood(covariance="spherical")),
    Loop(PLANE, Replace(25), MaximumLikelihood(covariance="tied")),
    Loop(THREE, Replace(25), sampler=Sampler(bias=0.8)),
]


@pytest.mark.slow
@pytest.mark.parametrize("engine", ["exact", "literal"])
@pytest.mark.parametrize("loop", POLICIES)
def test_both_engines_agree_with_theory(loop, engine):
    steps, names = [1, 4], ["mean_error", "variance", "weights"]
    for name in names:
        known = mixture.statistics(loop, [name], steps, 4)[name]
        theory = Theory(*known.central_moments())
        count = int(np.nanmax(replicates_for(theory, RESOLUTION, 50)[0]))
        found = simulate(loop, steps, count, engine=engine, observables=[name])[name]
        parts = [found.sel(statistic=s).values for s in Sample._fields]
        agreement = agree(Sample(*parts), theory, comparisons=50)
        assert not agreement.disagrees, name
        assert agreement.mean.rejects(RESOLUTION)[agreement.mean.tested].all()
