"""The policy `replace`, and the sample sizes it names. Vocabulary only."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, ClassVar

from theory.expression import Expression, ExpressionError
from theory.quantity import LARGEST_SAMPLE, LoopError, is_symbolic


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
