"""Shares of categories where no loop's observable tells what is asked: polynomials, times, urns, anchors.

Every experiment is (parameters, seeds, seed) -> values [replicate, *axes]. A generation draws n points by the
shares of the one before, times `odds` where one category is preferred.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jax import lax

from jaxsim.categorical.model import Bias, Numbers, sampled
from jaxsim.multinomial import cheaper, multinomial
from jaxsim.random import Key, draw_key, generation_key, stream_key

BATCH = 4096  # replicates at once

Look = Callable[[Any], Any]


def _counts(key: Key, replicate: Any, draw: Any, n: int, weights: Any) -> Any:
    """Multinomial counts of the draw of that number."""
    own = draw_key(generation_key(jnp.stack(key), jnp.asarray(draw, jnp.uint32)), 0, replicate)
    return multinomial(own, float(n), weights, cheaper(n, len(weights)), n)


def _replicates(one: Callable[[Key, Any], Any], seeds: int, seed: int) -> np.ndarray:
    """The values of replicates 0, ..., seeds - 1."""
    with jax.enable_x64(True):
        words = jnp.asarray(stream_key(seed, 0, "literal"))
        batch = jax.jit(jax.vmap(lambda replicate: one((words[0], words[1]), replicate)))
        size = min(BATCH, seeds)
        found = [np.asarray(batch(jnp.arange(b, b + size, dtype=jnp.uint32))) for b in range(0, seeds, size)]
    return np.concatenate(found)[:seeds]


def _polynomials(coefficients: Any) -> Look:
    """Polynomials of every share, coefficients of x, x^2, ...: [polynomial, category]."""
    rows = jnp.array(coefficients)
    powers = jnp.arange(1, rows.shape[1] + 1)
    return lambda shares: rows @ shares[None, :] ** powers[:, None]


def _products(given: Mapping[str, Any]) -> Look:
    """Products of the shares of the first 2, 3, ... categories."""
    del given
    return lambda shares: jnp.cumprod(shares)[1:]


def _survivors(given: Mapping[str, Any]) -> Look:
    """Whether exactly 1, 2, ..., K categories are left."""
    return lambda shares: (jnp.sum(shares > 0) == jnp.arange(1, len(given["shares"]) + 1)).astype(float)


def _several(given: Mapping[str, Any]) -> Look:
    """Whether more than one category is left."""
    del given
    return lambda shares: (jnp.sum(shares > 0) > 1).astype(float)


def _missing(given: Mapping[str, Any]) -> Look:
    """The source's mass of what the model never draws."""
    return lambda shares: jnp.sum(jnp.where(shares > 0, 0.0, jnp.array(given["shares"])))


LOOKS: dict[str, Callable[[Mapping[str, Any]], Look]] = {
    "polynomials": lambda given: _polynomials(given["polynomials"]),
    "products": _products,
    "survivors": _survivors,
    "several": _several,
    "missing": _missing,
}


def shares(given: Mapping[str, Any], seeds: int, seed: int) -> np.ndarray:
    """What `look` sees of the shares at every one of the generations `at`: [replicate, generation, ...]."""
    look, n = LOOKS[given["look"]](given), given["n"]

    def one(key: Key, replicate: Any) -> Any:
        now, seen = jnp.array(given["shares"]), []
        for before, after in zip((0, *given["at"]), given["at"], strict=False):
            now = lax.fori_loop(before + 1, after + 1, lambda g, x: _counts(key, replicate, g, n, x) / n, now)
            seen.append(look(now))
        return jnp.stack(seen)

    return _replicates(one, seeds, seed)


def times(given: Mapping[str, Any], seeds: int, seed: int) -> np.ndarray:
    """Generations until at most r categories are left, and what else is known when one is: [replicate, ...].

    K - 1 times for r = 1, ..., K - 1; whether each category is the one left; the time until then if it is;
    the sum over generations from 0 on of the categories left beyond one.
    """
    n, start = given["n"], given["shares"]
    odds = jnp.array(given.get("odds", (1.0,) * len(start)))
    left = jnp.arange(1, len(start))

    def one(key: Key, replicate: Any) -> Any:
        def going(state: Any) -> Any:
            return jnp.sum(state[1] > 0) > 1

        def step(state: Any) -> Any:
            g, now, times, excess = state
            alive = jnp.sum(now > 0)
            new = _counts(key, replicate, g, n, now * odds) / n
            return g + 1, new, times + (alive > left), excess + alive - 1

        zero = jnp.zeros(())
        _, last, found, excess = lax.while_loop(
            going, step, (jnp.uint32(1), jnp.array(start), jnp.zeros(len(left)), zero)
        )
        won = (last > 0).astype(float)
        return jnp.concatenate([found, won, won * found[0], excess[None]])

    return _replicates(one, seeds, seed)


