"""A convolutional denoiser for images: F(x, cos, sin, label) of one image [height, width, channel].

Two halvings, of `width`, 2 `width` and 4 `width` features; on the way back each resolution sees what it
was on the way down (Ronneberger et al. 2015, arXiv:1505.04597), as in Ho et al. (2020), arXiv:2006.11239,
without attention.
"""

from __future__ import annotations

import jax
import jax.numpy as jnp
from flax import nnx
from jaxtyping import Array

from models.network import Context

WIDENING = (1, 2, 4)
GROUPS = 8
KERNEL = (3, 3)


class Convolutions(nnx.Module):
    """Two normed convolutions beside a shortcut, modulated by the context in between."""

    def __init__(self, entering: int, leaving: int, context: int, rngs: nnx.Rngs):
        zeros = nnx.initializers.zeros
        self.norm = nnx.GroupNorm(entering, num_groups=GROUPS, rngs=rngs)
        self.first = nnx.Conv(entering, leaving, KERNEL, rngs=rngs)
        self.modulation = nnx.Linear(context, 2 * leaving, kernel_init=zeros, rngs=rngs)
        self.inner_norm = nnx.GroupNorm(leaving, num_groups=GROUPS, rngs=rngs)
        self.second = nnx.Conv(leaving, leaving, KERNEL, kernel_init=zeros, rngs=rngs)
        same = entering == leaving
        self.shortcut = None if same else nnx.Linear(entering, leaving, use_bias=False, rngs=rngs)

    def __call__(self, h: Array, context: Array) -> Array:
        """[height, width, entering] -> [height, width, leaving]."""
        scale, shift = jnp.split(self.modulation(context), 2)
        inner = self.first(nnx.silu(self.norm(h[None])))
        inner = self.second(nnx.silu(self.inner_norm(inner) * (1 + scale) + shift))[0]
        return inner + (h if self.shortcut is None else self.shortcut(h))


class UNet(nnx.Module):
    """Convolutions at three resolutions; the sides of the image must be multiples of 4."""

    def __init__(self, shape: tuple[int, ...], width: int, depth: int, classes: int, rngs: nnx.Rngs):
        channels = shape[-1]
        widths = [width * factor for factor in WIDENING]
        room = 4 * width
        self.context = Context(room, classes, rngs)
        self.enter = nnx.Conv(channels, width, KERNEL, rngs=rngs)
        h, kept, down = width, [width], []
        for level, features in enumerate(widths):
            for _ in range(depth):
                down.append(Convolutions(h, features, room, rngs))
                h = features
                kept.append(h)
            if level < len(widths) - 1:
                kept.append(h)
        self.middle = Convolutions(h, h, room, rngs)
        up = []
        for features in reversed(widths):
            for _ in range(depth + 1):
                up.append(Convolutions(h + kept.pop(), features, room, rngs))
                h = features
        self.down, self.up = nnx.List(down), nnx.List(up)
        self.norm = nnx.GroupNorm(h, num_groups=GROUPS, rngs=rngs)
        self.leave = nnx.Conv(h, channels, KERNEL, kernel_init=nnx.initializers.zeros, rngs=rngs)
        self.depth = depth

    def __call__(self, x: Array, cos: Array, sin: Array, label: Array) -> Array:
        """F at one image."""
        context = self.context(cos, sin, label)
        h = self.enter(x[None])[0]
        kept, down = [h], list(self.down)
        for level in range(len(WIDENING)):
            for _ in range(self.depth):
                h = down.pop(0)(h, context)
                kept.append(h)
            if level < len(WIDENING) - 1:
                h = nnx.avg_pool(h[None], (2, 2), strides=(2, 2))[0]
                kept.append(h)
        h, up = self.middle(h, context), list(self.up)
        for level in range(len(WIDENING)):
            for _ in range(self.depth + 1):
                h = up.pop(0)(jnp.concatenate([h, kept.pop()], -1), context)
            if level < len(WIDENING) - 1:
                height, across, features = h.shape
                h = jax.image.resize(h, (2 * height, 2 * across, features), "nearest")
        return self.leave(nnx.silu(self.norm(h[None])))[0]
