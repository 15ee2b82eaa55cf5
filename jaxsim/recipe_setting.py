"""A loop with a recipe made ready for the device: the counterpart of `jaxsim.setting.prepare`."""

from typing import Any, NamedTuple

import numpy as np
from scipy.special import erf

from jaxsim import blocks, recipe_exact, recipe_literal, recipe_statistics
from jaxsim.recipe_observe import literal_observer
from jaxsim.recipe_plan import Plan, model_axis, plan, starts, targets
from jaxsim.schedule import gaussians
from theory.loop import Loop, LoopError, require_numbers

LARGEST_KEPT = 2**22  # points that a replicate of the literal engine may keep
LITERAL_BYTES = 2**26  # what a block of the literal engine may keep


class LiteralStep(NamedTuple):
    """The columns of `jaxsim.recipe_plan.Table` that the literal engine reads."""

    form: Any
    count: Any
    base: Any
    real_factor: Any
    model_factor: Any
    real_cut: Any
    model_cut: Any
    share: Any
    piece_count: Any
    piece_base: Any
    taken: Any
    weight: Any
    divisor: Any
    total: Any
    fit_divisor: Any


def ready(loop: Loop, generations: int, engine: str, dtype: np.dtype) -> tuple[blocks.Kernel, Any, Any]:
    """The kernel of a loop, without names, and its arguments.

    Raises:
        LoopError: for what the engine cannot do.
    """
    require_numbers(loop)
    source, _ = gaussians(loop)
    if not source.is_scalar:
        raise LoopError(
            "source.mean", source.mean, f"policy {loop.data.policy} is simulated for sources on the line"
        )
    laid = plan(loop, generations, extended=engine == "exact")
    models = model_axis(loop)
    if engine == "exact":
        recipe_statistics.require_statistics(loop, laid)
        return recipe_exact.kernel(laid.shape, models), *recipe_statistics.parameters(loop, laid, dtype)
    return _literal_kernel(loop, laid, models), *_literal(loop, laid, dtype)


def _literal(loop: Loop, laid: Plan, dtype: np.dtype) -> tuple[Any, Any]:
    table = laid.table
    largest = max(int(table.count.max()), int(table.piece_count.max()))
    if largest > LARGEST_KEPT * 512:
        raise LoopError("data", largest, f"the literal engine draws every sample, up to {LARGEST_KEPT * 512}")
    if laid.capacity > LARGEST_KEPT:
        raise LoopError(
            "data", laid.capacity, f"the literal engine keeps up to {LARGEST_KEPT} points of a replicate"
        )
    if laid.shape.pooled and laid.shape.peers > 1:
        raise LoopError("data", laid.shape.peers, "pools of several models are not simulated")
    steps = LiteralStep(**{name: getattr(table, name) for name in LiteralStep._fields})
    floats = ("real_factor", "model_factor", "share", "taken", "weight", "divisor", "total", "fit_divisor")
    whole = ("form", "count", "base", "piece_count", "piece_base")
    steps = steps._replace(
        **{name: getattr(steps, name).astype(dtype) for name in floats},
        **{name: getattr(steps, name).astype(np.int32) for name in whole},
    )
    return _literal_fixed(loop, laid, dtype), steps


def _literal_fixed(loop: Loop, laid: Plan, dtype: np.dtype) -> recipe_literal.Fixed:
    begin, log_variance = starts(loop, laid)
    cut = loop.sampler.truncate
    numbers = {
        "means": begin,
        "variance": np.exp(log_variance),
        "targets": targets(loop, laid.recipe),
        "turn": 2.0**32,
        "mass": 1.0 if cut is None else erf(cut / np.sqrt(2)),
    }
    return recipe_literal.Fixed(**{name: np.asarray(value, dtype) for name, value in numbers.items()})


def _literal_kernel(loop: Loop, laid: Plan, models: int | None) -> blocks.Kernel:
    # a power of two, so that a longer run, which keeps more, has the same program for most lengths
    capacity = 1 << max(laid.capacity - 1, 0).bit_length()
    block = int(np.clip(LITERAL_BYTES // (8 * capacity), 16, 256))
    begin = recipe_literal.start(laid.shape, capacity)
    step = recipe_literal.stepper(laid.shape, loop.sampler.truncate is not None)
    return blocks.Kernel(begin, step, literal_observer(models), (), (), block, "summary")
