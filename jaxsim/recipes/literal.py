"""The literal engine for recipes: draws every point, keeps those that are read again, fits what is eaten.

Points and models are in units of the source's length, in absolute position: a variance below 1e-26 of the
squared distance to the source's mean is not resolved. A uniform subset is taken in one pass (selection
sampling: Fan, Muller and Rezucha 1962, doi:10.1080/01621459.1962.10480667): each point in turn with
probability (still wanted) / (still to come).
"""

from collections.abc import Callable
from functools import lru_cache, partial
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jax import lax

from jaxsim.random import Key, threefry
from jaxsim.recipes.generation import stepper
from jaxsim.recipes.layout import DrawForm, FitForm, Form, PortionForm
from jaxsim.recipes.normals import Portion, square
from jaxsim.recipes.plan import Shape
from jaxsim.recipes.points import ELSEWHERE, Draw, Read, begun, family_of


class Fixed(NamedTuple):
    """What does not depend on the generation; lengths in units of the source's, from its mean.

    Attributes:
        means: of the models numbered 0, [peer], or [peer, d].
        targets: means of the sources.
        turn: 2^32, in the precision of the run.
        mass: erf(c / sqrt 2) of a truncation at c, 1 without one.
        variance: on the line, of the models numbered 0.
        root: in d dimensions, their lower triangular F with covariance F F^T.
        source: in d dimensions, the source's.
        rule: numbers of a selection (`jaxsim.selected.points.Numbers`).
    """

    means: Any
    targets: Any
    turn: Any
    mass: Any
    variance: Any = ()
    root: Any = ()
    source: Any = ()
    rule: Any = ()


class State(NamedTuple):
    """Models [lag][peer], the newest first, and the points that are kept, by address."""

    models: tuple[tuple[Any, ...], ...]
    points: Any


@lru_cache(maxsize=64)
def start(shape: Shape, capacity: int) -> Callable:
    """(fixed) -> the state of generation 0."""

    def begin(fixed: Fixed) -> State:
        axes = (shape.dimension,) if shape.dimension else ()
        points = jnp.zeros((capacity, *axes), fixed.turn.dtype)
        return State((begun(shape, fixed),) * shape.models, points)

    return begin


@lru_cache(maxsize=64)
def step(shape: Shape, truncating: bool) -> Callable:
    """(fixed, step, key, replicate, state) -> state: one generation of one replicate."""
    return stepper(shape, partial(_Generation, shape, truncating))


