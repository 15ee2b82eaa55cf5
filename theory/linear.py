"""Linear regression that feeds on its own labels: the family `linear`. Vocabulary only.

A datum is (x, y), x ~ N(0, I_d), y = x.w* + noise. A model is (w, noise variance); it samples covariates from
their known law and labels y = x.w + noise of that variance. What is measured is `risk`, E |w - w*|^2.

Policies read as elsewhere, a point being a datum, except that `fresh` with a `weight` mixes labels: each of
its covariates is labelled by the source and by the last model, y = w y_real + (1 - w) y_synthetic.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, ClassVar

from theory.counts import check_count, is_constant
from theory.policy import OPTIMAL_IN_TIME, Accumulate, Fresh
from theory.quantity import LoopError, Number, is_symbolic, one_of, positive, real
from theory.replacement import Replace
from theory.sampler import Sampler

COVARIATES = ("fresh", "same")
NOISES = ("known", "maximum-likelihood", "unbiased")


def _not_negative(part: object, key: str) -> None:
    value = real(key, getattr(part, key))
    if not is_symbolic(value) and value < 0:
        raise LoopError(key, value, "it is negative")
    object.__setattr__(part, key, value)


@dataclass(frozen=True)
class Linear:
    """A linear model with standard normal covariates: the family `linear`.

    Attributes:
        dimension: d.
        noise: sigma^2, the variance of a label given its covariates.
        signal: |w*|^2.
        covariates: `fresh`: drawn anew for every batch; `same`: drawn once and labelled anew.
        shift: of a start: |w_0 - w*|^2, in a direction drawn uniformly and independent of all else.
    """

    dimension: int
    noise: Number
    signal: Number
    covariates: str = "fresh"
    shift: Number = 0.0
    family: ClassVar[str] = "linear"

    def __post_init__(self):
        object.__setattr__(self, "dimension", check_count("dimension", self.dimension, 1))
        for key in ("noise", "signal", "shift"):
            _not_negative(self, key)
        one_of("covariates", self.covariates, COVARIATES)


@dataclass(frozen=True)
class Final:
    """The fit that replaces the last one: ridge on samples of the chain's model.

    Attributes:
        penalty: as in `Ridge`.
        n: its points; None: as many as the chain's fits take.
    """

    penalty: Number
    n: Any = None

    def __post_init__(self):
        object.__setattr__(self, "penalty", real("penalty", self.penalty))
        positive("penalty", self.penalty)
        if self.n is not None:
            object.__setattr__(self, "n", check_count("n", self.n, 1))


@dataclass(frozen=True)
class LeastSquares:
    """Ordinary least squares, of minimum norm where the points are fewer than d.

    Attributes:
        noise: the model's noise variance: `known` (the source's), or the residual sum of squares over the
            points N of the fit (`maximum-likelihood`) or over N - d (`unbiased`).
        final: what the model that is looked at is fitted by, where it is not least squares.
    """

    noise: str = "known"
    final: Final | None = None
    name: ClassVar[str] = "least-squares"

    def __post_init__(self):
        one_of("noise", self.noise, NOISES)
        _check_final(self)


@dataclass(frozen=True)
class Ridge:
    """Minimise |y - X w|^2 / N + penalty |w|^2 over N points.

    Attributes:
        penalty: kappa, per point: it does not fade as points accumulate.
        noise: `known`: the model's noise variance is the source's.
        final: what the model that is looked at is fitted by, where it is another ridge.
    """

    penalty: Number
    noise: str = "known"
    final: Final | None = None
    name: ClassVar[str] = "ridge"

    def __post_init__(self):
        object.__setattr__(self, "penalty", real("penalty", self.penalty))
        positive("penalty", self.penalty)
        one_of("noise", self.noise, ("known",))
        _check_final(self)


def _check_final(estimator: LeastSquares | Ridge) -> None:
    final = estimator.final
    if isinstance(final, dict):
        try:
            object.__setattr__(estimator, "final", Final(**final))
        except TypeError:
            raise LoopError("final", final, "a table with penalty, and n if it differs, is needed") from None
        except LoopError as error:
            raise error.under("final") from None
    elif final is not None and not isinstance(final, Final):
        raise LoopError("final", final, "a table with penalty, and n if it differs, is needed")


def check_linear(loop: Any) -> None:
    """Refuse combinations of a linear source that make no sense.

    Raises:
        LoopError: naming the key, its value and the reason.
    """
    source, data, estimator, start = loop.source, loop.data, loop.estimator, loop.start
    if source.shift != 0:
        raise LoopError("source.shift", source.shift, "only a start is shifted")
    if not isinstance(estimator, LeastSquares | Ridge):
        raise LoopError("estimator.name", estimator.name, "a linear source takes least-squares or ridge")
    if not isinstance(data, Replace | Accumulate | Fresh):
        raise LoopError("data.policy", data.policy, "a linear source takes replace, accumulate or fresh")
    if start is not None:
        for key in ("dimension", "signal", "covariates"):
            if getattr(start, key) != getattr(source, key):
                raise LoopError(f"start.{key}", getattr(start, key), "it must be the source's")
    if loop.sampler != Sampler(bias=loop.sampler.bias, applies_to_source=loop.sampler.applies_to_source):
        raise LoopError("sampler", loop.sampler, "labels of a linear model take bias only")
    if isinstance(data, Fresh) and data.weight is not None:
        _check_mixing(loop)
    elif isinstance(data, Fresh) and source.covariates == "same":
        raise LoopError("data.weight", None, "with the same covariates it is needed: labels are mixed")
    if estimator.final is not None and not isinstance(data, Replace):
        raise LoopError("estimator.final", estimator.final, "it needs the policy replace")
    if estimator.final is not None and source.covariates == "same":
        raise LoopError("estimator.final", estimator.final, "it needs fresh covariates")
    if source.covariates == "same" and isinstance(data, Replace | Accumulate) and not is_constant(data.n):
        raise LoopError("data.n", str(data.n), "the same covariates are as many in every generation")


def _check_mixing(loop: Any) -> None:
    data = loop.data
    if data.weight == OPTIMAL_IN_TIME:
        raise LoopError("data.weight", data.weight, "it is not known for a linear source; 'optimal' is")
    if data.real != data.synthetic or not is_constant(data.real):
        raise LoopError(
            "data.synthetic", data.synthetic, "labels are mixed on the same covariates: as many as real"
        )
    if loop.estimator.noise == "unbiased":
        raise LoopError("estimator.noise", "unbiased", "with a weight it is not defined")
