"""Second moments in d dimensions under any policy: those on the line, of variance 1, times Sigma_0 (X12).

What every fit does to second moments is linear in them and the same along every direction, so E Sigma_g = s_g
Sigma_0 and E (mu_g - mu_0)(mu_g - mu_0)^T = q_g Sigma_0, where the source's covariance is the only one in
play.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from theory.loop import Gaussian, Loop
from theory.observable import model_axis
from theory.recipes.entries import entry
from theory.result import Statistic
from theory.selected.space import covariance_of


def statistics(loop: Loop, names: Sequence[str], wanted: Sequence[float]) -> dict[str, Statistic]:
    """E mu, E |mu - mu_0|^2, the variance of mu and E Sigma, where all models begin at the one source."""
    from theory.recipes.reading import MOVED_IN_SPACE, NO_LIMIT, NO_SHAPE, missing, second_moments, threshold

    source: Any = loop.source
    targets = getattr(getattr(loop.data, "contaminated", loop.data), "targets", None)
    if loop.start is not None or targets is not None:
        return {name: missing(loop, name, wanted, MOVED_IN_SPACE) for name in names}
    line = loop.with_(source=Gaussian(0.0, 1.0))
    moments = second_moments(line, wanted)
    _, square, spread = moments[..., 0] if model_axis(loop) is None else moments
    truth = covariance_of(source)
    along, total = np.diag(truth), np.trace(truth)
    nothing = np.zeros((*spread.shape, source.dimension))
    means = {
        "mean_error": nothing,
        "mean_error_squared": square * total,
        "variance": np.multiply.outer(spread, along),
        "covariance": np.multiply.outer(spread, truth),
        "trace": spread * total,
    }
    result = {}
    for name in names:
        if name not in means:
            result[name] = missing(loop, name, wanted, NO_SHAPE)
            continue
        mean = means[name]
        variance = np.multiply.outer(square, along) if name == "mean_error" else np.full_like(mean, np.nan)
        if np.isnan(mean).any():
            result[name] = missing(loop, name, wanted, NO_LIMIT)
        elif np.isinf(mean).any():
            why = threshold(line) or "it grows without bound"
            result[name] = Statistic(mean, variance, "infinite", entry(loop), why)
        else:
            result[name] = Statistic(mean, variance, "exact", entry(loop))
    return result
