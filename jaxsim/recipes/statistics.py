"""The numbers the exact engine needs of a recipe, and what it refuses for want of sufficient statistics."""

from typing import Any, NamedTuple

import numpy as np
from scipy import stats

from jaxsim import chi_square
from jaxsim.recipes.layout import Table
from jaxsim.recipes.plan import Plan, starts, starts_in_space, targets
from jaxsim.selected.rule import numbers_of
from theory.loop import Loop, LoopError

LARGEST_MIXED = 4096  # points of a draw of random composition
LARGEST_TABLES = 2**22


class Fixed(NamedTuple):
    """What does not depend on the generation; lengths in units of the source's, from its mean.

    Attributes:
        means: of the models numbered 0, [peer], or [peer, d].
        log_variance: on the line, of the models numbered 0.
        targets: means of the sources.
        turn: 2^32, in the precision of the run.
        rows: polynomials of log chi-square.
        log_scale: E log(chi2_nu / nu) + log nu, [row].
        binomial: floor(2^64 P(K <= k)), [kind, k].
        rule: numbers of a tilt.
        root: in d dimensions, the F of the models numbered 0, with covariance F F^T.
        source: in d dimensions, the source's.
    """

    means: Any
    log_variance: Any
    targets: Any
    turn: Any
    rows: Any
    log_scale: Any
    binomial: Any
    rule: Any = ()
    root: Any = ()
    source: Any = ()


class Step(NamedTuple):
    """What belongs to generation g, [generation, place in the form].

    Attributes:
        form: number of the form.
        row: of `Fixed.rows`, for each draw; in d dimensions [generation, draw, d].
        count, real_factor, model_factor, before: as in `jaxsim.recipes.plan.Table`.
        kind: row of `Fixed.binomial`.
        piece_count, taken, weight, divisor, total, fit_divisor: likewise.
        reciprocal: in d dimensions, 1 / g.
    """

    form: Any
    row: Any
    count: Any
    real_factor: Any
    model_factor: Any
    before: Any
    kind: Any
    piece_count: Any
    taken: Any
    weight: Any
    divisor: Any
    total: Any
    fit_divisor: Any
    reciprocal: Any = ()


def require_statistics(loop: Loop, laid: Plan) -> None:
    """Refuse what has no finite sufficient statistics.

    Raises:
        LoopError: in one sentence.
    """
    if loop.sampler.truncate is not None:
        raise LoopError(
            "sampler.truncate",
            loop.sampler.truncate,
            "truncated samples have no finite sufficient statistic; use the literal engine",
        )
    rule = laid.shape.rule
    if rule is not None and rule.name != "tilt":
        raise LoopError(
            "selection.rule",
            loop.selection.rule,
            "points kept by it have no finite sufficient statistics; use the literal engine",
        )
    if any(portion.subset for form in laid.shape.forms for fit in form.fits for portion in fit.portions):
        raise LoopError(
            "data.policy",
            loop.data.policy,
            "random subsets of stored points have no finite sufficient statistics; use the literal engine",
        )
    mixed = _mixed(laid)
    largest = max((n for n, _ in mixed), default=0)
    if largest > LARGEST_MIXED or len(mixed) * largest > LARGEST_TABLES:
        raise LoopError(
            "data.composition",
            "iid",
            f"the exact engine tabulates a binomial of up to {LARGEST_MIXED} points; use the literal engine",
        )


def _mixed(laid: Plan) -> list[tuple[int, float]]:
    """Points and real share of every kind of mixed draw, in order of appearance."""
    table, found = laid.table, {}
    for number, form in enumerate(laid.shape.forms):
        for place, draw in enumerate(form.draws):
            if draw.kind == "mixed":
                rows = table.form == number
                pairs = zip(table.count[rows, place], table.share[rows, place], strict=True)
                found |= dict.fromkeys((int(n), float(p)) for n, p in pairs)
    return list(found)


def parameters(loop: Loop, laid: Plan, dtype: Any) -> tuple[Fixed, Step]:
    """The arguments of the compiled program."""
    table, mixed = laid.table, _mixed(laid)
    largest = max((n for n, _ in mixed), default=1)
    degrees = _degrees(table.count, laid.shape.dimension)
    # of a mixed draw every number may be asked for
    distinct = np.union1d(degrees, np.arange(1, largest))
    rows = chi_square.fit(distinct)
    numbers = {
        "targets": targets(loop, laid.recipe),
        "turn": 2.0**32,
        "rows": rows.rows,
        "log_scale": rows.centre + np.log(distinct),
    }
    if laid.shape.dimension:
        means, root, source = starts_in_space(loop, laid)
        numbers |= {"means": means, "log_variance": 0.0, "root": root, "source": source}
    else:
        means, log_variance = starts(loop, laid)
        numbers |= {"means": means, "log_variance": log_variance}
    arrays = {name: np.asarray(value, dtype) for name, value in numbers.items()}
    rule = () if laid.shape.rule is None else numbers_of(loop, 0, dtype)
    fixed = Fixed(**arrays, binomial=_binomial(mixed, largest), rule=rule)
    steps = _steps(table, np.searchsorted(distinct, degrees), mixed, dtype)
    if laid.shape.dimension:
        steps = steps._replace(reciprocal=(1 / np.arange(1, len(table.form) + 1)).astype(dtype))
    return fixed, steps


def _degrees(count: np.ndarray, dimension: int) -> np.ndarray:
    """Degrees of freedom of each draw's sum of squares, or of its Bartlett factor's diagonal; at least 1.

    Where there are none any number does: the most there are.
    """
    most = max(int(count.max()), 2) - 1
    if not dimension:
        return np.where(count > 1, count - 1, most)
    found = count[..., None] - 1 - np.arange(dimension)
    return np.where(found > 0, found, most)


def _steps(table: Table, row: np.ndarray, mixed: list[tuple[int, float]], dtype: Any) -> Step:
    numbers = {pair: kind for kind, pair in enumerate(mixed)}
    if mixed:
        pairs = zip(table.count.ravel().tolist(), table.share.ravel().tolist(), strict=True)
        kind = np.array([numbers.get(pair, 0) for pair in pairs]).reshape(table.count.shape)
    else:
        kind = np.zeros_like(table.count)
    floats = {
        name: getattr(table, name).astype(dtype)
        for name in (
            "count", "real_factor", "model_factor", "before", "piece_count", "taken", "weight", "divisor",
            "total", "fit_divisor",
        )
    }  # fmt: skip
    return Step(
        form=table.form.astype(np.int32), row=row.astype(np.int32), kind=kind.astype(np.int32), **floats
    )


def _binomial(mixed: list[tuple[int, float]], largest: int) -> np.ndarray:
    """Thresholds: K is how many of them are at most a uniform 64-bit word."""
    found = np.full((max(len(mixed), 1), largest), 2**64 - 1, np.uint64)
    for row, (n, share) in zip(found, mixed, strict=False):
        below = np.minimum(stats.binom.cdf(np.arange(n), n, share), 1 - 2.0**-53) * 2.0**64
        row[:n] = np.where(
            stats.binom.sf(np.arange(n), n, share) < 2.0**-53, 2**64 - 1, below.astype(np.uint64)
        )
    return found