class _Generation:
    """One form, with its numbers."""

    def __init__(
        self, shape: Shape, truncating: bool, form: Form, fixed: Fixed, step: Any, key: Key, replicate: Any
    ):
        self.shape, self.form, self.truncating = shape, form, truncating
        self.fixed, self.step, self.key, self.replicate = fixed, step, key, replicate
        self.family = family_of(shape)
        self.piece = self.portion = 0

    def run(self, state: State) -> State:
        """The next generation."""
        points = state.points
        for number, draw in enumerate(self.form.draws):
            if draw.into is not None:
                points = self._kept(number, draw, state, points)
        state = state._replace(points=points)
        fitted = tuple(self._fit(peer, fit, state) for peer, fit in enumerate(self.form.fits))
        return State((fitted, *state.models[:-1]), points)

    def _read(self, number: int, draw: DrawForm, models: Any) -> tuple[Any, Read]:
        return Draw(
            self.shape, self.truncating, self.fixed, self.step, self.key, self.replicate, number
        ).ready(draw, models)

    def _pairs(self, number: int) -> Any:
        return (self.step.count[number] + 1) // 2

    def _kept(self, number: int, draw: DrawForm, state: State, points: Any) -> Any:
        """`points` with those of a draw."""
        base, count = self.step.base[number], self.step.count[number]

        pools, read = self._read(number, draw, state.models)

        def write(pair: Any, carry: Any) -> Any:
            points, pools = carry
            a, b, pools = read(pair.astype(jnp.uint32), pools)
            both = 2 * pair + 1 < count
            points = points.at[base + 2 * pair].set(a)
            second = jnp.where(both, base + 2 * pair + 1, base + 2 * pair)
            return points.at[second].set(jnp.where(both, b, a)), pools

        return lax.fori_loop(jnp.int32(0), self._pairs(number), write, (points, pools))[0]

    def _fit(self, peer: int, form: FitForm, state: State) -> Any:
        reference = state.models[0][peer]
        step, found = self.step, []
        for portion in form.portions:
            statistic = self._eaten(portion, state, reference)
            own = portion.pieces[0][0] == "moments"
            count = jnp.ones_like(step.weight[0]) if own else step.taken[self.portion]
            parts = (step.weight[self.portion], count, step.divisor[self.portion], statistic)
            found.append(Portion(*parts))
            self.portion += 1
        if not form.weighted:
            total = jax.tree.map(lambda *parts: sum(parts), *(part.statistic for part in found))
            numbers = (jnp.ones_like(step.weight[0]), step.total[peer], step.fit_divisor[peer])
            found = [Portion(*numbers, total)]
        return self.family.fit(reference, found, self.shape.between)

    def _eaten(self, portion: PortionForm, state: State, reference: Any) -> Any:
        """The sum of the tallies of a portion's points."""
        kinds = [place[0] for place in portion.pieces]
        if kinds[0] == "moments":
            self.piece += 1
            _, lag, peer = portion.pieces[0]
            return self.family.moments(state.models[lag - 1][peer], reference)
        zero = jnp.zeros_like(reference.mean)
        sums = (zero, square(zero))
        if kinds[0] == "draw":
            self.piece += 1
            return self._drawn(portion.pieces[0][1], state, reference, sums)
        first = self.piece
        self.piece += len(kinds)
        counts = self.step.piece_count
        wanted = self.step.taken[self.portion].astype(jnp.int32) if portion.subset else None
        left = sum(counts[first + k] for k in range(len(kinds)))
        carry = (sums, wanted, left, jnp.int32(0))
        for k in range(len(kinds)):
            carry = self._stored(first + k, state.points, reference, carry)
        return carry[0]

    def _drawn(self, number: int, state: State, reference: Any, sums: Any) -> Any:
        draw, count = self.form.draws[number], self.step.count[number]

        pools, read = self._read(number, draw, state.models)

        def add(pair: Any, carry: Any) -> Any:
            sums, pools = carry
            a, b, pools = read(pair.astype(jnp.uint32), pools)
            both = 2 * pair + 1 < count
            tallies = (self.family.tally(point, reference) for point in (a, b))
            return jax.tree.map(lambda s, x, y: s + (x + jnp.where(both, y, 0)), sums, *tallies), pools

        return lax.fori_loop(jnp.int32(0), self._pairs(number), add, (sums, pools))[0]

    def _stored(self, piece: int, points: Any, reference: Any, carry: Any) -> Any:
        """Add the stored points of a piece; of a subset, those that are chosen."""
        base, count = self.step.piece_base[piece], self.step.piece_count[piece]
        subset = carry[1] is not None
        key = threefry(self.key, (np.uint32(len(self.form.draws) + self.portion), ELSEWHERE))

        def add(place: Any, carry: Any) -> Any:
            sums, wanted, left, seen = carry
            tally = self.family.tally(points[base + place], reference)
            if subset:
                word = threefry(key, (self.replicate, seen.astype(jnp.uint32)))[0]
                below = (word.astype(jnp.uint64) * left.astype(jnp.uint64)) >> np.uint64(32)
                taken = below < wanted.astype(jnp.uint64)
                tally = jax.tree.map(lambda y: jnp.where(taken, y, 0), tally)
                wanted = wanted - taken.astype(jnp.int32)
            return jax.tree.map(jnp.add, sums, tally), wanted, left - 1, seen + 1

        return lax.fori_loop(jnp.int32(0), count, add, carry)
