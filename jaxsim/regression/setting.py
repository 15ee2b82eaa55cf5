"""Loops around a linear model made ready for the device: the family `linear`.

Rotations leave everything but w* alone, which is therefore put along the first axis.
"""

from functools import lru_cache, partial
from typing import Any

import numpy as np

from jaxsim import blocks, chi_square
from jaxsim.regression import engine as linear_engine
from jaxsim.regression import fit as linear_fit
from jaxsim.regression.fit import Design, Fixed, Step
from theory.counts import points
from theory.linear import Ridge
from theory.loop import Loop, LoopError, Replace, require_numbers
from theory.policy import Accumulate, Fresh

NAMES = ("risk", "noise_variance", "log_noise_variance")
LARGEST_LITERAL = 2**28  # numbers drawn in a generation of a replicate
LARGEST_KEPT = 2**22  # numbers a replicate may keep
BLOCK_BYTES = 2**25


def prepared(loop: Loop, generations: int, engine: Any, precision: Any) -> tuple[Any, Any]:
    """A loop around a linear model made ready, and the precision chosen.

    Raises:
        LoopError: for what the engine cannot do.
    """
    from jaxsim.setting import Setting

    require_numbers(loop)
    precision = precision or "float64"
    dtype = np.dtype(precision)
    table = _table(loop, generations)
    design = _design(loop, table)
    _require_possible(loop, design, table, engine)
    fixed, steps = _fixed(loop, dtype), _steps(table, dtype)
    if engine == "exact":
        fixed, steps = _with_chi_squares(design, fixed, steps, dtype)
    kernel = _kernel(design, engine == "exact")
    default = ("risk",) if loop.estimator.noise == "known" else NAMES
    return Setting(kernel, fixed, steps, NAMES, default, partial(_unit, generations)), precision


def _unit(generations: int, name: str) -> tuple[np.ndarray, float]:
    return np.zeros(generations + 1), 1.0


def _table(loop: Loop, generations: int) -> Step:
    """The numbers of every generation, as they are."""
    data, d, estimator = loop.data, loop.source.dimension, loop.estimator
    times = range(1, generations + 1)
    fresh = isinstance(data, Fresh)
    if fresh:
        real, synthetic = (
            np.array([points(f"data.{key}", getattr(data, key), t) for t in times], np.int64)
            for key in ("real", "synthetic")
        )
    else:
        synthetic = np.array([points("data.n", data.n, t) for t in times], np.int64)
        real = np.zeros_like(synthetic)
    mixed = fresh and data.weight is not None
    if mixed and isinstance(data.weight, str):
        raise LoopError("data.weight", data.weight, "it must be replaced by its number first")
    batch = real if mixed else real + synthetic
    before = np.cumsum(batch) - batch if isinstance(data, Accumulate) else np.zeros_like(batch)
    total = before + batch
    lively = np.arange(1, generations + 1) >= 2
    if loop.start is not None or loop.sampler.applies_to_source:
        lively[:] = True
    bias = float(loop.sampler.bias)
    final = estimator.final
    weights = [float(points("data.weight", data.weight, t)) for t in times] if mixed else np.ones(generations)
    return Step(
        first=np.arange(1, generations + 1) == 1,
        real=real,
        synthetic=synthetic,
        total=total,
        before=before,
        share=real / np.maximum(real + synthetic, 1),
        weight=np.array(weights),
        real_factor=np.full(generations, bias if loop.sampler.applies_to_source else 1.0),
        model_factor=np.where(lively, bias, 1.0),
        divisor=total - (d if estimator.noise == "unbiased" else 0),
        final=synthetic if final is None or final.n is None else np.full(generations, final.n),
    )


def _design(loop: Loop, table: Step) -> Design:
    data, source, estimator = loop.data, loop.source, loop.estimator
    ridge, same = isinstance(estimator, Ridge), source.covariates == "same"
    d = source.dimension
    batch = table.total - table.before
    distinct = batch if same else table.total
    dual = not ridge and bool((distinct < d).any())
    rows = int(batch[0]) if same else int(distinct[distinct < d].max()) if dual else 0
    return Design(
        dimension=d,
        same=same,
        mixed=isinstance(data, Fresh) and data.weight is not None,
        iid=isinstance(data, Fresh) and data.composition == "iid",
        accumulate=isinstance(data, Accumulate),
        ridge=ridge,
        noise=estimator.noise,
        rows=rows,
        dual=dual,
        final=estimator.final is not None,
    )


