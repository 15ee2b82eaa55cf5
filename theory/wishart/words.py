"""One Wishart fit seen by orthogonal invariants: the expansion over pairings, one letter at a time.

Invariants are products of traces of words. Letters are symmetric matrices: `s` the covariance Sigma before
the fit, `S` = s_t^{-1} Sigma' the covariance after it without its scale, `v` and `V` a matrix summed along
the way, V' = V + w Sigma, and `B` a constant matrix. A word stands for its trace, so it may be rotated and
reversed; a *monomial* is the sorted tuple of its words, and () is the number 1.

With S = sum_{a=1}^{nu} x_a x_a^T, x_a ~ N(0, Sigma) independent, Wick's theorem writes the expectation of a
monomial with k letters S as a sum over the (2k - 1)!! pairings of the 2k vectors, each pair contributing
Sigma and each closed loop of labels a factor nu. Pairing the first vector of one letter S with every other
vector removes that letter (own derivation; the pairing sum is classical, see Graczyk, Letac, Massam 2005,
doi:10.1007/s10959-005-7536-5):

    E[tr(S A) G]        = nu tr(Sigma A) G + ...
    tr(S A S B):          ... + tr(Sigma A^T S B) + tr(Sigma B) tr(S A)
    tr(S A) tr(S B):      ... + tr(S A Sigma B) + tr(S A Sigma B^T)

(one line of dots for every other S in the monomial), so that k steps give polynomials in nu with integer
coefficients, built here and typed nowhere. `B` may hold a vector b as B = b b^T, and the words then are b^T
Sigma b and the like.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from functools import cache

from theory.frozen import frozen

Monomial = tuple[str, ...]
"""Words, each standing for its trace, sorted."""
Polynomial = Mapping[Monomial, Mapping[tuple[int, int], int]]
"""Monomials before the fit, each with its coefficient: {(power of nu, power of w): integer}."""


@cache
def canonical(word: str) -> str:
    """The first in the alphabet among the rotations of `word` and of its reverse."""
    turned = word[::-1]
    return min(x[i:] + x[:i] for x in (word, turned) for i in range(len(word)))


def monomial(*words: str) -> Monomial:
    """The product of the traces of `words`."""
    return tuple(sorted(canonical(word) for word in words))


def partitions(k: int, largest: int | None = None) -> Iterator[tuple[int, ...]]:
    """Partitions of k in decreasing order, the single part first."""
    if k == 0:
        yield ()
    for part in range(min(k, largest or k), 0, -1):
        for rest in partitions(k - part, part):
            yield (part, *rest)


def power_sums(parts: Iterable[int]) -> Monomial:
    """The product of tr Sigma^k over `parts`."""
    return monomial(*("s" * part for part in parts))


def _removals(words: Monomial, index: int) -> Iterator[tuple[Monomial, int]]:
    """Monomials with one S fewer and the power of nu they carry: see the module's three rules."""
    others = words[:index] + words[index + 1 :]
    start = words[index].index("S")
    tail = words[index][start + 1 :] + words[index][:start]
    yield monomial(*others, "s" + tail), 1
    for i, letter in enumerate(tail):
        if letter == "S":
            inner, outer = tail[:i], tail[i + 1 :]
            yield monomial(*others, "s" + inner[::-1] + "S" + outer), 0
            yield monomial(*others, "s" + outer, "S" + inner), 0
    for i, word in enumerate(others):
        rest = others[:i] + others[i + 1 :]
        for j, letter in enumerate(word):
            if letter == "S":
                joined = word[j + 1 :] + word[:j]
                yield monomial(*rest, "S" + tail + "s" + joined), 0
                yield monomial(*rest, "S" + tail + "s" + joined[::-1]), 0


@cache
def expectation(words: Monomial) -> Polynomial:
    """E of a monomial over S given Sigma; other letters are constants."""
    index = next((i for i, word in enumerate(words) if "S" in word), None)
    if index is None:
        return frozen({words: {(0, 0): 1}})
    total: dict[Monomial, Counter[tuple[int, int]]] = {}
    for term, power in _removals(words, index):
        for end, coefficient in expectation(term).items():
            into = total.setdefault(end, Counter())
            for (nu, w), integer in coefficient.items():
                into[nu + power, w] += integer
    return frozen(total)


@cache
def one_step(words: Monomial) -> Polynomial:
    """E of a monomial in s, v, B after a fit, in the same letters before it, apart from the scale.

    The scale is s_t to the number of letters s in `words`.
    """
    total: dict[Monomial, Counter[tuple[int, int]]] = {}
    for term, w in _spread("\n".join(words).replace("s", "S")):
        for end, coefficient in expectation(monomial(*term.split("\n"))).items():
            into = total.setdefault(end, Counter())
            for (nu, _), integer in coefficient.items():
                into[nu, w] += integer
    return frozen(total)


def _spread(text: str) -> Iterator[tuple[str, int]]:
    """The product expanded with V' = v + w s: each choice, and its power of w."""
    position = text.find("v")
    if position < 0:
        yield text, 0
        return
    head = text[:position]
    for tail, w in _spread(text[position + 1 :]):
        yield head + "v" + tail, w
        yield head + "s" + tail, w + 1


@cache
def closed(targets: tuple[Monomial, ...]) -> tuple[Monomial, ...]:
    """The monomials that expectations of `targets` are built from, targets first."""
    found = dict.fromkeys(targets)
    waiting = list(found)
    while waiting:
        for term in one_step(waiting.pop()):
            if term not in found:
                found[term] = None
                waiting.append(term)
    return tuple(found)


def partition_matrix(k: int):
    """The SymPy matrix in nu of E p_mu(S) on products of power sums p_lambda(Sigma) of degree k.

    Rows and columns are the `partitions` of k; at k = 2 it is nu [[nu + 1, 1], [2, nu]].
    """
    import sympy as sp

    nu = sp.Symbol("nu")
    basis = [power_sums(parts) for parts in partitions(k)]

    def entry(i: int, j: int):
        coefficients = one_step(basis[i]).get(basis[j], {})
        return sp.Add(*(c * nu**power for (power, _), c in coefficients.items()))

    return sp.Matrix(len(basis), len(basis), entry)
