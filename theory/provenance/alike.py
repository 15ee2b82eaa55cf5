"""Exact second moments of K models of one law that feed one another, whatever K: two variables stand for all.

Models that all begin alike and take as many points from each are exchangeable. With M the mean over the K
means and mu that of any one model, a fit that takes n points from each reads M alone:

    the K draws together:   mean M + e,  E e^2 = (one draw's noise) / K,   q = one draw's,   K n points
    one fit:                mu' = c M + d mu + f + e          (d: what it takes of its own model)
    all fits:               M' = (c + d) M + f + e-bar,       E e-bar^2 = E e^2 / K
    hence                   mu' = M' + d (mu - M) + (e - e-bar),    E (e - e-bar)^2 = E e^2 (1 - 1/K)

where e - e-bar is orthogonal to e-bar and to everything before. Own derivation; for few models
`theory.provenance` follows each of them and must agree.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

from theory.loop import Loop
from theory.meal import Meal, Mixed, Recipe, Sample
from theory.observable import model_axis
from theory.provenance import Provenance, _Eaten
from theory.provenance.inner_products import Vector


@dataclass(frozen=True)
class FromEach:
    """The same draw from each of the models that are alike."""

    draw: Sample | Mixed


def merged(made: Recipe, loop: Loop) -> Recipe:
    """The recipe of one model that stands for all, where the models of `loop` are exchangeable; else `made`.

    Args:
        made: what every model of the loop eats.
        loop: whose models are alike if they are reported as one.
    """
    if made.peers == 1 or model_axis(loop) is not None:
        return made

    def meal(t: int, _: int) -> Meal:
        found = made.at(t, 0)
        own = [portion for portion in found.eats if getattr(portion, "peer", 0) == 0]
        return replace(found, eats=tuple(FromEach(p) if isinstance(p, Sample | Mixed) else p for p in own))

    return replace(made, meal=meal, peers=1, alike=made.peers)


def engine(recipe: Recipe, **settings: Any) -> Provenance:
    """The engine of second moments for a recipe, merged or not, before generation 1."""
    return (Alike if recipe.alike > 1 else Provenance)(recipe, **settings)


class Alike(Provenance):
    """The second moments of models of one law, `recipe.alike` of them."""

    def __post_init__(self):
        super().__post_init__()
        self.products.define(_all(("model", 0, 0)), Vector({("model", 0, 0): self.number(1)}, self.number(0)))

    def between(self) -> Any:
        """E sum_k (mu_k - M)^2 / (K - 1) of the present generation."""
        model, count = ("model", self.generation, 0), self.number(self.recipe.alike)
        mean = _all(model)
        return (self.products[model, model] - self.products[mean, mean]) * count / (count - 1)

    def _portion(self, portion: Any) -> _Eaten:
        if not isinstance(portion, FromEach):
            return super()._portion(portion)
        one, count = self._drawn(portion.draw), self.number(self.recipe.alike)
        terms = {_all(key): factor for key, factor in one.mean.terms.items()}
        return _Eaten(Vector(terms, one.mean.noise / count), one.second_moment, one.size * count)

    def _define(self, model: tuple, mean: Vector) -> None:
        share = 1 / self.number(self.recipe.alike)
        everyone: dict[tuple, Any] = {}
        for key, factor in mean.terms.items():
            everyone[_all(key)] = everyone[_all(key)] + factor if _all(key) in everyone else factor
        self.products.define(_all(model), Vector(everyone, mean.noise * share))
        own = {key: factor for key, factor in mean.terms.items() if key[0] == "model"}
        terms = {_all(model): self.number(1)} | own | {_all(key): -factor for key, factor in own.items()}
        self.products.define(model, Vector(terms, mean.noise * (1 - share)))

    def _forget(self) -> None:
        super()._forget()
        for key in [key for key in self.products if key[0] == "all" and key[1:] not in self._kept()]:
            self.products.forget(key)

    def _kept(self) -> set[tuple]:
        return {key[1:] for key in self.spread}


def _all(key: tuple) -> tuple:
    """The name of the mean over all models of what a model's own mean is called; others keep theirs."""
    return ("all", *key[1:]) if key[0] == "model" else key