def _require_possible(loop: Loop, design: Design, table: Step, engine: str) -> None:
    """Refuse what an engine cannot do.

    Raises:
        LoopError: in one sentence.
    """
    assert isinstance(loop.data, Replace | Accumulate | Fresh)
    if design.noise == "unbiased" and table.divisor.min() <= 0:
        raise LoopError("estimator.noise", "unbiased", f"it needs more than {design.dimension} points")
    if engine == "exact":
        if design.iid:
            raise LoopError("data.composition", "iid", "compositions by coin are drawn by the literal engine")
        if design.dual:
            raise LoopError(
                "data", int(table.total.min()), "fits to fewer points than dimensions use the literal engine"
            )
        if design.final:
            raise LoopError("estimator.final", loop.estimator.final, "it is drawn by the literal engine")
        return
    largest = int((table.total - table.before).max()) * (design.dimension + 4)
    if largest > LARGEST_LITERAL:
        raise LoopError("data", largest, f"the literal engine draws up to {LARGEST_LITERAL} numbers a fit")
    kept = design.rows * (design.dimension + 1)
    if kept > LARGEST_KEPT:
        raise LoopError("data", kept, f"the literal engine keeps up to {LARGEST_KEPT} numbers of a replicate")


def _fixed(loop: Loop, dtype: np.dtype) -> Fixed:
    source, first, estimator = loop.source, loop.first_model, loop.estimator
    truth = np.zeros(source.dimension)
    truth[0] = np.sqrt(source.signal)
    final = estimator.final
    numbers = {
        "truth": truth,
        "shift": np.sqrt(first.shift),
        "noise": (source.noise, first.noise),
        "penalty": (getattr(estimator, "penalty", 0.0), 0.0 if final is None else final.penalty),
        "turn": 2.0**32,
    }
    return Fixed(**{name: np.asarray(value, dtype) for name, value in numbers.items()})


def _steps(table: Step, dtype: np.dtype) -> Step:
    whole = {name: getattr(table, name).astype(np.int32) for name in ("real", "synthetic", "final")}
    floats = ("total", "before", "share", "weight", "real_factor", "model_factor", "divisor")
    return table._replace(**whole, **{name: getattr(table, name).astype(dtype) for name in floats})


def _with_chi_squares(design: Design, fixed: Fixed, steps: Step, dtype: np.dtype) -> tuple[Fixed, Step]:
    """The polynomials of the exact engine, and which of them each pivot and residual takes."""
    counts = [steps.real] if design.mixed else [steps.real, steps.synthetic]
    if not design.mixed and not steps.real.any():
        counts = [steps.synthetic]
    d = design.dimension
    each = np.stack(counts, axis=1).astype(np.int64)  # [generation, batch]
    degrees = each[..., None] - np.arange(d + 1)  # the last one is the residual's
    distinct, place = np.unique(np.maximum(degrees, 1), return_inverse=True)
    table = chi_square.fit(distinct)
    place = place.reshape(degrees.shape).astype(np.int32)
    fixed = fixed._replace(
        rows=table.rows.astype(dtype), log_scale=(table.centre + np.log(distinct)).astype(dtype)
    )
    return fixed, steps._replace(kinds=place[..., :d], residual=place[..., d], spare=degrees[..., d] > 0)


@lru_cache(maxsize=64)
def _kernel(design: Design, exact: bool) -> blocks.Kernel:
    """One object for equal designs, so that compiled programs are found again."""
    step = linear_engine.exact_step if exact else linear_engine.literal_step
    begin = partial(linear_fit.start, design, exact=exact)
    numbers = 8 * (design.dimension * (3 * design.dimension + design.rows) + 64)
    block = int(np.clip(BLOCK_BYTES // numbers, 8, 512))
    return blocks.Kernel(
        begin, partial(step, design), linear_fit.observe, (), (), 1 << (block.bit_length() - 1), "summary"
    )
