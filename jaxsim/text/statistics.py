"""What is measured on a text and on the n-gram model fitted to it: one text of tokens [token] at a time.

m-grams are numbered without loss as far as 63 bits reach; longer windows by a 64-bit hash, which takes two
different ones of a million for equal with probability 3e-8.
"""

from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array

WINDOW = 10  # symbols of a passage that counts as a duplicate when it has stood in the text before
DENSE = 2**21  # numbers up to which occurrences may be counted rather than sorted
ROOM = 16  # numbers for every token that has one, up to which counting is the faster

Tokens = Any


def grams(tokens: Tokens, length: int, symbols: int) -> Array:
    """The number of every run of `length` tokens, [token - length + 1]: its digits to the base `symbols`."""
    count = tokens.shape[0] - length + 1
    small = symbols**length < 2**31
    codes = jnp.zeros(count, jnp.int32 if small else jnp.int64)
    for place in range(length):
        codes = codes * symbols + jax.lax.dynamic_slice_in_dim(tokens, place, count)
    return codes


def hashed(tokens: Tokens, length: int) -> Array:
    """A 64-bit number of every run of `length` tokens, equal for equal runs."""
    count = tokens.shape[0] - length + 1
    code = jnp.full(count, np.uint64(0x9E3779B97F4A7C15))
    for place in range(length):
        token = jax.lax.dynamic_slice_in_dim(tokens, place, count).astype(jnp.uint64)
        # the finaliser of SplitMix64 (Steele, Lea and Flood 2014, doi:10.1145/2660193.2660195)
        code = (code ^ token) * np.uint64(0xBF58476D1CE4E5B9)
        code = (code ^ (code >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
        code = code ^ (code >> np.uint64(31))
    return code


def countable(numbers: int, count: int) -> bool:
    """Whether so many tokens with one of so many numbers are better counted than sorted."""
    return numbers <= min(DENSE, ROOM * count)


def occurrences(codes: Array, numbers: int) -> Array:
    """How often every number occurs, [number]."""
    return jnp.zeros(numbers, jnp.int32).at[codes].add(1, mode="promise_in_bounds")


def different(codes: Array, numbers: int | None) -> Array:
    """How many different numbers there are; `numbers` is how many there could be."""
    if numbers is not None and countable(numbers, codes.shape[0]):
        return jnp.sum(occurrences(codes, numbers) > 0)
    ordered = jnp.sort(codes)
    return 1 + jnp.sum(ordered[1:] != ordered[:-1])


def spread(codes: Array, numbers: int) -> Array:
    """Entropy of the frequencies of numbers, in nats: log N - sum c log c / N."""
    total = codes.shape[0]
    if countable(numbers, total):
        counts = occurrences(codes, numbers)
    else:
        ordered = jnp.sort(codes)
        begins = jnp.concatenate([jnp.zeros(1, bool), ordered[1:] != ordered[:-1]])
        counts = jnp.zeros(total, jnp.int32).at[jnp.cumsum(begins)].add(1)
    counts = counts.astype(jnp.float64)
    logs = jnp.log(jnp.where(counts > 0, counts, 1.0))
    return jnp.log(float(total)) - jnp.sum(counts * logs) / total


def observe(name: str, tokens: Tokens, symbols: int, order: int) -> Array:
    """An observable of a text and of its n-gram model of this order.

    entropy_rate: conditional entropy of the fitted model, its contexts weighted as they occur in the text;
    perplexity: its exponential. distinct_m: different m-grams over all m-grams. duplicate_fraction: the share
    of windows of `WINDOW` symbols that have stood in the text before.
    """
    length = tokens.shape[0]
    match name:
        case "support":
            return different(tokens, symbols)
        case "entropy":
            return spread(tokens, symbols)
        case "heterozygosity":
            shares = occurrences(tokens, symbols).astype(jnp.float64) / length
            return 1 - jnp.sum(shares * shares)
        case "entropy_rate":
            contexts = grams(tokens[:-1], order, symbols)
            whole = grams(tokens, order + 1, symbols)
            return spread(whole, symbols ** (order + 1)) - spread(contexts, symbols**order)
        case "perplexity":
            return jnp.exp(observe("entropy_rate", tokens, symbols, order))
        case "distinct_1" | "distinct_2" | "distinct_3":
            size = int(name[-1])
            numbers = symbols**size
            codes = grams(tokens, size, symbols) if numbers < 2**63 else hashed(tokens, size)
            return different(codes, numbers) / (length - size + 1)
        case _ if length < WINDOW:
            return jnp.zeros(())
        case _:
            windows = hashed(tokens, WINDOW)
            return 1 - different(windows, None) / (length - WINDOW + 1)
