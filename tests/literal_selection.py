"""Selection done point by point, as its rules are worded; arrays are [replicate, point]."""

import math

import numpy as np
from literal_recipe import LiteralLoop
from scipy import stats

from theory.meal import Mixed, Real
from theory.selection import BestOf, BradleyTerry, Correction, Detector, Tilt, TopFraction, Verifier


def until_kept(draw, keep, replicates, n):
    """Points drawn again until they are kept."""
    x = draw((replicates, n))
    missing = ~keep(x)
    while missing.any():
        fresh = draw((replicates, n))
        x = np.where(missing, fresh, x)
        missing &= ~keep(x)
    return x


def scores(rule, z):
    return -np.abs(z) if rule.score == "typicality" else np.sign(rule.direction) * z


def chosen(rng, rule, mean, variance, n):
    """Points of N(mean, variance), one row for each entry of `mean`, n kept in each."""
    mean, width = mean[:, None], np.sqrt(variance)[:, None]
    rows = len(mean)

    def draw(shape):
        return mean + width * rng.standard_normal(shape)

    match rule:
        case TopFraction(threshold="pool"):
            z = rng.standard_normal((rows, math.ceil(round(n / rule.fraction, 9))))
            best = np.argsort(-scores(rule, z), axis=1)[:, :n]
            return mean + width * np.take_along_axis(z, best, 1)
        case TopFraction():
            law = stats.norm if rule.score == "linear" else stats.halfnorm
            cut = law.ppf(1 - rule.fraction) if rule.score == "linear" else -law.ppf(rule.fraction)
            return until_kept(draw, lambda x: scores(rule, (x - mean) / width) >= cut, rows, n)
        case BestOf():
            z = rng.standard_normal((rows, n, rule.candidates))
            best = np.argmax(scores(rule, z), axis=2)[..., None]
            return mean + width * np.take_along_axis(z, best, 2)[..., 0]
        case BradleyTerry():
            x = mean[..., None] + width[..., None] * rng.standard_normal((rows, n, rule.candidates))
            odds = np.exp(rule.strength * np.sign(rule.direction) * x)
            below = np.cumsum(odds, axis=2) / odds.sum(2, keepdims=True)
            winner = (rng.random((rows, n, 1)) > below).sum(2, keepdims=True)
            return np.take_along_axis(x, np.minimum(winner, rule.candidates - 1), 2)[..., 0]
        case Tilt(reward="linear"):
            return draw((rows, n)) + np.sign(rule.direction) * rule.strength * width**2
        case Tilt():
            peak = lambda x: rng.random(x.shape) < np.exp(-rule.strength * (x - rule.centre) ** 2 / 2)  # noqa: E731
            return until_kept(draw, peak, rows, n)
        case Verifier():
            return until_kept(draw, lambda x: np.abs(x - rule.centre) <= rule.radius, rows, n)
    raise ValueError(rule)


class SelectedLoop(LiteralLoop):
    """A literal loop whose synthetic points are selected."""

    def __init__(self, rule, recipe, replicates, rng, **settings):
        self.rule = rule
        super().__init__(recipe, replicates, rng, **settings)
        if getattr(rule, "applies_to_source", False):
            self.sets = {name: self.real(Real(size)) for name, size in recipe.sets.items()}

    def draw(self, draw):
        rule = self.rule
        acts = getattr(draw, "synthetic", False) or getattr(rule, "applies_to_source", False)
        if isinstance(rule, Detector) and isinstance(draw, Mixed) and draw.synthetic:
            return self.filtered(draw)
        if isinstance(rule, Correction) and acts:
            x = super().draw(draw)
            real = self.normal(0.0, self.variance, draw.n)
            return np.where(self.rng.random(x.shape) < rule.gamma / (1 + rule.gamma), real, x)
        if isinstance(rule, Detector | Correction) or not acts:
            return super().draw(draw)
        if isinstance(draw, Mixed):
            return self.mixed(draw)
        if isinstance(draw, Real):
            return self.real(draw)
        return chosen(self.rng, rule, *self.models[draw.model, draw.peer], draw.n)

    def real(self, draw):
        mean = self.targets[draw.target] if self.recipe.targets else 0.0
        spread = np.full(self.replicates, float(self.variance))
        return chosen(self.rng, self.rule, np.full(self.replicates, mean), spread, draw.n)

    def mixed(self, draw):
        """Coins first, then each kind's own points, as many as the coins say."""
        real = self.rng.random((self.replicates, draw.n)) < float(draw.real_share)
        x = self.normal(0.0, self.variance, draw.n)
        mean, variance = self.models[draw.model, draw.peer]
        spread = np.full(self.replicates, float(self.variance))
        always = self.rule.applies_to_source
        for kept in range(1, draw.n + 1):  # of a pool, how many are kept decides which
            rows = np.flatnonzero((~real).sum(1) == kept)
            if rows.size and (draw.synthetic or always):
                x[rows[:, None], np.nonzero(~real[rows])[1].reshape(-1, kept)] = chosen(
                    self.rng, self.rule, mean[rows], variance[rows], kept
                )
            rows = np.flatnonzero(real.sum(1) == kept)
            if rows.size and always:
                x[rows[:, None], np.nonzero(real[rows])[1].reshape(-1, kept)] = chosen(
                    self.rng, self.rule, np.zeros(rows.size), spread[rows], kept
                )
        return x

    def filtered(self, draw):
        """A stream of real and synthetic points, each kept at the rate of its kind."""
        mean, variance = self.models[draw.model, draw.peer]
        shape = (self.replicates, draw.n)
        x, missing = np.zeros(shape), np.ones(shape, bool)
        while missing.any():
            real = self.rng.random(shape) < float(draw.real_share)
            points = np.where(
                real, self.normal(0.0, self.variance, draw.n), self.normal(mean, variance, draw.n)
            )
            rate = np.where(real, self.rule.true_positive, self.rule.false_positive)
            kept = missing & (self.rng.random(shape) < rate)
            x = np.where(kept, points, x)
            missing &= ~kept
        return x
