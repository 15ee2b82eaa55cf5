"""The numbers the exact engine needs of a recipe, and what it refuses for want of sufficient statistics."""

from typing import Any, NamedTuple

import numpy as np
from scipy import stats

from jaxsim import chi_square
from jaxsim.recipes.layout import Table
from jaxsim.recipes.plan import Plan, starts, targets
from jaxsim.selected.rule import numbers_of
from theory.loop import Loop, LoopError

LARGEST_MIXED = 4096  # points of a draw of random composition
LARGEST_TABLES = 2**22


class Fixed(NamedTuple):
    """What does not depend on the generation; lengths in the source's standard deviations from its mean.

    Attributes:
        means: of the models numbered 0, [peer].
        log_variance: of the models numbered 0.
        targets: means of the sources.
        turn: 2^32, in the precision of the run.
        rows: polynomials of log chi-square.
        log_scale: E log(chi2_nu / nu) + log nu, [row].
        binomial: floor(2^64 P(K <= k)), [kind, k].
        rule: numbers of a tilt.
    """

    means: Any
    log_variance: Any
    targets: Any
    turn: Any
    rows: Any
    log_scale: Any
    binomial: Any
    rule: Any = ()


class Step(NamedTuple):
    """What belongs to generation g, [generation, place in the form].

    Attributes:
        form: number of the form.
        row: of `Fixed.rows`, for each draw.
        count, real_factor, model_factor, before: as in `jaxsim.recipes.plan.Table`.
        kind: row of `Fixed.binomial`.
        piece_count, taken, weight, divisor, total, fit_divisor: likewise.
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
    if laid.shape.dimension:
        raise LoopError("source.mean", loop.source.mean, "in several dimensions use the literal engine")
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
    # a single point has none, and any row does; of a mixed draw every number may be asked for
    degrees = np.where(table.count > 1, table.count, max(int(table.count.max()), 2)) - 1
    distinct = np.union1d(degrees, np.arange(1, largest))
    rows = chi_square.fit(distinct)
    begin, log_variance = starts(loop, laid)
    fixed = Fixed(
        means=begin.astype(dtype),
        log_variance=np.asarray(log_variance, dtype),
        targets=targets(loop, laid.recipe).astype(dtype),
        turn=np.asarray(2.0**32, dtype),
        rows=rows.rows.astype(dtype),
        log_scale=(rows.centre + np.log(distinct)).astype(dtype),
        binomial=_binomial(mixed, largest),
        rule=() if laid.shape.rule is None else numbers_of(loop, 0, dtype),
    )
    return fixed, _steps(table, np.searchsorted(distinct, degrees), mixed, dtype)


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
