"""The points of one draw of the literal engine, a pair at a time, wherever they come from.

A draw has a key of its own, the hash of its number under the key of its generation; its counter is
(replicate, pair of points). On the line that hash is the pair's noise; elsewhere, and where points are
selected, it is the key of a stream of its own.
"""

from collections.abc import Callable
from typing import Any, NamedTuple

import jax.numpy as jnp
import numpy as np
from jax import lax

from jaxsim.random import Key, normal_pair, threefry, truncated_normal
from jaxsim.recipes.layout import DrawForm
from jaxsim.recipes.normals import LINE, SPACE, Family, Normal, Normals
from jaxsim.recipes.plan import Shape
from jaxsim.selected import points as selected_points
from jaxsim.selected.points import Law, Pool, Stream
from jaxsim.triangular import right_rotation

ELSEWHERE = np.uint32(2**32 - 1)  # a counter that no pair of points has

Read = Callable[[Any, Any], tuple[Any, Any, Any]]  # (pair, pools) -> (point, point, pools)


class _Kind(NamedTuple):
    """Where points of a draw come from: the model, the sampler's factor and cut, whether a rule acts."""

    model: Any
    factor: Any
    cut: Any
    selected: bool
    number: str


def family_of(shape: Shape) -> Family:
    """What the engine knows of the source."""
    return SPACE if shape.dimension else LINE


def begun(shape: Shape, fixed: Any) -> tuple[Any, ...]:
    """The models numbered 0, [peer]."""
    if shape.dimension:
        return tuple(Normals(fixed.means[peer], fixed.root) for peer in range(shape.peers))
    return tuple(Normal(fixed.means[peer], fixed.variance) for peer in range(shape.peers))


