"""The literal engine for categories: every point, every candidate, one by one; what is fitted is counted.

Points are categories, kept by address where they are read again. A uniform subset is taken in one pass
(selection sampling: Fan, Muller and Rezucha 1962, doi:10.1080/01621459.1962.10480667).
"""

from collections.abc import Callable
from functools import lru_cache
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jax import lax

from jaxsim.categorical.exact import fitted, laws
from jaxsim.categorical.model import sampled
from jaxsim.categorical.plan import Fixed, Shape, Step
from jaxsim.multinomial import category_at
from jaxsim.random import Key, draw_key, threefry, unit
from jaxsim.recipes.layout import DrawForm, FitForm, Form, PortionForm

CANDIDATE = np.uint32(1)  # second words of a point's counter: its coin is 0, its candidates follow
CHOICE = np.uint32(2**31)  # ... and their perturbations


class State(NamedTuple):
    """Models [lag][peer] as shares, and the points that are kept, by address."""

    models: tuple[tuple[Any, ...], ...]
    points: Any


@lru_cache(maxsize=64)
def start(shape: Shape, capacity: int) -> Callable:
    """(fixed) -> the state of generation 0."""

    def begin(fixed: Fixed) -> State:
        first = jnp.asarray(fixed.first)
        return State(((first,),) * shape.models, jnp.zeros(capacity, jnp.int32))

    return begin


@lru_cache(maxsize=64)
def stepper(shape: Shape) -> Callable:
    """(fixed, step, key, replicate, state) -> state: one generation of one replicate."""

    def step(fixed: Fixed, step: Step, key: Key, replicate: Any, state: State) -> State:
        generations = [
            lambda state, form=form: _Generation(shape, form, fixed, step, key, replicate)(state)
            for form in shape.forms
        ]
        if not shape.switched:
            return generations[0](state)
        return lax.switch(step.form, [*generations, lambda state: state], state)

    return step


def _unselected(shape: Shape, fixed: Fixed, shares: Any, sampler: bool, selection: bool) -> tuple[Any, bool]:
    """The cumulative law of a candidate, and whether it is one of several."""
    if sampler:
        shares = sampled(shares, shape.bias, fixed.numbers)
    return jnp.cumsum(shares), selection


class _Generation:
    """One form, with its numbers; called with a state."""

    def __init__(self, shape: Shape, form: Form, fixed: Fixed, step: Step, key: Key, replicate: Any):
        self.shape, self.form = shape, form
        self.fixed, self.step, self.key, self.replicate = fixed, step, key, replicate
        self.piece = self.portion = 0

    def __call__(self, state: State) -> State:
        """The next generation."""
        self.sources = [laws(self.shape, self.fixed, d, state.models, _unselected) for d in self.form.draws]
        for number, draw in enumerate(self.form.draws):
            if draw.into is not None or draw.pool is not None:
                state = state._replace(points=self._kept(number, draw, state.points))
        models = tuple(self._fit(peer, form, state) for peer, form in enumerate(self.form.fits))
        return State((models, *state.models[:-1]), state.points)

    def _point(self, number: int, draw: DrawForm, place: Any) -> Any:
        """Point number `place` of a draw."""
        key = draw_key(self.key, number, self.replicate)
        real, generated = self.sources[number]
        at = place.astype(jnp.uint32)
        if draw.kind == "real":
            return self._one_of(key, at, *real)
        if draw.kind == "model":
            return self._one_of(key, at, *generated)
        coin = unit(threefry(key, (at, jnp.uint32(0)))) < self.step.share[number]
        return jnp.where(coin, self._one_of(key, at, *real), self._one_of(key, at, *generated))

    def _one_of(self, key: Key, at: Any, cumulative: Any, several: bool) -> Any:
        """The candidate that is kept, of one or of several."""
        bias, numbers = self.shape.bias, self.fixed.numbers
        count = bias.candidates if several and bias.rule is not None else 1
        places = jnp.arange(count, dtype=jnp.uint32)
        drawn = category_at(unit(threefry(key, (at, CANDIDATE + places))), cumulative)
        if count == 1:
            return drawn[0]
        if bias.rule == "best-of":
            return drawn[jnp.argmax(numbers.level[drawn])]
        # the largest of log-weights perturbed by Gumbel noise falls on each in proportion to its weight
        uniform = unit(threefry(key, (at, CHOICE + places))) + 2.0**-54
        return drawn[jnp.argmax(numbers.log_weight[drawn] - jnp.log(-jnp.log(uniform)))]

    def _kept(self, number: int, draw: DrawForm, points: Any) -> Any:
        """`points` with those of a draw."""
        base, count = self.step.base[number], self.step.count[number].astype(jnp.int32)

        def write(place: Any, points: Any) -> Any:
            return points.at[base + place].set(self._point(number, draw, place))

        return lax.fori_loop(jnp.int32(0), count, write, points)

    def _fit(self, peer: int, form: FitForm, state: State) -> Any:
        found = []
        for portion in form.portions:
            counts = self._eaten(portion, state)
            own = portion.pieces[0][0] == "moments"
            taken = 1.0 if own else self.step.taken[self.portion]
            found.append((self.step.weight[self.portion], counts, taken))
            self.portion += 1
        return fitted(self.shape, self.fixed, form, found, self.step.total[peer])

    def _eaten(self, portion: PortionForm, state: State) -> Any:
        """The counts of a portion's points."""
        kinds = [place[0] for place in portion.pieces]
        first = self.piece
        self.piece += len(kinds)
        none = jnp.zeros(self.shape.categories)
        if kinds[0] == "moments":
            _, lag, peer = portion.pieces[0]
            return state.models[lag - 1][peer]
        if kinds[0] == "draw":
            number = portion.pieces[0][1]
            draw, count = self.form.draws[number], self.step.count[number].astype(jnp.int32)
            add = lambda k, counts: counts.at[self._point(number, draw, k)].add(1.0)  # noqa: E731
            return lax.fori_loop(jnp.int32(0), count, add, none)
        counts = self.step.piece_count
        wanted = self.step.taken[self.portion].astype(jnp.int32) if portion.subset else None
        left = sum(counts[first + k] for k in range(len(kinds)))
        carry = (none, wanted, left, jnp.int32(0))
        for k in range(len(kinds)):
            carry = self._read(first + k, state.points, carry)
        return carry[0]

    def _read(self, piece: int, points: Any, carry: Any) -> Any:
        """Count the stored points of a piece; of a subset, those that are chosen."""
        base, count = self.step.piece_base[piece], self.step.piece_count[piece]
        subset = carry[1] is not None
        key = draw_key(self.key, len(self.form.draws) + self.portion, self.replicate)

        def add(place: Any, carry: Any) -> Any:
            counts, wanted, left, seen = carry
            if not subset:
                return counts.at[points[base + place]].add(1.0), wanted, left - 1, seen + 1
            uniform = unit(threefry(key, (seen.astype(jnp.uint32), jnp.uint32(0))))
            taken = uniform * left.astype(uniform.dtype) < wanted.astype(uniform.dtype)
            counts = counts.at[points[base + place]].add(taken.astype(counts.dtype))
            return counts, wanted - taken.astype(jnp.int32), left - 1, seen + 1

        return jax.lax.fori_loop(jnp.int32(0), count, add, carry)
