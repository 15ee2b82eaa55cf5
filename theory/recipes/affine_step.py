"""One generation of a recipe of constant shape, as an affine map of second moments: v' = A v + b.

The vector v holds what later fits can still read: products of means of models, stored batches and named
sets, q of every batch, s = E sigma^2 of every model; of models that are alike, those of one and of the mean
over all (`theory.provenance.alike`). Its coordinates do not divide one another, so A and b
are read off by feeding zero and the unit vectors to one step of `theory.provenance`, in floats, in exact
fractions or in symbols. From A and b: stationary values, transients, the generations' growth and hence the
stability threshold. Coordinates that a step leaves as they are (a named set's) are put into b.
"""

from __future__ import annotations

import copy
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np

from theory.loop import LoopError, Number, is_symbolic
from theory.meal import Recipe
from theory.provenance import ONE, Fit, Provenance
from theory.provenance.alike import engine

Label = tuple[Any, ...]


@dataclass(frozen=True)
class AffineStep:
    """v' = A v + b, valid from one generation on.

    Attributes:
        labels: what every coordinate of v is.
        matrix: A, rows of numbers.
        offset: b.
        begin: v in generation `generation`.
        generation: the first one from which on the map holds.
        fits: for every peer the labels of its E mu, E mu^2, E sigma^2 (labels that v lacks are in `known`).
        known: the coordinates that never change.
    """

    labels: tuple[Label, ...]
    matrix: tuple[tuple[Number, ...], ...]
    offset: tuple[Number, ...]
    begin: tuple[Number, ...]
    generation: int
    fits: tuple[tuple[Label, Label, Label], ...]
    known: dict[Label, Number]

    def growth(self) -> float:
        """The largest modulus of an eigenvalue of A: second moments stay bounded iff it is below 1."""
        if not self.labels:
            return 0.0
        return float(np.max(np.abs(np.linalg.eigvals(np.array(self.matrix, float)))))

    def polynomial(self, z: Any) -> Any:
        """det(z - A), a SymPy polynomial in z."""
        return self._sympy().charpoly(z).as_expr()

    def stationary(self) -> tuple[Fit, ...]:
        """The fixed point's moments, one entry a peer; a limit iff `growth` is below 1.

        Raises:
            ArithmeticError: if 1 is an eigenvalue: there is no fixed point, or more than one.
        """
        import sympy as sp

        if isinstance(self.offset[0] if self.offset else 0, float):
            size = len(self.labels)
            try:
                found = np.linalg.solve(np.eye(size) - np.array(self.matrix, float), np.array(self.offset))
            except np.linalg.LinAlgError:
                raise ArithmeticError("the recursion has the eigenvalue 1") from None
            return self._read([float(value) for value in found])
        system = sp.eye(len(self.labels)) - self._sympy()
        try:
            solution = system.LUsolve(sp.Matrix([sp.sympify(value) for value in self.offset]))
        except (ValueError, ZeroDivisionError):
            raise ArithmeticError("the recursion has the eigenvalue 1") from None
        symbolic = any(is_symbolic(value) and value.free_symbols for value in solution)
        return self._read([sp.factor(value) if symbolic else _fraction(value) for value in solution])

    def at(self, generation: int) -> tuple[Fit, ...]:
        """The moments of a generation, by powers of the map; in floats."""
        if generation < self.generation:
            raise LoopError("generation", generation, f"the map holds from generation {self.generation} on")
        size = len(self.labels)
        step = np.zeros((size + 1, size + 1))
        step[:size, :size], step[:size, size], step[size, size] = self.matrix, self.offset, 1
        power = np.linalg.matrix_power(step, generation - self.generation)
        return self._read((power @ np.array([*self.begin, 1], float))[:size].tolist())

    def _sympy(self) -> Any:
        import sympy as sp

        size = len(self.labels)
        return sp.Matrix(size, size, [sp.sympify(value) for row in self.matrix for value in row])

    def _read(self, values: list[Any]) -> tuple[Fit, ...]:
        every = self.known | dict(zip(self.labels, values, strict=True))
        return tuple(Fit(*(every[label] for label in labels)) for labels in self.fits)


