"""The loop: what is sampled, what is fitted, how often. Vocabulary only; nothing here computes a result.

A loop is a source (generation 0, the truth), a data policy (which points each generation is fitted to),
an estimator and a sampler. Fields hold numbers, or SymPy expressions where a formula is wanted; every
value is checked once, here, and whoever receives a `Loop` may trust it.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, fields, is_dataclass, replace
from typing import Any, ClassVar

from theory.expression import Expression, ExpressionError

Number = Any  # a float, or a SymPy expression


class LoopError(ValueError):
    """A value of a loop that makes no sense: the key's path, the value, the reason."""

    def __init__(self, key: str, value: object, reason: str):
        super().__init__(key, value, reason)
        self.key, self.value, self.reason = key, value, reason

    def __str__(self) -> str:
        key = self.key if self.key.isprintable() else repr(self.key)
        if self.value is None:
            return f"{_short(key)}: {self.reason}"
        return f"{_short(key)} is {_short(repr(self.value))}: {self.reason}"

    def under(self, table: str) -> LoopError:
        """The same complaint, its key seen from the table above."""
        return LoopError(f"{table}.{self.key}", self.value, self.reason)


def _short(text: str) -> str:
    return text if len(text) <= 80 else text[:77] + "..."


class UnavailableError(LoopError):
    """Something the vocabulary names that this version cannot yet do."""


def is_symbolic(value: object) -> bool:
    """Whether `value` is a SymPy expression (recognised without importing SymPy)."""
    return hasattr(value, "free_symbols")


def _real(key: str, value: object) -> Number:
    if is_symbolic(value):
        return value
    if hasattr(value, "item") and getattr(value, "ndim", None) == 0:
        value = value.item()
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise LoopError(key, value, "a number is needed")
    try:
        value = float(value)
    except OverflowError:
        raise LoopError(key, value, "the number is too large") from None
    if not math.isfinite(value):
        raise LoopError(key, str(value), "a finite number is needed")
    return value


def _array(key: str, value: object, depth: int) -> Number:
    """Nested tuples of reals, at most `depth` deep, rectangular."""
    if hasattr(value, "tolist") and getattr(value, "ndim", 0):
        value = value.tolist()
    if not isinstance(value, list | tuple):
        return _real(key, value)
    if depth == 0 or not value:
        raise LoopError(key, value, "an array of this shape is not understood")
    rows = tuple(_array(key, item, depth - 1) for item in value)
    if len({len(row) if isinstance(row, tuple) else None for row in rows}) > 1:
        raise LoopError(key, value, "its rows differ in length")
    return rows


def _positive(key: str, value: Number) -> None:
    if not is_symbolic(value) and value <= 0:
        raise LoopError(key, value, "it must be greater than 0")


@dataclass(frozen=True)
class Gaussian:
    """A normal distribution: the family `gaussian`.

    Attributes:
        mean: a number, or a vector of length d.
        variance: a number (d = 1, or the same for every direction), a vector (diagonal) or a symmetric
            positive-definite matrix (full covariance).
    """

    mean: Number
    variance: Number
    family: ClassVar[str] = "gaussian"

    def __post_init__(self):
        mean, variance = _array("mean", self.mean, 1), _array("variance", self.variance, 2)
        object.__setattr__(self, "mean", mean)
        object.__setattr__(self, "variance", variance)
        if isinstance(mean, tuple) and isinstance(variance, tuple) and len(mean) != len(variance):
            raise LoopError("variance", variance, f"the mean has {len(mean)} coordinates")
        if not isinstance(variance, tuple):
            _positive("variance", variance)
        elif not isinstance(variance[0], tuple):
            for entry in variance:
                _positive("variance", entry)
        else:
            self._check_covariance()

    def _check_covariance(self):
        matrix = self.variance
        size = len(matrix)
        if len(matrix[0]) != size:
            raise LoopError("variance", matrix, "a covariance matrix is square")
        for i in range(size):
            for j in range(i):
                if matrix[i][j] != matrix[j][i]:
                    raise LoopError(
                        "variance", matrix, f"it is not symmetric: entries {i},{j} and {j},{i} differ"
                    )
        if any(is_symbolic(entry) for row in matrix for entry in row):
            return
        import numpy as np

        try:
            np.linalg.cholesky(np.asarray(matrix))
        except np.linalg.LinAlgError:
            raise LoopError("variance", matrix, "a covariance matrix must be positive definite") from None

    @property
    def is_scalar(self) -> bool:
        """Whether this is a distribution on the line, written with plain numbers."""
        return not isinstance(self.mean, tuple) and not isinstance(self.variance, tuple)

    @property
    def dimension(self) -> int:
        """The number of coordinates d."""
        if isinstance(self.mean, tuple):
            return len(self.mean)
        return len(self.variance) if isinstance(self.variance, tuple) else 1


