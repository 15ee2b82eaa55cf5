"""Second moments of kernel density loops under any recipe.

A sample of a kernel density is one of its points, drawn at random, plus N(0, h^2): of the model's mean mu and
its points' variance s (divisor N), the sample has mean mu and variance s + h^2. So `theory.provenance` does
for these loops what it does for Gaussian ones, with that one change: h is fixed, or h^2 = c^2 N^(-2/5) s by
the rule of thumb, N the number of points of the model sampled. A bias lambda shrinks samples towards the
mean, to the variance lambda (s + h^2); lambda = 1 / (1 + c^2 N^(-2/5)) undoes the kernel's widening (the
variance-corrected kernel density). Own derivation.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from theory.loop import Number
from theory.meal import Meal, Mixed, Sample
from theory.provenance import Provenance
from theory.provenance.inner_products import Vector


@dataclass
class KernelProvenance(Provenance):
    """Second moments of the points that every kernel density of a recipe holds; model 0 is no such density.

    Attributes:
        width: h, of a fixed bandwidth.
        factor: c, of the rule of thumb; one of the two is None.
    """

    width: Number | None = None
    factor: Number | None = None
    points: dict[int, Any] = field(default_factory=dict, init=False)

    def _model(self, draw: Sample | Mixed) -> tuple[tuple, Number]:
        key = ("model", draw.model, draw.peer)
        spread = self.spread[key]
        if draw.model > 0:
            spread = spread + self._widening(spread, self.points[draw.model])
        return key, (self._lambda if draw.synthetic else self._real_lambda) * spread

    def _widening(self, spread: Number, points: Any) -> Number:
        """h^2."""
        if self.width is not None:
            return self.number(self.width) ** 2
        return self.number(self.factor) ** 2 * self.number(points) ** -0.4 * spread

    def _fit(self, meal: Meal) -> tuple[Vector, Number]:
        sizes = [self._portion(portion).size for portion in meal.eats]
        self.points[self.generation] = sum(sizes[1:], sizes[0])
        return super()._fit(meal)
