"""The vocabulary of recipes: what one fit eats, as data.

Generations, models and batches are numbered: model t is the fit of generation t, model 0 what the loop
starts from; batch t is what generation t adds to the store, and batches numbered 0 or less are there from
the beginning. Peers are numbered from 0. Points are either eaten once, as they are drawn, or added to the
store and eaten from there.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from theory.counts import Count
from theory.loop import LoopError, Number


@dataclass(frozen=True)
class Real:
    """`n` fresh points of the source, or of target `target` where peers have targets."""

    n: Count
    target: int = 0


@dataclass(frozen=True)
class Sample:
    """`n` new points of model `model` of peer `peer`.

    Attributes:
        n: how many.
        model: the generation of the model.
        peer: whose.
        synthetic: whether a sampler's bias and a selection act; not if model 0 is the source itself.
    """

    n: Count
    model: int
    peer: int = 0
    synthetic: bool = True


@dataclass(frozen=True)
class Mixed:
    """`n` points, each real with probability `real_share`, else from a model (iid composition)."""

    n: Count
    real_share: Number
    model: int
    peer: int = 0
    target: int = 0
    synthetic: bool = True


@dataclass(frozen=True)
class RealSet:
    """All points of a named real set, the same in every generation."""

    name: str


@dataclass(frozen=True)
class Stored:
    """Points of the batches of one peer, as one pool.

    Attributes:
        batches: their numbers.
        n: a uniform subset of that size, without replacement; None: all.
        part: only what the draw of that place in each batch's list brought; None: all.
        peer: whose.
    """

    batches: tuple[int, ...]
    n: Count | None = None
    part: int | None = None
    peer: int = 0


@dataclass(frozen=True)
class Pool:
    """Every batch stored so far, this generation's included: all of it, or a uniform subset of `n`.

    All of it needs running sums only; a subset needs the points.
    """

    n: Count | None = None
    peer: int = 0


@dataclass(frozen=True)
class Moments:
    """The mean and variance of a model, as if it were a batch; nothing is sampled."""

    model: int
    peer: int = 0


Draw = Real | Sample | Mixed
Portion = Draw | RealSet | Stored | Pool | Moments


@dataclass(frozen=True)
class Meal:
    """What one fit eats.

    Attributes:
        eats: the portions.
        weights: the total weight of each portion, spread evenly over its points; they sum to 1. None: every
            point of the fit weighs the same (a pooled fit).
        adds: what is drawn into the store first; it is this generation's batch.
    """

    eats: tuple[Portion, ...]
    weights: tuple[Number, ...] | None = None
    adds: tuple[Draw, ...] = ()


@dataclass(frozen=True)
class Recipe:
    """A data policy, generation by generation; a meal is made when it is asked for.

    Attributes:
        meal: (generation >= 1, peer) -> what that fit eats.
        peers: how many models every generation has.
        alike: how many models of one law each of them stands for (`theory.provenance.alike`).
        targets: the means of the sources they take real points from; None: all from the source.
        sets: sizes of the named fixed real sets.
        initial: the batches that are stored before generation 1: number 0 last.
        models_back: the oldest model a generation t reads is t - models_back.
        batches_back: the oldest batch that `Stored` reads at t is t - batches_back; 0: only its own.
        pooled: whether `Pool` is eaten.
        settled: the first generation from which on meals have one form: shifted to the present they differ
            in counts and weights alone.
        constant: whether from there on they do not differ at all.
    """

    meal: Callable[[int, int], Meal]
    peers: int = 1
    targets: tuple[Any, ...] | None = None
    sets: Mapping[str, Count] = field(default_factory=dict)
    initial: tuple[tuple[Draw, ...], ...] = ()
    models_back: int = 1
    batches_back: int = 0
    pooled: bool = False
    settled: int = 2
    constant: bool = True
    alike: int = 1

    def at(self, generation: int, peer: int = 0) -> Meal:
        """What the fit of `peer` in `generation` eats."""
        if generation < 1:
            raise LoopError("generation", generation, "fits are numbered from 1")
        return self.meal(generation, peer)


def shifted(meal: Meal, by: int) -> Meal:
    """`meal` with every model and batch number raised by `by` (minus the generation: seen as lags)."""

    def moved(portion: Portion) -> Portion:
        if isinstance(portion, Stored):
            return replace(portion, batches=tuple(number + by for number in portion.batches))
        if isinstance(portion, Sample | Mixed | Moments):
            return replace(portion, model=portion.model + by)
        return portion

    return replace(meal, eats=tuple(map(moved, meal.eats)), adds=tuple(map(moved, meal.adds)))
