"""The exact engine for categories: every batch, set and pool as its counts.

n independent points of a law p are one multinomial vector; of a composition by chance they are independent
points of the mixture of two laws. Batches and pools are sums of such vectors, so that the cost of a
generation depends neither on the points pooled nor, with few categories, on n.
"""

from collections.abc import Callable
from functools import lru_cache
from typing import Any, NamedTuple

import jax.numpy as jnp
from jax import lax

from jaxsim.categorical.model import observe, sampled, selected
from jaxsim.categorical.plan import Fixed, Shape, Step
from jaxsim.multinomial import multinomial
from jaxsim.random import Key, draw_key
from jaxsim.recipes.layout import DrawForm, FitForm, Form, Place


class State(NamedTuple):
    """Models [lag][peer] as shares; batches [lag][peer][part], pools [peer] and sets as counts."""

    models: tuple[tuple[Any, ...], ...]
    batches: tuple[tuple[tuple[Any, ...], ...], ...]
    pools: tuple[Any, ...]
    sets: tuple[Any, ...]


@lru_cache(maxsize=64)
def start(shape: Shape) -> Callable:
    """(fixed) -> the state of generation 0."""

    def begin(fixed: Fixed) -> State:
        first = jnp.asarray(fixed.first)
        empty = jnp.zeros_like(first)
        return State(
            ((first,),) * shape.models,
            (((empty,) * shape.parts,),) * shape.batches,
            (empty,) * shape.pooled,
            (empty,) * shape.sets,
        )

    return begin


@lru_cache(maxsize=64)
def stepper(shape: Shape) -> Callable:
    """(fixed, step, key, replicate, state) -> state: one generation of one replicate."""

    def step(fixed: Fixed, step: Step, key: Key, replicate: Any, state: State) -> State:
        generations = [
            lambda state, number=number: _Generation(shape, number, fixed, step, key, replicate).run(state)
            for number in range(len(shape.forms))
        ]
        if not shape.switched:
            return generations[0](state)
        return lax.switch(step.form, [*generations, lambda state: state], state)

    return step


def look(name: str, fixed: Fixed, step: Step, state: Any) -> Any:
    """An observable of the newest model."""
    return observe(name, state.models[0][0], fixed.source, fixed.turn.dtype)


def law(shape: Shape, fixed: Fixed, shares: Any, sampler: bool, selection: bool) -> Any:
    """The law of a point that is kept."""
    if sampler:
        shares = sampled(shares, shape.bias, fixed.numbers)
    return selected(shares, shape.bias, fixed.numbers) if selection else shares


def laws(shape: Shape, fixed: Fixed, draw: DrawForm, models: Any, chosen: Callable = law) -> tuple[Any, Any]:
    """The laws of the real and of the generated points of a draw; None where it has none."""
    bias, synthetic = shape.bias, draw.selected[1]
    real = generated = None
    if draw.kind != "model":
        real = chosen(shape, fixed, fixed.source, bias.sampled_real, bias.selected_real)
    if draw.kind != "real":
        model = models[draw.lag - 1][draw.peer]
        generated = chosen(
            shape, fixed, model, synthetic or bias.sampled_real, synthetic or bias.selected_real
        )
    return real, generated


class _Generation:
    """One form, with its numbers."""

    def __init__(self, shape: Shape, number: int, fixed: Fixed, step: Step, key: Key, replicate: Any):
        self.shape, self.fixed, self.step = shape, fixed, step
        self.form: Form = shape.forms[number]
        self.methods = shape.methods[number]
        self.key, self.replicate = key, replicate
        self.piece = self.portion = 0

    def run(self, state: State) -> State:
        """The next generation."""
        self.state = state
        self.sets, self.pools = list(state.sets), list(state.pools)
        self.batches = [[list(parts) for parts in peers] for peers in state.batches]
        self.draws = [self._draw(number, draw) for number, draw in enumerate(self.form.draws)]
        fitted = tuple(self._fit(peer, fit) for peer, fit in enumerate(self.form.fits))
        batches = tuple(tuple(map(tuple, peers)) for peers in self.batches)
        return State(
            (fitted, *state.models[:-1]),
            # what is of lag 0 in this generation is of lag 1 in the next; the last lag falls off
            (*batches[:1], *batches[:-1]),
            tuple(self.pools),
            tuple(self.sets),
        )

    def _draw(self, number: int, draw: DrawForm) -> Any:
        """The counts of a draw, which are stored where they belong."""
        real, generated = laws(self.shape, self.fixed, draw, self.state.models)
        weights = generated if real is None else real
        if draw.kind == "mixed":
            share = self.step.share[number]
            weights = share * real + (1 - share) * generated
        key = draw_key(self.key, number, self.replicate)
        made = multinomial(key, self.step.count[number], weights, *self.methods[number])
        if draw.into is not None and draw.into[0] == "set":
            self.sets[draw.into[1]] = made
        elif draw.into is not None:
            _, lag, peer, part = draw.into
            self.batches[lag][peer][part] = made
        if draw.pool is not None:
            self.pools[draw.pool] = self.pools[draw.pool] + made
        return made

    def _piece(self, place: Place) -> Any:
        match place:
            case ("draw", number):
                return self.draws[number]
            case ("batch", lag, peer, part):
                return self.batches[lag][peer][part]
            case ("pool", peer):
                return self.pools[peer]
            case ("moments", lag, peer):
                return self.state.models[lag - 1][peer]
            case _:
                return self.sets[place[1]]

    def _fit(self, peer: int, form: FitForm) -> Any:
        found = []
        for portion in form.portions:
            counts = sum(self._piece(place) for place in portion.pieces)
            own = portion.pieces[0][0] == "moments"
            taken = 1.0 if own else self.step.taken[self.portion]
            found.append((self.step.weight[self.portion], counts, taken))
            self.portion += 1
        return fitted(self.shape, self.fixed, form, found, self.step.total[peer])


def fitted(
    shape: Shape, fixed: Fixed, form: FitForm, portions: list[tuple[Any, Any, Any]], total: Any
) -> Any:
    """The shares of a fit to portions (weight, counts, points): pooled with pseudo-counts, or weighted."""
    if form.weighted:
        return sum(weight * (counts / taken) for weight, counts, taken in portions)
    counts = sum(counts for _, counts, _ in portions)
    if shape.smoothed:
        return (counts + fixed.pseudo) / (total + jnp.sum(fixed.pseudo))
    return counts / total
