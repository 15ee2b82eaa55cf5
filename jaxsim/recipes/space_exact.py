"""The exact engine for recipes in d dimensions: every batch, set and pool as count, mean and scatter matrix.

n points of N(m, F F^T) have the mean m + F z / sqrt(n) and, independent of it, the scatter matrix
F A A^T F^T about it, A A^T Wishart with n - 1 degrees of freedom: A is lower trapezoidal, with normals below
the diagonal and A_jj^2 chi-square with n - 1 - j degrees of freedom, j = 0, 1, ... (Bartlett 1933); where
n <= d only its first n - 1 columns are not zero. Merging two parts adds n_a n_b / n times the square of the
distance between their means. Everything else is as on the line (`jaxsim.recipes.exact`).
"""

from collections.abc import Callable
from functools import lru_cache
from typing import Any

import jax.numpy as jnp
import numpy as np
from jax import lax

from jaxsim import blocks
from jaxsim.chi_square import deviation
from jaxsim.random import Key, normal_pair, threefry
from jaxsim.recipes.frame import Part
from jaxsim.recipes.layout import DrawForm, FitForm, Form, Place
from jaxsim.recipes.normals import Normals
from jaxsim.recipes.observe import exact_space_observer
from jaxsim.recipes.plan import Shape
from jaxsim.recipes.space_frame import State, merged, opened, reframed, square
from jaxsim.recipes.statistics import Fixed, Step
from jaxsim.selected.points import law_of
from jaxsim.triangular import trapezoid

BLOCK_NUMBERS = 2**15  # of one matrix of each replicate of a block


