"""The recursion of second moments that a recipe gives, in symbols: eigenvalues, threshold and solution.

One generation is an affine map of what later fits can still read (`theory.recipes.affine_step`); counts,
weight, bias and the source's variance are symbols where the policy has one shape for all of them, numbers
else. Where a pool grows, its size N is a symbol and one generation's map is given.
"""

from __future__ import annotations

from dataclasses import dataclass, fields
from functools import cached_property
from typing import Any

import numpy as np
import sympy as sp

from theory.loop import Gaussian, Loop, LoopError, MaximumLikelihood
from theory.policy import Accumulate, AccumulateSubsample, Heal, Web
from theory.provenance import Provenance, rational
from theory.provenance.alike import merged
from theory.provenance.of_loop import sample_variance, settings_of
from theory.recipes.accumulate_limits import largest_bias
from theory.recipes.affine_step import AffineStep, Label, affine_step, probed
from theory.recipes.higher_moments import recipe_for
from theory.recipes.optimal_weight import settled
from theory.recipes.positive_form import positive_form, product_limit, shortest_power
from theory.recipes.reading import at_rest, stability
from theory.recipes.symbols import LAMBDA, POOL, S0, K, N, T, Z, named
from theory.replace.fits import sampling_factor

ROUNDING = 1e-12
MOST_SYMBOLIC = 4
"""Coordinates of a map whose determinant is still expanded in symbols."""


