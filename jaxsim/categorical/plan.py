"""A categorical loop laid out for the device: `jaxsim.recipes.layout` with the columns that counts need."""

from typing import Any, NamedTuple

import numpy as np

from jaxsim.binomial import LARGEST
from jaxsim.categorical.model import Bias, Numbers, bias_of, numbers_of
from jaxsim.multinomial import Method, cheaper
from jaxsim.recipes.layout import Form, Layout, Table
from jaxsim.recipes.plan import tabulated
from jaxsim.selected.points import Rule
from theory.loop import Loop, LoopError
from theory.recipe import recipe

# `Layout` marks what a rule acts on: one that spares real points marks what is synthetic
SYNTHETIC = Rule("", False, False, 1, False)


class Shape(NamedTuple):
    """All that fixes a compiled program; hashable.

    Attributes:
        categories: K.
        forms: the distinct ones, in order of appearance; a draw's `selected[1]` says whether it is synthetic.
        methods: how each draw of each form is made by the exact engine, and the most points it may have.
        switched: whether the form is chosen on the device.
        models: how many generations of models are kept.
        batches: how many generations of batches are kept.
        parts: the most draws that one batch has.
        sets: how many fixed real sets there are.
        pooled: whether there is a pool.
        smoothed: whether there are pseudo-counts.
        bias: of sampler and selection.
    """

    categories: int
    forms: tuple[Form, ...]
    methods: tuple[tuple[tuple[Method, int], ...], ...]
    switched: bool
    models: int
    batches: int
    parts: int
    sets: int
    pooled: bool
    smoothed: bool
    bias: Bias


class Fixed(NamedTuple):
    """What does not depend on the generation.

    Attributes:
        source: shares of the source, [category].
        first: shares of model 0.
        pseudo: pseudo-counts, [category].
        numbers: of the bias.
        turn: a number of the run's precision.
    """

    source: Any
    first: Any
    pseudo: Any
    numbers: Numbers
    turn: Any


class Step(NamedTuple):
    """What belongs to generation g, [generation, place in the form]: columns of `recipe_layout.Table`."""

    form: Any
    count: Any
    base: Any
    share: Any
    piece_count: Any
    piece_base: Any
    taken: Any
    weight: Any
    total: Any


class Plan(NamedTuple):
    """A categorical loop laid out: shape, arguments, and the points that must be kept (literal engine)."""

    shape: Shape
    fixed: Fixed
    steps: Step
    capacity: int


def plan(loop: Loop, generations: int, engine: str, dtype: np.dtype) -> Plan:
    """The first `generations` fits of a categorical loop.

    Raises:
        LoopError: for what the engine cannot do.
    """
    made = recipe(loop.data, started=loop.start is not None)
    if made.peers > 1:
        raise LoopError("data.policy", loop.data.policy, "of categories one model a generation is simulated")
    layout = Layout(loop, made, SYNTHETIC)
    exact = engine == "exact"
    steady = made.settled + made.batches_back + 2
    walked = min(generations, steady) if exact and made.constant else generations
    rows = [layout.row(t) for t in range(1, walked + 1)]
    if made.constant:  # the same forms, hence the same program, for any number of generations
        for t in range(walked + 1, steady):
            rows.append(layout.row(t))
    table = tabulated(rows, max(generations, len(rows)))
    largest = int(max(table.count.max(), table.total.max(initial=0)))
    if largest > LARGEST:
        raise LoopError("data", largest, f"counts are drawn exactly for up to {LARGEST} points")
    forms = tuple(layout.forms)
    bias = bias_of(loop)
    categories = loop.source.categories
    shape = Shape(
        categories=categories,
        forms=forms,
        methods=_methods(forms, table, categories, made.constant),
        switched=len(forms) > 1 or not made.constant,
        models=made.models_back,
        batches=made.batches_back + 1,
        parts=layout.parts,
        sets=len(made.sets),
        pooled=made.pooled,
        smoothed=loop.estimator.name == "smoothed",
        bias=bias,
    )
    if exact and any(part.subset for form in forms for fit in form.fits for part in fit.portions):
        raise LoopError(
            "data.policy",
            loop.data.policy,
            "the exact engine draws no random subsets of stored points; use the literal engine",
        )
    steps = Step(*(getattr(table, name)[:generations] for name in Step._fields))
    return Plan(shape, fixed(loop, bias, engine, dtype), _cast(steps), layout.end)


def _methods(
    forms: tuple[Form, ...], table: Table, categories: int, constant: bool
) -> tuple[tuple[tuple[Method, int], ...], ...]:
    """How each draw is made; sizes that change are halved, so that a longer run extends a shorter one."""
    found = []
    for number, form in enumerate(forms):
        counts = table.count[table.form == number]
        largest = [int(counts[:, place].max(initial=0)) for place in range(len(form.draws))]
        found.append(tuple(((cheaper(n, categories), n) if constant else ("halving", 0)) for n in largest))
    return tuple(found)


def fixed(loop: Loop, bias: Bias, engine: str, dtype: np.dtype) -> Fixed:
    """The arguments that do not depend on the generation."""
    source = np.array(loop.source.shares)
    pseudo = np.zeros_like(source)
    if loop.estimator.name == "smoothed":
        towards = loop.estimator.towards
        to = {"source": source, "uniform": np.full_like(source, 1 / len(source))}
        pseudo = loop.estimator.pseudo_count * (
            to[towards] if isinstance(towards, str) else np.array(towards, float)
        )
    first = np.array(loop.first_model.shares)
    return Fixed(source, first, pseudo, numbers_of(loop, bias, engine), np.asarray(2.0**32, dtype))


def _cast(steps: Step) -> Step:
    whole = {
        name: getattr(steps, name).astype(np.int32) for name in ("form", "base", "piece_count", "piece_base")
    }
    floats = {
        name: getattr(steps, name).astype(float) for name in ("count", "share", "taken", "weight", "total")
    }
    return steps._replace(**whole, **floats)
