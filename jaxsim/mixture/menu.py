"""What a mixture loop eats, generation by generation, as numbers: the recipes that its engines serve.

A fit takes points drawn for it alone (real ones, the last model's, or either by a coin), a fixed real set and
a pool that everything drawn for it joins; each may be absent. That is replace, accumulate, fresh, fixed and
the web as a whole. What a fit takes from older models, from some stored batches or as a random subset is
refused.
"""

from typing import Any, NamedTuple

import numpy as np

from theory.loop import Loop, LoopError
from theory.meal import Draw, Meal, Mixed, Pool, Real, RealSet
from theory.recipe import recipe

SERVED = "mixtures are simulated under replace, accumulate, fresh, fixed and web as a whole"


class Slots(NamedTuple):
    """The most points that each part ever has; hashable. 0: there is no such part.

    Attributes:
        real, model: drawn for one fit: of the source; of the last model, or by a coin.
        pool_real, pool_model: drawn to join the pool in one generation.
        pool: points the pool grows to.
        anchor: points of the fixed set.
        mixed: whether a coin decides where points drawn for one fit are from.
    """

    real: int
    model: int
    pool_real: int
    pool_model: int
    pool: int
    anchor: int
    mixed: bool


class Menu(NamedTuple):
    """Numbers of each generation, [generation].

    Attributes:
        real, model, pool_real, pool_model, anchor: points drawn.
        share: probability of a real point among those drawn by a coin.
        real_factor, model_factor: the sampler's factor on variances.
    """

    real: Any
    model: Any
    pool_real: Any
    pool_model: Any
    anchor: Any
    share: Any
    real_factor: Any
    model_factor: Any


def menu(loop: Loop, generations: int) -> tuple[Slots, Menu]:
    """The first `generations` meals of a loop.

    Raises:
        LoopError: for a policy that is not served.
    """
    made = recipe(loop.data, started=loop.start is not None)
    if made.peers > 1 or len(made.sets) > 1:
        raise LoopError("data.policy", loop.data.policy, SERVED)
    rows = [_row(loop, made.at(t), t, made.sets) for t in range(1, generations + 1)]
    table = Menu(*(np.array(column) for column in zip(*rows, strict=True)))
    most = [int(column.max()) for column in table[:5]]
    slots = Slots(
        *most[:4],
        pool=int((table.pool_real + table.pool_model).sum()),
        anchor=most[4],
        mixed=bool((table.share > 0).any()),
    )
    return slots, table


def _row(loop: Loop, meal: Meal, t: int, sets: Any) -> Menu:
    bias, both = float(loop.sampler.bias), loop.sampler.applies_to_source
    found: dict[str, Any] = dict.fromkeys(Menu._fields, 0)
    found |= {"share": 0.0, "real_factor": bias if both else 1.0, "model_factor": bias if both else 1.0}
    if meal.weights is not None:
        raise LoopError("data.weight", meal.weights, "a mixture is fitted to points of equal weight")
    for portion in meal.eats:
        if isinstance(portion, RealSet):
            found["anchor"] = int(sets[portion.name]) if t == 1 else 0
        elif isinstance(portion, Pool):
            if portion.n is not None:
                raise LoopError("data.n", portion.n, "a mixture is not fitted to a random subset of a pool")
            for draw in meal.adds:
                _count(found, draw, t, "pool_", loop)
        elif isinstance(portion, Draw):
            _count(found, portion, t, "", loop)
        else:
            raise LoopError("data.policy", loop.data.policy, SERVED)
    return Menu(**found)


def _count(found: dict[str, Any], draw: Draw, t: int, where: str, loop: Loop) -> None:
    if isinstance(draw, Real):
        found[f"{where}real"] += int(draw.n)
        return
    if draw.model != t - 1 or (isinstance(draw, Mixed) and where):
        raise LoopError("data.policy", loop.data.policy, SERVED)
    found[f"{where}model"] += int(draw.n)
    if isinstance(draw, Mixed):
        found["share"] = float(draw.real_share)
    if draw.synthetic:
        found["model_factor"] = float(loop.sampler.bias)
