"""A data policy written by hand: for every generation, the list of its ingredients. Vocabulary only.

The batch of generation j, which later generations may eat again, is all that was drawn anew for it: its
`real` points and its samples of models, not named sets.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field, fields
from fractions import Fraction
from typing import Any, ClassVar

from theory.counts import Count, check_count
from theory.quantity import LoopError, Number, is_symbolic

KINDS = ("real", "set", "model", "batch", "moments")


@dataclass(frozen=True)
class Ingredient:
    """One thing a fit eats: exactly one of `real`, `set`, `model`, `batch`, `moments` is given.

    Attributes:
        real: so many fresh real points.
        set: a named fixed real set.
        model: new samples of the model so many generations back: -1 is the previous one.
        batch: stored points of the generations so many back.
        moments: the moments of the model so many generations back; nothing is sampled.
        n: points: of `model`; of `batch`, a uniform subset without replacement (None: all).
        peer: whose model or batch, numbered from 1; None: the eater's own.
        weight: its share of the fit; None: every point of the fit weighs the same.
    """

    real: Count | None = None
    set: str | None = None
    model: int | None = None
    batch: Any = None
    moments: int | None = None
    n: Count | None = None
    peer: int | None = None
    weight: Number | None = None

    def __post_init__(self):
        given = [key for key in KINDS if getattr(self, key) is not None]
        if len(given) != 1:
            raise LoopError("", given or None, f"an ingredient is one of {', '.join(KINDS)}")
        (kind,) = given
        if kind == "real":
            check_count("real", self.real, 1)
        elif kind == "batch":
            object.__setattr__(self, "batch", _lags(self.batch))
        elif kind != "set":
            _lag(kind, getattr(self, kind))
        elif not isinstance(self.set, str) or not self.set:
            raise LoopError("set", self.set, "the name of a set is needed")
        if kind == "model" and self.n is None:
            raise LoopError("n", None, "it is missing")
        if self.n is not None:
            if kind not in ("model", "batch"):
                raise LoopError("n", self.n, f"{kind} takes no n")
            check_count("n", self.n, 1)
        if self.peer is not None:
            if kind in ("real", "set"):
                raise LoopError("peer", self.peer, f"{kind} takes no peer")
            check_count("peer", self.peer, 1)
        if self.weight is not None:
            object.__setattr__(self, "weight", _weight(self.weight))
        elif kind == "moments":
            raise LoopError("weight", None, "moments need a weight")

    def table(self) -> dict[str, Any]:
        """The keys given, as in a file."""
        values = {part.name: getattr(self, part.name) for part in fields(self)}
        return {
            key: list(value) if key == "batch" else value
            for key, value in values.items()
            if value is not None
        }


def _lag(key: str, value: object) -> int:
    if isinstance(value, bool) or not isinstance(value, int) or value >= 0:
        raise LoopError(key, value, "a negative whole number is needed: -1 is the generation before")
    return value


def _lags(value: Any) -> tuple[int, ...]:
    lags = tuple(value) if isinstance(value, list | tuple) else (value,)
    if not lags:
        raise LoopError("batch", [], "the list is empty")
    for lag in lags:
        _lag("batch", lag)
    if len(set(lags)) < len(lags):
        raise LoopError("batch", list(lags), "a batch is named twice")
    return lags


def _weight(value: object) -> Number:
    if is_symbolic(value):
        return value
    if isinstance(value, bool) or not isinstance(value, int | float | Fraction):
        raise LoopError("weight", value, "a number is needed")
    if not 0 <= value <= 1:
        raise LoopError("weight", value, "a weight lies between 0 and 1")
    return value


def exact(value: Number) -> Any:
    """A number as the fraction its shortest decimal names; symbols and fractions as they are."""
    return value if is_symbolic(value) or isinstance(value, Fraction) else Fraction(repr(value))


@dataclass(frozen=True)
class WrittenRecipe:
    """The policy `recipe`.

    Attributes:
        generations: lists of ingredients (tables), one a generation; the last one repeats.
        sets: sizes of the named fixed real sets.
    """

    generations: Any
    sets: Any = field(default=())
    policy: ClassVar[str] = "recipe"

    def __post_init__(self):
        pairs = self.sets.items() if isinstance(self.sets, dict) else self.sets
        if not isinstance(pairs, Iterable) or isinstance(pairs, str):
            raise LoopError("sets", self.sets, "a table of names and sizes is needed")
        pairs = tuple(pairs)
        if not all(isinstance(pair, tuple) and len(pair) == 2 for pair in pairs):
            raise LoopError("sets", self.sets, "a table of names and sizes is needed")
        sizes = tuple((name, check_count(f"sets.{name}", size, 1)) for name, size in pairs)
        if not isinstance(self.generations, list | tuple) or not self.generations:
            raise LoopError("generations", self.generations, "lists of ingredients are needed")
        lists = tuple(_ingredients(f"generations[{t}]", g) for t, g in enumerate(self.generations, 1))
        object.__setattr__(self, "sets", sizes)
        object.__setattr__(self, "generations", lists)
        longest = len(lists) + max((-lag for meal in lists for i in meal for lag in i.batch or ()), default=0)
        for t in range(1, longest + 1):
            self._check_fit(t)

    def table(self) -> dict[str, Any]:
        """The keys given, as in a file."""
        content: dict[str, Any] = {"generations": [list(listed) for listed in self.generations]}
        return content | ({"sets": dict(self.sets)} if self.sets else {})

    def of(self, t: int) -> tuple[Ingredient, ...]:
        """The ingredients of generation `t`."""
        return self.generations[min(t, len(self.generations)) - 1]

    @property
    def models(self) -> int:
        """How many models there are: the largest `peer`. All follow the same lists."""
        return max((i.peer for meal in self.generations for i in meal if i.peer), default=1)

    def batch_size(self, t: int) -> Count:
        """Points drawn anew for generation `t`."""
        drawn = [i.n if i.model else i.real for i in self.of(t)]
        return sum(n for n in drawn if n is not None)

    def _check_fit(self, t: int) -> None:
        key = f"generations[{min(t, len(self.generations))}]"
        total: Count = 0
        for ingredient in self.of(t):
            if ingredient.moments is not None:
                total += 2  # a model has a variance of its own
            elif ingredient.set is not None:
                sizes = dict(self.sets)
                if ingredient.set not in sizes:
                    raise LoopError(f"{key}.set", ingredient.set, "no such set; its size belongs in sets")
                total += sizes[ingredient.set]
            elif ingredient.batch is not None:
                total += self._eaten(key, t, ingredient)
            else:
                total += ingredient.real if ingredient.n is None else ingredient.n
        if not is_symbolic(total) and total < 2:
            raise LoopError(key, total, "a fit of a variance needs at least 2 points")

    def _eaten(self, key: str, t: int, ingredient: Ingredient) -> Count:
        for lag in ingredient.batch:
            if t + lag < 1:
                raise LoopError(
                    f"{key}.batch",
                    lag,
                    f"generation {t} eats a batch that does not exist yet: number {t + lag}",
                )
        stored = sum(self.batch_size(t + lag) for lag in ingredient.batch)
        if not is_symbolic(stored) and stored == 0:
            raise LoopError(
                f"{key}.batch", list(ingredient.batch), f"generation {t} finds nothing stored there"
            )
        if ingredient.n is None:
            return stored
        if not is_symbolic(stored - ingredient.n) and ingredient.n > stored:
            raise LoopError(f"{key}.n", ingredient.n, f"generation {t} finds {stored} points stored there")
        return ingredient.n


def _ingredients(key: str, listed: object) -> tuple[Ingredient, ...]:
    if not isinstance(listed, list | tuple) or not listed:
        raise LoopError(key, listed, "an empty generation: a list of ingredients is needed")
    known = tuple(part.name for part in fields(Ingredient))
    found = []
    for item in listed:
        if isinstance(item, dict):
            for name, value in item.items():
                if name not in known:
                    raise LoopError(
                        f"{key}.{name}", value, f"no such key here; there are: {', '.join(known)}"
                    )
                if value is None:
                    raise LoopError(f"{key}.{name}", value, "null is not a value")
            try:
                item = Ingredient(**item)
            except LoopError as error:
                raise LoopError(f"{key}.{error.key}".rstrip("."), error.value, error.reason) from None
        if not isinstance(item, Ingredient):
            raise LoopError(key, item, "an ingredient is a table")
        found.append(item)
    weights = [item.weight for item in found]
    if any(weight is None for weight in weights):
        if any(weight is not None for weight in weights):
            raise LoopError(f"{key}.weight", None, "give a weight to every ingredient, or to none")
    else:
        total = sum(exact(weight) for weight in weights)
        if not is_symbolic(total) and abs(total - 1) > Fraction(1, 10**12):
            raise LoopError(f"{key}.weight", float(total), "the weights must sum to 1")
    return tuple(found)
