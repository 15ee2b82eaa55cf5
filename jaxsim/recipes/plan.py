"""A recipe laid out for the device: its forms and its table, and who is reported."""

from collections.abc import Iterable
from typing import Any, NamedTuple

import numpy as np

from jaxsim.recipes.layout import Form, Layout, Table
from jaxsim.schedule import covariance, gaussians, mean_vector, unit_length
from jaxsim.selected.points import Rule
from jaxsim.selected.recipe import eaten
from jaxsim.selected.rule import rule_of
from theory.estimator import Weighted
from theory.loop import Loop, LoopError
from theory.meal import Recipe

ESTIMATORS = ("maximum-likelihood", "unbiased", "weighted")


class Shape(NamedTuple):
    """All that fixes a compiled program; hashable.

    Attributes:
        forms: the distinct ones, in order of appearance.
        switched: whether the form is chosen on the device.
        peers: models a generation.
        models: how many generations of models are kept.
        batches: how many generations of batches are kept; 0 if no fit reads one.
        parts: the most draws that one batch has.
        sets: how many fixed real sets there are.
        pooled: whether there are pools.
        between: whether a weighted fit includes the spread between its portions.
        dimension: d, 0 on the line.
        rule: of a selection that acts on values.
    """

    forms: tuple[Form, ...]
    switched: bool
    peers: int
    models: int
    batches: int
    parts: int
    sets: int
    pooled: bool
    between: bool
    dimension: int = 0
    rule: Rule | None = None


class Plan(NamedTuple):
    """A recipe laid out.

    Attributes:
        recipe: as it was.
        shape: what is compiled.
        table: the numbers.
        capacity: points that must be kept to keep all that are read again.
    """

    recipe: Recipe
    shape: Shape
    table: Table
    capacity: int


def plan(loop: Loop, generations: int, *, extended: bool) -> Plan:
    """The first `generations` fits of a loop.

    Args:
        loop: with numbers everywhere.
        generations: how many.
        extended: whether a recipe that has become constant is continued by rule, without addresses.

    Raises:
        LoopError: for what no engine can do.
    """
    made, rule = eaten(loop), rule_of(loop)
    if made.targets is not None and loop.start is not None:
        raise LoopError("start", loop.start, "models with targets begin as their own sources")
    if loop.estimator.name not in ESTIMATORS:
        raise LoopError("estimator.name", loop.estimator.name, f"there are: {', '.join(ESTIMATORS)}")
    layout = Layout(loop, made, rule)
    steady = made.settled + made.batches_back + 2
    walked = min(generations, steady) if extended and made.constant else generations
    rows = [layout.row(t) for t in range(1, walked + 1)]
    if made.constant:  # the same forms, hence the same program, for any number of generations
        for t in range(walked + 1, steady):
            layout.row(t)
    table = tabulated(rows, generations)
    source, _ = gaussians(loop)
    shape = Shape(
        forms=tuple(layout.forms),
        switched=len(layout.forms) > 1 or not made.constant,
        peers=made.peers,
        models=made.models_back,
        batches=made.batches_back + 1 if _reads_batches(layout.forms) else 0,
        parts=layout.parts,
        sets=len(made.sets),
        pooled=made.pooled,
        between=not isinstance(loop.estimator, Weighted),
        dimension=0 if source.is_scalar else source.dimension,
        rule=rule,
    )
    return Plan(made, shape, table, layout.end)


def _reads_batches(forms: Iterable[Form]) -> bool:
    portions = (portion for form in forms for fit in form.fits for portion in fit.portions)
    return any(piece[0] == "batch" for portion in portions for piece in portion.pieces)


def tabulated(rows: list[dict[str, list]], generations: int) -> Table:
    """Rows as arrays, padded, and continued in arithmetic progression to `generations` rows."""
    columns = []
    for name in Table._fields:
        width = max(len(row[name]) for row in rows)
        pad = 0 if name == "form" else 1
        if name in ("real_cut", "model_cut"):
            pad = False
        column = np.array([row[name] + [pad] * (width - len(row[name])) for row in rows])
        if len(rows) < generations:
            steps = np.arange(1, generations - len(rows) + 1).reshape(-1, *(1 for _ in column.shape[1:]))
            more = column[-1] + np.zeros_like(steps) if column.dtype.kind != "i" else None
            if column.dtype.kind == "b":
                more = np.broadcast_to(column[-1], (len(steps), width))
            elif more is None:
                more = column[-1] + steps * (column[-1] - column[-2])
            column = np.concatenate([column, more])
        columns.append(column[:, 0] if name == "form" else column)
    return Table(*columns)


def targets(loop: Loop, made: Recipe) -> np.ndarray:
    """The means of the sources [target], or [target, d], in units of the source's length from its mean."""
    source: Any = loop.source
    values = [source.mean] if made.targets is None else list(made.targets)
    if not source.is_scalar:
        values = [np.broadcast_to(np.asarray(value, float), (source.dimension,)) for value in values]
    return (np.array(values, float) - source.mean) / unit_length(source)


def starts(loop: Loop, laid: Plan) -> tuple[np.ndarray, float]:
    """Means [peer] and log variance of the models numbered 0, on the line, in the source's units."""
    source, first = gaussians(loop)
    means = targets(loop, laid.recipe)
    if laid.recipe.targets is None:
        means = np.full(laid.shape.peers, (first.mean - source.mean) / np.sqrt(source.variance))
    return means, float(np.log(first.variance / source.variance))


def starts_in_space(loop: Loop, laid: Plan) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Means [peer, d] of the models numbered 0, their factor F and the source's, in units of its length."""
    source, first = gaussians(loop)
    unit = unit_length(source)
    means = targets(loop, laid.recipe)
    if laid.recipe.targets is None:
        offset = (mean_vector(first) - mean_vector(source)) / unit
        means = np.broadcast_to(offset, (laid.shape.peers, source.dimension))
    own, root = (np.linalg.cholesky(covariance(model)) / unit for model in (first, source))
    return means, own, root