class Draw:
    """One draw of a generation: `pools` to begin with, `read` for a pair of points."""

    def __init__(
        self, shape: Shape, truncating: bool, fixed: Any, step: Any, key: Key, replicate: Any, number: int
    ):
        self.shape, self.truncating, self.fixed, self.step = shape, truncating, fixed, step
        self.replicate, self.number = replicate, number
        self.key = threefry(key, (np.uint32(number), ELSEWHERE))

    def ready(self, draw: DrawForm, models: Any) -> tuple[Any, Read]:
        """(the pools before the first point, how a pair is read)."""
        kinds = self._kinds(draw, models)
        laws = [self._law(kind) for kind in kinds]
        pools = tuple(self._pool(kind, draw) for kind in kinds)

        def read(pair: Any, pools: Any) -> tuple[Any, Any, Any]:
            coins = self._coins(pair) if len(kinds) > 1 else None
            noise = None if all(kind.selected for kind in kinds) else self._noise(pair)
            found, moved = [], []
            for place, (kind, law, pool) in enumerate(zip(kinds, laws, pools, strict=True)):
                taken = (True, True) if coins is None else coins if place == 0 else tuple(~c for c in coins)
                pool, points = self._points(kind, law, pool, taken, noise, pair, place)
                found.append(points)
                moved.append(pool)
            if coins is None:
                return found[0][0], found[0][1], tuple(moved)
            a, b = (jnp.where(coin, real, made) for coin, real, made in zip(coins, *found, strict=True))
            return a, b, tuple(moved)

        return pools, read

    def _kinds(self, draw: DrawForm, models: Any) -> list[_Kind]:
        step, fixed, number, kinds = self.step, self.fixed, self.number, []
        if draw.kind != "model":
            target = fixed.targets[draw.target]
            source = (
                Normals(target, fixed.source)
                if self.shape.dimension
                else Normal(target, jnp.ones_like(fixed.variance))
            )
            kinds.append(
                _Kind(source, step.real_factor[number], step.real_cut[number], draw.selected[0], "real")
            )
        if draw.kind != "real":
            model = models[draw.lag - 1][draw.peer]
            kinds.append(
                _Kind(model, step.model_factor[number], step.model_cut[number], draw.selected[1], "model")
            )
        return kinds

    def _law(self, kind: _Kind) -> Any:
        """What does not depend on the pair: the law that is selected from, or the axes of a truncation."""
        if kind.selected:
            root = kind.model.factor if self.shape.dimension else jnp.sqrt(kind.model.variance)
            scaled = root * jnp.sqrt(kind.factor)
            return selected_points.law_of(self.shape.rule, self.fixed.rule, kind.model.mean, scaled)
        if self.truncating and self.shape.dimension:
            return right_rotation(kind.model.factor)[1]
        return None

    def _pool(self, kind: _Kind, draw: DrawForm) -> Any:
        if not kind.selected or self.shape.rule.name != "pool":
            return ()
        zero = jnp.zeros((), self.fixed.turn.dtype)
        if draw.kind != "mixed":
            return Pool(zero, self.step.drawn[self.number].astype(zero.dtype))
        kept = self._number_of(kind.number)
        return Pool(zero, self.fixed.rule.drawn[kept].astype(zero.dtype))

    def _number_of(self, kind: str) -> Any:
        """How many points of a mixed draw are real, or not."""
        count = self.step.count[self.number]

        def add(pair: Any, found: Any) -> Any:
            a, b = self._coins(pair.astype(jnp.uint32))
            return found + a.astype(jnp.int32) + (b & (2 * pair + 1 < count)).astype(jnp.int32)

        real = lax.fori_loop(jnp.int32(0), (count + 1) // 2, add, jnp.int32(0))
        return real if kind == "real" else count - real

    def _coins(self, pair: Any) -> tuple[Any, Any]:
        """Whether each of two points of a mixed draw is real."""
        coins = threefry(self.key, (self.replicate, 2 * pair + 1))
        dtype, turn = self.fixed.turn.dtype, self.fixed.turn
        a, b = (coin.astype(dtype) < self.step.share[self.number] * turn for coin in coins)
        return a, b

    def _stream(self, pair: Any) -> Stream:
        turn = self.fixed.turn.dtype.type(2.0**32)
        return selected_points.pair_stream(self.key, self.replicate, pair, turn, self.shape.dimension)

    def _noise(self, pair: Any) -> tuple[Any, Any]:
        """(free, truncated) noise of two points that no rule acts on."""
        stream = self._stream(pair)
        words: Any = stream.key
        if self.shape.rule is not None or self.shape.dimension:
            place = np.arange(max(self.shape.dimension, 1), dtype=np.uint32)
            words = threefry(stream.key, (place, np.uint32(2)))
            if not self.shape.dimension:
                words = tuple(word[0] for word in words)
        free = normal_pair(words, stream.turn)
        cut = tuple(truncated_normal(word, self.fixed.mass) for word in words) if self.truncating else free
        return free, cut

    def _points(
        self, kind: _Kind, law: Any, pool: Any, taken: Any, noise: Any, pair: Any, place: int
    ) -> tuple[Any, Any]:
        """(the pool afterwards, two points)."""
        if kind.selected:
            return self._kept(law, pool, taken, pair, place)
        points = []
        for free, cut in zip(*noise, strict=True):
            if self.truncating:
                cut = cut if law is None else cut @ law.T
                free = jnp.where(kind.cut, cut, free)
            points.append(family_of(self.shape).draw(kind.model, free, kind.factor))
        return pool, tuple(points)

    def _kept(self, law: Law, pool: Any, taken: Any, pair: Any, place: int) -> tuple[Any, Any]:
        stream = self._stream(pair)
        if place:  # of a mixed draw, the second kind: numbers of its own
            stream = stream._replace(key=threefry(stream.key, (np.uint32(place), np.uint32(3))))
        tail = None
        if isinstance(pool, Pool):
            words, tails = stream.words(0), []
            for word, wanted in zip(words, taken, strict=True):
                pool, found = selected_points.read(pool, word, wanted)
                tails.append(found)
            tail = jnp.stack(tails)
        points = selected_points.chosen(self.shape.rule, self.fixed.rule, law, stream, tail)
        return pool, (points[0], points[1])
