"""The exact second moments of a loop: its parts put into `theory.provenance`.

On the line. In d dimensions, where model 0 is the source and no peer has a target of its own, E Sigma_g and
E (mu_g - mu_0)(mu_g - mu_0)^T are Sigma_0 times what a source of variance 1 gives.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

from theory.loop import Gaussian, Loop, LoopError, Number, Sampler, UnavailableError
from theory.meal import Recipe
from theory.provenance import Provenance
from theory.recipe import recipe
from theory.replace.fits import sampling_factor
from theory.replace.truncation import truncated_moment


def recipe_of(loop: Loop) -> Recipe:
    """What every generation of `loop` eats, targets counted from the mean of its source."""
    made = recipe(loop.data, started=loop.start is not None)
    if made.targets is None:
        return made
    if loop.start is not None:
        raise LoopError("start", loop.start, "models with targets begin as their own sources")
    return replace(made, targets=tuple(target - loop.source.mean for target in made.targets))  # ty: ignore


def sample_variance(sampler: Sampler) -> Number:
    """Var of a sample of N(0, 1): lambda, the temperature, or Var(z | |z| < c)."""
    cut = sampler.truncate
    return sampling_factor(sampler) if cut is None else float(truncated_moment(cut, 2))


def settings_of(loop: Loop) -> dict[str, Any]:
    """The settings of `Provenance` and of `affine_step` for a loop on the line.

    Raises:
        UnavailableError: in several dimensions.
    """
    source = loop.source
    if not isinstance(source, Gaussian) or not source.is_scalar:
        raise UnavailableError("source", source, "second moments of a recipe are known on the line")
    start = None if loop.start is None else (loop.start.mean - source.mean, loop.start.variance)
    factor = sample_variance(loop.sampler)
    return {
        "variance": source.variance,
        "start": start,
        "bias": factor,
        "source_bias": factor if loop.sampler.applies_to_source else 1,
        "estimator": loop.estimator,
    }


def provenance(loop: Loop, number: Callable[[Any], Any] = float, *, remember: bool = False) -> Provenance:
    """The engine for `loop`, before generation 1."""
    return Provenance(recipe_of(loop), number=number, remember=remember, **settings_of(loop))