@dataclass(frozen=True)
class RecipeDerivation:
    """The recursion of one loop's second moments.

    Attributes:
        loop: on the line (in d dimensions the source of variance 1 stands for it), its weight a number.
        counts: whether counts and weights become symbols; if not, the source's variance still does.
    """

    loop: Loop
    counts: bool = True

    @cached_property
    def in_symbols(self) -> Loop:
        """The loop with symbols for its counts."""
        return self.loop.with_(data=named(self.loop.data)) if self.counts else self.loop

    @property
    def is_named(self) -> bool:
        """Whether it has symbols for numbers."""
        return not self.counts or self.in_symbols.data != self.loop.data

    @cached_property
    def values(self) -> dict[sp.Symbol, sp.Rational]:
        """What the loop has for each symbol."""
        found = {S0: self.loop.source.variance, LAMBDA: sample_variance(self.loop.sampler)}
        for field in fields(self.in_symbols.data):
            if isinstance(symbol := getattr(self.in_symbols.data, field.name), sp.Symbol):
                found[symbol] = getattr(self.loop.data, field.name)
        return {symbol: sp.Rational(rational(value)) for symbol, value in found.items()}

    @cached_property
    def contaminated(self) -> RecipeDerivation | None:
        """Of `heal`: the generations before, in their numbers; None where they never repeat themselves."""
        data = self.loop.data
        if not isinstance(data, Heal):
            return None
        before = RecipeDerivation(self.loop.with_(data=data.contaminated), counts=False)
        step = before.step
        held = step.generation if step is not None else recipe_for(before.loop).settled
        return before if before._system()[0] and held < data.generations else None

    @cached_property
    def step(self) -> AffineStep | None:
        """The map of one generation; None where the counts or a pool keep changing."""
        made = merged(recipe_for(self.in_symbols), self.loop)
        if not made.constant or made.pooled:
            return None
        return affine_step(made, number=sp.sympify, **self._settings())

    @cached_property
    def growing(self) -> tuple[tuple[Label, ...], sp.Matrix, sp.Matrix] | None:
        """Where a pool of N points grows: what is followed, A and b of the next generation; else None."""
        made = merged(recipe_for(self.in_symbols), self.loop)
        if not made.pooled or not made.constant:
            return None
        state = Provenance(made, number=sp.sympify, **self._settings())
        while state.generation < made.settled:
            state.advance()
        for peer in range(made.peers):
            state._size["pool", peer] = POOL
        now, rows, base = probed(state)
        labels = tuple(label for label in now if rows[label] or base[label] != 0)
        shown = tuple(label for label in labels if not _is_batch(label))
        matrix = sp.Matrix([[sp.factor(rows[r][c]) for c in shown] for r in shown])
        return shown, matrix, sp.Matrix([sp.factor(base[r]) for r in shown])

    @property
    def matrix(self) -> sp.Matrix:
        """A: the second moments after one generation, from those before it."""
        return self._system()[1]

    @property
    def offset(self) -> sp.Matrix:
        """b: what real data add."""
        return self._system()[2]

    @cached_property
    def eigenvalues(self) -> tuple[Any, ...]:
        """Of A: in symbols where its characteristic polynomial factors, else in numbers."""
        if self.step is None:
            return ()
        if len(self.step.labels) <= MOST_SYMBOLIC:
            found = sp.roots(sp.Poly(self.step.polynomial(Z), Z))
            if sum(found.values()) == len(self.step.labels) and all(sp.count_ops(x) < 40 for x in found):
                shown = {x: self.written(x) for x in found}
                return tuple(shown[x] for x, count in found.items() for _ in range(count))
        values = np.linalg.eigvals(np.array(self._numeric().matrix, float))
        return tuple(_number(x) for x in sorted(values.tolist(), key=lambda x: (-abs(x), x.real)))

    @cached_property
    def threshold(self) -> Any | None:
        """The lambda from which second moments grow without bound: exact, or a float; None if unknown.

        Real data and conserved means have eigenvalues that no lambda moves; they are divided out.
        """
        if self.step is not None and 0 < len(self.step.labels) <= MOST_SYMBOLIC:
            biased = affine_step(
                merged(recipe_for(self.in_symbols), self.loop),
                number=sp.sympify,
                **(self._settings() | {"bias": LAMBDA}),
            )
            polynomial = sp.factor(biased.polynomial(Z))
            while (at_one := sp.factor(polynomial.subs(Z, 1))) == 0:
                polynomial = sp.cancel(polynomial / (Z - 1))
            roots = (
                [x for x in sp.solve(at_one, LAMBDA) if x.is_positive is not False]
                if at_one.has(LAMBDA)
                else []
            )
            if len(roots) == 1:
                return self.written(roots[0])
        found = largest_bias(self.in_symbols)
        if found is not None:
            return sp.oo if found == sp.oo else sp.factor(sp.nsimplify(found, rational=True))
        found = stability(self.loop)
        return None if found is None else sp.Float(found, 6) if np.isfinite(found) else sp.oo

    @property
    def includes_threshold(self) -> bool:
        """Whether second moments are still bounded at lambda = `threshold`: in a pool without real inflow.

        There a generation adds a share of order 1/t to the pool: E s follows t^(lambda - threshold), and m
        has steps of order t^(lambda - threshold - 2), which have a sum. With real inflow E s follows log t at
        the threshold. Where one map is applied over and over, the eigenvalue that has come to 1 adds what
        real data feed it every time; without real data E s stays as it is and E[m^2] grows by a share of it
        every time. Own derivation.
        """
        data = self.loop.data
        if isinstance(data, Web):
            return data.real == 0
        return isinstance(data, Accumulate | AccumulateSubsample)

    @property
    def is_bounded(self) -> bool | None:
        """Whether the loop's own lambda keeps second moments bounded; None where it is not known."""
        if self.threshold is None:
            return None
        own, bound = self.values[LAMBDA], sp.sympify(self.threshold).subs(self.values)
        return bool(own <= bound) if self.includes_threshold else bool(own < bound)

    @cached_property
    def stationary(self) -> tuple[Any, Any] | None:
        """E m^2 and E s of the first model at rest; None where nothing rests or it is too large to solve."""
        step = self.step
        if step is None or not step.labels or len(step.labels) > 3 * MOST_SYMBOLIC:
            return None
        try:
            fit = (step if len(step.labels) <= MOST_SYMBOLIC else self._numeric()).stationary()[0]
        except ArithmeticError:
            return None
        return self.written(fit.mean_square), self.written(fit.variance)

    @cached_property
    def solution(self) -> tuple[Any, Any] | None:
        """E m^2 and E s after t generations, as sums of powers of eigenvalues; None where they do not split.

        Nor where they are roots: their powers fill pages, and the recursion says as much in three lines.
        The coefficients are those that the first generations ask for; one more generation must agree.
        """
        step, roots = self.step, dict.fromkeys((sp.Integer(1), *self.eigenvalues))
        if step is None or not step.labels or self.why_unsolved is not None:
            return None
        rates = list(roots)
        _, matrix, offset = self._system()
        values = [sp.Matrix([sp.sympify(x) for x in step.begin])]
        while len(values) <= len(rates):
            values.append((matrix * values[-1] + offset).applyfunc(sp.factor))
        powers = sp.Matrix(len(rates), len(rates), lambda i, j: rates[j] ** i)
        found = []
        for label in (("product", *(("model", 0, 0),) * 2), ("variance", ("model", 0, 0))):
            if label not in step.labels:
                return None
            place = step.labels.index(label)
            weights = powers.LUsolve(sp.Matrix([v[place] for v in values[:-1]])).applyfunc(sp.factor)
            late = sum(w * rate ** len(rates) for w, rate in zip(weights, rates, strict=True))
            if sp.simplify(late - values[-1][place]) != 0:
                return None
            first = step.generation
            terms = [shortest_power(*pair, T - first, first) for pair in zip(weights, rates, strict=True)]
            found.append(sum(positive_form(term, self.values) for term in terms))
        return found[0], found[1]

    @property
    def why_unsolved(self) -> str | None:
        """Why a map has no `solution` in t; None if nothing is known against it."""
        if self.step is None:
            return None
        size = len(self.step.labels)
        if size > MOST_SYMBOLIC:
            return f"the map has {size} coordinates, and only up to {MOST_SYMBOLIC} are solved in symbols"
        if any(root.has(sp.Float) for root in self.eigenvalues):
            return "the eigenvalues are no short formulas, and are given in numbers"
        if any(map(_has_roots, self.eigenvalues)):
            return "eigenvalues hold square roots, whose powers fill pages"
        return None

    @cached_property
    def factor(self) -> Any | None:
        """Of `accumulate`: E s after generation k over that before it, from the engine's map."""
        if not isinstance(self.loop.data, Accumulate) or self.growing is None or not self._is_plain():
            return None
        labels, matrix, _ = self.growing
        model, pool = ("model", 0, 0), ("pool", 0)
        row = matrix.row(labels.index(("variance", model)))
        # the pool's moments are the model's: its mean is m, and q = m^2 + s (N - 1)/N or, divided by N, + s
        spread = 1 if isinstance(self.loop.estimator, MaximumLikelihood) else 1 - 1 / POOL
        from_pool = spread * row[labels.index(("second moment", pool))]
        from_spread = sp.factor(from_pool + row[labels.index(("variance", model))])
        return sp.factor(from_spread.subs(POOL, N * (K - 1)))

    @cached_property
    def product(self) -> tuple[Any, Any] | None:
        """Of `accumulate`, maximum likelihood, lambda = 1: the product of the factors and its limit."""
        if self.factor is None or self._settings()["bias"] != 1:
            return None
        if not isinstance(self.loop.estimator, MaximumLikelihood):
            return None
        return sp.Product(self.factor, (K, 1, T)), product_limit(self.factor, K)

    def written(self, value: Any) -> Any:
        """The expression in factors, positive ones where they are so for the loop's numbers."""
        return positive_form(sp.factor(sp.sympify(value)), self.values)

    def text(self) -> str:
        """The derivation in plain text."""
        from theory.recipes.exposition import as_text

        return as_text(self)

    def latex(self) -> str:
        """The derivation as LaTeX."""
        from theory.recipes.exposition import as_latex

        return as_latex(self)

    def numbers(self) -> dict[str, float]:
        """Growth, and stationary values, of the loop as it is written."""
        if self.step is None or not self.step.labels:
            return {}
        step = self._numeric()
        found = {"spectral radius": step.growth()}
        if step.growth() < 1:
            fit = step.stationary()[0]
            found |= {"E[m^2] at rest": float(fit.mean_square), "E[s] at rest": float(fit.variance)}
        return found

    def _system(self) -> tuple[tuple[Label, ...], sp.Matrix, sp.Matrix]:
        if self.step is not None:
            step = self.step
            size = len(step.labels)
            rows = [sp.sympify(x) for row in step.matrix for x in row]
            return step.labels, sp.Matrix(size, size, rows), sp.Matrix([sp.sympify(x) for x in step.offset])
        if self.growing is not None:
            return self.growing
        return (), sp.Matrix(), sp.Matrix()

    def _numeric(self) -> AffineStep:
        made = merged(recipe_for(self.loop), self.loop)
        return affine_step(made, number=rational, **settings_of(self.loop))

    def _settings(self) -> dict[str, Any]:
        given = settings_of(self.loop)
        if not self.is_named:
            keys = ("variance", "bias", "source_bias")
            start = None if given["start"] is None else tuple(map(rational, given["start"]))
            return given | {key: sp.Rational(rational(given[key])) for key in keys} | {"start": start}
        biased = self.loop.sampler.truncate is None and sampling_factor(self.loop.sampler) != 1
        bias = LAMBDA if biased else sp.nsimplify(given["bias"], rational=True)
        source = bias if self.loop.sampler.applies_to_source else 1
        return given | {"variance": S0, "start": None, "bias": bias, "source_bias": source}

    def _is_plain(self) -> bool:
        return self.loop.selection is None