@dataclass(frozen=True)
class Images:
    """A data set of images; `models.datasets` replaces it by the Gaussian that matches its moments."""

    dataset: str
    family: ClassVar[str] = "images"

    def __post_init__(self):
        if self.dataset != "digits":
            kind = UnavailableError if isinstance(self.dataset, str) else LoopError
            raise kind("dataset", self.dataset, "the only data set available yet is 'digits'")


@dataclass(frozen=True)
class Replace:
    """Every generation is fitted to `n` points of the one before: the policy `replace`.

    Attributes:
        n: points a generation: an integer, a tuple (entry t-1 for generation t), or an expression in t.
    """

    n: Any
    policy: ClassVar[str] = "replace"

    def __post_init__(self):
        n = self.n
        if isinstance(n, str):
            try:
                n = Expression(n)
            except ExpressionError as error:
                raise LoopError("n", n, error.reason) from None
        elif hasattr(n, "tolist"):
            n = n.tolist()
        if isinstance(n, list):
            n = tuple(n)
        object.__setattr__(self, "n", n)
        if isinstance(n, tuple):
            if not n:
                raise LoopError("n", [], "the list is empty")
            for size in n:
                _fit_size("n", size)
        elif isinstance(n, Expression):
            _expression_size(n, 1)
        else:
            _fit_size("n", n)


LARGEST_SAMPLE = 2**53  # sample sizes stay exact in a float64


def _fit_size(key: str, n: object) -> None:
    if is_symbolic(n):
        return
    if isinstance(n, bool) or not isinstance(n, int):
        raise LoopError(key, n, "a whole number of points is needed")
    if n < 2:
        raise LoopError(key, n, "a fit of a variance needs at least 2 points")
    if n > LARGEST_SAMPLE:
        raise LoopError(key, n, f"more than {LARGEST_SAMPLE} points cannot be counted exactly")


def _expression_size(n: Expression, t: int) -> int:
    try:
        size = n.at(t)
        _fit_size("n", size)
    except LoopError as error:
        raise LoopError("n", n.text, f"at t = {t} it is {error.value}, and {error.reason}") from None
    except ExpressionError as error:
        raise LoopError("n", n.text, error.reason) from None
    return size


def sample_sizes(n: Any, generations: int) -> tuple[int, ...]:
    """The points n_1, ..., n_T that each of the first T = `generations` fits takes.

    Raises:
        LoopError: if a list is too short, or an expression is not a whole number of at least 2.
    """
    if isinstance(n, Expression):
        return tuple(_expression_size(n, t) for t in range(1, generations + 1))
    if not isinstance(n, tuple):
        return (n,) * generations
    if len(n) < generations:
        raise LoopError("data.n", list(n), f"the list ends before generation {generations}")
    return n[:generations]


@dataclass(frozen=True)
class MaximumLikelihood:
    """Divide the sum of squares by n."""

    name: ClassVar[str] = "maximum-likelihood"


@dataclass(frozen=True)
class Unbiased:
    """Divide the sum of squares by n - 1."""

    name: ClassVar[str] = "unbiased"