@lru_cache(maxsize=64)
def kernel(shape: Shape, models: int | None) -> blocks.Kernel:
    """What one replicate does; one object for equal shapes, so that compiled programs are found again."""
    block = int(np.clip(BLOCK_NUMBERS // shape.dimension**2, 8, 256))
    block = 1 << (block.bit_length() - 1)
    return blocks.Kernel(
        _starter(shape), _stepper(shape), exact_space_observer(models), (), (), block, "summary"
    )


def _starter(shape: Shape) -> Callable:
    def start(fixed: Fixed) -> State:
        d, dtype = shape.dimension, fixed.turn.dtype
        root = fixed.root
        models = tuple(Normals(fixed.means[peer], root) for peer in range(shape.peers))
        empty = Part(jnp.zeros(d, dtype), jnp.zeros((d, d), dtype))
        batch = ((empty,) * shape.parts,) * shape.peers
        open_ = State(
            jnp.zeros(d, dtype),
            jnp.eye(d, dtype=dtype),
            jnp.zeros(d, dtype),
            (models,) * shape.models,
            (batch,) * shape.batches,
            (empty,) * (shape.peers if shape.pooled else 0),
            (empty,) * shape.sets,
        )
        return reframed(open_)

    return start


def _stepper(shape: Shape) -> Callable:
    def step(fixed: Fixed, step: Step, key: Key, replicate: Any, state: State) -> State:
        generations = [
            lambda state, form=form: _Generation(shape, form, fixed, step, key, replicate).run(state)
            for form in shape.forms
        ]
        if not shape.switched:
            return generations[0](state)
        # never a single branch: it would be compiled in place, with other last bits
        return lax.switch(step.form, [*generations, lambda state: state], state)

    return step


class _Generation:
    """One form, with its numbers."""

    def __init__(self, shape: Shape, form: Form, fixed: Fixed, step: Step, key: Key, replicate: Any):
        self.shape, self.form, self.fixed, self.step = shape, form, fixed, step
        self.key, self.replicate = key, replicate
        self.piece = self.portion = 0

    def run(self, state: State) -> State:
        """The next generation."""
        self.frame = opened(state) if self._takes_real() else state
        self.sets, self.pools = list(state.sets), list(self.frame.pools)
        batches = [[list(parts) for parts in peers] for peers in self.frame.batches]
        self.batches = batches
        self.draws = [self._draw(number, draw) for number, draw in enumerate(self.form.draws)]
        fitted = tuple(self._fit(peer, fit) for peer, fit in enumerate(self.form.fits))
        moved = reframed(
            self.frame._replace(
                models=(fitted, *self.frame.models[:-1]),
                batches=tuple(tuple(map(tuple, peers)) for peers in batches),
                pools=tuple(self.pools),
                sets=tuple(self.sets),
            )
        )
        # what is of lag 0 in this generation is of lag 1 in the next; the last lag falls off
        return moved._replace(batches=(*moved.batches[:1], *moved.batches[:-1]))

    def _takes_real(self) -> bool:
        """Or selects by values, which have a meaning in the source's coordinates."""
        kinds = {piece[0] for fit in self.form.fits for portion in fit.portions for piece in portion.pieces}
        return "set" in kinds or any(draw.kind != "model" or any(draw.selected) for draw in self.form.draws)

    def _draw(self, number: int, draw: DrawForm) -> Part:
        """The statistics of a draw, which is stored where it belongs."""
        step = self.step
        if draw.into is not None and draw.into[0] == "set":
            made = self._normal(number, 0, step.count[number], self._law(number, draw, "real", absolute=True))
            self.sets[draw.into[1]] = made
            return made
        if draw.kind == "mixed":
            made = self._mixed(number, draw)
        else:
            made = self._normal(number, 0, step.count[number], self._law(number, draw, draw.kind))
        if draw.into is not None and self.shape.batches:
            _, lag, peer, part = draw.into
            self.batches[lag][peer][part] = made
        if draw.pool is not None:
            pool = self.pools[draw.pool]
            self.pools[draw.pool] = merged([(step.before[number], pool), (step.count[number], made)])
        return made

    def _law(self, number: int, draw: DrawForm, kind: str, absolute: bool = False) -> Normals:
        """What the points of one kind of a draw come from: in the frame, or in the source's units."""
        origin = jnp.zeros_like(self.frame.origin) if absolute else self.frame.origin
        if kind == "real":
            mean, root = self.fixed.targets[draw.target] - origin, self.fixed.source
            factor, selected = self.step.real_factor[number], draw.selected[0]
        else:
            mean, root = self.frame.models[draw.lag - 1][draw.peer]
            factor, selected = self.step.model_factor[number], draw.selected[1]
        root = root * jnp.sqrt(factor)
        if not selected:
            return Normals(mean, root)
        rule = self.fixed.rule
        law = law_of(self.shape.rule, rule._replace(centre=rule.centre - origin), mean, root)
        return Normals(law.mean, law.root)

    def _words(self, number: int, first: int, count: int) -> tuple[Any, Any]:
        """Words of a draw: d pairs for the mean and the diagonal, the rest below it; twice, and one more."""
        d = self.shape.dimension
        width = 2 * _pairs(d) + 1
        places = np.arange(first, first + count, dtype=np.uint32) + np.uint32(width * number)
        return lax.optimization_barrier(threefry(self.key, (self.replicate, places)))

    def _normal(self, number: int, place: int, count: Any, law: Normals, row: Any = None) -> Part:
        """`count` points of draw `number`, all of one normal law; `row` where the count is random."""
        d, fixed = self.shape.dimension, self.fixed
        row = self.step.row[number] if row is None else row
        high, low = self._words(number, place * _pairs(d), _pairs(d))
        z, x = normal_pair((high[:d], low[:d]), fixed.turn)
        below = jnp.concatenate(normal_pair((high[d:], low[d:]), fixed.turn))
        pivots = jnp.exp((fixed.log_scale[row] + deviation(fixed.rows[row], x)) / 2)
        alive = np.arange(d) < count - 1
        lower = law.factor @ jnp.where(alive, _lower(pivots, below), 0)
        mean = law.mean + law.factor @ z / jnp.sqrt(jnp.maximum(count, 1))
        return Part(mean, lower @ lower.T)

    def _mixed(self, number: int, draw: DrawForm) -> Part:
        """Real points, as many as a binomial says, and a model's."""
        step, d = self.step, self.shape.dimension
        high, low = (word[0] for word in self._words(number, 2 * _pairs(d), 1))
        word = (high.astype(jnp.uint64) << np.uint64(32)) | low.astype(jnp.uint64)
        real = jnp.searchsorted(self.fixed.binomial[step.kind[number]], word, side="right")
        total = step.count[number]
        counts = real.astype(total.dtype), total - real.astype(total.dtype)
        parts = []
        for place, (count, kind) in enumerate(zip(counts, ("real", "model"), strict=True)):
            # degrees of freedom 1, 2, ... are rows 0, 1, ...
            row = jnp.maximum(count.astype(jnp.int32) - 2 - np.arange(d), 0)
            parts.append((count, self._normal(number, place, count, self._law(number, draw, kind), row)))
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
                mean, factor = self.frame.models[lag - 1][peer]
                return jnp.ones_like(count), Part(mean, factor @ factor.T)
            case _:
                mean, scatter = self.sets[place[1]]
                return count, Part(mean - self.frame.origin, scatter)

    def _fit(self, peer: int, form: FitForm) -> Normals:
        """A model in the frame."""
        step = self.step
        portions = [[self._piece(place) for place in portion.pieces] for portion in form.portions]
        if not form.weighted:
            mean, scatter = merged([piece for portion in portions for piece in portion])
            return _model(mean, scatter / step.fit_divisor[peer])
        places = range(self.portion, self.portion + len(portions))
        self.portion += len(portions)
        parts = [merged(portion) for portion in portions]
        weights = [step.weight[place] for place in places]
        mean = sum(w * part.mean for w, part in zip(weights, parts, strict=True))
        covariance = sum(
            w * part.spread / step.divisor[place]
            for w, part, place in zip(weights, parts, places, strict=True)
        )
        if self.shape.between:
            spread = (w * square(part.mean - mean) for w, part in zip(weights, parts, strict=True))
            covariance = covariance + sum(spread)
        return _model(mean, covariance)


def _model(mean: Any, covariance: Any) -> Normals:
    return Normals(mean, trapezoid(covariance, jnp.ones(len(mean), bool)))


def _pairs(d: int) -> int:
    """Pairs of words that the mean and the scatter matrix of normal points take."""
    return d + (d * (d - 1) // 2 + 1) // 2


def _lower(diagonal: Any, below: Any) -> Any:
    """A lower triangular matrix from its diagonal and, row by row, what is below it."""
    d = len(diagonal)
    row, column = np.indices((d, d))
    place = np.where(column < row, row * (row - 1) // 2 + column, 0)
    left = jnp.where(column < row, below[place], 0) if d > 1 else jnp.zeros((1, 1), diagonal.dtype)
    return left + jnp.diag(diagonal)
