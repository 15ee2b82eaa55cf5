"""The command line, the page it writes, and the same verbs for Python.

    import autophagy

    loop = autophagy.load("loop.toml")
    autophagy.predict(loop, 50)              # closed forms: an xarray.Dataset
    autophagy.simulate(loop, 50, seeds=1000)  # Monte Carlo: the same names

Nothing heavy is imported until it is used.
"""

from __future__ import annotations

from importlib import import_module
from typing import Any

_PARTS = {
    "theory.loop": ("Loop", "LoopError", "UnavailableError"),
    "theory.source": ("Gaussian", "Images", "Mixture"),
    "theory.discrete_source": ("Categorical", "Markov", "Poisson"),
    "theory.policy": (
        "Accumulate", "AccumulateSubsample", "Fixed", "Fresh", "Heal", "Memory", "Peers", "Replace", "Web",
        "Window", "WrittenRecipe",
    ),
    "theory.estimator": ("KernelDensity", "MaximumLikelihood", "Smoothed", "Unbiased", "Weighted"),
    "theory.linear": ("LeastSquares", "Linear", "Ridge"),
    "theory.sampler": ("Sampler",),
    "theory.selection": (
        "BestOf", "BradleyTerry", "Correction", "Detector", "Tilt", "TopFraction", "Verifier",
    ),
    "theory.generator": ("Diffusion", "Training"),
    "theory.loop_file": ("to_json", "to_toml"),
    "theory.law": ("cdf", "quantile"),
    "theory.sweep_file": ("grid",),
    "jaxsim.passage": ("first_passage",),
    "autophagy.verbs": ("compare", "derive", "load", "predict", "read_sweep", "simulate", "sweep"),
    "autophagy.verification": ("verify",),
}  # fmt: skip
_HOMES = {name: home for home, names in _PARTS.items() for name in names}

__all__ = sorted(_HOMES)


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"module 'autophagy' has no attribute {name!r}")
    return getattr(import_module(_HOMES[name]), name)


def __dir__() -> list[str]:
    return __all__
