"""The replace loop's fits one after another, and the expectations they carry from generation to generation.

Lengths are in units of the source's standard deviation, positions relative to the source's mean.
"""

from __future__ import annotations

from collections.abc import Iterable
from decimal import Decimal

from theory.loop import Loop, sample_sizes
from theory.replace.closure import Monomial, Polynomial, Rows, applied, closed, composed, rows
from theory.replace.fits import constant_size, models, runs, sampling_factor, sizes
from theory.replace.precision import digits_needed, step


def start(loop: Loop, monomials: Iterable[Monomial]) -> Polynomial:
    """The value of each monomial m^i sigma^j l^k at the model the loop starts from."""
    source, first = models(loop)
    variance = Decimal(first.variance) / Decimal(source.variance)
    offset = (Decimal(first.mean) - Decimal(source.mean)) / Decimal(source.variance).sqrt()
    width, logarithm, one = variance.sqrt(), variance.ln(), Decimal(1)
    return {
        (i, j, k): (offset**i if i else one) * width**j * (logarithm**k if k else one)
        for i, j, k in monomials
    }


def needed_digits(loop: Loop, last: int) -> int:
    """Digits for this loop's moments up to generation `last`."""
    n = constant_size(loop)
    largest = max(sample_sizes(sizes(loop), last)) if n is None else n
    source, first = models(loop)
    width = Decimal(first.variance).sqrt()
    offset = abs(Decimal(first.mean) - Decimal(source.mean)) / width
    one, shrinkage = Decimal(1), Decimal(sampling_factor(loop.sampler)).sqrt()
    narrowest = min(width / Decimal(source.variance).sqrt(), one) * min(shrinkage, one)
    return digits_needed(largest, 1 + offset, narrowest)


def expectations(loop: Loop, generations: Iterable[int], monomials: Iterable[Monomial]) -> list[Polynomial]:
    """E of each of `monomials` at each of `generations` (increasing); what is infinite is absent."""
    wanted = list(generations)
    family = closed(monomials)
    values = start(loop, family)
    results, last = [], 0
    for one, count in runs(loop, wanted[-1]):
        squares = [rows(family, step(one))]
        reached, last = last, last + count
        for stop in [g for g in wanted[len(results) :] if g <= last]:
            values = _advanced(values, squares, stop - reached)
            results.append(values)
            reached = stop
        values = _advanced(values, squares, last - reached)
    return results


def _advanced(values: Polynomial, squares: list[Rows], steps: int) -> Polynomial:
    """`values` after `steps` equal fits; `squares` are the powers 1, 2, 4, ... of the matrix so far known."""
    bit = 0
    while steps >> bit:
        if bit == len(squares):
            squares.append(composed(squares[-1], squares[-1]))
        if steps >> bit & 1:
            values = applied(squares[bit], values)
        bit += 1
    return values
