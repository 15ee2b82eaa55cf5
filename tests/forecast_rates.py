"""How often the test of a forecast misleads: from what generation 1 says, before a later one is looked at.

The unit is a run, one master seed. Replicates, generations and directions of a run are not independent: they
share the error of the bias and the rate at which it fades. A draw of `models.forecast.foresee` is a whole run
with just these in common, so that every draw, put in the place of the truth, gives what one run shows when
the forecast is right, with the correlation that the forecast itself states. Runs of different seeds are
independent: the law of their mean is that of a mean of such values, one a run.
"""

from typing import NamedTuple

import numpy as np

from models.scores import interval, interval_score, ranked_score

NARROW = 0.7
"""Of the intervals of the negative control, which are sold as being of the level `models.scores.LEVEL`."""

MEANS = 200_000
"""Means of runs that are drawn: a rate of 1e-3 is known to 7e-5."""


class Shown(NamedTuple):
    """What runs show: one value for each, of a forecast and of the truth in the run.

    Attributes:
        coverage: the share of the truth within the intervals.
        narrow: the share within intervals of the level `NARROW`.
        constant: the share within the intervals of the control.
        interval_excess, ranked_excess: the score less that of the control; below 0 the control is beaten.
    """

    coverage: np.ndarray
    narrow: np.ndarray
    constant: np.ndarray
    interval_excess: np.ndarray
    ranked_excess: np.ndarray


def shown(paths, truths) -> Shown:
    """What is seen if each of `truths`, [run, replicate, generation, direction], is the truth of a run.

    Args:
        paths: of the forecast and of the control, under `forecast` and `constant`.
        truths: log variances.
    """
    ends = {name: interval(draws) for name, draws in paths.items()}
    ends["narrow"] = np.quantile(paths["forecast"], ((1 - NARROW) / 2, (1 + NARROW) / 2), axis=0)
    held = {name: within(*pair, truths) for name, pair in ends.items()}
    score = {name: averaged(interval_score(*ends[name], truths)) for name in paths}
    ranked = {name: np.array([ranked_score(paths[name], x).mean() for x in truths]) for name in paths}
    return Shown(
        held["forecast"],
        held["narrow"],
        held["constant"],
        score["forecast"] - score["constant"],
        ranked["forecast"] - ranked["constant"],
    )


def if_right(paths) -> Shown:
    """What runs show whose truth is a draw of the forecast."""
    return shown(paths, paths["forecast"])


def averaged(values):
    """The mean of everything in a run."""
    return values.mean(axis=(1, 2, 3))


def within(low, high, truths):
    return averaged((low <= truths) & (truths <= high))


def means(each):
    """Draws of the mean over runs, from the values each run can show (`if_right`), [run][draw]."""
    rng = np.random.default_rng(0)
    return np.mean([rng.choice(values, MEANS) for values in each], axis=0)


class Rates(NamedTuple):
    """Probabilities, over as many runs as were given.

    Attributes:
        missed: a right forecast shows less coverage than `least`.
        passed: intervals of the level `NARROW` show at least as much.
        interval, ranked: a right forecast does not beat the control, by these scores.
    """

    missed: float
    passed: float
    interval: float
    ranked: float


def rates(each: list[Shown], least: float) -> Rates:
    """Of the mean over runs, given for each what it can show."""
    coverage, narrow, _, by_interval, by_rank = (means(values) for values in zip(*each, strict=True))
    return Rates(
        float(np.mean(coverage < least)),
        float(np.mean(narrow >= least)),
        float(np.mean(by_interval >= 0)),
        float(np.mean(by_rank >= 0)),
    )


def runs_needed(pilots: list[Shown], least: float, rate: float, most: int = 200) -> int:
    """The least number of runs whose rates are all at most `rate`, each run like one of the `pilots`."""
    pooled = Shown(*(np.concatenate(values) for values in zip(*pilots, strict=True)))
    return next(count for count in range(1, most) if max(rates([pooled] * count, least)) <= rate)
