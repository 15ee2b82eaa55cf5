"""Exact second moments of every model of any recipe.

Centre everything at the source's mean. The mean of a draw, of a stored pool, of a fit is a linear
combination of means that came before it plus an innovation orthogonal to all of them, so inner products
E[x y] follow from earlier ones. Beside them two numbers a generation are needed: q = E x^2 of a random point
of each batch, and s = E sigma^2 of each model. With lambda the sampler's bias:

    real draw, target theta:   mean theta + e,       E e^2 = s0^2 / n,       q = theta^2 + s0^2
    draw from model k:         mean mu_k + e,        E e^2 = lambda s_k / n, q = E mu_k^2 + lambda s_k
    pool of batches i:         mean sum B_i x_i / P,                         q = sum B_i q_i / P
    uniform n of a pool's P:   pool's mean + e,      E e^2 = (q - E mean^2) (P - n) / (n (P - 1))
    fit, portions p:           mu = sum w_p y_p,     Q = sum w_p q_p

with w_p = n_p / N in a pooled fit. Then s = Q - E mu^2 (maximum likelihood), N / (N - 1) of it (unbiased,
pooled), sum_p w_p (n_p / (n_p - 1)) (q_p - E y_p^2) (weighted: no spread between portions), and that spread,
sum_p w_p E y_p^2 - E mu^2, added (unbiased, weighted). Subsets are drawn independently of everything else;
nothing is assumed normal beyond two moments. Own derivation (the degree-2 recursion over the graph of who
was trained on what).

Law P0 follows: with maximum likelihood, lambda = 1 and one source, Q = s0^2 + theta^2 is conserved, so that
E sigma_k^2 + E (mu_k - mu_0)^2 = s0^2 for every model of every recipe.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from fractions import Fraction
from typing import Any, NamedTuple

from theory.estimator import Weighted
from theory.loop import LoopError, MaximumLikelihood, Number, UnavailableError, Unbiased, is_symbolic
from theory.meal import Draw, Meal, Mixed, Moments, Pool, Portion, Real, RealSet, Recipe, Sample, Stored
from theory.provenance.inner_products import InnerProducts, Vector, combined

ONE = ("one",)  # the constant: E mu is the product of mu with it

Estimator = MaximumLikelihood | Unbiased | Weighted


class Fit(NamedTuple):
    """Exact moments of one fitted model: E (mu - mu0), E (mu - mu0)^2, E sigma^2."""

    mean: Number
    mean_square: Number
    variance: Number


class _Eaten(NamedTuple):
    """A portion as a fit sees it: its mean, the point's second moment q, the number of points."""

    mean: Vector
    second_moment: Number
    size: Any  # None: a model's moments


