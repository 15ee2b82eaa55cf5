"""A block of replicates at once is the same run as one replicate after another."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from jaxsim.replace import exact, space, space_block
from jaxsim.schedule import schedule
from jaxsim.triangular import lower_product
from theory.loop import Gaussian, Loop, Replace

REPLICATES, GENERATIONS = 3, 4
EPS = np.finfo(float).eps
ULPS = 8  # of a logarithm, an exponential, a polynomial


def runs(n, d):
    """(states [generation] of every replicate alone, of all together), fixed, steps."""
    loop = Loop(Gaussian((0.0,) * d, tuple(1.0 + i for i in range(d))), Replace(n))
    fixed, steps = space.parameters(loop, schedule(loop, GENERATIONS), np.float64)
    fixed = jax.tree.map(jnp.asarray, fixed)
    replicates = jnp.arange(REPLICATES, dtype=jnp.uint32)
    alone = [[space.start(fixed)] for _ in range(REPLICATES)]
    together = [jax.tree.map(lambda leaf: jnp.stack([leaf] * REPLICATES, -1), space.start(fixed))]
    stages = []
    one, all_ = jax.jit(exact.space_step), jax.jit(space_block.step)
    for g in range(GENERATIONS):
        key = (jnp.uint32(7), jnp.uint32(g))
        step = jax.tree.map(lambda leaf, g=g: jnp.asarray(leaf[g]), steps)
        for i, states in enumerate(alone):
            words = exact.space_ahead(d)(key, jnp.uint32(i))
            states.append(one(fixed, step, words, jnp.uint32(i), states[-1]))
        words = space_block.ahead(d)(key, replicates)
        together.append(all_(fixed, step, words, replicates, together[-1]))
        stages.append(step)
    return alone, together, fixed, stages


@pytest.mark.parametrize(("n", "d"), [(30, 6), (4, 6), (9, 1)])
def test_replicates_together_are_replicates_alone(n, d):
    """Each B_kj is a product of at most d + 2 factors right to 8 ulps, each sum one of d terms."""
    with jax.enable_x64(True):
        alone, together, fixed, stages = runs(n, d)
        bound = GENERATIONS * (ULPS * (d + 2) + d) * EPS
        alive = np.asarray(stages[-1].alive)
        for i, states in enumerate(alone):
            one, other = states[-1], jax.tree.map(lambda leaf, i=i: leaf[..., i], together[-1])
            # nothing cancels by more than the largest entry there was
            largest = max(np.abs(np.asarray(s.shape)).max() for s in states) * d
            assert np.abs(np.asarray(one.u - other.u)).max() < bound * largest * d * np.sqrt(n)
            assert np.abs(np.asarray(one.shape - other.shape))[:, alive].max() < bound * largest
            assert np.abs(np.asarray(one.deviation - other.deviation)).max() < bound * largest
            assert not np.array_equal(one.u, together[-1].u[:, (i + 1) % REPLICATES])
        names = [name for name in space.OBSERVABLES if alive.all() or name not in space.FULL_RANK]
        look = jax.jit(lambda stage, state: [space.observe(name, fixed, stage, state) for name in names])
        seen = look(stages[-1], together[-1])
        for i, states in enumerate(alone):
            f = np.asarray(space.factor(fixed, stages[-1], states[-1]))[:, alive]
            values = np.linalg.svd(f, compute_uv=False)
            # an inverse of the covariance has its condition number for a factor
            condition = (values[0] / values[-1]) ** 2
            for name, many, expected in zip(names, seen, look(stages[-1], states[-1]), strict=True):
                scale = max(np.abs(np.asarray(expected)).max(), 1) * d**2 * condition
                assert np.abs(np.asarray(many[..., i] - expected)).max() < bound * scale, name


@pytest.mark.parametrize("d", [1, 4, 7])
def test_a_product_written_out_is_the_product(d):
    rng = np.random.default_rng(d)
    left, right = (np.tril(rng.standard_normal((3, d, d))) for _ in range(2))
    with jax.enable_x64(True):
        found = lower_product(jnp.moveaxis(jnp.asarray(left), 0, -1), jnp.moveaxis(jnp.asarray(right), 0, -1))
        fixed = lower_product(jnp.asarray(left[0]), jnp.moveaxis(jnp.asarray(right), 0, -1))
    bound = d * EPS * (np.abs(left) @ np.abs(right)).max()
    assert np.abs(np.moveaxis(np.asarray(found), -1, 0) - left @ right).max() <= bound
    assert np.abs(np.moveaxis(np.asarray(fixed), -1, 0) - left[0] @ right).max() <= bound * d
