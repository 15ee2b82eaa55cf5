"""The reading of a loop around a linear model for `theory.predict`: its risk, and its noise variance."""

from __future__ import annotations

import math
from collections.abc import Sequence

from theory.loop import Loop, LoopError
from theory.regression import risk as regression
from theory.result import SIMULATE, Statistic, unknown

_READ = {
    "risk": regression.risk,
    "noise_variance": regression.noise_variance,
    "log_noise_variance": regression.log_noise_variance,
}


def statistics(
    loop: Loop, names: Sequence[str], wanted: Sequence[float], highest: int = 2
) -> dict[str, Statistic]:
    """Statistics of each observable of a loop with a linear source.

    Args:
        loop: numbers throughout.
        names: `risk`, `noise_variance` or `log_noise_variance`.
        wanted: generations, increasing; the last may be inf.
        highest: the variance is the highest central moment known.
    """
    del highest
    return {name: _statistic(loop, name, wanted) for name in names}


def _statistic(loop: Loop, name: str, wanted: Sequence[float]) -> Statistic:
    if name == "log_noise_variance" and math.inf in wanted:
        return unknown((len(wanted),), "none", None, "the logarithm of the noise variance has no limit")
    try:
        found = _READ[name](loop, wanted)  # ty: ignore
    except LoopError as error:
        if error.key.startswith("data"):
            raise
        return unknown((len(wanted),), "none", None, error.reason + SIMULATE)
    if found.status == "none":
        return unknown((len(wanted),), "none", None, f"{found.reason}{SIMULATE}")
    return found


def threshold(loop: Loop) -> str | None:
    """Where the risk grows without bound; None for a stable loop.

    With a noise variance that is not fitted, or fitted without bias, each fit to synthetic labels alone
    adds as much as the first: linear growth. With maximum likelihood the noise shrinks by lambda (n - d)/n
    a generation.
    """
    try:
        early, late = (regression.risk(loop, [g]).mean[0] for g in (1, math.inf))
    except LoopError:
        return None
    if math.isfinite(early) and math.isinf(late):
        return (
            "the risk grows without bound: it stays bounded only beside real labels, with accumulating data,"
            " or where the noise variance is fitted and lambda (n - d) / c < 1"
        )
    return None