def affine_step(recipe: Recipe, **settings: Any) -> AffineStep:
    """The map of `recipe`, where its meals come to repeat themselves.

    Args:
        recipe: constant, and without a growing pool.
        **settings: of `Provenance`.

    Raises:
        LoopError: if the counts or weights keep changing, or the pool keeps growing.
    """
    if not recipe.constant:
        raise LoopError("data", None, "its counts or weights change from generation to generation")
    state = engine(recipe, **settings)
    while state.generation < recipe.settled + max(recipe.models_back, recipe.batches_back) - 1:
        state.advance()
    if recipe.pooled and any(recipe.at(state.generation + 1, peer).adds for peer in range(recipe.peers)):
        raise LoopError("data", None, "its pool grows from generation to generation")
    now, rows, base = probed(state)
    labels = list(now)
    kept = {row for row in labels if base[row] == 0 and all(rows[row][c] == (c == row) for c in labels)}
    fits = tuple(_labels_of(peer, recipe.alike > 1) for peer in range(recipe.peers))
    idle = _unread(labels, rows, fits) if recipe.alike > 1 else set()
    moving = [row for row in labels if row not in kept | idle]
    offset = [base[row] + sum(rows[row][c] * now[c] for c in kept) for row in moving]
    return AffineStep(
        labels=tuple(moving),
        matrix=tuple(tuple(rows[row][c] for c in moving) for row in moving),
        offset=tuple(offset),
        begin=tuple(now[row] for row in moving),
        generation=state.generation,
        fits=fits,
        known={row: now[row] for row in kept},
    )


def probed(
    state: Provenance,
) -> tuple[dict[Label, Number], dict[Label, dict[Label, Number]], dict[Label, Number]]:
    """What the state holds, and how the next generation's follows from it: rows of A, and b."""
    now = _coordinates(state)
    labels = list(now)
    zero, one = state.number(0), state.number(1)

    def after(unit: Label | None) -> dict[Label, Number]:
        probe = copy.deepcopy(state)
        _put(probe, {label: one if label == unit else zero for label in labels})
        probe.advance()
        return _coordinates(probe)

    base = after(None)
    columns = {label: after(label) for label in labels}
    rows = {row: {c: columns[c][row] - base[row] for c in labels} for row in base}
    return now, rows, base


def _unread(labels: list[Label], rows: dict[Label, dict[Label, Number]], fits: tuple) -> set[Label]:
    """Coordinates that no other one reads and no fit reports."""
    reported = {label for fit in fits for label in fit}
    return {c for c in labels if c not in reported and all(rows[r][c] == 0 for r in labels if r != c)}


def _labels_of(peer: int, alike: bool) -> tuple[Label, Label, Label]:
    """Of E mu, E mu^2, E sigma^2; where models are alike E mu is that of their mean."""
    model = ("model", 0, peer)
    return _pair(("all", 0, peer) if alike else model, ONE), _pair(model, model), ("variance", model)


def _pair(first: Label, second: Label) -> Label:
    return ("product", *sorted((first, second), key=repr))


def _lagged(key: Label, generation: int) -> Label:
    """The key with its number counted from the present."""
    return (key[0], key[1] - generation, *key[2:]) if key[0] in ("model", "all", "batch") else key


def _coordinates(state: Provenance) -> dict[Label, Number]:
    """What the state holds, beside E 1 = 1."""
    found = {}

    def visit(label: Label, value: Number, put: Callable) -> None:
        found[label] = value

    _visit(state, visit)
    return found


def _put(state: Provenance, values: dict[Label, Number]) -> None:
    _visit(state, lambda label, _, put: put(values[label]))


def _visit(state: Provenance, visit: Callable[[Label, Number, Callable], None]) -> None:
    """Every coordinate: its label, its value, and how to change it."""
    lag = {key: _lagged(key, state.generation) for key in state.products}
    keys = list(state.products)
    for place, first in enumerate(keys):
        for second in keys[: place + 1]:
            if first == second == ONE:
                continue
            visit(
                _pair(lag[first], lag[second]),
                state.products[first, second],
                lambda value, pair=(first, second): state.products.assign(*pair, value),
            )
    for part, store in (("second moment", state.second), ("variance", state.spread)):
        for key, value in list(store.items()):
            visit((part, lag[key]), value, lambda value, store=store, key=key: store.__setitem__(key, value))


def _fraction(value: Any) -> Any:
    from fractions import Fraction

    return Fraction(int(value.p), int(value.q)) if value.is_Rational else value