@dataclass(frozen=True)
class Sampler:
    """How a model is sampled; at most one of the three biases differs from its default.

    Attributes:
        bias: lambda, the factor on the *variance* of a generated sample.
        truncate: c > 0: only |z| < c is kept, per coordinate of the standardised variable.
        temperature: T: samples follow p^(1/T), which for a normal is lambda = T.
        applies_to_source: whether real data (drawn from the source) is biased too.
    """

    bias: Number = 1.0
    truncate: Number | None = None
    temperature: Number | None = None
    applies_to_source: bool = False

    def __post_init__(self):
        for key in ("bias", "truncate", "temperature"):
            value = getattr(self, key)
            if value is None and key != "bias":
                continue
            value = _real(key, value)
            _positive(key, value)
            object.__setattr__(self, key, value)
        if not isinstance(self.applies_to_source, bool):
            raise LoopError("applies_to_source", self.applies_to_source, "true or false is needed")
        given = [key for key in ("truncate", "temperature") if getattr(self, key) is not None]
        if self.bias != 1:
            given.insert(0, "bias")
        if len(given) > 1:
            raise LoopError(
                given[1], getattr(self, given[1]), f"give one sampler bias, not {given[0]} as well"
            )


def _check_part(key: str, part: object, word: str) -> None:
    """Refuse what is not an instance of a class of the vocabulary, which all say their `word`."""
    kind = type(part)
    if not (is_dataclass(kind) and isinstance(getattr(kind, word, None), str)):
        what = {"family": "a source such as Gaussian", "policy": "a policy such as Replace"}
        what["name"] = "an estimator such as MaximumLikelihood"
        raise LoopError(key, _named(part), f"an instance of {what[word]} is needed")


def _named(part: object) -> object:
    return part.__name__ if isinstance(part, type) else part


def require_numbers(loop: Loop) -> None:
    """Refuse a loop that holds a symbol anywhere.

    Raises:
        LoopError: with the key of the first symbol.
    """
    for key, value in _leaves("", loop):
        if is_symbolic(value):
            raise LoopError(key, value, "numbers are needed here, not symbols")


def _leaves(key: str, value: Any) -> Iterator[tuple[str, object]]:
    """Everything inside a part, with its dotted key."""
    if isinstance(value, Mapping):
        inside: Iterable[tuple[str, Any]] = value.items()
    elif is_dataclass(value) and not isinstance(value, Expression):
        inside = ((field.name, getattr(value, field.name)) for field in fields(value))
    elif isinstance(value, tuple | list):
        for item in value:
            yield from _leaves(key, item)
        return
    else:
        yield key, value
        return
    for name, item in inside:
        yield from _leaves(f"{key}.{name}".lstrip("."), item)


@dataclass(frozen=True)
class Loop:
    """A self-consuming loop.

    Attributes:
        source: generation 0, the truth.
        data: the data policy.
        estimator: how a model is fitted.
        sampler: how a model is sampled.
        start: model 0 where it is not the source. What it generates is synthetic, so the sampler's bias
            acts on it; errors and divergences are still measured from the source.
    """

    source: Gaussian | Images
    data: Replace
    estimator: MaximumLikelihood | Unbiased = MaximumLikelihood()
    sampler: Sampler = Sampler()
    start: Gaussian | None = None

    def __post_init__(self):
        _check_part("source", self.source, "family")
        _check_part("data", self.data, "policy")
        _check_part("estimator", self.estimator, "name")
        if not isinstance(self.sampler, Sampler):
            raise LoopError("sampler", _named(self.sampler), "an instance of Sampler is needed")
        if self.start is None:
            return
        _check_part("start", self.start, "family")
        if not isinstance(self.source, Gaussian):
            raise UnavailableError("start", self.start, "a start is not available yet for this source")
        if not isinstance(self.start, Gaussian):
            raise LoopError("start", self.start, "it must be of the family of the source")
        if (self.start.is_scalar, self.start.dimension) != (self.source.is_scalar, self.source.dimension):
            raise LoopError("start", self.start, "it must have the dimension of the source")

    @property
    def first_model(self) -> Gaussian | Images:
        """Model 0: the start if there is one, else the source."""
        return self.source if self.start is None else self.start

    def with_(self, **changes: Any) -> Loop:
        """A copy with some parts replaced."""
        return replace(self, **changes)
