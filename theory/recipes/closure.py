"""Higher moments of a recipe's models: the closure of `theory.recipes.fit_moments` over what fits read.

The state holds the mean and the variance of every model that a later fit still reads and of every named real
set, in units of the source; a pool that is eaten whole is the model fitted to it. Expectations of all
monomials of weight i + 2j <= W in them follow one another linearly. What has more than finitely many moments
behind it is refused: uniform subsets, and stored batches that are eaten again (own derivation).
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from itertools import product
from math import comb
from typing import Any

from theory.loop import MaximumLikelihood, Unbiased
from theory.meal import Draw, Meal, Mixed, Moments, Pool, Portion, Real, RealSet, Recipe, Sample
from theory.recipes.fit_moments import (
    Table,
    about_zero,
    of_model,
    of_normal,
    of_points,
    places,
    rescaled,
    together,
)
from theory.recipes.polynomial import Polynomial, constant, plus, scaled, times, variable

Rows = dict[tuple[int, ...], Polynomial]

MOST_OBJECTS = {4: 4, 8: 2}
"""How many models and sets are followed, by weight: monomials of weight 8 in five of them are thousands."""


class NotClosedError(Exception):
    """No finite recursion of moments; the reason is for the reader."""


@dataclass
class Closure:
    """The moments of a recipe's models, generation by generation.

    Attributes:
        recipe: what every fit eats.
        weight: W, even.
        start: mean and variance of model 0, in units of the source; None: the source, or a peer's target.
        moments: E z^k of a standardised synthetic sample, k even; z is symmetric.
        real_moments: of a real one.
        normal: whether these are a normal's (lambda aside): then means and spreads are independent.
        estimator: the fit.
        number: the ring.
    """

    recipe: Recipe
    weight: int
    start: tuple[Any, Any] | None
    moments: Callable[[int], Any]
    real_moments: Callable[[int], Any]
    normal: bool
    estimator: Any
    number: Callable[[Any], Any]
    generation: int = field(default=0, init=False)

    def __post_init__(self):
        made = self.recipe
        self._objects = [("model", lag, k) for lag in range(made.models_back) for k in range(made.peers)]
        self._objects += [("set", name) for name in made.sets]
        if len(self._objects) > MOST_OBJECTS[self.weight]:
            raise NotClosedError(
                f"a recursion over {len(self._objects)} models and sets at once is not followed here"
            )
        self._place = {name: place for place, name in enumerate(self._objects)}
        self._size = 2 * len(self._objects)
        self._one = self.number(1)
        self._models = made.models_back * made.peers
        self._pooled: dict[int, Any] = {}
        self._kept: Rows | None = None
        self._symmetric = made.targets is None and (self.start is None or self.start[0] == 0)
        self.monomials = [m for m in _monomials(self._size, self.weight) if self._occurs(m)]
        self.values = self._initial()

    def advance(self) -> dict[tuple[int, ...], Any]:
        """Fit the next generation; E of every monomial after it."""
        self.generation += 1
        rows = self.rows()
        values = self.values
        self.values = {
            target: sum((c * values[key] for key, c in row.items()), 0 * self._one)
            for target, row in rows.items()
        }
        return self.values

    def rows(self) -> Rows:
        """The expectations in generation `generation`, from those before it."""
        t, made = self.generation, self.recipe
        if self._kept is not None and t > made.settled:
            return self._kept
        fits = [self._fit(made.at(t, peer), peer) for peer in range(made.peers)]
        found = {target: self._row(target, fits) for target in self.monomials}
        if made.constant and not made.pooled and t >= made.settled:
            self._kept = found
        return found

    def moment(self, mean: int, variance: int, peer: int = 0) -> Any:
        """E mu^i sigma^{2j} of a model of the present generation; 0 where symmetry says so."""
        exponents = [0] * self._size
        exponents[2 * peer], exponents[2 * peer + 1] = mean, variance
        return self.values.get(tuple(exponents), 0 * self._one)

    def _occurs(self, monomial: tuple[int, ...]) -> bool:
        return not self._symmetric or sum(monomial[::2]) % 2 == 0

    def _initial(self) -> dict[tuple[int, ...], Any]:
        """Model 0 in every place of a model, and every set as it was drawn."""
        made, zero = self.recipe, 0 * self._one
        tables = []
        for name in self._objects:
            if name[0] == "set":
                drawn = self._drawn(Real(made.sets[name[1]]))
                tables.append({key: _value(p, zero) for key, p in drawn.items()})
                continue
            if self.start is None:
                target = 0 if made.targets is None else made.targets[name[2]]
                mean, variance = self.number(target), self._one
            else:
                mean, variance = map(self.number, self.start)
            tables.append(
                {(a, b): mean**a * variance**b if a else variance**b for a, b in places(self.weight)}
            )
        found = {}
        for monomial in self.monomials:
            value = self._one
            for place, table in enumerate(tables):
                value = value * table[monomial[2 * place], monomial[2 * place + 1]]
            found[monomial] = value
        return found

    def _row(self, target: tuple[int, ...], fits: list[Table]) -> Polynomial:
        """The conditional expectation of a monomial of the new state: new fits, older models, sets."""
        peers, older = self.recipe.peers, [0] * self._size
        for place in range(peers, len(self._objects)):
            before = place - peers if place < self._models else place
            older[2 * before : 2 * before + 2] = target[2 * place : 2 * place + 2]
        row: Polynomial = {tuple(older): self._one}
        for peer, table in enumerate(fits):
            row = times(row, table[target[2 * peer], target[2 * peer + 1]])
        return row

    def _pair(self, name: tuple) -> tuple[Polynomial, Polynomial]:
        place = 2 * self._place[name]
        return variable(place, self._size, self._one), variable(place + 1, self._size, self._one)

    def _model(self, model: int, peer: int) -> tuple[Polynomial, Polynomial]:
        return self._pair(("model", self.generation - 1 - model, peer))

    def _drawn(self, draw: Draw) -> Table:
        """E y^a v^b of new points."""
        n = self.number(draw.n)
        if isinstance(draw, Sample):
            moments = self.moments if draw.synthetic else self.real_moments
            mean, variance = self._model(draw.model, draw.peer)
            if self.normal:
                return of_normal(n, mean, scaled(variance, moments(2)), self.weight)
            return of_points(n, self._points(mean, variance, moments), self.weight)
        source = scaled(constant(self._one, self._size), self.number(self._target(draw)))
        if isinstance(draw, Real) and self.normal:
            return of_normal(n, source, constant(self.real_moments(2), self._size), self.weight)
        real = self._points(source, constant(self._one, self._size), self.real_moments)
        if isinstance(draw, Real):
            return of_points(n, real, self.weight)
        share = self.number(draw.real_share)
        moments = self.moments if draw.synthetic else self.real_moments
        mixed = self._points(*self._model(draw.model, draw.peer), moments)
        both = [plus(scaled(x, share), scaled(y, 1 - share)) for x, y in zip(real, mixed, strict=True)]
        return of_points(n, both, self.weight)

    def _target(self, draw: Draw) -> Any:
        if isinstance(draw, Sample) or self.recipe.targets is None:
            return 0
        return self.recipe.targets[draw.target]

    def _points(self, mean: Polynomial, variance: Polynomial, moments: Callable[[int], Any]) -> list:
        """E x^k of one point, k = 0, ..., W."""
        one = constant(self._one, self._size)
        means, spreads = [one], [one]
        for _ in range(self.weight):
            means.append(times(means[-1], mean))
            spreads.append(times(spreads[-1], variance))
        found = []
        for k in range(self.weight + 1):
            total: Polynomial = {}
            for r in range(k // 2 + 1):
                term = scaled(times(means[k - 2 * r], spreads[r]), comb(k, 2 * r) * moments(2 * r))
                total = plus(total, term)
            found.append(total)
        return found

    def _portion(self, portion: Portion, peer: int) -> tuple[Table, Any]:
        """E y^a v^b, and how many points; None for a model's moments."""
        match portion:
            case RealSet():
                size = self.number(self.recipe.sets[portion.name])
                return of_model(*self._pair(("set", portion.name)), self.weight), size
            case Moments():
                return of_model(*self._model(portion.model, portion.peer), self.weight), None
            case Real() | Sample() | Mixed():
                return self._drawn(portion), self.number(portion.n)
        raise NotClosedError("points that are stored, or a subset of them, have no finite list of moments")

    def _fit(self, meal: Meal, peer: int) -> Table:
        """E mu^i sigma^{2j} given the past."""
        if meal.weights is None and isinstance(self.estimator, MaximumLikelihood | Unbiased):
            return self._pooled_fit(meal, peer)
        if meal.weights is None or meal.adds:
            raise NotClosedError("a weighted fit to stored points has no closed moments here")
        between = not self._is_weighted()
        total: Table | None = None
        for portion, weight in zip(meal.eats, meal.weights, strict=True):
            table, size = self._portion(portion, peer)
            w = self.number(weight)
            spread = 1 if size is None or isinstance(self.estimator, MaximumLikelihood) else size / (size - 1)
            if between:
                part = rescaled(about_zero(rescaled(table, self._one, spread)), w, w)
            else:
                part = rescaled(table, w, w * spread)
            total = part if total is None else together(total, part)
        assert total is not None
        return self._finished(total, self._one) if between else total

    def _is_weighted(self) -> bool:
        return not isinstance(self.estimator, MaximumLikelihood | Unbiased)

    def _pooled_fit(self, meal: Meal, peer: int) -> Table:
        """Every point weighs the same; a pool eaten whole is the last model, unscaled, and what is added."""
        unbiased = isinstance(self.estimator, Unbiased)
        if meal.adds and meal.eats != (Pool(peer=peer),):
            raise NotClosedError("stored points that are eaten again have no finite list of moments")
        parts = [self._portion(portion, peer) for portion in (meal.adds or meal.eats)]
        before = self._pooled.get(peer)
        if meal.adds and before is not None:
            mean, variance = self._model(self.generation - 1, peer)
            shrunk = scaled(variance, (before - 1) / before) if unbiased else variance
            parts.append((of_model(mean, shrunk, self.weight), before))
        if any(size is None for _, size in parts):
            raise NotClosedError("a model's moments need a weight")
        size = sum((n for _, n in parts[1:]), parts[0][1])
        if meal.adds:
            self._pooled[peer] = size
        total = None
        for table, n in parts:
            part = rescaled(about_zero(table), n / size, n / size)
            total = part if total is None else together(total, part)
        return self._finished(total, size / (size - 1) if unbiased else self._one)

    def _finished(self, table: Table, factor: Any) -> Table:
        """E mu^i (k (Q - mu^2))^j from E mu^a Q^b."""
        found = {}
        for i, j in places(self.weight):
            total: Polynomial = {}
            for l in range(j + 1):
                total = plus(total, scaled(table[i + 2 * l, j - l], (-1) ** l * comb(j, l)))
            found[i, j] = scaled(total, factor**j) if j else total
        return found


def _monomials(variables: int, weight: int) -> Iterator[tuple[int, ...]]:
    """Exponents of weight at most `weight`; means weigh 1 and variances 2, one after the other."""
    ranges = [range(weight // (1 + place % 2) + 1) for place in range(variables)]
    for exponents in product(*ranges):
        if sum(e * (1 + place % 2) for place, e in enumerate(exponents)) <= weight:
            yield exponents


def _value(polynomial: Polynomial, zero: Any) -> Any:
    """A polynomial that is a number."""
    return sum(polynomial.values(), zero)
