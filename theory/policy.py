"""Data policies beside `Replace`: which points each generation is fitted to. Vocabulary only.

What every policy means, generation by generation, is its recipe (`theory.recipe`). A schedule is a number,
a list (entry t - 1 for generation t) or an expression in t.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, ClassVar

from theory.counts import (
    Count,
    Schedule,
    check_count,
    check_fit,
    check_schedule,
    check_share,
    is_constant,
)
from theory.peers import Peers
from theory.quantity import LoopError, Number, is_symbolic, settle
from theory.replacement import Replace
from theory.written_recipe import WrittenRecipe

__all__ = [
    "Accumulate",
    "AccumulateSubsample",
    "Fixed",
    "Fresh",
    "Heal",
    "Memory",
    "Peers",
    "Policy",
    "Replace",
    "Web",
    "Window",
    "WrittenRecipe",
]

OPTIMAL = "optimal"
OPTIMAL_IN_TIME = "optimal-in-time"


@dataclass(frozen=True)
class Accumulate:
    """Every generation is fitted to all points so far: the policy `accumulate`.

    Attributes:
        n: points of batch t, drawn from generation t - 1: a schedule; the first batch has at least 2.
    """

    n: Schedule
    policy: ClassVar[str] = "accumulate"

    def __post_init__(self):
        settle(self, n=check_schedule("n", self.n, 2, 1))


@dataclass(frozen=True)
class AccumulateSubsample:
    """Points accumulate; every generation is fitted to a uniform subset of them: `accumulate-subsample`.

    Attributes:
        n: points of batch t and of the subset that fit t takes: a schedule.
    """

    n: Schedule
    policy: ClassVar[str] = "accumulate-subsample"

    def __post_init__(self):
        settle(self, n=check_schedule("n", self.n, 2, 2))


@dataclass(frozen=True)
class Window:
    """Every generation is fitted to the last `width` batches: the policy `window`.

    Attributes:
        n: points of batch t: a schedule; the `width` batches of generation 1 have n_1 points each.
        width: batches a fit takes.
    """

    n: Schedule
    width: int
    policy: ClassVar[str] = "window"

    def __post_init__(self):
        width = check_count("width", self.width, 1)
        least = 2 if width == 1 else 1
        settle(self, n=check_schedule("n", self.n, least, least), width=width)


@dataclass(frozen=True)
class Memory:
    """Fresh real points, and new samples of each of the last `models` models: the policy `memory`.

    Attributes:
        real: fresh real points a generation.
        per_model: points from each of the models.
        models: K, how many previous models are sampled anew.
    """

    real: Count
    per_model: Count
    models: int
    policy: ClassVar[str] = "memory"

    def __post_init__(self):
        settle(
            self,
            real=check_count("real", self.real),
            per_model=check_count("per_model", self.per_model, 1),
            models=check_count("models", self.models, 1),
        )
        check_fit("per_model", self.real + self.per_model * self.models)


@dataclass(frozen=True)
class Fresh:
    """Fresh real points, and samples of the previous generation: the policy `fresh`.

    Attributes:
        real: fresh real points a generation: a schedule.
        synthetic: points from the previous generation: a schedule.
        composition: `stratified`: exactly these counts; `iid`: each of real + synthetic points is real with
            probability real / (real + synthetic).
        weight: w, the total weight of the real points, 1 - w being that of the synthetic ones; a tuple has
            entry t - 1 for generation t; `optimal` minimises the stationary mean error, `optimal-in-time`
            that of every generation (w_1 = 1). None: every point weighs the same.
    """

    real: Schedule
    synthetic: Schedule
    composition: str = "stratified"
    weight: Any = None
    policy: ClassVar[str] = "fresh"

    def __post_init__(self):
        settle(
            self,
            real=check_schedule("real", self.real, 0, 0),
            synthetic=check_schedule("synthetic", self.synthetic, 0, 0),
        )
        if is_constant(self.real) and is_constant(self.synthetic):
            check_fit("real + synthetic", self.real + self.synthetic)
        if self.composition not in ("stratified", "iid"):
            raise LoopError("composition", self.composition, "'stratified' or 'iid' is needed")
        if self.weight is None:
            return
        if self.composition == "iid":
            raise LoopError("weight", self.weight, "with iid composition every point weighs the same")
        settle(self, weight=self._checked_weight())
        for key, count in (("real", self.real), ("synthetic", self.synthetic)):
            if is_constant(count) and not is_symbolic(count) and count == 0:
                raise LoopError(key, count, "a weight needs real and synthetic points")

    def _checked_weight(self) -> Any:
        weight = self.weight
        if isinstance(weight, str):
            if weight not in (OPTIMAL, OPTIMAL_IN_TIME):
                raise LoopError("weight", weight, f"a number, {OPTIMAL!r} or {OPTIMAL_IN_TIME!r} is needed")
            if not (is_constant(self.real) and is_constant(self.synthetic)):
                raise LoopError("weight", weight, "it is known for constant counts only")
            return weight
        if isinstance(weight, list | tuple):
            if not weight:
                raise LoopError("weight", [], "the list is empty")
            return tuple(check_share("weight", entry) for entry in weight)
        return check_share("weight", weight)


@dataclass(frozen=True)
class Fixed:
    """The same real set every time, and samples of the previous generation: the policy `fixed`.

    Attributes:
        real: points of the real set; generation 1 is fitted to it alone.
        synthetic: points from the previous generation.
    """

    real: Count
    synthetic: Count
    policy: ClassVar[str] = "fixed"

    def __post_init__(self):
        settle(self, real=check_count("real", self.real), synthetic=check_count("synthetic", self.synthetic))
        check_fit("real", self.real)


@dataclass(frozen=True)
class Web:
    """Real and synthetic points pour into one pool; models are fitted to it: the policy `web`.

    Attributes:
        start: real points in the pool that generation 1 sees.
        real: real points added before every later fit.
        synthetic: points of the latest model added before every later fit.
        n: points of a fit, a uniform subset of the pool: a schedule; None: all of it.
    """

    start: Count
    real: Count
    synthetic: Count
    n: Schedule = None
    policy: ClassVar[str] = "web"

    def __post_init__(self):
        settle(
            self,
            start=check_count("start", self.start),
            real=check_count("real", self.real),
            synthetic=check_count("synthetic", self.synthetic),
        )
        check_fit("start", self.start)
        inflow = self.real + self.synthetic
        if not is_symbolic(inflow) and inflow == 0:
            raise LoopError("synthetic", self.synthetic, "nothing is added to the web")
        if self.n is not None:
            settle(self, n=check_schedule("n", self.n, 2, 2))
            first = self.n[0] if isinstance(self.n, tuple) else self.n
            if isinstance(first, int) and isinstance(self.start, int) and first > self.start:
                raise LoopError("n", first, f"generation 1 sees a web of {self.start} points")


@dataclass(frozen=True)
class Heal:
    """Contaminated generations, then real data only: the policy `heal`.

    A healing fit takes w times the moments of a real batch plus 1 - w times those of the current model, the
    spread between the two means included; nothing is sampled from a model.

    Attributes:
        contaminated: the policy of the contaminated generations.
        generations: how many of them.
        real: points of a real batch.
        weight: w; 1 starts from scratch.
        same_real: whether every healing fit takes the same real batch.
    """

    contaminated: Policy
    generations: int
    real: Count
    weight: Number
    same_real: bool = False
    policy: ClassVar[str] = "heal"

    def __post_init__(self):
        if isinstance(self.contaminated, Heal) or not isinstance(self.contaminated, Policy):
            raise LoopError("contaminated", self.contaminated, "a data table, itself not of heal, is needed")
        settle(
            self,
            generations=check_count("generations", self.generations, 1),
            real=check_count("real", self.real, 1),
            weight=check_share("weight", self.weight),
        )
        if self.weight == 1:
            check_fit("real", self.real)
        if not isinstance(self.same_real, bool):
            raise LoopError("same_real", self.same_real, "true or false is needed")


Policy = (
    Replace
    | Accumulate
    | AccumulateSubsample
    | Window
    | Memory
    | Fresh
    | Fixed
    | Web
    | Peers
    | Heal
    | WrittenRecipe
)
