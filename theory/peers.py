"""The policy `peers`: several models that feed one another. Vocabulary only."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, ClassVar

from theory.counts import Count, check_count, check_fit
from theory.quantity import LoopError, array, settle


@dataclass(frozen=True)
class Peers:
    """K models, each fitted to samples of all of them and to real points of its own: the policy `peers`.

    Attributes:
        models: K.
        per_model: points each model takes from each, itself included; every reader draws its own.
        real: fresh real points of each model: a number, or K of them.
        counts: instead of `per_model`, row k the points model k takes from each.
        targets: K means, of the source that model k takes its real points from and begins as; None: all take
            from the one source.
    """

    models: Any = None
    per_model: Any = None
    real: Any = 0
    counts: Any = None
    targets: Any = None
    policy: ClassVar[str] = "peers"

    def __post_init__(self):
        if (self.counts is None) == (self.per_model is None):
            raise LoopError("per_model", self.per_model, "give either per_model, with models, or counts")
        counts = self._checked_counts()
        size = len(counts)
        real = self.real.tolist() if hasattr(self.real, "tolist") else self.real
        if isinstance(real, list | tuple):
            if len(real) != size:
                raise LoopError("real", list(real), f"there are {size} models")
            real = tuple(check_count("real", entry) for entry in real)
        else:
            real = check_count("real", real)
        if self.targets is not None:
            targets = array("targets", self.targets, 2)
            if not isinstance(targets, tuple) or len(targets) != size:
                raise LoopError("targets", targets, f"{size} means are needed, one a model")
            settle(self, targets=targets)
        settle(self, models=size, real=real, counts=None if self.counts is None else counts)
        for row, own in zip(counts, real if isinstance(real, tuple) else (real,) * size, strict=True):
            check_fit("counts" if self.counts is not None else "per_model", sum(row) + own)

    def _checked_counts(self) -> tuple[tuple[Count, ...], ...]:
        if self.counts is None:
            size = check_count("models", self.models, 1)
            each = check_count("per_model", self.per_model)
            settle(self, per_model=each)
            return ((each,) * size,) * size
        counts = self.counts.tolist() if hasattr(self.counts, "tolist") else self.counts
        if not isinstance(counts, list | tuple) or not counts:
            raise LoopError("counts", counts, "a square table of counts is needed")
        for row in counts:
            if not isinstance(row, list | tuple) or len(row) != len(counts):
                raise LoopError("counts", counts, "a square table of counts is needed")
        if self.models is not None and self.models != len(counts):
            raise LoopError("models", self.models, f"counts has {len(counts)} rows")
        return tuple(tuple(check_count("counts", entry) for entry in row) for row in counts)

    def taken(self, reader: int, giver: int) -> Count:
        """Points that model `reader` takes from model `giver`, both numbered from 0."""
        return self.per_model if self.counts is None else self.counts[reader][giver]

    def own_real(self, reader: int) -> Count:
        """Fresh real points of model `reader`."""
        return self.real[reader] if isinstance(self.real, tuple) else self.real