def nucleus_time(given: Mapping[str, Any], seeds: int, seed: int) -> np.ndarray:
    """Generations until one category is left, over n, every draw from the nucleus: [replicate]."""
    n, start = given["n"], given["shares"]
    bias = Bias("nucleus", True, None, False, 1, 0, 1)
    none = np.zeros(len(start))
    numbers = Numbers(np.float64(given["nucleus"]), none, none, none[None], none, none[None])

    def one(key: Key, replicate: Any) -> Any:
        def step(state: Any) -> Any:
            g, now = state
            return g + 1, _counts(key, replicate, g, n, sampled(now, bias, numbers)) / n

        last, _ = lax.while_loop(
            lambda state: jnp.sum(state[1] > 0) > 1, step, (jnp.uint32(1), jnp.array(start))
        )
        return (last - 1) / n

    return _replicates(one, seeds, seed)


def urn(given: Mapping[str, Any], seeds: int, seed: int) -> np.ndarray:
    """Polynomials of the shares of a pool begun with `counts`, after its `batches`: [replicate, ...]."""
    first, batches = np.array(given["counts"], float), np.array(given["batches"])
    look, most = _polynomials(given["polynomials"]), int(batches.max())
    method = cheaper(most, len(first))

    def one(key: Key, replicate: Any) -> Any:
        def step(g: Any, pool: Any) -> Any:
            own = draw_key(generation_key(jnp.stack(key), g.astype(jnp.uint32)), 0, replicate)
            n = jnp.asarray(batches, jnp.float64)[g]
            return pool + multinomial(own, n, pool / jnp.sum(pool), method, most)

        pool = lax.fori_loop(jnp.int32(0), jnp.int32(len(batches)), step, jnp.array(first))
        return look(pool / jnp.sum(pool))

    return _replicates(one, seeds, seed)


def anchored(given: Mapping[str, Any], seeds: int, seed: int) -> np.ndarray:
    """Distances of a model from the real set that every fit reuses: [replicate, generation, (|.|_1, |.|^2)].

    The first model counts `real` points, and every later one those and `synthetic` points of the one before.
    """
    real, n, source = given["real"], given["synthetic"], given["shares"]

    def one(key: Key, replicate: Any) -> Any:
        anchor = _counts(key, replicate, 1, real, jnp.array(source)) / real
        now, seen = anchor, []
        for g in range(2, max(given["at"]) + 1):
            now = (real * anchor + _counts(key, replicate, g, n, now)) / (real + n)
            if g in given["at"]:
                seen.append(jnp.stack([jnp.sum(jnp.abs(now - anchor)), jnp.sum((now - anchor) ** 2)]))
        return jnp.stack(seen)

    return _replicates(one, seeds, seed)


def contexts(given: Mapping[str, Any], seeds: int, seed: int) -> np.ndarray:
    """The mass of contexts unseen in one or more of the samples so far: [replicate, generation].

    Every generation sees n contexts by the same law, and knows those that it and all before it have seen.
    """
    n, law = given["n"], jnp.array(given["shares"])

    def one(key: Key, replicate: Any) -> Any:
        known, seen = jnp.ones(len(law), bool), []
        for g in range(1, max(given["at"]) + 1):
            known = known & (_counts(key, replicate, g, n, law) > 0)
            if g in given["at"]:
                seen.append(jnp.sum(jnp.where(known, 0.0, law)))
        return jnp.stack(seen)

    return _replicates(one, seeds, seed)


def cut(given: Mapping[str, Any], seeds: int, seed: int) -> np.ndarray:
    """The mass unseen by n points of the `kept` likeliest categories alone: [replicate]."""
    n, law = given["n"], np.array(given["shares"])
    head = jnp.array(np.where(np.arange(len(law)) < given["kept"], law, 0.0))

    def one(key: Key, replicate: Any) -> Any:
        found = _counts(key, replicate, 1, n, head)
        return jnp.sum(jnp.where(found > 0, 0.0, jnp.array(law)))

    return _replicates(one, seeds, seed)


CATEGORICAL_EXPERIMENTS = {
    "categorical shares": shares,
    "categorical times": times,
    "nucleus time": nucleus_time,
    "categorical urn": urn,
    "anchored categories": anchored,
    "known contexts": contexts,
    "cut categories": cut,
}
"""Experiment -> (parameters, seeds, seed) -> values [replicate, *axes]."""
