"""Estimators: how a model is fitted to points. Vocabulary only; linear models: `theory.linear`."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, ClassVar

from theory.counts import check_count
from theory.quantity import LoopError, Number, one_of, positive, real
from theory.source import probabilities

HARD, EM = "hard", "em"
COVARIANCES = ("full", "tied", "diagonal", "spherical")
SOURCE, UNIFORM = "source", "uniform"
SCOTT, SILVERMAN = 1.0, 1.06


@dataclass(frozen=True)
class MaximumLikelihood:
    """Divide the sum of squares by n; count categories; for mixtures and text as the attributes say.

    Attributes:
        fit: of a mixture: `hard`, every point knows its component; `em`, expectation-maximisation from the
            model sampled. None is hard.
        iterations: steps of `em`; None is 1.
        covariance: of a mixture's components: full, tied, diagonal or spherical. None is full.
        order: of an n-gram: 1 is a bigram, which looks one symbol back. None is 1.
    """

    fit: str | None = None
    iterations: int | None = None
    covariance: str | None = None
    order: int | None = None
    name: ClassVar[str] = "maximum-likelihood"

    def __post_init__(self):
        if self.fit is not None:
            one_of("fit", self.fit, (HARD, EM))
        if self.covariance is not None:
            one_of("covariance", self.covariance, COVARIANCES)
        for key in ("iterations", "order"):
            if getattr(self, key) is not None:
                object.__setattr__(self, key, check_count(key, getattr(self, key), 1))
        if self.iterations is not None and self.fit != EM:
            raise LoopError("iterations", self.iterations, "only fit = 'em' iterates")


@dataclass(frozen=True)
class Unbiased:
    """Divide the sum of squares by n - 1; in a mixture every component's by its own count less 1.

    Attributes:
        fit: of a mixture: `hard`, every point knows its component. None is hard.
        covariance: as in `MaximumLikelihood`.
    """

    fit: str | None = None
    covariance: str | None = None
    name: ClassVar[str] = "unbiased"

    def __post_init__(self):
        if self.fit is not None:
            one_of("fit", self.fit, (HARD,))
        if self.covariance is not None:
            one_of("covariance", self.covariance, COVARIANCES)


@dataclass(frozen=True)
class Weighted:
    """Weighted averages of the portions' means and unbiased variances, no spread between portions.

    The scheme of He et al. (2025), arXiv:2502.18049; it needs a weight.
    """

    name: ClassVar[str] = "weighted"


@dataclass(frozen=True)
class Smoothed:
    """Counts and pseudo-counts: (X + A pi) / (n + A).

    Attributes:
        pseudo_count: A, in all.
        towards: pi: `source`, `uniform`, or probabilities.
        order: of an n-gram, as in `MaximumLikelihood`.
    """

    pseudo_count: Number
    towards: Any = SOURCE
    order: int | None = None
    name: ClassVar[str] = "smoothed"

    def __post_init__(self):
        count = real("pseudo_count", self.pseudo_count)
        positive("pseudo_count", count)
        object.__setattr__(self, "pseudo_count", count)
        if isinstance(self.towards, str):
            one_of("towards", self.towards, (SOURCE, UNIFORM))
        else:
            object.__setattr__(self, "towards", probabilities("towards", self.towards))
        if self.order is not None:
            object.__setattr__(self, "order", check_count("order", self.order, 1))


@dataclass(frozen=True)
class KernelDensity:
    """The empirical law of the points, blurred by a normal kernel.

    Attributes:
        bandwidth: h, the kernel's standard deviation; or a table with `factor` c: h = c n^(-1/5) times the
            standard deviation of the points (divisor n): Scott's rule c = 1, Silverman's 1.06.
    """

    bandwidth: Any
    name: ClassVar[str] = "kernel-density"

    def __post_init__(self):
        bandwidth = self.bandwidth
        if isinstance(bandwidth, dict):
            if bandwidth.keys() != {"factor"}:
                raise LoopError("bandwidth", bandwidth, "a number, or a table with factor, is needed")
            bandwidth = RuleOfThumb(bandwidth["factor"])
        if not isinstance(bandwidth, RuleOfThumb):
            bandwidth = real("bandwidth", bandwidth)
            positive("bandwidth", bandwidth)
        object.__setattr__(self, "bandwidth", bandwidth)


@dataclass(frozen=True)
class RuleOfThumb:
    """A bandwidth in proportion to the spread of the points: h = factor n^(-1/5) sd."""

    factor: Number

    def __post_init__(self):
        factor = real("bandwidth.factor", self.factor)
        positive("bandwidth.factor", factor)
        object.__setattr__(self, "factor", factor)
