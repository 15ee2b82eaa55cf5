"""What the commands do, for Python: loops as a person writes them, data sets resolved on the way."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Mapping, Sequence
from functools import partial
from typing import TYPE_CHECKING, Any, Literal

from theory.discrete_source import Markov
from theory.loop import Images, Loop, LoopError

if TYPE_CHECKING:
    import xarray as xr

    from autophagy.comparison import Comparison
    from theory.moments import Derivation
    from theory.sweep import Sweep


def load(loop: str | os.PathLike[str] | Mapping[str, Any], settings: Sequence[str] = ()) -> Loop:
    """A loop from a TOML or JSON file, an inline JSON object, or nested mappings.

    Args:
        loop: as above.
        settings: `table.key=value` changes made to it.

    Raises:
        LoopError: in one sentence, on anything that is no loop.
    """
    from theory import loop_file

    if isinstance(loop, Mapping):
        return loop_file.from_mapping(dict(loop))
    return loop_file.load(os.fspath(loop), tuple(settings))


def predict(
    loop: Loop, generations: float | Iterable[float], observables: Sequence[str] | None = None
) -> xr.Dataset:
    """Closed forms; see `theory.predict.predict`."""
    from theory import predict as theory

    return theory.predict(matched(loop), generations, observables)


def simulate(
    loop: Loop,
    generations: int | Sequence[int],
    seeds: int,
    *,
    seed: int = 0,
    engine: Literal["exact", "literal", "auto"] = "auto",
    observables: Sequence[str] | None = None,
    keep: Literal["summary", "replicates"] = "summary",
    progress: Callable[[int, int], None] | None = None,
) -> xr.Dataset:
    """Monte Carlo; see `jaxsim.simulate.simulate`. "auto" is the exact engine where it can run the loop."""
    from jaxsim import simulate as monte_carlo
    from jaxsim.prepare import chosen_engine

    solved = resolved(loop, last(generations))
    engine, _ = chosen_engine(solved, last(generations), engine)
    return monte_carlo.simulate(
        solved,
        generations,
        seeds,
        seed=seed,
        engine=engine,
        observables=observables,
        keep=keep,
        progress=progress,
    )


def compare(
    loop: Loop,
    generations: int | Sequence[int],
    seeds: int,
    *,
    seed: int = 0,
    engine: Literal["exact", "literal", "auto"] = "auto",
    observables: Sequence[str] | None = None,
) -> Comparison:
    """Both, with a verdict for each observable; see `autophagy.comparison.compare`."""
    from autophagy import comparison
    from jaxsim.prepare import chosen_engine

    solved = resolved(loop, last(generations))
    engine, _ = chosen_engine(solved, last(generations), engine)
    return comparison.compare(
        solved,
        generations,
        seeds,
        seed=seed,
        engine=engine,
        observables=observables,
    )


def derive(loop: Loop) -> Derivation:
    """The recursion of moments and its solution; see `theory.moments.derive`."""
    from theory import moments

    return moments.derive(matched(loop))


def sweep(
    plan: str | os.PathLike[str] | Mapping[str, Any] | Sweep, store: str | None = None, **options: Any
) -> xr.Dataset:
    """Run a grid of loops, or what is not done of it.

    Args:
        plan: a sweep file, an inline JSON object, nested mappings, or what `grid` gives.
        store: a folder, or a URL such as s3://bucket/name; None keeps nothing.
        **options: of `jaxsim.sweeps.run.run`.
    """
    from jaxsim.sweeps.run import sweep as run_sweep
    from theory import sweep_file

    if isinstance(plan, Mapping):
        plan = sweep_file.from_mapping(dict(plan))
    elif isinstance(plan, str | os.PathLike):
        plan = sweep_file.load(os.fspath(plan))
    return run_sweep(plan, store, resolve=partial(resolved, generations=plan.generations[-1]), **options)


def read_sweep(store: str | os.PathLike[str]) -> xr.Dataset:
    """What is done so far of the sweep in a store; see `jaxsim.sweeps.gather.read`."""
    from jaxsim.sweeps.gather import read

    return read(os.fspath(store))


WEIGHTS = 2**10
"""Weights that change in time are written out at least so far, so that a longer run extends a shorter one."""


def resolved(loop: Loop, generations: int = 1) -> Loop:
    """The loop a simulator sees: data sets replaced as in `matched`, an optimal weight by its numbers."""
    from theory.recipes.optimal_weight import settled

    return settled(matched(loop), max(generations, WEIGHTS))


def matched(loop: Loop) -> Loop:
    """The loop theory sees: images replaced by the Gaussian of their moments.

    Raises:
        LoopError: if it has a generator, which is trained; or a text that cannot be read.
    """
    if loop.generator is not None:
        reason = "it is trained, by `autophagy train`; neither theory nor the simulator sees through it"
        raise LoopError("generator", loop.generator.kind, reason)
    if isinstance(loop.source, Markov) and loop.source.text is not None:
        from jaxsim.text.corpus import corpus

        corpus(loop.source.text, loop.source.symbols)
    if not isinstance(loop.source, Images):
        return loop
    from models.datasets import resolve

    return resolve(loop)


def last(generations: int | Sequence[int]) -> int:
    """The last generation asked for; whether it makes sense is for others to say."""
    try:
        return int(generations if isinstance(generations, int) else max(generations))
    except (TypeError, ValueError, OverflowError):
        return 1
