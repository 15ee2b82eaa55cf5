"""The sampler: how a fitted model is sampled. Vocabulary only."""

from __future__ import annotations

from dataclasses import dataclass

from theory.counts import check_count
from theory.quantity import LoopError, Number, flag, is_symbolic, positive, real


@dataclass(frozen=True)
class Sampler:
    """How a model is sampled; at most one of the biases differs from its default.

    Attributes:
        bias: lambda, the factor on the *variance* of a generated sample.
        truncate: c > 0: only |z| < c is kept, per coordinate of the standardised variable.
        temperature: T: samples follow p^(1/T), which for a normal is lambda = T.
        top_k: only the k most probable categories are kept.
        nucleus: only the most probable categories are kept, as few as have this probability together.
        guidance: w: (1 + w) conditional - w unconditional.
        applies_to_source: whether real data (drawn from the source) is biased too.
    """

    bias: Number = 1.0
    truncate: Number | None = None
    temperature: Number | None = None
    top_k: int | None = None
    nucleus: Number | None = None
    guidance: Number | None = None
    applies_to_source: bool = False

    def __post_init__(self):
        for key in ("bias", "truncate", "temperature", "nucleus", "guidance"):
            value = getattr(self, key)
            if value is None and key != "bias":
                continue
            value = real(key, value)
            if key != "guidance":
                positive(key, value)
            elif not is_symbolic(value) and value < 0:
                raise LoopError(key, value, "it is negative")
            object.__setattr__(self, key, value)
        if self.top_k is not None:
            object.__setattr__(self, "top_k", check_count("top_k", self.top_k, 1))
        if self.nucleus is not None and not is_symbolic(self.nucleus) and self.nucleus > 1:
            raise LoopError("nucleus", self.nucleus, "a probability is at most 1")
        flag("applies_to_source", self.applies_to_source)
        given = self.given
        if len(given) > 1:
            raise LoopError(
                given[1], getattr(self, given[1]), f"give one sampler bias, not {given[0]} as well"
            )

    @property
    def given(self) -> tuple[str, ...]:
        """The biases that differ from their default."""
        optional = ("truncate", "temperature", "top_k", "nucleus", "guidance")
        found = tuple(key for key in optional if getattr(self, key) is not None)
        return found if self.bias == 1 else ("bias", *found)
