"""Loops of kernel densities on the line made ready for the device, and what is measured on their points."""

from collections.abc import Callable
from functools import lru_cache, partial
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jax import lax
from jaxtyping import Array

from jaxsim import blocks
from jaxsim.kernel_density import error as kernel_density_error
from jaxsim.kernel_density.step import Fixed, Shape, Step, ahead, moments, rounded, starter, stepper
from jaxsim.mixture.menu import menu
from jaxsim.mixture.model import frame, in_units
from theory.estimator import RuleOfThumb
from theory.loop import Gaussian, Loop, LoopError
from theory.observable import KERNEL
from theory.source import Mixture

LARGEST_KEPT = 2**22  # points that a replicate keeps
BLOCK_BYTES = 2**18
NARROW = 1e-2  # a bandwidth below this part of the source's spread needs double precision
CHEAP = ("mean_error", "mean_error_squared", "variance")
POWERS = {"mean_error": 1, "mean_error_squared": 2, "variance": 2, "mise": -1, "nll": 0}
"""Observables, and the power of the unit of length that each is measured in."""


def prepared(loop: Loop, generations: int, engine: str, precision: Any) -> tuple[Any, Any]:
    """A loop of kernel densities made ready, and its precision.

    Raises:
        LoopError: for what the engine cannot do.
    """
    from jaxsim.setting import Setting

    if engine == "exact":
        reason = "a kernel density has no finite sufficient statistic; use the literal engine"
        raise LoopError("estimator.name", loop.estimator.name, reason)
    if loop.selection is not None:
        raise LoopError("selection.rule", loop.selection.rule, "kernel densities are simulated without one")
    if not loop.source.is_scalar:
        raise LoopError("source", loop.source.family, "kernel densities are simulated on the line")
    rule = isinstance(loop.estimator.bandwidth, RuleOfThumb)
    units = frame(as_mixture(loop.source))
    width = float(loop.estimator.bandwidth.factor) if rule else loop.estimator.bandwidth / units.scale
    close = rule or width < NARROW
    precision = precision or ("float64" if close else "float32")
    dtype = np.dtype(precision)
    steps, pairs, window = _steps(loop, generations, dtype)
    if 2 * pairs > LARGEST_KEPT:
        raise LoopError("data.n", 2 * pairs, f"a replicate keeps up to {LARGEST_KEPT} points")
    shape = Shape(
        pairs,
        window,
        real=bool((steps.real[1:] > 0).any()),
        mixed=bool((steps.share > 0).any()),
        rule=rule,
        biased=loop.sampler.bias != 1,
    )
    fixed = Fixed(
        in_units(as_mixture(loop.source), units, dtype),
        in_units(as_mixture(loop.first_model), units, dtype),
        np.asarray(width, dtype),
        np.asarray(2.0**32, dtype),
    )
    nodes = kernel_density_error.nodes_for(width if not rule else 0.3)
    look = _looker(rule, nodes)
    block = int(np.clip(2 ** (BLOCK_BYTES // (2 * pairs * dtype.itemsize)).bit_length() // 2, 32, 512))
    kernel = blocks.Kernel(
        starter(pairs), stepper(shape), look, (), (), block, "summary",
        ahead=ahead(shape), together=True, cost=window,
    )  # fmt: skip
    unit = partial(_unit, scale=units.scale, generations=generations)
    return Setting(kernel, fixed, steps, KERNEL, CHEAP, unit), precision


def as_mixture(source: Gaussian | Mixture) -> Mixture:
    """A source on the line, a Gaussian being a mixture of one."""
    return source if isinstance(source, Mixture) else Mixture((1.0,), (source.mean,), (source.variance,))


def _steps(loop: Loop, generations: int, dtype: np.dtype) -> tuple[Step, int, int]:
    """The numbers of each generation, the pairs that are kept and those that a generation may write."""
    _, table = menu(loop, generations)
    new_real = table.real + table.pool_real + table.anchor
    new = new_real + table.model + table.pool_model
    stays = np.cumsum(table.pool_real + table.pool_model + table.anchor)
    kept = np.concatenate([[0], stays[:-1]])
    size = kept + new
    steps = Step(
        before=np.concatenate([[1], size[:-1]]).astype(np.uint32),
        kept=kept.astype(np.uint32),
        real=new_real.astype(np.uint32),
        size=size.astype(np.uint32),
        share=table.share.astype(dtype),
        real_factor=table.real_factor.astype(dtype),
        model_factor=table.model_factor.astype(dtype),
        first=np.arange(generations) == 0,
    )
    window = int(((size + 1) // 2 - kept // 2).max())
    # room for a window that starts at the last stretch
    pairs = int((kept // 2).max()) + window
    return steps, rounded(pairs), rounded(pairs) if window == pairs else window


@lru_cache(maxsize=64)
def _looker(rule: bool, nodes: int) -> Callable:
    """What observes a state: one object for equal arguments, so that compiled programs are found again."""

    def look(name: str, fixed: Fixed, step: Step, state: Array) -> Array:
        mean, variance = moments(state, step.size)
        if name == "mean_error":
            return mean
        if name == "mean_error_squared":
            return mean * mean
        if name == "variance":
            return variance
        width = fixed.width
        if rule:
            power = step.size.astype(mean.dtype) ** mean.dtype.type(-0.2)
            width = width * power * jnp.sqrt(variance)
        pairs = lax.complex(state[0], state[1])
        if name == "mise":
            error = partial(kernel_density_error.integrated, source=fixed.source)
        else:
            error = partial(kernel_density_error.cross_entropy, source=fixed.source, nodes=nodes)
        wide = jnp.broadcast_to(width, mean.shape)
        return jax.vmap(lambda x, h: error(x, step.size, h), (-1, -1), -1)(pairs, wide)

    return look


def _unit(name: str, scale: float, generations: int) -> tuple[np.ndarray, float]:
    """(shift [1 + generation], factor): a density is per unit of length, its logarithm off by the unit's."""
    shift = np.full(1 + generations, np.log(scale)) if name == "nll" else np.zeros(1 + generations)
    return shift, scale ** POWERS[name]
