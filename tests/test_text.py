"""Closed forms of text against every text enumerated, and against their orders of error."""

from fractions import Fraction
from itertools import product
from math import log

import numpy as np
import pytest
from enumerated_text import retrained, runs, texts
from scipy import stats

from theory.discrete_source import Markov
from theory.estimator import MaximumLikelihood, Smoothed
from theory.loop import Loop, Replace
from theory.predict import predict
from theory.text import cycles, paths
from theory.text.reading import LATER

F = Fraction
CHAINS = {
    "two": ([[F(9, 10), F(1, 10)], [F(3, 10), F(7, 10)]], 8),
    "three": ([[F(3, 5), F(3, 10), F(1, 10)], [F(1, 5), F(1, 2), F(3, 10)], [F(1, 4), F(1, 4), F(1, 2)]], 6),
    "sparse": ([[F(0), F(4, 5), F(1, 5)], [F(1, 2), F(0), F(1, 2)], [F(1), F(0), F(0)]], 7),
}


def settled(matrix):
    """The stationary law in fractions: elimination on pi (P - I) = 0, sum pi = 1."""
    size = len(matrix)
    rows = [[matrix[j][i] - (i == j) for j in range(size)] + [F(0)] for i in range(size - 1)]
    rows.append([F(1)] * size + [F(1)])
    for k in range(size):
        pivot = next(r for r in range(k, size) if rows[r][k])
        rows[k], rows[pivot] = rows[pivot], rows[k]
        rows[k] = [x / rows[k][k] for x in rows[k]]
        for r in range(size):
            if r != k:
                rows[r] = [x - rows[r][k] * y for x, y in zip(rows[r], rows[k], strict=True)]
    return [row[-1] for row in rows]


@pytest.fixture(params=CHAINS)
def chain(request):
    matrix, length = CHAINS[request.param]
    law = settled(matrix)
    return np.array(matrix, float), np.array(law, float), length, list(texts(matrix, law, length))


def mean(every, function):
    return sum(float(p) * function(text) for text, p in every)


def entropy(counts):
    total = sum(counts)
    return -sum(c / total * log(c / total) for c in counts if c)


def close(found, expected, length):
    # sums of at most 3^length products of `length` factors, all positive, against the same in fractions
    assert found == pytest.approx(expected, rel=2.0**-52 * 40 * length, abs=2.0**-52 * 40 * length)


def test_the_stationary_law(chain):
    matrix, law, _, _ = chain
    np.testing.assert_allclose(paths.stationary_law(matrix), law, rtol=2.0**-46)
    assert paths.stationary_law(np.eye(3)) is None


def test_counts_of_transitions_and_what_is_missing(chain):
    matrix, law, length, every = chain
    size = len(matrix)
    counted = paths.expected_counts(matrix, law, length)
    for i in range(size):
        for j in range(size):
            expected = mean(every, lambda t, e=(i, j): runs(t, 2).count(e))
            close(counted[i, j], expected, length)
            exact = paths.edge_law(matrix, law, length, (i, j))
            for k in range(length):
                close(exact[k], mean(every, lambda t, e=(i, j), k=k: runs(t, 2).count(e) == k), length)
        visits = paths.visits_law(matrix, law, length, i)
        for k in range(length + 1):
            close(visits[k], mean(every, lambda t, i=i, k=k: t.count(i) == k), length)


def test_different_symbols_and_runs(chain):
    matrix, law, length, every = chain
    first, variance = paths.support(matrix, law, length)
    close(first, mean(every, lambda t: len(set(t))), length)
    close(variance, mean(every, lambda t: (len(set(t)) - first) ** 2), length)
    for size in (2, 3):
        expected = mean(every, lambda t, s=size: len(set(runs(t, s))))
        close(paths.different(matrix, law, length, size), expected, length)


def test_entropies_of_one_text(chain):
    matrix, law, length, every = chain

    def rate(text):
        pairs, heads = runs(text, 2), text[:-1]
        joint = entropy([pairs.count(p) for p in set(pairs)])
        return joint - entropy([heads.count(h) for h in set(heads)])

    def unigram(text):
        return entropy([text.count(s) for s in set(text)])

    def heterozygosity(text):
        return 1 - sum((text.count(s) / len(text)) ** 2 for s in set(text))

    for function, found in (
        (rate, paths.entropy_rate),
        (unigram, paths.entropy),
        (heterozygosity, paths.heterozygosity),
    ):
        close(found(matrix, law, length), mean(every, function), length)


