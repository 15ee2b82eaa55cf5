"""The replace loop's fits one after another, and the expectations they carry from generation to generation.

Lengths are in units of the source's standard deviation, positions relative to the source's mean.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from decimal import Decimal
from itertools import groupby

from theory.closure import Monomial, Polynomial, Rows, Step, applied, closed, composed, rows
from theory.loop import Gaussian, Loop, LoopError, MaximumLikelihood, sample_sizes
from theory.precision import digits_needed, gaussian_step, truncated_step


def models(loop: Loop) -> tuple[Gaussian, Gaussian]:
    """The source and model 0.

    Raises:
        LoopError: if the source is a data set rather than a Gaussian.
    """
    source, first = loop.source, loop.first_model
    if isinstance(source, Gaussian) and isinstance(first, Gaussian):
        return source, first
    raise LoopError("source", source, "put the Gaussian with the moments of the data in its place first")


def is_synthetic(loop: Loop, generation: int) -> bool:
    """Whether the samples that `generation` is fitted to are drawn as the sampler says."""
    return generation >= 2 or loop.start is not None or loop.sampler.applies_to_source


def variance_factor(loop: Loop) -> float:
    """lambda: p^(1/T) of a normal has T times its variance."""
    sampler = loop.sampler
    return sampler.bias if sampler.temperature is None else sampler.temperature


def divisor(loop: Loop, n: int) -> int:
    """c: what a fit to `n` points divides its sum of squares by."""
    return n if isinstance(loop.estimator, MaximumLikelihood) else n - 1


def fit(loop: Loop, n: int, synthetic: bool) -> Step:
    """The law of one fit of the loop, in decimals."""
    if synthetic and loop.sampler.truncate is not None:
        return truncated_step(n, divisor(loop, n), loop.sampler.truncate)
    return gaussian_step(n, divisor(loop, n), variance_factor(loop) if synthetic else 1.0)


def segments(loop: Loop, last: int) -> Iterator[tuple[int, int, int, bool]]:
    """Stretches of generations alike, up to `last`: first, last, sample size, whether synthetic."""
    n = loop.data.n
    if isinstance(n, int):
        alike = is_synthetic(loop, 1)
        if not alike:
            yield 1, 1, n, False
        if alike or last > 1:
            yield 1 if alike else 2, last, n, True
        return
    labels = enumerate(sample_sizes(n, last), start=1)
    for (size, synthetic), run in groupby(labels, key=lambda x: (x[1], is_synthetic(loop, x[0]))):
        generations = [generation for generation, _ in run]
        yield generations[0], generations[-1], size, synthetic


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
    sizes = [loop.data.n] if isinstance(loop.data.n, int) else sample_sizes(loop.data.n, last)
    source, first = models(loop)
    width = Decimal(first.variance).sqrt()
    offset = abs(Decimal(first.mean) - Decimal(source.mean)) / width
    one, shrinkage = Decimal(1), Decimal(variance_factor(loop)).sqrt()
    narrowest = min(width / Decimal(source.variance).sqrt(), one) * min(shrinkage, one)
    return digits_needed(max(sizes), 1 + offset, narrowest)


def expectations(loop: Loop, generations: Iterable[int], monomials: Iterable[Monomial]) -> list[Polynomial]:
    """E of each of `monomials` at each of `generations` (increasing); what is infinite is absent."""
    wanted = list(generations)
    family = closed(monomials)
    values = start(loop, family)
    results = []
    for first, last, n, synthetic in segments(loop, wanted[-1]):
        squares = [rows(family, fit(loop, n, synthetic))]
        reached = first - 1
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
