"""What the fits of a loop eat: recipes carried out with stored arrays, whatever the policy's name.

Every random choice has an address: what it is for, the generation, the model read, the place in the meal, and
the replicate. The same numbers come back in any order and after any restart.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

import jax
import numpy as np
from jaxtyping import Array

from models.choosing import Score, candidates, kept
from models.points import Points, joined
from models.real import Real
from theory.loop import Loop, LoopError
from theory.loop_file import loop_hash
from theory.meal import Meal, Mixed, Moments, Pool, RealSet, Recipe, Sample, Stored
from theory.meal import Real as RealPoints

REAL, FIT, SAMPLE, SELECT, SUBSET, SET, CONTROL = range(7)
"""What random numbers are for."""

EATS = 1000
"""The places of portions are counted from here, those of what is stored from 0."""


class Streams(NamedTuple):
    """Where random numbers come from.

    Attributes:
        seed: the master seed.
        loop: the hash of the loop.
        replicates: how many.
    """

    seed: int
    loop: int
    replicates: int

    def rngs(self, *address: int) -> list[np.random.Generator]:
        """NumPy's random numbers at an address, one generator a replicate."""
        return [np.random.default_rng(sequence) for sequence in self._sequences(address)]

    def keys(self, *address: int) -> Array:
        """JAX's keys at an address, one a replicate."""
        words = [sequence.generate_state(2) for sequence in self._sequences(address)]
        return jax.random.wrap_key_data(np.stack(words).astype(np.uint32))

    def _sequences(self, address: tuple[int, ...]) -> list[np.random.SeedSequence]:
        start = (self.seed, self.loop)
        return [np.random.SeedSequence((*start, i, *address)) for i in range(self.replicates)]


def streams(loop: Loop, seed: int, replicates: int) -> Streams:
    """The random numbers of a run."""
    return Streams(seed, loop_hash(loop), replicates)


class Served(NamedTuple):
    """One fit's food.

    Attributes:
        parts: the portions that are points.
        weights: of each; None: every point weighs the same.
        model: (generation, peer) of the model a healing fit goes on from; None: from scratch.
        share: of the training that the fit takes.
    """

    parts: list[Points]
    weights: list[float] | None
    model: tuple[int, int] | None
    share: float


class Kitchen:
    """Serves the meals of one run.

    Attributes:
        batches: what each generation stored, by generation: a list of draws for every peer.
    """

    def __init__(
        self,
        loop: Loop,
        recipe: Recipe,
        real: Real,
        score: Score,
        random: Streams,
        raw: Callable[[int, int, tuple[int, ...], int], Points],
    ):
        """Set up.

        Args:
            loop: the loop.
            recipe: its data policy.
            real: its real points.
            score: what its selection ranks by.
            random: random numbers.
            raw: (generation, peer, address, points) -> unselected points of a model.
        """
        for name in ("sampler", "selection"):
            if getattr(getattr(loop, name), "applies_to_source", False):
                raise LoopError(f"{name}.applies_to_source", True, "real images are taken as they are")
        if recipe.targets is not None:
            raise LoopError("data.targets", recipe.targets, "a generator has one source")
        self._rule, self._real, self._score, self._random, self._raw = (
            loop.selection, real, score, random, raw,
        )  # fmt: skip
        self._recipe = recipe
        self.batches: dict[int, list[list[Points]]] = {}
        for number, draws in enumerate(reversed(recipe.initial)):
            self.batches[-number] = [
                [self._drawn(draw, -number, peer, place) for place, draw in enumerate(draws)]
                for peer in range(recipe.peers)
            ]

    def serve(self, generation: int) -> list[Served]:
        """The food of every peer's fit, after all have stored what they add."""
        meals = [self._recipe.at(generation, peer) for peer in range(self._recipe.peers)]
        self.batches[generation] = [
            [self._drawn(draw, generation, peer, place) for place, draw in enumerate(meal.adds)]
            for peer, meal in enumerate(meals)
        ]
        return [self._served(meal, generation, peer) for peer, meal in enumerate(meals)]

    def kept(self, generation: int, peer: int, address: tuple[int, ...], n: int) -> Points:
        """`n` points of a model that its selection keeps."""
        raw = self._raw(generation, peer, address, candidates(self._rule, n))
        return kept(self._rule, raw, n, self._score, self._random.rngs(SELECT, *address), self._real)

    def _served(self, meal: Meal, generation: int, peer: int) -> Served:
        parts, weights, model, share = [], [], None, 1.0
        for place, portion in enumerate(meal.eats):
            weight = None if meal.weights is None else float(meal.weights[place])
            if isinstance(portion, Moments):
                model, share = (portion.model, portion.peer), 1 - weight
                continue
            parts.append(self._portion(portion, generation, peer, EATS + place))
            weights.append(weight)
        alone = meal.weights is None or len(parts) == 1
        return Served(parts, None if alone else weights, model, share)

    def _portion(self, portion: Any, generation: int, peer: int, place: int) -> Points:
        if isinstance(portion, RealSet):
            name = sorted(self._recipe.sets).index(portion.name)
            return self._real_points(int(self._recipe.sets[portion.name]), (SET, name))
        if isinstance(portion, Stored):
            stored = [self.batches[number][portion.peer] for number in portion.batches]
            chosen = [batch if portion.part is None else [batch[portion.part]] for batch in stored]
            whole = joined([draw for batch in chosen for draw in batch])
        elif isinstance(portion, Pool):
            whole = joined([draw for t in sorted(self.batches) for draw in self.batches[t][portion.peer]])
        else:
            return self._drawn(portion, generation, peer, place)
        if portion.n is None or portion.n >= whole.count:
            return whole
        rngs = self._random.rngs(SUBSET, generation, peer, place)
        return whole.taken(np.stack([rng.permutation(whole.count)[: portion.n] for rng in rngs]))

    def _drawn(self, draw: Any, generation: int, peer: int, place: int) -> Points:
        n = int(draw.n)
        address = (generation + EATS, peer, place)  # batches before the first have negative numbers
        if isinstance(draw, RealPoints) or not draw.synthetic:
            return self._real_points(n, (REAL, *address))
        made = self.kept(draw.model, draw.peer, (draw.model, draw.peer, *address), n)
        if isinstance(draw, Sample):
            return made
        assert isinstance(draw, Mixed)
        values, labels = made.values.copy(), made.labels.copy()
        for replicate, rng in enumerate(self._random.rngs(REAL, *address)):
            mixed = np.flatnonzero(rng.random(n) < float(draw.real_share))
            if len(mixed):
                values[replicate, mixed], labels[replicate, mixed] = self._real.draw(rng, len(mixed))
        return Points(values, labels)

    def _real_points(self, n: int, address: tuple[int, ...]) -> Points:
        return drawn(self._real, self._random.rngs(*address), n)


def drawn(real: Real, rngs: list[np.random.Generator], n: int) -> Points:
    """`n` real points for every replicate."""
    return Points(*map(np.stack, zip(*(real.draw(rng, n) for rng in rngs), strict=True)))


def first_reading(generation: int, peer: int, recipe: Recipe) -> tuple[int, ...]:
    """The address at which the next generation first samples this model: what is measured of it."""
    adds = bool(recipe.at(generation, peer).adds)
    return generation, peer, generation + 1 + EATS, peer, 0 if adds else EATS
