"""Bigram loops of texts so short that all can be listed: the law of the text, and the cycles it ends in.

The bigram of a text x_1, ..., x_L writes a Markov chain: it begins in the frequencies of x_2, ..., x_L and
follows the transitions of x; after a symbol that stands only at the end of x it begins anew. So the texts of
a loop are themselves a Markov chain, on K^L states.

A text that runs around one cycle of different symbols is written again but for where it begins: these classes
are closed. From any other text with L > K one of them can be reached: some symbol of x comes back, and a
text around the shortest such way back can be written. Hence the loop ends in a cycle almost surely: text that
repeats itself. Own derivation; Riis 2026 (arXiv:2604.08554) has all fixed points, as circulations.
"""

from __future__ import annotations

from itertools import pairwise, permutations, product

import numpy as np

from theory.text.paths import Matrix, Vector

MOST_TEXTS = 2**12


def retraining(symbols: int, length: int) -> Matrix:
    """The probability that the bigram of one text writes another, texts in lexicographic order."""
    if symbols**length > MOST_TEXTS:
        raise ValueError(f"{symbols}^{length} texts are too many")
    texts = np.array(list(product(range(symbols), repeat=length)))
    found = np.empty((len(texts), len(texts)))
    for number, text in enumerate(texts):
        counts = np.zeros((symbols, symbols))
        np.add.at(counts, (text[:-1], text[1:]), 1)
        begin = counts.sum(0) / (length - 1)
        visits = counts.sum(1, keepdims=True)
        rows = np.where(visits > 0, counts / np.maximum(visits, 1), begin)
        found[number] = _written(rows, begin, texts)
    return found


def cycle_law(matrix: Matrix, law: Vector, length: int, generation: int) -> Vector:
    """P(the text of generation g runs around one cycle of k symbols), k = 1, ..., K; L above K."""
    size = len(matrix)
    texts = np.array(list(product(range(size), repeat=length)))
    now = _written(matrix, law, texts)
    step = retraining(size, length)
    for _ in range(generation - 1):
        now = now @ step
    return np.array([now[_around(size, length, k)].sum() for k in range(1, size + 1)])


def _written(rows: Matrix, begin: Vector, texts: np.ndarray) -> Vector:
    """The probability of each text under a chain."""
    return begin[texts[:, 0]] * np.prod([rows[a, b] for a, b in pairwise(texts.T)], axis=0)


def _around(size: int, length: int, k: int) -> list[int]:
    """The numbers of the texts that run around a cycle of k different symbols."""
    ring = (np.resize(cycle, length) for cycle in permutations(range(size), k))
    return [int(text @ size ** np.arange(length)[::-1]) for text in ring]
