"""A Gaussian loop under replacement made ready for the device: the choice of kernel and precision."""

from collections.abc import Callable
from functools import partial
from typing import Any

import numpy as np

from jaxsim import blocks
from jaxsim.replace import exact, line, literal, space, space_block
from jaxsim.schedule import Schedule, gaussians, require_gaussian_numbers, schedule
from jaxsim.setting import Engine, Precision, Setting
from theory.loop import Gaussian, Loop, LoopError
from theory.observable import LINE

LARGEST_LITERAL = 2**31
LARGEST_SINGLE = 10**6  # beyond this n the rounding of float32 nears the spread of one fit
LARGEST_SINGLE_SPACE = 10**4  # in d dimensions W2^2 ~ d^2 / n is a difference of traces of order d
SMALLEST_SINGLE_CUT = 1e-2  # samples truncated closer than this differ too little in float32
SMALLEST_CUT = 1e-6  # ... and in float64
BLOCK = 512  # of 1,024 XLA would hand half of every loop to another core, which costs more than the half


def prepared(
    loop: Loop, generations: int, engine: Engine, precision: Precision | None
) -> tuple[Setting, Precision]:
    """A loop made ready, and the precision chosen.

    Raises:
        LoopError: for what the engine cannot do.
    """
    require_gaussian_numbers(loop)
    plan = schedule(loop, generations)
    precision = precision or chosen_precision(loop, plan, engine)
    return prepare(loop, plan, engine, np.dtype(precision)), precision


def prepare(loop: Loop, plan: Schedule, engine: Engine, dtype: np.dtype) -> Setting:
    """The kernel of a loop and its arguments, in one precision.

    Raises:
        LoopError: for what the engine cannot do.
    """
    if engine == "exact" and plan.truncated.any():
        raise LoopError(
            "sampler.truncate",
            loop.sampler.truncate,
            "truncated samples have no finite sufficient statistic; use the literal engine",
        )
    if engine == "literal" and plan.sizes.max() > LARGEST_LITERAL:
        raise LoopError(
            "data.n", int(plan.sizes.max()), f"the literal engine draws every sample, up to {LARGEST_LITERAL}"
        )
    if plan.truncated.any() and loop.sampler.truncate < SMALLEST_CUT:
        raise LoopError(
            "sampler.truncate",
            loop.sampler.truncate,
            f"below {SMALLEST_CUT:g} the samples are too close together to be told apart",
        )
    source, _ = gaussians(loop)
    family: Any = line if source.is_scalar else space
    fixed, steps = family.parameters(loop, plan, dtype)
    step = _STEPS[family, engine, bool(plan.truncated.any())]
    observe = _observe_line if family is line else space.observe
    cost = _literal_cost(int(plan.sizes[0])) if engine == "literal" else 1
    kernel = blocks.Kernel(family.start, step, observe, (), (), _block(loop), "summary", cost=cost)
    if engine == "exact":
        kernel = kernel._replace(**_words_ahead(source))
    names = (LINE, LINE) if family is line else (space.available(plan), space.default(plan))
    return Setting(kernel, fixed, steps, *names, partial(family.unit, loop=loop, plan=plan))


def _literal_cost(size: int) -> int:
    """A generation of so many samples beside one of two numbers, in powers of four: programs are shared."""
    return 4 ** ((size // 16).bit_length() // 2)


def _words_ahead(source: Gaussian) -> dict[str, Any]:
    """What the exact engine's kernel has beyond the literal one's."""
    if source.is_scalar:
        return {"ahead": exact.line_ahead, "block": BLOCK}
    d = source.dimension
    cost = max(d * d // 4, 1)
    if d > space_block.LARGEST:
        return {"ahead": exact.space_ahead(d), "cost": cost}
    return {
        "step": space_block.step,
        "ahead": space_block.ahead(d),
        "together": True,
        "cost": cost,
        "block": space_block.block(d),
    }


def chosen_precision(loop: Loop, plan: Schedule, engine: str) -> Precision:
    """What a run is computed in unless told otherwise."""
    # by what does not depend on the generation: a longer run must extend a shorter one to the last bit
    flat = gaussians(loop)[0].is_scalar
    large = plan.sizes[0] > (LARGEST_SINGLE if flat else LARGEST_SINGLE_SPACE)
    cut = loop.sampler.truncate
    close = cut is not None and cut < SMALLEST_SINGLE_CUT
    # a Cholesky factor of a sampled scatter matrix squares its condition number
    squared = engine == "literal" and not flat
    return "float64" if large or close or squared else "float32"


def _observe_line(name: str, fixed: Any, step: Any, state: Any) -> Any:
    return line.observe(name, fixed, step.log_variance, state)


# one object each, so that compiled programs are found again
_STEPS: dict[tuple[Any, str, bool], Callable] = {
    (line, "exact", False): exact.line_step,
    (space, "exact", False): exact.space_step,
    (line, "literal", False): partial(literal.line_step, truncating=False),
    (line, "literal", True): partial(literal.line_step, truncating=True),
    (space, "literal", False): partial(literal.space_step, truncating=False),
    (space, "literal", True): partial(literal.space_step, truncating=True),
}


def _block(loop: Loop) -> int:
    """Replicates a block: enough to fill vector instructions, few enough to stay in the cache."""
    source, _ = gaussians(loop)
    if source.is_scalar:
        return 1024
    fitting = 2**16 // source.dimension**2
    return int(np.clip(2 ** max(fitting, 1).bit_length() // 2, 8, 512))
