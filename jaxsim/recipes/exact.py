"""The exact engine for recipes: every batch, set and pool as its count, mean and sum of squares.

n normal points are their mean, which is normal, and the sum of squares about it, sigma^2 chi2_(n-1),
independent of it (Cochran 1934, doi:10.1017/S0305004100016595). Parts merge (`jaxsim.recipes.parts`), so that
a pool is a running triple: the cost of a generation depends neither on n nor on the points pooled. A uniform
subset of stored points has no such statistics.

Parts are kept in a moving frame (`jaxsim.recipes.frame`).
"""

from collections.abc import Callable
from functools import lru_cache, partial
from typing import Any

import jax.numpy as jnp
import numpy as np
from jax import lax

from jaxsim import blocks
from jaxsim.chi_square import deviation
from jaxsim.random import Key, normal_pair, packed, threefry, unpacked
from jaxsim.recipes.frame import Frame, reframed, widened
from jaxsim.recipes.generation import Generation, stepper
from jaxsim.recipes.layout import DrawForm
from jaxsim.recipes.observe import exact_observer
from jaxsim.recipes.parts import Part, State, begun
from jaxsim.recipes.plan import Shape
from jaxsim.recipes.statistics import Fixed, Step

BLOCK = 512  # replicates: what a generation touches stays in the cache next to a core
COST = 3  # a generation beside one of plain replacement
ADDRESSES = 4  # counters of a draw: one pair of normals, or two and the binomial's word,
WORD = 2  # which is this one
ELSEWHERE = np.uint32(2**32 - 1)


@lru_cache(maxsize=64)
def kernel(shape: Shape, models: int | None) -> blocks.Kernel:
    """What one replicate does; one object for equal shapes, so that compiled programs are found again."""
    counters = _counters(shape)
    return blocks.Kernel(
        _starter(shape),
        stepper(shape, partial(_Generation, shape)),
        exact_observer(models),
        (),
        (),
        BLOCK,
        "summary",
        ahead=_ahead(counters),
        draw=_drawer(shape, counters),
        cost=COST,
    )


def _counters(shape: Shape) -> tuple[int, ...]:
    """The addresses of the words that the last form, which repeats, takes; at least one."""
    draws = enumerate(shape.forms[-1].draws)
    found = [ADDRESSES * n + place for n, d in draws for place in range(3 if d.kind == "mixed" else 1)]
    return tuple(found) or (0,)


def _ahead(counters: tuple[int, ...]) -> Callable:
    def ahead(key: Key, replicate: Any) -> tuple[Any, ...]:
        return tuple(packed(threefry(key, (replicate, np.uint32(counter)))) for counter in counters)

    return ahead


def _drawer(shape: Shape, counters: tuple[int, ...]) -> Callable:
    """(fixed, step, words) -> what was drawn, by counter; for forms that come once, the first words.

    A draw is a normal and the sum of squares about the mean of that many; where the number is random, the two
    normals they come from, and a word.
    """
    mixed, last = _of_chance(shape), len(shape.forms[-1].draws)

    def one(fixed: Fixed, step: Step, counter: int, pair: Any) -> Any:
        number, place = divmod(counter, ADDRESSES)
        if place == WORD:
            return pair
        z, x = normal_pair(unpacked(pair), fixed.turn)
        return lax.complex(z, x if number in mixed else _squares(fixed, step.row[number], x))

    def draw(fixed: Fixed, step: Step, words: tuple[Any, ...]) -> tuple[dict[int, Any], Any]:
        pairs = zip(counters, words, strict=True)
        drawn = {c: one(fixed, step, c, pair) for c, pair in pairs if c < ADDRESSES * last}
        return drawn, words[0] if shape.switched else ()

    return draw


def _of_chance(shape: Shape) -> set[int]:
    """The draws of which a random number is real, in any form."""
    return {n for form in shape.forms for n, draw in enumerate(form.draws) if draw.kind == "mixed"}


def _squares(fixed: Fixed, row: Any, x: Any) -> Any:
    """Chi-square with the degrees of freedom of a row, from a standard normal."""
    return jnp.exp(fixed.log_scale[row] + deviation(fixed.rows[row], x))


