"""Categorical loops on a few points, every outcome enumerated with its exact probability as a fraction.

A law is {state: probability}. A state is (model, memory): the model a tuple of fractions, the memory whatever
the next generation needs. Nothing is shared with the closed forms: multinomial probabilities are products
over single points.
"""

from collections import defaultdict
from fractions import Fraction
from functools import cache
from itertools import combinations, product
from math import log

ZERO = Fraction(0)


def exact(shares):
    """Decimals as they are written."""
    found = tuple(Fraction(str(share)) for share in shares)
    assert sum(found) == 1
    return found


@cache
def drawn(n, shares):
    """{counts: probability} of n points drawn one after the other."""
    law = {(0,) * len(shares): Fraction(1)}
    for _ in range(n):
        grown = defaultdict(lambda: ZERO)
        for counts, probability in law.items():
            for i, share in enumerate(shares):
                if share:
                    grown[(*counts[:i], counts[i] + 1, *counts[i + 1 :])] += probability * share
        law = dict(grown)
    return law


def added(first, second):
    return tuple(i + j for i, j in zip(first, second, strict=True))


def shares_of(counts):
    total = sum(counts)
    return tuple(Fraction(count, total) for count in counts)


def mixed(weight, first, second):
    return tuple(weight * i + (1 - weight) * j for i, j in zip(first, second, strict=True))


def advanced(law, outcomes):
    """One generation: `outcomes(model, memory)` yields (model, memory, probability)."""
    grown = defaultdict(lambda: ZERO)
    for (model, memory), probability in law.items():
        for new, kept, factor in outcomes(model, memory):
            grown[new, kept] += probability * factor
    return dict(grown)


def history(source, generations, outcomes, start=None):
    """The laws of generations 1, ..., `generations`; `outcomes(t, model, memory)`."""
    law = {(start or source, None): Fraction(1)}
    found = []
    for t in range(1, generations + 1):
        law = advanced(law, lambda model, memory, t=t: outcomes(t, model, memory))
        found.append(law)
    return found


def replace(sizes, smoothing=None):
    """Counting, or (X + A pi) / (n + A) with `smoothing` = (A, pi)."""

    def outcomes(t, model, _):
        n = sizes[t - 1]
        for counts, probability in drawn(n, model).items():
            yield smoothed(counts, smoothing), None, probability

    return outcomes


def smoothed(counts, smoothing):
    if smoothing is None:
        return shares_of(counts)
    pseudo, towards = smoothing
    n = sum(counts)
    return tuple(
        (count + pseudo * share) / (n + pseudo) for count, share in zip(counts, towards, strict=True)
    )


def stratified(source, real, synthetic):
    def outcomes(_, model, __):
        for fresh, p in drawn(real, source).items():
            for counts, q in drawn(synthetic, model).items():
                yield shares_of(added(fresh, counts)), None, p * q

    return outcomes


def iid(source, n, share):
    def outcomes(_, model, __):
        for counts, p in drawn(n, mixed(share, source, model)).items():
            yield shares_of(counts), None, p

    return outcomes


def fixed(source, real, synthetic):
    def outcomes(t, model, anchor):
        if t == 1:
            for counts, p in drawn(real, source).items():
                yield shares_of(counts), counts, p
            return
        for counts, p in drawn(synthetic, model).items():
            yield shares_of(added(anchor, counts)), anchor, p

    return outcomes


def accumulate(sizes, smoothing=None):
    def outcomes(t, model, pool):
        for counts, p in drawn(sizes[t - 1], model).items():
            now = counts if pool is None else added(pool, counts)
            yield smoothed(now, smoothing), now, p

    return outcomes


def web(source, start, real, synthetic):
    def outcomes(t, model, pool):
        if t == 1:
            for counts, p in drawn(start, source).items():
                yield shares_of(counts), counts, p
            return
        for fresh, p in drawn(real, source).items():
            for counts, q in drawn(synthetic, model).items():
                now = added(pool, added(fresh, counts))
                yield shares_of(now), now, p * q

    return outcomes


