"""Predict, simulate and compare for a loop as a person writes it: a data set becomes its Gaussian first."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from theory.loop import Loop

if TYPE_CHECKING:
    import xarray as xr

    from autophagy.compare import Comparison


def predict(loop: Loop, generations: Any, observables: Any = None) -> xr.Dataset:
    """Closed forms; see `theory.predict.predict`."""
    from theory.predict import predict as closed_forms

    return closed_forms(resolved(loop), generations, observables)


def simulate(loop: Loop, generations: Any, seeds: int, **options: Any) -> xr.Dataset:
    """Monte Carlo; see `jaxsim.simulate.simulate`."""
    from jaxsim.simulate import simulate as monte_carlo

    return monte_carlo(resolved(loop), generations, seeds, **options)


def compare(loop: Loop, generations: Any, seeds: int, **options: Any) -> Comparison:
    """Both, with a verdict for each observable; see `autophagy.compare.compare`."""
    from autophagy.compare import compare as verdicts

    return verdicts(resolved(loop), generations, seeds, **options)


def resolved(loop: Loop) -> Loop:
    """The loop theory and simulator see: images replaced by the Gaussian of their moments."""
    from theory.loop import Images

    if not isinstance(loop.source, Images):
        return loop
    from models.datasets import resolve

    return resolve(loop)
