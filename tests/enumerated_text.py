"""Texts and bigram loops by brute force: every text of a length, its probability, its counts."""

from collections import Counter, defaultdict
from fractions import Fraction
from itertools import pairwise, product


def texts(matrix, law, length):
    """Every text with its probability under a Markov chain."""
    for text in product(range(len(matrix)), repeat=length):
        probability = law[text[0]]
        for a, b in pairwise(text):
            probability *= matrix[a][b]
        if probability:
            yield text, probability


def runs(text, size):
    return [text[k : k + size] for k in range(len(text) - size + 1)]


def retrained(text, length, order):
    """The texts an n-gram of this order writes after being fitted to `text`, and their probabilities.

    It begins with the last tokens of a uniform run of order + 1, goes on after a uniform occurrence of its
    context that has a successor, and after a uniform run of order + 1's context where there is none.
    """
    grams = runs(text, order + 1)
    after = defaultdict(list)
    for gram in grams:
        after[gram[:-1]].append(gram)
    found = Counter()
    for gram in grams:
        found[gram[1:]] += Fraction(1, len(grams))
    # a state is what was written and the run that was taken last
    states = defaultdict(Fraction)
    for gram in grams:
        states[gram[1:], gram[1:]] += Fraction(1, len(grams))
    for _ in range(length - order):
        moved = defaultdict(Fraction)
        for (written, context), probability in states.items():
            choices = after[context] or grams
            for gram in choices:
                moved[(*written, gram[-1]), gram[1:]] += probability / len(choices)
        states = moved
    laws = defaultdict(Fraction)
    for (written, _), probability in states.items():
        laws[written] += probability
    return laws
