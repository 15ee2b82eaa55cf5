"""The loop: what is sampled, what is fitted, how often. Vocabulary only; nothing here computes a result.

A loop is a source (generation 0, the truth), a data policy (which points each generation is fitted to),
an estimator, a sampler and perhaps a selection. Fields hold numbers, or SymPy expressions where a formula is
wanted; every value is checked once, by the part that holds it, and whoever receives a `Loop` may trust it.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, fields, is_dataclass, replace
from typing import Any

from theory.estimator import MaximumLikelihood, Unbiased
from theory.expression import Expression
from theory.quantity import LARGEST_SAMPLE, LoopError, Number, UnavailableError, is_symbolic
from theory.replacement import Replace, sample_sizes
from theory.sampler import Sampler
from theory.source import Gaussian, Images

__all__ = [
    "LARGEST_SAMPLE",
    "Gaussian",
    "Images",
    "Loop",
    "LoopError",
    "MaximumLikelihood",
    "Number",
    "Replace",
    "Sampler",
    "UnavailableError",
    "Unbiased",
    "is_symbolic",
    "require_numbers",
    "sample_sizes",
]


def _check_part(key: str, part: object, word: str) -> None:
    """Refuse what is not an instance of a class of the vocabulary, which all say their `word`."""
    kind = type(part)
    if not (is_dataclass(kind) and isinstance(getattr(kind, word, None), str)):
        what = {"family": "a source such as Gaussian", "policy": "a policy such as Replace"}
        what |= {"name": "an estimator such as MaximumLikelihood", "rule": "a rule such as TopFraction"}
        what["kind"] = "a generator such as Diffusion"
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
        estimator: how a model is fitted; None: least squares for a linear source, else maximum likelihood.
        sampler: how a model is sampled.
        start: model 0 where it is not the source. What it generates is synthetic, so the sampler's bias
            acts on it; errors and divergences are still measured from the source.
        selection: which of the generated points are kept; None: all.
        generator: a real generator that is trained in place of the fit; None: the source's family is fitted.
        training: how, where the generator is a network.
    """

    source: Any
    data: Any
    estimator: Any = None
    sampler: Sampler = Sampler()
    start: Any = None
    selection: Any = None
    generator: Any = None
    training: Any = None

    def __post_init__(self):
        from theory.combination import check, usual_estimator

        _check_part("source", self.source, "family")
        _check_part("data", self.data, "policy")
        if self.estimator is None:
            object.__setattr__(self, "estimator", usual_estimator(self.source))
        _check_part("estimator", self.estimator, "name")
        if not isinstance(self.sampler, Sampler):
            raise LoopError("sampler", _named(self.sampler), "an instance of Sampler is needed")
        if self.start is not None:
            _check_part("start", self.start, "family")
        if self.selection is not None:
            _check_part("selection", self.selection, "rule")
        if self.generator is not None:
            _check_part("generator", self.generator, "kind")
        check(self)

    @property
    def first_model(self) -> Any:
        """Model 0: the start if there is one, else the source."""
        return self.source if self.start is None else self.start

    def with_(self, **changes: Any) -> Loop:
        """A copy with some parts replaced."""
        return replace(self, **changes)
