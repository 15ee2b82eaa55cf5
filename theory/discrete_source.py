"""Sources of symbols: categories, counts, text. Vocabulary only."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any, ClassVar

from theory.counts import check_count
from theory.quantity import LoopError, array, is_symbolic, one_of, positive, real
from theory.source import probabilities

MOST_CATEGORIES = 2**20


@dataclass(frozen=True)
class Categorical:
    """One of K categories for every point: the family `categorical`; exactly one attribute is given.

    Attributes:
        probabilities: of the categories; a category of probability 0 is never drawn.
        zipf: a table with `exponent` b and `categories` K: probabilities proportional to k^(-b).
    """

    probabilities: Any = None
    zipf: Any = None
    family: ClassVar[str] = "categorical"

    def __post_init__(self):
        if (self.probabilities is None) == (self.zipf is None):
            raise LoopError("probabilities", self.probabilities, "give either probabilities or zipf")
        if self.zipf is not None:
            object.__setattr__(self, "zipf", _zipf(self.zipf))
            return
        shares = probabilities("probabilities", self.probabilities)
        if any(not is_symbolic(share) and share == 1 for share in shares):
            reason = "it is absorbing: one category has everything, and nothing can happen"
            raise LoopError("probabilities", list(shares), reason)
        object.__setattr__(self, "probabilities", shares)

    @property
    def shares(self) -> tuple[float, ...]:
        """The probabilities of the categories, their sum 1 to the last bit or so."""
        if self.zipf is None:
            weights = self.probabilities
        else:
            exponent, categories = self.zipf
            weights = [math.exp(-exponent * math.log(k)) for k in range(1, categories + 1)]
        total = math.fsum(weights)
        return tuple(weight / total for weight in weights)

    @property
    def categories(self) -> int:
        """K."""
        return len(self.probabilities) if self.zipf is None else self.zipf[1]

    def table(self) -> dict[str, Any]:
        """The keys given, as in a file."""
        if self.zipf is None:
            return {"probabilities": list(self.probabilities)}
        return {"zipf": dict(zip(("exponent", "categories"), self.zipf, strict=True))}


def _zipf(value: Any) -> tuple[float, int]:
    """(exponent, categories)."""
    if isinstance(value, tuple) and len(value) == 2:
        value = dict(zip(("exponent", "categories"), value, strict=True))
    if not isinstance(value, dict) or value.keys() != {"exponent", "categories"}:
        raise LoopError("zipf", value, "a table with exponent and categories is needed")
    exponent = real("zipf.exponent", value["exponent"])
    positive("zipf.exponent", exponent)
    categories = check_count("zipf.categories", value["categories"], 2)
    if categories > MOST_CATEGORIES:
        raise LoopError("zipf.categories", categories, f"at most {MOST_CATEGORIES} are supported")
    return exponent, categories


@dataclass(frozen=True)
class Poisson:
    """Independent counts: n points are Poisson(n rate) of each category: the family `poisson`.

    Attributes:
        rates: one a category, positive.
    """

    rates: Any
    family: ClassVar[str] = "poisson"

    def __post_init__(self):
        rates = array("rates", self.rates, 1)
        rates = rates if isinstance(rates, tuple) else (rates,)
        for rate in rates:
            positive("rates", rate)
        object.__setattr__(self, "rates", rates)

    @property
    def categories(self) -> int:
        """How many rates there are."""
        return len(self.rates)


@dataclass(frozen=True)
class Markov:
    """Text, one symbol after the other: the family `markov`; at most one attribute is given.

    Attributes:
        transition: row i the probabilities of what follows symbol i.
        text: the file of a text, of which the source is the fitted model. Without a transition either: prose
            that every Python ships (`pydoc_data.topics`).
        symbols: what a text is made of: `characters` or `words`.
    """

    transition: Any = None
    text: str | None = None
    symbols: str = "characters"
    family: ClassVar[str] = "markov"

    def __post_init__(self):
        if self.transition is not None and self.text is not None:
            raise LoopError("text", self.text, "give either transition or text")
        if self.text is not None and (not isinstance(self.text, str) or not self.text):
            raise LoopError("text", self.text, "a path is needed")
        one_of("symbols", self.symbols, ("characters", "words"))
        if self.transition is None:
            return
        rows = array("transition", self.transition, 2)
        if not isinstance(rows, tuple) or not isinstance(rows[0], tuple) or len(rows) != len(rows[0]):
            raise LoopError("transition", rows, "a square table is needed")
        for number, row in enumerate(rows, 1):
            if not any(is_symbolic(entry) for entry in row) and not any(row):
                raise LoopError("transition", list(row), f"row {number} is all zeros: nothing follows")
        checked = tuple(probabilities(f"transition row {k}", row) for k, row in enumerate(rows, 1))
        object.__setattr__(self, "transition", checked)
