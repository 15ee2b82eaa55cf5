"""A loop with a recipe made ready for the device."""

from functools import partial
from typing import Any, NamedTuple

import numpy as np
from scipy.special import erf

from jaxsim import blocks
from jaxsim.recipes import exact as recipe_exact
from jaxsim.recipes import literal as recipe_literal
from jaxsim.recipes import observe, space_exact
from jaxsim.recipes import statistics as recipe_statistics
from jaxsim.recipes.observe import literal_observer, literal_space_observer
from jaxsim.recipes.plan import Plan, plan, starts, starts_in_space, targets
from jaxsim.schedule import gaussians, require_gaussian_numbers
from jaxsim.selected.rule import drawn, numbers_of
from jaxsim.setting import Engine, Precision, Setting
from theory.loop import Loop, LoopError, require_numbers
from theory.observable import model_axis

LARGEST_KEPT = 2**22  # points that a replicate of the literal engine may keep
LARGEST_SINGLE = 100  # N / sqrt(n_r) of a fit in single precision
FARTHEST_START = 10  # in the source's standard deviations
LITERAL_BYTES = 2**26  # what a block of the literal engine may keep


class LiteralStep(NamedTuple):
    """The columns of `jaxsim.recipes.layout.Table` that the literal engine reads.

    Attributes:
        drawn: for a pool, the points drawn to keep the count of each draw.
        reciprocal: in d dimensions, 1 / g.
    """

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
    drawn: Any = ()
    reciprocal: Any = ()


def prepared(
    loop: Loop, generations: int, engine: Engine, precision: Precision | None
) -> tuple[Setting, Precision]:
    """A loop made ready, and the precision chosen.

    Raises:
        LoopError: for what the engine cannot do.
    """
    require_gaussian_numbers(loop)
    precision = precision or chosen_precision(loop, engine)
    kernel, fixed, steps = ready(loop, generations, engine, np.dtype(precision))
    unit = partial(observe.unit, loop=loop, generations=generations)
    return Setting(kernel, fixed, steps, observe.names(loop), observe.default(loop), unit), precision


def ready(loop: Loop, generations: int, engine: str, dtype: np.dtype) -> tuple[blocks.Kernel, Any, Any]:
    """The kernel of a loop, without names, and its arguments.

    Raises:
        LoopError: for what the engine cannot do.
    """
    require_numbers(loop)
    laid = plan(loop, generations, extended=engine == "exact")
    models = model_axis(loop)
    if laid.shape.dimension:
        _require_space(loop, laid)
    if engine != "exact":
        return _literal_kernel(loop, laid, models), *_literal(loop, laid, dtype)
    recipe_statistics.require_statistics(loop, laid)
    numbers = recipe_statistics.parameters(loop, laid, dtype)
    if laid.shape.dimension:
        return space_exact.kernel(laid.shape, models), *numbers
    return recipe_exact.kernel(laid.shape, models), *numbers


def chosen_precision(loop: Loop, engine: str) -> Precision:
    """What a recipe is computed in unless told otherwise, whatever the number of generations.

    Single precision makes an error of about 3e-7 in the log variance of every fit. Where each fit takes n_r
    fresh real points among N, what is wrong is forgotten within N / n_r generations, in which the log
    variance spreads by sqrt(1 / n_r): the mean is off by 3e-7 N / sqrt(n_r) of its standard deviation, at
    most 3e-5 where this function says "float32"; its standard error is as small with 10^9 replicates. Without
    fresh real points errors add up, and in a far start they are relative to the distance.
    """
    source, first = gaussians(loop)
    if engine != "exact" or not source.is_scalar or loop.selection is not None:
        return "float64"
    laid = plan(loop, 2, extended=True)
    distance = abs(first.mean - source.mean) / np.sqrt(source.variance)
    near = distance <= FARTHEST_START and 1e-3 <= first.variance / source.variance <= 1e3
    fits = [fit for form in laid.shape.forms for fit in form.fits]
    kinds = {place[0] for fit in fits for portion in fit.portions for place in portion.pieces}
    weighted = any(fit.weighted for fit in fits)
    table = laid.table
    shrinking = bool((table.model_factor <= 1).all() and (table.real_factor <= 1).all())
    if not (near and shrinking and laid.recipe.constant) or weighted or kinds != {"draw"}:
        return "float64"
    taken = [_real_and_all(int(form), row, laid) for row, form in enumerate(table.form)]
    small = all(total <= LARGEST_SINGLE * np.sqrt(real) for fits in taken for real, total in fits)
    return "float32" if small else "float64"


