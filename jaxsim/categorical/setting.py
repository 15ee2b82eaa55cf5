"""Categorical and Poisson loops made ready for the device: which kernel, in which blocks."""

from typing import Any

import numpy as np

from jaxsim import blocks
from jaxsim.binomial import LARGEST
from jaxsim.categorical import exact as categorical_exact
from jaxsim.categorical import literal as categorical_literal
from jaxsim.categorical import poisson
from jaxsim.categorical import population as categorical_population
from jaxsim.categorical.plan import Plan, plan
from jaxsim.setting import Engine, Precision, Setting
from theory.discrete_source import Poisson
from theory.loop import Loop, LoopError, sample_sizes
from theory.observable import CATEGORIES

LARGEST_KEPT = 2**22  # points that a replicate of the literal engine may keep
BLOCK_BYTES = 2**20  # what a block holds at once: little enough to stay in the cache


def prepared(
    loop: Loop, generations: int, engine: Engine, precision: Precision | None
) -> tuple[Setting, Precision]:
    """A loop with a categorical or a Poisson source made ready, and the precision chosen.

    Counts are drawn in float64 whatever the precision, which is that of what is observed.

    Raises:
        LoopError: for what the engine cannot do.
    """
    precision = precision or "float64"
    dtype = np.dtype(precision)
    kernel: blocks.Kernel
    if isinstance(loop.source, Poisson):
        kernel, fixed, steps = _poisson(loop, generations, engine, dtype)
    elif engine == "exact" and categorical_population.serves(loop):
        kernel, fixed, steps = _population(loop, generations, dtype)
    else:
        laid = plan(loop, generations, engine, dtype)
        kernel = (_exact if engine == "exact" else _literal)(laid)
        fixed, steps = laid.fixed, laid.steps

    def unit(name: str) -> tuple[np.ndarray, float]:
        return np.zeros(generations + 1), 1.0

    return Setting(kernel, fixed, steps, CATEGORIES, CATEGORIES, unit), precision


def _block(numbers: int) -> int:
    """Replicates a block, of so many numbers each: a power of two."""
    return int(np.clip(2 ** (BLOCK_BYTES // (8 * max(numbers, 1))).bit_length() // 2, 8, 256))


def _exact(laid: Plan) -> blocks.Kernel:
    shape = laid.shape
    vectors = shape.models + shape.batches * shape.parts + shape.sets + 4
    most = max((most for methods in shape.methods for _, most in methods), default=0)
    begin, step = categorical_exact.start(shape), categorical_exact.stepper(shape)
    return blocks.Kernel(
        begin, step, categorical_exact.look, (), (), _block(vectors * shape.categories + 2 * most), "summary"
    )


def _literal(laid: Plan) -> blocks.Kernel:
    shape = laid.shape
    if laid.capacity > LARGEST_KEPT:
        raise LoopError(
            "data", laid.capacity, f"the literal engine keeps up to {LARGEST_KEPT} points of a replicate"
        )
    # a power of two, so that a longer run, which keeps more, has the same program for most lengths
    capacity = 1 << max(laid.capacity - 1, 0).bit_length()
    begin, step = categorical_literal.start(shape, capacity), categorical_literal.stepper(shape)
    return blocks.Kernel(
        begin, step, categorical_exact.look, (), (), _block(capacity + 8 * shape.categories), "summary"
    )


def _population(loop: Loop, generations: int, dtype: np.dtype) -> tuple[blocks.Kernel, Any, Any]:
    n = loop.data.n
    begin, step = categorical_population.start(n), categorical_population.stepper(n)
    look, ahead = categorical_population.looker(n), categorical_population.ahead(n)
    block = _block(4 * n + 4 * loop.source.categories)
    kernel = blocks.Kernel(
        begin, step, look, (), (), block, "summary", ahead=ahead, together=True, cost=max(n // 4, 1)
    )
    return kernel, *categorical_population.parameters(loop, generations, dtype)


def _poisson(loop: Loop, generations: int, engine: Engine, dtype: np.dtype) -> tuple[blocks.Kernel, Any, Any]:
    largest = max(sample_sizes(loop.data.n, generations))
    if engine == "literal" and largest > LARGEST:
        raise LoopError("data.n", largest, f"the literal engine draws every point, up to {LARGEST}")
    mean = largest * max(loop.source.rates)
    if engine == "exact" and mean > LARGEST:
        raise LoopError("data.n", largest, f"counts are drawn exactly for means up to {LARGEST}")
    step = poisson.exact_step if engine == "exact" else poisson.literal_step
    block = _block(8 * loop.source.categories)
    kernel = blocks.Kernel(poisson.start, step, poisson.look, (), (), block, "summary")
    return kernel, *poisson.parameters(loop, generations, dtype)