def _starter(shape: Shape) -> Callable:
    def start(fixed: Fixed) -> State:
        zero = jnp.zeros((), fixed.turn.dtype)
        log_unit = fixed.log_variance / 2
        models = tuple(
            Part((fixed.means[peer] - fixed.means[0]) * jnp.exp(-log_unit), zero)
            for peer in range(shape.peers)
        )
        frame = Frame(fixed.means[0], jnp.exp(log_unit), log_unit)
        return begun(shape, frame, models, Part(zero, zero))

    return start


class _Generation(Generation):
    """A generation on the line; `words` are what was drawn ahead, by counter, and the first words."""

    def _opened(self, state: State) -> State:
        """In a unit that is at least the source's, if real points are taken."""
        pieces = [piece for fit in self.form.fits for portion in fit.portions for piece in portion.pieces]
        drawn = any(draw.kind != "model" and not draw.becomes_set for draw in self.form.draws)
        if not drawn and all(piece[0] != "set" for piece in pieces):
            self.newest = 1.0
            return state
        wide, self.newest = widened(state)
        return wide

    def _closed(self, state: State) -> State:
        return reframed(state)

    def _law(self, number: int, draw: DrawForm, kind: str, absolute: bool) -> tuple[Any, Any]:
        """The mean and the variance of the points of one kind of a draw."""
        origin, unit, _ = self.state.frame
        if absolute:
            origin, unit = jnp.zeros_like(origin), jnp.ones_like(unit)
        if kind == "real":
            shrink = 1 / unit
            mean, variance = (self.fixed.targets[draw.target] - origin) * shrink, shrink * shrink
            factor, selected = self.step.real_factor[number], draw.selected[0]
        else:
            mean, variance = self._moments(draw.lag, draw.peer)
            factor, selected = self.step.model_factor[number], draw.selected[1]
        variance = variance * factor
        return self._tilted(mean, variance, origin, unit) if selected else (mean, variance)

    def _tilted(self, mean: Any, variance: Any, origin: Any, unit: Any) -> tuple[Any, Any]:
        """N(mean, variance), in units `unit` from `origin`, times e^(beta u x) or e^(-beta (x - c)^2 / 2)."""
        rule = self.fixed.rule
        if not self.shape.rule.quadratic:
            return mean + rule.direction * rule.strength * unit * variance, variance
        gain = rule.strength * unit * variance  # over the unit
        kept = 1 / (1 + gain * unit)
        return mean + gain * kept * (rule.centre - origin - unit * mean), variance * kept

    def _normal(self, number: int, place: int, count: Any, row: Any, law: tuple[Any, Any]) -> Part:
        drawn, _ = self.words
        counter, (mean, variance) = ADDRESSES * number + place, law
        if counter in drawn:
            z, x = drawn[counter].real, drawn[counter].imag
        else:
            z, x = normal_pair(self._words(counter), self.fixed.turn)
        ready = counter in drawn and number not in _of_chance(self.shape)
        squares = x if ready else _squares(self.fixed, row, x)
        by_chance = self.form.draws[number].kind == "mixed"
        points = jnp.maximum(count, 1) if by_chance else count  # there may be none of a kind
        mean = mean + jnp.sqrt(variance / points) * z
        return Part(mean, jnp.where(count > 1, variance * squares, 0))

    def _word(self, number: int) -> tuple[Any, Any]:
        return self._words(ADDRESSES * number + WORD)

    def _words(self, counter: int) -> tuple[Any, Any]:
        """Two words of a draw: those made ahead, or hashed from the first of them."""
        drawn, first = self.words
        if counter in drawn:
            return unpacked(drawn[counter])
        return threefry(unpacked(first), (np.uint32(counter), ELSEWHERE))

    def _placed(self, part: Part) -> Part:
        shrink = 1 / self.state.frame.unit
        return Part((part.mean - self.state.frame.origin) * shrink, part.spread * shrink**2)

    def _moments(self, lag: int, peer: int) -> Part:
        if lag == 1 and self.shape.peers == 1:  # the frame is its own
            return Part(jnp.zeros_like(self.state.frame.origin), self.newest * self.newest)
        mean, log_variance = self.state.models[lag - 1][peer]
        return Part(mean, jnp.exp(log_variance))

    def _share(self, weight: Any, spread: Any, divisor: Any) -> Any:
        return weight * (spread / divisor)

    def _model(self, mean: Any, variance: Any) -> Part:
        return Part(mean, jnp.maximum(variance, jnp.finfo(variance.dtype).tiny))
