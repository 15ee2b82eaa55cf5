"""The law of a two-category loop, every outcome of every draw enumerated: models are exact fractions."""

from collections import defaultdict
from fractions import Fraction
from itertools import product
from math import comb

from theory.meal import Mixed, Moments, Pool, Real, RealSet, Sample, Stored
from theory.recipe import recipe


def binomial(n, p):
    return [(k, comb(n, k) * p**k * (1 - p) ** (n - k)) for k in range(n + 1) if 0 < p < 1 or k in (0, n)]


def hypergeometric(hits, total, n):
    low, high = max(0, n - (total - hits)), min(hits, n)
    return [(k, comb(hits, k) * comb(total - hits, n - k) / comb(total, n)) for k in range(low, high + 1)]


class EnumeratedLoop:
    """Share p of the first category; `bias` maps the p of a model to that of the points that are kept.

    fit(hits, points) -> p. `bias` acts on synthetic points only.
    """

    def __init__(self, policy, source, *, bias=lambda p: p, fit=lambda hits, n: Fraction(hits, n)):
        self.recipe, self.source, self.bias, self.fit = recipe(policy), source, bias, fit

    def law(self, generations):
        """p after so many fits -> probability."""
        sets = [binomial(n, float(self.source)) for n in self.recipe.sets.values()]
        states = defaultdict(float)
        for drawn in product(*sets):
            held = tuple((k, n) for (k, _), n in zip(drawn, self.recipe.sets.values(), strict=True))
            models, probability = ((0, self.source),), 1.0
            for _, q in drawn:
                probability *= q
            for batches, q in self.stored((), self.recipe.initial, 1 - len(self.recipe.initial), models):
                states[models, batches, held] += probability * q
        for t in range(1, generations + 1):
            moved = defaultdict(float)
            for state, probability in states.items():
                for after, q in self.step(t, *state):
                    moved[after] += probability * q
            states = moved
        found = defaultdict(float)
        for (models, _, _), probability in states.items():
            found[models[-1][1]] += probability
        return dict(found)

    def stored(self, batches, lists, first, models):
        """Batches with more of them drawn, each with its probability."""
        found = [(batches, 1.0)]
        for number, draws in enumerate(lists, first):
            longer = []
            for have, q in found:
                for parts in product(*(self.drawn(draw, dict(models)) for draw in draws)):
                    r = q
                    for _, p in parts:
                        r *= p
                    batch = tuple((k, draw.n) for (k, _), draw in zip(parts, draws, strict=True))
                    longer.append(((*have, (number, batch)), r))
            found = longer
        return found

    def drawn(self, draw, models):
        """How many of the first category a draw has, and the probability of it."""
        if isinstance(draw, Real):
            return binomial(draw.n, float(self.source))
        own = models[draw.model]
        synthetic = self.bias(float(own)) if draw.synthetic else float(own)
        if isinstance(draw, Sample):
            return binomial(draw.n, synthetic)
        assert isinstance(draw, Mixed)
        w = float(draw.real_share)
        return binomial(draw.n, w * float(self.source) + (1 - w) * synthetic)

    def step(self, t, models, batches, sets):
        meal = self.recipe.at(t)
        for have, q in self.stored(batches, (meal.adds,) if meal.adds else (), t, models):
            eaten = [self.eaten(portion, dict(models), dict(have), sets) for portion in meal.eats]
            for parts in product(*eaten):
                r = q
                for _, _, p in parts:
                    r *= p
                if meal.weights is None:
                    p = self.fit(sum(k for k, _, _ in parts), sum(n for _, n, _ in parts))
                else:
                    p = sum(
                        Fraction(w) * Fraction(k) / n
                        for w, (k, n, _) in zip(meal.weights, parts, strict=True)
                    )
                kept = (*models, (t, p))[-self.recipe.models_back - 1 :]
                if not self.recipe.pooled:
                    have_now = tuple(b for b in have if b[0] > t - self.recipe.batches_back - 1)
                else:
                    have_now = self.merged(have)
                yield (kept, have_now, sets), r

    def merged(self, batches):
        """A pool as a single batch."""
        parts = [part for _, batch in batches for part in batch]
        return ((0, ((sum(k for k, _ in parts), sum(n for _, n in parts)),)),)

    def eaten(self, portion, models, batches, sets):
        """(hits, points, probability) of a portion."""
        if isinstance(portion, Moments):
            return [(models[portion.model], 1, 1.0)]
        if isinstance(portion, RealSet):
            k, n = sets[list(self.recipe.sets).index(portion.name)]
            return [(k, n, 1.0)]
        if isinstance(portion, Pool | Stored):
            chosen = batches.values() if isinstance(portion, Pool) else (batches[b] for b in portion.batches)
            part = getattr(portion, "part", None)
            parts = [p for batch in chosen for p in (batch if part is None else batch[part : part + 1])]
            hits, total = sum(k for k, _ in parts), sum(n for _, n in parts)
            if portion.n is None or portion.n == total:
                return [(hits, total, 1.0)]
            return [(k, portion.n, q) for k, q in hypergeometric(hits, total, portion.n)]
        return [(k, portion.n, q) for k, q in self.drawn(portion, models)]
