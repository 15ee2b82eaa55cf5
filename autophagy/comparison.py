"""A loop read twice, in theory and by Monte Carlo, with a verdict on every observable.

All means and variances that theory predicts are one family of comparisons: the chance that a single one of
them raises a false alarm is 1e-6 in all. See `jaxsim.agreement`.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np

import theory.predict
from jaxsim.agreement import (
    NOT_TESTABLE,
    Agreement,
    Sample,
    Theory,
    agree,
    comparisons_in,
)
from theory.loop import Loop, LoopError
from theory.observable import PASSAGES

if TYPE_CHECKING:
    import xarray as xr

    from jaxsim.verdict import Verdicts


@dataclass(frozen=True)
class Compared:
    """One observable, read twice.

    Attributes:
        sample: what Monte Carlo found, arrays over generations and trailing axes.
        agreement: the verdicts, which hold what was predicted.
        attributes: status, claim and reason of the closed form.
    """

    sample: Sample
    agreement: Agreement
    attributes: dict[str, Any]


@dataclass(frozen=True)
class Comparison:
    """Theory and Monte Carlo of one loop, side by side.

    Attributes:
        loop: what was simulated.
        generations: where it was measured.
        seeds: replicates.
        seed: the master seed.
        engine: exact or literal.
        observables: by name.
    """

    loop: Loop
    generations: tuple[int, ...]
    seeds: int
    seed: int
    engine: str
    observables: dict[str, Compared]

    @property
    def disagrees(self) -> bool:
        """Whether any mean or variance disagrees."""
        return any(compared.agreement.disagrees for compared in self.observables.values())

    def entries(self) -> dict[str, dict[str, Any]]:
        """For each observable a dict of values, lists over the generations if there are several.

        `mean` and `variance` are Monte Carlo's; `theory` and `theory_variance` are predicted.
        """
        from autophagy import comparison_views

        return {name: comparison_views.entry(self, name) for name in self.observables}

    def rows(self) -> list[dict[str, Any]]:
        """A flat row for every observable, generation and component; components are numbered from 1."""
        from autophagy import comparison_views

        return comparison_views.rows(self)

    def __str__(self) -> str:
        return self.table()

    def table(self) -> str:
        """Text: a line for every generation and observable, the worst component of each.

        "+-" is a standard error, "would see" the smallest error of the mean that could not have passed, and
        the two verdicts are those on the mean and on the variance.
        """
        from autophagy import comparison_views

        return comparison_views.table(self)

    @property
    def dataset(self) -> xr.Dataset:
        """The numbers by name, verdicts as 1 (agrees), 0 (not testable) and -1 (disagrees)."""
        from autophagy import comparison_views

        return comparison_views.dataset(self)


def compare(
    loop: Loop,
    generations: int | Sequence[int],
    seeds: int,
    *,
    seed: int = 0,
    engine: str = "exact",
    observables: Sequence[str] | None = None,
    max_generations: int = 10**6,
    progress: Callable[[int, int], None] | None = None,
) -> Comparison:
    """Simulate `loop`, predict it, and judge.

    Args:
        loop: numbers throughout, a Gaussian source.
        generations: where to measure, increasing.
        seeds: replicates.
        seed: the master seed.
        engine: exact or literal.
        observables: names; all that are measured at generations if None.
        max_generations: where a first passage is given up.
        progress: called with (done, total).
    """
    steps = (generations,) if isinstance(generations, int) else tuple(int(g) for g in generations)
    simulated = _simulated(loop, steps, seeds, seed, engine, observables, max_generations, progress)
    predicted = theory.predict.predict(loop, list(steps), list(simulated))
    expected = {name: _expected(loop, name, steps, predicted[name]) for name in simulated}
    comparisons = max(sum(comparisons_in(part) for part in expected.values()), 1)
    compared = {}
    for name, sample in simulated.items():
        attributes = {
            key: predicted[name].attrs[key]
            for key in ("status", "claim", "reason")
            if predicted[name].attrs.get(key) is not None
        }
        agreement = agree(sample, expected[name], comparisons=comparisons)
        compared[name] = Compared(sample, _withheld(agreement, sample, attributes), attributes)
    return Comparison(loop, steps, seeds, seed, engine, compared)


def _withheld(agreement: Agreement, sample: Sample, attributes: dict[str, str]) -> Agreement:
    """No verdict where there is nothing to judge: a formula to first order, or values that all are zero."""
    gone = withheld(sample, attributes)
    if not (gone & (agreement.mean.verdict != "")).any():
        return agreement
    reasons = why_withheld(sample, agreement.mean, attributes)
    attributes["withheld"] = "; ".join(reason for reason, where in reasons.items() if where.any())
    judged = [
        replace(
            part,
            verdict=np.where(gone & (part.verdict != ""), NOT_TESTABLE, part.verdict),
            replicates=np.where(gone, np.inf, part.replicates),
        )
        for part in agreement
    ]
    return Agreement(*judged)


def why_withheld(sample: Sample, mean: Verdicts, attributes: dict[str, str]) -> dict[str, np.ndarray]:
    """Where nothing can be judged, by reason."""
    gone = withheld(sample, attributes)
    if attributes.get("status") == "asymptotic":
        return {"its formula holds to first order only": gone}
    tiny = np.abs(np.asarray(mean.theory)) < np.finfo(float).tiny
    return {"its values are below the smallest float": gone & tiny, "no replicate showed it": gone & ~tiny}


def withheld(sample: Sample, attributes: dict[str, str]) -> np.ndarray:
    """Where nothing can be judged: everywhere if the formula is to first order, else where all is zero."""
    gone = (np.asarray(sample.mean) == 0) & (np.asarray(sample.variance) == 0)
    return np.ones_like(gone) if attributes.get("status") == "asymptotic" else gone


def draw(comparison: Comparison, path: str) -> None:
    """Draw theory as lines and Monte Carlo as points with 95% intervals, a panel for each observable."""
    from autophagy.comparison_plot import draw_comparison

    draw_comparison(comparison, path)


def sample_of(variable: xr.DataArray) -> Sample:
    """The sample behind a simulated variable."""
    part = {
        name: np.asarray(variable.sel(statistic=name).values, float) for name in variable.statistic.values
    }
    return Sample(*(part[name] for name in ("count", "mean", "variance", "third", "fourth")))


def _simulated(
    loop: Loop,
    generations: tuple[int, ...],
    seeds: int,
    seed: int,
    engine: str,
    observables: Sequence[str] | None,
    max_generations: int,
    progress: Callable[[int, int], None] | None,
) -> dict[str, Sample]:
    from jaxsim.passage import first_passage
    from jaxsim.simulate import simulate

    timed = None if observables is None else [name for name in observables if name not in PASSAGES]
    samples = {}
    if timed is None or timed:
        dataset = simulate(
            loop, generations, seeds, seed=seed, engine=engine, observables=timed, progress=progress
        )
        samples = {str(name): sample_of(dataset[name]) for name in dataset.data_vars}
    for name in observables or ():
        if name in PASSAGES:
            dataset = first_passage(
                loop,
                seeds,
                observable=name,
                seed=seed,
                engine=engine,
                max_generations=max_generations,
            )
            if dataset[name].attrs["censored"]:
                raise LoopError(
                    "max_generations",
                    max_generations,
                    f"{dataset[name].attrs['censored']} of {seeds} replicates had not passed: no mean",
                )
            samples[name] = sample_of(dataset[name])
    return samples


def _expected(loop: Loop, name: str, generations: tuple[int, ...], predicted: xr.DataArray) -> Theory:
    mean, variance = (np.asarray(predicted.sel(statistic=s).values, float) for s in ("mean", "variance"))
    if name in PASSAGES or not np.isfinite(variance).any():
        return Theory(mean, variance)
    third, fourth = theory.predict.central_moments(loop, name, generations)[2:]
    return Theory(mean, variance, third, fourth)
