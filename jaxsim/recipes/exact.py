"""The exact engine for recipes: every batch, set and pool as its count, mean and sum of squares.

n normal points are their mean, which is normal, and the sum of squares about it, sigma^2 chi2_(n-1),
independent of it (Cochran 1934, doi:10.1017/S0305004100016595). Merging two parts,

    mean = (n_a mean_a + n_b mean_b) / n,    SS = SS_a + SS_b + n_a n_b (mean_a - mean_b)^2 / n,

a pool is a running triple: the cost of a generation depends neither on n nor on the points pooled. In a mixed
draw the number of real points is binomial, found by inversion of a 64-bit word. A uniform subset of stored
points has no such statistics.

Parts are kept in a moving frame (`jaxsim.recipes.frame`).
"""

from collections.abc import Callable
from functools import lru_cache
from typing import Any

import jax.numpy as jnp
import numpy as np
from jax import lax

from jaxsim import blocks
from jaxsim.chi_square import deviation
from jaxsim.random import Key, normal_pair, packed, threefry, unpacked
from jaxsim.recipes.frame import Part, State, merged, reframed, widened
from jaxsim.recipes.layout import DrawForm, FitForm, Form, Place
from jaxsim.recipes.observe import exact_observer
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
        _stepper(shape),
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
    mixed, last = _mixed(shape), len(shape.forms[-1].draws)

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


def _mixed(shape: Shape) -> set[int]:
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
        empty = Part(zero, zero)
        batch = ((empty,) * shape.parts,) * shape.peers
        pools = (empty,) * (shape.peers if shape.pooled else 0)
        return State(
            fixed.means[0],
            jnp.exp(log_unit),
            log_unit,
            (models,) * shape.models,
            (batch,) * shape.batches,
            pools,
            (empty,) * shape.sets,
        )

    return start


def _stepper(shape: Shape) -> Callable:
    def step(fixed: Fixed, step: Step, drawn: Any, replicate: Any, state: State) -> State:
        del replicate
        generations = [
            lambda state, form=form: _Generation(shape, form, fixed, step, drawn).run(state)
            for form in shape.forms
        ]
        if not shape.switched:
            return generations[0](state)
        # never a single branch: it would be compiled in place, with other last bits
        return lax.switch(step.form, [*generations, lambda state: state], state)

    return step


