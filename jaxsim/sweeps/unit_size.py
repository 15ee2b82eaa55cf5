"""How much work a seed-generation is, and how many replicates make a work unit."""

from typing import Any

import numpy as np

from theory.discrete_source import Categorical, Markov, Poisson
from theory.loop import Gaussian, Loop, Replace, sample_sizes
from theory.meal import Pool, Stored
from theory.recipe import recipe
from theory.source import Mixture

UNIT_WORK = 2**25  # seed-generations of the cheapest loop in a unit: about half a second of one core
UNIT_BYTES = 2**26  # of replicates, where they are kept
SAMPLED = 5  # generations that stand for all when points are counted


def work(loop: Loop, engine: str, generations: int) -> float:
    """Work of a seed-generation, against one of the exact engine on the line under replace.

    An order of magnitude: it decides how often a run can be stopped, not what it gives.
    """
    numbers = _numbers(loop.source)
    if engine == "literal":
        return numbers + 0.4 * _dimension(loop.source) * _points(loop, generations)
    plain = isinstance(loop.source, Gaussian) and isinstance(loop.data, Replace) and loop.selection is None
    return numbers if plain else 8.0 * numbers


def unit_size(most_work: float, bytes_kept: int, seeds: int, block: int) -> int:
    """Replicates in a unit: a block, doubled while it stays small enough.

    Args:
        most_work: of one replicate at any point.
        bytes_kept: of one replicate, 0 if none is kept.
        seeds: replicates in all.
        block: the largest of any point; powers of two all.
    """
    most = min(UNIT_WORK / most_work, 2 ** (seeds - 1).bit_length())
    if bytes_kept:
        most = min(most, UNIT_BYTES / bytes_kept)
    unit = block
    while 2 * unit <= most:
        unit *= 2
    return unit


def _numbers(source: Any) -> float:
    """How many numbers a model is."""
    match source:
        case Categorical() | Poisson():
            return source.categories
        case Markov():
            return 2.0**8 if source.transition is None else len(source.transition) ** 2
        case Mixture():
            return source.components * source.dimension**2
    return _dimension(source) ** 2


def _dimension(source: Any) -> float:
    return float(getattr(source, "dimension", 1))


def _points(loop: Loop, generations: int) -> float:
    """Points that a fit draws or reads, on average over the generations."""
    if isinstance(loop.data, Replace):
        return float(np.mean(sample_sizes(loop.data.n, generations)))
    made = recipe(loop.data, started=loop.start is not None)
    some = np.unique(np.linspace(1, generations, SAMPLED).astype(int)).tolist()
    return made.peers * float(np.mean([_read(made, generation) for generation in some]))


def _read(made: Any, generation: int) -> float:
    meal = made.at(generation)
    added = sum(float(draw.n) for draw in meal.adds)
    total = added
    for portion in meal.eats:
        match portion:
            case Pool(n=None):
                total += added * generation
            case Stored(n=None):
                total += added * len(portion.batches)
        total += float(getattr(portion, "n", None) or 0)
    return total