def test_rows_of_one_text(chain):
    matrix, law, length, every = chain
    for i in range(len(matrix)):
        for j in range(len(matrix)):

            def share(text, i=i, j=j):
                visits = text[:-1].count(i)
                return runs(text, 2).count((i, j)) / visits if visits else matrix[i, j]

            found = paths.row_moments(matrix, law, length, (i, j))
            for r in range(1, 5):
                close(found[r - 1], mean(every, lambda t, r=r: share(t) ** r), length)


@pytest.mark.parametrize("name", ["two", "three"])
def test_biases_have_the_stated_order(name):
    """What remains after 1/L shrinks as 1/L^2, the power to the nearest half."""
    matrix = np.array(CHAINS[name][0], float)
    law = paths.stationary_law(matrix)
    rate = paths.true_entropy_rate(matrix, law)
    lengths = (100, 200)

    def power(rest):
        return round(2 * np.log(abs(rest[0] / rest[1])) / np.log(lengths[1] / lengths[0])) / 2

    rest = [paths.entropy_rate(matrix, law, n) - rate - paths.entropy_rate_bias(matrix, n) for n in lengths]
    assert power(rest) == 2
    for edge in ((0, 1), (1, 0)):
        gap = [paths.row_moments(matrix, law, n, edge)[0] - matrix[edge] for n in lengths]
        left = [g - paths.row_bias(matrix, n)[edge] for g, n in zip(gap, lengths, strict=True)]
        assert power(gap) == 1
        assert power(left) == 2


def test_the_row_bias_of_two_symbols():
    a, b, length = 0.1, 0.3, 50
    found = paths.row_bias(np.array([[1 - a, a], [b, 1 - b]]), length)[0, 1]
    assert found == pytest.approx(a * (1 - a) / (b * length), rel=1e-12)


def test_prompts_leave_a_row_what_every_number_of_them_leaves():
    n, c = 7, Fraction(3, 10)
    expected = (1 - c) ** n + sum(
        Fraction(int(stats.binom(n, 0.5).pmf(k) * 2**n + 0.5))
        * c**k
        * (1 - c) ** (n - k)
        * (1 - Fraction(1, k))
        for k in range(1, n + 1)
    )
    assert paths.prompted_decay(n, float(c)) == pytest.approx(float(expected), rel=1e-13)


def test_what_is_predicted_and_what_is_not():
    matrix = CHAINS["three"][0]
    loop = Loop(Markov(transition=np.array(matrix, float)), Replace(12))
    found = predict(loop, 1)
    assert found.support.attrs["status"] == "exact"
    assert found.support.sel(statistic="mean").item() == pytest.approx(
        paths.support(np.array(matrix, float), np.array(settled(matrix), float), 12)[0], rel=1e-12
    )
    late = predict(loop, [1, 3], ["support"]).support
    assert late.attrs["reason"] == LATER
    assert np.isnan(late.sel(statistic="mean", generation=3))
    for other in (
        loop.with_(source=Markov()),
        loop.with_(estimator=Smoothed(1.0)),
        loop.with_(estimator=MaximumLikelihood(order=2)),
        loop.with_(source=Markov(transition=((1.0, 0.0), (0.0, 1.0)))),
    ):
        assert predict(other, 1, ["support"]).support.attrs["status"] == "none"


@pytest.mark.parametrize(("name", "length"), [("two", 4), ("three", 4)])
def test_texts_end_in_cycles(name, length):
    """Against texts enumerated in fractions: laws of two generations, what is closed, what is reached."""
    matrix, law = CHAINS[name][0], settled(CHAINS[name][0])
    size = len(matrix)
    now = dict(texts(matrix, law, length))
    step = {text: retrained(text, length, 1) for text in product(range(size), repeat=length)}

    def around(text):
        """How many symbols the text runs around; 0 if it is no cycle."""
        k = len(set(text))
        return k if k < length and text[k:] == text[:-k] else 0

    for generation in (1, 2, 3):
        found = cycles.cycle_law(np.array(matrix, float), np.array(law, float), length, generation)
        for k in range(1, size + 1):
            close(found[k - 1], float(sum(p for text, p in now.items() if around(text) == k)), length)
        later = {}
        for text, p in now.items():
            for other, q in step[text].items():
                later[other] = later.get(other, 0) + p * q
        now = later
    pairs = {text: set(runs(text, 2)) for text in step}
    for text, following in step.items():
        if around(text):
            assert all(around(other) == around(text) and pairs[other] <= pairs[text] for other in following)
    reached = {text for text in step if around(text)}
    for _ in range(length):
        reached |= {text for text, following in step.items() if reached & set(following)}
    assert reached == set(step)
