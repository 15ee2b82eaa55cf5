"""What the denoising perceptron passes on."""

import jax
import jax.numpy as jnp
import numpy as np

from models.network import network
from theory.generator import Diffusion

SHAPE, WIDTH = (4, 4, 1), 32
COS, SIN = jnp.float32(0.6), jnp.float32(0.8)


def perceptron(width, shape=SHAPE):
    start, apply = network(Diffusion("mlp", "edm", 10, "ddim", width=width, depth=1), shape, 0)
    return start(jax.random.key(0)), lambda parameters, x: apply(parameters, x, COS, SIN, jnp.int32(0))


def test_narrow_layers_have_a_multiple_of_the_point_beside_them():
    parameters, apply = perceptron(WIDTH - 8)
    x = jax.random.normal(jax.random.key(1), SHAPE)
    before = apply(parameters, x)
    parameters["past"]["bias"] = jnp.array([0.25])
    np.testing.assert_array_equal(apply(parameters, x), before + 0.25 * x)


def test_layers_twice_as_wide_carry_the_point_themselves():
    parameters, _ = perceptron(WIDTH)
    assert "past" not in parameters


def test_the_multiple_depends_on_the_noise_level():
    start, apply = network(Diffusion("mlp", "edm", 10, "ddim", width=WIDTH - 8, depth=1), SHAPE, 0)
    parameters = start(jax.random.key(0))
    kernel = parameters["past"]["kernel"]
    parameters["past"]["kernel"] = jnp.ones_like(kernel)
    x, label = jnp.ones(SHAPE), jnp.int32(0)
    loud, quiet = (apply(parameters, x, cos, sin, label) for cos, sin in ((COS, SIN), (SIN, COS)))
    assert not np.allclose(loud, quiet)
