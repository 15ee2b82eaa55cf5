"""Random recipes: any draws, stores, subsets, sets, moments, weights and peers that make sense together.

`choose(low, high)` picks an integer, both ends included; where it comes from (hypothesis, a generator of
random numbers) is the caller's.
"""

from fractions import Fraction

from theory.meal import Meal, Mixed, Moments, Pool, Real, RealSet, Recipe, Sample, Stored


def random_recipe(choose, generations, *, least=1):
    """A recipe of explicit meals. `least`: the fewest points a portion has."""
    peers = choose(1, 2)
    sets = {name: choose(max(least, 2), 4) for name in "ab"[: choose(0, 2)]}

    def draw(t):
        n, model, peer = choose(least, 4), choose(0, t - 1), choose(0, peers - 1)
        return [
            Real(n),
            Sample(n, model, peer, synthetic=model > 0),
            Mixed(n, Fraction(choose(0, 4), 4), model, peer, synthetic=model > 0),
        ][choose(0, 2)]

    initial = tuple((draw(1),) for _ in range(choose(0, 2)))
    stored = {
        (1 - len(initial) + i, k): [d.n for d in ds] for i, ds in enumerate(initial) for k in range(peers)
    }
    meals = {}
    for t in range(1, generations + 1):
        adds = {k: tuple(draw(t) for _ in range(choose(0, 2))) for k in range(peers)}
        stored |= {(t, k): [d.n for d in adds[k]] for k in adds if adds[k]}
        for k in range(peers):
            meals[t, k] = _meal(choose, t, peers, adds[k], draw, list(sets), stored, least)
    return Recipe(
        lambda t, k: meals[t, k],
        peers=peers,
        sets=sets,
        initial=initial,
        models_back=generations,
        batches_back=generations + len(initial),
        pooled=True,
        settled=generations,
        constant=False,
    )


def _meal(choose, t, peers, adds, draw, sets, stored, least):
    weighted = choose(0, 1) == 1

    def subset(total):
        return choose(least, total) if total >= least and choose(0, 1) else None

    def portion():
        kind, peer = choose(0, 4 if weighted else 3), choose(0, peers - 1)
        mine = [batch for batch, owner in stored if owner == peer]
        if kind == 1 and sets:
            return RealSet(sets[choose(0, len(sets) - 1)])
        if kind == 2 and mine:
            first = choose(0, len(mine) - 1)
            batches = tuple(mine[first : first + choose(1, 3)])
            if len(stored[batches[0], peer]) == 2 and len(batches) == 1 and choose(0, 1):
                return Stored(batches, part=choose(0, 1), peer=peer)
            return Stored(batches, subset(sum(sum(stored[b, peer]) for b in batches)), peer=peer)
        if kind == 3 and mine:
            return Pool(subset(sum(sum(stored[b, peer]) for b in mine)), peer)
        if kind == 4:
            return Moments(choose(0, t - 1), peer)
        return draw(t)

    eats = tuple(portion() for _ in range(choose(1, 3)))
    if all(isinstance(part, Moments) for part in eats):
        eats = (*eats, Real(max(least, 2)))
    if not weighted:
        return Meal((*eats, Real(2)), adds=adds)
    parts = [choose(1, 5) for _ in eats]
    return Meal(eats, tuple(Fraction(part, sum(parts)) for part in parts), adds)
