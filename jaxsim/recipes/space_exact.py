"""The exact engine for recipes in d dimensions: every batch, set and pool as count, mean and scatter matrix.

n points of N(m, F F^T) have the mean m + F z / sqrt(n) and, independent of it, the scatter matrix
F A A^T F^T about it, A A^T Wishart with n - 1 degrees of freedom: A is lower trapezoidal, with normals below
the diagonal and A_jj^2 chi-square with n - 1 - j degrees of freedom, j = 0, 1, ... (Bartlett 1933); where
n <= d only its first n - 1 columns are not zero. Everything else is as on the line (`jaxsim.recipes.exact`).
"""

from collections.abc import Callable
from functools import lru_cache, partial
from typing import Any

import jax.numpy as jnp
import numpy as np
from jax import lax

from jaxsim import blocks
from jaxsim.chi_square import deviation
from jaxsim.random import normal_pair, threefry
from jaxsim.recipes.generation import Generation, stepper
from jaxsim.recipes.layout import DrawForm
from jaxsim.recipes.normals import Normals, fitted
from jaxsim.recipes.observe import exact_space_observer
from jaxsim.recipes.parts import Part, State, begun
from jaxsim.recipes.plan import Shape
from jaxsim.recipes.space_frame import open_frame, opened, reframed
from jaxsim.recipes.statistics import Fixed
from jaxsim.selected.points import law_of

BLOCK_NUMBERS = 2**15  # of one matrix of each replicate of a block


@lru_cache(maxsize=64)
def kernel(shape: Shape, models: int | None) -> blocks.Kernel:
    """What one replicate does; one object for equal shapes, so that compiled programs are found again."""
    block = int(np.clip(BLOCK_NUMBERS // shape.dimension**2, 8, 256))
    block = 1 << (block.bit_length() - 1)
    return blocks.Kernel(
        _starter(shape),
        stepper(shape, partial(_Generation, shape)),
        exact_space_observer(models),
        (),
        (),
        block,
        "summary",
    )


def _starter(shape: Shape) -> Callable:
    def start(fixed: Fixed) -> State:
        d, dtype = shape.dimension, fixed.turn.dtype
        models = tuple(Normals(fixed.means[peer], fixed.root) for peer in range(shape.peers))
        empty = Part(jnp.zeros(d, dtype), jnp.zeros((d, d), dtype))
        return reframed(begun(shape, open_frame(jnp.zeros(d, dtype)), models, empty))

    return start


class _Generation(Generation):
    """A generation in d dimensions; `words` is its key."""

    def _opened(self, state: State) -> State:
        """In the source's coordinates, if real points are taken, or selected by values, which mean theirs."""
        kinds = {piece[0] for fit in self.form.fits for portion in fit.portions for piece in portion.pieces}
        real = "set" in kinds or any(draw.kind != "model" or any(draw.selected) for draw in self.form.draws)
        return opened(state) if real else state

    def _closed(self, state: State) -> State:
        return reframed(state)

    def _law(self, number: int, draw: DrawForm, kind: str, absolute: bool) -> Normals:
        origin = self.state.frame.origin
        if absolute:
            origin = jnp.zeros_like(origin)
        if kind == "real":
            mean, factor = self.fixed.targets[draw.target] - origin, self.fixed.source
            scale, selected = self.step.real_factor[number], draw.selected[0]
        else:
            mean, factor = self.state.models[draw.lag - 1][draw.peer]
            scale, selected = self.step.model_factor[number], draw.selected[1]
        factor = factor * jnp.sqrt(scale)
        if not selected:
            return Normals(mean, factor)
        rule = self.fixed.rule
        law = law_of(self.shape.rule, rule._replace(centre=rule.centre - origin), mean, factor)
        return Normals(law.mean, law.root)

    def _normal(self, number: int, place: int, count: Any, row: Any, law: Normals) -> Part:
        d, fixed = self.shape.dimension, self.fixed
        high, low = self._words(number, place * _pairs(d), _pairs(d))
        z, x = normal_pair((high[:d], low[:d]), fixed.turn)
        below = jnp.concatenate(normal_pair((high[d:], low[d:]), fixed.turn))
        pivots = jnp.exp((fixed.log_scale[row] + deviation(fixed.rows[row], x)) / 2)
        lower = law.factor @ jnp.where(self.component < count - 1, _lower(pivots, below), 0)
        mean = law.mean + law.factor @ z / jnp.sqrt(jnp.maximum(count, 1))
        return Part(mean, lower @ lower.T)

    def _word(self, number: int) -> tuple[Any, Any]:
        high, low = self._words(number, 2 * _pairs(self.shape.dimension), 1)
        return high[0], low[0]

    def _words(self, number: int, first: int, count: int) -> tuple[Any, Any]:
        """Words of a draw: d pairs for the mean and the diagonal, the rest below it; twice, and one more."""
        width = 2 * _pairs(self.shape.dimension) + 1
        places = np.arange(first, first + count, dtype=np.uint32) + np.uint32(width * number)
        return lax.optimization_barrier(threefry(self.words, (self.replicate, places)))

    def _placed(self, part: Part) -> Part:
        return part._replace(mean=part.mean - self.state.frame.origin)

    def _moments(self, lag: int, peer: int) -> Part:
        mean, factor = self.state.models[lag - 1][peer]
        return Part(mean, factor @ factor.T)

    def _share(self, weight: Any, spread: Any, divisor: Any) -> Any:
        return weight * spread / divisor

    def _model(self, mean: Any, covariance: Any) -> Normals:
        return fitted(mean, covariance)


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
