"""Loops of Gaussian mixtures made ready for the device: hard labels and soft EM, in any dimension.

Hard labels have both engines (`jaxsim.mixture.labels`); soft EM is literal (`jaxsim.mixture.points`).
"""

from functools import partial
from typing import Any, NamedTuple

import jax.numpy as jnp
import numpy as np

from jaxsim import blocks
from jaxsim.chi_square import fit as chi_square
from jaxsim.mixture import labels as mixture_labels
from jaxsim.mixture import points as mixture_points
from jaxsim.mixture.labels import Fixed
from jaxsim.mixture.menu import Menu, Slots, menu
from jaxsim.mixture.model import POWERS, arrays, frame, in_units, observe
from theory.estimator import EM, MaximumLikelihood, Unbiased
from theory.loop import Loop, LoopError
from theory.observable import MIXTURE

LARGEST_EXACT = 2**14  # every count of points up to n has its own chi-square
LARGEST_LITERAL = 2**31
LARGEST_KEPT = 2**22  # points that a replicate of soft EM keeps
BLOCK_BYTES = 2**18  # what a block of soft EM draws in one generation, or keeps


class Step(NamedTuple):
    """`jaxsim.mixture.menu.Menu`, and for soft EM the points of each fit and the generation, from 0."""

    real: Any
    model: Any
    pool_real: Any
    pool_model: Any
    anchor: Any
    share: Any
    real_factor: Any
    model_factor: Any
    total: Any
    turn: Any


def prepared(loop: Loop, generations: int, engine: str, precision: Any) -> tuple[Any, Any]:
    """A loop of a mixture made ready, and its precision, which is float64 unless asked otherwise.

    Raises:
        LoopError: for what the engine cannot do.
    """
    from jaxsim.setting import Setting

    _require_served(loop)
    precision = precision or "float64"
    dtype = np.dtype(precision)
    em = isinstance(loop.estimator, MaximumLikelihood) and loop.estimator.fit == EM
    slots, table = menu(loop, generations)
    largest = max(slots)
    if em and engine == "exact":
        reason = "soft EM has no finite sufficient statistic; use the literal engine"
        raise LoopError("estimator.fit", loop.estimator.fit, reason)
    if engine == "exact" and largest > LARGEST_EXACT:
        reason = f"the exact engine of mixtures knows up to {LARGEST_EXACT} points; use the literal one"
        raise LoopError("data.n", largest, reason)
    if largest > (LARGEST_KEPT if em else LARGEST_LITERAL):
        raise LoopError("data.n", largest, "the literal engine cannot draw, or keep, so many points")
    kernel = _em_kernel(loop, slots, table, dtype) if em else _hard_kernel(loop, slots, engine)
    fixed = _fixed(loop, slots, engine, dtype)
    units = frame(loop.source)
    unit = partial(_unit, scale=units.scale, generations=generations)
    return Setting(kernel, fixed, _steps(table, dtype), MIXTURE, MIXTURE, unit), precision


def _require_served(loop: Loop) -> None:
    if loop.selection is not None:
        raise LoopError("selection.rule", loop.selection.rule, "selected mixtures are not simulated")
    if not isinstance(loop.estimator, MaximumLikelihood | Unbiased):
        raise LoopError("estimator.name", loop.estimator.name, "a mixture is fitted by maximum likelihood")


def _fixed(loop: Loop, slots: Slots, engine: str, dtype: np.dtype) -> Fixed:
    units = frame(loop.source)
    weights, means, matrices = arrays(loop.source)
    offset = means - units.origin
    total = np.einsum("k,kij->ij", weights, matrices) + np.einsum("k,ki,kj->ij", weights, offset, offset)
    most = max(*slots[:4], slots.anchor) if engine == "exact" else 0
    table = chi_square(np.arange(1, max(most, 2)))
    return Fixed(
        source=in_units(loop.source, units, dtype),
        first=in_units(loop.first_model, units, dtype),
        whole=(np.linalg.cholesky(total) / units.scale).astype(dtype),
        turn=np.asarray(2.0**32, dtype),
        rows=table.rows.astype(dtype),
        centre=table.centre.astype(dtype),
    )


def _steps(table: Menu, dtype: np.dtype) -> Step:
    points = table.real + table.model
    pooled = np.cumsum(table.pool_real + table.pool_model)
    floats = {name: getattr(table, name).astype(dtype) for name in ("share", "real_factor", "model_factor")}
    counts = ("real", "model", "pool_real", "pool_model", "anchor")
    return Step(
        **{name: getattr(table, name).astype(np.int32) for name in counts},
        **floats,
        total=(points + pooled + np.cumsum(table.anchor)).astype(dtype),
        turn=np.arange(len(points), dtype=np.int32),
    )


def _hard_kernel(loop: Loop, slots: Slots, engine: str) -> blocks.Kernel:
    step = mixture_labels.stepper(
        _blurred(slots), engine, loop.estimator.covariance or "full", isinstance(loop.estimator, Unbiased)
    )
    size = loop.source.components * loop.source.dimension**2
    block = int(np.clip(2 ** (2**13 // size).bit_length() // 2, 16, 1024))
    return _kernel(loop, mixture_labels.start, step, block)


def _blurred(slots: Slots) -> Slots:
    """What is there, not how much: one compiled program serves all sizes."""
    return Slots(*(int(most > 0) for most in slots[:6]), mixed=slots.mixed)


def _em_kernel(loop: Loop, slots: Slots, table: Menu, dtype: np.dtype) -> blocks.Kernel:
    generations = len(table.real)
    full = slots.pool == slots.anchor == slots.real == 0 and bool((table.model == slots.model).all())
    step = mixture_points.stepper(
        slots._replace(pool=0), loop.estimator.iterations or 1, loop.estimator.covariance or "full", full
    )
    begin = mixture_points.start(slots._replace(pool=0), generations if slots.pool else 0)
    points = slots.pool + slots.anchor + slots.real + slots.model
    bytes_ = points * loop.source.dimension * dtype.itemsize
    block = int(np.clip(2 ** (BLOCK_BYTES // bytes_).bit_length() // 2, 8, 512))
    return _kernel(loop, begin, step, block)


def _kernel(loop: Loop, begin: Any, step: Any, block: int) -> blocks.Kernel:
    look = _look_on_the_line if loop.source.is_scalar else _look_in_space
    return blocks.Kernel(begin, step, look, (), (), block, "summary")


# one object each, so that compiled programs are found again
def _look_on_the_line(name: str, fixed: Fixed, step: Any, state: Any) -> Any:
    return observe(name, jnp.asarray(fixed.whole), True, state.model)


def _look_in_space(name: str, fixed: Fixed, step: Any, state: Any) -> Any:
    return observe(name, jnp.asarray(fixed.whole), False, state.model)


def _unit(name: str, scale: float, generations: int) -> tuple[np.ndarray, float]:
    """No shift, and the unit of length to the observable's power."""
    return np.zeros(1 + generations), scale ** POWERS[name]