def _real_and_all(number: int, row: int, laid: Plan) -> list[tuple[float, float]]:
    """How many fresh real points each fit of a generation takes, and how many points."""
    form, table = laid.shape.forms[number], laid.table
    found = []
    for fit in form.fits:
        draws = [place[1] for portion in fit.portions for place in portion.pieces]
        count = [float(table.count[row, k]) for k in draws]
        shares = [
            {"real": 1.0, "model": 0.0}.get(form.draws[k].kind, float(table.share[row, k])) for k in draws
        ]
        found.append((sum(c * s for c, s in zip(count, shares, strict=True)), sum(count)))
    return found


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
    given = {name: getattr(table, name) for name in LiteralStep._fields if name in table._fields}
    floats = ("real_factor", "model_factor", "share", "taken", "weight", "divisor", "total", "fit_divisor")
    whole = ("form", "count", "base", "piece_count", "piece_base")
    steps = LiteralStep(**given)._replace(
        **{name: given[name].astype(dtype) for name in floats},
        **{name: given[name].astype(np.int32) for name in whole},
    )
    rule = laid.shape.rule
    if rule is not None and rule.name == "pool":
        steps = steps._replace(drawn=_drawn(loop.selection.fraction, table.count))
    if laid.shape.dimension:
        steps = steps._replace(reciprocal=(1 / np.arange(1, len(table.form) + 1)).astype(dtype))
    return _literal_fixed(loop, laid, dtype), steps


def _drawn(fraction: float, counts: np.ndarray) -> np.ndarray:
    """How many candidates a pool has of which so many are kept."""
    kept, place = np.unique(counts, return_inverse=True)
    found = np.array([drawn(fraction, int(count)) for count in kept], np.int32)
    return found[place].reshape(counts.shape)


def _literal_fixed(loop: Loop, laid: Plan, dtype: np.dtype) -> recipe_literal.Fixed:
    cut = loop.sampler.truncate
    numbers = {
        "targets": targets(loop, laid.recipe),
        "turn": 2.0**32,
        "mass": 1.0 if cut is None else erf(cut / np.sqrt(2)),
    }
    if laid.shape.dimension:
        means, own, source = starts_in_space(loop, laid)
        numbers |= {"means": means, "root": own, "source": source}
    else:
        begin, log_variance = starts(loop, laid)
        numbers |= {"means": begin, "variance": np.exp(log_variance)}
    arrays = {name: np.asarray(value, dtype) for name, value in numbers.items()}
    if laid.shape.rule is not None:
        draws = (draw.kind for form in laid.shape.forms for draw in form.draws)
        mixed = int(laid.table.count.max()) if laid.shape.rule.name == "pool" and "mixed" in draws else 0
        arrays["rule"] = numbers_of(loop, mixed, dtype)
    return recipe_literal.Fixed(**arrays)


def _require_space(loop: Loop, laid: Plan) -> None:
    """Refuse, in several dimensions, singular fits.

    Raises:
        LoopError: in one sentence.
    """
    d = laid.shape.dimension
    spare = max(len(fit.portions) for form in laid.shape.forms for fit in form.fits)
    spare = spare if loop.estimator.name == "weighted" else 1
    own = any(
        piece[0] == "moments"
        for form in laid.shape.forms
        for fit in form.fits
        for portion in fit.portions
        for piece in portion.pieces
    )
    least = int(laid.table.total.min())
    if least - spare < d and not own:
        raise LoopError(
            "data",
            least,
            f"fits to so few points in {d} dimensions are simulated under replace alone",
        )


def _literal_kernel(loop: Loop, laid: Plan, models: int | None) -> blocks.Kernel:
    # a power of two, so that a longer run, which keeps more, has the same program for most lengths
    capacity = 1 << max(laid.capacity - 1, 0).bit_length()
    numbers = 8 * capacity * max(laid.shape.dimension, 1)
    block = int(np.clip(LITERAL_BYTES // numbers, 16, 256))
    begin = recipe_literal.start(laid.shape, capacity)
    step = recipe_literal.step(laid.shape, loop.sampler.truncate is not None)
    observer = literal_space_observer(models) if laid.shape.dimension else literal_observer(models)
    return blocks.Kernel(begin, step, observer, (), (), block, "summary")
