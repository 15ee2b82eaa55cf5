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

_HOMES = {
    "Gaussian": "theory.loop",
    "Images": "theory.loop",
    "Loop": "theory.loop",
    "LoopError": "theory.loop",
    "MaximumLikelihood": "theory.loop",
    "Replace": "theory.loop",
    "Sampler": "theory.loop",
    "UnavailableError": "theory.loop",
    "Unbiased": "theory.loop",
    "cdf": "theory.law",
    "compare": "autophagy.verbs",
    "derive": "autophagy.verbs",
    "first_passage": "jaxsim.passage",
    "grid": "theory.sweep_file",
    "load": "autophagy.verbs",
    "predict": "autophagy.verbs",
    "quantile": "theory.law",
    "read_sweep": "autophagy.verbs",
    "simulate": "autophagy.verbs",
    "sweep": "autophagy.verbs",
    "to_json": "theory.loop_file",
    "to_toml": "theory.loop_file",
    "verify": "autophagy.verification",
}

__all__ = sorted(_HOMES)


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"module 'autophagy' has no attribute {name!r}")
    return getattr(import_module(_HOMES[name]), name)


def __dir__() -> list[str]:
    return __all__
