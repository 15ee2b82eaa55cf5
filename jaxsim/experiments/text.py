"""Experiments on texts that are no loops of their own: one text's counts, short documents, prompted rows."""

from collections.abc import Callable, Mapping
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jax import lax

from jaxsim.multinomial import category_at
from jaxsim.random import Key, draw_key, generation_key, stream_key, threefry, unit
from jaxsim.text.setting import Fixed, from_matrix, generate, model, stationary

BATCH = 4096  # replicates at once


def transition_counts(parameters: Mapping[str, Any], seeds: int, seed: int) -> np.ndarray:
    """N_ij of one text of `length` tokens, begun in the stationary law: [replicate, symbol, symbol]."""
    return _of_texts(parameters, seeds, seed, lambda counts, matrix: counts)


def refitted_rows(parameters: Mapping[str, Any], seeds: int, seed: int) -> np.ndarray:
    """N_ij / N_i of one text, the row of `transition` where N_i = 0: [replicate, symbol, symbol]."""

    def rows(counts: Any, matrix: Any) -> Any:
        visits = jnp.sum(counts, axis=1, keepdims=True)
        return jnp.where(visits > 0, counts / jnp.maximum(visits, 1), matrix)

    return _of_texts(parameters, seeds, seed, rows)


def _of_texts(parameters: Mapping[str, Any], seeds: int, seed: int, measure: Callable) -> np.ndarray:
    matrix, length = np.array(parameters["transition"], float), int(parameters["length"])
    size = len(matrix)
    fixed = Fixed(np.cumsum(stationary(matrix)), np.cumsum(matrix, axis=1), None, np.float64(2.0**32))

    def one(key: Key, replicate: Any) -> Any:
        text = from_matrix(draw_key(key, 0, replicate), fixed, length)
        counts = jnp.zeros((size, size)).at[text[:-1], text[1:]].add(1.0)
        return measure(counts, jnp.asarray(matrix))

    return _replicates(one, seeds, seed)


def documents(parameters: Mapping[str, Any], seeds: int, seed: int) -> np.ndarray:
    """Heterozygosity of pairs and of first tokens of n documents of two tokens: [replicate, 2].

    A bigram writes the first token by its frequencies and the second by the row of the first.
    """
    pairs = np.array(parameters["pairs"], float)
    n, generations = int(parameters["n"]), int(parameters["generation"])

    def one(key: Key, replicate: Any) -> Any:
        def step(g: Any, shares: Any) -> Any:
            own = draw_key(generation_key(jnp.stack(key), g.astype(jnp.uint32)), 0, replicate)
            numbers = jnp.arange(n, dtype=jnp.uint32)
            first = category_at(unit(threefry(own, (numbers, jnp.uint32(0)))), jnp.cumsum(shares.sum(1)))
            rows = jnp.cumsum(shares, axis=1)[first]
            places = unit(threefry(own, (numbers, jnp.uint32(1)))) * rows[:, -1]
            second = jnp.minimum(
                jnp.sum(rows <= places[:, None], axis=1), jnp.sum(rows < rows[:, -1:], axis=1)
            )
            return jnp.zeros_like(shares).at[first, second].add(1.0 / n)

        shares = lax.fori_loop(1, generations + 1, step, jnp.asarray(pairs))
        return jnp.stack([1 - jnp.sum(shares**2), 1 - jnp.sum(shares.sum(1) ** 2)])

    return _replicates(one, seeds, seed)


def prompted_rows(parameters: Mapping[str, Any], seeds: int, seed: int) -> np.ndarray:
    """Heterozygosity of every row after n prompts a generation by a fixed law: [replicate, row].

    Each prompt is a row, and the model writes one symbol after it; a row without prompts is kept.
    """
    matrix, law = np.array(parameters["rows"], float), np.array(parameters["prompts"], float)
    n, generations = int(parameters["n"]), int(parameters["generation"])

    def one(key: Key, replicate: Any) -> Any:
        def step(g: Any, rows: Any) -> Any:
            own = draw_key(generation_key(jnp.stack(key), g.astype(jnp.uint32)), 0, replicate)
            numbers = jnp.arange(n, dtype=jnp.uint32)
            prompt = category_at(unit(threefry(own, (numbers, jnp.uint32(0)))), jnp.cumsum(jnp.asarray(law)))
            sums = jnp.cumsum(rows, axis=1)[prompt]
            places = unit(threefry(own, (numbers, jnp.uint32(1)))) * sums[:, -1]
            reply = jnp.minimum(
                jnp.sum(sums <= places[:, None], axis=1), jnp.sum(sums < sums[:, -1:], axis=1)
            )
            counts = jnp.zeros_like(rows).at[prompt, reply].add(1.0)
            seen = counts.sum(1, keepdims=True)
            return jnp.where(seen > 0, counts / jnp.maximum(seen, 1), rows)

        rows = lax.fori_loop(1, generations + 1, step, jnp.asarray(matrix))
        return 1 - jnp.sum(rows**2, axis=1)

    return _replicates(one, seeds, seed)


def text_cycles(parameters: Mapping[str, Any], seeds: int, seed: int) -> np.ndarray:
    """Whether the text of a bigram loop runs around one cycle of k symbols, k = 1, ..., K: [replicate, k].

    It does if no symbol has two successors and the first comes back after as many steps as there are symbols.
    """
    matrix, length = np.array(parameters["transition"], float), int(parameters["length"])
    size, generations = len(matrix), int(parameters["generation"])
    fixed = Fixed(np.cumsum(stationary(matrix)), np.cumsum(matrix, axis=1), None, np.float64(2.0**32))

    def one(key: Key, replicate: Any) -> Any:
        def step(g: Any, text: Any) -> Any:
            own = draw_key(generation_key(jnp.stack(key), g.astype(jnp.uint32)), 0, replicate)
            return generate(own, model(text, symbols=size, order=1), length, size, 1)

        first = draw_key(generation_key(jnp.stack(key), jnp.uint32(1)), 0, replicate)
        text = lax.fori_loop(2, generations + 1, step, from_matrix(first, fixed, length))
        taken = jnp.zeros((size, size), bool).at[text[:-1], text[1:]].set(True)
        around = jnp.zeros(size, bool).at[text].set(True).sum()
        closed = (taken.sum(1) <= 1).all() & (text[jnp.minimum(around, length - 1)] == text[0])
        return (closed & (around == jnp.arange(1, size + 1))).astype(jnp.float64)

    return _replicates(one, seeds, seed)


def _replicates(one: Callable, seeds: int, seed: int) -> np.ndarray:
    """The values of replicates 0, ..., seeds - 1."""
    with jax.enable_x64(True):
        key = jnp.asarray(stream_key(seed, 0, "literal"))
        batch = jax.jit(jax.vmap(lambda replicate: one((key[0], key[1]), replicate)))
        size = min(BATCH, seeds)
        starts = range(0, seeds, size)
        found = [np.asarray(batch(jnp.arange(b, b + size, dtype=jnp.uint32))) for b in starts]
    return np.concatenate(found)[:seeds]


TEXT_EXPERIMENTS: dict[str, Callable[[Mapping[str, Any], int, int], np.ndarray]] = {
    "text transition counts": transition_counts,
    "text refitted rows": refitted_rows,
    "two-token documents": documents,
    "prompted rows": prompted_rows,
    "text cycles": text_cycles,
}
"""Experiment -> (parameters, seeds, seed) -> values [replicate, *axes]."""
