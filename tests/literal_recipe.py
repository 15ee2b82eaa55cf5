"""A slow, plain simulator of recipes: draws every point, keeps every batch, fits what it is told to eat."""

import numpy as np

from theory.meal import Mixed, Moments, Pool, Real, RealSet, Sample


class LiteralLoop:
    """Many independent loops at once; arrays are [replicate, point].

    Divisor is `n` (maximum likelihood), `n - 1` (unbiased) or `weighted` (He et al.'s scheme).
    """

    def __init__(self, recipe, replicates, rng, *, variance=1.0, bias=1.0, divisor="n", start=None):
        self.recipe, self.rng, self.divisor = recipe, rng, divisor
        self.replicates, self.variance, self.bias = replicates, variance, bias
        targets = recipe.targets or (0,) * recipe.peers
        self.targets = [float(target) for target in targets]
        self.models = {}
        for k in range(recipe.peers):
            mean, spread = (self.targets[k], variance) if start is None else start
            self.models[0, k] = np.full(replicates, float(mean)), np.full(replicates, float(spread))
        self.sets = {name: self.normal(0.0, variance, size) for name, size in recipe.sets.items()}
        self.batches = {}
        for place, draws in enumerate(recipe.initial):
            for k in range(recipe.peers):
                self.batches[place + 1 - len(recipe.initial), k] = [self.draw(d) for d in draws]

    def run(self, generations):
        """The models of all generations: means and variances, [generation, peer, replicate]."""
        for t in range(1, generations + 1):
            meals = [self.recipe.at(t, k) for k in range(self.recipe.peers)]
            for k, meal in enumerate(meals):
                if meal.adds:
                    self.batches[t, k] = [self.draw(d) for d in meal.adds]
            for k, meal in enumerate(meals):
                self.models[t, k] = self.fit(meal)
        found = [[self.models[t, k] for k in range(self.recipe.peers)] for t in range(1, generations + 1)]
        return np.moveaxis(np.array(found), 2, 0)

    def normal(self, mean, variance, n):
        mean = np.broadcast_to(np.asarray(mean, float), (self.replicates,))
        spread = np.sqrt(np.broadcast_to(np.asarray(variance, float), (self.replicates,)))
        return mean[:, None] + spread[:, None] * self.rng.standard_normal((self.replicates, n))

    def draw(self, draw):
        if isinstance(draw, Real):
            return self.normal(
                self.targets[draw.target] if self.recipe.targets else 0.0, self.variance, draw.n
            )
        mean, variance = self.models[draw.model, draw.peer]
        synthetic = self.normal(mean, (self.bias if draw.synthetic else 1.0) * variance, draw.n)
        if isinstance(draw, Sample):
            return synthetic
        assert isinstance(draw, Mixed)
        real = self.normal(self.targets[draw.target] if self.recipe.targets else 0.0, self.variance, draw.n)
        return np.where(self.rng.random(real.shape) < float(draw.real_share), real, synthetic)

    def portion(self, portion):
        if isinstance(portion, Moments):
            return self.models[portion.model, portion.peer]
        if isinstance(portion, RealSet):
            return self.sets[portion.name]
        if isinstance(portion, Real | Sample | Mixed):
            return self.draw(portion)
        if isinstance(portion, Pool):
            drawn = [
                points for (_, k), batch in self.batches.items() if k == portion.peer for points in batch
            ]
        else:
            chosen = [self.batches[number, portion.peer] for number in portion.batches]
            parts = slice(None) if portion.part is None else slice(portion.part, portion.part + 1)
            drawn = [points for batch in chosen for points in batch[parts]]
        pool = np.concatenate(drawn, axis=1)
        if portion.n is None or portion.n == pool.shape[1]:
            return pool
        return self.rng.permuted(pool, axis=1)[:, : portion.n]

    def fit(self, meal):
        eaten = [self.portion(portion) for portion in meal.eats]
        if meal.weights is None:
            points = np.concatenate(eaten, axis=1)
            return points.mean(1), points.var(1, ddof=0 if self.divisor == "n" else 1)
        weights = [float(weight) for weight in meal.weights]
        own = [part if isinstance(part, tuple) else (part.mean(1), self.within(part)) for part in eaten]
        mean = sum(w * m for w, (m, _) in zip(weights, own, strict=True))
        variance = sum(w * v for w, (_, v) in zip(weights, own, strict=True))
        if self.divisor != "weighted":
            variance = variance + sum(w * (m - mean) ** 2 for w, (m, _) in zip(weights, own, strict=True))
        return mean, variance

    def within(self, points):
        return points.var(1, ddof=0 if self.divisor == "n" else 1)