@dataclass
class Provenance:
    """The second moments of a recipe's models, computed generation by generation.

    Attributes:
        recipe: what every fit eats.
        variance: s0^2 of the source.
        start: mean (from the source's) and variance of model 0; None: the source, or a peer's target.
        bias: lambda of synthetic samples; truncation is lambda = Var(z | |z| < c).
        source_bias: lambda of real draws.
        estimator: the fit.
        number: what numbers are made into: float, Fraction, or sympy.sympify for symbols.
        remember: keep the products of all models, for `product`; otherwise old ones are dropped.
    """

    recipe: Recipe
    variance: Number = 1
    start: tuple[Number, Number] | None = None
    bias: Number = 1
    source_bias: Number = 1
    estimator: Estimator = MaximumLikelihood()
    number: Callable[[Any], Any] = float
    remember: bool = False
    generation: int = field(default=0, init=False)

    def __post_init__(self):
        number = self.number
        tidy = _cancelled if _is_symbolic_number(number) else _as_it_is
        self.products = InnerProducts(tidy)
        self._tidy = tidy
        self._size: dict[tuple, Any] = {}
        self.second: dict[tuple, Any] = {}  # q, by batch
        self.spread: dict[tuple, Any] = {}  # s, by model
        self._parts: dict[tuple[int, int], int] = {}
        self._s0, self._lambda, self._real_lambda = map(number, (self.variance, self.bias, self.source_bias))
        self.products.define(ONE, Vector({}, number(1)))
        for peer in range(self.recipe.peers):
            start = (self._target(peer), self.variance) if self.start is None else self.start
            model = ("model", 0, peer)
            mean, self.spread[model] = map(number, start)
            self.products.define(model, Vector({ONE: mean}, number(0)))
        for name, size in self.recipe.sets.items():
            self._keep(("set", name), Real(size))
        for place, draws in enumerate(self.recipe.initial):
            for peer in range(self.recipe.peers):
                self._store(place + 1 - len(self.recipe.initial), peer, draws)

    def advance(self) -> tuple[Fit, ...]:
        """Fit the next generation; its moments, one entry a peer."""
        self.generation += 1
        t, peers = self.generation, range(self.recipe.peers)
        meals = [self.recipe.at(t, peer) for peer in peers]
        for peer, meal in zip(peers, meals, strict=True):
            self._store(t, peer, meal.adds)
        for peer, meal in zip(peers, meals, strict=True):
            mean, self.spread["model", t, peer] = self._fit(meal)
            self._define(("model", t, peer), mean)
        if not self.remember:
            self._forget()
        return tuple(self.fit(t, peer) for peer in peers)

    def fit(self, generation: int, peer: int = 0) -> Fit:
        """The moments of a model not yet dropped."""
        model = ("model", generation, peer)
        return Fit(self.products[model, ONE], self.products[model, model], self.spread[model])

    def product(self, first: tuple[int, int], second: tuple[int, int]) -> Number:
        """E (mu_a - mu0)(mu_b - mu0) of two models (generation, peer) not yet dropped."""
        return self.products[("model", *first), ("model", *second)]

    def between(self) -> Number:
        """E sum_k (mu_k - mean mu)^2 / (K - 1) over the K models of this generation; 0 for one."""
        models = [("model", self.generation, peer) for peer in range(self.recipe.peers)]
        squares = sum(self.products[model, model] for model in models)
        total = sum(self.products[one, other] for one in models for other in models)
        return (squares - total / len(models)) / max(len(models) - 1, 1)

    def _define(self, model: tuple, mean: Vector) -> None:
        self.products.define(model, mean)

    def _target(self, target: int) -> Number:
        return 0 if self.recipe.targets is None else self.recipe.targets[target]

    def _drawn(self, draw: Draw) -> _Eaten:
        n, products = self.number(draw.n), self.products
        match draw:
            case Real():
                theta, spread = self.number(self._target(draw.target)), self._real_lambda * self._s0
                return _Eaten(Vector({ONE: theta}, spread / n), theta * theta + spread, n)
            case Sample():
                model, spread = self._model(draw)
                square = products[model, model]
                return _Eaten(Vector({model: self.number(1)}, spread / n), square + spread, n)
            case Mixed():
                share = self.number(draw.real_share)
                model, spread = self._model(draw)
                theta = self.number(self._target(draw.target))
                real = theta * theta + self._real_lambda * self._s0
                centre = combined(
                    [
                        (share, Vector({ONE: theta}, 0 * share)),
                        (1 - share, Vector({model: 1 + 0 * share}, 0 * share)),
                    ]
                )
                second = share * real + (1 - share) * (products[model, model] + spread)
                noise = (second - products.square(centre)) / n
                return _Eaten(Vector(centre.terms, noise), second, n)

    def _model(self, draw: Sample | Mixed) -> tuple[tuple, Number]:
        """The model's key, and the variance of its samples."""
        model = ("model", draw.model, draw.peer)
        factor = self._lambda if draw.synthetic else self._real_lambda
        return model, factor * self.spread[model]

    def _keep(self, key: tuple, draw: Draw) -> None:
        mean, self.second[key], self._size[key] = self._drawn(draw)
        self.products.define(key, mean)

    def _store(self, batch: int, peer: int, draws: tuple[Draw, ...]) -> None:
        """Draw a batch; add it to the peer's pool, a running mean."""
        if not draws:
            return
        keys = [("batch", batch, peer, part) for part in range(len(draws))]
        for key, draw in zip(keys, draws, strict=True):
            self._keep(key, draw)
        self._parts[batch, peer] = len(draws)
        if not self.recipe.pooled:
            return
        pool = ("pool", peer)
        merged = self._merged(keys + ([pool] if pool in self._size else []))
        self.products.define(pool, merged.mean)
        self.second[pool], self._size[pool] = merged.second_moment, merged.size

    def _merged(self, keys: list[tuple]) -> _Eaten:
        if len(keys) == 1:
            (key,) = keys
            one = self.number(1)
            return _Eaten(Vector({key: one}, 0 * one), self.second[key], self._size[key])
        total = sum((self._size[key] for key in keys[1:]), self._size[keys[0]])
        shares = {key: self._size[key] / total for key in keys}
        second = sum(share * self.second[key] for key, share in shares.items())
        return _Eaten(Vector(shares, 0 * total), second, total)

    def _subset(self, pool: _Eaten, n: Any) -> _Eaten:
        if n is None or self.number(n) == pool.size:
            return pool
        size, total = self.number(n), pool.size
        spread = pool.second_moment - self.products.square(pool.mean)
        noise = spread * (total - size) / (size * (total - 1))
        return _Eaten(Vector(pool.mean.terms, pool.mean.noise + noise), pool.second_moment, size)

    def _portion(self, portion: Portion) -> _Eaten:
        match portion:
            case RealSet():
                return self._merged([("set", portion.name)])
            case Pool():
                return self._subset(self._merged([("pool", portion.peer)]), portion.n)
            case Stored():
                keys = [
                    ("batch", batch, portion.peer, part)
                    for batch in portion.batches
                    for part in range(self._parts[batch, portion.peer])
                    if portion.part in (None, part)
                ]
                return self._subset(self._merged(keys), portion.n)
            case Moments():
                model = ("model", portion.model, portion.peer)
                second = self.products[model, model] + self.spread[model]
                one = self.number(1)
                return _Eaten(Vector({model: one}, 0 * one), second, None)
            case _:
                return self._drawn(portion)

    def _fit(self, meal: Meal) -> tuple[Vector, Number]:
        """The fit's mean, and E sigma^2."""
        eaten = [self._portion(portion) for portion in meal.eats]
        if meal.weights is None:
            if isinstance(self.estimator, Weighted):
                raise LoopError("estimator.name", Weighted.name, "it needs a weight")
            total = sum((part.size for part in eaten[1:]), eaten[0].size)
            weights = [part.size / total for part in eaten]
        else:
            total = None
            weights = [self.number(weight) for weight in meal.weights]
        mean = combined(list(zip(weights, (part.mean for part in eaten), strict=True)))
        second = sum(w * part.second_moment for w, part in zip(weights, eaten, strict=True))
        square = self.products.square(mean)
        if not isinstance(self.estimator, MaximumLikelihood | Unbiased | Weighted):
            reason = "second moments for this estimator are not available yet"
            raise UnavailableError("estimator.name", self.estimator.name, reason)
        if isinstance(self.estimator, MaximumLikelihood):
            spread = second - square
        elif total is not None:
            spread = (second - square) * total / (total - 1)
        else:
            within = [self._within(part) for part in eaten]
            spread = sum(w * inner for w, inner in zip(weights, within, strict=True))
            if isinstance(self.estimator, Unbiased):
                squares = [self.products.square(part.mean) for part in eaten]
                spread += sum(w * own for w, own in zip(weights, squares, strict=True)) - square
        return mean, self._tidy(spread)

    def _within(self, part: _Eaten) -> Number:
        """The expected variance of a portion about its own mean, divisor n - 1; a model's own."""
        spread = part.second_moment - self.products.square(part.mean)
        if part.size is None:
            return spread
        if part.size == 1:
            raise LoopError("estimator.name", self.estimator.name, "it needs 2 points of every kind")
        return spread * part.size / (part.size - 1)

    def _forget(self) -> None:
        """Drop what no later fit can read."""
        oldest_model = self.generation + 1 - self.recipe.models_back
        oldest_batch = self.generation + 1 - self.recipe.batches_back
        for key in [key for key in self.products if key[0] == "model" and key[1] < oldest_model]:
            self.products.forget(key)
            del self.spread[key]
        for key in [key for key in self.products if key[0] == "batch" and key[1] < oldest_batch]:
            self.products.forget(key)
            del self.second[key], self._size[key]
            self._parts.pop(key[1:3], None)


def second_moments(recipe: Recipe, generations: int, **settings: Any) -> list[tuple[Fit, ...]]:
    """The moments of generations 1, ..., `generations`, one tuple of peers each.

    Args:
        recipe: what every fit eats.
        generations: how many.
        **settings: of `Provenance`.
    """
    return list(_walk(Provenance(recipe, **settings), generations))


def _walk(provenance: Provenance, generations: int) -> Iterator[tuple[Fit, ...]]:
    for _ in range(generations):
        yield provenance.advance()


def _as_it_is(value: Any) -> Any:
    return value


def _is_symbolic_number(number: Callable[[Any], Any]) -> bool:
    return is_symbolic(number(1))


def _cancelled(value: Any) -> Any:
    return value.cancel() if is_symbolic(value) else value


def rational(value: Any) -> Fraction:
    """A number as an exact fraction, decimals as they are written: for `Provenance(number=rational)`."""
    return value if isinstance(value, Fraction) else Fraction(str(value))
