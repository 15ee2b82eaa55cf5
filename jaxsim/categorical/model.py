"""A categorical model: the law of what it generates, and what is measured on it. Shares are [category]."""

from collections.abc import Callable, Mapping
from itertools import combinations_with_replacement
from math import factorial
from typing import Any, NamedTuple

import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float

from theory.loop import Loop, LoopError
from theory.selection import BestOf, BradleyTerry

Shares = Float[Array, " category"]

MOST_DRAWS = 20_000  # of candidates over the levels of their rewards, that a choice is averaged over


class Bias(NamedTuple):
    """How a model is sampled and what is kept: what fixes a compiled program; hashable.

    Attributes:
        sampler: None, "temperature", "top_k" or "nucleus".
        sampled_real: whether it acts on real points too.
        rule: None, "best-of" or "bradley-terry".
        selected_real: whether it acts on real points too.
        candidates: K, of the rule.
        kept: k, of top_k.
        levels: how many different rewards there are.
    """

    sampler: str | None
    sampled_real: bool
    rule: str | None
    selected_real: bool
    candidates: int
    kept: int
    levels: int


class Numbers(NamedTuple):
    """The numbers of a bias.

    Attributes:
        number: the temperature, or the probability of the nucleus.
        level: of the reward of each category, counted from the lowest, [category].
        log_weight: strength times reward of each category, [category].
        draws: how many of the candidates have each level, [draw, level].
        ways: multinomial coefficient of each draw.
        chosen: probability that the choice has each level, [draw, level].
    """

    number: Any
    level: Any
    log_weight: Any
    draws: Any
    ways: Any
    chosen: Any


def bias_of(loop: Loop) -> Bias:
    """The bias of a loop's sampler and selection."""
    given = loop.sampler.given
    rule = loop.selection
    return Bias(
        sampler=given[0] if given else None,
        sampled_real=loop.sampler.applies_to_source,
        rule=None if rule is None else rule.rule,
        selected_real=rule is not None and rule.applies_to_source,
        candidates=1 if rule is None else int(rule.candidates),
        kept=loop.sampler.top_k or 0,
        levels=1 if rule is None else len(set(rule.direction)),
    )


def numbers_of(loop: Loop, bias: Bias, engine: str) -> Numbers:
    """The numbers of a loop's bias.

    Raises:
        LoopError: where a choice among candidates has too many cases to be averaged over.
    """
    rule = loop.selection
    size = loop.source.categories
    empty = np.zeros((1, 1))
    number = loop.sampler.temperature or loop.sampler.nucleus or 1.0
    if not isinstance(rule, BestOf | BradleyTerry):
        return Numbers(np.float64(number), np.zeros(size, np.int32), np.zeros(size), empty, empty[0], empty)
    rewards, level = np.unique(np.array(rule.direction, float), return_inverse=True)
    strength = float(rule.strength) if isinstance(rule, BradleyTerry) else 0.0
    log_weight = strength * (rewards - rewards[-1])
    numbers = Numbers(np.float64(number), level.astype(np.int32), log_weight[level], empty, empty[0], empty)
    if bias.rule != "bradley-terry" or engine == "literal":
        return numbers
    draws = _draws(bias.candidates, len(rewards))
    ways = np.array(
        [factorial(bias.candidates) / np.prod([float(factorial(int(k))) for k in row]) for row in draws]
    )
    weighted = draws * np.exp(log_weight)
    return numbers._replace(draws=draws, ways=ways, chosen=weighted / weighted.sum(1, keepdims=True))


def _draws(candidates: int, levels: int) -> np.ndarray:
    """Every way of spreading candidates over levels, [draw, level]."""
    total = factorial(candidates + levels - 1) // (factorial(levels - 1) * factorial(candidates))
    if total > MOST_DRAWS:
        reason = f"{levels} different rewards make {total} cases of a choice; use the literal engine"
        raise LoopError("selection.candidates", candidates, reason)
    picks = np.array(list(combinations_with_replacement(range(levels), candidates)))
    return (picks[:, :, None] == np.arange(levels)).sum(1).astype(float)


