"""Data policies as recipes: the one place that knows what the name of a policy means.

Generation 1 eats as the conventions say: the same kind of meal as later with the source in the place of the
models before it (`replace`, `fresh`, `memory`, `peers`, `window`), the first batch (`accumulate`,
`accumulate-subsample`), the start of the `web`, the `fixed` set alone, the real points alone where their
weight is 1.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from fractions import Fraction

from theory.counts import Count, Schedule, is_constant, points
from theory.loop import LoopError, Number, Replace, is_symbolic
from theory.meal import Draw, Meal, Mixed, Moments, Pool, Portion, Real, RealSet, Recipe, Sample, Stored
from theory.policy import (
    Accumulate,
    AccumulateSubsample,
    Fixed,
    Fresh,
    Heal,
    Memory,
    Peers,
    Policy,
    Web,
    Window,
)
from theory.written_recipe import Ingredient, WrittenRecipe, exact

HEALING_SET = "healing"
FIXED_SET = "real"

_Draw = Callable[[Count, int], Sample]  # (n, model): a sample of that model, of model 0 if there is none yet


def recipe(policy: Policy, *, started: bool = False) -> Recipe:
    """What every generation eats under `policy`.

    Args:
        policy: its weight a number, or a tuple of numbers (`theory.recipes.optimal_weight` turns words into
            them).
        started: whether model 0 differs from the source, so that its samples are synthetic.
    """

    def sample(n: Count, model: int, peer: int = 0) -> Sample:
        return Sample(n, max(model, 0), peer, synthetic=started or model > 0)

    match policy:
        case Replace():
            made = _stateless(lambda t: (sample(points("n", policy.n, t, 2), t - 1),), policy.n)
        case Accumulate():
            made = _pooled(policy.n, 1, lambda n: Pool(), sample)
        case AccumulateSubsample():
            made = _pooled(policy.n, 2, lambda n: Pool(n), sample)
        case Window():
            made = _window(policy, sample)
        case Memory():
            made = _memory(policy, sample)
        case Fresh():
            made = _fresh(policy, sample, started)
        case Fixed():
            made = _fixed(policy, sample)
        case Web():
            made = _web(policy, sample)
        case Peers():
            made = _peers(policy, sample)
        case Heal():
            made = _heal(policy, recipe(policy.contaminated, started=started))
        case WrittenRecipe():
            made = _written(policy, sample)
        case _:
            raise LoopError("data.policy", policy, "no recipe is known for it")
    return made


def _eaten(draws: tuple[Draw, ...]) -> tuple[Draw, ...]:
    """Without those known to be empty."""
    return tuple(draw for draw in draws if is_symbolic(draw.n) or draw.n > 0)


def _stateless(draws: Callable[[int], tuple[Draw, ...]], *schedules: Schedule) -> Recipe:
    return Recipe(lambda t, _: Meal(_eaten(draws(t))), constant=all(map(is_constant, schedules)))


def _pooled(n: Schedule, least: int, portion: Callable[[Count], Portion], sample: _Draw) -> Recipe:
    def meal(t: int, _: int) -> Meal:
        size = points("n", n, t, max(least, 2) if t == 1 else least)
        return Meal((portion(size),), adds=(sample(size, t - 1),))

    return Recipe(meal, pooled=True, constant=is_constant(n))


def _window(policy: Window, sample: _Draw) -> Recipe:
    n, width = policy.n, policy.width
    least = 2 if width == 1 else 1

    def meal(t: int, _: int) -> Meal:
        batches = tuple(range(t - width + 1, t + 1))
        return Meal((Stored(batches),), adds=(sample(points("n", n, t, least), t - 1),))

    first = points("n", n, 1, least)
    initial = ((sample(first, 0),),) * (width - 1)
    return Recipe(meal, initial=initial, batches_back=width - 1, constant=is_constant(n))


def _memory(policy: Memory, sample: _Draw) -> Recipe:
    def draws(t: int) -> tuple[Draw, ...]:
        models = (sample(policy.per_model, t - back) for back in range(1, policy.models + 1))
        return (Real(policy.real), *models)

    return replace(_stateless(draws), models_back=policy.models, settled=policy.models + 1)


def _fresh(policy: Fresh, sample: _Draw, started: bool) -> Recipe:
    if isinstance(policy.weight, str):
        raise LoopError("data.weight", policy.weight, "it must be replaced by its numbers first")

    def counts(t: int) -> tuple[Count, Count]:
        found = points("real", policy.real, t), points("synthetic", policy.synthetic, t)
        if not is_symbolic(sum(found)) and sum(found) < 2:
            raise LoopError("real + synthetic", sum(found), f"generation {t} needs at least 2 points")
        return found

    def stratified(t: int) -> tuple[Draw, ...]:
        real, synthetic = counts(t)
        return Real(real), sample(synthetic, t - 1)

    def iid(t: int) -> tuple[Draw, ...]:
        real, synthetic = counts(t)
        total = real + synthetic
        share = real / total if is_symbolic(total) else Fraction(real, total)
        return (Mixed(total, share, t - 1, synthetic=started or t > 1),)

    def weighted(t: int, _: int) -> Meal:
        w = exact(points("weight", policy.weight, t))
        if w == 1:
            return Meal(stratified(t)[:1], (w,))
        return Meal(stratified(t), (w, 1 - w))

    if policy.weight is None:
        draws = iid if policy.composition == "iid" else stratified
        return _stateless(draws, policy.real, policy.synthetic)
    steady = is_constant(policy.real) and is_constant(policy.synthetic)
    return Recipe(weighted, constant=steady and not isinstance(policy.weight, tuple))


def _fixed(policy: Fixed, sample: _Draw) -> Recipe:
    def meal(t: int, _: int) -> Meal:
        real = RealSet(FIXED_SET)
        return Meal((real,) if t == 1 else (real, *_eaten((sample(policy.synthetic, t - 1),))))

    return Recipe(meal, sets={FIXED_SET: policy.real})


def _web(policy: Web, sample: _Draw) -> Recipe:
    def portion(t: int) -> Pool:
        if policy.n is None:
            return Pool()
        n = points("n", policy.n, t, 2)
        size = policy.start + (t - 1) * (policy.real + policy.synthetic)
        if not is_symbolic(size - n) and n > size:
            raise LoopError("data.n", n, f"generation {t} sees a web of {size} points")
        return Pool(n)

    def meal(t: int, _: int) -> Meal:
        inflow = (Real(policy.start),) if t == 1 else (Real(policy.real), sample(policy.synthetic, t - 1))
        return Meal((portion(t),), adds=_eaten(inflow))

    return Recipe(meal, pooled=True, constant=is_constant(policy.n))


def _peers(policy: Peers, sample: Callable[[Count, int, int], Sample]) -> Recipe:
    def meal(t: int, peer: int) -> Meal:
        models = (sample(policy.taken(peer, giver), t - 1, giver) for giver in range(policy.models))
        target = 0 if policy.targets is None else peer
        return Meal(_eaten((Real(policy.own_real(peer), target), *models)))

    return Recipe(meal, peers=policy.models, targets=policy.targets)


def _heal(policy: Heal, contaminated: Recipe) -> Recipe:
    w = exact(policy.weight)

    def real(peer: int) -> Portion:
        return RealSet(HEALING_SET) if policy.same_real else Real(policy.real, _target(contaminated, peer))

    def meal(t: int, peer: int) -> Meal:
        if t <= policy.generations:
            return contaminated.at(t, peer)
        if w == 1:
            return Meal((real(peer),), (w,))
        return Meal((real(peer), Moments(t - 1, peer)), (w, 1 - w))

    if policy.same_real and contaminated.targets is not None:
        raise LoopError("data.same_real", True, "models with different targets have no real set in common")
    sets = {**contaminated.sets, HEALING_SET: policy.real} if policy.same_real else contaminated.sets
    return replace(contaminated, meal=meal, sets=sets, settled=policy.generations + 1, constant=True)


def _target(made: Recipe, peer: int) -> int:
    return 0 if made.targets is None else peer


def _written(policy: WrittenRecipe, sample: Callable[[Count, int, int], Sample]) -> Recipe:
    lists = policy.generations
    stores = any(i.batch is not None for listed in lists for i in listed)

    def meal(t: int, peer: int) -> Meal:
        eats: list[Portion] = []
        adds: list[Draw] = []
        for ingredient in policy.of(t):
            portion = _portion(ingredient, t, peer, sample)
            if stores and isinstance(portion, Real | Sample):
                adds.append(portion)
                portion = Stored((t,), part=len(adds) - 1, peer=peer)
            eats.append(portion)
        return Meal(tuple(eats), _weights(policy.of(t)), tuple(adds))

    lags = [-(i.model or i.moments or 0) for listed in lists for i in listed]
    batch_lags = [-lag for listed in lists for i in listed for lag in i.batch or ()]
    return Recipe(
        meal,
        peers=policy.models,
        sets=dict(policy.sets),
        models_back=max([*lags, 1]),
        batches_back=max(batch_lags, default=0),
        settled=max(len(lists), max(lags) + 1),
    )


def _portion(i: Ingredient, t: int, peer: int, sample: Callable[[Count, int, int], Sample]) -> Portion:
    whose = peer if i.peer is None else i.peer - 1
    if i.real is not None:
        return Real(i.real)
    if i.set is not None:
        return RealSet(i.set)
    if i.model is not None:
        return sample(i.n, t + i.model, whose)
    if i.moments is not None:
        return Moments(max(t + i.moments, 0), whose)
    return Stored(tuple(t + lag for lag in i.batch), i.n, peer=whose)


def _weights(listed: tuple[Ingredient, ...]) -> tuple[Number, ...] | None:
    if listed[0].weight is None:
        return None
    *given, _ = (exact(i.weight) for i in listed)
    return (*given, 1 - sum(given))
