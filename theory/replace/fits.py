"""What every fit of a replace loop is: read off the loop here, once, for all closed forms.

A closed form is for the loops it names, so these readers refuse by default: another policy, another
estimator, another source, a selection is refused until a match below says what it means. Numbers may be
symbols.
"""

from __future__ import annotations

from collections.abc import Iterator
from decimal import Decimal
from itertools import groupby
from typing import Any, NamedTuple

from theory.expression import Expression
from theory.loop import (
    Gaussian,
    Images,
    Loop,
    LoopError,
    MaximumLikelihood,
    Number,
    Replace,
    Sampler,
    UnavailableError,
    Unbiased,
    sample_sizes,
)


class Fit(NamedTuple):
    """One fit to n points of the model before.

    Attributes:
        n: points.
        divisor: c, of the sum of squares about the mean.
        factor: lambda, the multiple of the model's variance that the points were drawn with.
        truncate: points kept |z| < truncate in the principal axes of the model; None: all were kept.
    """

    n: Any
    divisor: Any
    factor: Number
    truncate: Number | None

    @property
    def nu(self) -> Any:
        """Degrees of freedom."""
        return self.n - 1

    @property
    def scale(self) -> Decimal:
        """The factor over the divisor, in the current decimal context."""
        return Decimal(self.factor) / self.divisor

    @property
    def noise(self) -> Decimal:
        """The factor over n: the variance of the sample mean, in units of the model's."""
        return Decimal(self.factor) / self.n


def models(loop: Loop) -> tuple[Gaussian, Gaussian]:
    """The source and model 0.

    Raises:
        LoopError: if the source is not a Gaussian.
    """
    source, first = loop.source, loop.first_model
    if isinstance(source, Gaussian) and isinstance(first, Gaussian):
        return source, first
    if isinstance(source, Images):
        raise LoopError("source", source, "put the Gaussian with the moments of the data in its place first")
    raise UnavailableError("source.family", source.family, "this closed form is for a gaussian source")


def require_replace(loop: Loop) -> Replace:
    """The data policy, if it is `replace` and everything is kept.

    Raises:
        UnavailableError: if it is another, or points are selected.
    """
    if loop.selection is not None:
        reason = "this closed form is for loops that keep every point; simulate it"
        raise UnavailableError("selection.rule", loop.selection.rule, reason)
    if isinstance(loop.data, Replace):
        return loop.data
    reason = "this closed form is for the policy replace; simulate it"
    raise UnavailableError("data.policy", loop.data.policy, reason)


def sizes(loop: Loop) -> Any:
    """The points of each fit: one number (or symbol), a tuple of them, or an expression in t."""
    return require_replace(loop).n


def constant_size(loop: Loop) -> Any | None:
    """The points of every fit, a number or a symbol; None where they change."""
    n = sizes(loop)
    return None if isinstance(n, tuple | Expression) else n


def divides_by_n(loop: Loop) -> bool:
    """Whether a fit divides its sum of squares by n; else by n - 1.

    Raises:
        UnavailableError: for an estimator that does neither.
    """
    match loop.estimator:
        case MaximumLikelihood():
            return True
        case Unbiased():
            return False
    reason = "this closed form is for maximum-likelihood and unbiased fits; simulate it"
    raise UnavailableError("estimator.name", loop.estimator.name, reason)


def sampling_factor(sampler: Sampler) -> Number:
    """lambda: p^(1/T) of a normal has T times its variance."""
    return sampler.bias if sampler.temperature is None else sampler.temperature


def is_synthetic(loop: Loop, generation: int) -> bool:
    """Whether the samples that `generation` is fitted to are drawn as the sampler says."""
    return generation >= 2 or loop.start is not None or loop.sampler.applies_to_source


def fit(loop: Loop, generation: int, n: Any) -> Fit:
    """The fit to `n` points that makes the model of `generation`."""
    divisor = n if divides_by_n(loop) else n - 1
    if is_synthetic(loop, generation):
        return Fit(n, divisor, sampling_factor(loop.sampler), loop.sampler.truncate)
    return Fit(n, divisor, 1.0, None)


def runs(loop: Loop, last: int) -> Iterator[tuple[Fit, int]]:
    """The fits of generations 1, ..., `last` in order, equal ones counted together."""
    n = constant_size(loop)
    if n is None:
        listed = sample_sizes(sizes(loop), last)
        later = {size: fit(loop, 2, size) for size in set(listed[1:])}
        each = [fit(loop, 1, size) for size in listed[:1]] + [later[size] for size in listed[1:]]
        yield from ((one, len(list(same))) for one, same in groupby(each))
        return
    first, after = fit(loop, 1, n), fit(loop, 2, n)
    stretches = [(after, last)] if first == after else [(first, min(last, 1)), (after, last - 1)]
    yield from ((one, count) for one, count in stretches if count > 0)
