"""One generation of a recipe in an exact engine, the same walk in any room.

What is drawn is stored where it belongs, every fit merges its pieces, and the state is left in the frame of
the newest models. In a mixed draw the number of real points is binomial, found by inversion of a 64-bit word.
How points of a normal law are drawn and what a frame is, an engine says.
"""

from abc import ABC, abstractmethod
from collections.abc import Callable
from typing import Any

import jax.numpy as jnp
import numpy as np
from jax import lax

from jaxsim.recipes.layout import DrawForm, FitForm, Form, Place
from jaxsim.recipes.normals import averages
from jaxsim.recipes.parts import Part, State, merged
from jaxsim.recipes.plan import Shape
from jaxsim.recipes.statistics import Fixed, Step


def stepper(shape: Shape, generation: Callable) -> Callable:
    """(fixed, step, words, replicate, state) -> state: a generation, of the form that it has.

    Args:
        shape: of the recipe.
        generation: (form, fixed, step, words, replicate) -> an object with `run`, from a state to the next.
    """

    def step(fixed: Any, step: Any, words: Any, replicate: Any, state: Any) -> Any:
        generations = [
            lambda state, form=form: generation(form, fixed, step, words, replicate).run(state)
            for form in shape.forms
        ]
        if not shape.switched:
            return generations[0](state)
        # never a single branch: it would be compiled in place, with other last bits
        return lax.switch(step.form, [*generations, lambda state: state], state)

    return step


class Generation(ABC):
    """One form, with its numbers.

    Attributes:
        state: what there was before, in the frame in which this generation is lived.
        component: 0, 1, ..., d - 1; on the line 0.
    """

    def __init__(self, shape: Shape, form: Form, fixed: Fixed, step: Step, words: Any, replicate: Any):
        self.shape, self.form, self.fixed, self.step = shape, form, fixed, step
        self.words, self.replicate = words, replicate
        d = shape.dimension
        self.component = np.arange(d, dtype=np.int32) if d else np.int32(0)
        self.piece = self.portion = 0

    @abstractmethod
    def _opened(self, state: State) -> State:
        """The state in the frame in which this generation is lived."""

    @abstractmethod
    def _closed(self, state: State) -> State:
        """The state in the frame of its newest models."""

    @abstractmethod
    def _law(self, number: int, draw: DrawForm, kind: str, absolute: bool) -> Any:
        """What the points of one kind of a draw come from: in the frame, or in the source's units."""

    @abstractmethod
    def _normal(self, number: int, place: int, count: Any, row: Any, law: Any) -> Part:
        """`count` points of a draw, all of one law; `row` belongs to their degrees of freedom."""

    @abstractmethod
    def _word(self, number: int) -> tuple[Any, Any]:
        """The high and the low half of a draw's uniform 64-bit word."""

    @abstractmethod
    def _placed(self, part: Part) -> Part:
        """A real set, in the frame."""

    @abstractmethod
    def _moments(self, lag: int, peer: int) -> Part:
        """A model's own, as those of one point."""

    @abstractmethod
    def _share(self, weight: Any, spread: Any, divisor: Any) -> Any:
        """A portion's share of a weighted fit's variance; the order of operations decides its last bits."""

    @abstractmethod
    def _model(self, mean: Any, variance: Any) -> Any:
        """A model of these moments, as `_closed` takes it."""

    def run(self, state: State) -> State:
        """The next generation."""
        self.state = self._opened(state)
        self.sets, self.pools = list(self.state.sets), list(self.state.pools)
        self.batches = [[list(parts) for parts in peers] for peers in self.state.batches]
        self.draws = [self._draw(number, draw) for number, draw in enumerate(self.form.draws)]
        fitted = tuple(self._fit(peer, fit) for peer, fit in enumerate(self.form.fits))
        made = State(
            self.state.frame,
            (fitted, *self.state.models[:-1]),
            tuple(tuple(map(tuple, peers)) for peers in self.batches),
            tuple(self.pools),
            tuple(self.sets),
        )
        moved = self._closed(made)
        # what is of lag 0 in this generation is of lag 1 in the next; the last lag falls off
        return moved._replace(batches=(*moved.batches[:1], *moved.batches[:-1]))

    def _draw(self, number: int, draw: DrawForm) -> Part:
        """The statistics of a draw, which is stored where it belongs."""
        count = self.step.count[number]
        if draw.kind == "mixed":
            made = self._mixed(number, draw)
        else:
            law = self._law(number, draw, draw.kind, absolute=draw.becomes_set)
            made = self._normal(number, 0, count, self.step.row[number], law)
        match draw.into:
            case ("set", name):
                self.sets[name] = made
            case ("batch", lag, peer, part) if self.shape.batches:
                self.batches[lag][peer][part] = made
        if draw.pool is not None:
            pool = self.pools[draw.pool]
            self.pools[draw.pool] = merged([(self.step.before[number], pool), (count, made)])
        return made

    def _mixed(self, number: int, draw: DrawForm) -> Part:
        """Real points, as many as a binomial says, and a model's."""
        high, low = self._word(number)
        word = (high.astype(jnp.uint64) << np.uint64(32)) | low.astype(jnp.uint64)
        real = jnp.searchsorted(self.fixed.binomial[self.step.kind[number]], word, side="right")
        total = self.step.count[number]
        counts = real.astype(total.dtype), total - real.astype(total.dtype)
        parts = []
        for place, (count, kind) in enumerate(zip(counts, ("real", "model"), strict=True)):
            # degrees of freedom 1, 2, ... are rows 0, 1, ...
            row = jnp.maximum(count.astype(jnp.int32) - 2 - self.component, 0)
            law = self._law(number, draw, kind, absolute=False)
            parts.append((count, self._normal(number, place, count, row, law)))
        return merged(parts)

    def _piece(self, place: Place) -> tuple[Any, Part]:
        count = self.step.piece_count[self.piece]
        self.piece += 1
        match place:
            case ("draw", number):
                return count, self.draws[number]
            case ("batch", lag, peer, part):
                return count, self.batches[lag][peer][part]
            case ("pool", peer):
                return count, self.pools[peer]
            case ("moments", lag, peer):
                return jnp.ones_like(count), self._moments(lag, peer)
            case _:
                return count, self._placed(self.sets[place[1]])

    def _fit(self, peer: int, form: FitForm) -> Any:
        """A model in the frame."""
        step = self.step
        portions = [[self._piece(place) for place in portion.pieces] for portion in form.portions]
        if not form.weighted:
            mean, spread = merged([piece for portion in portions for piece in portion])
            return self._model(mean, spread / step.fit_divisor[peer])
        means, shares, weights = [], [], []
        for place, portion in enumerate(portions, self.portion):
            mean, spread = merged(portion)
            weights.append(step.weight[place])
            means.append(mean)
            shares.append(self._share(step.weight[place], spread, step.divisor[place]))
        self.portion += len(portions)
        return self._model(*averages(weights, means, shares, self.shape.between))