def _has_roots(value: Any) -> bool:
    return any(not power.exp.is_integer for power in value.atoms(sp.Pow))


def _number(value: complex) -> Any:
    """An eigenvalue to ten digits; what rounding leaves of zero is zero."""
    if abs(value) < ROUNDING:
        return sp.Integer(0)
    if abs(value.imag) < ROUNDING:
        return sp.Float(value.real, 10)
    return sp.Float(value.real, 10) + sp.I * sp.Float(value.imag, 10)


def _is_batch(label: Label) -> bool:
    """Whether a coordinate is a batch's, which a growing pool has swallowed."""
    return any(isinstance(part, tuple) and part[0] == "batch" for part in label)


def derive(loop: Loop) -> RecipeDerivation:
    """The derivation for any policy but plain replace.

    Raises:
        LoopError: where second moments follow no recursion of this kind: a selection by value.
    """
    if not isinstance(loop.source, Gaussian):
        raise LoopError("source", loop.source.family, "the derivation is written for a Gaussian source")
    if not loop.source.is_scalar:
        if loop.start is not None or getattr(loop.data, "targets", None) is not None:
            raise LoopError(
                "source", loop.source, "in d dimensions the derivation is written without a start"
            )
        loop = loop.with_(source=Gaussian(0.0, 1.0))
    if loop.selection is not None and loop.selection.rule not in ("detector", "correction"):
        reason = "the derivation is written for rules blind to values: detector and correction"
        raise LoopError("selection.rule", loop.selection.rule, reason)
    return RecipeDerivation(at_rest(settled(loop, 2)))