def subsampled(n):
    """The pool grows by n a generation; models are fitted to n of its points without replacement."""

    def outcomes(_, model, pool):
        for counts, p in drawn(n, model).items():
            now = counts if pool is None else added(pool, counts)
            points = [i for i, count in enumerate(now) for _ in range(count)]
            chosen = list(combinations(range(len(points)), n))
            for places in chosen:
                subset = [0] * len(model)
                for place in places:
                    subset[points[place]] += 1
                yield shares_of(subset), now, p / len(chosen)

    return outcomes


def biased(n, response, *, first=False):
    """Replacement where the sampler turns a synthetic model's shares into others."""

    def outcomes(t, model, _):
        shares = response(model) if first or t > 1 else model
        for counts, p in drawn(n, shares).items():
            yield shares_of(counts), None, p

    return outcomes


def expectation(law, value):
    return sum(probability * value(model) for (model, _), probability in law.items())


def central(law, value, highest=4):
    """Mean and central moments."""
    mean = expectation(law, value)
    return [mean] + [expectation(law, lambda x, k=k: (value(x) - mean) ** k) for k in range(2, highest + 1)]


def observables(source):
    """Functions of a model, rational where they are."""
    return {
        "heterozygosity": lambda x: 1 - sum(share**2 for share in x),
        "l2_squared": lambda x: sum((i - j) ** 2 for i, j in zip(x, source, strict=True)),
        "chi_squared": lambda x: sum((i - j) ** 2 / j for i, j in zip(x, source, strict=True)),
        "support": lambda x: Fraction(sum(share > 0 for share in x)),
        "entropy": lambda x: -sum(float(share) * log(share) for share in x if share),
        "kl_to_source": lambda x: sum(float(i) * log(i / j) for i, j in zip(x, source, strict=True) if i),
    }


def passage_law(source, n, generations, passed):
    """P(T = t) for t <= `generations` under replacement, and the law of what has not passed by then."""
    law, found = {source: Fraction(1)}, []
    for _ in range(generations):
        grown, arrived = defaultdict(lambda: ZERO), ZERO
        for model, probability in law.items():
            for counts, factor in drawn(n, model).items():
                new = shares_of(counts)
                if passed(new):
                    arrived += probability * factor
                else:
                    grown[new] += probability * factor
        law = dict(grown)
        found.append(arrived)
    return found, law


def mean_passage(source, n, passed):
    """The mean and variance of a first passage, by solving for every interior state in fractions."""
    states = [
        shares_of(counts)
        for counts in product(range(n + 1), repeat=len(source))
        if sum(counts) == n and not passed(shares_of(counts))
    ]
    place = {state: k for k, state in enumerate(states)}
    size = len(states)
    matrix = [[Fraction(int(i == j)) for j in range(size)] for i in range(size)]
    for state, k in place.items():
        for counts, probability in drawn(n, state).items():
            other = place.get(shares_of(counts))
            if other is not None:
                matrix[k][other] -= probability
    first = _solved(matrix, [Fraction(1)] * size)
    # E T^2 = 1 + 2 sum Q E T + sum Q E T^2
    second = _solved(matrix, [2 * t - 1 for t in first])
    mean = square = Fraction(1)
    reach = Fraction(0)
    for counts, probability in drawn(n, source).items():
        other = place.get(shares_of(counts))
        if other is not None:
            reach += probability * first[other]
            square += probability * second[other]
    return mean + reach, square + 2 * reach - (mean + reach) ** 2


def _solved(matrix, right):
    """Gauss's elimination in fractions."""
    rows = [[*row, value] for row, value in zip(matrix, right, strict=True)]
    size = len(rows)
    for k in range(size):
        pivot = next(i for i in range(k, size) if rows[i][k])
        rows[k], rows[pivot] = rows[pivot], rows[k]
        rows[k] = [value / rows[k][k] for value in rows[k]]
        for i in range(size):
            if i != k and rows[i][k]:
                factor = rows[i][k]
                rows[i] = [a - factor * b for a, b in zip(rows[i], rows[k], strict=True)]
    return [row[-1] for row in rows]