class _Generation:
    """One form, with its numbers."""

    def __init__(self, shape: Shape, form: Form, fixed: Fixed, step: Step, drawn: tuple[dict[int, Any], Any]):
        self.shape, self.form, self.fixed, self.step = shape, form, fixed, step
        self.drawn, self.first = drawn
        self.piece = self.portion = 0

    def run(self, state: State) -> State:
        """The next generation."""
        self.frame, self.newest = widened(state) if self._takes_real() else (state, 1.0)
        self.sets, self.pools = list(state.sets), list(self.frame.pools)
        batches = [[list(parts) for parts in peers] for peers in self.frame.batches]
        self.batches = batches
        self.draws = [self._draw(number, draw) for number, draw in enumerate(self.form.draws)]
        self.variances: list[Any] = []
        fitted = [self._fit(peer, fit) for peer, fit in enumerate(self.form.fits)]
        models = (tuple(fitted), *self.frame.models[:-1])
        moved = self.frame._replace(
            models=models,
            batches=tuple(tuple(map(tuple, peers)) for peers in batches),
            pools=tuple(self.pools),
            sets=tuple(self.sets),
        )
        moved = reframed(moved, self.variances)
        # what is of lag 0 in this generation is of lag 1 in the next; the last lag falls off
        return moved._replace(batches=(*moved.batches[:1], *moved.batches[:-1]))

    def _takes_real(self) -> bool:
        pieces = [piece for fit in self.form.fits for portion in fit.portions for piece in portion.pieces]
        drawn = any(d.kind != "model" and (d.into is None or d.into[0] != "set") for d in self.form.draws)
        return drawn or any(piece[0] == "set" for piece in pieces)

    def _draw(self, number: int, draw: DrawForm) -> Part:
        """The statistics of a draw, which is stored where it belongs."""
        step = self.step
        if draw.into is not None and draw.into[0] == "set":
            mean, variance = self.fixed.targets[draw.target], step.real_factor[number]
            if draw.selected[0]:
                one = jnp.ones_like(mean)
                mean, variance = self._tilted(mean, variance, jnp.zeros_like(mean), one)
            made = self._normal(number, mean, variance)
            self.sets[draw.into[1]] = made
            return made
        if draw.kind == "real":
            made = self._normal(number, *self._law(number, draw, "real"))
        elif draw.kind == "model":
            made = self._normal(number, *self._law(number, draw, "model"))
        else:
            made = self._mixed(number, draw)
        if draw.into is not None and self.shape.batches:
            _, lag, peer, part = draw.into
            self.batches[lag][peer][part] = made
        if draw.pool is not None:
            pool = self.pools[draw.pool]
            self.pools[draw.pool] = merged([(step.before[number], pool), (step.count[number], made)])
        return made

    def _source(self, draw: DrawForm) -> tuple[Any, Any]:
        """A source's mean and variance in the frame."""
        shrink = 1 / self.frame.unit
        return (self.fixed.targets[draw.target] - self.frame.origin) * shrink, shrink * shrink

    def _model(self, lag: int, peer: int) -> tuple[Any, Any]:
        """A model's mean and variance in the frame."""
        if lag == 1 and self.shape.peers == 1:  # the frame is its own
            return jnp.zeros_like(self.frame.origin), self.newest * self.newest
        mean, log_variance = self.frame.models[lag - 1][peer]
        return mean, jnp.exp(log_variance)

    def _law(self, number: int, draw: DrawForm, kind: str) -> tuple[Any, Any]:
        """The mean and variance, in the frame, of the points of a draw that are of one kind."""
        if kind == "real":
            mean, variance = self._source(draw)
            factor, selected = self.step.real_factor[number], draw.selected[0]
        else:
            mean, variance = self._model(draw.lag, draw.peer)
            factor, selected = self.step.model_factor[number], draw.selected[1]
        if not selected:
            return mean, variance * factor
        return self._tilted(mean, variance * factor, self.frame.origin, self.frame.unit)

    def _tilted(self, mean: Any, variance: Any, origin: Any, unit: Any) -> tuple[Any, Any]:
        """N(mean, variance), in units `unit` from `origin`, times e^(beta u x) or e^(-beta (x - c)^2 / 2)."""
        rule = self.fixed.rule
        if not self.shape.rule.quadratic:
            return mean + rule.direction * rule.strength * unit * variance, variance
        gain = rule.strength * unit * variance  # over the unit
        kept = 1 / (1 + gain * unit)
        return mean + gain * kept * (rule.centre - origin - unit * mean), variance * kept

    def _normals(self, number: int, place: int) -> tuple[Any, Any]:
        counter = ADDRESSES * number + place
        if counter in self.drawn:
            return self.drawn[counter].real, self.drawn[counter].imag
        return normal_pair(self._words(counter), self.fixed.turn)

    def _words(self, counter: int) -> tuple[Any, Any]:
        """Two words of a draw: those made ahead, or hashed from the first of them."""
        if counter in self.drawn:
            return unpacked(self.drawn[counter])
        return threefry(unpacked(self.first), (np.uint32(counter), ELSEWHERE))

    def _normal(self, number: int, mean: Any, variance: Any) -> Part:
        """The points of draw `number`, all of one normal law."""
        z, squares = self._normals(number, 0)
        count = self.step.count[number]
        if ADDRESSES * number not in self.drawn or number in _mixed(self.shape):
            squares = _squares(self.fixed, self.step.row[number], squares)
        return Part(mean + jnp.sqrt(variance / count) * z, jnp.where(count > 1, variance * squares, 0))

    def _mixed(self, number: int, draw: DrawForm) -> Part:
        """Real points, as many as a binomial says, and a model's."""
        step, fixed = self.step, self.fixed
        high, low = self._words(ADDRESSES * number + WORD)
        word = (high.astype(jnp.uint64) << np.uint64(32)) | low.astype(jnp.uint64)
        real = jnp.searchsorted(fixed.binomial[step.kind[number]], word, side="right")
        total = step.count[number]
        counts = real.astype(total.dtype), total - real.astype(total.dtype)
        laws = self._law(number, draw, "real"), self._law(number, draw, "model")
        parts = []
        for place, (count, law) in enumerate(zip(counts, laws, strict=True)):
            z, x = self._normals(number, place)
            row = jnp.maximum(
                count.astype(jnp.int32) - 2, 0
            )  # degrees of freedom 1, 2, ... are rows 0, 1, ...
            mean, variance = law
            squares = _squares(fixed, row, x)
            mean = mean + jnp.sqrt(variance / jnp.maximum(count, 1)) * z
            parts.append((count, Part(mean, jnp.where(count > 1, variance * squares, 0))))
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
                return jnp.ones_like(count), Part(*self._model(lag, peer))
            case _:
                mean, spread = self.sets[place[1]]
                shrink = 1 / self.frame.unit
                return count, Part((mean - self.frame.origin) * shrink, spread * shrink**2)

    def _fit(self, peer: int, form: FitForm) -> Part:
        """A model in the frame, its variance as a logarithm."""
        step = self.step
        portions = []
        for portion in form.portions:
            portions.append([self._piece(place) for place in portion.pieces])
        if not form.weighted:
            mean, spread = merged([piece for portion in portions for piece in portion])
            return self._fitted(mean, spread / step.fit_divisor[peer])
        first = self.portion
        self.portion += len(portions)
        means, variances, weights = [], [], []
        for number, portion in enumerate(portions, first):
            mean, spread = merged(portion)
            means.append(mean)
            variances.append(spread / step.divisor[number])
            weights.append(step.weight[number])
        mean = sum(w * m for w, m in zip(weights, means, strict=True))
        variance = sum(w * v for w, v in zip(weights, variances, strict=True))
        if self.shape.between:
            variance = variance + sum(w * (m - mean) ** 2 for w, m in zip(weights, means, strict=True))
        return self._fitted(mean, variance)

    def _fitted(self, mean: Any, variance: Any) -> Part:
        variance = jnp.maximum(variance, jnp.finfo(variance.dtype).tiny)
        self.variances.append(variance)
        return Part(mean, jnp.log(variance))
