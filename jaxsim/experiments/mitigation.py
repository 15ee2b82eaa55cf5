"""Experiments about mitigation that are no loops: a verifier of labels, a mean freed of its own samples."""

from collections.abc import Mapping
from typing import Any

import numpy as np

STRETCH = 2**16
"""Replicates whose points lie in memory together."""


def kept_label(parameters: Mapping[str, Any], seeds: int, seed: int) -> np.ndarray:
    """Whether the first point that a verifier keeps is wrong, [replicate].

    Points are wrong with probability `error`; a correct one is kept with probability `keep_correct`, a
    wrong one with `keep_wrong`.
    """
    random = np.random.default_rng([seed, 9])
    found, waiting = np.zeros(seeds), np.arange(seeds)
    while waiting.size:
        wrong = random.random(waiting.size) < parameters["error"]
        rate = np.where(wrong, parameters["keep_wrong"], parameters["keep_correct"])
        kept = random.random(waiting.size) < rate
        found[waiting[kept]] = wrong[kept]
        waiting = waiting[~kept]
    return found


def debiased_mean(parameters: Mapping[str, Any], seeds: int, seed: int) -> np.ndarray:
    """The squared error of a mean that is fitted to its own samples and freed of them, [replicate].

    Every round draws `points` points, the share `share` of them real, N(0, variance), the others from the
    model, N(mu, variance); u = (their mean - (1 - share) mu) / share, and mu is the mean of all u so far.
    """
    total, share, deviation = parameters["points"], parameters["share"], parameters["variance"] ** 0.5
    random, real = np.random.default_rng([seed, 5]), round(share * total)

    def stretch(count: int) -> np.ndarray:
        mean, estimates = np.zeros(count), np.zeros(count)
        for rounds in range(1, parameters["rounds"] + 1):
            points = random.normal(0, deviation, (total, count))
            points[real:] += mean
            estimates += (points.mean(0) - (1 - share) * mean) / share
            mean = estimates / rounds
        return mean**2

    return np.concatenate([stretch(min(STRETCH, seeds - begin)) for begin in range(0, seeds, STRETCH)])


MITIGATION_EXPERIMENTS = {"kept_label": kept_label, "debiased_mean": debiased_mean}