def sampled(shares: Shares, bias: Bias, numbers: Numbers) -> Shares:
    """The law of one generated point before any selection.

    Temperature T: p^(1/T), normalised. `top_k`: the k most probable categories. `nucleus`: the most probable
    ones, as few as have that probability together. Of equally probable ones the first come first.
    """
    if bias.sampler is None:
        return shares
    if bias.sampler == "temperature":
        heated = (shares / jnp.max(shares)) ** (1 / numbers.number)
        return heated / jnp.sum(heated)
    order = jnp.argsort(-shares, stable=True)
    if bias.sampler == "top_k":
        keep = jnp.arange(len(shares)) < bias.kept
    else:
        ordered = shares[order]
        before = jnp.cumsum(ordered) - ordered
        # a sum that misses the probability by its rounding has reached it
        keep = before < numbers.number * jnp.sum(shares) - len(shares) * 2.0**-52
    kept = jnp.where(jnp.zeros_like(keep).at[order].set(keep), shares, 0.0)
    return kept / jnp.sum(kept)


def selected(shares: Shares, bias: Bias, numbers: Numbers) -> Shares:
    """The law of one kept point.

    best-of: the largest of K rewards has level l with probability F_l^K - F_(l-1)^K, F the distribution
    function of the levels. bradley-terry: the choice's probability, averaged over how the K candidates spread
    over the levels. Within a level the shares are the model's.
    """
    if bias.rule is None:
        return shares
    mass = jnp.zeros(bias.levels).at[numbers.level].add(shares)
    if bias.rule == "best-of":
        reached = jnp.cumsum(mass) ** bias.candidates
        kept = jnp.diff(reached, prepend=0.0)
    else:
        probability = numbers.ways * jnp.prod(mass**numbers.draws, axis=1)
        kept = probability @ numbers.chosen
    within = shares / jnp.where(mass > 0, mass, 1.0)[numbers.level]
    return within * kept[numbers.level]


class View(NamedTuple):
    """What observables are functions of.

    Attributes:
        shares: the model's, [category]; all zero where every rate of a Poisson model is.
        source: the source's.
    """

    shares: Shares
    source: Shares


def _entropy(p: Shares) -> Array:
    return -jnp.sum(jnp.where(p > 0, p * jnp.log(jnp.where(p > 0, p, 1.0)), 0.0))


def _divergence(p: Shares, q: Shares) -> Array:
    ratio = jnp.where(p > 0, p, 1.0) / jnp.where(p > 0, q, 1.0)
    return jnp.sum(jnp.where(p > 0, p * jnp.log(ratio), 0.0))


def _chi_squared(p: Shares, q: Shares) -> Array:
    known = q > 0
    terms = jnp.where(known, (p - q) ** 2 / jnp.where(known, q, 1.0), jnp.where(p > 0, jnp.inf, 0.0))
    return jnp.sum(terms)


OBSERVABLES: Mapping[str, Callable[[View], Array]] = {
    "heterozygosity": lambda v: jnp.sum(v.shares) - jnp.sum(v.shares * v.shares),
    "support": lambda v: jnp.sum(v.shares > 0),
    "entropy": lambda v: _entropy(v.shares),
    "kl_to_source": lambda v: _divergence(v.shares, v.source),
    "l2_squared": lambda v: jnp.sum((v.shares - v.source) ** 2),
    "chi_squared": lambda v: _chi_squared(v.shares, v.source),
    "extinct": lambda v: jnp.where(v.shares > 0, 0.0, 1.0),
}


def observe(name: str, shares: Shares, source: Shares, dtype: Any) -> Array:
    """An observable of a model, in the precision of the run."""
    return OBSERVABLES[name](View(shares, source)).astype(dtype)
